//! The attempt that a thread runs, as the scripts' `task`, `put` and `emit` see it.

use std::cell::{Cell, RefCell, RefMut};
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::{SystemTime, UNIX_EPOCH};

use super::Shared;
use crate::lua::role::worker::{Attempts, check_state};
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
    /// The code of what this attempt saved last.
    saved: RefCell<Vec<u8>>,
    has_saved: Cell<bool>,
    /// It was told that this attempt uses the task's folder.
    is_housed: Cell<bool>,
    /// Something of these is to be undone before the next attempt.
    has_left: Cell<bool>,
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
            saved: RefCell::default(),
            has_saved: Cell::default(),
            is_housed: Cell::default(),
            has_left: Cell::default(),
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
        if self.has_left.get() {
            self.has_left.set(false);
            self.has_saved.set(false);
            self.is_housed.set(false);
            self.saved.take();
        }
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
    fn save(&self, state: &[u8]) -> Result<(), String> {
        self.must_run("task.save")?;
        check_state(state)?;
        let task = self.with(|task| task.handle).map_err(|error| error.to_string())?;
        let mut saved = self.saved.borrow_mut();
        saved.clear();
        saved.extend_from_slice(state);
        self.has_saved.set(true);
        self.has_left.set(true);
        // that the coordinator is gone is seen by whoever pushes the outcome
        let _ = self.shared.outbox.push_state(task, state);
        Ok(())
    }

    fn state(&self, read: &mut dyn FnMut(&[u8])) {
        if self.has_saved.get() {
            read(&self.saved.borrow());
        } else {
            // a record that cannot be read does not run
            let _ = self.with(|task| task.state.map(|state| read(state)));
        }
    }

    fn dir(&self) -> Result<PathBuf, (PathBuf, io::Error)> {
        let (task, id) = match self.with(|task| (task.handle, task.id)) {
            Ok(found) => found,
            Err(error) => return Err((PathBuf::new(), io::Error::other(error))),
        };
        let dir = self.shared.setup.dirs.join(id.folder());
        if !self.is_housed.replace(true) {
            self.has_left.set(true);
            self.shared.outbox.push_housed(task);
        }
        if dir.is_dir() {
            return Ok(dir);
        }
        match DirBuilder::new().recursive(true).mode(0o700).create(&dir) {
            Ok(()) => Ok(dir),
            Err(error) => Err((dir, error)),
        }
    }

    fn cancel(&self, _: &str, hashes: &[u128]) -> Result<(), String> {
        self.must_run("task.cancel")?;
        for key in hashes {
            self.count("task.cancel", size_of_val(key))?;
            self.effects.borrow_mut().cancels.push(*key);
        }
        Ok(())
    }

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
