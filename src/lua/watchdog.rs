#![expect(
    unsafe_code,
    reason = "a hook on a raw state, set from a signal handler: the way to stop a loop that costs nothing before"
)]
//! What ends a script that does not end: at a deadline, an error that comes back at every instruction.
//!
//! One thread of the process, the watchdog, sleeps until the next deadline of any thread. It then says so in the
//! thread's [`Watched`], wakes its waiting library call, and pokes it. The signal handler sets a hook on the coroutine
//! that runs, and the hook raises at the next instruction, again and again until what was watched is left; every
//! 50 ms the watchdog pokes again. Until the deadline nothing of this costs a script anything.
//!
//! A thread with several attempts at once has a deadline for each of them, of which one at most is that of the coroutine
//! that runs. The hook stops that one; the scheduler of the thread is woken for the others, which wait.
//!
//! What is watched has a number that no other thing of its thread has. Signal handler and hook act only while that
//! very number is the current one, so a late signal never hits what comes next.

use std::cell::{Cell, RefCell};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering, compiler_fence};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use mlua::ffi::{self, lua_Debug, lua_State};

use super::call::{Bridge, Held};
use super::coverage;
use super::std::runtime::{self, Interrupt};
use super::std::time::human;
use crate::model::Failure;
use crate::os::clock::monotonic_ns;
use crate::os::poke::{self, Thread};
use crate::os::slots::Slot;

/// Between two pokes of a thread that is over its time.
const AGAIN_NS: u64 = 50_000_000;

/// Between two looks at deadlines of the same thread.
const LOOK_NS: u64 = 1_000_000;

/// Set in the numbers of phases, and not in those of attempts before a slot was used two billion times.
const PHASE: u64 = 1 << 63;

/// The code of what ended at its deadline.
pub const TIMEOUT: &str = "timeout";

/// The code of what somebody ended by a [`Stopper`], and its message.
pub const CANCELLED: &str = "cancelled";
const INTERRUPTED: &str = "interrupted";

/// A thread, as the watchdog knows it.
#[derive(Debug)]
pub struct Watched {
    thread: Thread,
    /// One of the thread's deadlines is over since the thread last asked.
    news: AtomicBool,
    /// Something outside of attempts, with its deadline in the place of the start; it goes before the slot.
    phase: Slot,
    phases: AtomicU64,
    /// The phase that somebody wants to end now.
    unwanted: AtomicU64,
    interrupt: Arc<Interrupt>,
}

