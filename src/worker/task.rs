//! The globals `task`, `put` and `emit` of a worker.

use std::rc::Rc;

use mlua::{Function, LuaString, Table, Value};

use super::Shared;
use super::attempt::Current;
use crate::lua::error::LibError;
use crate::lua::module::global_function;
use crate::lua::state::{State, decoded_list};
use crate::lua::{port, put};
use crate::os::clock::monotonic_ns;
use crate::wire::from_worker::Progress;

/// `task.progress` is sent on this often at most.
const PROGRESS_NS: u64 = 100_000_000;

/// Sets the globals.
///
/// # Errors
/// When Lua has no memory left.
pub fn install(state: &State, shared: &'static Shared, current: &Rc<Current>) -> mlua::Result<()> {
    let lua = state.lua();
    let put = port::arguments(&state.bridge, {
        let current = Rc::clone(current);
        Box::new(move |args| running(&current, "put").and_then(|()| current.put(args)))
    })?;
    let put_with = put::with_options(state, &put, {
        let current = Rc::clone(current);
        move |options| *current.next_options.borrow_mut() = Some(options)
    })?;
    let emit = port::row(&state.bridge, {
        let current = Rc::clone(current);
        Box::new(move |row| running(&current, "emit").and_then(|()| current.emit(row)))
    })?;
    let methods = lua.create_table()?;
    methods.raw_set("put", put)?;
    methods.raw_set("put_with", put_with)?;
    methods.raw_set("progress", progress(state, shared, current)?)?;
    let read = reader(state, current)?;
    let task: Table = state.prelude("lazy")?.call(("task", read, methods))?;
    lua.globals().raw_set("task", task)?;
    lua.globals().raw_set("emit", emit)
}

fn running(current: &Current, what: &str) -> Result<(), String> {
    if current.is_running() {
        Ok(())
    } else {
        Err(format!("{what}: no task is running here; call it in the worker role"))
    }
}

/// Reads `task.id` and the other fields.
fn reader(state: &State, current: &Rc<Current>) -> mlua::Result<Function> {
    let current = Rc::clone(current);
    global_function(state.lua(), "task(field)", move |lua, field: LuaString| {
        let field = field.to_string_lossy();
        if !current.is_running() {
            return Err(LibError::invalid(format!(
                "task.{field}: no task is running here; use it in the worker role"
            )));
        }
        let value = current.with(|task| -> mlua::Result<Value> {
            match field.as_str() {
                "id" => Ok(Value::String(lua.create_string(task.id.to_string())?)),
                "key" => task.key.map_or(Ok(Value::Nil), |key| Ok(Value::String(lua.create_string(key)?))),
                "attempt" => Ok(Value::Integer(i64::from(task.attempt))),
                "args" => Ok(Value::Table(decoded_list(lua, task.args)?)),
                _ => Ok(Value::NULL),
            }
        });
        match value.map_err(|error| LibError::invalid(error.to_string()))?? {
            value if value == Value::NULL => Err(LibError::invalid(format!(
                "`task` has no field `{field}`; it has id, key, args, attempt, put, put_with and progress"
            ))),
            value => Ok(value),
        }
    })
}

/// `task.progress(done, total, message)`
fn progress(state: &State, shared: &'static Shared, current: &Rc<Current>) -> mlua::Result<Function> {
    let current = Rc::clone(current);
    global_function(
        state.lua(),
        "task.progress(done, total, message)",
        move |_, (done, total, message): (f64, Option<f64>, Option<String>)| {
            if !current.is_running() {
                return Err(LibError::invalid("task.progress: no task is running here"));
            }
            let now = monotonic_ns();
            let is_end = total.is_some_and(|total| done >= total);
            if is_end || now.saturating_sub(current.progress_ns.get()) >= PROGRESS_NS {
                current.progress_ns.set(now);
                if let Ok(task) = current.with(|task| task.handle) {
                    shared.outbox.push_progress(Progress { task, done, total, message });
                }
            }
            Ok(())
        },
    )
}
