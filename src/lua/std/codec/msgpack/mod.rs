//! MessagePack: Lua values as compact bytes.

use mlua::{Lua, Value};

use crate::lua::error::LibError;
use crate::lua::tape::{self, Shape, Tape};

mod decode;
mod encode;

/// # Errors
/// `invalid` with the path of what MessagePack cannot hold.
pub(super) fn encode(lua: &Lua, value: &Value) -> Result<Vec<u8>, LibError> {
    encode::encode(&tape::take(lua, value, Shape { format: "MessagePack", sorted: true })?)
}

/// # Errors
/// `parse` with the place of what is wrong.
pub(super) fn decode(lua: &Lua, bytes: &[u8]) -> Result<Value, LibError> {
    let mut tape = Tape::default();
    decode::decode(bytes, &mut tape)?;
    tape::push(lua, &tape, &Value::NULL)
}
