#![expect(
    unsafe_code,
    reason = "calls go through one C function so that a task costs two protected calls and no safe-API values"
)]
//! Calling a script's function with encoded arguments, and taking its results encoded.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::ffi::{c_int, c_void};
use std::rc::Rc;

use mlua::ffi::{self, lua_State};
use mlua::{Lua, LuaString, Value};

use super::error;
use super::module::Shim;
use super::outside;
use super::scheduler::{self, Ended, Family, Scheduler};
use super::stack::{self, Uncrossable};
use super::verb::Verb;
use super::watchdog;
use crate::model::Failure;
use crate::wire::value::Malformed;

/// For the children of a call that has ended, unless said otherwise.
const LEAVE_NS: u64 = 1_000_000_000;
/// Calls of a stack beyond which only the innermost are named in a traceback.
const DEEP: usize = 2_000;
const DEEP_SHOWN: usize = 12;

/// A value that the state keeps for us under a number, for ever.
#[derive(Clone, Copy, Debug)]
pub struct Held(c_int);

impl Held {
    /// Pushes the value.
    ///
    /// # Safety
    /// `state` belongs to the bridge that holds the value, and has room for one more.
    pub unsafe fn push(self, state: *mut lua_State) {
        // SAFETY: the caller's promise
        unsafe { ffi::lua_rawgeti(state, ffi::LUA_REGISTRYINDEX, i64::from(self.0)) };
    }
}

/// The door between a Lua state and encoded values.
pub struct Bridge {
    /// The state; never closed, as its process ends without it.
    pub lua: &'static Lua,
    state: *mut lua_State,
    message_handler: Held,
    /// Of the library's error tables.
    pub(super) error_metatable: Held,
    /// A string, and the metatable of all of them.
    pub(super) strings: (Held, Held),
    /// What the message handler saw, for the call that is going on.
    raised: Rc<RefCell<Option<Seen>>>,
    /// The last call ended by `task.skip`.
    skipped: Cell<bool>,
    scheduler: Rc<Scheduler>,
    /// Waits until the children of a call have ended.
    leave: Held,
    /// How long they have for it.
    leave_ns: Cell<u64>,
    /// What a failure for lack of memory says, where there is a limit.
    memory_words: RefCell<Option<String>>,
}

pub(super) struct Seen {
    failure: Failure,
    verb: Option<Verb>,
}

/// One call, for the C function that carries it out.
struct Call<'a> {
    message_handler: c_int,
    function: c_int,
    first: Option<c_int>,
    args: Cow<'a, [u8]>,
    results: Results<'a>,
    end: End,
}

