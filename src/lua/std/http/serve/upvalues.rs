//! The variables that a function has from around it. mlua has no way to them, so this is the raw stack.
#![expect(
    unsafe_code,
    reason = "lua_getupvalue and lua_setupvalue have no safe form in mlua, and `debug` is not loaded"
)]

use mlua::{Function, Lua, MultiValue, Value, ffi};

/// Most that a Lua function can have.
const MOST: i32 = 255;

/// Names and values, in the order of the function.
///
/// # Errors
/// When Lua has no memory left.
pub(super) fn of(lua: &Lua, function: &Function) -> mlua::Result<Vec<(String, Value)>> {
    // SAFETY: mlua runs the closure in protected mode with the function as the only value, at index 1. The space for
    // a name and a value of each upvalue is asked for first (`luaL_checkstack` raises, which the protected mode
    // takes). The closure owns nothing that would need a drop when Lua leaves it by an error.
    let values: MultiValue = unsafe {
        lua.exec_raw(function.clone(), |state| {
            ffi::luaL_checkstack(state, 2 * MOST + 2, std::ptr::null());
            for index in 1..=MOST {
                let name = ffi::lua_getupvalue(state, 1, index);
                if name.is_null() {
                    break;
                }
                ffi::lua_pushstring(state, name);
            }
            ffi::lua_remove(state, 1);
        })
    }?;
    let mut values = values.into_iter();
    let mut found = Vec::new();
    while let (Some(value), Some(name)) = (values.next(), values.next()) {
        found.push((name.to_string()?, value));
    }
    Ok(found)
}

/// Sets the upvalue with that number, from 1.
///
/// # Errors
/// When Lua has no memory left.
pub(super) fn set(lua: &Lua, function: &Function, index: usize, value: Value) -> mlua::Result<()> {
    let index = i32::try_from(index).unwrap_or(MOST + 1);
    // SAFETY: as above, with the function at index 1 and the value at 2. `lua_setupvalue` takes the value off the
    // stack, or leaves it when there is no such upvalue; `lua_settop` clears what is left in both cases.
    unsafe {
        lua.exec_raw((function.clone(), value), |state| {
            ffi::lua_setupvalue(state, 1, index);
            ffi::lua_settop(state, 0);
        })
    }
}
