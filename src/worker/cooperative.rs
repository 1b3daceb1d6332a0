//! A thread that drives many attempts at once, each in a coroutine of its one Lua state.
//!
//! Each attempt has a number of its thread, which is also that of its family in the [`Scheduler`]: by it, what belongs to
//! the attempt is put in place before one of its coroutines goes on, and put away before another attempt's does.

use std::cell::{Cell, RefCell};
use std::io;
use std::path::PathBuf;
use std::rc::Rc;

use super::Shared;
use super::attempt::Current;
use super::queue::{Taken, Wake};
use super::thread::{self, Ended, Loaded};
use crate::lua::away::{Away, Belongings};
use crate::lua::call::{self, Held};
use crate::lua::random;
use crate::lua::role::worker::Attempts;
use crate::lua::role::{AtHand, Facts, Outlet};
use crate::lua::scheduler::{self, Family, Scheduler, Switch};
use crate::lua::std::runtime;
use crate::lua::watchdog;
use crate::model::event::Level;
use crate::model::job::Script;
use crate::model::task::TaskOptions;
use crate::model::{Failure, Value};
use crate::os::clock::monotonic_ns;
use crate::os::slots::Slot;
use crate::wire::from_worker::Line;
use crate::wire::value;

/// Tasks begun between two looks at the coroutines that can go on.
const AT_ONCE: usize = 16;

/// The life of thread `index`, up to the end of the `exit` role. The inner error: the coordinator is gone.
///
/// # Errors
/// When the script cannot be loaded, or its `init` role failed.
pub fn run(shared: &'static Shared, index: usize, script: &Script) -> Result<io::Result<()>, Failure> {
    let count = shared.setup.coroutines as usize;
    let slots = &shared.slots[index * count..(index + 1) * count];
    let desk = Rc::new(Desk::new(shared, slots));
    let attempts: Rc<dyn Attempts> = Rc::clone(&desk) as _;
    let here = Rc::clone(&desk);
    let loaded = Loaded::new(shared, script, &attempts, move || here.current().handle())?;
    let ending = loaded.state.ending(loaded.deferred).map_err(call::unavailable)?;
    desk.belongings.replace(Some(loaded.state.belongings()));
    loaded.state.bridge.scheduler().set_switch(Rc::clone(&desk) as _);
    let least_ns = shared.setup.bounds.timeout_ns.unwrap_or(u64::MAX);
    watchdog::watch_deadlines(&loaded.state.bridge, desk.deadlines, least_ns);
    let scheduler = Rc::clone(loaded.state.bridge.scheduler());
    let mut crew =
        Crew { shared, desk, scheduler, loaded, ending, free: Vec::new(), closed: false, at_work: 0 };
    let ended = crew.work();
    crew.loaded.exit(shared);
    Ok(ended)
}

/// An attempt of the thread, or the place of one.
struct Seat {
    current: Rc<Current>,
    away: Option<Away>,
    started_ns: u64,
    /// For what runs now.
    limit_ns: Cell<u64>,
    /// What the attempt has come to, while what it deferred runs.
    result: Option<Result<Vec<u8>, Ended>>,
}

/// The attempts of the thread, and the one whose things are in place.
struct Desk {
    shared: &'static Shared,
    slots: &'static [Slot],
    /// Until when each may run; known to the watchdog.
    deadlines: &'static [Slot],
    seats: RefCell<Vec<Seat>>,
    current: RefCell<Rc<Current>>,
    belongings: RefCell<Option<Belongings>>,
}

/// The thread at work.
struct Crew {
    shared: &'static Shared,
    desk: Rc<Desk>,
    scheduler: Rc<Scheduler>,
    loaded: Loaded,
    /// Ends what an attempt spawned, and runs what it deferred.
    ending: Held,
    free: Vec<Family>,
    closed: bool,
    /// Attempts that have begun and not ended.
    at_work: usize,
}

impl Crew {
    /// Runs tasks until the queue is closed.
    fn work(&mut self) -> io::Result<()> {
        let wake = runtime::interrupt();
        loop {
            if watchdog::take_news() {
                let deadlines = self.desk.deadlines;
                self.scheduler.cancel_families(|family| deadlines[family as usize].is_over());
            }
            self.scheduler.run_ready(self.loaded.state.lua());
            self.finish_ended()?;
            let mut taken = 0;
            while taken < AT_ONCE && self.begin(None)? {
                taken += 1;
            }
            if taken > 0 || self.scheduler.has_ready() {
                self.shared.outbox.nudge();
                if self.scheduler.has_fibers() {
                    self.scheduler.poll(false);
                }
                continue;
            }
            self.shared.outbox.flush()?;
            if self.begin(Some(&wake))? {
                continue;
            }
            if self.closed && self.at_work == 0 {
                return Ok(());
            }
            self.scheduler.poll(true);
        }
    }

