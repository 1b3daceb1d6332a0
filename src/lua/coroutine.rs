#![expect(
    unsafe_code,
    reason = "the functions of lcorolib.c on raw states, with three more lines: see below"
)]
//! The scripts' `coroutine`, as in `lcorolib.c` (Lua 5.4) but for three things.
//!
//! They tell the [`watchdog`] which coroutine runs, as hooks belong to a coroutine.
//!
//! A library call that waits, in a coroutine of the scheduler, yields a mark that no script can have. When it comes out
//! of a script's own coroutine, `resume` and `wrap` do not return: they yield it in turn, up to the scheduler, and resume
//! the script's coroutine when they are resumed. So the script never sees it, and its coroutine is `normal` meanwhile.
//!
//! And the coroutine in which the scheduler runs a task is to the script what the main one is without a scheduler.

use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::ptr;

use mlua::ffi::{self, lua_State};
use mlua::{Function, Lua, Table};

use super::watchdog;

type CFunction = unsafe extern "C-unwind" fn(*mut lua_State) -> c_int;

/// Its address is the mark of a coroutine that waits.
static WAITS: u8 = 0;

/// What the running coroutine may do.
struct Around {
    /// The one that the scheduler resumed; null: none.
    base: Cell<*mut lua_State>,
    /// Whether a yield of the running one can go on up to the scheduler.
    passes: Cell<bool>,
}

thread_local! {
    static AROUND: Around = const { Around { base: Cell::new(ptr::null_mut()), passes: Cell::new(false) } };
}

/// Replaces the functions.
///
/// # Errors
/// When Lua has no memory left.
pub fn install(lua: &Lua) -> mlua::Result<()> {
    let table: Table = lua.globals().raw_get("coroutine")?;
    let functions: [(&str, CFunction); 7] = [
        ("resume", resume),
        ("wrap", wrap),
        ("close", close),
        ("yield", yield_),
        ("status", status),
        ("running", running),
        ("isyieldable", is_yieldable),
    ];
    for (name, function) in functions {
        // SAFETY: the functions follow the protocol of C functions of Lua
        let function: Function = unsafe { lua.create_c_function(function)? };
        table.raw_set(name, function)?;
    }
    Ok(())
}

/// Leaves the coroutine until the scheduler resumes it, with `then`; to be called only where [`can_wait`], as the last of a
/// C function.
///
/// # Safety
/// `state` is the running one, and no frame between it and Lua owns anything.
pub(super) unsafe fn wait_in(
    state: *mut lua_State,
    then: unsafe extern "C-unwind" fn(*mut lua_State, c_int, ffi::lua_KContext) -> c_int,
) -> c_int {
    // SAFETY: the caller's promise
    unsafe {
        ffi::lua_settop(state, 0);
        ffi::lua_pushlightuserdata(state, waits());
        ffi::lua_yieldk(state, 1, 0, Some(then))
    }
}

fn waits() -> *mut c_void {
    (&raw const WAITS).cast_mut().cast()
}

/// Whether the running coroutine can yield to the scheduler, through all that resumed it.
pub(super) fn can_wait() -> bool {
    AROUND.with(|around| {
        let running = watchdog::running();
        // SAFETY: where there is a base, the running coroutine is published, and it is alive while it runs
        !around.base.get().is_null() && around.passes.get() && unsafe { ffi::lua_isyieldable(running) != 0 }
    })
}

/// Whether a coroutine of the scheduler runs.
pub(super) fn has_base() -> bool {
    AROUND.with(|around| !around.base.get().is_null())
}

/// How a coroutine of the scheduler came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Back {
    /// In a call that waits.
    Waits,
    /// With so many results on its stack.
    Returned(c_int),
    /// With an error on its stack.
    Raised,
}

/// Resumes a coroutine of the scheduler with the top `count` values of its stack, or out of a call that waits.
///
/// # Safety
/// `base` is a live coroutine of this thread's state that has not begun, or that came back with [`Back::Waits`]. No Lua
/// code of the state is in the middle of anything but a call that waits for this to return.
pub(super) unsafe fn carry_base(base: *mut lua_State, count: c_int) -> Back {
    let outer = watchdog::running();
    let (old_base, old_passes) =
        AROUND.with(|around| (around.base.replace(base), around.passes.replace(true)));
    // SAFETY: the caller's promise; `lua_resume` returns in any case. `outer` is null or a live coroutine.
    let back = unsafe {
        if ffi::lua_status(base) == ffi::LUA_YIELD {
            ffi::lua_settop(base, -2);
        }
        let mut results = 0;
        watchdog::runs(base);
        let status = ffi::lua_resume(base, outer, count, &raw mut results);
        if outer.is_null() {
            watchdog::runs(outer);
        } else {
            watchdog::runs_again(outer);
        }
        match status {
            ffi::LUA_OK => Back::Returned(results),
            ffi::LUA_YIELD if is_waiting(base) => Back::Waits,
            // nothing else yields here: see `yield_`
            _ => Back::Raised,
        }
    };
    AROUND.with(|around| {
        around.base.set(old_base);
        around.passes.set(old_passes);
    });
    back
}