/// Ends what a thread runs, from another thread.
#[derive(Clone, Copy, Debug)]
pub struct Stopper(&'static Watched);

/// What signal handler and hook read, all of the thread itself.
struct Here {
    watched: Cell<Option<&'static Watched>>,
    slot: Cell<Option<&'static Slot>>,
    /// The coroutine that runs.
    running: AtomicPtr<lua_State>,
    /// The thread's main coroutine.
    main: Cell<*mut lua_State>,
    error_metatable: Cell<Option<Held>>,
    /// A string, and the metatable of all of them.
    strings: Cell<Option<(Held, Held)>>,
    /// A hook was set since the last [`settle`].
    hooked: AtomicBool,
    limit_ns: Cell<u64>,
    phase_limit_ns: Cell<u64>,
}

thread_local! {
    static HERE: Here = const {
        Here {
            watched: Cell::new(None),
            slot: Cell::new(None),
            running: AtomicPtr::new(ptr::null_mut()),
            main: Cell::new(ptr::null_mut()),
            error_metatable: Cell::new(None),
            strings: Cell::new(None),
            hooked: AtomicBool::new(false),
            limit_ns: Cell::new(0),
            phase_limit_ns: Cell::new(0),
        }
    };
    /// Where the script was when the hook first raised.
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

struct Entry {
    watched: &'static Watched,
    /// What it runs, one after another, each with the same limit.
    slot: Option<(&'static Slot, u64)>,
    /// What it runs at the same time, with deadlines in the place of starts; none is set less than so long ahead, unless
    /// the watchdog is told of it.
    deadlines: (&'static [Slot], u64),
}

struct Registry {
    entries: Mutex<Vec<Entry>>,
    changed: Condvar,
}

/// Watches everything that this thread runs under `slot`, each for `limit_ns` from its start. The slot costs what it
/// costs anyway; the watchdog reads it. With a bridge, loops of its state are stopped, else only waiting calls.
pub fn watch_slot(bridge: Option<&Bridge>, slot: &'static Slot, limit_ns: u64) {
    let watched = this_thread();
    HERE.with(|here| {
        here.slot.set(Some(slot));
        here.limit_ns.set(limit_ns);
    });
    if let Some(bridge) = bridge {
        adopt(bridge);
    }
    let registry = registry();
    let mut entries = registry.lock();
    if let Some(entry) = entries.iter_mut().find(|entry| ptr::eq(entry.watched, watched)) {
        entry.slot = Some((slot, limit_ns));
    }
    drop(entries);
    registry.changed.notify_one();
}

/// Watches what this thread runs at the same time: each slot holds a deadline in the place of a start. Deadlines are
/// set `least_ns` ahead, or by [`set_deadline`]. [`enters`] says which of them runs.
pub fn watch_deadlines(bridge: &Bridge, deadlines: &'static [Slot], least_ns: u64) {
    let watched = this_thread();
    adopt(bridge);
    let registry = registry();
    let mut entries = registry.lock();
    if let Some(entry) = entries.iter_mut().find(|entry| ptr::eq(entry.watched, watched)) {
        entry.deadlines = (deadlines, least_ns);
    }
    drop(entries);
    registry.changed.notify_one();
}

/// What runs under this slot has from now on another time, and the watchdog knows. Not to be used for what begins
/// often.
pub fn set_deadline(slot: &Slot, limit_ns: u64) {
    let number = PHASE | this_thread().phases.fetch_add(1, Ordering::Relaxed);
    slot.end();
    slot.begin(number, monotonic_ns().saturating_add(limit_ns));
    drop(registry().lock());
    registry().changed.notify_one();
}

/// From now on this thread runs what has this deadline, for `limit_ns` in all; or none of them.
#[inline]
pub fn enters(slot: Option<&'static Slot>, limit_ns: u64) {
    HERE.with(|here| {
        here.slot.set(slot);
        here.limit_ns.set(limit_ns);
    });
    compiler_fence(Ordering::SeqCst);
}

/// Whether one of the thread's deadlines has passed; asked once.
pub fn take_news() -> bool {
    HERE.with(|here| here.watched.get().is_some_and(|watched| watched.news.swap(false, Ordering::Acquire)))
}

/// Calls of one thread and state, one after another, each with the same limit.
pub struct Calls {
    slot: &'static Slot,
    count: Cell<u64>,
}

impl Calls {
    /// For calls of `limit_ns` at most.
    pub fn new(bridge: &Bridge, limit_ns: u64) -> Self {
        // the watchdog may look at it as long as the process lives
        let slot: &'static Slot = Box::leak(Box::new(Slot::idle()));
        watch_slot(Some(bridge), slot, limit_ns);
        Calls { slot, count: Cell::new(0) }
    }

    /// One begins, at this time; callers that read the clock anyway save a reading.
    pub fn begin(&self, now_ns: u64) {
        self.count.set(self.count.get() + 1);
        self.slot.begin(self.count.get(), now_ns);
    }

    /// It has ended.
    pub fn end(&self) {
        self.slot.end();
        settle();
    }
}

/// Runs `body`, which works in the bridge's state, for `limit_ns` at most; a failure that is due to the limit is told
/// as that.
///
/// # Errors
/// Those of `body`.
pub fn during<R>(
    bridge: &Bridge,
    limit_ns: u64,
    body: impl FnOnce() -> Result<R, Failure>,
) -> Result<R, Failure> {
    let watched = this_thread();
    adopt(bridge);
    settle();
    let number = PHASE | watched.phases.fetch_add(1, Ordering::Relaxed);
    HERE.with(|here| here.phase_limit_ns.set(limit_ns));
    watched.phase.begin(number, monotonic_ns().saturating_add(limit_ns));
    // taken and given back, so that the watchdog either sees the phase or is told of it
    drop(registry().lock());
    registry().changed.notify_one();
    let result = body().map_err(as_timeout);
    watched.phase.end();
    settle();
    result
}

/// Runs `body`, which works in the bridge's state, until it ends or the thread's [`Stopper`] ends it.
///
/// # Errors
/// Those of `body`.
pub fn until_stopped<R>(bridge: &Bridge, body: impl FnOnce() -> Result<R, Failure>) -> Result<R, Failure> {
    during(bridge, u64::MAX, body)
}

/// For the calling thread.
pub fn stopper() -> Stopper {
    Stopper(this_thread())
}

impl Stopper {
    /// Ends what the thread runs by [`during`] or [`until_stopped`]; nothing when there is none.
    pub fn stop(self) {
        self.0.unwanted.store(self.0.phase.handle(), Ordering::Release);
        drop(registry().lock());
        registry().changed.notify_one();
    }
}

/// Whether what this thread runs is over its time. Fit for a signal handler.
pub fn is_over() -> bool {
    HERE.with(|here| {
        let Some(watched) = here.watched.get() else { return false };
        match watched.phase.handle() {
            0 => here.slot.get().is_some_and(Slot::is_over),
            _ => watched.phase.is_over(),
        }
    })
}

/// A failure of what runs now, told as a timeout if it is over its time.
pub fn as_timeout(failure: Failure) -> Failure {
    if is_over() { timeout(Some(failure)) } else { failure }
}

/// An attempt that is over its time has failed, also when it returned: what it returned may be what a call gave that was
/// cut short.
///
/// # Errors
/// Those of the attempt, or the timeout.
#[inline]
pub fn checked(result: Result<(), Failure>) -> Result<(), Failure> {
    if is_over() { Err(timeout(result.err())) } else { result }
}

#[cold]
fn timeout(failure: Option<Failure>) -> Failure {
    let place = PLACE.with(RefCell::take);
    let traceback = place.or(failure.and_then(|failure| failure.traceback));
    Failure { retryable: Some(true), traceback, ..Failure::new(code(), sentence()) }
}

/// To be called when something under a slot has ended: takes a hook off that came for it.
#[inline]
pub fn settle() {
    HERE.with(|here| {
        // the signal handler of this thread sets it only as long as the slot is busy
        compiler_fence(Ordering::SeqCst);
        if here.hooked.load(Ordering::Relaxed) {
            take_off(here);
        }
    });
}

#[cold]
fn take_off(here: &Here) {
    here.hooked.store(false, Ordering::Relaxed);
    PLACE.with(RefCell::take);
    let main = here.main.get();
    if main.is_null() {
        return;
    }
    // SAFETY: the main coroutine of a state that is never closed, which this thread alone uses
    unsafe { coverage::rest(main) };
    if let Some(strings) = here.strings.get() {
        // SAFETY: as above; the values are those of its bridge
        unsafe { give_back_methods(main, strings) };
    }
}

/// Code that takes the methods of strings away for a moment, as readers of foreign tables do, and was stopped in it, has
/// not given them back.
///
/// # Safety
/// `state` is a live state of this thread, whose bridge holds the values.
unsafe fn give_back_methods(state: *mut lua_State, (string, metatable): (Held, Held)) {
    // SAFETY: the caller's promise; none of it raises or runs code
    unsafe {
        if ffi::lua_checkstack(state, 3) == 0 {
            return;
        }
        let top = ffi::lua_gettop(state);
        string.push(state);
        if ffi::lua_getmetatable(state, -1) == 0 {
            metatable.push(state);
            ffi::lua_setmetatable(state, -2);
        }
        ffi::lua_settop(state, top);
    }
}

/// From now on this coroutine runs on this thread.
#[inline]
pub(super) fn runs(co: *mut lua_State) {
    HERE.with(|here| here.running.store(co, Ordering::Relaxed));
    compiler_fence(Ordering::SeqCst);
}

/// The coroutine that runs, as was last published; null: none was.
pub(super) fn running() -> *mut lua_State {
    HERE.with(|here| here.running.load(Ordering::Relaxed))
}

/// The coroutine that had resumed another runs again; if the other was stopped, so is this one.
///
/// # Safety
/// `state` is a live state of this thread.
#[inline]
pub(super) unsafe fn runs_again(state: *mut lua_State) {
    runs(state);
    if HERE.with(|here| here.hooked.load(Ordering::Relaxed)) {
        // SAFETY: the caller's promise
        unsafe { ffi::lua_sethook(state, Some(stop), ffi::LUA_MASKCOUNT, 1) };
    }
}

/// Makes the bridge's state the one that is stopped on this thread.
fn adopt(bridge: &Bridge) {
    HERE.with(|here| {
        here.main.set(bridge.main());
        here.error_metatable.set(Some(bridge.error_metatable));
        here.strings.set(Some(bridge.strings));
    });
    runs(bridge.main());
}

/// Whether somebody has ended the phase that runs.
fn is_unwanted() -> bool {
    HERE.with(|here| {
        here.watched.get().is_some_and(|watched| {
            let phase = watched.phase.handle();
            phase != 0 && watched.unwanted.load(Ordering::Acquire) == phase
        })
    })
}

/// The code of a timeout that happens now.
fn code() -> &'static str {
    if is_unwanted() { CANCELLED } else { TIMEOUT }
}

/// The message of a timeout that happens now.
fn sentence() -> String {
    if is_unwanted() {
        return INTERRUPTED.to_owned();
    }
    let limit_ns = HERE.with(|here| match here.watched.get().map_or(0, |watched| watched.phase.handle()) {
        0 => here.limit_ns.get(),
        _ => here.phase_limit_ns.get(),
    });
    format!("timeout after {}", human(Duration::from_nanos(limit_ns)))
}

/// What a poked thread does, in the context of the signal.
fn poked() {
    if is_over() {
        HERE.with(|here| {
            let running = here.running.load(Ordering::Relaxed);
            if !running.is_null() {
                here.hooked.store(true, Ordering::Relaxed);
                compiler_fence(Ordering::SeqCst);
                // SAFETY: the coroutine that this very thread runs; `lua_sethook` may be called from a signal handler of it
                // (lua.c does so for Ctrl-C)
                unsafe { ffi::lua_sethook(running, Some(stop), ffi::LUA_MASKCOUNT, 1) };
            }
        });
    }
}

/// The hook: raises, and stays.
///
/// # Safety
/// Called by Lua.
unsafe extern "C-unwind" fn stop(state: *mut lua_State, _: *mut lua_Debug) {
    // SAFETY: the caller's promise. Everything that owns memory is dropped before a call that may jump.
    unsafe {
        if !is_over() {
            coverage::rest(state);
            return;
        }
        allow_hooks(state);
        if ffi::lua_checkstack(state, 8) == 0 {
            ffi::lua_pushlstring(state, TIMEOUT.as_ptr().cast(), TIMEOUT.len());
            ffi::lua_error(state);
        }
        if PLACE.with(|place| place.borrow().is_none()) {
            ffi::luaL_traceback(state, state, ptr::null(), 0);
            remember(state);
            ffi::lua_settop(state, -2);
        }
        ffi::lua_createtable(state, 0, 3);
        push_sentence(state);
        ffi::lua_setfield(state, -2, c"message".as_ptr());
        let code = code();
        ffi::lua_pushlstring(state, code.as_ptr().cast(), code.len());
        ffi::lua_setfield(state, -2, c"code".as_ptr());
        ffi::lua_pushboolean(state, 1);
        ffi::lua_setfield(state, -2, c"retryable".as_ptr());
        if let Some(metatable) = HERE.with(|here| here.error_metatable.get()) {
            metatable.push(state);
            ffi::lua_setmetatable(state, -2);
        }
        ffi::lua_error(state)
    }
}

/// Lua runs a hook with hooks off. An error in it does not end that before what runs because of the error has ended: the
/// message handler of an `xpcall`, the `__close` of a coroutine that dies. A loop there could not be stopped any more.
/// As the hook never returns from here, hooks are allowed again, in the one place where Lua 5.4 keeps that.
///
/// # Safety
/// `state` is a live state inside of a hook that is about to raise.
unsafe fn allow_hooks(state: *mut lua_State) {
    /// `allowhook` of `lua_State` (lstate.h): after `next`, `tt`, `marked` and `status`.
    const ALLOW_HOOK: usize = size_of::<*const ()>() + 3;
    // SAFETY: a byte of the state, which is larger than that; it is 0 in a hook, so another value would be another field
    unsafe {
        let allowed = state.cast::<u8>().add(ALLOW_HOOK);
        if *allowed == 0 {
            *allowed = 1;
        }
    }
}

/// Keeps the traceback on top of the stack.
///
/// # Safety
/// `state` is a live state with a string on top.
unsafe fn remember(state: *mut lua_State) {
    let mut length = 0;
    // SAFETY: the caller's promise; the bytes are copied
    let text = unsafe {
        let start = ffi::lua_tolstring(state, -1, &raw mut length);
        if start.is_null() {
            return;
        }
        String::from_utf8_lossy(std::slice::from_raw_parts(start.cast::<u8>(), length)).into_owned()
    };
    let text = super::call::trimmed(&text);
    PLACE.with(|place| place.replace(Some(text)));
}

/// # Safety
/// `state` is a live state with room for one more.
unsafe fn push_sentence(state: *mut lua_State) {
    let mut buffer = [0; 64];
    let length = {
        let text = sentence();
        let length = text.len().min(buffer.len());
        buffer[..length].copy_from_slice(&text.as_bytes()[..length]);
        length
    };
    // SAFETY: the caller's promise; nothing here owns memory any more
    unsafe { ffi::lua_pushlstring(state, buffer.as_ptr().cast(), length) };
}

fn this_thread() -> &'static Watched {
    if let Some(watched) = HERE.with(|here| here.watched.get()) {
        return watched;
    }
    let watched: &'static Watched = Box::leak(Box::new(Watched {
        thread: Thread::current(),
        news: AtomicBool::new(false),
        phase: Slot::idle(),
        phases: AtomicU64::new(1),
        unwanted: AtomicU64::new(0),
        interrupt: runtime::interrupt(),
    }));
    HERE.with(|here| here.watched.set(Some(watched)));
    registry().lock().push(Entry { watched, slot: None, deadlines: (&[], u64::MAX) });
    watched
}

