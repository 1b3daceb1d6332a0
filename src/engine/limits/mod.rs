//! Limits by name and key: which of the ready tasks may start now.
//!
//! A task needs a bucket of each limit, and starts only when all of them grant: none is held while another is waited
//! for. Tasks that need the same buckets stand in one *lane*. A lane whose buckets grant is open; any other waits at
//! the first bucket that refused it. A bucket that grants again wakes one waiter, and each open lane that has had its
//! turn, or goes before it, wakes the next one of each of its buckets: so of many lanes at a narrow bucket only one is
//! looked at a time.

mod bucket;
mod key;
mod lane;
mod pace;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};
use std::hash::BuildHasherDefault;

use crate::engine::keys::AlreadyHashed;
use crate::model::Handle;
use crate::model::policy::Limit;
use bucket::{Bucket, Rule};
use lane::{Lane, Standing, Turn};
pub(super) use lane::{LaneId, Rank};

type ByKey = HashMap<u128, u32, BuildHasherDefault<AlreadyHashed>>;

/// All limits of a run.
#[derive(Debug)]
pub(super) struct Limits {
    rules: Vec<Rule>,
    buckets: Vec<Bucket>,
    free_buckets: Vec<u32>,
    bucket_of: ByKey,
    lanes: Vec<Lane>,
    free_lanes: Vec<LaneId>,
    lane_of: ByKey,
    open: BinaryHeap<Turn>,
    due: BinaryHeap<Reverse<(u64, u32)>>,
    /// Tasks in all lanes that have not left, by priority.
    waiting: BTreeMap<Reverse<i32>, usize>,
}

impl Limits {
    pub(super) fn new(limits: &[Limit]) -> Self {
        Limits {
            rules: limits.iter().map(Rule::new).collect(),
            buckets: Vec::new(),
            free_buckets: Vec::new(),
            bucket_of: ByKey::default(),
            lanes: Vec::new(),
            free_lanes: Vec::new(),
            lane_of: ByKey::default(),
            open: BinaryHeap::new(),
            due: BinaryHeap::new(),
            waiting: BTreeMap::new(),
        }
    }

    /// Whether nothing is limited: then no other method is called.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// A task is accepted: the lane in which it will stand, now and for every attempt.
    pub(super) fn admit(&mut self, args: &[u8]) -> LaneId {
        let key = |index: usize, rule: &Rule| key::of(index as u64, rule.per.as_deref(), args);
        let mut all = 0_u128;
        for (index, rule) in self.rules.iter().enumerate() {
            all = all.rotate_left(29) ^ key(index, rule);
        }
        let lane = match self.lane_of.get(&all) {
            Some(lane) => *lane,
            None => {
                let keys: Vec<u128> =
                    self.rules.iter().enumerate().map(|(index, rule)| key(index, rule)).collect();
                self.new_lane(all, &keys)
            }
        };
        self.lanes[lane as usize].tasks += 1;
        lane
    }

    fn new_lane(&mut self, all: u128, keys: &[u128]) -> LaneId {
        let buckets = keys.iter().enumerate().map(|(rule, key)| self.bucket(*key, rule)).collect();
        let id = self.free_lanes.pop().unwrap_or_else(|| {
            self.lanes.push(Lane::default());
            index(self.lanes.len() - 1)
        });
        let lane = &mut self.lanes[id as usize];
        (lane.key, lane.buckets) = (all, buckets);
        self.lane_of.insert(all, id);
        id
    }

    fn bucket(&mut self, key: u128, rule: usize) -> u32 {
        let id = match self.bucket_of.get(&key) {
            Some(id) => *id,
            None => {
                let id = self.free_buckets.pop().unwrap_or_else(|| {
                    self.buckets.push(Bucket::default());
                    index(self.buckets.len() - 1)
                });
                self.buckets[id as usize] = Bucket::new(key, rule);
                self.bucket_of.insert(key, id);
                id
            }
        };
        self.buckets[id as usize].lanes += 1;
        id
    }

    /// A task has ended for good.
    pub(super) fn leave(&mut self, id: LaneId, now_ns: u64) {
        let lane = &mut self.lanes[id as usize];
        lane.tasks -= 1;
        if lane.tasks > 0 {
            return;
        }
        self.lane_of.remove(&lane.key);
        let buckets = std::mem::take(&mut lane.buckets);
        // its last task was cancelled when it was about to start: the turn passes on
        let had_turn = lane.standing == Standing::Open;
        lane.retire();
        self.free_lanes.push(id);
        for bucket in buckets {
            self.buckets[bucket as usize].lanes -= 1;
            if had_turn {
                self.look_at(bucket, now_ns);
            }
            self.forget_if_quiet(bucket, now_ns);
        }
    }

