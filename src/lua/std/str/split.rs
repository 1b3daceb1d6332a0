//! Texts in pieces.

use std::ops::Range;

use mlua::{Function, Lua, LuaString, Table};

use crate::lua::error::LibError;
use crate::lua::module::iterator;
use crate::lua::options::Options;
use crate::lua::std::re;

pub(super) fn split(
    lua: &Lua,
    text: &LuaString,
    separator: Option<&LuaString>,
    options: Option<Table>,
) -> Result<Table, LibError> {
    let mut options = Options::new(options);
    let most = options.count("n")?.unwrap_or(usize::MAX);
    let plain = options.bool("plain")?.unwrap_or(true);
    options.finish()?;
    if most == 0 {
        return Err(LibError::invalid("option `n` must be 1 or more"));
    }
    let bytes = text.as_bytes();
    let pieces = match separator {
        None => at_blanks(&bytes, most),
        Some(separator) if separator.as_bytes().is_empty() => {
            return Err(LibError::invalid(
                "argument 2 (separator) must not be empty; utf8.codes walks characters",
            ));
        }
        Some(separator) if plain => at_each(&bytes, &separator.as_bytes(), most),
        Some(separator) => return re::split(lua, separator, &bytes, most),
    };
    let list = lua.create_table_with_capacity(pieces.len(), 0)?;
    for piece in pieces {
        list.raw_push(lua.create_string(&bytes[piece])?)?;
    }
    Ok(list)
}

fn at_each(text: &[u8], separator: &[u8], most: usize) -> Vec<Range<usize>> {
    let (mut pieces, mut begin) = (Vec::new(), 0);
    for at in memchr::memmem::find_iter(text, separator).take(most - 1) {
        pieces.push(begin..at);
        begin = at + separator.len();
    }
    pieces.push(begin..text.len());
    pieces
}

/// The words; the last piece keeps the blanks within it when there are more.
fn at_blanks(text: &[u8], most: usize) -> Vec<Range<usize>> {
    let is_blank = |at: &usize| text[*at].is_ascii_whitespace() || text[*at] == 0x0B;
    let (mut pieces, mut at) = (Vec::new(), 0);
    while let Some(begin) = (at..text.len()).find(|at| !is_blank(at)) {
        let end = match pieces.len() + 1 == most {
            true => (begin..text.len()).rev().find(|at| !is_blank(at)).map_or(text.len(), |last| last + 1),
            false => (begin..text.len()).find(is_blank).unwrap_or(text.len()),
        };
        pieces.push(begin..end);
        if pieces.len() == most {
            break;
        }
        at = end;
    }
    pieces
}

/// Line after line, without `\n` or `\r\n`.
pub(super) fn lines(lua: &Lua, text: LuaString) -> Result<Function, LibError> {
    let mut at = 0;
    let next = move |lua: &Lua| {
        let bytes = text.as_bytes();
        let rest = &bytes[at..];
        if rest.is_empty() {
            return Ok(None);
        }
        let end = memchr::memchr(b'\n', rest);
        let line = &rest[..end.unwrap_or(rest.len())];
        at += end.map_or(rest.len(), |end| end + 1);
        let line = if end.is_some() { line.strip_suffix(b"\r").unwrap_or(line) } else { line };
        Ok(Some(lua.create_string(line)?))
    };
    Ok(iterator(lua, "str.lines", next)?)
}
