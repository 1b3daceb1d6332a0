//! The globals `task` and `emit` of a worker.

use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::rc::Rc;

use mlua::{Function, Lua, LuaString, Table, Value};

use super::{AtHand, Fact, Facts, fact, put_functions, set_emit};
use crate::lua::call::Held;
use crate::lua::error::LibError;
use crate::lua::module::{did_you_mean, global_function};
use crate::lua::options::Options;
use crate::lua::state::{State, decoded};
use crate::lua::std::env;
use crate::lua::std::task::OfWorker;
use crate::lua::verb::Verb;
use crate::lua::{port, put};
use crate::model::event::Level;
use crate::model::task::MOST_STATE;

/// Who runs the attempts of a state.
pub trait Attempts: AtHand {
    /// `task.progress(done, total, message)`
    fn progress(&self, done: f64, total: Option<f64>, message: Option<String>);

    /// `task.max_attempts`
    fn max_attempts(&self) -> u32;

    /// `task.deadline`: when the attempt is stopped, in seconds since 1970.
    fn deadline(&self) -> Option<f64>;

    /// `task.cancelled()`
    fn is_cancelled(&self) -> bool;

    /// `task.die(reason)`: the process takes no more tasks and is replaced.
    fn die(&self, reason: &str);

    /// `task.save(state)`, encoded.
    ///
    /// # Errors
    /// When no task runs, or it is too large.
    fn save(&self, state: &[u8]) -> Result<(), String>;

    /// `task.state`: gives the code of what was saved last, by this attempt or by one before it, to `read`; does nothing
    /// when nothing was.
    fn state(&self, read: &mut dyn FnMut(&[u8]));

    /// `task.dir`: the folder of the task that runs, made if it is not there.
    ///
    /// # Errors
    /// When it cannot be made.
    fn dir(&self) -> Result<PathBuf, (PathBuf, io::Error)>;

    /// `task.cancel(key)`: the key as text, and its hashes.
    ///
    /// # Errors
    /// When no task runs.
    fn cancel(&self, key: &str, hashes: &[u128]) -> Result<(), String>;

    /// `task.defer` was called in this attempt. The number under which to keep the function.
    fn set_deferring(&self) -> u32;
}

/// Whether a state may be saved.
///
/// # Errors
/// When it is too large.
pub fn check_state(state: &[u8]) -> Result<(), String> {
    if state.len() <= MOST_STATE {
        return Ok(());
    }
    let (bytes, most) = (state.len(), MOST_STATE >> 20);
    Err(format!(
        "task.save: the state takes {bytes} bytes and may take {most} MiB; write what is large to a file in task.dir"
    ))
}

/// All that `task` has, in the order in which errors list it.
pub const NAMES: [&str; 21] = [
    "id",
    "key",
    "args",
    "attempt",
    "max_attempts",
    "deadline",
    "stage",
    "dir",
    "state",
    "put",
    "put_with",
    "save",
    "cancel",
    "progress",
    "retry",
    "fail",
    "skip",
    "abort",
    "defer",
    "cancelled",
    "die",
];

/// Sets the globals. Returns the function that runs what was deferred under a number.
///
/// # Errors
/// When Lua has no memory left.
pub fn install(state: &State, attempts: &Rc<dyn Attempts>) -> mlua::Result<Held> {
    let lua = state.lua();
    let (put, put_with) = put_functions(state, attempts)?;
    set_emit(state, attempts)?;
    let methods = lua.create_table()?;
    methods.raw_set("put", put)?;
    methods.raw_set("put_with", put_with)?;
    set_kept(state, &methods, attempts)?;
    set_reports(lua, &methods, attempts)?;
    set_endings(lua, &methods, attempts)?;
    let deferred = set_defer(state, &methods, attempts)?;
    let read = {
        let attempts = Rc::clone(attempts);
        global_function(lua, "task(field)", move |lua, field: LuaString| {
            read_field(lua, &attempts, &field.to_string_lossy())
        })?
    };
    let task: Table = state.prelude("lazy")?.call(("task", read, methods))?;
    lua.set_app_data(OfWorker(task.clone()));
    lua.globals().raw_set("task", task)?;
    Ok(deferred)
}

fn read_field(lua: &Lua, attempts: &Rc<dyn Attempts>, field: &str) -> Result<Value, LibError> {
    let wanted = match field {
        "id" => Fact::Id,
        "key" => Fact::Key,
        "attempt" => Fact::Attempt,
        "args" => Fact::Args,
        "max_attempts" => return Ok(Value::Integer(i64::from(attempts.max_attempts()))),
        "deadline" => return Ok(attempts.deadline().map_or(Value::Nil, Value::Number)),
        // a job has one pool of workers
        "stage" => return Ok(Value::String(lua.create_string("worker")?)),
        "state" => return with_task(attempts, field, |_| state(lua, attempts)),
        "dir" => return dir(lua, attempts),
        _ => {
            let near = did_you_mean(field, &NAMES);
            let near = if near.is_empty() { format!("; it has {}", NAMES.join(", ")) } else { near };
            return Err(LibError::invalid(format!("`task` has no field `{field}`{near}")));
        }
    };
    with_task(attempts, field, |facts| fact(lua, facts, wanted))
}

/// A copy each time, as `task.args`.
fn state(lua: &Lua, attempts: &Rc<dyn Attempts>) -> mlua::Result<Value> {
    let mut value = Ok(Value::Nil);
    attempts.state(&mut |bytes| value = decoded(lua, bytes));
    value
}

