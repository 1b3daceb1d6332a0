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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use crate::lua::role::worker::NAMES;
    use crate::lua::std::testing::{fails, run, state};

    #[test]
    fn outside_of_a_worker_it_says_whose_it_is() {
        let lua = state();
        for code in ["return mpms.task", "return require 'mpms.task'", "return mpms.task.id"] {
            let e = fails(&lua, code);
            assert_eq!(e.code, "invalid", "{code}");
            let says = e.message.contains("mpms.task is for the role `worker`: there is no task here");
            assert!(says, "{code}: {}", e.message);
        }
        assert!(run::<bool>(&lua, "return task == nil"));
    }

    #[test]
    fn its_types_name_what_it_has_and_nothing_else() {
        let types = include_str!("../types/task.lua");
        let mut told = BTreeSet::new();
        let mut fields = false;
        for line in types.lines() {
            if let Some(class) = line.strip_prefix("---@class ") {
                fields = class == "mpms.task";
            }
            let name = line
                .strip_prefix("function task.")
                .and_then(|rest| rest.split('(').next())
                .or_else(|| line.strip_prefix("---@field ").filter(|_| fields)?.split(' ').next());
            told.extend(name);
        }
        assert_eq!(told, NAMES.into_iter().collect());
    }
}
