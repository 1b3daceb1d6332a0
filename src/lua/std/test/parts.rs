//! `test.worker`, `test.handler`, `test.tasks`: their arguments in, what came of it out.

use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use mlua::{Lua, MultiValue, Table, Value};

use super::context::Context;
use super::mocks;
use super::play::{self, Message, Order, Part, Played, Task};
use crate::lua::error::LibError;
use crate::lua::options::Options;
use crate::lua::script::FINISH;
use crate::lua::state::{decoded, decoded_list, encoded, encoded_list};
use crate::lua::std::log::Level;
use crate::lua::std::path;
use crate::lua::std::runtime::Interrupt;
use crate::model::job::{Job, Script};
use crate::model::task::TaskOptions;
use crate::model::{Failure, TaskId, Value as Plain};
use crate::wire::value;

/// Tasks that `test.tasks` takes unless it is told otherwise.
const TASKS: usize = 1000;

/// What every role takes.
struct Common {
    script: Script,
    job: Job,
    limit: Duration,
    /// Where the role runs, if elsewhere.
    dir: Option<PathBuf>,
}

/// The script, and its options when it is written as `{ "scripts/crawl.lua", params = … }`.
fn script_and_options(script: &Value) -> Result<(PathBuf, Option<Table>), LibError> {
    let wrong = || {
        LibError::invalid(
            "argument 1 (script) must be a file, or a table as {\"scripts/crawl.lua\", params = {}}",
        )
    };
    match script {
        Value::String(file) => Ok((path::of(file), None)),
        Value::Table(table) => {
            let Value::String(file) = table.raw_get::<Value>(1)? else { return Err(wrong()) };
            Ok((path::of(&file), Some(table.clone())))
        }
        _ => Err(wrong()),
    }
}

/// The options of the table, without its first item.
fn named(lua: &Lua, table: Option<Table>) -> Result<Option<Table>, LibError> {
    let Some(table) = table else { return Ok(None) };
    let named = lua.create_table()?;
    table.for_each(|key: Value, value: Value| {
        if key != Value::Integer(1) {
            named.raw_set(key, value)?;
        }
        Ok(())
    })?;
    Ok(Some(named))
}

impl Common {
    fn read(
        lua: &Lua,
        context: &Context,
        file: PathBuf,
        meta: Option<Table>,
        params: Option<Table>,
        options: &mut Options,
    ) -> Result<Self, LibError> {
        let path = context.find(&file);
        let bytes = std::fs::read(&path).map_err(|error| LibError::file(&error, &path))?;
        let path = path.canonicalize().map_err(|error| LibError::file(&error, &path))?;
        let dir = options.bytes("dir")?.map(|dir| path::of(&dir));
        let dir =
            dir.map(|dir| dir.canonicalize().map_err(|error| LibError::file(&error, &dir))).transpose()?;
        let params = match params {
            Some(params) => Some(params),
            None => options.table("params")?,
        };
        let name = options.string("name")?.unwrap_or_else(|| "test".to_owned());
        let seed = options.int("seed")?.unwrap_or(context.seed.get());
        let env = options.table("env")?;
        let limit = options.duration("timeout")?.unwrap_or(Duration::from_nanos(context.limit_ns));
        let job = Job {
            name,
            description: String::new(),
            manifest: path.clone(),
            dir: dir.clone().unwrap_or_else(|| context.cwd.clone()),
            seed,
            params: plain_map(lua, params, "params")?,
            meta: plain_map(lua, meta, "meta")?,
            env: env.map_or(Ok(Vec::new()), |env| env.pairs::<String, String>().collect())?,
        };
        let script = Script {
            name: context.shown(&path),
            dir: path.parent().unwrap_or(&context.cwd).to_path_buf(),
            text: Arc::from(bytes),
        };
        Ok(Self { script, job, limit, dir })
    }

    fn order(self, part: Part) -> (Order, Option<PathBuf>) {
        let limit_ns = u64::try_from(self.limit.as_nanos()).unwrap_or(u64::MAX);
        (Order { script: self.script, job: self.job, part, limit_ns }, self.dir)
    }
}

