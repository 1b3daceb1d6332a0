//! `mpms.task`: in a worker the same object as its global `task`; anywhere else there is no task at hand.
//!
//! What it does is the worker's, see [`role::worker`](crate::lua::role::worker).

use mlua::{Lua, Table};

use super::env;
use crate::lua::error::LibError;

/// The global `task` of a worker's state.
pub struct OfWorker(pub Table);

/// The object of this state.
///
/// # Errors
/// When the state is not a worker's.
pub fn module(lua: &Lua) -> mlua::Result<Table> {
    if let Some(OfWorker(task)) = lua.app_data_ref::<OfWorker>().as_deref() {
        return Ok(task.clone());
    }
    let role = env(lua).map(|env| env.role.clone()).unwrap_or_default();
    let text = match role.as_str() {
        "handler" => {
            "mpms.task is for the role `worker`; here the task at hand is in `meta` (meta.task_id, meta.attempt, \
             meta.self:put)"
        }
        "tasks" => "mpms.task is for the role `worker`; here the role gets `put`, and `put_with` is a global",
        _ => "mpms.task is for the role `worker`: there is no task here",
    };
    Err(mlua::Error::external(LibError::invalid(text)))
}
