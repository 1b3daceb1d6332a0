//! What the engine is told once.

use crate::plan::MaxFail;

/// Settings of one run.
#[derive(Clone, Debug)]
pub struct Config {
    /// Worker processes at most; at least 1.
    pub processes: usize,
    /// Tasks that a process runs at the same time; at least 1.
    pub threads: usize,
    /// Deaths alone in quarantine after which a task fails; at least 1.
    pub crash_limit: u32,
    /// Deliver in the order in which tasks were accepted.
    pub ordered: bool,
    /// Tasks kept ready or in flight at most before the source waits.
    pub queue: usize,
    /// Stop starting tasks after so many failures.
    pub max_fail: Option<MaxFail>,
    /// From the first stop by a signal to the kill.
    pub grace_ns: u64,
    /// Deliveries that may wait for the handler before workers get nothing new.
    pub handler_backlog: usize,
}
