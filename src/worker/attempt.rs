//! The attempt that a thread runs, as the scripts' `task`, `put` and `emit` see it.

use std::cell::{Cell, RefCell};

use crate::model::outcome::Effects;
use crate::model::task::TaskOptions;
use crate::model::{Payload, Task, TaskId};
use crate::wire::to_worker::{self, TaskRecord};
use crate::wire::value::Malformed;

/// The one attempt of a thread, or none.
#[derive(Default)]
pub struct Current {
    record: RefCell<Vec<u8>>,
    running: Cell<bool>,
    effects: RefCell<Effects>,
    has_effects: Cell<bool>,
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
    pub fn put(&self, args: &[u8]) {
        let options = self.next_options.take();
        self.has_effects.set(true);
        // the id comes from the parent, which the coordinator knows
        let task = Task { id: TaskId::ROOT, args: Payload::copy_from(args), options: options.map(Box::new) };
        self.effects.borrow_mut().puts.push(task);
    }

    /// A row of the attempt; counts if it succeeds.
    pub fn emit(&self, row: &[u8]) {
        self.has_effects.set(true);
        self.effects.borrow_mut().rows.push(Payload::copy_from(row));
    }

    /// What the attempt put and emitted, if anything.
    #[inline]
    pub fn take_effects(&self) -> Option<Effects> {
        self.has_effects.replace(false).then(|| self.effects.take())
    }
}
