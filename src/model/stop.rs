//! Why a run ends before its work is done.

use std::fmt;

/// The reason, from which the exit code follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StopCause {
    /// A signal of this number was received.
    Signal(i32),
    /// As many tasks failed as `max_fail` says.
    MaxFail {
        /// How many had failed.
        failed: u64,
    },
    /// The run took longer than `deadline`, in nanoseconds.
    Deadline(u64),
    /// A task asked for it: `task.abort`, with its name and reason.
    Aborted {
        /// `TaskId` as text.
        task: String,
        /// Its words.
        reason: String,
    },
    /// A role outside of any task raised, or workers cannot start: the sentence to show.
    Broken(String),
    /// The source gave no task: the sentence to show. Nothing ran.
    Empty(String),
    /// Results or state cannot be written: the sentence to show.
    Unwritable(String),
}

impl fmt::Display for StopCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StopCause::Signal(2) => write!(f, "interrupted"),
            StopCause::Signal(number) => write!(f, "ended by signal {number}"),
            StopCause::MaxFail { failed: 1 } => f.write_str("1 task failed (max_fail)"),
            StopCause::MaxFail { failed } => write!(f, "{failed} tasks failed (max_fail)"),
            StopCause::Deadline(ns) => write!(f, "the deadline of {} s is over", *ns as f64 / 1e9),
            StopCause::Aborted { task, reason } => write!(f, "task {task} stopped the run: {reason}"),
            StopCause::Empty(reason) | StopCause::Broken(reason) | StopCause::Unwritable(reason) => {
                f.write_str(reason)
            }
        }
    }
}
