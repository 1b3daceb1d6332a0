#![expect(
    unsafe_code,
    reason = "a library function costs half as much when its values do not pass through lists of Rust's"
)]
//! How a script's call comes to a function of the library, and how its results or its error come back.
//!
//! What scripts call is a function of C ([`call`]) around one of Rust. The inner one takes its arguments from its stack
//! and has no results for Lua: it leaves them on a stack beside, and says what they are. The outer one moves them over,
//! raises them as they are (which Rust cannot do), or yields until they are there.

use std::cell::Cell;
use std::ffi::c_int;
use std::ptr;

use mlua::ffi::{self, lua_State};
use mlua::{FromLuaMulti, Function, IntoLuaMulti, Lua, Thread, Value};

use super::coroutine;

/// What the inner function has left.
#[derive(Clone, Copy)]
enum Left {
    /// So many results.
    Results(c_int),
    /// An error to be raised.
    Error,
    /// Nothing yet: the coroutine has to wait.
    Nothing,
}

/// What the two functions of a call tell each other. Nothing of Lua runs between a word of one and the other's reading.
struct Words {
    /// The stack beside, of the state that calls.
    beside: Cell<*mut lua_State>,
    arguments: Cell<c_int>,
    left: Cell<Left>,
}

thread_local! {
    static WORDS: Words = const {
        Words { beside: Cell::new(ptr::null_mut()), arguments: Cell::new(0), left: Cell::new(Left::Nothing) }
    };
}

/// The stack beside of a state, and what a coroutine that waited calls.
struct Kept {
    beside: Thread,
    take: Function,
}

/// A call that has come in; to be asked for first of all in the inner function.
#[derive(Clone, Copy)]
pub(super) struct Call {
    beside: *mut lua_State,
    arguments: c_int,
}

impl Call {
    /// The one that has come in; each is told once.
    ///
    /// # Errors
    /// When there is none: a script has found the inner function (`debug.getinfo` shows it) and calls it by itself.
    pub fn here() -> mlua::Result<Self> {
        WORDS.with(|words| match words.beside.replace(ptr::null_mut()) {
            beside if beside.is_null() => {
                Err(mlua::Error::runtime("the inside of a library function was called"))
            }
            beside => Ok(Self { beside, arguments: words.arguments.get() }),
        })
    }

    /// What the script gave.
    ///
    /// # Errors
    /// When it does not fit.
    pub fn arguments<A: FromLuaMulti>(self, lua: &Lua) -> mlua::Result<A> {
        // SAFETY: this is the first that the inner function does with its stack, so they are on top of it
        lua.exec_raw_lua(|raw| unsafe { A::from_stack_args(self.arguments, 1, None, raw) })
    }

    /// The results.
    ///
    /// # Errors
    /// When Lua has no memory left.
    pub fn give(self, lua: &Lua, results: impl IntoLuaMulti) -> mlua::Result<()> {
        let count = self.leave(lua, results)?;
        WORDS.with(|words| words.left.set(Left::Results(count)));
        Ok(())
    }

    /// The value is raised as it is.
    ///
    /// # Errors
    /// When Lua has no memory left.
    pub fn raise(self, lua: &Lua, error: Value) -> mlua::Result<()> {
        self.leave(lua, error)?;
        WORDS.with(|words| words.left.set(Left::Error));
        Ok(())
    }

    /// The coroutine waits; then the function is called that is kept for that.
    pub fn wait(self) {
        WORDS.with(|words| words.left.set(Left::Nothing));
    }

    fn leave(self, lua: &Lua, values: impl IntoLuaMulti) -> mlua::Result<c_int> {
        // SAFETY: values are pushed where mlua has them pushed, onto the stack that runs, and all go to another one of the
        // same state, which has room for them
        lua.exec_raw_lua(|raw| unsafe {
            let count = values.push_into_stack_multi(raw)?;
            if ffi::lua_checkstack(self.beside, count) == 0 {
                return Err(mlua::Error::MemoryError("not enough memory".into()));
            }
            ffi::lua_xmove(raw.state(), self.beside, count);
            Ok(count)
        })
    }
}

