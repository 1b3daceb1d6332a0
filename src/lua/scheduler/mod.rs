//! Coroutines that run beside each other on one thread, as long as they wait.
//!
//! Each of them is a coroutine of the thread's one Lua state. One that calls a library function that waits leaves its
//! future here and yields; when the future is done, it is resumed where it was. Lua never runs inside of the runtime:
//! the thread either runs coroutines that can go on, or polls the futures of those that cannot. So a call that cannot
//! yield may block on the runtime at any time, and holds up the thread.
//!
//! A family is an attempt with the children that it spawned. With `coroutines` above 1 a thread has many of them, and a
//! [`Switch`] that knows what belongs to each. Else there is one family, whose head is no coroutine: it blocks in each
//! call that waits, and its children run meanwhile.

mod blocked;
mod child;
mod fiber;
mod woken;

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet, VecDeque};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use mlua::Lua;

use super::border::Call;
use super::call::{FiberCall, Seen};
use super::coroutine::{self, Back};
use super::error::LibError;
use super::module;
use super::random::Random;
use super::std::log::Level;
use super::std::{env, runtime};
use super::watchdog;
pub use child::{Child, Then};
use fiber::{Body, Fiber, Phase};
use woken::{Sleeper, Woken};

/// An attempt with what it spawned; the number is its owner's.
pub type Family = u32;

/// The family of whatever runs in no coroutine.
pub const MAIN: Family = u32::MAX;

/// Ready coroutines between two looks at the runtime.
const BATCH: usize = 64;
/// Blocked calls inside each other, each of which runs coroutines of its family meanwhile.
const DEEPEST: u32 = 8;

/// Gives the results of a wait, in the coroutine that waited.
pub(super) type Finish = Box<dyn FnOnce(&Lua, Call) -> mlua::Result<()>>;
/// What a call waits for. Behind a pointer, so that the code which waits is there once and not for each function.
pub(super) type Wait = Pin<Box<dyn Future<Output = Finish>>>;

/// What belongs to the families of a thread besides their coroutines.
pub trait Switch {
    /// Another family's coroutine runs next: puts away what belongs to this one.
    fn leave(&self, family: Family);
    /// And puts in place what belongs to that one.
    fn enter(&self, family: Family);
    /// A coroutine of the family goes on.
    fn computes(&self, family: Family);
    /// And waits again, or has ended.
    fn waits(&self, family: Family);
}

/// The head of a family has ended.
pub struct Ended {
    /// Which family.
    pub family: Family,
    /// The call that it was started with.
    pub call: Box<FiberCall>,
    pub(super) raised: Option<Seen>,
}

/// The coroutines of one Lua state.
#[derive(Default)]
pub struct Scheduler {
    fibers: RefCell<Vec<Option<Fiber>>>,
    free: RefCell<Vec<usize>>,
    sleepers: RefCell<Vec<Arc<Sleeper>>>,
    ready: RefCell<VecDeque<usize>>,
    woken: Arc<Woken>,
    /// The coroutine that runs; none: the main one.
    running: Cell<Option<usize>>,
    /// Whose things are in place.
    family: Cell<Option<Family>>,
    /// Left by the call that yields next.
    pending: RefCell<Option<Wait>>,
    children: RefCell<HashMap<Family, Vec<Rc<Child>>>>,
    /// Children that raised, until their family ends.
    failed: RefCell<HashMap<Family, Vec<Rc<Child>>>>,
    ended: RefCell<VecDeque<Ended>>,
    idle: RefCell<Vec<mlua::Thread>>,
    depth: Cell<u32>,
    /// Files that `require` is loading.
    loading: Cell<u32>,
    switch: RefCell<Option<Rc<dyn Switch>>>,
    random: RefCell<Option<Random>>,
    raised: RefCell<Rc<RefCell<Option<Seen>>>>,
    /// Places of calls that blocked.
    told: RefCell<HashSet<String>>,
}

/// A function that cancels the children of the family that runs, and waits until they have ended.
///
/// # Errors
/// When Lua has no memory left.
pub(super) fn leave_function(lua: &Lua) -> mlua::Result<mlua::Function> {
    module::waiting_function(lua, "co.leave()", |lua, ()| {
        let scheduler = Scheduler::of(lua);
        let family = scheduler.current_family();
        scheduler.cancel_children(family);
        async move {
            scheduler.until_alone(family).await;
            Ok(())
        }
    })
}

