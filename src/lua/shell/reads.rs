#![expect(
    unsafe_code,
    reason = "functions of the io library are called in the frame of those that replace them"
)]
//! Methods of files that wait when the file is one of `io.popen`: they yield until what they need is there. Then, and with
//! any other file, the functions of the io library do their work, with their own results and errors.

use std::cell::RefCell;
use std::ffi::{c_int, c_void};
use std::rc::Rc;
use std::sync::OnceLock;

use mlua::ffi::{self, lua_State};
use mlua::{Function, IntoLuaMulti, LightUserData, Lua, MultiValue, Table, Value};

use super::enough::{Format, Text};
use super::popen::{self, GONE, Talking};
use super::results;
use crate::lua::error::LibError;
use crate::lua::module::waiting_function;
use crate::lua::scheduler::Scheduler;
use crate::lua::started;
use crate::lua::std::proc;
use crate::os::command::{Child, Stream};

type CFunction = unsafe extern "C-unwind" fn(*mut lua_State) -> c_int;

/// What is read ahead of the io library at most: more of a line or of the whole is read by it, which blocks.
const MOST_AHEAD: usize = 16 << 20;

/// Of the io library.
struct Originals {
    read: CFunction,
    lines: CFunction,
    close: CFunction,
    io_close: CFunction,
    /// At the end of a `local file <close>`.
    scope_end: CFunction,
}

/// They are the same in each state.
static ORIGINALS: OnceLock<Originals> = OnceLock::new();
/// What `lines` gives.
static NEXT_LINE: OnceLock<CFunction> = OnceLock::new();

thread_local! {
    /// Commands whose files are closed, and that are about to be waited for.
    static CLOSING: RefCell<Vec<Rc<Child>>> = const { RefCell::new(Vec::new()) };
}

/// Upvalues of the functions.
const UNTIL_SAID: c_int = ffi::lua_upvalueindex(1);
const UNTIL_ENDED: c_int = ffi::lua_upvalueindex(2);

pub(super) fn install(lua: &Lua, io: &Table) -> mlua::Result<()> {
    // SAFETY: the metatable of files is in the registry as soon as there is an io library; nothing is owned here
    let of_files: Table =
        unsafe { lua.exec_raw((), |state| ffi::luaL_getmetatable(state, c"FILE*".as_ptr())) }?;
    let methods: Table = of_files.raw_get("__index")?;
    let original = |table: &Table, name: &str| -> mlua::Result<CFunction> {
        let function: Function = table.raw_get(name)?;
        let mut found = None;
        // SAFETY: nothing is owned here
        unsafe { lua.exec_raw::<()>(function, |state| found = ffi::lua_tocfunction(state, 1)) }?;
        found.ok_or_else(|| mlua::Error::runtime("the io library is not Lua's own"))
    };
    if ORIGINALS.get().is_none() {
        let found = Originals {
            read: original(&methods, "read")?,
            lines: original(&methods, "lines")?,
            close: original(&methods, "close")?,
            io_close: original(io, "close")?,
            scope_end: original(&of_files, "__close")?,
        };
        // another thread may have been first, with the same
        let _ = ORIGINALS.set(found);
    }
    let said = waiting_function(lua, "file:read(...)", |lua, file: LightUserData| {
        let alone = Scheduler::of(lua).is_alone();
        let talking = Stream::from_ptr(file.0).and_then(popen::talking);
        async move {
            // who has closed it meanwhile is told by the io library
            let Some(talking) = talking else { return Ok(true) };
            // The io library would wait with the stream locked, for which each `io.popen` of another thread waits: it
            // flushes all streams.
            let blocks = alone || until_said(&talking).await.is_err();
            Ok((!blocks || talking.pipe.wait_for_data()) && talking.pipe.read_ahead().is_ok())
        }
    })?;
    let ended = waiting_function(lua, "file:close()", |lua, child: LightUserData| {
        let alone = Scheduler::of(lua).is_alone();
        let child = take_closing(child.0);
        async move { until_ended(child, alone).await }
    })?;
    for (table, name, function) in [
        (&methods, "read", read as CFunction),
        (&methods, "lines", lines),
        (&methods, "close", close),
        (io, "close", io_close),
        (&of_files, "__close", scope_end),
    ] {
        // SAFETY: the functions follow the protocol of C functions of Lua and have the two values that they look for
        let made: Function =
            unsafe { lua.exec_raw((&said, &ended), |state| ffi::lua_pushcclosure(state, function, 2)) }?;
        table.raw_set(name, made)?;
    }
    Ok(())
}

fn originals() -> &'static Originals {
    ORIGINALS.get().expect("they are there before any function that asks for them")
}

