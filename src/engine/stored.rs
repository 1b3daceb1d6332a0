//! Puts that are not in memory. The journal has them; here they are only counted, and fetched again when there is room.
//!
//! A priority has one line: a range of places, of which those in front have been loaded. Whatever is put to it while there
//! is a line goes to its end, so that each priority stays first in, first out.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::model::Seq;
use crate::model::handling::StoredPuts;

/// What to fetch from the journal: tasks of this priority with places after `after` and up to `until`, the first ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fetch {
    /// As `TaskOptions::priority`.
    pub priority: i32,
    /// The place of the last one that was loaded, or of one before the first.
    pub after: u64,
    /// A place that is committed.
    pub until: u64,
    /// Tasks at most; at least 1.
    pub at_most: usize,
}

#[derive(Debug, Default)]
pub(super) struct Stored {
    lines: BTreeMap<Reverse<i32>, Line>,
    /// The place up to which tasks can be fetched.
    committed: u64,
    /// The last place of a task that went by here, or of one whose key only the journal has seen.
    last: u64,
    unseen: u64,
}

#[derive(Debug)]
struct Line {
    /// Everything up to this place is loaded.
    after: u64,
    last: u64,
    /// Not loaded yet.
    count: u64,
    /// Places behind `after` whose tasks are in memory all the same, as they wait for their time.
    apart: BTreeSet<u64>,
}

impl Stored {
    /// Those of earlier sessions: all of them can be fetched.
    pub(super) fn new(pending: &[StoredPuts]) -> Self {
        let mut stored = Stored::default();
        pending.iter().for_each(|puts| stored.push_many(*puts));
        stored.committed = stored.last;
        stored.unseen = 0;
        stored
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Tasks in all lines.
    pub(super) fn len(&self) -> u64 {
        self.lines.values().map(|line| line.count).sum()
    }

    /// The last place that is in a line, or was.
    pub(super) fn last(&self) -> u64 {
        self.last
    }

    pub(super) fn has_line(&self, priority: i32) -> bool {
        !self.lines.is_empty() && self.lines.contains_key(&Reverse(priority))
    }

    /// To the end of its line; places only grow.
    pub(super) fn push(&mut self, priority: i32, seq: Seq) {
        self.push_range(StoredPuts { priority, first: seq, last: seq, count: 1 });
    }

    /// Those that nobody here has seen.
    pub(super) fn push_many(&mut self, puts: StoredPuts) {
        self.push_range(puts);
        self.unseen = self.last;
    }

    fn push_range(&mut self, puts: StoredPuts) {
        let (after, last) = (puts.first.number() - 1, puts.last.number());
        let new = || Line { after, last, count: 0, apart: BTreeSet::new() };
        let line = self.lines.entry(Reverse(puts.priority)).or_insert_with(new);
        line.last = line.last.max(last);
        line.count += puts.count;
        self.last = self.last.max(last);
    }

    /// A task of this place stays in memory, though a line may go over it.
    pub(super) fn keep_apart(&mut self, priority: i32, seq: Seq) {
        if let Some(line) = self.lines.get_mut(&Reverse(priority)) {
            line.apart.insert(seq.number());
        }
    }

    pub(super) fn commit(&mut self, seq: u64) {
        self.committed = self.committed.max(seq);
    }

    /// Whether there are keys of which neither the engine nor, for certain, the store knows.
    pub(super) fn hides_keys(&self) -> bool {
        self.unseen > self.committed
    }

    /// Whether something can be fetched.
    pub(super) fn is_within_reach(&self) -> bool {
        self.lines.values().any(|line| line.after < line.last.min(self.committed))
    }

    /// The highest priority of which something can be fetched, with the range.
    pub(super) fn next(&self) -> Option<Fetch> {
        self.lines.iter().find_map(|(Reverse(priority), line)| {
            let until = line.last.min(self.committed);
            let fetch = Fetch { priority: *priority, after: line.after, until, at_most: 1 };
            (line.after < until).then_some(fetch)
        })
    }

    /// A task came from the journal; false when it is not wanted.
    pub(super) fn pass(&mut self, priority: i32, seq: Seq) -> bool {
        let Some(line) = self.lines.get_mut(&Reverse(priority)) else { return false };
        let seq = seq.number();
        if seq <= line.after || seq > line.last.min(self.committed) {
            return false;
        }
        line.after = seq;
        !line.apart.remove(&seq)
    }

    /// One that passed is in memory now.
    pub(super) fn take(&mut self, priority: i32) {
        if let Some(line) = self.lines.get_mut(&Reverse(priority)) {
            line.count = line.count.saturating_sub(1);
        }
    }

    /// A fetch is over; `exhausted`: nothing more up to this place. The number of tasks that turned out not to be there.
    pub(super) fn fetched(&mut self, priority: i32, exhausted: Option<u64>) -> u64 {
        let Some(line) = self.lines.get_mut(&Reverse(priority)) else { return 0 };
        if let Some(until) = exhausted {
            line.after = line.after.max(until.min(line.last));
        }
        if line.count > 0 && line.after < line.last {
            return 0;
        }
        self.lines.remove(&Reverse(priority)).map_or(0, |line| line.count)
    }
}
