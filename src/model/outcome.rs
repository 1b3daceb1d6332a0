//! How an attempt ended, and how the handler hears of it.

use crate::model::{Failure, Handle, Payload, Seq, Task, TaskId};

/// How an attempt ended, as its worker says it.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// The worker function returned.
    Done(Done),
    /// It raised, or the attempt ended in another way that charges the task.
    Failed(Box<Failure>),
    /// It said that there is nothing to do: `task.skip(reason)`.
    Skipped(Box<str>),
}

/// What a successful attempt leaves.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Done {
    /// The encoded list of returned values.
    pub values: Payload,
    /// Tasks and rows, for the few attempts that have any.
    pub effects: Option<Box<Effects>>,
}

/// What counts only because the attempt succeeded.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Effects {
    /// Put with `task.put`, in order.
    pub puts: Vec<Task>,
    /// Encoded rows of `emit`, in order; each one value.
    pub rows: Vec<Payload>,
    /// Hashes of the keys that `task.cancel` was given. They count after all of `puts`.
    pub cancels: Vec<u128>,
}

/// The end of one attempt, from the wire to the engine.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Which task in flight.
    pub handle: Handle,
    /// Wall time of the attempt in nanoseconds.
    pub elapsed_ns: u64,
    /// How it ended.
    pub verdict: Verdict,
}

/// What a task may have left behind by its attempts, and what goes with its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Left {
    /// A state of `task.save`.
    pub state: bool,
    /// The folder `task.dir`.
    pub dir: bool,
}

/// A finished task, from the engine to the handler.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery {
    /// Its identity.
    pub id: TaskId,
    /// Its place among the tasks that were put; none for a generated one.
    pub seq: Option<Seq>,
    /// The encoded argument list.
    pub args: Payload,
    /// Its key, when it has one.
    pub key: Option<Box<[u8]>>,
    /// Which attempt it was, from 1; 0 when it was cancelled before the first.
    pub attempt: u32,
    /// The number of the worker process, from 1; 0 when none ran it to its end.
    pub worker: u32,
    /// What is to be cleared away.
    pub left: Left,
    /// Wall time of the last attempt in nanoseconds.
    pub elapsed_ns: u64,
    /// How it ended.
    pub verdict: Verdict,
}