/// The one of this process, with its thread.
fn registry() -> &'static Registry {
    static REGISTRY: OnceLock<Registry> = OnceLock::new();
    static STARTED: OnceLock<()> = OnceLock::new();
    let registry = REGISTRY.get_or_init(|| Registry { entries: Mutex::default(), changed: Condvar::new() });
    STARTED.get_or_init(|| {
        // without handler or thread only waiting calls would be stopped, or nothing; the kill by the coordinator remains
        let _ = poke::on_poke(poked);
        let _ = std::thread::Builder::new().name("watchdog".into()).spawn(move || registry.watch());
    });
    registry
}

impl Registry {
    fn lock(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn watch(&self) {
        let mut entries = self.lock();
        loop {
            let now_ns = monotonic_ns();
            let next_ns = entries.iter().map(|entry| entry.look(now_ns)).min().unwrap_or(u64::MAX);
            entries = if next_ns == u64::MAX {
                self.changed.wait(entries).unwrap_or_else(PoisonError::into_inner)
            } else {
                let left = Duration::from_nanos(next_ns.saturating_sub(monotonic_ns()).max(1));
                self.changed.wait_timeout(entries, left).unwrap_or_else(PoisonError::into_inner).0
            };
        }
    }
}

impl Entry {
    /// Stops what is over its time, and says when to look again.
    fn look(&self, now_ns: u64) -> u64 {
        self.look_at_deadlines(now_ns).min(self.look_at_one(now_ns))
    }

