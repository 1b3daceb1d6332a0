//! Tasks come in: from the source, from puts, after a delay.

use std::cmp::Reverse;

use crate::engine::Engine;
use crate::engine::blame::Record;
use crate::engine::entry::{At, Entry};
use crate::engine::stop::Mode;
use crate::model::handling::Puts;
use crate::model::{Seq, Task};

impl Engine {
    pub(super) fn offered(&mut self, tasks: Vec<Task>, last: bool) {
        self.source_ended |= last;
        // After a stop the source's position is what was accepted; a resume generates the rest again.
        if self.mode == Mode::Open {
            tasks.into_iter().for_each(|task| self.accept(task, None));
        }
    }

    pub(super) fn handled(&mut self, _count: usize, puts: Puts) {
        let first = puts.first.map_or(0, Seq::number);
        for (n, task) in puts.tasks.into_iter().enumerate() {
            self.accept(task, Seq::new(first + n as u64));
        }
    }

    pub(super) fn committed(&mut self, count: usize, _seq: u64) {
        self.tally.handled += self.backlog.handled(count);
    }

    pub(super) fn stored(&mut self, _priority: i32, tasks: Vec<(Seq, Task)>) {
        for (seq, task) in tasks {
            self.accept(task, Some(seq));
        }
    }

    fn accept(&mut self, task: Task, seq: Option<Seq>) {
        if let Some(key) = task.key()
            && !self.keys.insert(key)
        {
            self.tally.duplicates += 1;
            return;
        }
        let order = self.tally.known;
        self.tally.known += 1;
        self.bytes += task.args.len();
        let (priority, delay_ns) =
            task.options.as_ref().map_or((0, 0), |options| (options.priority, options.delay_ns));
        let at = if delay_ns == 0 { At::Ready } else { At::Delayed };
        let lane = if self.limits.is_empty() { 0 } else { self.limits.admit(&task.args) };
        let (starts, crashes, failures) = (0, Record::default(), 0);
        let handle = self.tasks.insert(Entry { task, seq, order, at, starts, crashes, failures, lane, place: 0 });
        if self.config.ordered {
            self.order.push(handle);
        }
        match at {
            At::Delayed => self.delayed.push(self.now_ns.saturating_add(delay_ns), order, handle),
            _ if self.limits.is_empty() => self.ready.push(priority, handle),
            _ => self.limits.push(lane, (priority, Reverse(order)), handle, self.now_ns),
        }
    }

    /// Delayed tasks line up; those for another attempt were here before and go to the front.
    pub(super) fn end_delays(&mut self) {
        let mut again = Vec::new();
        while let Some(handle) = self.delayed.pop_due(self.now_ns) {
            let Some(entry) = self.tasks.get_mut(handle) else { continue };
            let order = entry.order;
            if entry.failures > 0 {
                self.retrying -= 1;
                again.push((order, handle));
            } else if self.limits.is_empty() {
                entry.at = At::Ready;
                self.ready.push(entry.priority(), handle);
            } else {
                self.put_back(vec![(order, handle)]);
            }
        }
        if !again.is_empty() {
            self.put_back(again);
        }
    }
}
