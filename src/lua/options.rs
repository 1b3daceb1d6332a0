//! Options tables: typed readers, and no unknown key passes.

use std::str::FromStr as _;
use std::time::Duration;

use mlua::{FromLua, Function, Lua, LuaString, Table, Value};

use super::error::LibError;
use super::module::did_you_mean;

/// No function has so many options: one of those that are read is unknown then.
const MOST: usize = 100;

/// The trailing options table of one call. Read every key, then [`finish`](Self::finish).
pub struct Options {
    table: Option<Table>,
    /// What is in it, read once: a look for a key would cost a string of Lua.
    pairs: Vec<(Key, Value)>,
    known: Vec<&'static str>,
}

/// A key of the table.
enum Key {
    /// To be compared without Lua.
    Name(Box<[u8]>),
    Other(Value),
}

impl Key {
    fn is(&self, name: &str) -> bool {
        matches!(self, Key::Name(bytes) if **bytes == *name.as_bytes())
    }

    fn shown(&self) -> mlua::Result<String> {
        match self {
            Key::Name(bytes) => Ok(String::from_utf8_lossy(bytes).into_owned()),
            Key::Other(value) => value.to_string(),
        }
    }
}

impl FromLua for Key {
    fn from_lua(value: Value, _: &Lua) -> mlua::Result<Self> {
        Ok(match &value {
            Value::String(name) => Key::Name((*name.as_bytes()).into()),
            _ => Key::Other(value),
        })
    }
}

impl Options {
    /// `None` is an empty table.
    pub fn new(table: Option<Table>) -> Self {
        Self { table, pairs: Vec::new(), known: Vec::new() }
    }

    /// Any value; nil is `None`.
    ///
    /// # Errors
    /// When Lua has no memory left; so do all readers.
    pub fn value(&mut self, key: &'static str) -> Result<Option<Value>, LibError> {
        self.read()?;
        if self.pairs.is_empty() {
            return Ok(None);
        }
        self.known.push(key);
        Ok(self.pairs.iter().find(|(name, _)| name.is(key)).map(|(_, value)| value.clone()))
    }

    fn read(&mut self) -> Result<(), LibError> {
        let Some(table) = self.table.take() else {
            return Ok(());
        };
        self.known.reserve(16);
        Ok(table.for_each(|key: Key, value: Value| {
            if self.pairs.len() < MOST {
                self.pairs.push((key, value));
            }
            Ok(())
        })?)
    }

