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
    /// The source of a resumed run gives other tasks than in the earlier sessions: the sentence to show.
    Changed(String),
    /// Results or state cannot be written: the sentence to show.
    Unwritable(String),
    /// A mistake of mpms itself: the sentence to show.
    Bug(String),
}

impl StopCause {
    /// Whether this is what must be told, though another came first: a stop that was asked for, or a policy, does not
    /// hide that results are lost.
    pub fn outweighs(&self, first: &StopCause) -> bool {
        let rank = |cause: &StopCause| match cause {
            StopCause::Bug(_) => 2,
            StopCause::Unwritable(_) => 1,
            _ => 0,
        };
        rank(self) > rank(first)
    }
}

impl fmt::Display for StopCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StopCause::Signal(2) => write!(f, "interrupted"),
            StopCause::Signal(number) => write!(f, "ended by signal {number}"),
            StopCause::MaxFail { failed: 1 } => f.write_str("1 task failed (max_fail)"),
            StopCause::MaxFail { failed } => write!(f, "{failed} tasks failed (max_fail)"),
            StopCause::Deadline(ns) => {
                let time = jiff::SignedDuration::from_nanos(i64::try_from(*ns).unwrap_or(i64::MAX));
                write!(f, "the deadline of {time:#} is over")
            }
            StopCause::Aborted { task, reason } => write!(f, "task {task} stopped the run: {reason}"),
            StopCause::Empty(reason)
            | StopCause::Changed(reason)
            | StopCause::Broken(reason)
            | StopCause::Unwritable(reason) => f.write_str(reason),
            StopCause::Bug(what) => write!(f, "a bug in mpms: {what}"),
        }
    }
}
