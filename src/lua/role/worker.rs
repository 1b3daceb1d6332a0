//! The globals `task` and `emit` of a worker.

use std::rc::Rc;

use mlua::{LuaString, Table};

use super::{AtHand, Fact, Facts, fact, put_functions, set_emit};
use crate::lua::error::LibError;
use crate::lua::module::global_function;
use crate::lua::state::State;

/// Who runs the attempts of a state.
pub trait Attempts: AtHand {
    /// `task.progress(done, total, message)`
    fn progress(&self, done: f64, total: Option<f64>, message: Option<String>);
}

/// Sets the globals.
///
/// # Errors
/// When Lua has no memory left.
pub fn install(state: &State, attempts: &Rc<dyn Attempts>) -> mlua::Result<()> {
    let lua = state.lua();
    let (put, put_with) = put_functions(state, attempts)?;
    set_emit(state, attempts)?;
    let progress = {
        let attempts = Rc::clone(attempts);
        type Arguments = (f64, Option<f64>, Option<String>);
        let signature = "task.progress(done, total, message)";
        global_function(lua, signature, move |_, (done, total, message): Arguments| {
            with_task(&attempts, "progress", |_| Ok(()))?;
            attempts.progress(done, total, message);
            Ok(())
        })?
    };
    let read = {
        let attempts = Rc::clone(attempts);
        global_function(lua, "task(field)", move |lua, field: LuaString| {
            let field = field.to_string_lossy();
            let wanted = match field.as_str() {
                "id" => Fact::Id,
                "key" => Fact::Key,
                "attempt" => Fact::Attempt,
                "args" => Fact::Args,
                _ => {
                    let has = "it has id, key, args, attempt, put, put_with and progress";
                    return Err(LibError::invalid(format!("`task` has no field `{field}`; {has}")));
                }
            };
            with_task(&attempts, &field, |facts| fact(lua, facts, wanted))
        })?
    };
    let methods = lua.create_table()?;
    methods.raw_set("put", put)?;
    methods.raw_set("put_with", put_with)?;
    methods.raw_set("progress", progress)?;
    let task: Table = state.prelude("lazy")?.call(("task", read, methods))?;
    lua.globals().raw_set("task", task)
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
