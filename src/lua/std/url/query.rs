//! Percent-encoding, and the pairs of a query.

use std::borrow::Cow;

use ::url::form_urlencoded;
use mlua::{Lua, LuaString, Table, Value};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode, percent_encode};

use crate::lua::error::LibError;

/// All but the unreserved characters of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// One part of a path or a query: everything that could mean something there is encoded.
pub(super) fn encode(text: &[u8]) -> String {
    percent_encode(text, RESERVED).to_string()
}

/// A `%` that is no code stays as it is; `plus` makes each `+` a blank, as forms write it.
pub(super) fn decode(text: &[u8], plus: bool) -> Vec<u8> {
    let text = match plus && text.contains(&b'+') {
        true => Cow::Owned(text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect()),
        false => Cow::Borrowed(text),
    };
    percent_decode(&text).collect()
}

/// `{name = value}` in the order of the names, or a list of pairs in its own order.
pub(super) fn write(params: &Table) -> Result<String, LibError> {
    let mut text = String::new();
    for (name, value) in pairs(params)? {
        if !text.is_empty() {
            text.push('&');
        }
        text.extend(form_urlencoded::byte_serialize(&name));
        text.push('=');
        text.extend(form_urlencoded::byte_serialize(&value));
    }
    Ok(text)
}

type Pair = (Vec<u8>, Vec<u8>);

fn pairs(params: &Table) -> Result<Vec<Pair>, LibError> {
    let mut found = Vec::new();
    if params.raw_len() > 0 {
        for pair in params.sequence_values::<Value>() {
            let pair = pair?;
            let both = match &pair {
                Value::Table(pair) => Some((pair.raw_get::<Value>(1)?, pair.raw_get::<Value>(2)?)),
                _ => None,
            };
            let Some((Value::String(name), value)) = both else {
                return Err(LibError::invalid("a list must hold pairs as {\"name\", value}"));
            };
            add(&mut found, &name, &value)?;
        }
        return Ok(found);
    }
    let mut entries: Vec<(Value, Value)> = Vec::new();
    params.for_each(|name, value| {
        entries.push((name, value));
        Ok(())
    })?;
    for (name, value) in entries {
        match name {
            Value::String(name) => add(&mut found, &name, &value)?,
            other => {
                let got = other.type_name();
                return Err(LibError::invalid(format!("the names of a query must be strings, got {got}")));
            }
        }
    }
    // Stable: the values of one name keep their order.
    found.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(found)
}

fn add(found: &mut Vec<Pair>, name: &LuaString, value: &Value) -> Result<(), LibError> {
    let values: Vec<Value> = match value {
        Value::Table(list) => list.sequence_values().collect::<mlua::Result<_>>()?,
        one => vec![one.clone()],
    };
    for value in values {
        let text = match &value {
            Value::String(text) => text.as_bytes().to_vec(),
            Value::Integer(_) | Value::Number(_) | Value::Boolean(_) => value.to_string()?.into_bytes(),
            other => {
                let (got, name) = (other.type_name(), name.to_string_lossy());
                return Err(LibError::invalid(format!(
                    "`{name}` must be a string, a number, a boolean or a list of them, got {got}"
                )));
            }
        };
        found.push((name.as_bytes().to_vec(), text));
    }
    Ok(())
}

/// `{name = value}`; a name that comes more than once has a list.
pub(super) fn read(lua: &Lua, text: &[u8]) -> Result<Table, LibError> {
    let text = text.strip_prefix(b"?").unwrap_or(text);
    let table = lua.create_table()?;
    for pair in text.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
        let at = pair.iter().position(|byte| *byte == b'=');
        let (name, value) = at.map_or((pair, &b""[..]), |at| (&pair[..at], &pair[at + 1..]));
        let name = lua.create_string(decode(name, true))?;
        let value = lua.create_string(decode(value, true))?;
        match table.raw_get::<Value>(&name)? {
            Value::Nil => table.raw_set(name, value)?,
            Value::Table(list) => list.raw_push(value)?,
            first => table.raw_set(name, lua.create_sequence_from([first, Value::String(value)])?)?,
        }
    }
    Ok(table)
}
