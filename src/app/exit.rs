//! Exit codes, as documented for users.

use crate::model::StopCause;
use crate::model::event::Summary;

/// What the process says at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// 0: every task succeeded.
    Success,
    /// 1: complete; some tasks failed.
    Failures,
    /// 2: usage, manifest or script is wrong; nothing ran.
    Usage,
    /// 4: output or state cannot be kept.
    State,
    /// 5: stopped by policy before the end.
    Stopped,
    /// 101: a bug in mpms.
    Bug,
    /// 128 + the signal that stopped it.
    Signal(i32),
}

impl Code {
    /// The number.
    pub fn number(self) -> i32 {
        match self {
            Code::Success => 0,
            Code::Failures => 1,
            Code::Usage => 2,
            Code::State => 4,
            Code::Stopped => 5,
            Code::Bug => 101,
            Code::Signal(number) => 128 + number,
        }
    }

    /// How a run ended.
    pub fn of(summary: &Summary) -> Self {
        match &summary.stopped {
            Some(StopCause::Signal(number)) => Code::Signal(*number),
            Some(
                StopCause::MaxFail { .. }
                | StopCause::Deadline(_)
                | StopCause::Aborted { .. }
                | StopCause::Broken(_),
            ) => Code::Stopped,
            Some(StopCause::Empty(_) | StopCause::Changed(_)) => Code::Usage,
            Some(StopCause::Unwritable(_)) => Code::State,
            Some(StopCause::Bug(_)) => Code::Bug,
            None if summary.rows_lost > 0 => Code::State,
            None if summary.counts.failed > 0 => Code::Failures,
            None => Code::Success,
        }
    }

    /// Whether the jobs that follow on the command line still run.
    pub fn goes_on(self) -> bool {
        matches!(self, Code::Success | Code::Failures)
    }
}
