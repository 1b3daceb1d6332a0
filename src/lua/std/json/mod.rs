//! `mpms.json`: text to Lua values and back, without a tree in between.

use std::fs::File;
use std::io::{BufRead as _, BufReader};

use mlua::{Function, Lua, LuaString, Table, Value};

use super::{fs, path};
use crate::lua::error::LibError;
use crate::lua::module::{Module, iterator};
use crate::lua::options::Options;

mod decode;
mod encode;

/// Nesting beyond this is refused, in both directions.
const DEEPEST: usize = 200;

/// The metatable of tables that are arrays even when they are empty; decoded empty arrays have it.
struct ArrayMeta(Table);

/// The metatable that `json.array` sets.
///
/// # Errors
/// When Lua has no memory left.
pub fn array_metatable(lua: &Lua) -> mlua::Result<Table> {
    if let Some(meta) = lua.app_data_ref::<ArrayMeta>() {
        return Ok(meta.0.clone());
    }
    let meta = lua.create_table()?;
    meta.raw_set("__name", "mpms.json.array")?;
    lua.set_app_data(ArrayMeta(meta.clone()));
    Ok(meta)
}

pub(super) fn module(lua: &Lua) -> mlua::Result<Table> {
    Module::new(lua, "mpms.json")
        .value("null", Value::NULL)
        .function("decode(text)", |lua, text: LuaString| decode(lua, &text.as_bytes()))
        .function("encode(value, options)", |lua, (value, options): (Value, Option<Table>)| {
            let mut options = Options::new(options);
            let style = Style::read(&mut options)?;
            options.finish()?;
            Ok(lua.create_string(encode(lua, &value, style)?)?)
        })
        .function("read(path)", |lua, name: LuaString| {
            let path = path::of(&name);
            let bytes = std::fs::read(&path).map_err(|error| LibError::file(&error, &path))?;
            decode(lua, &bytes).map_err(|error| error.path(&path))
        })
        .function(
            "write(path, value, options)",
            |lua, (name, value, options): (LuaString, Value, Option<Table>)| {
                let path = path::of(&name);
                let mut options = Options::new(options);
                let style = Style::read(&mut options)?;
                let how = fs::WriteOptions::read(&mut options)?;
                options.finish()?;
                let mut text = encode(lua, &value, style).map_err(|error| error.path(&path))?;
                text.push(b'\n');
                fs::write(&path, &text, &how)
            },
        )
        .function(
            "append(path, value, options)",
            |lua, (name, value, options): (LuaString, Value, Option<Table>)| {
                let path = path::of(&name);
                let mut options = Options::new(options);
                let sort_keys = options.bool("sort_keys")?.unwrap_or(true);
                options.finish()?;
                let style = Style { sort_keys, indent: None };
                let mut text = encode(lua, &value, style).map_err(|error| error.path(&path))?;
                text.push(b'\n');
                fs::append(&path, &text)
            },
        )
        .function("lines(path)", |lua, name: LuaString| lines(lua, &name))
        .function("pointer(value, pointer)", |_, (value, at): (Value, LuaString)| pointer(value, &at))
        .function("array(table)", |lua, table: Option<Table>| {
            let table = match table {
                Some(table) => table,
                None => lua.create_table()?,
            };
            table.set_metatable(Some(array_metatable(lua)?))?;
            Ok(table)
        })
        .build()
}

/// How a text is laid out.
#[derive(Clone, Copy)]
struct Style {
    sort_keys: bool,
    /// Blanks a level; all on one line without.
    indent: Option<usize>,
}

impl Style {
    fn read(options: &mut Options) -> Result<Self, LibError> {
        let sort_keys = options.bool("sort_keys")?.unwrap_or(true);
        let indent = match options.value("pretty")? {
            None | Some(Value::Boolean(false)) => None,
            Some(Value::Boolean(true)) => Some(2),
            Some(Value::Integer(blanks @ 0..=16)) => Some(blanks as usize),
            Some(_) => {
                return Err(LibError::invalid("option `pretty` must be a boolean or 0 to 16 blanks"));
            }
        };
        Ok(Self { sort_keys, indent })
    }
}

/// The Lua value of a JSON text.
pub(super) fn decode(lua: &Lua, text: &[u8]) -> Result<Value, LibError> {
    decode::decode(lua, text)
}

/// The compact text of a Lua value, keys sorted.
pub(super) fn compact(lua: &Lua, value: &Value) -> Result<Vec<u8>, LibError> {
    encode(lua, value, Style { sort_keys: true, indent: None })
}

fn encode(lua: &Lua, value: &Value, style: Style) -> Result<Vec<u8>, LibError> {
    encode::encode(value, style, array_metatable(lua)?.to_pointer())
}

/// A value a line; blank lines are passed over.
fn lines(lua: &Lua, name: &LuaString) -> Result<Function, LibError> {
    let path = path::of(name);
    let file = File::open(&path).map_err(|error| LibError::file(&error, &path))?;
    let mut file = Some(BufReader::with_capacity(64 << 10, file));
    let (mut line, mut number) = (Vec::new(), 0u64);
    let next = move |lua: &Lua| {
        while let Some(open) = &mut file {
            line.clear();
            let read = open.read_until(b'\n', &mut line).map_err(|error| LibError::file(&error, &path))?;
            if read == 0 {
                file = None;
                break;
            }
            number += 1;
            if !line.trim_ascii().is_empty() {
                let wrong = |error: LibError| {
                    LibError::new(error.code().to_owned(), format!("line {number}: {}", error.message()))
                        .path(&path)
                };
                return decode(lua, &line).map_err(wrong);
            }
        }
        Ok(Value::Nil)
    };
    Ok(iterator(lua, "json.lines", next)?)
}

/// RFC 6901; nil where there is nothing.
fn pointer(value: Value, at: &LuaString) -> Result<Value, LibError> {
    let at = at.to_str().map_err(|_| LibError::invalid("argument 2 (pointer) must be UTF-8"))?;
    if at.is_empty() {
        return Ok(value);
    }
    let Some(rest) = at.strip_prefix('/') else {
        return Err(LibError::invalid(format!(
            "argument 2 (pointer) must be empty or start with `/`, got `{}`",
            &*at
        )));
    };
    let mut value = value;
    for token in rest.split('/') {
        let Value::Table(table) = value else {
            return Ok(Value::Nil);
        };
        let token = token.replace("~1", "/").replace("~0", "~");
        value = table.raw_get(token.as_str())?;
        if value.is_nil() {
            let digits =
                token == "0" || (!token.starts_with('0') && token.bytes().all(|byte| byte.is_ascii_digit()));
            let Some(index) = token.parse::<i64>().ok().filter(|index| digits && *index < i64::MAX) else {
                return Ok(Value::Nil);
            };
            value = table.raw_get(index + 1)?;
        }
    }
    Ok(value)
}

#[cfg(test)]
mod tests;
