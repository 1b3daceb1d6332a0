//! Texts on lines and in columns. A column is what one Latin letter takes on a terminal (UAX 11).

use mlua::{Lua, LuaString, Table};
use unicode_width::UnicodeWidthStr as _;

use crate::lua::error::LibError;
use crate::lua::module::did_you_mean;
use crate::lua::options::Options;
use crate::lua::outside::{self, Growth};

pub(super) fn width(text: &[u8]) -> usize {
    text.utf8_chunks().map(|chunk| chunk.valid().width() + chunk.invalid().len()).sum()
}

const SIDES: &[&str] = &["left", "right", "both"];

/// Filled up at the side; a text that is wide enough stays.
pub(super) fn pad(
    lua: &Lua,
    text: LuaString,
    wanted: usize,
    side: Option<&LuaString>,
    options: Option<Table>,
) -> Result<LuaString, LibError> {
    let mut options = Options::new(options);
    let fill = options.string("fill")?.unwrap_or_else(|| " ".to_owned());
    options.finish()?;
    if fill.width() != 1 || fill.chars().count() != 1 {
        return Err(LibError::invalid(format!(
            "option `fill` must be one character of one column, got `{fill}`"
        )));
    }
    let missing = wanted.saturating_sub(width(&text.as_bytes()));
    let side = side.map_or_else(|| "right".to_owned(), LuaString::to_string_lossy);
    let left = match side.as_str() {
        "left" => missing,
        "right" => 0,
        "both" => missing / 2,
        _ => {
            let hint = did_you_mean(&side, SIDES);
            return Err(LibError::invalid(format!(
                "argument 3 (side) must be `left`, `right` or `both`, got `{side}`{hint}"
            )));
        }
    };
    if missing == 0 {
        return Ok(text);
    }
    let bytes = missing.checked_mul(fill.len()).and_then(|fill| fill.checked_add(text.as_bytes().len()));
    let mut out = Vec::new();
    let fits = match bytes {
        Some(bytes) => {
            outside::room(lua, bytes.saturating_mul(2))? / 2 >= bytes && out.try_reserve_exact(bytes).is_ok()
        }
        None => false,
    };
    if !fits {
        return Err(LibError::new("memory", "not enough memory"));
    }
    (0..left).for_each(|_| out.extend_from_slice(fill.as_bytes()));
    out.extend_from_slice(&text.as_bytes());
    (left..missing).for_each(|_| out.extend_from_slice(fill.as_bytes()));
    Ok(lua.create_string(out)?)
}

/// Each line of the text broken between words so that it has `width` columns at most; longer words stay whole.
pub(super) fn wrap(
    lua: &Lua,
    text: &[u8],
    limit: usize,
    indent: &str,
    hanging: &str,
) -> Result<Vec<u8>, LibError> {
    let (mut out, mut growth) = (Vec::with_capacity(text.len()), Growth::default());
    let mut lead = indent;
    for (number, line) in text.split(|byte| *byte == b'\n').enumerate() {
        if number > 0 {
            out.push(b'\n');
        }
        let mut column = None;
        for word in line.split(|byte| byte.is_ascii_whitespace()).filter(|word| !word.is_empty()) {
            let wide = width(word);
            match column {
                Some(at) if at + 1 + wide <= limit => {
                    out.push(b' ');
                    column = Some(at + 1 + wide);
                }
                begun => {
                    if begun.is_some() {
                        out.push(b'\n');
                    }
                    out.extend_from_slice(lead.as_bytes());
                    column = Some(lead.width() + wide);
                    lead = hanging;
                }
            }
            out.extend_from_slice(word);
            growth.reached(lua, out.len())?;
        }
    }
    Ok(out)
}

/// Without the blanks that all lines begin with; lines of blanks alone become empty and do not count.
pub(super) fn dedent(text: &[u8]) -> Vec<u8> {
    let is_blank = |byte: &u8| *byte == b' ' || *byte == b'\t';
    let lines = || text.split(|byte| *byte == b'\n');
    let mut common: Option<&[u8]> = None;
    for line in lines() {
        let blanks = line.iter().take_while(|byte| is_blank(byte)).count();
        if is_empty(&line[blanks..]) {
            continue;
        }
        let same = match common {
            Some(before) => before.iter().zip(line).take_while(|(a, b)| a == b).count().min(blanks),
            None => blanks,
        };
        common = Some(&line[..same]);
    }
    let common = common.map_or(0, <[u8]>::len);
    let mut out = Vec::with_capacity(text.len());
    for (number, line) in lines().enumerate() {
        if number > 0 {
            out.push(b'\n');
        }
        let blanks = line.iter().take_while(|byte| is_blank(byte)).count();
        match is_empty(&line[blanks..]) {
            true => out.extend_from_slice(&line[blanks..]),
            false => out.extend_from_slice(&line[common..]),
        }
    }
    out
}

/// But for the first half of a `\r\n`.
fn is_empty(rest: &[u8]) -> bool {
    rest.is_empty() || rest == b"\r"
}
