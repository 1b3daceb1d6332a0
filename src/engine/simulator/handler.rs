//! The handler of the simulator: it handles, and commits later, in groups.

use super::disk::{Group, ranges};
use super::{Happening, World, hits};
use crate::engine::Input;
use crate::model::handling::{Cancel, Puts, Saved};
use crate::model::task::{PutBy, key_hash};
use crate::model::{Delivery, Task, TaskId, Tried};

/// What the handler hears, in this order.
#[derive(Debug)]
pub(super) enum Word {
    Delivery(Box<Delivery>),
    Remember(Vec<(TaskId, Tried)>),
    Save(Vec<Saved>),
    Flush,
}

#[derive(Debug, Default)]
pub(super) struct Handler {
    pub inbox: std::collections::VecDeque<Word>,
    /// Words that it is busy with.
    busy: Vec<Word>,
    /// Not committed.
    open: Group,
    committing: Option<Group>,
    /// Commit as soon as can be.
    hurry: bool,
    is_timed: bool,
    pub last_seq: u64,
    pub unhandled: usize,
    /// Deliveries and puts so far.
    pub seen: (u64, u64),
    pub flushes: u64,
}

impl Handler {
    pub(super) fn new(last_seq: u64) -> Self {
        let open = Group { seq: last_seq, ..Group::default() };
        Handler { last_seq, open, ..Handler::default() }
    }
}

impl World {
    pub(super) fn handle_some(&mut self) {
        if !self.handler.busy.is_empty() || self.handler.inbox.is_empty() || self.handler_gone {
            return;
        }
        let count = 1 + self.random.below(self.handler.inbox.len() as u64) as usize;
        self.handler.busy = self.handler.inbox.drain(..count).collect();
        self.at(self.now + self.job.handler_ns * count as u64, Happening::HandlerIsFree);
    }

    pub(super) fn handled(&mut self) {
        if self.handler_gone {
            return;
        }
        let (mut count, mut puts, mut cancels) = (0, Vec::new(), Vec::new());
        for word in std::mem::take(&mut self.handler.busy) {
            match word {
                Word::Delivery(delivery) => {
                    count += 1;
                    let after = self.handler.last_seq + puts.len() as u64;
                    cancels.extend(self.cancel_of(&delivery).map(|key| Cancel { key, after }));
                    puts.extend(self.puts_of(&delivery));
                    self.handler.open.deliveries.push(*delivery);
                }
                Word::Remember(tried) => self.handler.open.tried.extend(tried),
                Word::Save(states) => self.handler.open.saved.extend(states),
                Word::Flush => self.handler.hurry = true,
            }
        }
        self.handler.unhandled -= count;
        self.say_handled(count, puts, cancels);
        self.commit_soon();
        self.handle_some();
    }

    /// The hash of a key that tasks of this job have.
    fn cancel_of(&self, delivery: &Delivery) -> Option<u128> {
        let position = delivery.id.position().filter(|position| hits(self.job.cancel_each, *position))?;
        Some(key_hash(&(position * 7 % 300).to_le_bytes()))
    }

    fn puts_of(&mut self, delivery: &Delivery) -> Vec<Task> {
        let Some(position) = delivery.id.position() else {
            // a few generations
            let more = hits(self.job.put_each, 3) && delivery.id.bits().is_multiple_of(4);
            let child = |n| TaskId::child(delivery.id, PutBy::Handler, n);
            return if more { vec![self.job.task(child(0)), self.job.task(child(1))] } else { Vec::new() };
        };
        let count = if hits(self.job.put_each, position) { self.job.puts } else { 0 };
        (0..count).map(|n| self.job.task(TaskId::child(delivery.id, PutBy::Handler, n))).collect()
    }