/// Logs what children of a family raised for which nobody waited.
pub fn tell_unheard(lua: &Lua, scheduler: &Scheduler, family: Family) {
    for message in scheduler.take_unheard(family) {
        if let Ok(env) = env(lua) {
            let text = format!("a coroutine for which nobody waited raised: {message}");
            (env.log.here)(Level::Error, &text, Vec::new());
        }
    }
}

/// What has become of a library call that waits.
pub(super) enum Begun {
    /// It has blocked, and this is what came of it.
    Done(Finish),
    /// It has to yield now.
    Yields,
}

impl Scheduler {
    /// The one of the state.
    pub fn of(lua: &Lua) -> Rc<Self> {
        if let Some(scheduler) = lua.app_data_ref::<Rc<Self>>() {
            return Rc::clone(&scheduler);
        }
        let scheduler = Rc::<Self>::default();
        lua.set_app_data(Rc::clone(&scheduler));
        scheduler
    }

    /// Families come and go by this from now on.
    pub fn set_switch(&self, switch: Rc<dyn Switch>) {
        self.switch.replace(Some(switch));
    }

    /// The state's `math.random`, of which each coroutine has its own part.
    ///
    /// # Errors
    /// When there is none that can be seeded.
    pub(super) fn random(&self, lua: &Lua) -> mlua::Result<Random> {
        let mut kept = self.random.borrow_mut();
        match *kept {
            Some(random) => Ok(random),
            None => Ok(*kept.insert(Random::of(lua)?)),
        }
    }

    pub(super) fn set_raised(&self, raised: Rc<RefCell<Option<Seen>>>) {
        self.raised.replace(raised);
    }

    /// A file begins to be loaded, or has been. Until it is loaded, calls that wait block: another task that asks for it
    /// must not find it half loaded.
    pub(super) fn load(&self, begins: bool) {
        let count = self.loading.get();
        self.loading.set(if begins { count + 1 } else { count.saturating_sub(1) });
    }

    /// Whether families come and go.
    fn has_families(&self) -> bool {
        self.switch.borrow().is_some()
    }

    /// Whether nothing else could run on the thread while a call waits.
    pub(super) fn is_alone(&self) -> bool {
        !self.has_families() && !self.has_fibers()
    }

    /// The family that runs.
    pub(super) fn current_family(&self) -> Family {
        self.family.get().filter(|_| self.running.get().is_some()).unwrap_or(MAIN)
    }

    /// The coroutine that runs, by a number that no other has until it ends; none: the main one.
    pub(super) fn current(&self) -> Option<usize> {
        self.running.get()
    }

    /// Starts the head of a family, which runs at once until it waits or ends.
    ///
    /// # Errors
    /// When Lua has no memory left; the call is given back.
    pub fn start(
        &self,
        lua: &Lua,
        family: Family,
        call: Box<FiberCall>,
        words: [u64; 4],
    ) -> mlua::Result<()> {
        let (thread, count) = fiber::with_call(lua, self.idle.borrow_mut().pop(), &call)?;
        let index = self.add(Fiber::new(thread, family, Body::Head(call), count, words));
        self.step(lua, index);
        Ok(())
    }

    /// Puts in place what belongs to a family.
    pub fn enter(&self, family: Family) {
        let outer = self.family.replace(Some(family));
        if let Some(switch) = self.switch.borrow().clone().filter(|_| outer != Some(family)) {
            if let Some(outer) = outer.filter(|outer| *outer != MAIN) {
                switch.leave(outer);
            }
            if family != MAIN {
                switch.enter(family);
            }
        }
    }

    /// The next head that has ended.
    pub fn next_ended(&self) -> Option<Ended> {
        self.ended.borrow_mut().pop_front()
    }

    /// Whether a coroutine can go on.
    pub fn has_ready(&self) -> bool {
        !self.ready.borrow().is_empty()
    }

    /// Whether any waits.
    pub fn has_fibers(&self) -> bool {
        self.fibers.borrow().len() > self.free.borrow().len()
    }

    /// Runs those that can go on, each until it waits again, and not more than a batch of them.
    pub fn run_ready(&self, lua: &Lua) {
        for _ in 0..BATCH {
            let Some(index) = self.next_ready(None) else { break };
            self.step(lua, index);
        }
    }