    fn typed<T>(
        &mut self,
        key: &'static str,
        wanted: &str,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Result<Option<T>, LibError> {
        let Some(value) = self.value(key)? else {
            return Ok(None);
        };
        match read(&value) {
            Some(read) => Ok(Some(read)),
            None => Err(wrong(key, wanted, &value)),
        }
    }

    /// `true` or `false`.
    ///
    /// # Errors
    /// On any other value.
    pub fn bool(&mut self, key: &'static str) -> Result<Option<bool>, LibError> {
        self.typed(key, "a boolean", Value::as_boolean)
    }

    /// A whole number; `3.0` counts.
    ///
    /// # Errors
    /// On any other value.
    pub fn int(&mut self, key: &'static str) -> Result<Option<i64>, LibError> {
        self.typed(key, "an integer", as_int)
    }

    /// A whole number that is not negative.
    ///
    /// # Errors
    /// On any other value.
    pub fn count(&mut self, key: &'static str) -> Result<Option<usize>, LibError> {
        self.typed(key, "an integer of 0 or more", |value| usize::try_from(as_int(value)?).ok())
    }

    /// A string of UTF-8.
    ///
    /// # Errors
    /// On any other value.
    pub fn string(&mut self, key: &'static str) -> Result<Option<String>, LibError> {
        self.typed(key, "a string", |value| Some(value.as_string()?.to_str().ok()?.to_owned()))
    }

    /// A string of any bytes.
    ///
    /// # Errors
    /// On any other value.
    pub fn bytes(&mut self, key: &'static str) -> Result<Option<LuaString>, LibError> {
        self.typed(key, "a string", |value| value.as_string().cloned())
    }

    /// A table.
    ///
    /// # Errors
    /// On any other value.
    pub fn table(&mut self, key: &'static str) -> Result<Option<Table>, LibError> {
        self.typed(key, "a table", |value| value.as_table().cloned())
    }

    /// A function.
    ///
    /// # Errors
    /// On any other value.
    pub fn function(&mut self, key: &'static str) -> Result<Option<Function>, LibError> {
        self.typed(key, "a function", |value| value.as_function().cloned())
    }

    /// Seconds, or a text with units: `"1m30s"`.
    ///
    /// # Errors
    /// On any other value.
    pub fn duration(&mut self, key: &'static str) -> Result<Option<Duration>, LibError> {
        let Some(value) = self.value(key)? else {
            return Ok(None);
        };
        duration(&value).map(Some).map_err(|error| named(key, error))
    }

    /// Bytes, or a text with a unit: `"64MiB"`.
    ///
    /// # Errors
    /// On any other value.
    pub fn size(&mut self, key: &'static str) -> Result<Option<u64>, LibError> {
        let Some(value) = self.value(key)? else {
            return Ok(None);
        };
        size(&value).map(Some).map_err(|error| named(key, error))
    }

    /// One of a few words.
    ///
    /// # Errors
    /// On any other value, with a suggestion.
    pub fn word(
        &mut self,
        key: &'static str,
        words: &'static [&'static str],
    ) -> Result<Option<&'static str>, LibError> {
        let Some(text) = self.string(key)? else {
            return Ok(None);
        };
        match words.iter().find(|one| **one == text) {
            Some(word) => Ok(Some(word)),
            None => {
                let hint = did_you_mean(&text, words);
                let known = words.join("`, `");
                Err(LibError::invalid(format!("option `{key}` must be one of `{known}`, got `{text}`{hint}")))
            }
        }
    }

    /// Every key must have been read.
    ///
    /// # Errors
    /// On a key that no reader asked for, with a suggestion.
    pub fn finish(mut self) -> Result<(), LibError> {
        self.read()?;
        let known = self.known;
        let fits = |key: &Key| known.iter().any(|one| key.is(one));
        match self.pairs.iter().find(|(key, _)| !fits(key)) {
            None => Ok(()),
            Some((key, _)) => {
                let key = key.shown()?;
                #[cfg(test)]
                super::declared::tell_options(&known);
                Err(LibError::invalid(format!("unknown option `{key}`{}", did_you_mean(&key, &known))))
            }
        }
    }
}

fn as_int(value: &Value) -> Option<i64> {
    match value {
        Value::Integer(number) => Some(*number),
        Value::Number(number) if number.fract() == 0.0 && number.abs() < 9e15 => Some(*number as i64),
        _ => None,
    }
}

fn wrong(key: &str, wanted: &str, value: &Value) -> LibError {
    let got = match value {
        Value::Integer(number) => format!("the number {number}"),
        Value::Number(number) => format!("the number {number}"),
        other => other.type_name().to_owned(),
    };
    LibError::invalid(format!("option `{key}` must be {wanted}, got {got}"))
}

fn named(key: &str, error: LibError) -> LibError {
    LibError::invalid(format!("option `{key}` {}", error.message()))
}

/// Ten thousand years: what every clock and timer takes.
const LONGEST: f64 = 3.2e11;

/// A duration: seconds as a number, or a text as `"250ms"`, `"1m30s"`, `"2h"`, `"1d"` (24 hours).
///
/// # Errors
/// When it is neither, negative or out of range. The text reads well after the name of what it is.
pub fn duration(value: &Value) -> Result<Duration, LibError> {
    let seconds = match value {
        Value::Integer(seconds) => *seconds as f64,
        Value::Number(seconds) => *seconds,
        Value::String(text) => return parse_duration(&text.to_string_lossy()),
        other => {
            let got = other.type_name();
            return Err(LibError::invalid(format!("must be seconds or a duration as \"10s\", got {got}")));
        }
    };
    if !(0.0..=LONGEST).contains(&seconds) {
        return Err(LibError::invalid(format!("must be 0 seconds or more, got {seconds}")));
    }
    Ok(Duration::from_secs_f64(seconds))
}

