//! What the engine keeps of a task.

use std::cmp::Reverse;

use crate::engine::WorkerId;
use crate::engine::blame::Record;
use crate::engine::limits::{LaneId, Rank};
use crate::model::{Handle, Seq, Task, TaskId, Tried, Verdict};

/// A task from its acceptance to its delivery.
#[derive(Debug)]
pub(super) struct Entry {
    pub task: Task,
    /// Its place among the tasks that were put; none for a generated one.
    pub seq: Option<Seq>,
    /// Its place among all that came into memory.
    pub order: u64,
    pub at: At,
    /// Attempts that began and are over.
    pub starts: u32,
    /// Of these, the deaths that happened while it ran alone.
    pub crashes: Record,
    /// Attempts that failed.
    pub failures: u32,
    /// Its lane, when there are limits.
    pub lane: LaneId,
    /// Held: its index in the seat's list. Parked: its index in the reorder buffer.
    pub place: u32,
}

/// Where a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum At {
    /// In the queue.
    Ready,
    /// Waits for its time, the first or that of another attempt.
    Delayed,
    /// Waits to run alone in a worker.
    Suspect,
    /// In a worker, running or waiting there.
    Held(WorkerId),
    /// Ended, and waits for its turn to be delivered.
    Parked,
}

/// How a task ended.
#[derive(Debug)]
pub(super) struct End {
    /// 0 when none ran it to its end.
    pub worker: WorkerId,
    pub elapsed_ns: u64,
    pub verdict: Verdict,
}

impl Entry {
    /// Takes up what happened to it in earlier sessions.
    pub(super) fn go_on(&mut self, tried: Tried) {
        self.starts = tried.starts;
        self.failures = tried.failures;
        self.crashes = Record::new(tried.crashes, tried.doubtful_crashes);
    }

    /// What happened to it, for a later session.
    pub(super) fn tried(&self) -> (TaskId, Tried) {
        let (crashes, doubtful_crashes) = self.crashes.counts();
        (self.task.id, Tried { starts: self.starts, failures: self.failures, crashes, doubtful_crashes })
    }

    pub(super) fn priority(&self) -> i32 {
        self.task.options.as_ref().map_or(0, |options| options.priority)
    }

    pub(super) fn rank(&self) -> Rank {
        (self.priority(), Reverse(self.order))
    }
}

/// Bytes of a verdict that count against the limits of memory.
pub(super) fn verdict_bytes(verdict: &Verdict) -> usize {
    match verdict {
        Verdict::Skipped(reason) => reason.len(),
        Verdict::Failed(failure) => failure.message.len() + failure.traceback.as_ref().map_or(0, String::len),
        Verdict::Done(done) => {
            let effects = done.effects.as_ref().map_or(0, |effects| {
                effects.rows.iter().map(|row| row.len()).sum::<usize>()
                    + effects.puts.iter().map(|put| put.args.len()).sum::<usize>()
            });
            done.values.len() + effects
        }
    }
}

/// A handle with the order of its task, to sort what goes back to the queue.
pub(super) type Ordered = (u64, Handle);
