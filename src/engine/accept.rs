//! Tasks come in: from the source, from puts, from the journal, after a delay.

use std::cmp::Reverse;

use crate::engine::blame::Record;
use crate::engine::entry::{At, Entry};
use crate::engine::stop::Mode;
use crate::engine::{Engine, Fetch};
use crate::model::handling::{Puts, StoredPuts};
use crate::model::{Handle, Seq, Task};

/// Puts stay in memory up to so many windows: at 400,000 tasks/s, 4096 of them would be used up in 10 ms, and what is
/// beyond can only be fetched once it is committed, which takes 50 ms and more.
const PUT_WINDOWS: usize = 8;
/// With what is loaded for higher priorities, tasks in memory at most, in windows.
const WINDOWS: usize = 12;
/// Tasks of one fetch, which holds up the loop for about 1 µs each.
const FETCH: usize = 1024;
/// Puts that wait for their time in memory; further ones are treated as if they had none to wait for.
const MOST_DELAYED: usize = 1 << 18;
/// Bytes of arguments in memory at most before the source waits.
const LARGEST_BYTES: usize = 64 << 20;

impl Engine {
    pub(super) fn offered(&mut self, tasks: Vec<Task>, known: &[bool], last: bool) {
        self.source_ended |= last;
        // After a stop the source's position is what was accepted; a resume generates the rest again.
        if self.mode != Mode::Open {
            return;
        }
        let mut known = known.iter().copied();
        tasks.into_iter().for_each(|task| self.accept(task, &mut known));
    }

    /// Not inlined, as the task is moved once more then: a fifth of what a task costs.
    #[inline(never)]
    fn accept(&mut self, task: Task, known: &mut std::iter::Copied<std::slice::Iter<'_, bool>>) {
        if task.options.is_none() || self.is_new(&task, None, known) {
            self.tally.known += 1;
            self.load(task, None);
        }
    }

    pub(super) fn handled(&mut self, count: usize, puts: Puts, known: &[bool]) {
        self.backlog.handle(count);
        self.cancels.handle(count);
        let (mut seq, mut known) = (puts.first, known.iter().copied());
        let mut cancels = puts.cancels.into_iter().peekable();
        for task in puts.tasks {
            while let Some(cancel) =
                cancels.next_if(|cancel| seq.is_some_and(|seq| cancel.after < seq.number()))
            {
                self.cancel(cancel.key);
            }
            self.put(task, seq, &mut known);
            seq = seq.and_then(|seq| Seq::new(seq.number() + 1));
        }
        for puts in puts.stored {
            self.tally.known += puts.count;
            self.stored.push_many(puts);
        }
        cancels.for_each(|cancel| self.cancel(cancel.key));
    }

    pub(super) fn committed(&mut self, count: usize, seq: u64) {
        let (ends, keyed) = self.backlog.commit(count);
        self.tally.committed += ends;
        self.keys.commit(keyed, seq);
        self.cancels.commit(count);
        self.stored.commit(seq);
    }

    fn put(&mut self, task: Task, seq: Option<Seq>, known: &mut impl Iterator<Item = bool>) {
        if let Some(seq) = seq
            && self.stored.hides_keys()
            && let Some(key) = task.key()
        {
            // It may be a duplicate of one that only the journal has seen: the journal decides, and has it or not.
            let cancelled = self.cancels.contains(key);
            if known.next().unwrap_or(false) || cancelled || self.keys.contains(key) {
                self.tally.duplicates += 1;
            } else {
                self.tally.known += 1;
                self.stored.push_many(StoredPuts {
                    priority: priority(&task),
                    first: seq,
                    last: seq,
                    count: 1,
                });
            }
            return;
        }
        if !self.is_new(&task, seq, known) {
            return;
        }
        self.tally.known += 1;
        match seq {
            Some(seq) if self.goes_by(&task, seq) => self.stored.push(priority(&task), seq),
            _ => {
                self.load(task, seq);
            }
        }
    }

    /// Whether its key is not known yet; from now on it is.
    fn is_new(&mut self, task: &Task, seq: Option<Seq>, known: &mut impl Iterator<Item = bool>) -> bool {
        let Some(key) = task.key() else { return true };
        let known = known.next().unwrap_or(false) || self.cancels.contains(key);
        let new = !known && self.keys.insert(key, seq.map(Seq::number));
        self.tally.duplicates += u64::from(!new);
        new
    }

    /// Whether a task that was put is left to the journal.
    fn goes_by(&mut self, task: &Task, seq: Seq) -> bool {
        let waits = task.options.as_ref().is_some_and(|options| options.delay_ns > 0);
        if waits && self.delayed.len() < MOST_DELAYED {
            self.stored.keep_apart(priority(task), seq);
            return false;
        }
        self.stored.has_line(priority(task))
            || self.loaded() >= PUT_WINDOWS * self.config.queue
            || self.bytes >= LARGEST_BYTES
    }

