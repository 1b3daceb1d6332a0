//! What is delivered and not handled yet.

use std::collections::VecDeque;

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
    done: bool,
}

impl Backlog {
    pub(super) fn new(limit: usize) -> Self {
        Backlog { line: VecDeque::new(), bytes: 0, limit: limit.max(1) }
    }

    #[inline]
    pub(super) fn push(&mut self, bytes: usize, done: bool) {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        self.bytes += bytes as usize;
        self.line.push_back(Waiting { bytes, done });
    }

    /// The first `count` are handled; how many of them were done and how many failed.
    pub(super) fn handled(&mut self, count: usize) -> (u64, u64) {
        let (mut done, mut failed) = (0, 0);
        for waiting in self.line.drain(..count.min(self.line.len())) {
            self.bytes -= waiting.bytes as usize;
            if waiting.done {
                done += 1;
            } else {
                failed += 1;
            }
        }
        (done, failed)
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
