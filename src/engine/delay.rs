//! Tasks that wait for their time. They hold no place in a worker.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::engine::entry::Ordered;
use crate::model::Handle;

#[derive(Debug, Default)]
pub(super) struct Delayed {
    heap: BinaryHeap<Reverse<(u64, Ordered)>>,
    /// Of these, those that have left before their time.
    gone: usize,
}

/// Of those that have left, so many stay behind at least.
const LEFT_BEHIND: usize = 1024;

impl Delayed {
    pub(super) fn len(&self) -> usize {
        self.heap.len() - self.gone
    }

    pub(super) fn push(&mut self, due_ns: u64, order: u64, handle: Handle) {
        self.heap.push(Reverse((due_ns, (order, handle))));
    }

    #[cfg(test)]
    pub(super) fn in_memory(&self) -> usize {
        self.heap.len()
    }

    /// One left before its time; its handle stays behind.
    pub(super) fn leave(&mut self) {
        self.gone += 1;
    }

    /// Drops those that stayed behind once they are most of all; `waits` tells the others.
    pub(super) fn sweep(&mut self, mut waits: impl FnMut(Handle) -> bool) {
        if self.gone > LEFT_BEHIND && self.gone > self.heap.len() / 2 {
            self.heap.retain(|Reverse((_, (_, handle)))| waits(*handle));
            self.gone = 0;
        }
    }

    /// One that was due had stayed behind.
    pub(super) fn passed(&mut self) {
        self.gone = self.gone.saturating_sub(1);
    }

    /// When the first is due.
    pub(super) fn next_due(&self) -> Option<u64> {
        self.heap.peek().map(|Reverse((due_ns, _))| *due_ns)
    }

    /// The next that is due, those of the same time in their order.
    pub(super) fn pop_due(&mut self, now_ns: u64) -> Option<Handle> {
        self.next_due().filter(|due_ns| *due_ns <= now_ns)?;
        self.heap.pop().map(|Reverse((_, (_, handle)))| handle)
    }
}