fn take_closing(child: *mut c_void) -> Option<Rc<Child>> {
    CLOSING.with_borrow_mut(|closing| {
        let at = closing.iter().position(|one| std::ptr::addr_eq(Rc::as_ptr(one), child))?;
        Some(closing.swap_remove(at))
    })
}

/// How a command has ended whose file was closed; none: it was ended before.
struct Closed(Option<(Rc<Child>, i32)>);

/// # Errors
/// When there are too many descriptors to wait with.
async fn until_said(talking: &Talking) -> Result<(), LibError> {
    proc::until_said(talking.pipe.handle()?, &talking.child).await
}

async fn until_ended(child: Option<Rc<Child>>, alone: bool) -> Result<Closed, LibError> {
    let Some(child) = child else { return Ok(Closed(None)) };
    // the file is closed already: without a descriptor to wait with its thread blocks
    let blocks = alone || proc::until_dead(&child).await.is_err();
    let status = if blocks { child.wait(popen::go_on) } else { child.status() };
    Ok(Closed(status.ok().flatten().map(|status| (child, status))))
}

impl IntoLuaMulti for Closed {
    /// In the attempt that waited, with which ends what the command left behind.
    fn into_lua_multi(self, lua: &Lua) -> mlua::Result<MultiValue> {
        match self.0 {
            Some((child, status)) => {
                started::set_ended(&child);
                results(status).into_lua_multi(lua)
            }
            None => (Value::Nil, GONE, 0).into_lua_multi(lua),
        }
    }
}

/// # Safety
/// Called by Lua, with the upvalues of [`install`].
unsafe extern "C-unwind" fn read(state: *mut lua_State) -> c_int {
    // SAFETY: the caller's promise; nothing here needs a drop when Lua jumps
    unsafe {
        let top = ffi::lua_gettop(state);
        read_when_there(state, top)
    }
}

/// # Safety
/// As [`read`], which has waited.
unsafe extern "C-unwind" fn read_again(state: *mut lua_State, _: c_int, top: ffi::lua_KContext) -> c_int {
    // SAFETY: as in `read`
    unsafe {
        match said(state, top as c_int) {
            true => read_when_there(state, top as c_int),
            false => (originals().read)(state),
        }
    }
}

/// What the wait gave, which is on top: whether it is worth to look again.
///
/// # Safety
/// As [`read`].
unsafe fn said(state: *mut lua_State, top: c_int) -> bool {
    // SAFETY: the caller's promise
    unsafe {
        let looks_again = ffi::lua_toboolean(state, -1) != 0;
        ffi::lua_settop(state, top);
        looks_again
    }
}

/// # Safety
/// As [`read`]; its arguments are up to `top`.
unsafe fn read_when_there(state: *mut lua_State, top: c_int) -> c_int {
    // SAFETY: the caller's promise
    unsafe {
        while let Some(stream) = missing(state, 1, 2..top + 1) {
            ffi::lua_pushvalue(state, UNTIL_SAID);
            ffi::lua_pushlightuserdata(state, stream.as_ptr());
            ffi::lua_callk(state, 1, 1, top as ffi::lua_KContext, Some(read_again));
            // here when the wait has blocked
            if !said(state, top) {
                break;
            }
        }
        (originals().read)(state)
    }
}

/// What `lines` gives is the function of the io library with its upvalues, and one more: the function that waits.
///
/// # Safety
/// As [`read`].
unsafe extern "C-unwind" fn lines(state: *mut lua_State) -> c_int {
    // SAFETY: as in `read`; the closure has the file, the number of its formats, a flag and the formats as upvalues
    unsafe {
        let is_ours = popen::stream_at(state, 1).is_some();
        let count = (originals().lines)(state);
        if !is_ours {
            return count;
        }
        let closure = ffi::lua_gettop(state);
        let Some(next) = ffi::lua_tocfunction(state, closure) else { return count };
        let _ = NEXT_LINE.set(next);
        let mut upvalues = 0;
        ffi::luaL_checkstack(state, 255, std::ptr::null());
        while !ffi::lua_getupvalue(state, closure, upvalues + 1).is_null() {
            upvalues += 1;
        }
        ffi::lua_pushvalue(state, UNTIL_SAID);
        ffi::lua_pushcclosure(state, next_line, upvalues + 1);
        1
    }
}

