//! `mpms.csv`: tables of text, a row at a time.

use mlua::{Lua, LuaString, Table, UserDataRef, Value};

use super::batches::{self, Gives};
use super::document;
use crate::lua::error::LibError;
use crate::lua::module::{Methods, Module};
use crate::lua::tape;

mod cells;
mod direct;
mod input;
mod print;
mod rows;
mod writer;

use rows::Asked;
use writer::Writer;

pub(super) fn module(lua: &Lua) -> mlua::Result<Table> {
    Methods::new(lua, "csv.Writer")
        .method("row(values)", |lua, (writer, values): (UserDataRef<Writer>, Table)| writer.row(lua, &values))
        // a scope that is left by an error closes with the error: then the file is not kept
        .method(
            "close()",
            |_, (writer, error): (UserDataRef<Writer>, Value)| {
                if error.is_nil() { writer.close() } else { writer.discard() }
            },
        )
        .userdata::<Writer>()?;
    Module::new(lua, "mpms.csv")
        .function("rows(source, options)", |lua, (source, options): (Value, Option<Table>)| {
            let asked = Asked::read(options)?;
            let null = asked.null.clone();
            let source = asked.open(document::Source::of(&source, "csv.rows")?)?;
            batches::over(lua, "csv.rows", Gives::Numbered, source, null)
        })
        .function("decode(text, options)", |lua, (text, options): (LuaString, Option<Table>)| {
            let asked = Asked::read(options)?;
            let null = asked.null.clone();
            let source = asked.open(document::Source::Text(text.as_bytes().to_vec()))?;
            tape::push(lua, &batches::all(source)?, &null)
        })
        .function("encode(rows, options)", |lua, (rows, options): (Table, Option<Table>)| {
            Ok(lua.create_string(print::encode(lua, &Value::Table(rows), options)?)?)
        })
        .function("writer(path, options)", |lua, (name, options): (LuaString, Option<Table>)| {
            writer::open(lua, &name, options)
        })
        .build()
}

/// One ASCII character of an option.
fn byte(name: &str, text: &str) -> Result<u8, LibError> {
    match text.as_bytes() {
        [byte @ (b'\t' | b' '..=b'~')] => Ok(*byte),
        _ => Err(LibError::invalid(format!("option `{name}` must be one ASCII character, got `{text}`"))),
    }
}

#[cfg(test)]
mod tests;
