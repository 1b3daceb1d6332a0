//! Lua values to MessagePack, each in its shortest form, keys sorted.

use std::cmp::Ordering;
use std::ffi::c_void;

use mlua::{Lua, LuaString, Table, Value};
use rmp::encode::{
    ByteBuf, write_array_len, write_bin, write_bool, write_f64, write_map_len, write_nil, write_sint, write_str,
};

use super::DEEPEST;
use crate::lua::error::LibError;
use crate::lua::std::json::array_metatable;

pub(in crate::lua::std::codec) fn encode(lua: &Lua, value: &Value) -> Result<Vec<u8>, LibError> {
    let array_meta = array_metatable(lua)?.to_pointer();
    let mut writer = Writer { out: ByteBuf::new(), array_meta, open: Vec::new(), path: Vec::new() };
    match writer.value(value) {
        Ok(()) => Ok(writer.out.into_vec()),
        Err(error) => {
            writer.path.reverse();
            let message = format!("{} at ${}", error.message(), writer.path.concat());
            Err(LibError::new(error.code().to_owned(), message))
        }
    }
}

struct Writer {
    out: ByteBuf,
    array_meta: *const c_void,
    /// The tables that are being written, to find cycles.
    open: Vec<*const c_void>,
    /// The steps to what cannot be written, innermost first.
    path: Vec<String>,
}

/// A buffer in memory takes all.
const GROWS: &str = "the buffer grows as it must";

impl Writer {
    fn value(&mut self, value: &Value) -> Result<(), LibError> {
        match value {
            Value::Nil => write_nil(&mut self.out).expect(GROWS),
            value if value.is_null() => write_nil(&mut self.out).expect(GROWS),
            Value::Boolean(yes) => write_bool(&mut self.out, *yes).expect(GROWS),
            Value::Integer(number) => {
                write_sint(&mut self.out, *number).expect(GROWS);
            }
            Value::Number(number) => write_f64(&mut self.out, *number).expect(GROWS),
            Value::String(text) => self.text(text)?,
            Value::Table(table) => self.table(table)?,
            other => {
                return Err(LibError::invalid(format!("MessagePack cannot hold a {}", other.type_name())));
            }
        }
        Ok(())
    }

    fn text(&mut self, text: &LuaString) -> Result<(), LibError> {
        let bytes = text.as_bytes();
        length(bytes.len())?;
        match std::str::from_utf8(&bytes) {
            Ok(text) => write_str(&mut self.out, text).expect(GROWS),
            Err(_) => write_bin(&mut self.out, &bytes).expect(GROWS),
        }
        Ok(())
    }

    fn table(&mut self, table: &Table) -> Result<(), LibError> {
        let address = table.to_pointer();
        if self.open.contains(&address) {
            return Err(LibError::invalid("the table contains itself"));
        }
        if self.open.len() == DEEPEST {
            return Err(LibError::invalid(format!("nested more than {DEEPEST} deep")));
        }
        self.open.push(address);
        let mut entries = Vec::new();
        table.for_each(|key: Value, value: Value| {
            entries.push((key, value));
            Ok(())
        })?;
        entries.sort_by(|a, b| order(&a.0, &b.0));
        let marked = table.metatable().is_some_and(|meta| meta.to_pointer() == self.array_meta);
        let in_a_row =
            entries.iter().zip(1i64..).all(|((key, _), place)| matches!(key, Value::Integer(at) if *at == place));
        let count = length(entries.len())?;
        if marked && !in_a_row {
            return Err(LibError::invalid("an array must have the keys 1 to n and no other"));
        }
        if marked || (in_a_row && count > 0) {
            write_array_len(&mut self.out, count).expect(GROWS);
        } else {
            write_map_len(&mut self.out, count).expect(GROWS);
        }
        for (key, value) in &entries {
            if !(in_a_row && count > 0) {
                self.key(key)?;
            }
            if let Err(error) = self.value(value) {
                self.path.push(step(key));
                return Err(error);
            }
        }
        self.open.pop();
        Ok(())
    }

    fn key(&mut self, key: &Value) -> Result<(), LibError> {
        match key {
            Value::Integer(_) | Value::Number(_) | Value::String(_) | Value::Boolean(_) => self.value(key),
            other => Err(LibError::invalid(format!("MessagePack cannot have a {} as a key", other.type_name()))),
        }
    }
}

fn step(key: &Value) -> String {
    match key {
        Value::String(text) => format!(".{}", text.to_string_lossy()),
        other => format!("[{}]", other.to_string().unwrap_or_default()),
    }
}

fn length(length: usize) -> Result<u32, LibError> {
    u32::try_from(length)
        .map_err(|_| LibError::new("too_large", "MessagePack holds nothing of 4 GiB or more, or of so many items"))
}

/// Numbers, texts, the rest: the same table gives the same bytes.
fn order(a: &Value, b: &Value) -> Ordering {
    let rank = |key: &Value| match key {
        Value::Integer(_) | Value::Number(_) => 0,
        Value::String(_) => 1,
        _ => 2,
    };
    let number = |key: &Value| key.as_number().or_else(|| key.as_integer().map(|n| n as f64)).unwrap_or_default();
    match (a, b) {
        (Value::Integer(a), Value::Integer(b)) => a.cmp(b),
        (Value::String(a), Value::String(b)) => a.as_bytes().cmp(&b.as_bytes()),
        (Value::Boolean(a), Value::Boolean(b)) => a.cmp(b),
        _ => rank(a).cmp(&rank(b)).then_with(|| number(a).total_cmp(&number(b))),
    }
}
