//! One unit of work, its identity and its name.

use std::fmt;
use std::num::NonZeroU64;

use xxhash_rust::xxh3::{Xxh3, xxh3_128};

use crate::model::Payload;

/// Who a task is, whenever and wherever it runs.
///
/// A generated task is its position in the source, from 1. A task that was put is named by its
/// parent and by which of the parent's puts it was, so that the name does not depend on the order of
/// arrival. Random numbers of a task come from the seed and this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TaskId(u128);

/// Marks ids of tasks that were put; positions stay below it.
const PUT: u128 = 1 << 127;

/// Which role of the parent put a task; the same parent may put in each of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutBy {
    /// `task.put` in the worker.
    Worker,
    /// `meta.self:put` in `handler` or `failed`.
    Handler,
    /// `meta.self:put` in `start`.
    Start,
}

impl TaskId {
    /// The parent of what `start` puts.
    pub const ROOT: TaskId = TaskId(0);

    /// The task at `position` of the source, counted from 1.
    pub fn at(position: u64) -> Self {
        TaskId(u128::from(position))
    }

    /// The `n`-th task that `parent` put in one role, counted from 0.
    pub fn child(parent: TaskId, by: PutBy, n: u64) -> Self {
        let mut hash = Xxh3::new();
        hash.update(&parent.0.to_le_bytes());
        hash.update(&[by as u8]);
        hash.update(&n.to_le_bytes());
        TaskId(hash.digest128() | PUT)
    }

    /// The position in the source, for a generated task.
    pub fn position(self) -> Option<u64> {
        u64::try_from(self.0).ok()
    }

    /// The name of its folder: unique in the run, unlike what people read.
    pub fn folder(self) -> String {
        match self.position() {
            Some(position) => position.to_string(),
            None => format!("{:032x}", self.0),
        }
    }

    /// The task of a folder with this name.
    pub fn of_folder(name: &str) -> Option<Self> {
        let id = match name.len() {
            32 => TaskId(u128::from_str_radix(name, 16).ok()?),
            _ => TaskId::at(name.parse().ok()?),
        };
        // one spelling only
        (id.folder() == name).then_some(id)
    }

    /// All bits, for the wire.
    pub fn bits(self) -> u128 {
        self.0
    }

    /// From the wire.
    pub fn from_bits(bits: u128) -> Self {
        TaskId(bits)
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.position() {
            Some(position) => write!(f, "{position}"),
            // 48 bits: unique enough to read and to type
            None => write!(f, "{:012x}", (self.0 & !PUT) >> 79),
        }
    }
}

/// A task in flight as engine, wire and slots name it: never 0, never used twice in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Handle(pub NonZeroU64);

impl Handle {
    /// From the wire or a slot; 0 is no handle.
    pub fn new(bits: u64) -> Option<Self> {
        NonZeroU64::new(bits).map(Handle)
    }

    /// All bits, for the wire or a slot.
    pub fn bits(self) -> u64 {
        self.0.get()
    }
}

/// The place of a task among all that were put in a run, from 1: by it the journal finds the task again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Seq(pub NonZeroU64);

impl Seq {
    /// 0 is no place.
    pub fn new(number: u64) -> Option<Self> {
        NonZeroU64::new(number).map(Seq)
    }

    /// From 1.
    pub fn number(self) -> u64 {
        self.0.get()
    }
}

/// What happened to a task that has not ended yet; kept, so that a resume goes on counting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tried {
    /// Attempts that began.
    pub starts: u32,
    /// Attempts that failed.
    pub failures: u32,
    /// Deaths of workers while it ran alone.
    pub crashes: u16,
    /// Such deaths that may be somebody else's doing.
    pub doubtful_crashes: u16,
}

/// What a task may carry besides its arguments.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TaskOptions {
    /// Identity for dropping duplicates; any bytes.
    pub key: Option<Box<[u8]>>,
    /// Higher runs first; 0 unless said.
    pub priority: i32,
    /// Nanoseconds to wait before the first attempt.
    pub delay_ns: u64,
    /// Its key was cancelled while it waited in the journal: it ends as skipped before it starts.
    pub cancelled: bool,
}

/// A task as its source or a put gives it to the engine.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    /// Its identity.
    pub id: TaskId,
    /// The encoded argument list.
    pub args: Payload,
    /// Absent for most tasks, so that these stay small.
    pub options: Option<Box<TaskOptions>>,
}

impl Task {
    /// A task without key, priority or delay.
    pub fn plain(id: TaskId, args: Payload) -> Self {
        Task { id, args, options: None }
    }

    /// The key, when it has one.
    pub fn key(&self) -> Option<&[u8]> {
        self.options.as_ref()?.key.as_deref()
    }
}

/// The most bytes that the code of a saved state may have.
pub const MOST_STATE: usize = 1 << 20;

/// Keys are kept as hashes; two of 10^10 collide with a chance below 10^-18.
pub fn key_hash(key: &[u8]) -> u128 {
    xxh3_128(key)
}
