//! Names of rocks that scripts often ask for, over modules of our own: small, and last in the search, so that a file of
//! the project wins.

use mlua::chunk::ChunkMode;
use mlua::{Function, Lua};

const CHUNKS: &[(&str, &str)] = &[
    ("cjson", include_str!("cjson.lua")),
    ("cjson.safe", include_str!("cjson_safe.lua")),
    ("inspect", include_str!("inspect.lua")),
    ("lfs", include_str!("lfs.lua")),
    ("socket", include_str!("socket.lua")),
];

/// The code of a module of that name, if there is one.
///
/// # Errors
/// When Lua has no memory left.
pub fn chunk(lua: &Lua, name: &str) -> mlua::Result<Option<Function>> {
    let Some((name, text)) = CHUNKS.iter().find(|(one, _)| *one == name) else { return Ok(None) };
    let chunk = lua.load(*text).set_name(format!("=mpms.{name}")).set_mode(ChunkMode::Text);
    chunk.into_function().map(Some)
}

#[cfg(test)]
mod tests;
