//! `test.worker`, `test.handler`, `test.tasks`: their arguments in, what came of it out.

use std::path::PathBuf;
use std::rc::Rc;

use mlua::{Lua, LuaString, MultiValue, Table, Value};

use super::context::Context;
use super::effects::{effects, error_of, puts, rows};
use super::mocks;
use super::order::{Asked, number, script_and_options, task_of, values};
use super::play::{Message, Order, Part, Played, Playing};
use crate::lua::error::LibError;
use crate::lua::options::Options;
use crate::lua::script::FINISH;
use crate::lua::state::{decoded, decoded_list, encoded, encoded_list};
use crate::lua::std::path;

/// Tasks that `test.tasks` takes unless it is told otherwise.
const TASKS: usize = 1000;

pub fn worker(
    lua: &Lua,
    file: &LuaString,
    args: &Table,
    meta: Option<Table>,
    options: Option<Table>,
) -> impl Future<Output = Result<MultiValue, LibError>> + 'static + use<> {
    let lua = lua.clone();
    let read = (|| {
        let mut options = Options::new(options);
        let asked = Asked::read(&mut options)?;
        let mut task = task_of(&mut options)?;
        task.max_attempts = number(&mut options, "max_attempts")?.unwrap_or(task.max_attempts);
        task.cancelled = options.bool("cancelled")?.unwrap_or(false);
        let state = options.value("state")?;
        options.finish()?;
        let context = Context::of(&lua)?;
        task.state = state.map(|state| encoded(&lua, state, "option `state`")).transpose()?;
        task.args = encoded_list(&lua, values(args)?, "args: argument")?;
        task.own_args.clone_from(&task.args);
        let ready = asked.ready(&lua, &context, &path::of(file), meta)?;
        Ok::<_, LibError>((context, ready.order(Part::Worker(task))))
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
        let (file, options) = script_and_options(&lua, script)?;
        let mut options = Options::new(options);
        let asked = Asked::read(&mut options)?;
        let role = options.word("role", &["handler", "failed", "start", FINISH])?.unwrap_or("handler");
        let own = options.table("args")?;
        let mut task = task_of(&mut options)?;
        task.worker = number(&mut options, "worker")?.unwrap_or(1);
        let elapsed = options.duration("duration")?.unwrap_or_default();
        options.finish()?;
        let context = Context::of(&lua)?;
        task.elapsed_ns = u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX);
        task.args = encoded_list(&lua, rest, "argument")?;
        if let Some(own) = own {
            task.own_args = encoded_list(&lua, values(&own)?, "args")?;
        }
        let ready = asked.ready(&lua, &context, &file, meta)?;
        let meta = ready.meta();
        Ok::<_, LibError>((context, ready.order(Part::Handler { role, meta, task })))
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
    file: &LuaString,
    params: Option<Table>,
    options: Option<Table>,
) -> impl Future<Output = Result<Table, LibError>> + 'static + use<> {
    let lua = lua.clone();
    let read = (|| {
        let mut options = Options::new(options);
        let asked = Asked::read(&mut options)?.with_params(params);
        let meta = options.table("meta")?;
        let limit = options.count("limit")?.unwrap_or(TASKS);
        options.finish()?;
        let context = Context::of(&lua)?;
        let ready = asked.ready(&lua, &context, &path::of(file), meta)?;
        Ok::<_, LibError>((context, ready.order(Part::Tasks { limit })))
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
    let elsewhere = dir.is_some();
    let _place = Place::enter(context, dir)?;
    // dropped before the process is back in its own folder
    let mut guard = Guard { playing: Some(Playing::start(order)?), elsewhere };
    while let Some(message) = guard.next().await {
        match message {
            Message::Asked(asked, answer) => {
                let said = mocks::answer(lua, context, &asked).map_err(LibError::carry);
                // it may have been stopped meanwhile
                let _ = answer.send(said);
            }
            Message::Over(played) => {
                guard.playing = None;
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
struct Guard {
    playing: Option<Playing>,
    elsewhere: bool,
}

impl Guard {
    async fn next(&mut self) -> Option<Message> {
        self.playing.as_mut()?.next().await
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(playing) = self.playing.take() {
            playing.stop(self.elsewhere);
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
