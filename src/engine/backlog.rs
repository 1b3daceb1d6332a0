//! What is delivered and not handled yet.

use std::collections::VecDeque;
use std::ops::AddAssign;

use crate::model::Verdict;

/// Bytes that may wait for the handler before workers get nothing new.
const LARGEST_BYTES: usize = 64 << 20;

#[derive(Debug)]
pub(super) struct Backlog {
    line: VecDeque<Waiting>,
    bytes: usize,
    limit: usize,
}

#[derive(Debug)]
struct Waiting {
    bytes: u32,
    end: Kind,
}

/// How a task ended, for counting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Done,
    Skipped,
    Failed,
}

/// Tasks by their end; those that were skipped are done too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Ends {
    pub done: u64,
    pub skipped: u64,
    pub failed: u64,
}

impl AddAssign for Ends {
    fn add_assign(&mut self, more: Self) {
        self.done += more.done;
        self.skipped += more.skipped;
        self.failed += more.failed;
    }
}

impl Kind {
    pub(super) fn of(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Done(_) => Kind::Done,
            Verdict::Skipped(_) => Kind::Skipped,
            Verdict::Failed(_) => Kind::Failed,
        }
    }
}

impl Backlog {
    pub(super) fn new(limit: usize) -> Self {
        Backlog { line: VecDeque::new(), bytes: 0, limit: limit.max(1) }
    }

    #[inline]
    pub(super) fn push(&mut self, bytes: usize, end: Kind) {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        self.bytes += bytes as usize;
        self.line.push_back(Waiting { bytes, end });
    }

    /// The first `count` are handled.
    pub(super) fn handled(&mut self, count: usize) -> Ends {
        let mut ends = Ends::default();
        for waiting in self.line.drain(..count.min(self.line.len())) {
            self.bytes -= waiting.bytes as usize;
            ends.done += u64::from(waiting.end != Kind::Failed);
            ends.skipped += u64::from(waiting.end == Kind::Skipped);
            ends.failed += u64::from(waiting.end == Kind::Failed);
        }
        ends
    }

    /// They will never be handled.
    pub(super) fn abandon(&mut self) {
        self.line.clear();
        self.bytes = 0;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.line.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.line.len() >= self.limit || self.bytes >= LARGEST_BYTES
    }
}
