#![expect(unsafe_code, reason = "a put encodes its arguments on the raw Lua stack, as the bridge does")]
//! Functions through which values leave a state: `put`, `emit`, `task.save`.

use std::ffi::{c_int, c_void};

use mlua::Function;
use mlua::ffi::{self, lua_State};

use super::call::{Bridge, Held};
use super::stack;

/// What happens with the encoded values; a sentence when they are refused.
pub type Sink = Box<dyn FnMut(&[u8]) -> Result<(), String>>;

struct Port {
    what: What,
    buffer: Vec<u8>,
    sink: Sink,
    refusal: String,
    /// Of the library's error tables.
    error_metatable: Held,
}

enum What {
    Arguments,
    Row,
    State,
}

/// A function that encodes its arguments as a list and gives them to `sink`: `put`.
///
/// # Errors
/// When Lua has no memory left.
pub fn arguments(bridge: &Bridge, sink: Sink) -> mlua::Result<Function> {
    port(bridge, What::Arguments, sink)
}

/// A function that encodes its one argument and gives it to `sink`: `emit`.
///
/// # Errors
/// When Lua has no memory left.
pub fn row(bridge: &Bridge, sink: Sink) -> mlua::Result<Function> {
    port(bridge, What::Row, sink)
}

/// A function that encodes its one argument, which is nil when there is none, and gives it to `sink`: `task.save`.
///
/// # Errors
/// When Lua has no memory left.
pub fn state(bridge: &Bridge, sink: Sink) -> mlua::Result<Function> {
    port(bridge, What::State, sink)
}

fn port(bridge: &Bridge, what: What, sink: Sink) -> mlua::Result<Function> {
    let error_metatable = bridge.error_metatable;
    let port = Port { what, buffer: Vec::new(), sink, refusal: String::new(), error_metatable };
    // the state lives for ever, and so does what its functions point to
    let port = Box::into_raw(Box::new(port));
    // SAFETY: pushes one closure, which becomes the result
    unsafe {
        bridge.lua.exec_raw((), |state| {
            ffi::lua_pushlightuserdata(state, port.cast::<c_void>());
            ffi::lua_pushcclosure(state, leave, 1);
        })
    }
}

impl Port {
    /// Whether the values left; `refusal` says why when they did not.
    ///
    /// # Safety
    /// `state` is a live state with the arguments of the call on its stack.
    unsafe fn take(&mut self, state: *mut lua_State) -> bool {
        self.buffer.clear();
        // SAFETY: the caller's promise; an `emit()` without argument reads index 1 as nil
        let encoded = unsafe {
            match self.what {
                What::Arguments => stack::encode_list(state, 1, ffi::lua_gettop(state), &mut self.buffer)
                    .map_err(|error| error.sentence("put: argument")),
                What::Row | What::State => {
                    let root = if matches!(self.what, What::Row) { "emit: row" } else { "task.save: state" };
                    ffi::lua_settop(state, 1);
                    stack::encode_value(state, 1, &mut self.buffer).map_err(|error| error.sentence(root))
                }
            }
        };
        match encoded.and_then(|()| (self.sink)(&self.buffer)) {
            Ok(()) => true,
            Err(refusal) => {
                self.refusal = refusal;
                false
            }
        }
    }
}

/// # Safety
/// Called by Lua, with a pointer to a [`Port`] as its upvalue.
unsafe extern "C-unwind" fn leave(state: *mut lua_State) -> c_int {
    // SAFETY: the caller's promise; a port is never freed, and its state is used by one thread. `take` has dropped
    // what it owned before anything here can jump.
    unsafe {
        let port = ffi::lua_touserdata(state, ffi::lua_upvalueindex(1)).cast::<Port>();
        if (*port).take(state) {
            return 0;
        }
        ffi::lua_settop(state, 0);
        ffi::lua_createtable(state, 0, 3);
        let refusal = &(*port).refusal;
        ffi::lua_pushlstring(state, refusal.as_ptr().cast(), refusal.len());
        ffi::lua_setfield(state, 1, c"message".as_ptr());
        ffi::lua_pushlstring(state, b"value".as_ptr().cast(), 5);
        ffi::lua_setfield(state, 1, c"code".as_ptr());
        ffi::lua_pushboolean(state, 0);
        ffi::lua_setfield(state, 1, c"retryable".as_ptr());
        (*port).error_metatable.push(state);
        ffi::lua_setmetatable(state, 1);
        ffi::lua_error(state)
    }
}
