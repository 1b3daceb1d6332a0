#![expect(unsafe_code, reason = "io.popen makes a file of Lua's own kind, so that it has all methods of one")]
//! `os.execute` and `io.popen`: what they start leads a group of its own, and ends with the attempt.

use std::cell::{Cell, RefCell};
use std::ffi::{OsStr, c_int, c_void};
use std::os::unix::ffi::OsStrExt as _;

use mlua::ffi::{self, lua_State};
use mlua::{AnyUserData, IntoLuaMulti, Lua, LuaString, MultiValue, Table, Value};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::coroutine;
use super::error::LibError;
use super::module::{global_function, waiting_function};
use super::watchdog;
use crate::os::command::{Shell, Stream, Talk, flush_streams};

/// Ended commands whose group is still watched; beyond, the oldest is done away with.
const MOST_ENDED: usize = 64;

struct Open {
    shell: Shell,
    stream: Option<Stream>,
    /// It has ended itself; what it left behind may go on until the attempt ends.
    ended: bool,
    /// Not started by an attempt: it lives as long as the thread.
    kept: bool,
}

thread_local! {
    static OPEN: RefCell<Vec<Open>> = const { RefCell::new(Vec::new()) };
    /// Whether there is anything that ends with the attempt.
    static ANY: Cell<bool> = const { Cell::new(false) };
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
    let execute = waiting_function(lua, "os.execute(command)", |_, command: Option<LuaString>| {
        // where it cannot yield, a signal to the thread ends the wait
        let yields = coroutine::can_wait();
        async move {
            match command {
                None => Ok(Executed::Shell),
                Some(command) if yields => execute_while_others_run(&command).await,
                Some(command) => execute(&command),
            }
        }
    })?;
    table("os")?.raw_set("execute", execute)?;
    type Popen = (LuaString, Option<LuaString>);
    let popen = global_function(lua, "io.popen(command, mode)", |lua, (command, mode): Popen| {
        let mode = mode.map(|mode| mode.to_string_lossy());
        let talk = match mode.as_deref() {
            None | Some("r") => Talk::Read,
            Some("w") => Talk::Write,
            Some(_) => return Err(LibError::invalid("argument 2 (mode) must be \"r\" or \"w\"")),
        };
        popen(lua, &command, talk)
    })?;
    table("io")?.raw_set("popen", popen)
}

/// The attempt has ended, and with it all that it started.
#[inline]
pub fn end_all() {
    if ANY.get() {
        let ended: Vec<Open> = OPEN.with_borrow_mut(|open| open.extract_if(.., |one| !one.kept).collect());
        ANY.set(false);
        ended.into_iter().for_each(|one| one.shell.end());
    }
}

/// Commands of an attempt, put away while another one runs. Dropped, they end.
pub struct Started(Vec<Open>);

/// Puts the commands of the attempt away, if there are any.
#[inline]
pub fn take_started() -> Option<Started> {
    ANY.replace(false)
        .then(|| Started(OPEN.with_borrow_mut(|open| open.extract_if(.., |one| !one.kept).collect())))
}

/// Gives them back.
pub fn give_started(mut started: Started) {
    OPEN.with_borrow_mut(|open| open.append(&mut started.0));
    ANY.set(true);
}

/// What runs now was not started by an attempt, and stays.
pub fn keep_all() {
    OPEN.with_borrow_mut(|open| open.iter_mut().for_each(|one| one.kept = true));
    ANY.set(false);
}

fn go_on() -> bool {
    !watchdog::is_over()
}

fn cancelled() -> LibError {
    LibError::new("cancelled", "the task was stopped while it waited")
}

/// What `os.execute` gives.
enum Executed {
    /// There is a shell.
    Shell,
    /// A command, which has ended, and its status.
    Command(Shell, i32),
}

impl IntoLuaMulti for Executed {
    /// In the attempt that waited, with which ends what the command left behind.
    fn into_lua_multi(self, lua: &Lua) -> mlua::Result<MultiValue> {
        match self {
            Executed::Shell => true.into_lua_multi(lua),
            Executed::Command(shell, status) => {
                keep(Open { shell, stream: None, ended: true, kept: false });
                results(status).into_lua_multi(lua)
            }
        }
    }
}

fn execute(command: &LuaString) -> Result<Executed, LibError> {
    let (shell, _) = Shell::start(OsStr::from_bytes(&command.as_bytes()), Talk::None, go_on)?;
    match shell.wait(go_on) {
        Ok(Some(status)) => Ok(Executed::Command(shell, status)),
        stopped => {
            keep(Open { shell, stream: None, ended: true, kept: false });
            stopped?;
            Err(cancelled())
        }
    }
}

/// The same. It runs while another attempt's things may be in place: until the command has ended it belongs to this
/// future alone, and ends with it.
async fn execute_while_others_run(command: &LuaString) -> Result<Executed, LibError> {
    let (shell, _) = Shell::start(OsStr::from_bytes(&command.as_bytes()), Talk::None, go_on)?;
    // SAFETY: the descriptor is always the same one, and is closed only after the registration has let go of it
    let ended = unsafe { AsyncFd::register_with_interest(shell.handle(), Interest::READABLE) }
        .map_err(std::io::Error::from)?;
    let _ = ended.readable().await?;
    let status = shell.wait(go_on)?.ok_or_else(cancelled)?;
    Ok(Executed::Command(shell, status))
}

/// As `luaL_execresult` gives them.
fn results(status: i32) -> (Option<bool>, &'static str, i32) {
    let (what, number) = match status & 0x7f {
        0 => ("exit", status >> 8),
        signal => ("signal", signal),
    };
    ((status == 0).then_some(true), what, number)
}

fn popen(lua: &Lua, command: &LuaString, talk: Talk) -> Result<MultiValue, LibError> {
    flush_streams();
    let (shell, stream) = match Shell::start(OsStr::from_bytes(&command.as_bytes()), talk, go_on) {
        Ok(started) => started,
        Err(error) => {
            let text = format!("{}: {error}", command.to_string_lossy());
            return Ok((Value::Nil, text, error.raw_os_error().unwrap_or(0)).into_lua_multi(lua)?);
        }
    };
    let Some(stream) = stream else { return Err(LibError::new("io", "the command has no pipe")) };
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
            keep(Open { shell, stream: Some(stream), ended: false, kept: false });
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

fn keep(one: Open) {
    let oldest = OPEN.with_borrow_mut(|open| {
        open.push(one);
        let ended = open.iter().filter(|one| one.ended).count();
        let at = open.iter().position(|one| one.ended);
        at.filter(|_| ended > MOST_ENDED).map(|at| open.remove(at))
    });
    ANY.set(true);
    drop(oldest);
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
    let at = OPEN.with_borrow(|open| open.iter().position(|one| one.stream == Some(stream)));
    // first, so that a command that reads sees the end of its input
    stream.close();
    let at = at?;
    OPEN.with_borrow_mut(|open| {
        let one = &mut open[at];
        one.stream = None;
        one.ended = true;
        one.shell.wait(go_on).ok().flatten()
    })
}