    /// Sees which waits are over. With `wait`, sleeps until there is one, or until the thread's interrupt comes.
    pub fn poll(&self, wait: bool) {
        let interrupt = runtime::interrupt();
        let polled = runtime::block_on_turn(async {
            let mut woken = pin!(interrupt.woken());
            std::future::poll_fn(|cx| {
                self.poll_woken(cx);
                let interrupted = woken.as_mut().poll(cx).is_ready();
                if interrupted || !wait || self.has_ready() { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
        });
        // without a runtime nobody could wait
        debug_assert!(polled.is_ok(), "the thread runs inside of its runtime");
    }

    /// Waits in the coroutine that runs if it can, else on the thread.
    ///
    /// # Errors
    /// When the coroutine must not wait any more, or the thread was interrupted.
    pub(super) fn wait(&self, lua: &Lua, op: &str, wait: Wait) -> Result<Begun, LibError> {
        if self.is_cancelled() {
            return Err(runtime::cancelled());
        }
        if self.can_yield() {
            self.pending.replace(Some(wait));
            return Ok(Begun::Yields);
        }
        self.block(lua, op, wait).map(Begun::Done)
    }

    fn can_yield(&self) -> bool {
        self.running.get().is_some() && self.loading.get() == 0 && coroutine::can_wait()
    }

    /// Whether every other coroutine of the thread goes on while a call waits. Where one blocks they do not, or not all.
    pub(super) fn others_run(&self) -> bool {
        self.can_yield() || (self.running.get().is_none() && !self.has_families())
    }

    /// What the wait of the running coroutine has come to.
    pub(super) fn take_finished(&self, lua: &Lua, call: Call) -> mlua::Result<()> {
        let finish = self.running.get().and_then(|index| {
            self.fibers.borrow_mut().get_mut(index).and_then(Option::as_mut).and_then(|one| one.finish.take())
        });
        match finish {
            Some(finish) => finish(lua, call),
            None => call.give(lua, ()),
        }
    }

    /// Whether the running coroutine must not wait any more.
    fn is_cancelled(&self) -> bool {
        let cancelled = |index| {
            let fibers = self.fibers.borrow();
            fibers.get(index).and_then(Option::as_ref).is_some_and(|one: &Fiber| one.cancelled)
        };
        self.running.get().is_some_and(cancelled) || (self.running.get().is_some() && watchdog::is_over())
    }

    /// Every wait of these families ends now, with an error.
    pub fn cancel_families(&self, which: impl Fn(Family) -> bool) {
        let of = |one: &Option<Fiber>| one.as_ref().is_some_and(|one| which(one.family));
        let all: Vec<usize> = {
            let fibers = self.fibers.borrow();
            fibers.iter().enumerate().filter(|(_, one)| of(one)).map(|(index, _)| index).collect()
        };
        all.into_iter().for_each(|index| self.end_wait(index));
    }

    /// The wait of a coroutine, if it waits, ends with an error.
    fn end_wait(&self, index: usize) {
        let wait = {
            let mut fibers = self.fibers.borrow_mut();
            let Some(one) = fibers.get_mut(index).and_then(Option::as_mut) else { return };
            if one.phase != Phase::Waits {
                return;
            }
            one.finish = Some(Box::new(|lua, call| call.raise(lua, runtime::cancelled().into_value(lua)?)));
            one.phase = Phase::Ready;
            one.wait.take()
        };
        runtime::drop_within(wait);
        self.ready.borrow_mut().push_back(index);
    }

    fn add(&self, fiber: Fiber) -> usize {
        let mut fibers = self.fibers.borrow_mut();
        match self.free.borrow_mut().pop() {
            Some(index) => {
                fibers[index] = Some(fiber);
                index
            }
            None => {
                fibers.push(Some(fiber));
                let index = fibers.len() - 1;
                self.sleepers.borrow_mut().push(Sleeper::new(index, &self.woken));
                index
            }
        }
    }

    fn remove(&self, index: usize) -> Option<Fiber> {
        let fiber = self.fibers.borrow_mut().get_mut(index)?.take()?;
        self.free.borrow_mut().push(index);
        Some(fiber)
    }

    /// The next one that can go on, of one family or of any.
    fn next_ready(&self, only: Option<Family>) -> Option<usize> {
        let mut ready = self.ready.borrow_mut();
        let fibers = self.fibers.borrow();
        // what was ended meanwhile is still in the list
        let is_ready = |index: usize, only: Option<Family>| {
            fibers
                .get(index)
                .and_then(Option::as_ref)
                .is_some_and(|one| one.phase == Phase::Ready && only.is_none_or(|only| one.family == only))
        };
        while let Some(index) = ready.pop_front_if(|index| only.is_none() || !is_ready(*index, None)) {
            if is_ready(index, None) {
                return Some(index);
            }
        }
        let at = ready.iter().position(|index| is_ready(*index, only))?;
        ready.remove(at)
    }

    fn poll_woken(&self, cx: &mut Context<'_>) {
        for index in self.woken.take(cx) {
            // also where nothing waits any more: the number may come to another
            let waker = self.sleepers.borrow()[index].waker();
            let wait = {
                let mut fibers = self.fibers.borrow_mut();
                fibers.get_mut(index).and_then(Option::as_mut).and_then(|one| one.wait.take())
            };
            if let Some(wait) = wait {
                self.poll_one(index, wait, &mut Context::from_waker(&waker));
            }
        }
    }

    fn poll_one(&self, index: usize, mut wait: Wait, cx: &mut Context<'_>) {
        let polled = wait.as_mut().poll(cx);
        let mut fibers = self.fibers.borrow_mut();
        let Some(one) = fibers.get_mut(index).and_then(Option::as_mut) else { return };
        match polled {
            Poll::Pending => one.wait = Some(wait),
            Poll::Ready(finish) => {
                one.finish = Some(finish);
                one.phase = Phase::Ready;
                self.ready.borrow_mut().push_back(index);
            }
        }
    }

    /// Resumes a coroutine, with what belongs to it in place.
    fn step(&self, lua: &Lua, index: usize) {
        let begun = {
            let mut fibers = self.fibers.borrow_mut();
            let Some(one) = fibers.get_mut(index).and_then(Option::as_mut) else { return };
            one.phase = Phase::Runs;
            (one.base(), std::mem::take(&mut one.count), one.family, one.words, one.raised.take())
        };
        let (base, count, family, words, raised) = begun;
        // inside of a call that blocks, its family runs already
        let switch = self.switch.borrow().clone().filter(|_| family != MAIN && self.running.get().is_none());
        self.enter(family);
        if let Some(switch) = &switch {
            switch.computes(family);
        }
        let slot = Rc::clone(&self.raised.borrow());
        if raised.is_some() {
            slot.replace(raised);
        }
        let outer = self.running.replace(Some(index));
        let outer_words = self.random.borrow_mut().as_mut().map(|random| random.exchange(words));
        // SAFETY is the callee's: the coroutine is new or waits, and `resume` is not inside of one of its own
        let back = fiber::resume(base, count);
        let words = match outer_words {
            Some(outer) => self.random.borrow_mut().as_mut().map_or(words, |random| random.exchange(outer)),
            None => words,
        };
        self.running.set(outer);
        if let Some(switch) = &switch {
            switch.waits(family);
        }
        let raised = if slot.borrow().is_some() { slot.take() } else { None };
        match back {
            Back::Waits => self.keep_waiting(index, words, raised),
            back => self.end(lua, index, back, raised),
        }
    }

    fn keep_waiting(&self, index: usize, words: [u64; 4], raised: Option<Seen>) {
        let wait = self.pending.take();
        let mut fibers = self.fibers.borrow_mut();
        let Some(one) = fibers.get_mut(index).and_then(Option::as_mut) else { return };
        one.words = words;
        one.raised = raised;
        one.phase = Phase::Waits;
        one.wait = wait;
        self.sleepers.borrow()[index].wake_here();
    }

    fn end(&self, lua: &Lua, index: usize, back: Back, raised: Option<Seen>) {
        let Some(mut one) = self.remove(index) else { return };
        match std::mem::replace(&mut one.body, Body::None) {
            Body::Head(call) => {
                if back == Back::Raised {
                    fiber::end(one.base());
                }
                self.idle.borrow_mut().push(one.thread);
                self.ended.borrow_mut().push_back(Ended { family: one.family, call, raised });
            }
            Body::Child(child) => {
                let results = fiber::results(lua, &one, back);
                self.child_ended(&child, results);
            }
            Body::None => {}
        }
    }
}
