//! What outlives the coordinator: a journal in memory, with the laws of what may be in it.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::engine::Ends;
use crate::model::handling::{Cancel, Saved, StoredPuts};
use crate::model::task::key_hash;
use crate::model::{Delivery, Seq, Task, TaskId, Tried, Verdict};

#[derive(Debug, Default)]
pub(super) struct Disk {
    pub ended: HashMap<TaskId, bool>,
    pub before: Ends,
    pub queue: BTreeMap<u64, Task>,
    pub keys: HashSet<u128>,
    pub tried: HashMap<TaskId, Tried>,
    pub saved: HashMap<TaskId, u64>,
    /// Of the keys, those that were cancelled.
    pub cancelled: HashSet<u128>,
    pub last_seq: u64,
    /// Every task that was ever put, duplicates included.
    pub put: HashSet<TaskId>,
    /// Position and message.
    pub failed: BTreeMap<u64, String>,
}

/// What the handler commits together.
#[derive(Debug, Default)]
pub(super) struct Group {
    pub deliveries: Vec<Delivery>,
    pub puts: Vec<(u64, Task)>,
    pub tried: Vec<(TaskId, Tried)>,
    pub saved: Vec<Saved>,
    pub cancels: Vec<Cancel>,
    /// The place of the last task that was put, in this group or before.
    pub seq: u64,
}

impl Disk {
    /// All of a group; the first broken law.
    pub(super) fn commit(&mut self, group: Group) -> Result<(), &'static str> {
        self.tried.extend(group.tried);
        for (id, state) in group.saved {
            let bytes = state.as_deref().and_then(|state| state.try_into().ok()).ok_or("a state is whole")?;
            self.saved.insert(id, u64::from_le_bytes(bytes));
        }
        let mut ended = HashSet::new();
        for delivery in group.deliveries {
            ended.insert(delivery.id);
            self.end(delivery)?;
        }
        let mut cancels = group.cancels.into_iter().peekable();
        for (seq, task) in group.puts {
            while let Some(cancel) = cancels.next_if(|cancel| cancel.after < seq) {
                self.cancel(cancel.key);
            }
            if !self.put.insert(task.id) {
                return Err("each put is kept once");
            }
            let is_new = task.key().is_none_or(|key| self.keys.insert(key_hash(key)));
            if is_new && !ended.contains(&task.id) {
                self.queue.insert(seq, task);
            }
        }
        cancels.for_each(|cancel| self.cancel(cancel.key));
        self.last_seq = self.last_seq.max(group.seq);
        Ok(())
    }

    fn cancel(&mut self, key: u128) {
        self.cancelled.insert(key);
        if !self.keys.insert(key) {
            let has_it = |task: &&mut Task| task.key().is_some_and(|other| key_hash(other) == key);
            self.queue.values_mut().filter(has_it).for_each(|task| {
                task.options.get_or_insert_default().cancelled = true;
            });
        }
    }

    fn end(&mut self, delivery: Delivery) -> Result<(), &'static str> {
        let Delivery { id, seq, key, attempt, worker, left, verdict, .. } = delivery;
        let failed = matches!(verdict, Verdict::Failed(_));
        if self.ended.insert(id, failed).is_some() {
            return Err("each task ends once");
        }
        if let Verdict::Failed(failure) = verdict {
            self.before.failed += 1;
            self.failed.insert(id.position().unwrap_or(0), failure.message);
        } else {
            self.before.done += 1;
        }
        if let Some(seq) = seq {
            self.queue.remove(&seq.number());
        }
        if let Some(key) = key.as_deref().map(key_hash)
            && !self.keys.insert(key)
            && seq.is_none()
        {
            // one that was put while this one was in flight
            self.queue.retain(|_, task| task.key().is_none_or(|other| key_hash(other) != key));
        }
        if attempt > 1 || worker == 0 && attempt > 0 {
            self.tried.remove(&id);
        }
        if left.state {
            self.saved.remove(&id);
        }
        Ok(())
    }

    /// Whether the source would drop it.
    pub(super) fn knows(&self, task: &Task) -> bool {
        self.ended.contains_key(&task.id) || task.key().is_some_and(|key| self.keys.contains(&key_hash(key)))
    }

    pub(super) fn known(&self, tasks: &[Task]) -> Vec<bool> {
        tasks.iter().filter_map(Task::key).map(|key| self.keys.contains(&key_hash(key))).collect()
    }

    pub(super) fn fetch(&self, priority: i32, after: u64, until: u64, at_most: usize) -> Vec<(Seq, Task)> {
        let of_priority = |task: &Task| priority_of(task) == priority;
        let range = self.queue.range(after + 1..=until).filter(|(_, task)| of_priority(task));
        range.take(at_most).map(|(seq, task)| (place(*seq), task.clone())).collect()
    }

    pub(super) fn pending(&self) -> Vec<StoredPuts> {
        ranges(self.queue.iter().map(|(seq, task)| (*seq, task)))
    }
}

/// One of each priority.
pub(super) fn ranges<'a>(tasks: impl Iterator<Item = (u64, &'a Task)>) -> Vec<StoredPuts> {
    let mut ranges: BTreeMap<i32, StoredPuts> = BTreeMap::new();
    for (seq, task) in tasks {
        let (priority, first) = (priority_of(task), place(seq));
        let range = ranges.entry(priority).or_insert(StoredPuts { priority, first, last: first, count: 0 });
        range.last = first;
        range.count += 1;
    }
    ranges.into_values().collect()
}

pub(super) fn place(seq: u64) -> Seq {
    Seq::new(seq).expect("places begin at 1")
}

pub(super) fn priority_of(task: &Task) -> i32 {
    task.options.as_ref().map_or(0, |options| options.priority)
}