fn plain_map(lua: &Lua, table: Option<Table>, what: &str) -> Result<Plain, LibError> {
    let Some(table) = table else { return Ok(Plain::Map(Vec::new())) };
    let bytes = encoded(lua, Value::Table(table), what)?;
    let read = value::decode(&bytes, &mut 0).map_err(|error| LibError::invalid(error.to_string()))?;
    match read {
        Plain::Array(list) if list.is_empty() => Ok(Plain::Map(Vec::new())),
        map @ Plain::Map(_) => Ok(map),
        _ => Err(LibError::invalid(format!("{what} must be a table with names as keys"))),
    }
}

/// What the task at hand is, apart from its arguments.
fn task_of(lua: &Lua, options: &mut Options) -> Result<Task, LibError> {
    let number =
        |found: Option<usize>, usual: u32| found.map_or(usual, |n| u32::try_from(n).unwrap_or(u32::MAX));
    let attempt = number(options.count("attempt")?, 1);
    let elapsed = options.duration("duration")?.unwrap_or_default();
    Ok(Task {
        id: TaskId::at(options.count("id")?.unwrap_or(1) as u64),
        key: options.bytes("key")?.map(|key| key.as_bytes().to_vec()),
        args: Vec::new(),
        own_args: Vec::new(),
        attempt,
        max_attempts: number(options.count("max_attempts")?, attempt.max(1)),
        worker: number(options.count("worker")?, 1),
        elapsed_ns: u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX),
        cancelled: options.bool("cancelled")?.unwrap_or(false),
        state: match options.value("state")? {
            Some(state) => Some(encoded(lua, state, "option `state`")?),
            None => None,
        },
    })
}

/// The values `1..=n` of a list, `n` too.
fn values(list: &Table) -> Result<MultiValue, LibError> {
    let count = match list.raw_get::<Value>("n")? {
        Value::Integer(n @ 0..=250) => n as usize,
        _ => list.raw_len(),
    };
    Ok((1..=count).map(|index| list.raw_get::<Value>(index)).collect::<mlua::Result<_>>()?)
}

pub fn worker(
    lua: &Lua,
    script: &Value,
    args: &Table,
    meta: Option<Table>,
    options: Option<Table>,
) -> impl Future<Output = Result<MultiValue, LibError>> + 'static + use<> {
    let lua = lua.clone();
    let read = (|| {
        let context = Context::of(&lua)?;
        let (file, more) = script_and_options(script)?;
        let mut options = Options::new(match options {
            Some(options) => Some(options),
            None => named(&lua, more)?,
        });
        let common = Common::read(&lua, &context, file, meta, None, &mut options)?;
        let mut task = task_of(&lua, &mut options)?;
        options.finish()?;
        task.args = encoded_list(&lua, values(args)?, "args: argument")?;
        task.own_args.clone_from(&task.args);
        Ok::<_, LibError>((context, common.order(Part::Worker(task))))
    })();
    async move {
        let (context, (order, dir)) = read?;
        let played = run(&lua, &context, order, dir).await?;
        let results = decoded_list(&lua, &played.results)?;
        let first: Value = results.raw_get(1)?;
        let effects = effects(&lua, &played)?;
        effects.raw_set("results", results)?;
        Ok(MultiValue::from_iter([first, Value::Table(effects)]))
    }
}

pub fn handler(
    lua: &Lua,
    script: &Value,
    meta: Option<Table>,
    rest: MultiValue,
) -> impl Future<Output = Result<MultiValue, LibError>> + 'static + use<> {
    let lua = lua.clone();
    let read = (|| {
        let context = Context::of(&lua)?;
        let (file, more) = script_and_options(script)?;
        let mut options = Options::new(named(&lua, more)?);
        let common = Common::read(&lua, &context, file, meta.clone(), None, &mut options)?;
        let role = options.word("role", &["handler", "failed", "start", FINISH])?.unwrap_or("handler");
        let own = options.table("args")?;
        let mut task = task_of(&lua, &mut options)?;
        options.finish()?;
        task.args = encoded_list(&lua, rest, "argument")?;
        if let Some(own) = own {
            task.own_args = encoded_list(&lua, values(&own)?, "args")?;
        }
        let mut meta = Vec::new();
        value::encode(&mut meta, &common.job.meta);
        Ok::<_, LibError>((context, common.order(Part::Handler { role, meta, task })))
    })();
    async move {
        let (context, (order, dir)) = read?;
        let played = run(&lua, &context, order, dir).await?;
        if let Some(failure) = &played.failure {
            return Err(LibError::raised(Value::Table(error_of(&lua, failure)?)));
        }
        let results = decoded_list(&lua, &played.results)?;
        let meta = decoded(&lua, &played.meta)?;
        Ok(MultiValue::from_iter([
            meta,
            Value::Table(puts(&lua, &played)?),
            Value::Table(rows(&lua, &played)?),
            results.raw_get::<Value>(1)?,
        ]))
    }
}