/// What scripts call for `inner`, which has to end with one of the words of [`Call`]. `take` is made when there is none yet:
/// it is called in a coroutine that has waited, and gives what it waited for.
///
/// # Errors
/// When Lua has no memory left.
pub(super) fn outer(
    lua: &Lua,
    inner: Function,
    take: impl FnOnce(&Lua) -> mlua::Result<Function>,
) -> mlua::Result<Function> {
    if lua.app_data_ref::<Kept>().is_none() {
        // a coroutine that is never begun
        let nothing = lua.create_function(|_, ()| Ok(()))?;
        let kept = Kept { beside: lua.create_thread(nothing)?, take: take(lua)? };
        lua.set_app_data(kept);
    }
    let (beside, take) = match lua.app_data_ref::<Kept>() {
        Some(kept) => (kept.beside.clone(), kept.take.clone()),
        None => return Err(mlua::Error::runtime("the state has no stack beside")),
    };
    // SAFETY: the function follows the protocol of C functions of Lua and has the three values that it looks for
    unsafe { lua.exec_raw((inner, beside, take), |state| ffi::lua_pushcclosure(state, call, 3)) }
}

const INNER: c_int = ffi::lua_upvalueindex(1);
const BESIDE: c_int = ffi::lua_upvalueindex(2);
const TAKE: c_int = ffi::lua_upvalueindex(3);

/// # Safety
/// Called by Lua, with the values of [`outer`].
unsafe extern "C-unwind" fn call(state: *mut lua_State) -> c_int {
    // SAFETY: the caller's promise; there is room for one more in any C function, and nothing here needs a drop when Lua
    // jumps
    unsafe {
        let arguments = ffi::lua_gettop(state);
        ffi::lua_pushvalue(state, INNER);
        ffi::lua_insert(state, 1);
        ask(state, arguments)
    }
}

/// # Safety
/// Called by Lua when the scheduler has resumed the coroutine.
unsafe extern "C-unwind" fn again(state: *mut lua_State, _: c_int, _: ffi::lua_KContext) -> c_int {
    // SAFETY: as in `call`
    unsafe {
        ffi::lua_settop(state, 0);
        ffi::lua_pushvalue(state, TAKE);
        ask(state, 0)
    }
}

/// The function below its arguments is called, and what it has left comes over.
///
/// # Safety
/// As [`call`].
unsafe fn ask(state: *mut lua_State, arguments: c_int) -> c_int {
    // SAFETY: as in `call`
    unsafe {
        let beside = ffi::lua_tothread(state, BESIDE);
        WORDS.with(|words| {
            words.beside.set(beside);
            words.arguments.set(arguments);
        });
        // with a continuation, as else nothing inside could tell that the coroutine may yield; what is called does not
        ffi::lua_callk(state, arguments, 0, 0, Some(again));
        match WORDS.with(|words| words.left.get()) {
            Left::Results(count) => {
                ffi::luaL_checkstack(state, count, c"too many results".as_ptr());
                ffi::lua_xmove(beside, state, count);
                count
            }
            Left::Error => {
                ffi::lua_xmove(beside, state, 1);
                ffi::lua_error(state)
            }
            Left::Nothing => coroutine::wait_in(state, again),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use mlua::{Function, Value};

    use crate::lua::module::{call, global_function};
    use crate::lua::std::testing::{run_with, state};

    /// Without the check it reads arguments that are not there.
    #[test]
    fn the_inside_of_a_function_is_not_called_by_itself() {
        let (lua, found) = (state(), Rc::<RefCell<Vec<Function>>>::default());
        let keep = Rc::clone(&found);
        let look = lua.create_function(move |lua, ()| {
            let levels = (1..8).map_while(|level| lua.inspect_stack(level, |frame| frame.function()));
            keep.replace(levels.collect());
            Ok("x")
        });
        let outside = global_function(&lua, "outside(f)", |lua, f: Function| call::<Value>(lua, &f, ()));
        let outside = outside.expect("made");
        assert_eq!(outside.call::<String>(look.expect("made")).expect("called"), "x");
        let told = found.take().into_iter().filter(|f| *f != outside);
        let told = told.filter_map(|f| f.call::<Value>(("a", "b", "c")).err()).map(|error| error.to_string());
        let told: Vec<String> = told.collect();
        assert!(told.iter().any(|text| text.contains("the inside of a library function")), "{told:?}");
        run_with::<()>(&lua, "assert(mpms.str.trim(...) == 'b')", " b ");
    }
}