/// # Safety
/// Called by Lua, with the upvalues of [`lines`].
unsafe extern "C-unwind" fn next_line(state: *mut lua_State) -> c_int {
    // SAFETY: the caller's promise; nothing here needs a drop when Lua jumps
    unsafe {
        let count = ffi::lua_tointeger(state, ffi::lua_upvalueindex(2)) as c_int;
        let formats = (0..count).map(|at| ffi::lua_upvalueindex(4 + at));
        ffi::lua_settop(state, 0);
        while let Some(stream) = missing(state, ffi::lua_upvalueindex(1), formats.clone()) {
            ffi::lua_pushvalue(state, ffi::lua_upvalueindex(4 + count));
            ffi::lua_pushlightuserdata(state, stream.as_ptr());
            ffi::lua_callk(state, 1, 1, 0, Some(next_line_again));
            // here when the wait has blocked
            if !said(state, 0) {
                break;
            }
        }
        NEXT_LINE.get().expect("`lines` has set it")(state)
    }
}

/// # Safety
/// As [`next_line`], which has waited.
unsafe extern "C-unwind" fn next_line_again(state: *mut lua_State, _: c_int, _: ffi::lua_KContext) -> c_int {
    // SAFETY: as in `next_line`
    unsafe {
        match said(state, 0) {
            true => next_line(state),
            false => NEXT_LINE.get().expect("`lines` has set it")(state),
        }
    }
}

/// The stream of `io.popen` at `file` that has not yet what a read with these formats needs.
///
/// # Safety
/// All are indexes of the live state's stack or of its upvalues.
unsafe fn missing(
    state: *mut lua_State,
    file: c_int,
    formats: impl Iterator<Item = c_int>,
) -> Option<Stream> {
    // SAFETY: the caller's promise; no C code does anything with the stream meanwhile
    unsafe {
        let stream = popen::stream_at(state, file)?;
        let talking = popen::talking(stream).filter(|talking| talking.is_read)?;
        let mut formats = formats.peekable();
        let line = formats.peek().is_none().then_some(Format::Line);
        let formats = formats.map(|index| format_at(state, index)).chain(line);
        let is_enough = talking.pipe.with_ahead(|ahead, is_over| {
            let text = Text { parts: [stream.unread(), ahead], is_over };
            ahead.len() >= MOST_AHEAD || text.is_enough(formats)
        });
        (!is_enough).then_some(stream)
    }
}

/// # Safety
/// As [`missing`].
unsafe fn format_at(state: *mut lua_State, index: c_int) -> Format {
    // SAFETY: the caller's promise; the string is not changed
    unsafe {
        match ffi::lua_type(state, index) {
            ffi::LUA_TNUMBER => {
                let mut is_whole = 0;
                let count = ffi::lua_tointegerx(state, index, &raw mut is_whole);
                match usize::try_from(count) {
                    Ok(count) if is_whole != 0 => Format::Bytes(count),
                    _ => Format::Wrong,
                }
            }
            ffi::LUA_TSTRING => {
                let text = crate::lua::stack::string_at(state, index);
                match text.strip_prefix(b"*").unwrap_or(text).first() {
                    Some(b'l' | b'L') => Format::Line,
                    Some(b'a') => Format::All,
                    Some(b'n') => Format::Number,
                    _ => Format::Wrong,
                }
            }
            _ => Format::Wrong,
        }
    }
}

/// # Safety
/// As [`read`].
unsafe extern "C-unwind" fn close(state: *mut lua_State) -> c_int {
    // SAFETY: the caller's promise
    unsafe { close_file(state, originals().close) }
}

/// # Safety
/// As [`read`].
unsafe extern "C-unwind" fn io_close(state: *mut lua_State) -> c_int {
    // SAFETY: the caller's promise
    unsafe { close_file(state, originals().io_close) }
}

/// # Safety
/// As [`read`].
unsafe extern "C-unwind" fn scope_end(state: *mut lua_State) -> c_int {
    // SAFETY: the caller's promise
    unsafe { close_file(state, originals().scope_end) }
}

/// # Safety
/// As [`read`].
unsafe fn close_file(state: *mut lua_State, original: CFunction) -> c_int {
    // SAFETY: the caller's promise; the command is in the list before Lua can jump
    unsafe {
        let Some(stream) = popen::stream_at(state, 1) else { return original(state) };
        popen::set_closed(state, 1);
        let child = popen::close_stream(stream);
        let key = child.as_ref().map_or(std::ptr::null(), Rc::as_ptr);
        CLOSING.with_borrow_mut(|closing| closing.extend(child));
        ffi::lua_pushvalue(state, UNTIL_ENDED);
        ffi::lua_pushlightuserdata(state, key.cast_mut().cast());
        ffi::lua_callk(state, 1, 3, 0, Some(closed));
        3
    }
}

/// # Safety
/// As [`read`]; the results of the wait are on top.
unsafe extern "C-unwind" fn closed(_: *mut lua_State, _: c_int, _: ffi::lua_KContext) -> c_int {
    3
}
