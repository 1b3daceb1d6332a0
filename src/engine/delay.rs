//! Tasks that wait for their time. They hold no place in a worker.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::engine::entry::Ordered;
use crate::model::Handle;

#[derive(Debug, Default)]
pub(super) struct Delayed {
    heap: BinaryHeap<Reverse<(u64, Ordered)>>,
}

impl Delayed {
    pub(super) fn len(&self) -> usize {
        self.heap.len()
    }

    pub(super) fn push(&mut self, due_ns: u64, order: u64, handle: Handle) {
        self.heap.push(Reverse((due_ns, (order, handle))));
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
