//! JSON pointers (RFC 6901).

use mlua::{LuaString, Value};

use crate::lua::error::LibError;

/// What the pointer names; nil where there is nothing.
pub(super) fn pointer(value: Value, at: &LuaString) -> Result<Value, LibError> {
    let at = at.to_str().map_err(|_| LibError::invalid("argument 2 (pointer) must be UTF-8"))?;
    if at.is_empty() {
        return Ok(value);
    }
    let Some(rest) = at.strip_prefix('/') else {
        return Err(LibError::invalid(format!(
            "argument 2 (pointer) must be empty or start with `/`, got `{}`",
            &*at
        )));
    };
    let mut value = value;
    for token in rest.split('/') {
        let Value::Table(table) = value else {
            return Ok(Value::Nil);
        };
        let token = token.replace("~1", "/").replace("~0", "~");
        value = table.raw_get(token.as_str())?;
        if value.is_nil() {
            let digits =
                token == "0" || (!token.starts_with('0') && token.bytes().all(|byte| byte.is_ascii_digit()));
            let Some(index) = token.parse::<i64>().ok().filter(|index| digits && *index < i64::MAX) else {
                return Ok(Value::Nil);
            };
            value = table.raw_get(index + 1)?;
        }
    }
    Ok(value)
}
