#![expect(unsafe_code, reason = "io.popen makes a file of Lua's own kind, so that it has all methods of one")]
//! `io.popen`: the file, and how it is closed.

use std::cell::RefCell;
use std::ffi::{c_int, c_void};
use std::io;
use std::rc::Rc;

use mlua::ffi::{self, lua_State};
use mlua::{AnyUserData, IntoLuaMulti, Lua, LuaString, MultiValue, Value};

use super::{results, shell};
use crate::lua::error::LibError;
use crate::lua::started;
use crate::lua::watchdog;
use crate::os::command::{Child, CommandError, Pipe, Plug, Start, Started, Stream, flush_streams};

/// What a command says that was ended and not waited for.
pub(super) const GONE: &str = "the command was ended";

/// An open stream of `io.popen` and its command.
#[derive(Clone)]
pub(super) struct Talking {
    pub stream: Stream,
    pub pipe: Rc<Pipe>,
    pub child: Rc<Child>,
    pub is_read: bool,
}

thread_local! {
    static STREAMS: RefCell<Vec<Talking>> = const { RefCell::new(Vec::new()) };
}

/// What `luaL_Stream` of `lauxlib.h` is.
#[repr(C)]
struct LuaStream {
    file: *mut c_void,
    close: Option<unsafe extern "C-unwind" fn(*mut lua_State) -> c_int>,
}

pub(super) fn go_on() -> bool {
    !watchdog::is_over()
}

pub(super) fn popen(lua: &Lua, command: &LuaString, reads: bool) -> Result<MultiValue, LibError> {
    flush_streams();
    let talking = match talk(shell(lua, command)?, reads) {
        Ok(talking) => talking,
        Err(error) => {
            let text = format!("{}: {error}", command.to_string_lossy());
            return Ok((Value::Nil, text, error.raw_os_error().unwrap_or(0)).into_lua_multi(lua)?);
        }
    };
    let stream = talking.stream;
    let mut taken = false;
    // SAFETY: the closure owns nothing; the userdata is whole before the metatable that knows how to close it is set
    let file = unsafe {
        lua.exec_raw::<AnyUserData>((), |state| {
            let place = ffi::lua_newuserdatauv(state, size_of::<LuaStream>(), 0).cast::<LuaStream>();
            place.write(LuaStream { file: stream.as_ptr(), close: Some(close) });
            taken = true;
            ffi::luaL_setmetatable(state, c"FILE*".as_ptr());
        })
    };
    match file {
        Ok(file) => {
            started::add(Rc::clone(&talking.child));
            STREAMS.with_borrow_mut(|streams| streams.push(talking));
            Ok(file.into_lua_multi(lua)?)
        }
        Err(error) => {
            if !taken {
                stream.close();
            }
            Err(error.into())
        }
    }
}

fn talk(mut start: Start, reads: bool) -> io::Result<Talking> {
    match reads {
        true => start.stdout = Plug::Pipe,
        false => start.stdin = Plug::Pipe,
    }
    let Started { child, stdin, stdout, .. } = start.start().map_err(|error| match error {
        CommandError::System { source, .. } => source,
        other => io::Error::other(other),
    })?;
    let pipe = if reads { stdout } else { stdin };
    let pipe = pipe.ok_or_else(|| io::Error::other("the command has no pipe"))?;
    let (stream, pipe) = Stream::open(pipe, &child, reads, go_on)?;
    Ok(Talking { stream, pipe, child: Rc::new(child), is_read: reads })
}

/// The stream at that place of the stack, if it is an open one of `io.popen`.
///
/// # Safety
/// `state` is a live state, and `index` an index of its stack or of its upvalues.
pub(super) unsafe fn stream_at(state: *mut lua_State, index: c_int) -> Option<Stream> {
    // SAFETY: the caller's promise; what has this metatable is such a userdata
    unsafe {
        let place = ffi::luaL_testudata(state, index, c"FILE*".as_ptr()).cast::<LuaStream>();
        let close_of = place.as_ref()?.close?;
        let ours =
            std::ptr::fn_addr_eq(close_of, close as unsafe extern "C-unwind" fn(*mut lua_State) -> c_int);
        if ours { Stream::from_ptr((*place).file) } else { None }
    }
}

/// From now on it is a closed file for scripts.
///
/// # Safety
/// As [`stream_at`], which has found it there.
pub(super) unsafe fn set_closed(state: *mut lua_State, index: c_int) {
    // SAFETY: the caller's promise
    unsafe {
        let place = ffi::lua_touserdata(state, index).cast::<LuaStream>();
        (*place).close = None;
    }
}

/// What belongs to an open stream.
pub(super) fn talking(stream: Stream) -> Option<Talking> {
    STREAMS.with_borrow(|streams| streams.iter().find(|one| one.stream == stream).cloned())
}

/// Closes it; the command, unless it was ended before.
pub(super) fn close_stream(stream: Stream) -> Option<Rc<Child>> {
    let at = STREAMS.with_borrow(|streams| streams.iter().position(|one| one.stream == stream));
    // first, so that a command that reads sees the end of its input
    stream.close();
    let one = STREAMS.with_borrow_mut(|streams| at.map(|at| streams.swap_remove(at)));
    one.map(|one| one.child)
}

/// What closes the file when nothing can wait: blocks until the command has ended, and returns as `os.execute`.
///
/// # Safety
/// Called by the io library, with its userdata, once.
unsafe extern "C-unwind" fn close(state: *mut lua_State) -> c_int {
    // SAFETY: the caller's promise. Whatever owns memory is gone before results are pushed.
    unsafe {
        let place = ffi::lua_touserdata(state, 1).cast::<LuaStream>();
        let status = match Stream::from_ptr((*place).file) {
            Some(stream) => close_and_wait(stream),
            None => None,
        };
        match status {
            Some(status) => {
                let (ok, what, number) = results(status);
                match ok {
                    Some(_) => ffi::lua_pushboolean(state, 1),
                    None => ffi::lua_pushnil(state),
                }
                ffi::lua_pushlstring(state, what.as_ptr().cast(), what.len());
                ffi::lua_pushinteger(state, i64::from(number));
            }
            None => {
                ffi::lua_pushnil(state);
                ffi::lua_pushlstring(state, GONE.as_ptr().cast(), GONE.len());
                ffi::lua_pushinteger(state, 0);
            }
        }
        3
    }
}

/// The status, unless the command was ended before or the wait was.
fn close_and_wait(stream: Stream) -> Option<i32> {
    let child = close_stream(stream)?;
    started::set_ended(&child);
    child.wait(go_on).ok().flatten()
}