    /// What a bucket has given out counts until a fresh one would grant as much.
    fn forget_if_quiet(&mut self, id: u32, now_ns: u64) {
        let bucket = &mut self.buckets[id as usize];
        if bucket.lanes > 0 {
            return;
        }
        let quiet_ns = bucket.quiet_ns();
        if quiet_ns <= now_ns {
            self.bucket_of.remove(&bucket.key);
            *bucket = Bucket::default();
            self.free_buckets.push(id);
        } else {
            self.look_again(id, quiet_ns);
        }
    }

    /// A task may start as far as the queue is concerned.
    pub(super) fn push(&mut self, id: LaneId, rank: Rank, handle: Handle, now_ns: u64) {
        *self.waiting.entry(Reverse(rank.0)).or_default() += 1;
        let lane = &mut self.lanes[id as usize];
        lane.queue.push((rank, handle));
        match lane.standing {
            Standing::Idle => self.stand(id, now_ns),
            standing if lane.is_before(rank) => {
                let turn = lane.stand(id, standing);
                match standing {
                    Standing::Waits(bucket) => self.buckets[bucket as usize].waiters.extend(turn),
                    _ => self.open.extend(turn),
                }
            }
            _ => {}
        }
    }

    /// Takes the next task of an open lane, and what it needs; `is_ready` tells those that left out of turn.
    pub(super) fn next(&mut self, now_ns: u64, is_ready: impl Fn(Handle) -> bool) -> Option<Handle> {
        loop {
            let turn = self.open.pop()?;
            let lane = &mut self.lanes[turn.lane as usize];
            if !lane.has(&turn) {
                continue;
            }
            while lane.queue.peek().is_some_and(|(_, handle)| !is_ready(*handle)) {
                lane.queue.pop();
            }
            let granted = !lane.queue.is_empty() && self.charge(turn.lane, now_ns);
            let taken = if granted { self.lanes[turn.lane as usize].queue.pop() } else { None };
            self.stand(turn.lane, now_ns);
            self.look_at_buckets(turn.lane, now_ns);
            if let Some((rank, handle)) = taken {
                self.taken(rank.0);
                return Some(handle);
            }
        }
    }

    /// A task of this priority left, in its turn or out of it.
    pub(super) fn taken(&mut self, priority: i32) {
        if let Some(count) = self.waiting.get_mut(&Reverse(priority)) {
            *count -= 1;
            if *count == 0 {
                self.waiting.remove(&Reverse(priority));
            }
        }
    }

    /// Tasks of this priority and higher ones that wait here.
    pub(super) fn len_from(&self, priority: i32) -> usize {
        self.waiting.range(..=Reverse(priority)).map(|(_, count)| count).sum()
    }

    /// Takes what a task needs that starts out of turn; all or nothing.
    pub(super) fn take(&mut self, id: LaneId, now_ns: u64) -> bool {
        let granted = self.charge(id, now_ns);
        self.look_at_buckets(id, now_ns);
        granted
    }

    /// An attempt has ended, or did not come to start.
    pub(super) fn give_back(&mut self, id: LaneId, now_ns: u64) {
        for place in 0..self.rules.len() {
            let bucket = self.lanes[id as usize].buckets[place];
            self.buckets[bucket as usize].give_back();
            self.look_at(bucket, now_ns);
        }
    }

    /// The other side asks to be left alone.
    pub(super) fn pause(&mut self, id: LaneId, until_ns: u64) {
        for place in 0..self.rules.len() {
            let id = self.lanes[id as usize].buckets[place];
            let bucket = &mut self.buckets[id as usize];
            if self.rules[bucket.rule].retry_after {
                bucket.paused_ns = bucket.paused_ns.max(until_ns);
                self.look_again(id, until_ns);
            }
        }
    }

    /// Time has passed.
    pub(super) fn wake_due(&mut self, now_ns: u64) {
        while let Some(Reverse((due_ns, id))) = self.due.peek().copied().filter(|due| due.0.0 <= now_ns) {
            self.due.pop();
            let bucket = &mut self.buckets[id as usize];
            if bucket.scheduled_ns == due_ns {
                bucket.scheduled_ns = 0;
                self.look_at(id, now_ns);
                self.look_when_open(id, now_ns);
                self.forget_if_quiet(id, now_ns);
            }
        }
    }

