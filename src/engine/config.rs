//! What the engine is told once.

use std::collections::HashMap;
use std::sync::Arc;

use crate::engine::Ends;
use crate::model::handling::StoredPuts;
use crate::model::policy::{Limit, Recycle, Retries, Times};
use crate::model::{TaskId, Tried};
use crate::plan::MaxFail;

/// Settings of one run.
#[derive(Clone, Debug)]
pub struct Config {
    /// Worker processes at most; at least 1.
    pub processes: usize,
    /// Tasks that a process runs at the same time, in threads and their coroutines; at least 1.
    pub threads: usize,
    /// Deaths alone in quarantine after which a task fails; at least 1.
    pub crash_limit: u32,
    /// Deliver in the order in which tasks were accepted.
    pub ordered: bool,
    /// The window: tasks kept ready or in flight at most before the source waits. Puts stay in memory up to eight
    /// windows; of what is beyond, no more is loaded than keeps half a window ready.
    pub queue: usize,
    /// Stop starting tasks after so many failures.
    pub max_fail: Option<MaxFail>,
    /// For the whole run, in nanoseconds.
    pub deadline_ns: Option<u64>,
    /// Further attempts of a task that fails.
    pub retries: Retries,
    /// When an attempt is overdue; its grace is also that between a stop and the kill.
    pub times: Times,
    /// When a process is replaced though it is well.
    pub recycle: Recycle,
    /// Taken before each attempt, all of them.
    pub limits: Vec<Limit>,
    /// Deliveries that may wait for the handler before workers get nothing new.
    pub handler_backlog: usize,
    /// Tasks that ended in earlier sessions of the run.
    pub before: Ends,
    /// Nanoseconds of earlier sessions.
    pub before_ns: u64,
    /// Puts of earlier sessions that have not ended; all can be fetched.
    pub pending: Vec<StoredPuts>,
    /// What happened to tasks that have not ended.
    pub tried: HashMap<TaskId, Tried>,
    /// Saved states go to the journal.
    pub keeps_states: bool,
    /// Those of tasks that have not ended.
    pub states: Vec<(TaskId, Arc<[u8]>)>,
    /// Tasks that have a folder.
    pub dirs: Vec<TaskId>,
}

#[cfg(test)]
impl Config {
    /// Nothing is limited, retried, timed or replaced.
    pub(super) fn plain(processes: usize, threads: usize) -> Self {
        Config {
            processes,
            threads,
            crash_limit: 1,
            ordered: false,
            queue: 1_000,
            max_fail: None,
            deadline_ns: None,
            retries: Retries::default(),
            times: Times { timeout_ns: None, grace_ns: 1_000_000_000, slow_ns: u64::MAX },
            recycle: Recycle::default(),
            limits: Vec::new(),
            handler_backlog: 1_000,
            before: Ends::default(),
            before_ns: 0,
            pending: Vec::new(),
            tried: HashMap::new(),
            keeps_states: true,
            states: Vec::new(),
            dirs: Vec::new(),
        }
    }
}