    /// What to fetch from the journal now, and hand over as `Input::Stored` before any other input.
    pub fn wants_stored(&self) -> Option<Fetch> {
        if self.stored.is_empty() || self.mode != Mode::Open {
            return None;
        }
        let fetch = self.stored.next()?;
        let (queue, ready) = (self.config.queue, self.ready_from(fetch.priority));
        let has_room = ready < (queue / 2).max(1)
            && self.loaded() < WINDOWS * queue
            && self.delayed.len() < MOST_DELAYED
            && self.bytes < LARGEST_BYTES;
        has_room.then(|| Fetch { at_most: (queue - ready).min(FETCH), ..fetch })
    }

    pub(super) fn stored(&mut self, priority: i32, until: u64, tasks: Vec<(Seq, Task)>) {
        let exhausted = tasks.is_empty().then_some(until);
        for (seq, task) in tasks {
            if !self.stored.pass(priority, seq) {
                continue;
            }
            // The journal has it until the task of the same key, which came before it, is committed.
            if task.key().is_some_and(|key| self.keys.contains(key)) {
                continue;
            }
            self.stored.take(priority);
            let options = task.options.as_ref();
            let marked = options.is_some_and(|options| options.cancelled);
            let cancelled = marked || task.key().is_some_and(|key| self.cancels.contains(key));
            let handle = self.load(task, Some(seq));
            if cancelled {
                self.end_waiting(handle);
            }
        }
        // What was counted and is not there were duplicates.
        let missing = self.stored.fetched(priority, exhausted);
        self.tally.known = self.tally.known.saturating_sub(missing);
        self.tally.duplicates += missing;
    }

    /// Whether the source's next batch may come in. What was put goes first.
    pub fn wants_tasks(&self) -> bool {
        self.mode == Mode::Open
            && !self.source_ended
            && self.stored.is_empty()
            && self.loaded() < self.config.queue
            && self.bytes < LARGEST_BYTES
    }

    /// Tasks in memory that are ready or in workers.
    fn loaded(&self) -> usize {
        self.tasks.len() - self.delayed.len() - self.order.parked()
    }

    /// Ready tasks of this priority and higher ones.
    fn ready_from(&self, priority: i32) -> usize {
        if self.limits.is_empty() { self.ready.len_from(priority) } else { self.limits.len_from(priority) }
    }

    /// Into memory.
    #[inline(always)]
    fn load(&mut self, task: Task, seq: Option<Seq>) -> Handle {
        let order = self.tally.loaded;
        self.tally.loaded += 1;
        self.bytes += task.args.len();
        let (priority, mut delay_ns) =
            task.options.as_ref().map_or((0, 0), |options| (options.priority, options.delay_ns));
        let lane = if self.limits.is_empty() { 0 } else { self.limits.admit(&task.args) };
        let tried = if self.config.tried.is_empty() { None } else { self.config.tried.remove(&task.id) };
        if tried.is_some() {
            // the delay is one before the first attempt
            delay_ns = 0;
        }
        let at = if delay_ns == 0 { At::Ready } else { At::Delayed };
        let (starts, crashes, failures) = (0, Record::default(), 0);
        let keyed = task.options.is_some();
        let handle =
            self.tasks.insert(Entry { task, seq, order, at, starts, crashes, failures, lane, place: 0 });
        if let Some(tried) = tried
            && let Some(entry) = self.tasks.get_mut(handle)
        {
            entry.go_on(tried);
        }
        if keyed && let Some(entry) = self.tasks.get(handle) {
            self.cancels.load(&entry.task, handle);
        }
        if self.config.ordered {
            self.order.push(handle);
        }
        if delay_ns > 0 {
            self.delayed.push(self.now_ns.saturating_add(delay_ns), order, handle);
        } else if self.limits.is_empty() {
            self.ready.push(priority, handle);
        } else {
            self.limits.push(lane, (priority, Reverse(order)), handle, self.now_ns);
        }
        handle
    }

    /// Delayed tasks line up; those for another attempt were here before and go to the front.
    pub(super) fn end_delays(&mut self) {
        let mut again = Vec::new();
        while let Some(handle) = self.delayed.pop_due(self.now_ns) {
            let Some(entry) = self.tasks.get_mut(handle).filter(|entry| entry.at == At::Delayed) else {
                self.delayed.passed();
                continue;
            };
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
        let tasks = &self.tasks;
        self.delayed.sweep(|handle| tasks.get(handle).is_some_and(|entry| entry.at == At::Delayed));
    }
}

fn priority(task: &Task) -> i32 {
    task.options.as_ref().map_or(0, |options| options.priority)
}
