//! `meta` and `emit` in the handler's state: the shared table, and what it knows of the task at hand.

use std::rc::Rc;

use mlua::{Table, Value};

use super::{AtHand, Fact, fact, put_functions, set_emit};
use crate::lua::call::Held;
use crate::lua::error::LibError;
use crate::lua::module::global_function;
use crate::lua::state::{State, decoded};

/// Names that `meta` answers from the task at hand; a manifest cannot use them.
pub const RESERVED: [&str; 7] = ["task", "task_id", "attempt", "worker", "duration", "self", "mpmt"];

/// Makes `meta` from its encoded first state, and the global `emit`.
///
/// # Errors
/// When Lua has no memory left.
pub fn install(state: &State, first: &[u8], at_hand: &Rc<dyn AtHand>) -> mlua::Result<Held> {
    let lua = state.lua();
    let (put, put_with) = put_functions(state, at_hand)?;
    set_emit(state, at_hand)?;
    let object: Table = state.prelude("putter")?.call((put, put_with))?;
    let reserved = lua.create_table()?;
    for name in RESERVED {
        reserved.raw_set(name, true)?;
    }
    let at_hand = Rc::clone(at_hand);
    let read = global_function(lua, "meta(field)", move |lua, field: Value| {
        let Value::String(name) = field else { return Ok(Value::Nil) };
        let wanted = match name.as_bytes().as_ref() {
            b"task" => Fact::Args,
            b"task_id" => Fact::Id,
            b"attempt" => Fact::Attempt,
            b"worker" => Fact::Worker,
            b"duration" => Fact::Duration,
            _ => return Ok(Value::Nil),
        };
        let mut found = Ok(Value::Nil);
        at_hand.read(&mut |facts| found = fact(lua, facts, wanted));
        found.map_err(LibError::from)
    })?;
    let meta: Table = state.prelude("with_task")?.call((decoded(lua, first)?, read, reserved, object))?;
    state.hold(meta)
}

/// Appends the code of `meta` as it is now: its own keys, without what it knows of the task at hand.
///
/// # Errors
/// A sentence that names what cannot be kept.
pub fn snapshot(state: &State, meta: Held, out: &mut Vec<u8>) -> Result<(), String> {
    state.bridge.encode(meta, out).map_err(|error| error.kept_sentence("meta"))
}
