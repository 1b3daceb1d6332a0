//! What is at the two ends of a text.

use mlua::{Lua, LuaString};

use crate::lua::error::LibError;

/// Without what the ends (left, right) have of `set`; of whitespace without one.
pub(super) fn trim(
    lua: &Lua,
    text: LuaString,
    set: Option<LuaString>,
    ends: (bool, bool),
) -> Result<LuaString, LibError> {
    let set = match &set {
        Some(set) => {
            Some(set.to_str().map_err(|_| LibError::invalid("argument 2 (characters) must be UTF-8"))?)
        }
        None => None,
    };
    let is_in = |one: char| match &set {
        Some(set) => set.contains(one),
        None => one.is_whitespace(),
    };
    let bytes = text.as_bytes();
    let mut left: &[u8] = &bytes;
    while ends.0
        && let Some(length) = first(left).filter(|one| is_in(*one)).map(char::len_utf8)
    {
        left = &left[length..];
    }
    while ends.1
        && let Some(length) = last(left).filter(|one| is_in(*one)).map(char::len_utf8)
    {
        left = &left[..left.len() - length];
    }
    if left.len() == bytes.len() {
        drop(bytes);
        return Ok(text);
    }
    Ok(lua.create_string(left)?)
}

/// The character at the begin, when there is one.
fn first(bytes: &[u8]) -> Option<char> {
    let head = &bytes[..bytes.len().min(4)];
    head.utf8_chunks().next()?.valid().chars().next()
}

/// The character at the end.
fn last(bytes: &[u8]) -> Option<char> {
    let begin = (bytes.len().saturating_sub(4)..bytes.len()).rev().find(|at| bytes[*at] & 0xC0 != 0x80)?;
    std::str::from_utf8(&bytes[begin..]).ok()?.chars().next()
}
