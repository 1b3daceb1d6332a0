//! What the engine's loop and the handler's thread say to each other.

use std::sync::Arc;

use crate::model::event::Summary;
use crate::model::{Delivery, Seq, StopCause, Task, TaskId, Tried};

/// To the handler.
#[derive(Debug)]
pub enum ToHandler {
    /// Finished tasks, to be handled in this order.
    Deliver(Vec<Delivery>),
    /// What happened to tasks that have not ended, to be kept with the next group.
    Remember(Vec<(TaskId, Tried)>),
    /// What tasks that have not ended have saved, each one's newest, to be kept with the next group; none: it saved nil,
    /// which is as if it had never saved. Answer: [`FromHandler::Kept`].
    Save(Vec<Saved>),
    /// How many tasks are known and whether the source may give more, for those who look at the run from outside.
    Known {
        /// As `Counts::known`.
        known: u64,
        /// As `Counts::more`.
        more: bool,
    },
    /// The source has ended.
    SourceEnded {
        /// How many tasks it gave in all, those of earlier sessions and duplicates included.
        given: u64,
    },
    /// Nothing more will come until what was delivered is committed: do not wait for a fuller group.
    Flush,
    /// The run is complete: call `finish`.
    Finish(Box<Summary>),
    /// The run was stopped: commit what is there, and end.
    Close(Box<Summary>),
}

/// The encoded state of a task.
pub type Saved = (TaskId, Option<Arc<[u8]>>);

/// A key of which no task shall start any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cancel {
    /// Its hash.
    pub key: u128,
    /// The place of the last task that was put before.
    pub after: u64,
}

/// Tasks that were put, with consecutive places.
#[derive(Debug, Default, PartialEq)]
pub struct Puts {
    /// The place of the first of `tasks`; none when there are none.
    pub first: Option<Seq>,
    /// With ids, in their order.
    pub tasks: Vec<Task>,
    /// Those that are in the journal only, since one call put too many to hold; they come after `tasks`.
    pub stored: Vec<StoredPuts>,
    /// What was cancelled meanwhile.
    pub cancels: Vec<Cancel>,
}

/// Tasks of one priority in the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredPuts {
    /// As `TaskOptions::priority`.
    pub priority: i32,
    /// The place of the first.
    pub first: Seq,
    /// The place of the last; places between may belong to others.
    pub last: Seq,
    /// How many.
    pub count: u64,
}

/// From the handler.
#[derive(Debug)]
pub enum FromHandler {
    /// `start` has returned.
    Started {
        /// What it put.
        puts: Puts,
    },
    /// So many deliveries, in their order, are handled. They are not kept yet: a crash now takes them back, and what
    /// they put too.
    Handled {
        /// How many.
        count: usize,
        /// What they put.
        puts: Puts,
    },
    /// So many of the handled deliveries, in their order, are kept for good, with all that they caused.
    Committed {
        /// How many.
        count: usize,
        /// Every task put up to this place can be read from the journal; 0 before the first.
        seq: u64,
    },
    /// So many saved states, in the order in which they came, are kept.
    Kept {
        /// How many.
        count: usize,
    },
    /// It takes nothing any more.
    Failed(StopCause),
    /// All is written.
    Closed {
        /// What `finish` returned, as text.
        finish: Option<String>,
        /// Where rows went and how many.
        output: Option<(String, u64)>,
        /// Rows that were not written because whoever read standard output had left.
        lost: u64,
    },
}