/// A call that a coroutine of the scheduler carries out.
pub struct FiberCall(Call<'static>);

enum Results<'a> {
    Encode(&'a mut Vec<u8>),
    Keep(Vec<u8>),
    Hold(&'a mut c_int),
    Drop,
}

enum End {
    Open,
    Returned,
    Raised(c_int),
    Args(Malformed),
    Result(Box<Uncrossable>),
}

impl Bridge {
    /// # Errors
    /// When Lua has no memory left.
    pub fn new(lua: &'static Lua) -> mlua::Result<Self> {
        let raised = Rc::new(RefCell::new(None));
        let seen = Rc::clone(&raised);
        let handler = lua.create_function(move |lua, value: Value| {
            let verb = if let Value::Table(table) = &value { Verb::of(table) } else { None };
            let mut failure = failure_of(&value);
            failure.asked = verb == Some(Verb::Retry);
            failure.abort = verb == Some(Verb::Abort);
            failure.traceback = traceback(lua);
            seen.replace(Some(Seen { failure, verb }));
            Ok(())
        })?;
        let mut state = std::ptr::null_mut();
        // SAFETY: the closure only stores the pointer; outside of any call it is the main state, which lives as long
        // as `lua`, that is for ever
        unsafe { lua.exec_raw::<()>((), |raw| state = raw)? };
        let none = Held(ffi::LUA_NOREF);
        let scheduler = Scheduler::of(lua);
        scheduler.set_raised(Rc::clone(&raised));
        let mut bridge = Bridge {
            lua,
            state,
            message_handler: none,
            error_metatable: none,
            strings: (none, none),
            raised,
            skipped: Cell::default(),
            scheduler,
            leave: none,
            leave_ns: Cell::new(LEAVE_NS),
            memory_words: RefCell::default(),
        };
        bridge.message_handler = bridge.hold(handler)?;
        bridge.leave = bridge.hold(scheduler::leave_function(lua)?)?;
        bridge.error_metatable = bridge.hold(Shim::of(lua)?.error_metatable)?;
        bridge.strings = (bridge.hold("")?, bridge.hold(lua.type_metatable::<LuaString>())?);
        Ok(bridge)
    }

    /// Limits the memory of the state; `words` are what a task that goes over it fails with.
    ///
    /// # Errors
    /// When Lua was given an allocator of its own.
    pub fn limit_memory(&self, bytes: usize, words: String) -> mlua::Result<()> {
        self.lua.set_memory_limit(bytes)?;
        outside::limit(self.lua, bytes);
        self.memory_words.replace(Some(words));
        Ok(())
    }

    /// Whether the last call ended by `task.skip`; its failure's message is the reason then. Tells it once.
    pub fn take_skipped(&self) -> bool {
        self.skipped.take()
    }

    /// The main coroutine.
    pub(super) fn main(&self) -> *mut lua_State {
        self.state
    }

    /// Keeps a value for later calls.
    ///
    /// # Errors
    /// When Lua has no memory left.
    pub fn hold(&self, value: impl mlua::IntoLua) -> mlua::Result<Held> {
        let mut reference = ffi::LUA_NOREF;
        // SAFETY: the value is on top of the stack, `luaL_ref` takes it off
        unsafe {
            self.lua.exec_raw::<()>(value.into_lua(self.lua)?, |state| {
                reference = ffi::luaL_ref(state, ffi::LUA_REGISTRYINDEX);
            })?;
        }
        Ok(Held(reference))
    }

    /// The kept value.
    ///
    /// # Errors
    /// When Lua has no memory left.
    pub fn value(&self, held: Held) -> mlua::Result<Value> {
        // SAFETY: pushes one value, which becomes the result
        unsafe {
            self.lua.exec_raw((), |state| {
                ffi::lua_rawgeti(state, ffi::LUA_REGISTRYINDEX, i64::from(held.0));
            })
        }
    }

    /// Appends the code of a kept value. A table's own entries count, whatever its metatable says.
    ///
    /// # Errors
    /// When it holds what has no code; `out` then ends where it began.
    pub fn encode(&self, held: Held, out: &mut Vec<u8>) -> Result<(), Box<Uncrossable>> {
        // SAFETY: the main state, between calls, has room for one more; writing values neither allocates in Lua nor jumps
        unsafe {
            held.push(self.state);
            let result = stack::encode_value(self.state, -1, out);
            ffi::lua_settop(self.state, -2);
            result
        }
    }

    /// Calls `function` with `first` (if any) and the arguments of the encoded list; appends its results as a list.
    ///
    /// # Errors
    /// What it raised, or a result that cannot cross (code `value`).
    pub fn call(
        &self,
        function: Held,
        first: Option<Held>,
        args: &[u8],
        results: &mut Vec<u8>,
    ) -> Result<(), Failure> {
        self.run(function, first, args, Results::Encode(results))
    }

    /// The same, and drops the results.
    ///
    /// # Errors
    /// What it raised.
    pub fn call_for_effect(&self, function: Held, first: Option<Held>, args: &[u8]) -> Result<(), Failure> {
        self.run(function, first, args, Results::Drop)
    }

    /// The same, and keeps the first result as it is.
    ///
    /// # Errors
    /// What it raised.
    pub fn call_and_hold(&self, function: Held, first: Option<Held>, args: &[u8]) -> Result<Held, Failure> {
        let mut held = ffi::LUA_NOREF;
        self.run(function, first, args, Results::Hold(&mut held))?;
        Ok(Held(held))
    }

    fn run(
        &self,
        function: Held,
        first: Option<Held>,
        args: &[u8],
        results: Results<'_>,
    ) -> Result<(), Failure> {
        let ended = self.call_once(function, first, args, results);
        if self.scheduler.has_left(scheduler::MAIN) {
            self.leave_children();
        }
        ended
    }

    #[inline]
    fn call_once(
        &self,
        function: Held,
        first: Option<Held>,
        args: &[u8],
        results: Results<'_>,
    ) -> Result<(), Failure> {
        let mut call = Call {
            message_handler: self.message_handler.0,
            function: function.0,
            first: first.map(|held| held.0),
            args: Cow::Borrowed(args),
            results,
            end: End::Open,
        };
        // SAFETY: the state lives for ever and is used by its own thread only (`Bridge` is neither Send nor Sync).
        // Pushing a light C function and a light userdata allocates nothing; there is room for them, as every call
        // leaves the stack as it found it. `call` outlives the protected call.
        let status = unsafe {
            ffi::lua_pushcfunction(self.state, carry_out);
            ffi::lua_pushlightuserdata(self.state, (&raw mut call).cast::<c_void>());
            ffi::lua_pcall(self.state, 1, 0, 0)
        };
        if status == ffi::LUA_OK {
            return self.how(call.end);
        }
        // SAFETY: the error is on top; it is memory, or a message handler that failed
        unsafe { ffi::lua_settop(self.state, -2) };
        Err(self.out_of_memory(memory_failure()))
    }

    /// For how long the children of a call may go on when it has ended.
    pub fn set_leave_ns(&self, ns: u64) {
        self.leave_ns.set(ns);
    }

    /// The function that ends the children of the family that runs.
    pub(super) fn leave(&self) -> mlua::Result<Value> {
        self.value(self.leave)
    }

    /// What the call spawned ends with it.
    #[cold]
    fn leave_children(&self) {
        let skipped = self.skipped.get();
        if self.scheduler.has_children(scheduler::MAIN) {
            // what does not end in time is ended where it is
            let _ = watchdog::during(self, self.leave_ns.get(), || {
                self.call_once(self.leave, None, &[], Results::Drop)
            });
            self.scheduler.kill_children(scheduler::MAIN);
        }
        self.skipped.set(skipped);
        scheduler::tell_unheard(self.lua, &self.scheduler, scheduler::MAIN);
    }

    /// Starts a call in a coroutine, the head of a family. It comes back in [`Scheduler::next_ended`].
    ///
    /// # Errors
    /// When Lua has no memory left.
    pub fn start(&self, function: Held, args: &[u8], family: Family, words: [u64; 4]) -> Result<(), Failure> {
        let call = Call {
            message_handler: self.message_handler.0,
            function: function.0,
            first: None,
            args: Cow::Owned(args.to_vec()),
            results: Results::Keep(Vec::new()),
            end: End::Open,
        };
        let started = self.scheduler.start(self.lua, family, Box::new(FiberCall(call)), words);
        started.map_err(|_| self.out_of_memory(memory_failure()))
    }

    /// The results of a call in a coroutine.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub fn outcome(&self, ended: Ended) -> Result<Vec<u8>, Failure> {
        self.raised.replace(ended.raised);
        let FiberCall(call) = *ended.call;
        // a coroutine that did not come to its end had no memory for it
        let end = if matches!(call.end, End::Open) { End::Raised(ffi::LUA_ERRMEM) } else { call.end };
        self.how(end)?;
        Ok(match call.results {
            Results::Keep(results) => results,
            _ => Vec::new(),
        })
    }

    /// The coroutines of the state.
    pub fn scheduler(&self) -> &Rc<Scheduler> {
        &self.scheduler
    }

    #[inline]
    fn how(&self, end: End) -> Result<(), Failure> {
        match end {
            End::Returned => Ok(()),
            End::Raised(ffi::LUA_ERRMEM) => Err(self.out_of_memory(memory_failure())),
            End::Raised(_) => Err(self.seen()),
            End::Args(error) => Err(Failure::new("value", format!("the arguments cannot be read: {error}"))),
            End::Result(error) => Err(Failure::new("value", error.sentence("result"))),
            End::Open => Err(Failure::new("lua_error", "the call did not end")),
        }
    }
}

impl Bridge {
    #[cold]
    fn seen(&self) -> Failure {
        let Some(Seen { failure, verb }) = self.raised.take() else {
            return Failure::new(
                "lua_error",
                "the error could not be read: another error came while it was reported",
            );
        };
        self.skipped.set(verb == Some(Verb::Skip));
        if failure.code == MEMORY && verb.is_none() { self.out_of_memory(failure) } else { failure }
    }

    /// What the call held is collected when the next one needs it: Lua does so before it refuses memory.
    #[cold]
    fn out_of_memory(&self, failure: Failure) -> Failure {
        self.raised.take();
        match &*self.memory_words.borrow() {
            Some(words) => Failure { message: words.clone(), retryable: Some(false), ..failure },
            None => failure,
        }
    }
}

/// # Safety
/// Called by Lua in protected mode with a pointer to a live [`Call`].
unsafe extern "C-unwind" fn carry_out(state: *mut lua_State) -> c_int {
    // SAFETY: the caller's promise
    unsafe {
        let call = &mut *ffi::lua_touserdata(state, 1).cast::<Call<'_>>();
        if let Some(count) = push_call(state, call) {
            let status = ffi::lua_pcall(state, count, ffi::LUA_MULTRET, 2);
            take_end(state, call, status);
        }
        0
    }
}

/// As [`carry_out`], for a coroutine of the scheduler: the call may yield.
///
/// # Safety
/// Called by Lua with a pointer to a live [`FiberCall`], which lives until the coroutine has ended.
pub(super) unsafe extern "C-unwind" fn carry_out_in_fiber(state: *mut lua_State) -> c_int {
    // SAFETY: the caller's promise
    unsafe {
        let call = &mut (*ffi::lua_touserdata(state, 1).cast::<FiberCall>()).0;
        if let Some(count) = push_call(state, call) {
            let status = ffi::lua_pcallk(state, count, ffi::LUA_MULTRET, 2, 0, Some(carried_out_in_fiber));
            take_end(state, call, status);
        }
        0
    }
}

/// # Safety
/// Called by Lua when the call of `carry_out_in_fiber` yielded and ended later.
unsafe extern "C-unwind" fn carried_out_in_fiber(
    state: *mut lua_State,
    status: c_int,
    _: ffi::lua_KContext,
) -> c_int {
    // SAFETY: the caller's promise
    unsafe {
        let call = &mut (*ffi::lua_touserdata(state, 1).cast::<FiberCall>()).0;
        take_end(state, call, status);
        0
    }
}

/// The message handler, the function and its arguments; how many arguments, unless the call has ended already.
///
/// # Safety
/// `state` has one value, in protected mode.
unsafe fn push_call(state: *mut lua_State, call: &mut Call<'_>) -> Option<c_int> {
    // SAFETY: the caller's promise. Lua may jump out of `push_list` and `lua_rawgeti`; nothing here needs a drop then,
    // since all that owns memory is behind the pointer.
    unsafe {
        if ffi::lua_checkstack(state, 8) == 0 {
            call.end = End::Raised(ffi::LUA_ERRMEM);
            return None;
        }
        ffi::lua_rawgeti(state, ffi::LUA_REGISTRYINDEX, i64::from(call.message_handler));
        ffi::lua_rawgeti(state, ffi::LUA_REGISTRYINDEX, i64::from(call.function));
        let mut count = 0;
        if let Some(first) = call.first {
            ffi::lua_rawgeti(state, ffi::LUA_REGISTRYINDEX, i64::from(first));
            count = 1;
        }
        match stack::push_list(state, &call.args) {
            Ok(pushed) => Some(count + pushed),
            Err(error) => {
                call.end = End::Args(error);
                None
            }
        }
    }
}

/// What the call has come to, which is on the stack above the first two values.
///
/// # Safety
/// `state` is in protected mode, and has them.
unsafe fn take_end(state: *mut lua_State, call: &mut Call<'_>, status: c_int) {
    // SAFETY: the caller's promise; as in `push_call`
    unsafe {
        if status != ffi::LUA_OK && status != ffi::LUA_YIELD {
            call.end = End::Raised(status);
            return;
        }
        let results = ffi::lua_gettop(state) - 2;
        call.end = match &mut call.results {
            Results::Encode(out) => match stack::encode_list(state, 3, results, out) {
                Ok(()) => End::Returned,
                Err(error) => End::Result(error),
            },
            Results::Hold(reference) => {
                ffi::lua_settop(state, 3);
                **reference = ffi::luaL_ref(state, ffi::LUA_REGISTRYINDEX);
                End::Returned
            }
            Results::Keep(out) => match stack::encode_list(state, 3, results, out) {
                Ok(()) => End::Returned,
                Err(error) => End::Result(error),
            },
            Results::Drop => End::Returned,
        };
    }
}

/// The code of a lack of memory.
const MEMORY: &str = "memory";

fn memory_failure() -> Failure {
    Failure::new(MEMORY, "not enough memory for the Lua state")
}

/// What a raised value says, without a traceback.
pub fn failure_of(value: &Value) -> Failure {
    let raised = error::describe(value);
    let after_ns = raised.retry_after.map(|seconds| (seconds.max(0.0) * 1e9) as u64);
    let retryable = Some(raised.retryable);
    Failure { code: raised.code, message: raised.message, retryable, after_ns, ..Failure::default() }
}

/// Where the script is, for a message handler.
pub(super) fn traceback(lua: &Lua) -> Option<String> {
    match lua.inspect_stack(DEEP, |_| ()) {
        None => lua.traceback(None, 1).ok().map(|text| trimmed(&text.to_string_lossy())),
        Some(()) => Some(innermost(lua)),
    }
}

/// The traceback of a deep stack: its last calls only. Lua walks a stack from its end for every line and to find its
/// other end, which after a million calls takes seconds.
fn innermost(lua: &Lua) -> String {
    let mut lines: Vec<String> = (1..=DEEP_SHOWN)
        .filter_map(|level| {
            lua.inspect_stack(level, |debug| {
                let source = debug.source();
                let place = match (source.short_src.as_deref(), debug.current_line()) {
                    (Some(file), Some(line)) => format!("{file}:{line}:"),
                    (file, _) => format!("{}:", file.unwrap_or("?")),
                };
                let names = debug.names();
                match names.name {
                    Some(name) => format!("{place} in {} '{name}'", names.name_what.unwrap_or("function")),
                    None => format!("{place} in function"),
                }
            })
        })
        .collect();
    lines.push(format!("...  (more than {DEEP} calls around these)"));
    lines.join("\n")
}

/// A traceback without its heading and without our own frames.
pub(super) fn trimmed(text: &str) -> String {
    text.lines()
        .skip_while(|line| line.trim_start().starts_with("stack traceback:"))
        .map(str::trim)
        .filter(|line| !line.starts_with("[C]: in ?") && !line.starts_with("mpms:"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// A failure of the state itself, which is nearly always its memory.
#[expect(clippy::needless_pass_by_value, reason = "made for map_err")]
pub fn unavailable(error: mlua::Error) -> Failure {
    Failure::new("memory", error.to_string())
}