    /// Takes a task and runs it until it waits. Whether there was one; if not, `wake` is woken when there is.
    fn begin(&mut self, wake: Option<&Wake>) -> io::Result<bool> {
        let Some(family) = self.free.pop().or_else(|| self.desk.add()) else { return Ok(false) };
        let current = self.desk.seat(family, |seat| Rc::clone(&seat.current));
        let taken = match wake {
            Some(wake) => self.shared.queue.take_or_wake(&mut current.buffer(), wake),
            None => self.shared.queue.take(&mut current.buffer()),
        };
        if !matches!(taken, Taken::Task) {
            self.closed |= matches!(taken, Taken::Closed);
            self.free.push(family);
            return Ok(false);
        }
        let now_ns = monotonic_ns();
        let seed = self.shared.setup.job.seed;
        let timeout_ns = self.shared.setup.bounds.timeout_ns;
        let started = current.with(|task| {
            let handle = task.handle.bits();
            self.desk.slots[family as usize].begin(handle, now_ns);
            if let Some(timeout_ns) = timeout_ns {
                self.desk.deadlines[family as usize].begin(handle, now_ns.saturating_add(timeout_ns));
            }
            self.desk.seat(family, |seat| {
                seat.started_ns = now_ns;
                seat.limit_ns.set(timeout_ns.unwrap_or(0));
                seat.result = None;
            });
            current.set_running(true);
            self.at_work += 1;
            let words = random::words(seed, task.id.bits());
            self.loaded.state.bridge.start(self.loaded.worker, task.args, family, words)
        });
        if let Err(failure) = started.map_err(io::Error::other)? {
            self.finish(family, Err(Ended::Failed(failure)))?;
        }
        self.finish_ended()?;
        Ok(true)
    }

    /// Sees to the attempts whose coroutine has ended.
    fn finish_ended(&mut self) -> io::Result<()> {
        // seeing to one may end another
        while let Some(ended) = self.scheduler.next_ended() {
            let family = ended.family;
            self.scheduler.enter(family);
            let bridge = &self.loaded.state.bridge;
            match self.desk.seat(family, |seat| seat.result.take()) {
                None => {
                    self.desk.computes(family);
                    let result = bridge.outcome(ended);
                    let (result, results) = match result {
                        Ok(results) => (Ok(()), results),
                        Err(failure) => (Err(failure), Vec::new()),
                    };
                    let current = self.desk.current();
                    let result = watchdog::checked(result)
                        .map_err(|failure| thread::ended(bridge, failure))
                        .and_then(|()| current.has_room(results.len()).map_err(Ended::Failed))
                        .map(|()| results);
                    self.desk.waits(family);
                    watchdog::settle();
                    if current.take_deferring() || self.scheduler.has_children(family) {
                        self.end_slowly(family, result)?;
                    } else {
                        self.finish(family, result)?;
                    }
                }
                Some(result) => {
                    self.desk.computes(family);
                    let ended = bridge.outcome(ended).map_err(watchdog::as_timeout);
                    self.desk.waits(family);
                    watchdog::settle();
                    if let Err(failure) = ended {
                        self.desk.current().complain(thread::not_finished(&failure));
                    }
                    self.desk.current().take_deferring();
                    self.scheduler.kill_children(family);
                    self.finish(family, result)?;
                }
            }
        }
        Ok(())
    }

    /// The attempt has a result, and something that has to end before it is told.
    fn end_slowly(&mut self, family: Family, result: Result<Vec<u8>, Ended>) -> io::Result<()> {
        let limit_ns = self.loaded.deferred_ns;
        watchdog::set_deadline(&self.desk.deadlines[family as usize], limit_ns);
        let id = self.desk.current().with(|task| task.id.bits()).unwrap_or_default();
        self.desk.seat(family, |seat| {
            seat.limit_ns.set(limit_ns);
            seat.result = Some(result);
        });
        let number = value::encode_list([Value::Int(i64::from(family))].iter());
        let words = random::words(self.shared.setup.job.seed, id);
        if let Err(failure) = self.loaded.state.bridge.start(self.ending, &number, family, words) {
            self.desk.current().complain(thread::not_finished(&failure));
            self.scheduler.kill_children(family);
            if let Some(result) = self.desk.seat(family, |seat| seat.result.take()) {
                self.finish(family, result)?;
            }
        }
        Ok(())
    }

