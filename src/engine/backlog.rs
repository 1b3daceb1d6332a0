//! What is delivered and not committed yet: first it waits for the handler, then for the commit.

use std::collections::VecDeque;
use std::ops::AddAssign;

use crate::model::Verdict;

/// Bytes that may wait for the handler before workers get nothing new.
const LARGEST_BYTES: usize = 64 << 20;

#[derive(Debug)]
pub(super) struct Backlog {
    /// Waits for the handler.
    line: VecDeque<Waiting>,
    bytes: usize,
    limit: usize,
    /// Handled, in runs of the same end: however long a commit takes, this stays small.
    handled: VecDeque<Run>,
}

#[derive(Debug)]
struct Waiting {
    bytes: u32,
    kept: Kept,
}

#[derive(Debug)]
struct Run {
    count: u64,
    kept: Kept,
}

/// What a commit does with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Kept {
    end: Kind,
    keyed: bool,
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
pub struct Ends {
    /// Ended well, those that were skipped included.
    pub done: u64,
    /// Of these, those that said that there was nothing to do.
    pub skipped: u64,
    /// Failed for good.
    pub failed: u64,
}

impl AddAssign for Ends {
    fn add_assign(&mut self, more: Self) {
        self.done += more.done;
        self.skipped += more.skipped;
        self.failed += more.failed;
    }
}

impl Ends {
    fn add(&mut self, end: Kind, count: u64) {
        match end {
            Kind::Done => self.done += count,
            Kind::Skipped => {
                self.done += count;
                self.skipped += count;
            }
            Kind::Failed => self.failed += count,
        }
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
        Backlog { line: VecDeque::new(), bytes: 0, limit: limit.max(1), handled: VecDeque::new() }
    }

    /// `keyed`: its key is the engine's to remember until the commit.
    #[inline]
    pub(super) fn push(&mut self, bytes: usize, end: Kind, keyed: bool) {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        self.bytes += bytes as usize;
        self.line.push_back(Waiting { bytes, kept: Kept { end, keyed } });
    }

    /// The first `count` of those that wait for it are handled.
    pub(super) fn handle(&mut self, count: usize) {
        let count = count.min(self.line.len());
        let Some(first) = self.line.front().filter(|_| count > 0) else { return };
        let (mut run, mut bytes) = (Run { count: 0, kept: first.kept }, 0);
        for waiting in self.line.range(..count) {
            bytes += waiting.bytes as usize;
            if waiting.kept != run.kept {
                let next = Run { count: 0, kept: waiting.kept };
                push_run(&mut self.handled, std::mem::replace(&mut run, next));
            }
            run.count += 1;
        }
        push_run(&mut self.handled, run);
        self.bytes -= bytes;
        self.line.drain(..count);
    }

    /// The first `count` of the handled ones are committed: how they ended, and how many were keyed.
    pub(super) fn commit(&mut self, count: usize) -> (Ends, u64) {
        let (mut ends, mut keyed, mut left) = (Ends::default(), 0, count as u64);
        while let Some(run) = self.handled.front_mut() {
            let part = run.count.min(left);
            ends.add(run.kept.end, part);
            keyed += if run.kept.keyed { part } else { 0 };
            run.count -= part;
            left -= part;
            if run.count > 0 {
                break;
            }
            self.handled.pop_front();
        }
        (ends, keyed)
    }

    /// They will never be committed.
    pub(super) fn abandon(&mut self) {
        self.line.clear();
        self.handled.clear();
        self.bytes = 0;
    }

    /// Whether all that was delivered is committed.
    pub(super) fn is_empty(&self) -> bool {
        self.line.is_empty() && self.handled.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.line.len() >= self.limit || self.bytes >= LARGEST_BYTES
    }
}

fn push_run(runs: &mut VecDeque<Run>, run: Run) {
    match runs.back_mut() {
        Some(last) if last.kept == run.kept => last.count += run.count,
        _ => runs.push_back(run),
    }
}
