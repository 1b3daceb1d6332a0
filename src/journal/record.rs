//! What one commit keeps: everything that a group of handled tasks has caused, or nothing of it.

use xxhash_rust::xxh3::xxh3_64;

use crate::model::handling::{Cancel, Saved};
use crate::model::{Delivery, Failure, Payload, Seq, Task, TaskId, Tried, Verdict};
use crate::os::secrets;

/// How a task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndKind {
    /// The worker function returned.
    Done,
    /// It said that there was nothing to do.
    Skipped,
    /// It failed for good.
    Failed,
}

/// A generated task without a key has ended: most tasks of most runs, hence so little of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndedPosition {
    /// In the source, from 1.
    pub position: u64,
    /// Of its arguments, see [`args_hash`].
    pub hash: u32,
    /// How.
    pub kind: EndKind,
}

/// A task with a key, or one that was put, has ended.
#[derive(Clone, Debug, PartialEq)]
pub struct EndedTask {
    /// Its identity.
    pub id: TaskId,
    /// Its place among the tasks that were put; none for a generated one.
    pub seq: Option<Seq>,
    /// See [`key_hash`]; kept from now on, so that no later task with this key is taken.
    pub key: Option<u128>,
    /// How.
    pub kind: EndKind,
}

/// A task has failed for good, with all that a person or a second try needs.
#[derive(Clone, Debug, PartialEq)]
pub struct FailedTask {
    /// Its identity.
    pub id: TaskId,
    /// Its key, when it has one.
    pub key: Option<Box<[u8]>>,
    /// The encoded argument list.
    pub args: Payload,
    /// Attempts that began.
    pub attempt: u32,
    /// The number of the worker process; 0 when none ran it to its end.
    pub worker: u32,
    /// Wall time of the last attempt in nanoseconds.
    pub elapsed_ns: u64,
    /// Why.
    pub failure: Failure,
}

/// How far the output is: everything up to here belongs to committed tasks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutputMark {
    /// Length of the file in bytes; for `sqlite` the largest rowid. Nothing that is behind it counts.
    pub position: u64,
    /// Rows of this run.
    pub rows: u64,
}

/// How a session ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionEnd {
    /// Everything is done, `finish` included; only failed tasks could be run again.
    pub complete: bool,
    /// Why it stopped early, as a sentence.
    pub stopped: Option<String>,
    /// What `finish` returned, as text.
    pub finish: Option<String>,
}

/// One commit.
#[derive(Debug, Default)]
pub struct Group {
    /// Generated tasks without keys.
    pub positions: Vec<EndedPosition>,
    /// All others.
    pub ended: Vec<EndedTask>,
    /// Of both, those that failed.
    pub failed: Vec<FailedTask>,
    /// Of both, those that had been tried before: what is remembered of them goes.
    pub tried_ended: Vec<TaskId>,
    /// Tasks that were put, in the order of their places.
    pub puts: Vec<(Seq, Task)>,
    /// Keys that were cancelled, in order; each counts after the puts up to its place.
    pub cancels: Vec<Cancel>,
    /// What happened to tasks that have not ended.
    pub tried: Vec<(TaskId, Tried)>,
    /// What they saved, in order; of one task the last counts.
    pub saved: Vec<Saved>,
    /// Tasks that ended and may have saved something.
    pub saved_ended: Vec<TaskId>,
    /// The encoded `meta`, when it changed.
    pub meta: Option<Vec<u8>>,
    /// What `start` put and emitted is in this group; a later session drops what it puts and emits again.
    pub started: bool,
    /// Tasks known so far, and whether the source may give more; for those who look from outside.
    pub known: Option<(u64, bool)>,
    /// The source has ended and gave so many tasks.
    pub given: Option<u64>,
    /// Where the output stands, rows of this group included.
    pub output: Option<OutputMark>,
    /// Nanoseconds since the session began.
    pub elapsed_ns: u64,
    /// The last group of a session.
    pub end: Option<SessionEnd>,
}

impl Group {
    /// Takes up that a task has ended. Its puts and rows are the caller's.
    pub fn add(&mut self, delivery: &Delivery) {
        let Delivery { id, seq, args, key, attempt, worker, left, elapsed_ns, verdict } = delivery;
        let kind = match verdict {
            Verdict::Done(_) => EndKind::Done,
            Verdict::Skipped(_) => EndKind::Skipped,
            Verdict::Failed(_) => EndKind::Failed,
        };
        match (seq, key, id.position()) {
            (None, None, Some(position)) => {
                self.positions.push(EndedPosition { position, hash: args_hash(args), kind });
            }
            _ => {
                let key = key.as_deref().map(key_hash);
                self.ended.push(EndedTask { id: *id, seq: *seq, key, kind });
            }
        }
        // one that no worker ran to its end may have begun before
        if *attempt > 1 || *worker == 0 && *attempt > 0 {
            self.tried_ended.push(*id);
        }
        if left.state {
            self.saved_ended.push(*id);
        }
        if let Verdict::Failed(failure) = verdict {
            self.failed.push(FailedTask {
                id: *id,
                key: key.clone(),
                args: args.clone(),
                attempt: *attempt,
                worker: *worker,
                elapsed_ns: *elapsed_ns,
                failure: told(failure),
            });
        }
    }

    /// Tasks that ended in it.
    pub fn ended(&self) -> usize {
        self.positions.len() + self.ended.len()
    }
}

/// The failure for the journal. Its worker has hidden what it knew; another one may have fetched a secret since.
fn told(failure: &Failure) -> Failure {
    let mut failure = failure.clone();
    secrets::scrub_failure(&mut failure);
    failure
}

/// Tells whether the task at a position is still the same one when the source runs again.
pub fn args_hash(args: &[u8]) -> u32 {
    (xxh3_64(args) >> 32) as u32
}

pub use crate::model::task::key_hash;
