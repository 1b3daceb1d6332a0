//! Loggers with fixed fields, and spans.

use std::time::Duration;

use mlua::{Function, Lua, Table, UserDataRef, Value};

use super::{Fields, Level, Line, merged, plain, read, write_with};
use crate::lua::error::LibError;
use crate::lua::module::{Methods, global_function, object};
use crate::lua::std::clock;
use crate::lua::std::time::human;

/// What `log.with` gives: the fields of each of its lines.
pub(super) struct Logger(pub Fields);

/// What has begun, and has to log its end.
struct Span {
    name: String,
    fields: Fields,
    /// On the clock of `time.mono`.
    began: f64,
}

type This = UserDataRef<Logger>;

/// The function `log.span`.
pub(super) fn register(lua: &Lua) -> mlua::Result<Function> {
    Methods::new(lua, "log.Span")
        .method("close(raised)", |lua, (span, raised): (UserDataRef<Span>, Value)| span.end(lua, &raised))
        .userdata::<Span>()?;
    let begin = global_function(lua, "log.span", |lua, (logger, name, f): (Option<This>, Value, Value)| {
        let fields = logger.map(|logger| logger.0.clone()).unwrap_or_default();
        Ok(object(lua, Span::begin(lua, fields, &name, &f)?)?)
    })?;
    let (of_module, of_logger): (Function, Function) =
        lua.load(include_str!("span.lua")).set_name("=mpms").call(begin)?;
    Methods::new(lua, "log.Logger")
        .method("debug(message, fields)", |lua, line| write(lua, Level::Debug, line))
        .method("info(message, fields)", |lua, line| write(lua, Level::Info, line))
        .method("warn(message, fields)", |lua, line| write(lua, Level::Warn, line))
        .method("error(message, fields)", |lua, line| write(lua, Level::Error, line))
        .method("with(fields)", |lua, (logger, fields): (This, Table)| {
            Ok(object(lua, Logger(merged(&logger.0, read(&fields, 1)?)))?)
        })
        .value("span", of_logger)
        .userdata::<Logger>()?;
    Ok(of_module)
}

fn write(
    lua: &Lua,
    level: Level,
    (logger, message, fields): (This, Value, Option<Table>),
) -> Result<(), LibError> {
    let line: Line = (message, fields);
    write_with(lua, level, &logger.0, line)
}

impl Span {
    fn begin(lua: &Lua, fields: Fields, name: &Value, f: &Value) -> Result<Self, LibError> {
        let Value::String(name) = name else {
            let got = name.type_name();
            return Err(LibError::invalid(format!("argument 1 (name) must be a string, got {got}")));
        };
        if !f.is_function() {
            let got = f.type_name();
            return Err(LibError::invalid(format!("argument 2 (f) must be a function, got {got}")));
        }
        let span = Self { name: name.to_string_lossy(), fields, began: clock::mono() };
        span.tell(lua, Level::Debug, "begins", Fields::new())?;
        Ok(span)
    }

    fn end(&self, lua: &Lua, raised: &Value) -> Result<(), LibError> {
        let elapsed = Duration::from_secs_f64((clock::mono() - self.began).max(0.0));
        let mut own = vec![("elapsed".to_owned(), human(elapsed))];
        if raised.is_nil() {
            return self.tell(lua, Level::Info, "ended", own);
        }
        own.push(("error".to_owned(), plain(raised)));
        self.tell(lua, Level::Warn, "failed", own)
    }

    fn tell(&self, lua: &Lua, level: Level, word: &str, own: Fields) -> Result<(), LibError> {
        let text = format!("{} {word}", self.name);
        (crate::lua::std::env(lua)?.log.here)(level, &text, merged(&self.fields, own));
        Ok(())
    }
}