    /// Tells the engine; of many puts only the first ones themselves.
    pub(super) fn say_handled(&mut self, count: usize, mut tasks: Vec<Task>, cancels: Vec<Cancel>) {
        let first = self.handler.last_seq + 1;
        let mut rest = &tasks[..];
        for Cancel { key, after } in &cancels {
            let before;
            (before, rest) = rest.split_at((after + 1 - first) as usize - (tasks.len() - rest.len()));
            self.accepts(before);
            self.cancels(*key);
        }
        self.accepts(rest);
        self.handler.open.cancels.extend(&cancels);
        self.handler.last_seq += tasks.len() as u64;
        self.handler.seen.1 = self.handler.last_seq;
        self.handler.open.seq = self.handler.last_seq;
        let numbered = (first..).zip(tasks.iter().cloned());
        self.handler.open.puts.extend(numbered);
        let here = self.job.most_puts.min(tasks.len());
        let stored = ranges((first + here as u64..).zip(&tasks[here..]));
        tasks.truncate(here);
        let known = self.disk.known(&tasks);
        let first = (!tasks.is_empty()).then(|| super::disk::place(first));
        self.step(Input::Handled { count, puts: Puts { first, tasks, stored, cancels }, known });
    }

    fn commit_soon(&mut self) {
        let Group { deliveries, puts, tried, saved, .. } = &self.handler.open;
        let is_empty = deliveries.is_empty() && puts.is_empty() && tried.is_empty() && saved.is_empty();
        if self.handler.committing.is_some() || self.handler_gone || is_empty {
            return;
        }
        if self.handler.hurry || self.job.commit_each_ns == Some(0) {
            self.begin_commit();
        } else if let Some(each) = self.job.commit_each_ns
            && !std::mem::replace(&mut self.handler.is_timed, true)
        {
            self.at(self.now + each, Happening::CommitIsDue);
        }
    }

    pub(super) fn commit_is_due(&mut self) {
        self.handler.is_timed = false;
        self.handler.hurry = true;
        self.commit_soon();
    }

    fn begin_commit(&mut self) {
        self.handler.hurry = false;
        let seq = self.handler.last_seq;
        let group = std::mem::replace(&mut self.handler.open, Group { seq, ..Group::default() });
        self.handler.committing = Some(group);
        self.at(self.now + self.job.commit_ns, Happening::Committed);
    }

    pub(super) fn committed(&mut self) {
        let Some(group) = self.handler.committing.take().filter(|_| !self.handler_gone) else { return };
        let (count, seq) = (group.deliveries.len(), group.seq);
        let saved: Vec<TaskId> = group.saved.iter().map(|(id, _)| *id).collect();
        let before = self.disk.before;
        self.keep(group);
        self.done_count += self.disk.before.done - before.done;
        self.failed_count += self.disk.before.failed - before.failed;
        self.step(Input::Committed { count, seq });
        saved.iter().for_each(|id| assert!(self.on_way.remove(id), "it was on its way"));
        if !saved.is_empty() {
            self.step(Input::Kept { count: saved.len() });
        }
        self.commit_soon();
    }

    fn keep(&mut self, group: Group) {
        if let Err(law) = self.disk.commit(group) {
            self.law(false, law);
        }
    }

    /// The end of the process: what is being committed may be kept, and only when the end is a good one all else.
    pub(super) fn last_commit(&mut self, good: bool) {
        if let Some(group) = self.handler.committing.take()
            && (good || self.random.below(2) == 0)
        {
            self.keep(group);
        }
        let mut open = std::mem::take(&mut self.handler.open);
        if good {
            for word in self.handler.busy.drain(..).chain(self.handler.inbox.drain(..)) {
                match word {
                    Word::Remember(tried) => open.tried.extend(tried),
                    Word::Save(states) => open.saved.extend(states),
                    Word::Flush => {}
                    Word::Delivery(_) => panic!("a delivery is left"),
                }
            }
            self.keep(open);
        }
    }

    pub(super) fn flush(&mut self) {
        self.handler.flushes += 1;
        let now = self.handler.seen;
        self.law(self.flushed != Some(now), "the same state is flushed once");
        self.flushed = Some(now);
        let idle = self.holder.is_empty() && (self.stopped || self.engine.tasks.is_empty());
        self.law(idle, "nothing is in flight when a commit is asked for");
        self.handler.inbox.push_back(Word::Flush);
    }
}
