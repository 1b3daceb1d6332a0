//! What is gathered between two commits.

use std::time::Duration;

use super::commit::Closed;
use super::places::Places;
use super::rows::Rows;
use crate::journal::record::Group;
use crate::model::handling::{Cancel, Puts, Saved};
use crate::model::{Delivery, Seq, Task, TaskId, Verdict};

/// From the first content of a group to its commit, at least.
const INTERVAL: Duration = Duration::from_millis(50);
/// At most, however long a commit takes.
const LONGEST: Duration = Duration::from_secs(2);
/// For a group that holds only what people look at.
const FOR_LOOKERS: Duration = Duration::from_secs(1);
/// A commit may take this part of the time between two.
const SHARE: u64 = 10;
/// Deliveries, or tasks put, of one group at most; it is closed then.
const MOST: usize = 64 << 10;
/// Its bytes.
const MOST_BYTES: usize = 16 << 20;

/// The open group, and what of it the engine has not been told.
#[derive(Default)]
pub struct Open {
    /// For the journal.
    pub group: Group,
    /// For the output.
    pub rows: Rows,
    /// Deliveries in it.
    handled: usize,
    /// Of failed tasks and of states, which are kept whole.
    bytes: usize,
    /// Tasks that ended and have a folder.
    dirs: Vec<TaskId>,
    /// When the first content came.
    since_ns: Option<u64>,
    /// When the first came that only lookers need.
    known_since_ns: Option<u64>,
    /// Nobody waits for more of it.
    is_wanted: bool,
    untold: Untold,
}

/// What the engine has not been told.
#[derive(Default)]
pub struct Untold {
    /// Deliveries that are handled.
    pub count: usize,
    /// What they have put.
    pub puts: Puts,
}

impl Open {
    /// A delivery is about to be handled. It is written down when the journal needs it.
    pub fn add(&mut self, delivery: &Delivery, is_durable: bool, now_ns: u64) {
        self.touch(now_ns);
        // scratch keeps keys and waiting tasks only
        if is_durable || delivery.seq.is_some() || delivery.key.is_some() {
            self.group.add(delivery);
        }
        if let Verdict::Failed(failure) = &delivery.verdict {
            self.bytes += size_of_val(&**failure) + delivery.args.len() + failure.message.len();
        }
        if delivery.left.dir {
            self.dirs.push(delivery.id);
        }
        self.handled += 1;
        self.untold.count += 1;
    }

    /// Keys were cancelled; `after` is the last place that was given.
    pub fn cancel(&mut self, keys: &[u128], after: u64) {
        let cancels = keys.iter().map(|key| Cancel { key: *key, after });
        self.untold.puts.cancels.extend(cancels.clone());
        self.group.cancels.extend(cancels);
    }

    /// Tasks have saved their states.
    pub fn save(&mut self, states: Vec<Saved>, now_ns: u64) {
        self.touch(now_ns);
        self.bytes +=
            states.iter().map(|(_, state)| state.as_ref().map_or(0, |state| state.len())).sum::<usize>();
        self.group.saved.extend(states);
    }

    /// Tasks were put, of which the first has this place.
    pub fn put(&mut self, first: Option<Seq>, mut tasks: Vec<Task>) {
        if self.untold.puts.tasks.is_empty() {
            (self.untold.puts.first, self.untold.puts.tasks) = (first, tasks);
        } else {
            self.untold.puts.tasks.append(&mut tasks);
        }
    }

    /// Something came that is to be kept.
    pub fn touch(&mut self, now_ns: u64) {
        self.since_ns.get_or_insert(now_ns);
    }

    /// The same for what only lookers need.
    pub fn know(&mut self, known: u64, more: bool, now_ns: u64) {
        self.group.known = Some((known, more));
        self.known_since_ns.get_or_insert(now_ns);
    }

    /// It should be committed as soon as possible.
    pub fn want(&mut self) {
        self.is_wanted = !self.is_empty();
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.since_ns.is_none() && self.known_since_ns.is_none()
    }

    /// Whether it must be closed before anything else comes in.
    pub fn is_large(&self, places: &Places) -> bool {
        self.handled >= MOST
            || places.held() >= MOST
            || self.bytes + self.rows.bytes() + places.bytes() >= MOST_BYTES
    }

    /// When it is to be closed; `cost_ns` is what a commit takes.
    pub fn due_ns(&self, cost_ns: u64) -> Option<u64> {
        if self.is_wanted {
            return Some(0);
        }
        let interval = interval_ns(cost_ns);
        let lookers = (FOR_LOOKERS.as_nanos() as u64).max(interval);
        let due = self.since_ns.map(|since| since + interval);
        due.into_iter().chain(self.known_since_ns.map(|since| since + lookers)).min()
    }

    /// Takes what the engine is to be told, if there is anything.
    pub fn take_untold(&mut self) -> Option<Untold> {
        let is_news = self.untold.count > 0 || !self.untold.puts.tasks.is_empty();
        is_news.then(|| std::mem::take(&mut self.untold))
    }

    /// Nothing of it needs a store, nor an output.
    pub fn needs_nothing(&self, places: &Places) -> bool {
        let group = &self.group;
        let is_light = group.ended.is_empty() && group.cancels.is_empty() && self.dirs.is_empty();
        is_light && self.rows.is_empty() && places.held() == 0 && !places.has_parts()
    }

    /// Ends it; the next one is empty.
    pub fn close(&mut self, places: &Places) -> Closed {
        let untold = std::mem::take(&mut self.untold);
        let Open { mut group, rows, handled, dirs, .. } = std::mem::take(self);
        self.untold = untold;
        group.puts = places.take();
        Closed { group, rows, handled, dirs, seq: places.last(), answer: None }
    }
}

/// Stretched, so that commits take a tenth of the time at most.
fn interval_ns(cost_ns: u64) -> u64 {
    cost_ns.saturating_mul(SHARE).clamp(INTERVAL.as_nanos() as u64, LONGEST.as_nanos() as u64)
}

#[cfg(test)]
mod tests {
    use super::interval_ns;

    #[test]
    fn the_interval_stretches_with_the_cost_of_a_commit_up_to_two_seconds() {
        let ms = 1_000_000;
        assert_eq!([0, ms, 5 * ms].map(interval_ns), [50 * ms; 3]);
        assert_eq!([6 * ms, 100 * ms].map(interval_ns), [60 * ms, 1_000 * ms]);
        assert_eq!([300 * ms, u64::MAX].map(interval_ns), [2_000 * ms; 2]);
    }
}