/// Ends a coroutine of the scheduler wherever it is, and closes what it has to close. It can begin again then.
///
/// # Safety
/// As [`carry_base`], or it has come back in another way.
pub(super) unsafe fn end_base(base: *mut lua_State) {
    let outer = watchdog::running();
    let (old_base, old_passes) =
        AROUND.with(|around| (around.base.replace(base), around.passes.replace(false)));
    // SAFETY: the caller's promise; errors of what is closed are caught
    unsafe {
        watchdog::runs(base);
        ffi::lua_closethread(base, outer);
        ffi::lua_settop(base, 0);
        if outer.is_null() {
            watchdog::runs(outer);
        } else {
            watchdog::runs_again(outer);
        }
    }
    AROUND.with(|around| {
        around.base.set(old_base);
        around.passes.set(old_passes);
    });
}

/// Whether `co`, which does not run, is inside of a library call that waits.
///
/// # Safety
/// `co` is a live state.
unsafe fn is_waiting(co: *mut lua_State) -> bool {
    // SAFETY: the caller's promise
    unsafe {
        ffi::lua_status(co) == ffi::LUA_YIELD
            && ffi::lua_gettop(co) > 0
            && ffi::lua_type(co, -1) == ffi::LUA_TLIGHTUSERDATA
            && ffi::lua_touserdata(co, -1) == waits()
    }
}

/// # Safety
/// Called by Lua.
unsafe extern "C-unwind" fn resume(state: *mut lua_State) -> c_int {
    // SAFETY: the caller's promise; nothing here needs a drop when Lua jumps
    unsafe {
        let co = argument(state);
        let carried = match is_waiting(co) {
            true => refused(state),
            false => carry_on(state, co, ffi::lua_gettop(state) - 1),
        };
        resumed(state, carried)
    }
}

/// # Safety
/// Called by Lua when the scheduler has resumed `state`, whose first value is the coroutine that waited.
unsafe extern "C-unwind" fn resume_again(state: *mut lua_State, _: c_int, _: ffi::lua_KContext) -> c_int {
    // SAFETY: as in `resume`
    unsafe {
        let co = ffi::lua_tothread(state, 1);
        ffi::lua_settop(co, -2);
        let carried = carry_on(state, co, 0);
        resumed(state, carried)
    }
}