pub fn tasks(
    lua: &Lua,
    script: &Value,
    params: Option<Table>,
    options: Option<Table>,
) -> impl Future<Output = Result<Table, LibError>> + 'static + use<> {
    let lua = lua.clone();
    let read = (|| {
        let context = Context::of(&lua)?;
        let (file, more) = script_and_options(script)?;
        let mut options = Options::new(match options {
            Some(options) => Some(options),
            None => named(&lua, more)?,
        });
        let meta = options.table("meta")?;
        let common = Common::read(&lua, &context, file, meta, params, &mut options)?;
        let limit = options.count("limit")?.unwrap_or(TASKS);
        options.finish()?;
        Ok::<_, LibError>((context, common.order(Part::Tasks { limit })))
    })();
    async move {
        let (context, (order, dir)) = read?;
        let played = run(&lua, &context, order, dir).await?;
        if let Some(failure) = &played.failure {
            return Err(LibError::raised(Value::Table(error_of(&lua, failure)?)));
        }
        puts(&lua, &played)
    }
}

/// Plays it, and answers its requests meanwhile.
async fn run(
    lua: &Lua,
    context: &Rc<Context>,
    order: Order,
    dir: Option<PathBuf>,
) -> Result<Played, LibError> {
    let _place = Place::enter(context, dir)?;
    let mut hear = play::start(order)?;
    let mut guard = Guard(None);
    while let Some(message) = hear.recv().await {
        match message {
            Message::Begun(interrupt) => guard.0 = Some(interrupt),
            Message::Asked(asked, answer) => {
                let said = mocks::answer(lua, context, &asked).map_err(LibError::carry);
                // it may have been stopped meanwhile
                let _ = answer.send(said);
            }
            Message::Over(played) => {
                guard.0 = None;
                for line in &played.lines {
                    (context.logs.here)(line.level, &line.text, line.fields.clone());
                }
                return Ok(*played);
            }
        }
    }
    Err(LibError::new("lua_error", "the thread of the role ended early"))
}

/// Stops what is played when nobody waits for it any more.
struct Guard(Option<Arc<Interrupt>>);

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(interrupt) = self.0.take() {
            interrupt.raise();
        }
    }
}

/// The folder of the process while a role runs.
struct Place {
    context: Rc<Context>,
    elsewhere: bool,
}

