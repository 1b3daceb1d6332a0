//! Lua values to text.

use std::ffi::c_void;

use mlua::{LuaString, Table, Value};

use super::{DEEPEST, Style};
use crate::lua::error::LibError;

pub(super) fn encode(value: &Value, style: Style, array_meta: *const c_void) -> Result<Vec<u8>, LibError> {
    let mut writer = Writer { out: Vec::new(), style, array_meta, open: Vec::new() };
    match writer.value(value) {
        Ok(()) => Ok(writer.out),
        Err(mut bad) => {
            bad.path.reverse();
            let place = format!("${}", bad.path.concat());
            let message = format!("{} at {place}", bad.error.message());
            Err(LibError::new(bad.error.code().to_owned(), message))
        }
    }
}

/// What cannot be written, and the steps to it, innermost first: the path costs nothing while all goes well.
struct Bad {
    error: LibError,
    path: Vec<String>,
}

impl Bad {
    fn new(why: impl Into<String>) -> Self {
        Self { error: LibError::invalid(why), path: Vec::new() }
    }

    fn below(mut self, step: String) -> Self {
        self.path.push(step);
        self
    }
}

impl From<mlua::Error> for Bad {
    fn from(error: mlua::Error) -> Self {
        Self { error: error.into(), path: Vec::new() }
    }
}

impl From<serde_json::Error> for Bad {
    fn from(error: serde_json::Error) -> Self {
        Self::new(error.to_string())
    }
}

struct Writer {
    out: Vec<u8>,
    style: Style,
    array_meta: *const c_void,
    /// The tables that are being written, to find cycles.
    open: Vec<*const c_void>,
}

impl Writer {
    fn value(&mut self, value: &Value) -> Result<(), Bad> {
        match value {
            Value::Nil => self.out.extend_from_slice(b"null"),
            value if value.is_null() => self.out.extend_from_slice(b"null"),
            Value::Boolean(true) => self.out.extend_from_slice(b"true"),
            Value::Boolean(false) => self.out.extend_from_slice(b"false"),
            Value::Integer(number) => serde_json::to_writer(&mut self.out, number)?,
            Value::Number(number) if number.is_finite() => serde_json::to_writer(&mut self.out, number)?,
            Value::Number(number) => return Err(Bad::new(format!("JSON has no {number}"))),
            Value::String(text) => self.text(text)?,
            Value::Table(table) => self.table(table)?,
            other => {
                return Err(Bad::new(format!("JSON cannot hold a {}", other.type_name())));
            }
        }
        Ok(())
    }

    fn text(&mut self, text: &LuaString) -> Result<(), Bad> {
        match text.to_str() {
            Ok(text) => Ok(serde_json::to_writer(&mut self.out, &*text)?),
            Err(_) => Err(Bad::new("JSON cannot hold a string that is not UTF-8")),
        }
    }

    fn table(&mut self, table: &Table) -> Result<(), Bad> {
        let address = table.to_pointer();
        if self.open.contains(&address) {
            return Err(Bad::new("the table contains itself"));
        }
        if self.open.len() == DEEPEST {
            return Err(Bad::new(format!("nested more than {DEEPEST} deep")));
        }
        self.open.push(address);
        let mut entries = Vec::new();
        table.for_each(|key: Value, value: Value| {
            entries.push((key, value));
            Ok(())
        })?;
        let marked = table.metatable().is_some_and(|meta| meta.to_pointer() == self.array_meta);
        if marked || matches!(entries.first(), Some((Value::Integer(_), _))) {
            self.array(entries)?;
        } else {
            self.object(entries)?;
        }
        self.open.pop();
        Ok(())
    }

    fn array(&mut self, mut entries: Vec<(Value, Value)>) -> Result<(), Bad> {
        let place = |key: &Value| key.as_integer().unwrap_or(0);
        if !entries.is_sorted_by_key(|(key, _)| place(key)) {
            entries.sort_by_key(|(key, _)| place(key));
        }
        for (index, (key, _)) in entries.iter().enumerate() {
            if key.as_integer() != Some(index as i64 + 1) {
                let found = key.to_string().unwrap_or_default();
                return Err(Bad::new(format!(
                    "an array must have the keys 1 to n and no other, but there is `{found}` in place of {}",
                    index + 1
                )));
            }
        }
        self.out.push(b'[');
        for (index, (_, value)) in entries.iter().enumerate() {
            self.separate(index);
            self.value(value).map_err(|bad| bad.below(format!("[{}]", index + 1)))?;
        }
        self.close(entries.is_empty(), b']');
        Ok(())
    }

    fn object(&mut self, mut entries: Vec<(Value, Value)>) -> Result<(), Bad> {
        if let Some((key, _)) = entries.iter().find(|(key, _)| !key.is_string()) {
            let (found, kind) = (key.to_string().unwrap_or_default(), key.type_name());
            return Err(Bad::new(format!("keys of an object must be strings, got the {kind} `{found}`")));
        }
        if self.style.sort_keys {
            entries.sort_by(|a, b| match (&a.0, &b.0) {
                (Value::String(a), Value::String(b)) => a.as_bytes().cmp(&b.as_bytes()),
                _ => std::cmp::Ordering::Equal,
            });
        }
        self.out.push(b'{');
        for (index, (key, value)) in entries.iter().enumerate() {
            let Value::String(key) = key else { continue };
            self.separate(index);
            let step = || format!(".{}", key.to_string_lossy());
            self.text(key).map_err(|bad| bad.below(step()))?;
            self.out.extend_from_slice(if self.style.indent.is_some() { b": " } else { b":" });
            self.value(value).map_err(|bad| bad.below(step()))?;
        }
        self.close(entries.is_empty(), b'}');
        Ok(())
    }

    fn separate(&mut self, index: usize) {
        if index > 0 {
            self.out.push(b',');
        }
        self.newline(self.open.len());
    }

    fn close(&mut self, empty: bool, end: u8) {
        if !empty {
            self.newline(self.open.len() - 1);
        }
        self.out.push(end);
    }

    fn newline(&mut self, level: usize) {
        if let Some(blanks) = self.style.indent {
            self.out.push(b'\n');
            self.out.resize(self.out.len() + blanks * level, b' ');
        }
    }
}
