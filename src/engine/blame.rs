//! Whose doing a death is. A process that dies of SIGKILL may have been killed by anyone: by a person, by the system for
//! want of memory, by its task.

use crate::engine::WorkerId;

/// A death of another seat's process by SIGKILL counts as near for so long.
const NEAR_NS: u64 = 1_000_000_000;
/// So many doubtful deaths weigh as much as one that is not.
const DOUBTS: u32 = 5;

/// How a process died.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Death {
    /// Words that follow "its worker": `was killed by signal 11 (SIGSEGV)`.
    pub words: String,
    /// It was SIGKILL, which needs no fault of the process.
    pub killed: bool,
}

impl From<&str> for Death {
    fn from(words: &str) -> Self {
        Death { words: words.into(), killed: false }
    }
}

impl From<String> for Death {
    fn from(words: String) -> Self {
        Death { words, killed: false }
    }
}

/// The last deaths by SIGKILL of two seats.
#[derive(Debug, Default)]
pub(super) struct Kills {
    last: Option<(WorkerId, u64)>,
    before: Option<(WorkerId, u64)>,
}

impl Kills {
    pub(super) fn add(&mut self, worker: WorkerId, now_ns: u64) {
        if self.last.is_some_and(|(last, _)| last != worker) {
            self.before = self.last;
        }
        self.last = Some((worker, now_ns));
    }

    /// Whether processes of other seats are being killed too: then someone goes about killing, and a death of SIGKILL is
    /// hardly the doing of the one task that ran.
    pub(super) fn are_near(&self, worker: WorkerId, now_ns: u64) -> bool {
        let near = |(other, ns): (WorkerId, u64)| other != worker && now_ns.saturating_sub(ns) <= NEAR_NS;
        self.last.is_some_and(near) || self.before.is_some_and(near)
    }
}

/// What deaths alone in a process speak against one task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Record {
    certain: u16,
    doubtful: u16,
}

impl Record {
    pub(super) fn new(certain: u16, doubtful: u16) -> Self {
        Record { certain, doubtful }
    }

    /// Certain and doubtful ones.
    pub(super) fn counts(self) -> (u16, u16) {
        (self.certain, self.doubtful)
    }

    pub(super) fn add(&mut self, doubtful: bool) {
        let count = if doubtful { &mut self.doubtful } else { &mut self.certain };
        *count = count.saturating_add(1);
    }

    /// All of them.
    pub(super) fn deaths(self) -> u32 {
        u32::from(self.certain) + u32::from(self.doubtful)
    }

    pub(super) fn reaches(self, limit: u32) -> bool {
        u32::from(self.certain) + u32::from(self.doubtful) / DOUBTS >= limit
    }
}