    fn look_at_deadlines(&self, now_ns: u64) -> u64 {
        let (deadlines, least_ns) = self.deadlines;
        let mut next_ns = now_ns.saturating_add(least_ns);
        let mut over = false;
        for slot in deadlines {
            let Some(one) = slot.running() else { continue };
            if one.started_ns <= now_ns {
                slot.set_over(one.handle);
                over = true;
            } else {
                next_ns = next_ns.min(one.started_ns);
            }
        }
        if over {
            self.watched.news.store(true, Ordering::Release);
            self.stop();
            next_ns = next_ns.min(now_ns.saturating_add(AGAIN_NS));
        }
        // ten thousand deadlines close to each other are few looks
        next_ns.max(now_ns.saturating_add(LOOK_NS))
    }

    fn stop(&self) {
        self.watched.interrupt.wake();
        self.watched.thread.poke();
    }

    fn look_at_one(&self, now_ns: u64) -> u64 {
        let due = match (self.watched.phase.running(), self.slot) {
            // the deadline stands in the place of the start
            (Some(phase), _) => {
                let unwanted = self.watched.unwanted.load(Ordering::Acquire) == phase.handle;
                let deadline_ns = if unwanted { now_ns } else { phase.started_ns };
                Some((phase.handle, deadline_ns, &self.watched.phase))
            }
            (None, Some((slot, limit_ns))) => match slot.running() {
                Some(one) => Some((one.handle, one.started_ns.saturating_add(limit_ns), slot)),
                // whatever begins from now on is not over before that
                None => return now_ns.saturating_add(limit_ns),
            },
            (None, None) => None,
        };
        match due {
            None => u64::MAX,
            Some((_, deadline_ns, _)) if deadline_ns > now_ns => deadline_ns,
            Some((number, _, slot)) => {
                slot.set_over(number);
                self.stop();
                now_ns.saturating_add(AGAIN_NS)
            }
        }
    }
}
