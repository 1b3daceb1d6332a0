//! The queue: first in, first out within a priority, higher priorities first.

use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};

use crate::model::Handle;

/// Handles of tasks that may start now.
///
/// A task can be taken out of turn; its handle then stays behind and is skipped when its turn comes.
#[derive(Debug, Default)]
pub(super) struct Ready {
    /// Priority 0, which is nearly every task.
    plain: VecDeque<Handle>,
    others: BTreeMap<Reverse<i32>, VecDeque<Handle>>,
    len: usize,
}

impl Ready {
    /// Tasks that are ready, those taken out of turn not counted.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Of these, those of this priority and higher ones; ones taken out of turn may be counted while others are left.
    pub(super) fn len_from(&self, priority: i32) -> usize {
        let plain = if priority <= 0 { self.plain.len() } else { 0 };
        let others = self.others.range(..=Reverse(priority)).map(|(_, line)| line.len()).sum::<usize>();
        self.len.min(plain + others)
    }

    pub(super) fn push(&mut self, priority: i32, handle: Handle) {
        self.len += 1;
        self.line(priority).push_back(handle);
    }

    /// For a task that comes back without having had its turn.
    pub(super) fn push_front(&mut self, priority: i32, handle: Handle) {
        self.len += 1;
        self.line(priority).push_front(handle);
    }

    /// The next one; `is_ready` tells handles that stayed behind.
    #[inline]
    pub(super) fn pop(&mut self, mut is_ready: impl FnMut(Handle) -> bool) -> Option<Handle> {
        loop {
            let handle =
                if self.others.is_empty() { self.plain.pop_front()? } else { self.pop_by_priority()? };
            if is_ready(handle) {
                self.len -= 1;
                return Some(handle);
            }
        }
    }

    /// A task left out of turn.
    pub(super) fn taken(&mut self) {
        self.len -= 1;
    }

    fn line(&mut self, priority: i32) -> &mut VecDeque<Handle> {
        match priority {
            0 => &mut self.plain,
            _ => self.others.entry(Reverse(priority)).or_default(),
        }
    }

    fn pop_by_priority(&mut self) -> Option<Handle> {
        let highest = self.others.first_entry().filter(|line| line.key().0 > 0);
        let mut line = match highest {
            Some(line) => line,
            None => match self.plain.pop_front() {
                Some(handle) => return Some(handle),
                None => self.others.first_entry()?,
            },
        };
        let handle = line.get_mut().pop_front();
        if line.get().is_empty() {
            line.remove();
        }
        handle
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handle(n: u64) -> Handle {
        Handle::new(n).expect("not 0")
    }

    fn drain(ready: &mut Ready) -> Vec<u64> {
        std::iter::from_fn(|| ready.pop(|_| true)).map(Handle::bits).collect()
    }

    #[test]
    fn higher_priorities_come_first_and_each_is_first_in_first_out() {
        let mut ready = Ready::default();
        for (n, priority) in [(1, 0), (2, -5), (3, 9), (4, 0), (5, 9), (6, -5), (7, 1)] {
            ready.push(priority, handle(n));
        }
        ready.push_front(0, handle(8));
        assert_eq!(drain(&mut ready), [3, 5, 7, 8, 1, 4, 2, 6]);
        assert_eq!((ready.len(), ready.others.len()), (0, 0));
    }

    #[test]
    fn a_task_taken_out_of_turn_is_skipped() {
        let mut ready = Ready::default();
        ready.push(0, handle(1));
        ready.push(0, handle(2));
        ready.taken();
        assert_eq!(ready.pop(|handle| handle.bits() != 1).map(Handle::bits), Some(2));
        assert_eq!(ready.len(), 0);
    }

    #[test]
    fn those_of_a_priority_and_above_are_counted_and_what_stayed_behind_is_not_all_there_is() {
        let mut ready = Ready::default();
        for (n, priority) in [(1, 0), (2, -5), (3, 9), (4, 0)] {
            ready.push(priority, handle(n));
        }
        assert_eq!([10, 9, 1, 0, -4, -5].map(|from| ready.len_from(from)), [0, 1, 1, 3, 3, 4]);
        (0..4).for_each(|_| ready.taken());
        assert_eq!(ready.len_from(-9), 0);
    }
}
