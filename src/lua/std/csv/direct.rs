#![expect(unsafe_code, reason = "a row is read over the raw Lua stack: half of what a tape of it costs")]
//! Rows that are plain lists, from Lua into the buffer at once.

use std::ffi::c_int;

use mlua::ffi::{self, lua_State};
use mlua::{Lua, Table};

use super::print::Printer;
use crate::lua::stack::string_at;

/// Whether the row is written. What is no list of as many scalars as there are columns is left to the slow way, which has
/// the errors.
///
/// # Errors
/// When Lua has no memory left.
pub(super) fn row(lua: &Lua, row: &Table, printer: &mut Printer) -> mlua::Result<bool> {
    let start = printer.out.len();
    let mut is_written = false;
    // SAFETY: the closure calls nothing of Lua that raises, and gives nothing back
    unsafe {
        lua.exec_raw::<()>(row, |state| {
            is_written = put(state, printer);
            ffi::lua_settop(state, 0);
        })?;
    }
    if !is_written {
        printer.out.truncate(start);
    }
    Ok(is_written)
}

/// # Safety
/// `state` is a live state with a table alone on its stack, and room for two more.
unsafe fn put(state: *mut lua_State, printer: &mut Printer) -> bool {
    const KEY: c_int = 2;
    // SAFETY: the caller's promise; `lua_next` leaves key and value, the value is popped before the next turn
    unsafe {
        let columns = ffi::lua_rawlen(state, 1) as i64;
        // what has a metatable may be a date
        if columns == 0 || !printer.takes(columns as usize) || ffi::lua_getmetatable(state, 1) != 0 {
            return false;
        }
        let mut column = 0;
        ffi::lua_pushnil(state);
        while ffi::lua_next(state, 1) != 0 {
            column += 1;
            if ffi::lua_isinteger(state, KEY) == 0 || ffi::lua_tointeger(state, KEY) != column {
                return false;
            }
            if column > 1 {
                printer.separate();
            }
            if !cell(state, KEY + 1, columns == 1, printer) {
                return false;
            }
            ffi::lua_settop(state, KEY);
        }
        if column == columns {
            printer.end(columns as usize);
        }
        column == columns
    }
}

/// # Safety
/// `index` is an index of the live state's stack.
unsafe fn cell(state: *mut lua_State, index: c_int, is_alone: bool, printer: &mut Printer) -> bool {
    // SAFETY: the caller's promise; a string's bytes live as long as it is on the stack
    unsafe {
        match ffi::lua_type(state, index) {
            ffi::LUA_TSTRING => printer.cell(string_at(state, index), is_alone),
            ffi::LUA_TNUMBER if ffi::lua_isinteger(state, index) != 0 => {
                printer.shown(ffi::lua_tointeger(state, index), is_alone);
            }
            ffi::LUA_TNUMBER => printer.shown(ffi::lua_tonumber(state, index), is_alone),
            ffi::LUA_TBOOLEAN => printer.shown(ffi::lua_toboolean(state, index) != 0, is_alone),
            ffi::LUA_TLIGHTUSERDATA if ffi::lua_touserdata(state, index).is_null() => {
                printer.cell(b"", is_alone);
            }
            _ => return false,
        }
    }
    true
}
