//! `mpms.json`: text to Lua values and back, without a tree in between.

use mlua::{Lua, LuaString, Table, Value};

use super::{document, fs, path};
use crate::lua::error::LibError;
use crate::lua::module::Module;
use crate::lua::options::Options;
use crate::lua::tape::{self, Shape, Tape, array_mark};

mod decode;
mod encode;
mod lines;
mod pointer;

type TextAndOptions = (LuaString, Option<Table>);
type PathValueOptions = (LuaString, Value, Option<Table>);

pub(super) fn module(lua: &Lua) -> mlua::Result<Table> {
    Module::new(lua, "mpms.json")
        .value("null", Value::NULL)
        .value("array_mt", array_mark(lua)?)
        .function("decode(text, options)", |lua, (text, options): TextAndOptions| {
            let mut options = Options::new(options);
            let null = document::null(&mut options)?;
            options.finish()?;
            tape::push(lua, &tape_of(&text.as_bytes())?, &null)
        })
        .function("encode(value, options)", |lua, (value, options): (Value, Option<Table>)| {
            let mut options = Options::new(options);
            let style = Style::read(&mut options)?;
            options.finish()?;
            Ok(lua.create_string(encode::encode(&style.take(lua, &value)?, style)?)?)
        })
        .waiting("read(path, options)", |lua, (name, options): TextAndOptions| {
            let (lua, path, how) = (lua.clone(), path::of(&name), document::Reading::read(options));
            async move { document::read(lua, path, how?, tape_of).await }
        })
        .waiting("write(path, value, options)", |lua, (name, value, options): PathValueOptions| {
            let (lua, path) = (lua.clone(), path::of(&name));
            let asked = Write::read(&lua, &value, options).map_err(|error| error.path(&path));
            async move {
                let Write { tape, style, how } = asked?;
                document::write(lua, path, how, move || line(&tape, style)).await
            }
        })
        .function("append(path, value, options)", |lua, (name, value, options): PathValueOptions| {
            let path = path::of(&name);
            let mut options = Options::new(options);
            let sort_keys = options.bool("sort_keys")?.unwrap_or(true);
            options.finish()?;
            let style = Style { sort_keys, indent: None };
            let text = style.take(lua, &value).and_then(|tape| line(&tape, style));
            fs::append(&path, &text.map_err(|error| error.path(&path))?)
        })
        .function("lines(path, options)", |lua, (name, options): TextAndOptions| {
            lines::lines(lua, path::of(&name), options)
        })
        .function("pointer(value, pointer)", |_, (value, at): (Value, LuaString)| {
            pointer::pointer(value, &at)
        })
        .function("array(table)", |lua, table: Option<Table>| {
            let table = match table {
                Some(table) => table,
                None => lua.create_table()?,
            };
            table.set_metatable(Some(array_mark(lua)?))?;
            Ok(table)
        })
        .build()
}

struct Write {
    tape: Tape,
    style: Style,
    how: fs::WriteOptions,
}

impl Write {
    fn read(lua: &Lua, value: &Value, options: Option<Table>) -> Result<Self, LibError> {
        let mut options = Options::new(options);
        let style = Style::read(&mut options)?;
        let how = fs::WriteOptions::read(&mut options)?;
        options.finish()?;
        Ok(Self { tape: style.take(lua, value)?, style, how })
    }
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

    fn take(self, lua: &Lua, value: &Value) -> Result<Tape, LibError> {
        tape::take(lua, value, Shape { format: "JSON", sorted: self.sort_keys })
    }
}

fn tape_of(text: &[u8]) -> Result<Tape, LibError> {
    let mut tape = Tape::default();
    decode::decode(text, &mut tape)?;
    Ok(tape)
}

fn line(tape: &Tape, style: Style) -> Result<Vec<u8>, LibError> {
    let mut text = encode::encode(tape, style)?;
    text.push(b'\n');
    Ok(text)
}

/// The Lua value of a JSON text.
pub(super) fn decode(lua: &Lua, text: &[u8]) -> Result<Value, LibError> {
    tape::push(lua, &tape_of(text)?, &Value::NULL)
}

/// The compact text of a Lua value, keys sorted.
pub(super) fn compact(lua: &Lua, value: &Value) -> Result<Vec<u8>, LibError> {
    let style = Style { sort_keys: true, indent: None };
    encode::encode(&style.take(lua, value)?, style)
}

#[cfg(test)]
mod tests;