/// # Safety
/// As in `resume`; the first value of `state` is the coroutine.
unsafe fn resumed(state: *mut lua_State, carried: Carried) -> c_int {
    // SAFETY: the caller's promise
    unsafe {
        match carried {
            Carried::Values(count) => {
                ffi::lua_pushboolean(state, 1);
                ffi::lua_insert(state, -(count + 1));
                count + 1
            }
            Carried::Raised => {
                ffi::lua_pushboolean(state, 0);
                ffi::lua_insert(state, -2);
                2
            }
            Carried::Waits => {
                ffi::lua_settop(state, 1);
                ffi::lua_pushlightuserdata(state, waits());
                ffi::lua_yieldk(state, 1, 0, Some(resume_again))
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
        let carried = match is_waiting(co) {
            true => refused(state),
            false => carry_on(state, co, ffi::lua_gettop(state)),
        };
        wrapped_resumed(state, co, carried)
    }
}

/// # Safety
/// As `resume_again`, with the coroutine as its upvalue.
unsafe extern "C-unwind" fn wrapped_again(state: *mut lua_State, _: c_int, _: ffi::lua_KContext) -> c_int {
    // SAFETY: as in `resume`
    unsafe {
        let co = ffi::lua_tothread(state, ffi::lua_upvalueindex(1));
        ffi::lua_settop(co, -2);
        let carried = carry_on(state, co, 0);
        wrapped_resumed(state, co, carried)
    }
}

/// # Safety
/// As `wrapped`; `co` is its coroutine.
unsafe fn wrapped_resumed(state: *mut lua_State, co: *mut lua_State, carried: Carried) -> c_int {
    // SAFETY: the caller's promise
    unsafe {
        match carried {
            Carried::Values(count) => return count,
            Carried::Waits => {
                ffi::lua_settop(state, 0);
                ffi::lua_pushlightuserdata(state, waits());
                return ffi::lua_yieldk(state, 1, 0, Some(wrapped_again));
            }
            Carried::Raised => {}
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
unsafe extern "C-unwind" fn yield_(state: *mut lua_State) -> c_int {
    // SAFETY: as in `resume`
    unsafe {
        if AROUND.with(|around| around.base.get()) == state {
            return ffi::luaL_error(state, c"attempt to yield from outside a coroutine".as_ptr());
        }
        ffi::lua_yield(state, ffi::lua_gettop(state))
    }
}

/// # Safety
/// Called by Lua.
unsafe extern "C-unwind" fn status(state: *mut lua_State) -> c_int {
    // SAFETY: as in `resume`
    unsafe {
        let co = argument(state);
        let name = if co == state {
            c"running"
        } else {
            match ffi::lua_status(co) {
                ffi::LUA_YIELD if is_waiting(co) => c"normal",
                ffi::LUA_YIELD => c"suspended",
                ffi::LUA_OK if ffi::lua_getstack(co, 0, activation().as_mut_ptr()) != 0 => c"normal",
                ffi::LUA_OK if ffi::lua_gettop(co) == 0 => c"dead",
                ffi::LUA_OK => c"suspended",
                _ => c"dead",
            }
        };
        ffi::lua_pushstring(state, name.as_ptr());
        1
    }
}

/// # Safety
/// Called by Lua.
unsafe extern "C-unwind" fn running(state: *mut lua_State) -> c_int {
    // SAFETY: as in `resume`
    unsafe {
        let is_main = ffi::lua_pushthread(state) == 1;
        let is_base = AROUND.with(|around| around.base.get()) == state;
        ffi::lua_pushboolean(state, c_int::from(is_main || is_base));
        2
    }
}

/// # Safety
/// Called by Lua.
unsafe extern "C-unwind" fn is_yieldable(state: *mut lua_State) -> c_int {
    // SAFETY: as in `resume`
    unsafe {
        let co =
            if ffi::lua_type(state, 1) == ffi::LUA_TTHREAD { ffi::lua_tothread(state, 1) } else { state };
        let is_base = AROUND.with(|around| around.base.get()) == co;
        ffi::lua_pushboolean(state, c_int::from(!is_base && ffi::lua_isyieldable(co) != 0));
        1
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
            ffi::LUA_YIELD => !is_waiting(co),
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

/// How a script's coroutine came back.
enum Carried {
    /// With so many values, which are on the stack of the one that resumed it.
    Values(c_int),
    /// With an error, which is there.
    Raised,
    /// In a call that waits.
    Waits,
}

/// # Safety
/// `state` is the running one.
unsafe fn refused(state: *mut lua_State) -> Carried {
    // SAFETY: the caller's promise; there is room for one more in any C function
    unsafe { ffi::lua_pushstring(state, c"cannot resume non-suspended coroutine".as_ptr()) };
    Carried::Raised
}

/// Resumes `co` with the top `count` values.
///
/// # Safety
/// Both are live states of one Lua, and `state` is the running one.
unsafe fn carry_on(state: *mut lua_State, co: *mut lua_State, count: c_int) -> Carried {
    // SAFETY: the caller's promise. `lua_resume` returns in any case, so that the publishing is always undone.
    unsafe {
        if ffi::lua_checkstack(co, count) == 0 {
            ffi::lua_pushstring(state, c"too many arguments to resume".as_ptr());
            return Carried::Raised;
        }
        ffi::lua_xmove(state, co, count);
        let mut results = 0;
        watchdog::runs(co);
        let passed = AROUND
            .with(|around| around.passes.replace(around.passes.get() && ffi::lua_isyieldable(state) != 0));
        let status = ffi::lua_resume(co, state, count, &raw mut results);
        AROUND.with(|around| around.passes.set(passed));
        watchdog::runs_again(state);
        if status == ffi::LUA_YIELD && is_waiting(co) {
            return Carried::Waits;
        }
        if status != ffi::LUA_OK && status != ffi::LUA_YIELD {
            ffi::lua_xmove(co, state, 1);
            return Carried::Raised;
        }
        if ffi::lua_checkstack(state, results + 1) == 0 {
            ffi::lua_settop(co, -results - 1);
            ffi::lua_pushstring(state, c"too many results to resume".as_ptr());
            return Carried::Raised;
        }
        ffi::lua_xmove(co, state, results);
        Carried::Values(results)
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
        // what is closed runs outside of any coroutine that could be resumed again
        let passed = AROUND.with(|around| around.passes.replace(false));
        let status = ffi::lua_closethread(co, state);
        AROUND.with(|around| around.passes.set(passed));
        watchdog::runs_again(state);
        status
    }
}