fn dir(lua: &Lua, attempts: &Rc<dyn Attempts>) -> Result<Value, LibError> {
    with_task(attempts, "dir", |_| Ok(()))?;
    let dir = attempts.dir().map_err(|(dir, error)| LibError::file(&error, dir).op("task.dir"))?;
    Ok(Value::String(lua.create_string(dir.as_os_str().as_bytes())?))
}

/// `save`, `cancel`: what the coordinator keeps.
fn set_kept(state: &State, methods: &Table, attempts: &Rc<dyn Attempts>) -> mlua::Result<()> {
    let here = Rc::clone(attempts);
    methods.raw_set("save", port::state(&state.bridge, Box::new(move |bytes| here.save(bytes)))?)?;
    let here = Rc::clone(attempts);
    let cancel = global_function(state.lua(), "task.cancel(key)", move |_, key: Value| {
        let name = key.to_string()?;
        here.cancel(&name, &put::key_hashes(key)?).map_err(LibError::invalid)
    })?;
    methods.raw_set("cancel", cancel)
}

/// `progress`, `cancelled`, `die`: what a task tells and asks while it goes on.
fn set_reports(lua: &Lua, methods: &Table, attempts: &Rc<dyn Attempts>) -> mlua::Result<()> {
    type Progress = (f64, Option<f64>, Option<String>);
    let here = Rc::clone(attempts);
    let signature = "task.progress(done, total, message)";
    let progress = global_function(lua, signature, move |_, (done, total, message): Progress| {
        with_task(&here, "progress", |_| Ok(()))?;
        here.progress(done, total, message);
        Ok(())
    })?;
    let here = Rc::clone(attempts);
    let cancelled = global_function(lua, "task.cancelled()", move |_, ()| Ok(here.is_cancelled()))?;
    let here = Rc::clone(attempts);
    let die = global_function(lua, "task.die(reason)", move |_, reason: Option<String>| {
        here.die(reason.as_deref().unwrap_or("task.die"));
        Ok(())
    })?;
    methods.raw_set("progress", progress)?;
    methods.raw_set("cancelled", cancelled)?;
    methods.raw_set("die", die)
}

/// `retry`, `fail`, `skip`, `abort`: none of them returns.
fn set_endings(lua: &Lua, methods: &Table, attempts: &Rc<dyn Attempts>) -> mlua::Result<()> {
    let here = Rc::clone(attempts);
    let retry = global_function(lua, "task.retry(options)", move |lua, options: Option<Table>| {
        with_task(&here, "retry", |_| Ok(()))?;
        let mut options = Options::new(options);
        let after = options.duration("after")?.map(|after| after.as_secs_f64());
        let reason = options.string("reason")?;
        options.finish()?;
        Err::<(), _>(Verb::Retry.error(lua, reason, true, after)?)
    })?;
    let here = Rc::clone(attempts);
    type Fail = (Option<String>, Option<Table>);
    let fail = global_function(lua, "task.fail(reason, options)", move |lua, (reason, options): Fail| {
        with_task(&here, "fail", |_| Ok(()))?;
        let mut options = Options::new(options);
        let retryable = options.bool("retry")?.unwrap_or(false);
        options.finish()?;
        Err::<(), _>(Verb::Fail.error(lua, reason, retryable, None)?)
    })?;
    methods.raw_set("retry", retry)?;
    methods.raw_set("fail", fail)?;
    for (name, signature, verb) in
        [("skip", "task.skip(reason)", Verb::Skip), ("abort", "task.abort(reason)", Verb::Abort)]
    {
        let here = Rc::clone(attempts);
        let function = global_function(lua, signature, move |lua, reason: Option<String>| {
            with_task(&here, name, |_| Ok(()))?;
            Err::<(), _>(verb.error(lua, reason, false, None)?)
        })?;
        methods.raw_set(name, function)?;
    }
    Ok(())
}

fn set_defer(state: &State, methods: &Table, attempts: &Rc<dyn Attempts>) -> mlua::Result<Held> {
    let lua = state.lua();
    let log = env(lua).map(|env| env.log.clone()).map_err(mlua::Error::external)?;
    let complain = lua.create_function(move |_, text: LuaString| {
        (log.here)(
            Level::Error,
            &format!("a deferred function raised: {}", text.to_string_lossy()),
            Vec::new(),
        );
        Ok(())
    })?;
    let (add, run): (Function, Function) = state.prelude("deferrals")?.call(complain)?;
    let here = Rc::clone(attempts);
    let defer = global_function(lua, "task.defer(f)", move |_, f: Function| {
        with_task(&here, "defer", |_| Ok(()))?;
        add.call::<()>((here.set_deferring(), f))?;
        Ok(())
    })?;
    methods.raw_set("defer", defer)?;
    state.hold(run)
}

fn with_task<R>(
    attempts: &Rc<dyn Attempts>,
    field: &str,
    mut body: impl FnMut(&Facts<'_>) -> mlua::Result<R>,
) -> Result<R, LibError> {
    let mut found = None;
    attempts.read(&mut |facts| found = Some(body(facts)));
    match found {
        Some(found) => Ok(found?),
        None => Err(LibError::invalid(format!(
            "task.{field}: no task is running here; use it in the worker role"
        ))),
    }
}
