//! How a process ended.

use std::fmt;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;

use crate::os::signals;

/// How a process ended. Displayed as `exited with status 7` or `killed by signal 9 (SIGKILL)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Death {
    /// By itself, with this status.
    Exited(i32),
    /// By a signal.
    Killed {
        /// Its number.
        signal: i32,
        /// Whether a core file was written.
        core_dumped: bool,
    },
}

impl From<ExitStatus> for Death {
    fn from(status: ExitStatus) -> Self {
        match status.signal() {
            Some(signal) => Self::Killed { signal, core_dumped: status.core_dumped() },
            None => Self::Exited(status.code().unwrap_or(-1)),
        }
    }
}

impl fmt::Display for Death {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(status) => write!(f, "exited with status {status}"),
            Self::Killed { signal, core_dumped } => {
                write!(f, "killed by signal {signal} ({})", signals::name(*signal))?;
                f.write_str(if *core_dumped { ", core dumped" } else { "" })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::ExitStatus;

    use super::Death;

    #[test]
    fn a_death_is_told_in_words() {
        let told = |raw| Death::from(ExitStatus::from_raw(raw)).to_string();
        assert_eq!(told(7 << 8), "exited with status 7");
        assert_eq!(told(9), "killed by signal 9 (SIGKILL)");
        assert_eq!(told(11 | 0x80), "killed by signal 11 (SIGSEGV), core dumped");
    }
}
