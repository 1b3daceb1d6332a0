//! `mpms.log`: lines with fields to the sink of the place.

use std::rc::Rc;
use std::sync::Arc;

use mlua::{Lua, LuaString, Table, Value};
use serde_json::Map;

use crate::lua::error::LibError;
use crate::lua::module::Module;

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// For the author of the script.
    Debug,
    /// Worth a line.
    Info,
    /// Something to look at.
    Warn,
    /// Something failed.
    Error,
}

/// Fields of a line, in the order of their names.
pub type Fields = Map<String, serde_json::Value>;

/// Takes the lines of a state. Bytes that are no UTF-8 arrive as replacement characters.
pub type Sink = Rc<dyn Fn(Level, &str, Fields)>;

/// The same from any thread.
pub type BackgroundSink = Arc<dyn Fn(Level, &str, Fields) + Send + Sync>;

pub(super) fn module(lua: &Lua) -> mlua::Result<Table> {
    Module::new(lua, "mpms.log")
        .function("debug(message, fields)", |lua, line| write(lua, Level::Debug, line))
        .function("info(message, fields)", |lua, line| write(lua, Level::Info, line))
        .function("warn(message, fields)", |lua, line| write(lua, Level::Warn, line))
        .function("error(message, fields)", |lua, line| write(lua, Level::Error, line))
        .build()
}

fn write(lua: &Lua, level: Level, (message, fields): (Value, Option<Table>)) -> Result<(), LibError> {
    let message = message.to_string()?;
    let fields = match fields {
        Some(fields) => read(&fields)?,
        None => Fields::new(),
    };
    (super::env(lua)?.log)(level, &message, fields);
    Ok(())
}

fn read(table: &Table) -> Result<Fields, LibError> {
    let mut pairs = Vec::new();
    table.for_each(|key: Value, value: Value| {
        pairs.push((key, value));
        Ok(())
    })?;
    let mut fields = pairs
        .into_iter()
        .map(|(key, value)| match key {
            Value::String(key) => Ok((key.to_string_lossy(), plain(value))),
            other => Err(LibError::invalid(format!(
                "argument 2 (fields) must have names as keys, got a {}",
                other.type_name()
            ))),
        })
        .collect::<Result<Vec<_>, _>>()?;
    fields.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(fields.into_iter().collect())
}

/// Scalars keep their type; anything else is what `tostring` gives.
fn plain(value: Value) -> serde_json::Value {
    match value {
        Value::Nil => serde_json::Value::Null,
        value if value.is_null() => serde_json::Value::Null,
        Value::Boolean(yes) => yes.into(),
        Value::Integer(number) => number.into(),
        Value::Number(number) if number.is_finite() => number.into(),
        Value::String(text) => LuaString::to_string_lossy(&text).into(),
        other => other.to_string().unwrap_or_else(|_| other.type_name().to_owned()).into(),
    }
}
