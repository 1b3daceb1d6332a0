#![expect(unsafe_code, reason = "io.popen makes a file of Lua's own kind, so that it has all methods of one")]
//! `os.execute` and `io.popen`: commands of `mpms.proc` with the manners of the manual. What they start leads a group of
//! its own, and ends with the attempt.

use std::cell::RefCell;
use std::ffi::{c_int, c_void};
use std::io;
use std::rc::Rc;

use mlua::ffi::{self, lua_State};
use mlua::{AnyUserData, IntoLuaMulti, Lua, LuaString, MultiValue, Table, Value};

use super::error::LibError;
use super::module::{global_function, waiting_function};
use super::started;
use super::std::proc;
use super::watchdog;
use crate::os::command::{Child, CommandError, Plug, Start, Started, Stream, flush_streams};

/// An open stream of `io.popen` and its command.
type Talking = (Stream, Rc<Child>);

thread_local! {
    static STREAMS: RefCell<Vec<Talking>> = const { RefCell::new(Vec::new()) };
}

/// What `luaL_Stream` of `lauxlib.h` is.
#[repr(C)]
struct LuaStream {
    file: *mut c_void,
    close: Option<unsafe extern "C-unwind" fn(*mut lua_State) -> c_int>,
}

/// Replaces both functions.
///
/// # Errors
/// When Lua has no memory left.
pub fn install(lua: &Lua) -> mlua::Result<()> {
    let table = |name: &str| lua.globals().raw_get::<Table>(name);
    let execute = waiting_function(lua, "os.execute(command)", |lua, command: Option<LuaString>| {
        let lua = lua.clone();
        async move {
            match command {
                None => Ok(Executed::Shell),
                Some(command) => execute(&lua, &command).await,
            }
        }
    })?;
    table("os")?.raw_set("execute", execute)?;
    type Popen = (LuaString, Option<LuaString>);
    let popen = global_function(lua, "io.popen(command, mode)", |lua, (command, mode): Popen| {
        let mode = mode.map(|mode| mode.to_string_lossy());
        match mode.as_deref() {
            None | Some("r") => popen(lua, &command, true),
            Some("w") => popen(lua, &command, false),
            Some(_) => Err(LibError::invalid("argument 2 (mode) must be \"r\" or \"w\"")),
        }
    })?;
    table("io")?.raw_set("popen", popen)
}

fn go_on() -> bool {
    !watchdog::is_over()
}

fn shell(lua: &Lua, command: &LuaString) -> Result<Start, LibError> {
    let mut start = proc::shell(lua, &command.as_bytes())?;
    start.stdout = Plug::Inherit;
    start.stderr = Plug::Inherit;
    Ok(start)
}

/// What `os.execute` gives.
enum Executed {
    /// There is a shell.
    Shell,
    /// A command, which has ended, and its status.
    Command(Rc<Child>, i32),
}

impl IntoLuaMulti for Executed {
    /// In the attempt that waited, with which ends what the command left behind.
    fn into_lua_multi(self, lua: &Lua) -> mlua::Result<MultiValue> {
        match self {
            Executed::Shell => true.into_lua_multi(lua),
            Executed::Command(child, status) => {
                started::add_ended(child);
                results(status).into_lua_multi(lua)
            }
        }
    }
}

/// While it waits another attempt's things may be in place: until the command has ended it belongs to this future alone,
/// and ends with it.
async fn execute(lua: &Lua, command: &LuaString) -> Result<Executed, LibError> {
    let Started { child, .. } = shell(lua, command)?.start().map_err(proc::failed)?;
    proc::until_dead(&child).await?;
    let status = child.status()?.unwrap_or_default();
    Ok(Executed::Command(Rc::new(child), status))
}

/// As `luaL_execresult` gives them.
fn results(status: i32) -> (Option<bool>, &'static str, i32) {
    let (what, number) = match status & 0x7f {
        0 => ("exit", status >> 8),
        signal => ("signal", signal),
    };
    ((status == 0).then_some(true), what, number)
}

fn popen(lua: &Lua, command: &LuaString, reads: bool) -> Result<MultiValue, LibError> {
    flush_streams();
    let (child, stream) = match talk(shell(lua, command)?, reads) {
        Ok(talking) => talking,
        Err(error) => {
            let text = format!("{}: {error}", command.to_string_lossy());
            return Ok((Value::Nil, text, error.raw_os_error().unwrap_or(0)).into_lua_multi(lua)?);
        }
    };
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
            STREAMS.with_borrow_mut(|streams| streams.push((stream, Rc::clone(&child))));
            started::add(child);
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

fn talk(mut start: Start, reads: bool) -> io::Result<(Rc<Child>, Stream)> {
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
    let stream = Stream::open(pipe, &child, reads, go_on)?;
    Ok((Rc::new(child), stream))
}

/// What `file:close()` of a command does: waits for it, and returns as `os.execute`.
///
/// # Safety
/// Called by the io library, with its userdata, once.
unsafe extern "C-unwind" fn close(state: *mut lua_State) -> c_int {
    // SAFETY: the caller's promise. Whatever owns memory is gone before results are pushed.
    unsafe {
        let place = ffi::lua_touserdata(state, 1).cast::<LuaStream>();
        let status = match Stream::from_ptr((*place).file) {
            Some(stream) => close_stream(stream),
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
                const GONE: &str = "the command was ended";
                ffi::lua_pushnil(state);
                ffi::lua_pushlstring(state, GONE.as_ptr().cast(), GONE.len());
                ffi::lua_pushinteger(state, 0);
            }
        }
        3
    }
}

/// The status, unless the command was ended before or the wait was.
fn close_stream(stream: Stream) -> Option<i32> {
    let at = STREAMS.with_borrow(|streams| streams.iter().position(|(one, _)| *one == stream));
    // first, so that a command that reads sees the end of its input
    stream.close();
    let at = at?;
    let (_, child) = STREAMS.with_borrow_mut(|streams| streams.swap_remove(at));
    started::set_ended(&child);
    child.wait(go_on).ok().flatten()
}