    /// The attempt has ended, and with it all that it started.
    fn finish(&mut self, family: Family, result: Result<Vec<u8>, Ended>) -> io::Result<()> {
        self.scheduler.enter(family);
        let lua = self.loaded.state.lua();
        scheduler::tell_unheard(lua, &self.scheduler, family);
        self.desk.end_belongings();
        let current = self.desk.current();
        current.set_running(false);
        let effects = current.take_effects();
        let handle = current.with(|task| task.handle).map_err(io::Error::other)?;
        let now_ns = monotonic_ns();
        let elapsed_ns = now_ns.saturating_sub(self.desk.seat(family, |seat| seat.started_ns));
        let outbox = &self.shared.outbox;
        match result {
            Ok(results) => outbox.push_done(handle, elapsed_ns, now_ns, &results, effects.as_ref())?,
            Err(ended) => thread::push_ended(self.shared, handle, elapsed_ns, now_ns, ended)?,
        }
        self.desk.slots[family as usize].end();
        self.desk.deadlines[family as usize].end();
        watchdog::settle();
        self.free.push(family);
        self.at_work -= 1;
        Ok(())
    }
}

impl Desk {
    fn new(shared: &'static Shared, slots: &'static [Slot]) -> Self {
        // the watchdog may look at them as long as the process lives
        let deadlines: &'static [Slot] = Box::leak(slots.iter().map(|_| Slot::idle()).collect());
        let nobody = Rc::new(Current::new(shared, &slots[0], 0));
        Desk {
            shared,
            slots,
            deadlines,
            seats: RefCell::default(),
            current: RefCell::new(nobody),
            belongings: RefCell::default(),
        }
    }

    /// A new place, unless there are enough of them.
    fn add(&self) -> Option<Family> {
        let mut seats = self.seats.borrow_mut();
        let slot = self.slots.get(seats.len())?;
        let number = seats.len() as Family;
        seats.push(Seat {
            current: Rc::new(Current::new(self.shared, slot, number)),
            away: None,
            started_ns: 0,
            limit_ns: Cell::default(),
            result: None,
        });
        Some(number)
    }

    fn seat<R>(&self, family: Family, body: impl FnOnce(&mut Seat) -> R) -> R {
        body(&mut self.seats.borrow_mut()[family as usize])
    }

    fn current(&self) -> Rc<Current> {
        Rc::clone(&self.current.borrow())
    }

    /// What the attempt left lying about ends with it.
    fn end_belongings(&self) {
        let Some(away) = self.belongings.borrow().as_ref().and_then(Belongings::take) else { return };
        let task = self.current().handle();
        away.end(|text| {
            let text = String::from_utf8_lossy(text).into_owned();
            self.shared.outbox.push_line(Line { task, level: Level::Print, text, fields: Vec::new() });
        });
    }
}

impl Switch for Desk {
    fn leave(&self, family: Family) {
        if let Some(away) = self.belongings.borrow().as_ref().and_then(Belongings::take) {
            self.seat(family, |seat| seat.away = Some(away));
        }
    }

    fn enter(&self, family: Family) {
        let (current, away) = self.seat(family, |seat| (Rc::clone(&seat.current), seat.away.take()));
        self.current.replace(current);
        if let (Some(away), Some(belongings)) = (away, self.belongings.borrow().as_ref()) {
            belongings.give(away);
        }
    }

    fn computes(&self, family: Family) {
        let limit_ns = self.seat(family, |seat| seat.limit_ns.get());
        watchdog::enters(Some(&self.deadlines[family as usize]), limit_ns);
        self.slots[family as usize].computes(monotonic_ns());
    }

    fn waits(&self, family: Family) {
        watchdog::enters(None, 0);
        self.slots[family as usize].waits();
    }
}

impl Outlet for Desk {
    fn put(&self, args: &[u8], options: Option<TaskOptions>) -> Result<(), String> {
        self.current().put(args, options)
    }

    fn emit(&self, row: &[u8]) -> Result<(), String> {
        self.current().emit(row)
    }
}

impl AtHand for Desk {
    fn read(&self, read: &mut dyn FnMut(&Facts<'_>)) {
        self.current().read(read);
    }
}

impl Attempts for Desk {
    fn save(&self, state: &[u8]) -> Result<(), String> {
        self.current().save(state)
    }

    fn state(&self, read: &mut dyn FnMut(&[u8])) {
        self.current().state(read);
    }

    fn dir(&self) -> Result<PathBuf, (PathBuf, io::Error)> {
        self.current().dir()
    }

    fn cancel(&self, key: &str, hashes: &[u128]) -> Result<(), String> {
        self.current().cancel(key, hashes)
    }

    fn progress(&self, done: f64, total: Option<f64>, message: Option<String>) {
        self.current().progress(done, total, message);
    }

    fn max_attempts(&self) -> u32 {
        self.current().max_attempts()
    }

    fn deadline(&self) -> Option<f64> {
        self.current().deadline()
    }

    fn is_cancelled(&self) -> bool {
        self.current().is_cancelled()
    }

    fn die(&self, reason: &str) {
        self.current().die(reason);
    }

    fn set_deferring(&self) -> u32 {
        self.current().set_deferring()
    }
}
