//! `task.cancel(key)`: from its commit on the store knows the key, so that no task with it comes in, and marks the one that
//! waits in the journal. Until then the key is here. A task that waits in memory ends at once, as skipped.
//!
//! A task that a worker holds goes on: whether it has started is not known here.

use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::BuildHasherDefault;

use crate::engine::Engine;
use crate::engine::entry::{At, End};
use crate::engine::keys::AlreadyHashed;
use crate::model::task::key_hash;
use crate::model::{Handle, Task, Verdict};

/// As what such a task ends.
const REASON: &str = "cancelled by task.cancel";

type Hashes = BuildHasherDefault<AlreadyHashed>;

/// Keys that were cancelled.
#[derive(Debug, Default)]
pub(super) struct Cancels {
    /// Those that are not committed.
    open: HashSet<u128, Hashes>,
    /// The same, each with the number of deliveries that were handled by then: its own is among these.
    line: VecDeque<(u64, u128)>,
    handled: u64,
    committed: u64,
    /// Tasks in memory by their keys; none before the first is cancelled, as nobody asks for them.
    by_key: Option<HashMap<u128, Handle, Hashes>>,
}

impl Cancels {
    /// Whether the store may not know yet that this key was cancelled.
    #[inline]
    pub(super) fn contains(&self, key: &[u8]) -> bool {
        !self.open.is_empty() && self.open.contains(&key_hash(key))
    }

    /// So many deliveries are handled.
    pub(super) fn handle(&mut self, count: usize) {
        self.handled += count as u64;
    }

    /// So many of them are committed.
    pub(super) fn commit(&mut self, count: usize) {
        self.committed += count as u64;
        while let Some((_, hash)) = self.line.pop_front_if(|(handled, _)| *handled <= self.committed) {
            self.open.remove(&hash);
        }
    }

    fn add(&mut self, hash: u128) {
        if self.open.insert(hash) {
            self.line.push_back((self.handled, hash));
        }
    }

    /// A task came into memory.
    #[inline]
    pub(super) fn load(&mut self, task: &Task, handle: Handle) {
        if let Some(by_key) = &mut self.by_key
            && let Some(key) = task.key()
        {
            by_key.insert(key_hash(key), handle);
        }
    }

    /// It has ended.
    pub(super) fn end(&mut self, key: &[u8], handle: Handle) {
        if let Some(by_key) = &mut self.by_key {
            let hash = key_hash(key);
            if by_key.get(&hash) == Some(&handle) {
                by_key.remove(&hash);
            }
        }
    }
}

impl Engine {
    pub(super) fn cancel(&mut self, hash: u128) {
        self.cancels.add(hash);
        let tasks = &self.tasks;
        let by_key = self.cancels.by_key.get_or_insert_with(|| {
            let keyed =
                tasks.iter().filter_map(|(handle, entry)| Some((key_hash(entry.task.key()?), handle)));
            keyed.collect()
        });
        if let Some(handle) = by_key.get(&hash).copied() {
            self.end_waiting(handle);
        }
    }

    /// Ends a task that waits, for its first attempt or for another one.
    pub(super) fn end_waiting(&mut self, handle: Handle) {
        let Some(entry) = self.tasks.get(handle) else { return };
        match entry.at {
            At::Ready if self.limits.is_empty() => self.ready.taken(),
            At::Ready => self.limits.taken(entry.priority()),
            At::Delayed => {
                self.retrying -= u64::from(entry.failures > 0);
                self.delayed.leave();
            }
            At::Suspect | At::Held(_) | At::Parked => return,
        }
        self.end(handle, End { worker: 0, elapsed_ns: 0, verdict: Verdict::Skipped(REASON.into()) });
    }
}
