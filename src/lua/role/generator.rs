//! What the `tasks` role is called with: `put` and a read-only `meta`.

use std::rc::Rc;

use super::{Outlet, put_functions};
use crate::lua::call::Held;
use crate::lua::state::State;
use crate::model;

/// A call of `tasks` with its two arguments, and the global `put_with`.
///
/// # Errors
/// When Lua has no memory left.
pub fn bind<O: Outlet + 'static>(
    state: &State,
    tasks: Held,
    meta: &model::Value,
    outlet: &Rc<O>,
) -> mlua::Result<Held> {
    let (put, put_with) = put_functions(state, outlet)?;
    state.lua().globals().raw_set("put_with", put_with)?;
    let meta = state.read_only(meta, "meta")?;
    let bound: mlua::Function = state.prelude("bind")?.call((state.bridge.value(tasks)?, put, meta))?;
    state.hold(bound)
}
