//! `mpms.log`: lines with fields to the sink of the place.

use std::rc::Rc;
use std::sync::Arc;

use mlua::{Lua, LuaString, Table, Value};

use crate::lua::error::LibError;
use crate::lua::module::Module;

pub use crate::model::event::Level;

/// Fields of a line, in the order of their names; numbers and tables as `tostring` gives them.
pub type Fields = Vec<(String, String)>;

/// Takes the lines of a state. Bytes that are no UTF-8 arrive as replacement characters.
pub type Sink = Rc<dyn Fn(Level, &str, Fields)>;

/// The same from any thread.
pub type BackgroundSink = Arc<dyn Fn(Level, &str, Fields) + Send + Sync>;

/// Where the lines of a state go: those of its own thread, and those of threads that the library starts.
#[derive(Clone)]
pub struct Sinks {
    /// Of the scripts.
    pub here: Sink,
    /// Of threads of the library (those of `http.serve`).
    pub background: BackgroundSink,
}

impl Sinks {
    /// For checks, tools and tests: lines are dropped.
    pub fn none() -> Self {
        Self { here: Rc::new(|_, _, _| {}), background: Arc::new(|_, _, _| {}) }
    }

    /// The same for both.
    pub fn of(sink: impl Fn(Level, &str, Fields) + Send + Sync + 'static) -> Self {
        let background: BackgroundSink = Arc::new(sink);
        let here = Arc::clone(&background);
        Self { here: Rc::new(move |level, text, fields| here(level, text, fields)), background }
    }
}

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
    (super::env(lua)?.log.here)(level, &message, fields);
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
            Value::String(key) => Ok((key.to_string_lossy(), plain(&value))),
            other => Err(LibError::invalid(format!(
                "argument 2 (fields) must have names as keys, got a {}",
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

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use super::Level;
    use crate::lua::std::testing::{fails, run};
    use crate::lua::std::{StdEnv, install};

    #[test]
    fn lines_reach_the_sink_with_their_fields() {
        let lines = Rc::new(RefCell::new(Vec::new()));
        let sink = Rc::clone(&lines);
        let lua = mlua::Lua::new();
        let log: super::Sink = Rc::new(move |level, message, fields| {
            let fields: Vec<String> = fields.iter().map(|(name, text)| format!("{name}={text}")).collect();
            let fields = fields.join(" ");
            sink.borrow_mut().push((level, message.to_owned(), fields));
        });
        let log = super::Sinks { here: log, ..super::Sinks::none() };
        install(&lua, &StdEnv { log, ..StdEnv::quiet("worker") }).expect("installs");
        run::<()>(
            &lua,
            "mpms.log.warn('slow', { url = 'u', n = 3, f = 0.5, ok = true, null = mpms.null }) mpms.log.error(5)",
        );
        let expected = "f=0.5 n=3 null=null ok=true url=u";
        assert_eq!(lines.borrow()[0], (Level::Warn, "slow".to_owned(), expected.to_owned()));
        assert_eq!(lines.borrow()[1], (Level::Error, "5".to_owned(), String::new()));
        assert_eq!(fails(&lua, "mpms.log.info('x', { 1 })").code, "invalid");
        assert_eq!(fails(&lua, "mpms.log.info('x', 'y')").code, "invalid");
    }
}
