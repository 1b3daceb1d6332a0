//! The attempt that a thread runs, as the scripts' `task`, `put` and `emit` see it.

use std::cell::{Cell, RefCell, RefMut};
use std::sync::atomic::Ordering;
use std::time::{SystemTime, UNIX_EPOCH};

use super::Shared;
use crate::lua::role::worker::Attempts;
use crate::lua::role::{AtHand, Facts, Outlet};
use crate::lua::watchdog;
use crate::model::event::Level;
use crate::model::outcome::Effects;
use crate::model::task::TaskOptions;
use crate::model::{Failure, Handle, Payload, Task, TaskId};
use crate::os::clock::monotonic_ns;
use crate::os::slots::Slot;
use crate::wire::from_worker::{Line, Progress};
use crate::wire::to_worker::{self, TaskRecord};
use crate::wire::value::{MAX_BYTES, Malformed};

/// What a put or a row takes in a frame beside its values; keys come on top, and have a frame's spare MiB.
const EACH_BYTES: usize = 48;

/// `task.progress` is sent on this often at most.
const PROGRESS_NS: u64 = 100_000_000;

/// The one attempt of a thread, or none.
pub struct Current {
    shared: &'static Shared,
    slot: &'static Slot,
    record: RefCell<Vec<u8>>,
    running: Cell<bool>,
    effects: RefCell<Effects>,
    has_effects: Cell<bool>,
    /// Of all puts and rows.
    effect_bytes: Cell<usize>,
    progress_ns: Cell<u64>,
    deferring: Cell<bool>,
    /// Tells it from the others of its thread, if it has others.
    number: u32,
}

impl Current {
    /// None yet.
    pub fn new(shared: &'static Shared, slot: &'static Slot, number: u32) -> Self {
        Current {
            shared,
            slot,
            number,
            record: RefCell::default(),
            running: Cell::default(),
            effects: RefCell::default(),
            has_effects: Cell::default(),
            effect_bytes: Cell::default(),
            progress_ns: Cell::default(),
            deferring: Cell::default(),
        }
    }

    /// The buffer into which the next record is copied; the thread runs nothing meanwhile.
    pub fn buffer(&self) -> RefMut<'_, Vec<u8>> {
        self.record.borrow_mut()
    }

    /// Reads the record and gives it to `body`.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn with<R>(&self, body: impl FnOnce(&TaskRecord<'_>) -> R) -> Result<R, Malformed> {
        let record = self.record.borrow();
        to_worker::take_task(&record, &mut 0).map(|task| body(&task))
    }

    /// The handle of the attempt, if one runs.
    pub fn handle(&self) -> Option<Handle> {
        if self.is_running() { self.with(|task| task.handle).ok() } else { None }
    }

    /// Whether an attempt runs: outside of one there is nothing to put, emit or read.
    pub fn is_running(&self) -> bool {
        self.running.get()
    }

    /// The attempt begins or ends.
    #[inline]
    pub fn set_running(&self, running: bool) {
        self.running.set(running);
    }

    fn count(&self, what: &str, bytes: usize) -> Result<(), String> {
        let all = self.effect_bytes.get() + bytes + EACH_BYTES;
        if all > MAX_BYTES {
            let most = MAX_BYTES >> 20;
            return Err(format!("{what}: all that this task puts and emits is larger than {most} MiB"));
        }
        self.effect_bytes.set(all);
        self.has_effects.set(true);
        Ok(())
    }

    /// Whether results of so many bytes can cross together with what the attempt put and emitted.
    ///
    /// # Errors
    /// When they cannot.
    #[inline]
    pub fn has_room(&self, results: usize) -> Result<(), Failure> {
        if self.effect_bytes.get() + results <= MAX_BYTES {
            return Ok(());
        }
        let most = MAX_BYTES >> 20;
        let message = format!("the result and all that this task puts and emits is larger than {most} MiB");
        Err(Failure::new("value", message))
    }

    /// What the attempt put and emitted, if anything.
    #[inline]
    pub fn take_effects(&self) -> Option<Effects> {
        self.has_effects.replace(false).then(|| {
            self.effect_bytes.set(0);
            self.effects.take()
        })
    }

    /// Whether the attempt deferred something; asked once.
    #[inline]
    pub fn take_deferring(&self) -> bool {
        self.deferring.take()
    }

    /// A line of the task's, as an error.
    pub fn complain(&self, text: String) {
        let task = self.with(|task| task.handle).ok();
        self.shared.outbox.push_line(Line { task, level: Level::Error, text, fields: Vec::new() });
    }

    fn must_run(&self, what: &str) -> Result<(), String> {
        match self.is_running() {
            true => Ok(()),
            false => Err(format!("{what}: no task is running here; call it in the worker role")),
        }
    }
}

impl Outlet for Current {
    /// Counts if the attempt succeeds.
    fn put(&self, args: &[u8], options: Option<TaskOptions>) -> Result<(), String> {
        self.must_run("put")?;
        self.count("put", args.len())?;
        // the id comes from the parent, which the coordinator knows
        let task = Task { id: TaskId::ROOT, args: Payload::copy_from(args), options: options.map(Box::new) };
        self.effects.borrow_mut().puts.push(task);
        Ok(())
    }

    /// Counts if the attempt succeeds.
    fn emit(&self, row: &[u8]) -> Result<(), String> {
        self.must_run("emit")?;
        self.count("emit", row.len())?;
        self.effects.borrow_mut().rows.push(Payload::copy_from(row));
        Ok(())
    }
}

impl AtHand for Current {
    fn read(&self, read: &mut dyn FnMut(&Facts<'_>)) {
        if self.is_running() {
            let worker = self.shared.setup.worker;
            // a record that cannot be read does not run
            let _ = self.with(|task| {
                let TaskRecord { id, key, args, attempt, .. } = *task;
                read(&Facts { id, key, args, attempt, worker, elapsed_ns: 0 });
            });
        }
    }
}

impl Attempts for Current {
    fn max_attempts(&self) -> u32 {
        self.shared.setup.bounds.max_attempts
    }

    fn deadline(&self) -> Option<f64> {
        let timeout_ns = self.shared.setup.bounds.timeout_ns?;
        let running = self.slot.running()?;
        let left = running.started_ns.saturating_add(timeout_ns) as f64 - monotonic_ns() as f64;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Some(now.as_secs_f64() + left / 1e9)
    }

    fn is_cancelled(&self) -> bool {
        watchdog::is_over() || self.shared.stopping.load(Ordering::Relaxed)
    }

    fn die(&self, reason: &str) {
        self.shared.outbox.push_retire(reason);
    }

    fn set_deferring(&self) -> u32 {
        self.deferring.set(true);
        self.number
    }

    fn progress(&self, done: f64, total: Option<f64>, message: Option<String>) {
        let now = monotonic_ns();
        let is_end = total.is_some_and(|total| done >= total);
        if is_end || now.saturating_sub(self.progress_ns.get()) >= PROGRESS_NS {
            self.progress_ns.set(now);
            if let Ok(task) = self.with(|task| task.handle) {
                self.shared.outbox.push_progress(Progress { task, done, total, message });
            }
        }
    }
}
