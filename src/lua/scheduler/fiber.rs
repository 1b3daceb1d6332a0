#![expect(unsafe_code, reason = "coroutines are begun, resumed and read on their raw states")]
//! One coroutine of the scheduler.

use std::ffi::c_int;
use std::rc::Rc;

use mlua::ffi::{self, lua_State};
use mlua::{Function, Lua, MultiValue, Thread, Value};

use super::{Child, Family, Finish, Wait};
use crate::lua::call::{self, FiberCall, Seen};
use crate::lua::coroutine::{self, Back};

/// A coroutine that the scheduler resumes.
pub(super) struct Fiber {
    /// Keeps it alive.
    pub thread: Thread,
    pub family: Family,
    pub body: Body,
    /// Values on its stack for its first resume.
    pub count: c_int,
    pub phase: Phase,
    pub wait: Option<Wait>,
    pub finish: Option<Finish>,
    /// Every wait from now on raises.
    pub cancelled: bool,
    /// Its `math.random`, while it does not run.
    pub words: [u64; 4],
    /// What its message handler saw, when what had to be closed then waited.
    pub raised: Option<Seen>,
}

pub(super) enum Body {
    /// The call of the family's owner.
    Head(Box<FiberCall>),
    Child(Rc<Child>),
    None,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Ready,
    Runs,
    Waits,
}

impl Fiber {
    pub fn new(thread: Thread, family: Family, body: Body, count: c_int, words: [u64; 4]) -> Self {
        Fiber {
            thread,
            family,
            body,
            count,
            phase: Phase::Ready,
            wait: None,
            finish: None,
            cancelled: false,
            words,
            raised: None,
        }
    }

    pub fn base(&self) -> *mut lua_State {
        self.thread.state()
    }
}

/// A coroutine that is about to carry out the call, which stays where it is; an idle one is used again.
pub(super) fn with_call(lua: &Lua, idle: Option<Thread>, call: &FiberCall) -> mlua::Result<(Thread, c_int)> {
    let thread = match idle {
        Some(thread) => thread,
        None => {
            // SAFETY: the function follows the protocol of C functions of Lua
            let body: Function = unsafe { lua.create_c_function(call::carry_out_in_fiber)? };
            let thread = lua.create_thread(body)?;
            // SAFETY: takes the function off again, so that both ways are the same
            unsafe { ffi::lua_settop(thread.state(), 0) };
            thread
        }
    };
    let base = thread.state();
    // SAFETY: the coroutine is new or has ended with an empty stack, which has room for two values that need no memory.
    // The call is boxed and lives as long as its coroutine runs: see `Scheduler::end`.
    unsafe {
        ffi::lua_pushcfunction(base, call::carry_out_in_fiber);
        ffi::lua_pushlightuserdata(base, std::ptr::from_ref(call).cast_mut().cast());
    }
    Ok((thread, 1))
}

/// A coroutine that is about to call `function` in protected mode.
pub(super) fn with_function(
    lua: &Lua,
    pcall: &Function,
    function: &Function,
    arguments: MultiValue,
) -> mlua::Result<(Thread, c_int)> {
    let thread = lua.create_thread(pcall.clone())?;
    let base = thread.state();
    let mut values = arguments;
    values.push_front(Value::Function(function.clone()));
    let count = c_int::try_from(values.len()).map_err(mlua::Error::external)?;
    let mut moved = false;
    // SAFETY: the values are on top of the stack of `state`, another coroutine of the same Lua
    unsafe {
        lua.exec_raw::<()>(values, |state| {
            if ffi::lua_checkstack(base, count + 1) != 0 {
                ffi::lua_xmove(state, base, count);
                moved = true;
            } else {
                ffi::lua_settop(state, 0);
            }
        })?;
    }
    match moved {
        true => Ok((thread, count)),
        false => Err(mlua::Error::runtime("too many arguments")),
    }
}

/// Runs the coroutine until it waits or ends.
pub(super) fn resume(base: *mut lua_State, count: c_int) -> Back {
    // SAFETY: the scheduler resumes a coroutine that is new or waits, and each only once at a time; it is called by the
    // thread's loop, or by a call that waits
    unsafe { coroutine::carry_base(base, count) }
}

/// Ends what is left of it, wherever it is.
pub(super) fn end(base: *mut lua_State) {
    // SAFETY: as above; nothing resumes it any more
    unsafe { coroutine::end_base(base) }
}

/// What a child has come to: `true` and its results, or `false` and the error.
pub(super) fn results(lua: &Lua, fiber: &Fiber, back: Back) -> mlua::Result<MultiValue> {
    let base = fiber.base();
    let count = match back {
        Back::Returned(count) => count,
        // it was pcall that returned; only a lack of memory raises past it
        _ => {
            end(base);
            return Err(mlua::Error::MemoryError("not enough memory".into()));
        }
    };
    let mut moved = true;
    // SAFETY: the results are on the stack of `base`, which has ended; they go to another coroutine of the same Lua
    let values = unsafe {
        lua.exec_raw::<MultiValue>((), |state| {
            moved = ffi::lua_checkstack(state, count) != 0;
            if moved {
                ffi::lua_xmove(base, state, count);
            } else {
                ffi::lua_settop(base, 0);
            }
        })?
    };
    match moved {
        true => Ok(values),
        false => Err(mlua::Error::runtime("too many results")),
    }
}
