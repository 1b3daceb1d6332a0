//! `put_with(options, ...)`: the options of a put, read and checked.

use mlua::{Function, LuaString, Table, Value};

use super::error::LibError;
use super::module::global_function;
use super::options::Options;
use super::state::State;
use crate::model::task::{TaskOptions, key_hash};
use crate::wire::value;

/// First byte of the keys of generated tasks that are no strings, before the code of the value.
const GENERATED: u8 = 0xff;

/// The second form of a `put`: options first. `set` gets them right before `put` is called.
///
/// # Errors
/// When Lua has no memory left.
pub fn with_options(
    state: &State,
    put: &Function,
    set: impl Fn(TaskOptions) + 'static,
) -> mlua::Result<Function> {
    let set = global_function(state.lua(), "put_with(options, ...)", move |_, table: Table| {
        set(read(table)?);
        Ok(())
    })?;
    state.prelude("with_options")?.call((set, put))
}

fn read(table: Table) -> Result<TaskOptions, LibError> {
    let mut options = Options::new(Some(table));
    let key = options.value("key")?.map(key_bytes).transpose()?;
    let priority = options.int("priority")?.unwrap_or(0);
    let delay = options.duration("delay")?.unwrap_or_default();
    options.finish()?;
    let priority = i32::try_from(priority)
        .map_err(|_| LibError::invalid(format!("priority must be between {} and {}", i32::MIN, i32::MAX)))?;
    let delay_ns = u64::try_from(delay.as_nanos()).unwrap_or(u64::MAX);
    Ok(TaskOptions { key, priority, delay_ns, cancelled: false })
}

/// The hashes under which tasks with this key are known: that of a put, and where a source spells it in another way, that
/// of a generated task.
///
/// # Errors
/// When it is no key.
pub fn key_hashes(key: Value) -> Result<Vec<u128>, LibError> {
    let mut generated = vec![GENERATED];
    match &key {
        Value::Integer(number) => value::encode_int(&mut generated, *number),
        Value::Number(number) => value::encode_float(&mut generated, *number),
        Value::Boolean(flag) => generated.push(if *flag { value::TRUE } else { value::FALSE }),
        _ => generated.clear(),
    }
    let mut hashes = vec![key_hash(&key_bytes(key)?)];
    if !generated.is_empty() {
        hashes.push(key_hash(&generated));
    }
    Ok(hashes)
}

/// Strings as they are; numbers and booleans so that `1` and `"1"` differ.
fn key_bytes(key: Value) -> Result<Box<[u8]>, LibError> {
    let text: LuaString = match key {
        Value::String(text) => text,
        Value::Integer(number) => return Ok(format!("\0i{number}").into_bytes().into()),
        Value::Number(number) => return Ok(format!("\0n{number:?}").into_bytes().into()),
        Value::Boolean(flag) => return Ok(format!("\0b{flag}").into_bytes().into()),
        other => {
            let kind = other.type_name();
            return Err(LibError::invalid(format!(
                "key must be a string, a number or a boolean, got {kind}"
            )));
        }
    };
    Ok(text.as_bytes().to_vec().into())
}
