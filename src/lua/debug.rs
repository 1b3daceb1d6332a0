//! What scripts have of `debug`: where a function is, its variables, metatables of numbers, strings and the like.
//!
//! The rest stays out. `getlocal`, `setlocal`, `getregistry`, `getuservalue` and `upvalueid` reach into calls, closures
//! and objects of the library, whose soundness rests on nobody else having what they hold.

use mlua::{Lua, Table};

/// Trims it. To be called when `setmetatable` is the scripts' own.
///
/// # Errors
/// When Lua has no memory left.
pub(super) fn install(lua: &Lua) -> mlua::Result<()> {
    let debug: Table = lua.globals().raw_get("debug")?;
    lua.load(include_str!("debug.lua")).set_name("=mpms").call(debug)
}

#[cfg(test)]
mod tests;
