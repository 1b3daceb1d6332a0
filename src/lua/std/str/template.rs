//! `${name}` in texts.

use mlua::{Lua, Table, Value};

use crate::lua::error::LibError;
use crate::lua::outside::Growth;

/// The text with the values in place; `$$` is a dollar, and any other `$` stays.
pub(super) fn fill(lua: &Lua, text: &[u8], values: &Table) -> Result<Vec<u8>, LibError> {
    let (mut out, mut rest, mut growth) = (Vec::with_capacity(text.len()), text, Growth::default());
    while let Some(dollar) = memchr::memchr(b'$', rest) {
        out.extend_from_slice(&rest[..dollar]);
        let place = text.len() - rest.len() + dollar + 1;
        rest = &rest[dollar + 1..];
        match rest.first() {
            Some(b'$') => {
                out.push(b'$');
                rest = &rest[1..];
            }
            Some(b'{') => {
                let Some(end) = memchr::memchr(b'}', rest) else {
                    return Err(LibError::parse(format!(
                        "`${{` at byte {place} has no `}}`; `$$` is a dollar"
                    )));
                };
                let name = String::from_utf8_lossy(&rest[1..end]);
                put(&mut out, &name, look_up(&name, values)?)?;
                rest = &rest[end + 1..];
            }
            _ => out.push(b'$'),
        }
        growth.reached(lua, out.len())?;
    }
    out.extend_from_slice(rest);
    Ok(out)
}

/// The value of that very key, or of a path `a.b.1`.
fn look_up(name: &str, values: &Table) -> Result<Value, LibError> {
    let found = step(name, values)?;
    if !found.is_nil() || !name.contains('.') {
        return Ok(found);
    }
    let mut value = Value::Table(values.clone());
    for part in name.split('.') {
        let Value::Table(table) = value else {
            return Ok(Value::Nil);
        };
        value = step(part, &table)?;
    }
    Ok(value)
}

fn step(name: &str, table: &Table) -> Result<Value, LibError> {
    let found: Value = table.get(name)?;
    match name.parse::<i64>() {
        Ok(number) if found.is_nil() => Ok(table.get(number)?),
        _ => Ok(found),
    }
}

fn put(out: &mut Vec<u8>, name: &str, value: Value) -> Result<(), LibError> {
    match value {
        Value::String(text) => out.extend_from_slice(&text.as_bytes()),
        Value::Integer(_) | Value::Number(_) | Value::Boolean(_) => {
            out.extend_from_slice(value.to_string()?.as_bytes())
        }
        Value::Nil => return Err(LibError::invalid(format!("there is no value for `{name}`"))),
        value if has_text(&value) => out.extend_from_slice(value.to_string()?.as_bytes()),
        other => {
            let got = if other.is_null() { "null" } else { other.type_name() };
            return Err(LibError::invalid(format!(
                "the value for `{name}` must be a string or a number, got {got}"
            )));
        }
    }
    Ok(())
}

/// Whether `tostring` says more than an address.
fn has_text(value: &Value) -> bool {
    let meta = match value {
        Value::Table(table) => table.metatable(),
        Value::UserData(object) => {
            return object.metatable().is_ok_and(|meta| meta.contains("__tostring").unwrap_or(false));
        }
        _ => None,
    };
    meta.is_some_and(|meta| meta.contains_key("__tostring").unwrap_or(false))
}
