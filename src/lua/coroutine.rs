#![expect(
    unsafe_code,
    reason = "coroutine.resume as Lua's own, with one more line: hooks belong to a coroutine, so the running one is published"
)]
//! `coroutine.resume`, `wrap` and `close`, which tell the [`watchdog`] which coroutine runs.
//!
//! They are those of `lcorolib.c` (Lua 5.4) but for that.

use std::ffi::c_int;

use mlua::ffi::{self, lua_State};
use mlua::{Function, Lua, Table};

use super::watchdog;

/// Replaces the three functions.
///
/// # Errors
/// When Lua has no memory left.
pub fn install(lua: &Lua) -> mlua::Result<()> {
    let table: Table = lua.globals().raw_get("coroutine")?;
    for (name, function) in
        [("resume", resume as unsafe extern "C-unwind" fn(_) -> _), ("wrap", wrap), ("close", close)]
    {
        // SAFETY: the three functions follow the protocol of C functions of Lua
        let function: Function = unsafe { lua.create_c_function(function)? };
        table.raw_set(name, function)?;
    }
    Ok(())
}

/// # Safety
/// Called by Lua.
unsafe extern "C-unwind" fn resume(state: *mut lua_State) -> c_int {
    // SAFETY: the caller's promise; nothing here needs a drop when Lua jumps
    unsafe {
        let co = argument(state);
        match carry_on(state, co, ffi::lua_gettop(state) - 1) {
            Some(count) => {
                ffi::lua_pushboolean(state, 1);
                ffi::lua_insert(state, -(count + 1));
                count + 1
            }
            None => {
                ffi::lua_pushboolean(state, 0);
                ffi::lua_insert(state, -2);
                2
            }
        }
    }
}

/// # Safety
/// Called by Lua.
unsafe extern "C-unwind" fn wrap(state: *mut lua_State) -> c_int {
    // SAFETY: as in `resume`
    unsafe {
        ffi::luaL_checktype(state, 1, ffi::LUA_TFUNCTION);
        let co = ffi::lua_newthread(state);
        ffi::lua_pushvalue(state, 1);
        ffi::lua_xmove(state, co, 1);
        ffi::lua_pushcclosure(state, wrapped, 1);
        1
    }
}

/// What `wrap` returns.
///
/// # Safety
/// Called by Lua, with a coroutine as its upvalue.
unsafe extern "C-unwind" fn wrapped(state: *mut lua_State) -> c_int {
    // SAFETY: as in `resume`
    unsafe {
        let co = ffi::lua_tothread(state, ffi::lua_upvalueindex(1));
        if let Some(count) = carry_on(state, co, ffi::lua_gettop(state)) {
            return count;
        }
        let mut status = ffi::lua_status(co);
        if status != ffi::LUA_OK && status != ffi::LUA_YIELD {
            status = ended(state, co);
            ffi::lua_xmove(co, state, 1);
        }
        if status != ffi::LUA_ERRMEM && ffi::lua_type(state, -1) == ffi::LUA_TSTRING {
            ffi::luaL_where(state, 1);
            ffi::lua_insert(state, -2);
            ffi::lua_concat(state, 2);
        }
        ffi::lua_error(state)
    }
}

/// # Safety
/// Called by Lua.
unsafe extern "C-unwind" fn close(state: *mut lua_State) -> c_int {
    // SAFETY: as in `resume`
    unsafe {
        let co = argument(state);
        if co == state {
            return ffi::luaL_error(state, c"cannot close a running coroutine".as_ptr());
        }
        let suspended = match ffi::lua_status(co) {
            ffi::LUA_YIELD => true,
            // with a function on it that has not begun, or with nothing left to do; else it is one that resumed this one
            ffi::LUA_OK => ffi::lua_getstack(co, 0, &raw mut *activation().as_mut_ptr()) == 0,
            _ => true,
        };
        if !suspended {
            return ffi::luaL_error(state, c"cannot close a normal coroutine".as_ptr());
        }
        if ended(state, co) == ffi::LUA_OK {
            ffi::lua_pushboolean(state, 1);
            return 1;
        }
        ffi::lua_pushboolean(state, 0);
        ffi::lua_xmove(co, state, 1);
        2
    }
}

fn activation() -> std::mem::MaybeUninit<ffi::lua_Debug> {
    std::mem::MaybeUninit::zeroed()
}

/// # Safety
/// `state` is a live state inside of a C function.
unsafe fn argument(state: *mut lua_State) -> *mut lua_State {
    // SAFETY: the caller's promise
    unsafe {
        let co = ffi::lua_tothread(state, 1);
        if co.is_null() {
            ffi::luaL_checktype(state, 1, ffi::LUA_TTHREAD);
        }
        co
    }
}

/// Resumes `co` with the top `count` values. The number of results, which are on the stack then; `None` when the error
/// is.
///
/// # Safety
/// Both are live states of one Lua, and `state` is the running one.
unsafe fn carry_on(state: *mut lua_State, co: *mut lua_State, count: c_int) -> Option<c_int> {
    // SAFETY: the caller's promise. `lua_resume` returns in any case, so that the publishing is always undone.
    unsafe {
        if ffi::lua_checkstack(co, count) == 0 {
            ffi::lua_pushstring(state, c"too many arguments to resume".as_ptr());
            return None;
        }
        ffi::lua_xmove(state, co, count);
        let mut results = 0;
        watchdog::runs(co);
        let status = ffi::lua_resume(co, state, count, &raw mut results);
        watchdog::runs_again(state);
        if status != ffi::LUA_OK && status != ffi::LUA_YIELD {
            ffi::lua_xmove(co, state, 1);
            return None;
        }
        if ffi::lua_checkstack(state, results + 1) == 0 {
            ffi::lua_settop(co, -results - 1);
            ffi::lua_pushstring(state, c"too many results to resume".as_ptr());
            return None;
        }
        ffi::lua_xmove(co, state, results);
        Some(results)
    }
}

/// Closes `co`, with what it has to close; the status of the last error, which is on its stack then.
///
/// # Safety
/// As [`carry_on`].
unsafe fn ended(state: *mut lua_State, co: *mut lua_State) -> c_int {
    // SAFETY: the caller's promise; errors of what is closed are caught by `lua_closethread`
    unsafe {
        watchdog::runs(co);
        let status = ffi::lua_closethread(co, state);
        watchdog::runs_again(state);
        status
    }
}
