//! `mpms.xml`: documents as tables, or piece by piece. No entity of a document type is ever expanded, and nothing outside
//! of the text is read.

use mlua::{Lua, LuaString, Table, Value};

use super::batches::{self, Gives};
use super::document::Source;
use crate::lua::error::LibError;
use crate::lua::module::Module;
use crate::lua::options::Options;
use crate::lua::tape::{self, Shape};

mod decode;
mod encode;
mod events;
mod names;
mod pieces;

pub(super) fn module(lua: &Lua) -> mlua::Result<Table> {
    Module::new(lua, "mpms.xml")
        .function("decode(text, options)", |lua, (text, options): (LuaString, Option<Table>)| {
            let mut options = Options::new(options);
            let trim = options.bool("trim")?.unwrap_or(false);
            options.finish()?;
            tape::push(lua, &decode::decode(&text.as_bytes(), trim)?, &Value::NULL)
        })
        .function("events(source, options)", |lua, (source, options): (Value, Option<Table>)| {
            let mut options = Options::new(options);
            let trim = options.bool("trim")?.unwrap_or(false);
            let max_size = options.size("max_size")?.unwrap_or(events::MOST_BYTES);
            options.finish()?;
            let events = events::Events::open(Source::of(&source, "xml.events")?, trim, max_size)?;
            batches::over(lua, "xml.events", Gives::Numbered, events, Value::NULL)
        })
        .function("encode(element, options)", |lua, (element, options): (Value, Option<Table>)| {
            let style = encode::Style::read(options)?;
            let tape = tape::take(lua, &element, Shape { format: "XML", sorted: true })?;
            Ok(lua.create_string(encode::encode(&tape, style)?)?)
        })
        .build()
}

/// Nesting beyond this is refused: what is decoded has two more levels for each.
const DEEPEST: usize = tape::DEEPEST / 2 - 1;

fn wrong(text: impl Into<String>) -> LibError {
    LibError::parse(text)
}

#[cfg(test)]
mod tests;