    /// When a bucket is to be looked at if nothing happens before.
    pub(super) fn next_due(&self) -> Option<u64> {
        self.due.peek().map(|Reverse((due_ns, _))| *due_ns)
    }

    /// How many tasks could start now, roughly; counted up to `most`. Lanes that share a bucket are counted apart.
    pub(super) fn could_start(&self, now_ns: u64, most: usize) -> usize {
        let mut count = 0;
        for turn in &self.open {
            if count >= most {
                break;
            }
            let lane = &self.lanes[turn.lane as usize];
            if lane.has(turn) {
                let room = |id: &u32| {
                    let bucket = &self.buckets[*id as usize];
                    bucket.room(&self.rules[bucket.rule], now_ns)
                };
                count += lane.buckets.iter().map(room).fold(lane.queue.len(), usize::min);
            }
        }
        count.min(most)
    }

    #[cfg(test)]
    pub(super) fn buckets_in_memory(&self) -> usize {
        self.buckets.len() - self.free_buckets.len()
    }

    fn charge(&mut self, id: LaneId, now_ns: u64) -> bool {
        if self.refusing(id, now_ns).is_some() {
            return false;
        }
        for place in 0..self.rules.len() {
            let id = self.lanes[id as usize].buckets[place];
            let bucket = &mut self.buckets[id as usize];
            bucket.take(&self.rules[bucket.rule], now_ns);
            self.look_when_open(id, now_ns);
        }
        true
    }

    /// The first bucket that does not grant.
    fn refusing(&self, id: LaneId, now_ns: u64) -> Option<u32> {
        self.lanes[id as usize].buckets.iter().copied().find(|id| !self.grants(*id, now_ns))
    }

    fn grants(&self, id: u32, now_ns: u64) -> bool {
        let bucket = &self.buckets[id as usize];
        bucket.grants(&self.rules[bucket.rule], now_ns)
    }

    /// Puts a lane where it belongs now.
    fn stand(&mut self, id: LaneId, now_ns: u64) {
        let refusing = self.refusing(id, now_ns);
        let lane = &mut self.lanes[id as usize];
        match refusing {
            None => self.open.extend(lane.stand(id, Standing::Open)),
            Some(bucket) => {
                if let Some(turn) = lane.stand(id, Standing::Waits(bucket)) {
                    self.buckets[bucket as usize].waiters.push(turn);
                    self.look_at(bucket, now_ns);
                }
            }
        }
    }

    fn look_at_buckets(&mut self, id: LaneId, now_ns: u64) {
        for place in 0..self.rules.len() {
            let bucket = self.lanes[id as usize].buckets[place];
            self.look_at(bucket, now_ns);
        }
    }

    /// Wakes the next lane at a bucket if it grants, else sees to it that it is looked at when it does.
    fn look_at(&mut self, id: u32, now_ns: u64) {
        while !self.buckets[id as usize].waiters.is_empty() {
            if !self.grants(id, now_ns) {
                self.look_when_open(id, now_ns);
                return;
            }
            let Some(turn) = self.buckets[id as usize].waiters.pop() else { return };
            if self.lanes[turn.lane as usize].has(&turn) {
                self.stand(turn.lane, now_ns);
                if self.lanes[turn.lane as usize].standing == Standing::Open {
                    return;
                }
            }
        }
    }

    /// Also when nobody waits for it: an open lane does not know yet that another has used the bucket up.
    fn look_when_open(&mut self, id: u32, now_ns: u64) {
        let bucket = &self.buckets[id as usize];
        let opens_ns = bucket.opens_ns(&self.rules[bucket.rule]);
        if opens_ns > now_ns {
            self.look_again(id, opens_ns);
        }
    }

    fn look_again(&mut self, id: u32, at_ns: u64) {
        let bucket = &mut self.buckets[id as usize];
        if bucket.scheduled_ns == 0 || at_ns < bucket.scheduled_ns {
            bucket.scheduled_ns = at_ns;
            self.due.push(Reverse((at_ns, id)));
        }
    }
}

fn index(place: usize) -> u32 {
    u32::try_from(place).expect("no more than there are tasks in memory")
}
