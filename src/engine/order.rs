//! Deliveries in the order in which tasks were accepted: who is next, and what ended too early.

use std::collections::VecDeque;

use crate::engine::entry::{End, verdict_bytes};
use crate::model::Handle;

/// Memory of ends that wait for their turn; beyond it only the task whose turn it is may start.
const LARGEST_BYTES: usize = 64 << 20;
/// What an end costs besides its values.
const EACH_BYTES: usize = 192;

/// The line of accepted tasks, and the ends of those whose turn has not come.
#[derive(Debug, Default)]
pub(super) struct Order {
    line: VecDeque<Handle>,
    parked: Vec<Option<End>>,
    free: Vec<u32>,
    bytes: usize,
}

impl Order {
    pub(super) fn push(&mut self, handle: Handle) {
        self.line.push_back(handle);
    }

    /// Whose turn it is.
    pub(super) fn next(&self) -> Option<Handle> {
        self.line.front().copied()
    }

    /// Its turn is over.
    pub(super) fn advance(&mut self) {
        self.line.pop_front();
    }

    /// Keeps an end until its turn; the place is for `unpark`.
    pub(super) fn park(&mut self, end: End) -> u32 {
        self.bytes += EACH_BYTES + verdict_bytes(&end.verdict);
        if let Some(place) = self.free.pop() {
            self.parked[place as usize] = Some(end);
            return place;
        }
        self.parked.push(Some(end));
        u32::try_from(self.parked.len() - 1).expect("no more than there are tasks")
    }

    pub(super) fn unpark(&mut self, place: u32) -> Option<End> {
        let end = self.parked.get_mut(place as usize)?.take()?;
        self.free.push(place);
        self.bytes -= EACH_BYTES + verdict_bytes(&end.verdict);
        Some(end)
    }

    pub(super) fn parked(&self) -> usize {
        self.parked.len() - self.free.len()
    }

    pub(super) fn is_full(&self) -> bool {
        self.bytes > LARGEST_BYTES
    }
}
