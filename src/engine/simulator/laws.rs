//! What must hold at any time, and at the end.

use std::collections::{BTreeMap, HashSet};

use super::World;
use super::disk::priority_of;
use crate::model::policy::Limit;
use crate::model::task::key_hash;
use crate::model::{Delivery, TaskId};

impl World {
    pub(super) fn law(&self, holds: bool, what: &str) {
        assert!(holds, "{what} at {} ns of {:?}", self.now, self.job);
    }

    /// In no window of time more starts than the burst and the window's share.
    pub(super) fn rate_is_kept(&self, limit: &Limit) {
        let Some(rate) = limit.rate else { return };
        let mut starts: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
        for (time, site) in &self.sends {
            starts.entry(if limit.per.is_some() { *site } else { 0 }).or_default().push(*time);
        }
        for times in starts.values() {
            for (index, first) in times.iter().enumerate() {
                for (more, last) in times[index..].iter().enumerate() {
                    let share = (last - first) * u64::from(rate.count) / rate.per_ns;
                    self.law(more as u64 <= u64::from(limit.burst) - 1 + share, "a rate is kept");
                }
            }
        }
    }

    /// Every task has ended and was committed; of those that share a key exactly one.
    pub(super) fn all_ended_once(&self) {
        let job = &self.job;
        self.law(self.disk.queue.is_empty(), "no put is left");
        // one may have turned out to be a duplicate after a crash
        let forgotten = self.disk.tried.keys().all(|id| !self.disk.ended.contains_key(id));
        self.law(forgotten, "nothing is remembered of tasks that have ended");
        let forgotten = self.disk.saved.keys().all(|id| !self.disk.ended.contains_key(id));
        self.law(forgotten, "no state is left of tasks that have ended");
        let mut keys = HashSet::new();
        let all = (1..=job.tasks).map(TaskId::at).chain(self.disk.put.iter().copied());
        for task in all.map(|id| job.task(id)) {
            let ended = self.disk.ended.contains_key(&task.id);
            match task.key() {
                None => self.law(ended, "every task has ended"),
                Some(key) if ended => {
                    self.law(keys.insert(key_hash(key)), "of the tasks with a key one has ended");
                }
                Some(_) => {}
            }
        }
        keys.extend(&self.disk.cancelled);
        self.law(keys == self.disk.keys, "of every key a task has ended, or it was cancelled");
    }

    /// After a good end of a session: what the engine heard last is what the next one begins with.
    pub(super) fn states_are_kept(&self) {
        let kept = |(id, state): (&TaskId, &u64)| {
            self.disk.ended.contains_key(id) || self.disk.saved.get(id) == Some(state)
        };
        self.law(self.states.iter().all(kept), "the last state of every task is kept");
    }

    pub(super) fn limits_are_kept(&self, site: u64) {
        for limit in &self.job.limits {
            let most = limit.concurrency.unwrap_or(u32::MAX);
            let held = match limit.per {
                Some(_) => self.at_site[&site],
                None => self.at_site.values().sum(),
            };
            self.law(held <= most, "no more at once than a limit allows");
        }
    }

    /// With `ordered`, also what was not held in memory comes in the order of its places.
    pub(super) fn lines_are_in_order(&mut self, delivery: &Delivery) {
        let task = self.job.task(delivery.id);
        if !self.job.ordered || task.options.as_ref().is_some_and(|options| options.delay_ns > 0) {
            return;
        }
        let (line, place) = match (delivery.seq, delivery.id.position()) {
            (Some(seq), _) => (Some(priority_of(&task)), seq.number()),
            (None, position) => (None, position.unwrap_or(0)),
        };
        let before = self.last_of.insert(line, place);
        self.law(before < Some(place), "each line is delivered in its order");
    }
}
