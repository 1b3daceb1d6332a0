//! The engine's state and its one entry.

use crate::engine::{Action, Config, Input};
use crate::model::event::Counts;
use crate::model::{Handle, Payload, TaskId};

/// The state of one run.
#[derive(Debug)]
pub struct Engine {
    config: Config,
}

/// What a frame says of a task.
#[derive(Clone, Copy, Debug)]
pub struct TaskView<'a> {
    /// Its identity.
    pub id: TaskId,
    /// The encoded argument list.
    pub args: &'a Payload,
    /// Its key, when it has one.
    pub key: Option<&'a [u8]>,
    /// Which start it is, from 1.
    pub attempt: u32,
}

impl Engine {
    /// A run that begins now. No action follows from this; the first comes from the first input.
    pub fn new(config: Config, now_ns: u64) -> Self {
        let _ = now_ns;
        Engine { config }
    }

    /// Takes one input at `now_ns` (of any monotonic clock) and appends what is to be done.
    pub fn step(&mut self, now_ns: u64, input: Input, actions: &mut Vec<Action>) {
        let _ = (now_ns, input, actions);
        todo!()
    }

    /// A task in flight; `None` once its attempt has ended.
    pub fn task(&self, handle: Handle) -> Option<TaskView<'_>> {
        let _ = handle;
        todo!()
    }

    /// Whether the source's next batch may come in.
    pub fn wants_tasks(&self) -> bool {
        self.config.queue > 0
    }

    /// When to send a `Tick` if nothing happens before; none: never.
    pub fn next_deadline(&self) -> Option<u64> {
        None
    }

    /// The counters, as of the last step.
    pub fn counts(&self) -> Counts {
        Counts::default()
    }
}
