//! Tasks come in: from the source, from puts, after a delay.

use crate::engine::Engine;
use crate::engine::blame::Record;
use crate::engine::entry::{At, Entry};
use crate::engine::stop::Mode;
use crate::model::Task;

impl Engine {
    pub(super) fn offered(&mut self, tasks: Vec<Task>, last: bool) {
        self.source_ended |= last;
        // After a stop the source's position is what was accepted; a resume generates the rest again.
        if self.mode == Mode::Open {
            tasks.into_iter().for_each(|task| self.accept(task));
        }
    }

    pub(super) fn handled(&mut self, count: usize, puts: Vec<Task>) {
        let (done, failed) = self.backlog.handled(count);
        self.tally.done += done;
        self.tally.failed += failed;
        puts.into_iter().for_each(|task| self.accept(task));
    }

    fn accept(&mut self, task: Task) {
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
        let handle =
            self.tasks.insert(Entry { task, order, at, starts: 0, crashes: Record::default(), place: 0 });
        if self.config.ordered {
            self.order.push(handle);
        }
        match at {
            At::Delayed => self.delayed.push(self.now_ns.saturating_add(delay_ns), order, handle),
            _ => self.ready.push(priority, handle),
        }
    }

    pub(super) fn end_delays(&mut self) {
        while let Some(handle) = self.delayed.pop_due(self.now_ns) {
            if let Some(entry) = self.tasks.get_mut(handle) {
                entry.at = At::Ready;
                self.ready.push(entry.priority(), handle);
            }
        }
    }
}