impl Place {
    fn enter(context: &Rc<Context>, dir: Option<PathBuf>) -> Result<Self, LibError> {
        if context.elsewhere.get() || (dir.is_some() && context.playing.get() > 0) {
            return Err(LibError::new(
                "busy",
                "with the option `dir` one role runs at a time: the process has one folder",
            ));
        }
        if let Some(dir) = &dir {
            std::env::set_current_dir(dir).map_err(|error| LibError::file(&error, dir))?;
        }
        context.playing.set(context.playing.get() + 1);
        context.elsewhere.set(dir.is_some());
        Ok(Self { context: Rc::clone(context), elsewhere: dir.is_some() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.context.playing.set(self.context.playing.get() - 1);
        if self.elsewhere {
            self.context.elsewhere.set(false);
            // it was there when the tests began
            let _ = std::env::set_current_dir(&self.context.cwd);
        }
    }
}

fn puts(lua: &Lua, played: &Played) -> Result<Table, LibError> {
    let list = lua.create_table()?;
    for (args, options) in &played.puts {
        let put = decoded_list(lua, args)?;
        if let Some(TaskOptions { key, priority, delay_ns, .. }) = options {
            put.raw_set("key", key.as_deref().map(|key| lua.create_string(key)).transpose()?)?;
            if *priority != 0 {
                put.raw_set("priority", *priority)?;
            }
            if *delay_ns != 0 {
                put.raw_set("delay", *delay_ns as f64 / 1e9)?;
            }
        }
        list.raw_push(put)?;
    }
    if played.more {
        list.raw_set("more", true)?;
    }
    Ok(list)
}

fn rows(lua: &Lua, played: &Played) -> Result<Table, LibError> {
    let list = lua.create_table()?;
    for row in &played.rows {
        list.raw_push(decoded(lua, row)?)?;
    }
    Ok(list)
}

/// What the attempt did besides returning.
fn effects(lua: &Lua, played: &Played) -> Result<Table, LibError> {
    let table = lua.create_table()?;
    table.raw_set("puts", puts(lua, played)?)?;
    table.raw_set("emits", rows(lua, played)?)?;
    let logs = lua.create_table()?;
    for line in &played.lines {
        let log = lua.create_table()?;
        log.raw_set("level", level_name(line.level))?;
        log.raw_set("text", line.text.as_str())?;
        let fields = lua.create_table()?;
        for (name, text) in &line.fields {
            fields.raw_set(name.as_str(), text.as_str())?;
        }
        log.raw_set("fields", fields)?;
        logs.raw_push(log)?;
    }
    table.raw_set("logs", logs)?;
    let progress = lua.create_table()?;
    for (done, total, message) in &played.progress {
        let one = lua.create_table()?;
        one.raw_set("done", *done)?;
        one.raw_set("total", *total)?;
        one.raw_set("message", message.as_deref())?;
        progress.raw_push(one)?;
    }
    table.raw_set("progress", progress)?;
    table.raw_set("died", played.died.as_deref())?;
    if let Some(saved) = &played.saved {
        table.raw_set("saved", decoded(lua, saved)?)?;
    }
    table.raw_set("cancels", lua.create_sequence_from(played.cancels.iter().map(String::as_str))?)?;
    let retries = lua.create_table()?;
    if let Some(failure) = &played.failure {
        set_ending(lua, &table, &retries, played.skipped, failure)?;
    }
    table.raw_set("retries", retries)?;
    Ok(table)
}

fn set_ending(
    lua: &Lua,
    table: &Table,
    retries: &Table,
    skipped: bool,
    failure: &Failure,
) -> Result<(), LibError> {
    let verb = match failure {
        _ if skipped => Some("skip"),
        Failure { asked: true, .. } => Some("retry"),
        Failure { abort: true, .. } => Some("abort"),
        Failure { code, .. } if code == "failed" => Some("fail"),
        _ => None,
    };
    let after = failure.after_ns.map(|ns| ns as f64 / 1e9);
    table.raw_set("verb", verb)?;
    if verb.is_some() {
        table.raw_set("reason", failure.message.as_str())?;
        table.raw_set("after", after)?;
    }
    if failure.asked {
        let one = lua.create_table()?;
        one.raw_set("after", after)?;
        one.raw_set("reason", failure.message.as_str())?;
        retries.raw_push(one)?;
    }
    if !skipped {
        table.raw_set("error", error_of(lua, failure)?)?;
    }
    Ok(())
}

/// A failure as an error of the library.
fn error_of(lua: &Lua, failure: &Failure) -> Result<Table, LibError> {
    let table = lua.create_table()?;
    table.raw_set("code", failure.code.as_str())?;
    table.raw_set("message", failure.message.as_str())?;
    table.raw_set("retryable", failure.retryable.unwrap_or(true))?;
    table.raw_set("retry_after", failure.after_ns.map(|ns| ns as f64 / 1e9))?;
    table.raw_set("traceback", failure.traceback.as_deref())?;
    table.set_metatable(Some(crate::lua::module::Shim::of(lua)?.error_metatable))?;
    Ok(table)
}

fn level_name(level: Level) -> &'static str {
    match level {
        Level::Debug => "debug",
        Level::Print => "print",
        Level::Info => "info",
        Level::Warn => "warn",
        Level::Error => "error",
    }
}
