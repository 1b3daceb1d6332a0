//! `mpms.log`: lines with fields to the sink of the place.

use mlua::{Lua, LuaString, Table, Value};

use crate::lua::error::LibError;
use crate::lua::module::{Module, object};

mod logger;
mod sinks;
#[cfg(test)]
mod tests;

pub use crate::model::event::Level;
pub use sinks::{BackgroundSink, Fields, SharedSinks, Sink, Sinks};

type Line = (Value, Option<Table>);

pub(super) fn module(lua: &Lua) -> mlua::Result<Table> {
    let span = logger::register(lua)?;
    Module::new(lua, "mpms.log")
        .function("debug(message, fields)", |lua, line| write(lua, Level::Debug, line))
        .function("info(message, fields)", |lua, line| write(lua, Level::Info, line))
        .function("warn(message, fields)", |lua, line| write(lua, Level::Warn, line))
        .function("error(message, fields)", |lua, line| write(lua, Level::Error, line))
        .function("with(fields)", |lua, fields: Table| Ok(object(lua, logger::Logger(read(&fields, 1)?))?))
        .value("span", span)
        .build()
}

fn write(lua: &Lua, level: Level, line: Line) -> Result<(), LibError> {
    write_with(lua, level, &Fields::new(), line)
}

/// A line with fields that all lines of a logger have; its own go before them.
fn write_with(lua: &Lua, level: Level, fixed: &Fields, (message, fields): Line) -> Result<(), LibError> {
    let message = message.to_string()?;
    let fields = match fields {
        Some(fields) => merged(fixed, read(&fields, 2)?),
        None => fixed.clone(),
    };
    (super::env(lua)?.log.here)(level, &message, fields);
    Ok(())
}

fn merged(fixed: &Fields, own: Fields) -> Fields {
    let mut all: Fields =
        fixed.iter().filter(|(name, _)| own.iter().all(|(one, _)| one != name)).cloned().collect();
    all.extend(own);
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

fn read(table: &Table, position: usize) -> Result<Fields, LibError> {
    let mut pairs = Vec::new();
    table.for_each(|key: Value, value: Value| {
        pairs.push((key, value));
        Ok(())
    })?;
    let mut fields = pairs
        .into_iter()
        .map(|(key, value)| match key {
            Value::String(key) => Ok((key.to_string_lossy(), plain(&value))),
            other => Err(LibError::invalid(format!(
                "argument {position} (fields) must have names as keys, got a {}",
                other.type_name()
            ))),
        })
        .collect::<Result<Vec<_>, _>>()?;
    fields.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(fields)
}

fn plain(value: &Value) -> String {
    if value.is_null() {
        return "null".to_owned();
    }
    match value {
        Value::String(text) => LuaString::to_string_lossy(text),
        other => other.to_string().unwrap_or_else(|_| other.type_name().to_owned()),
    }
}
