//! One bucket of a limit: what it has given out, and who waits for it.

use std::collections::BinaryHeap;

use crate::engine::limits::lane::Turn;
use crate::engine::limits::pace::Pace;
use crate::model::policy::Limit;

/// What holds for every bucket of a limit.
#[derive(Debug)]
pub(super) struct Rule {
    pub pace: Option<Pace>,
    pub concurrency: usize,
    pub per: Option<String>,
    pub retry_after: bool,
}

impl Rule {
    pub(super) fn new(limit: &Limit) -> Self {
        Rule {
            pace: limit.rate.map(|rate| Pace::new(rate, limit.burst)),
            concurrency: limit.concurrency.map_or(usize::MAX, |most| most.max(1) as usize),
            per: limit.per.clone(),
            retry_after: limit.retry_after,
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Bucket {
    pub key: u128,
    /// The index of its limit.
    pub rule: usize,
    /// See [`Pace`].
    mark: u64,
    /// Nothing starts before.
    pub paused_ns: u64,
    running: usize,
    /// Lanes that need it.
    pub lanes: usize,
    /// Lanes that wait for it.
    pub waiters: BinaryHeap<Turn>,
    /// When it is looked at again; 0: not of itself.
    pub scheduled_ns: u64,
}

impl Bucket {
    pub(super) fn new(key: u128, rule: usize) -> Self {
        Bucket { key, rule, ..Bucket::default() }
    }

    /// The first moment at which time alone does not refuse.
    pub(super) fn opens_ns(&self, rule: &Rule) -> u64 {
        rule.pace.map_or(0, |pace| pace.opens_ns(self.mark)).max(self.paused_ns)
    }

    pub(super) fn grants(&self, rule: &Rule, now_ns: u64) -> bool {
        self.running < rule.concurrency && self.opens_ns(rule) <= now_ns
    }

    /// How many may start at once.
    pub(super) fn room(&self, rule: &Rule, now_ns: u64) -> usize {
        let free = rule.concurrency.saturating_sub(self.running);
        let by_pace = rule.pace.map_or(usize::MAX, |pace| pace.room(self.mark, now_ns));
        if self.paused_ns > now_ns { 0 } else { free.min(by_pace) }
    }

    pub(super) fn take(&mut self, rule: &Rule, now_ns: u64) {
        self.running += 1;
        if let Some(pace) = rule.pace {
            self.mark = pace.start(self.mark, now_ns);
        }
    }

    /// The attempt has ended, or did not come to start. A start at a rate is not given back: it may have been one.
    pub(super) fn give_back(&mut self) {
        self.running = self.running.saturating_sub(1);
    }

    /// When a fresh bucket would do as well.
    pub(super) fn quiet_ns(&self) -> u64 {
        self.mark.max(self.paused_ns)
    }
}