fn parse_duration(text: &str) -> Result<Duration, LibError> {
    let bad = |why: String| LibError::invalid(format!("must be a duration as \"250ms\" or \"1m30s\": {why}"));
    let span = jiff::Span::from_str(text.trim()).map_err(|error| bad(error.to_string()))?;
    if span.get_years() != 0 || span.get_months() != 0 {
        return Err(bad("months and years have no fixed length".to_owned()));
    }
    let exact = span
        .to_duration(jiff::SpanRelativeTo::days_are_24_hours())
        .map_err(|error| bad(error.to_string()))?;
    Duration::try_from(exact).map_err(|_| bad(format!("`{text}` is negative")))
}

/// A size: bytes as a number, or a text as `"64MiB"`.
///
/// # Errors
/// When it is neither, negative or not whole.
pub fn size(value: &Value) -> Result<u64, LibError> {
    match value {
        Value::String(text) => {
            let text = text.to_string_lossy();
            bytesize::ByteSize::from_str(text.trim())
                .map(|size| size.as_u64())
                .map_err(|error| LibError::invalid(format!("must be a size as \"64MiB\": {error}")))
        }
        other => as_int(other).and_then(|bytes| u64::try_from(bytes).ok()).ok_or_else(|| {
            LibError::invalid(format!("must be bytes or a size as \"64MiB\", got {}", other.type_name()))
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mlua::{Lua, Table};

    use super::Options;

    fn options(lua: &Lua, text: &str) -> Options {
        Options::new(Some(lua.load(text).eval::<Table>().expect("a table")))
    }

    #[test]
    fn each_reader_takes_its_type_and_no_other() {
        let lua = Lua::new();
        let text = "{ b = false, i = 3.0, s = 'x', d = '1m30s', n = 0.25, z = '64MiB', y = 10, w = 'on' }";
        let mut o = options(&lua, text);
        assert_eq!(o.bool("b").expect("ok"), Some(false));
        assert_eq!(o.int("i").expect("ok"), Some(3));
        assert_eq!(o.string("s").expect("ok").as_deref(), Some("x"));
        assert_eq!(o.duration("d").expect("ok"), Some(Duration::from_secs(90)));
        assert_eq!(o.duration("n").expect("ok"), Some(Duration::from_millis(250)));
        assert_eq!((o.size("z").expect("ok"), o.size("y").expect("ok")), (Some(64 << 20), Some(10)));
        assert_eq!(o.word("w", &["on", "off"]).expect("ok"), Some("on"));
        assert_eq!(o.int("none").expect("ok"), None);
        assert!(o.finish().is_ok());

        let mut o = options(&lua, text);
        for (error, text) in [
            (o.bool("i").expect_err("wrong"), "option `i` must be a boolean, got the number 3"),
            (o.int("n").expect_err("wrong"), "option `n` must be an integer, got the number 0.25"),
            (o.string("y").expect_err("wrong"), "option `y` must be a string, got the number 10"),
            (o.table("s").expect_err("wrong"), "option `s` must be a table, got string"),
            (
                o.duration("b").expect_err("wrong"),
                "option `b` must be seconds or a duration as \"10s\", got boolean",
            ),
            (o.size("n").expect_err("wrong"), "option `n` must be bytes or a size as \"64MiB\", got number"),
            (
                o.word("s", &["on", "off"]).expect_err("wrong"),
                "option `s` must be one of `on`, `off`, got `x`",
            ),
        ] {
            assert_eq!((error.code(), error.message()), ("invalid", text));
        }
    }

    #[test]
    fn an_unknown_key_is_refused() {
        let lua = Lua::new();
        let mut o = options(&lua, "{ timout = 5 }");
        o.duration("timeout").expect("none");
        let error = o.finish().expect_err("unknown");
        assert_eq!(error.message(), "unknown option `timout`; did you mean `timeout`?");
        let o = options(&lua, "{ 5 }");
        assert_eq!(o.finish().expect_err("unknown").message(), "unknown option `1`");
        assert!(Options::new(None).finish().is_ok());
    }
}
