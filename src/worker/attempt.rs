//! The attempt that a thread runs, as the scripts' `task`, `put` and `emit` see it.

use std::cell::{Cell, RefCell};

use crate::model::outcome::Effects;
use crate::model::task::TaskOptions;
use crate::model::{Failure, Payload, Task, TaskId};
use crate::wire::to_worker::{self, TaskRecord};
use crate::wire::value::{MAX_BYTES, Malformed};

/// What a put or a row takes in a frame beside its values; keys come on top, and have a frame's spare MiB.
const EACH_BYTES: usize = 48;

/// The one attempt of a thread, or none.
#[derive(Default)]
pub struct Current {
    record: RefCell<Vec<u8>>,
    running: Cell<bool>,
    effects: RefCell<Effects>,
    has_effects: Cell<bool>,
    /// Of all puts and rows.
    effect_bytes: Cell<usize>,
    /// Options of the put that follows at once.
    pub next_options: RefCell<Option<TaskOptions>>,
    /// When `task.progress` was last sent on.
    pub progress_ns: Cell<u64>,
}

impl Current {
    /// The buffer into which the next record is copied; the thread runs nothing meanwhile.
    pub fn buffer(&self) -> std::cell::RefMut<'_, Vec<u8>> {
        self.record.borrow_mut()
    }

    /// Reads the record and gives it to `body`.
    pub fn with<R>(&self, body: impl FnOnce(&TaskRecord<'_>) -> R) -> Result<R, Malformed> {
        let record = self.record.borrow();
        to_worker::take_task(&record, &mut 0).map(|task| body(&task))
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

    /// A put of the attempt; counts if it succeeds.
    ///
    /// # Errors
    /// When all that the attempt leaves would be too large to cross.
    pub fn put(&self, args: &[u8]) -> Result<(), String> {
        let options = self.next_options.take();
        self.count("put", args.len())?;
        // the id comes from the parent, which the coordinator knows
        let task = Task { id: TaskId::ROOT, args: Payload::copy_from(args), options: options.map(Box::new) };
        self.effects.borrow_mut().puts.push(task);
        Ok(())
    }

    /// A row of the attempt; counts if it succeeds.
    ///
    /// # Errors
    /// As [`put`](Self::put).
    pub fn emit(&self, row: &[u8]) -> Result<(), String> {
        self.count("emit", row.len())?;
        self.effects.borrow_mut().rows.push(Payload::copy_from(row));
        Ok(())
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
}
