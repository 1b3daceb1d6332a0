//! The jobs that are simulated: what is random in them comes of their seed.

use std::collections::BTreeSet;

use super::{MS, US};
use crate::model::policy::{Limit, Recycle};
use crate::model::task::TaskOptions;
use crate::model::{Payload, Task, TaskId, Value};
use crate::plan::MaxFail;
use crate::wire::value::encode_list;

/// A job to simulate.
#[derive(Clone, Debug)]
pub(in crate::engine) struct Job {
    pub seed: u64,
    pub tasks: u64,
    pub processes: usize,
    pub threads: usize,
    pub ordered: bool,
    pub queue: usize,
    pub backlog: usize,
    pub crash_limit: u32,
    pub max_fail: Option<MaxFail>,
    /// A task takes this long, with a random part of the same size.
    pub task_ns: u64,
    /// Each n-th task takes this long instead.
    pub slow_each: Option<(u64, u64)>,
    /// Positions of tasks that kill their worker.
    pub poison: BTreeSet<u64>,
    /// Each n-th task raises.
    pub raise_each: Option<u64>,
    /// A random busy worker is killed so often.
    pub kill_each_ns: Option<u64>,
    /// No such kill after this, so that every job can end.
    pub kills: u32,
    /// The handler takes this long for a delivery.
    pub handler_ns: u64,
    /// Each n-th delivery of a generated task puts tasks, and now and then one of these puts two more.
    pub put_each: Option<u64>,
    /// How many a generated task puts.
    pub puts: u64,
    /// Of the puts of some deliveries, only so many are held in memory by the handler.
    pub most_puts: usize,
    /// The handler commits so often; never by itself: only when the engine asks for it.
    pub commit_each_ns: Option<u64>,
    /// A commit takes this long.
    pub commit_ns: u64,
    /// The coordinator crashes so often, after a random number of steps below this.
    pub crashes: (u32, u64),
    /// A run that was stopped goes on too, and no stop is asked for again.
    pub resumes: bool,
    /// Random priorities, delays and keys.
    pub options: bool,
    /// Each n-th start fails.
    pub start_fails_each: Option<u64>,
    /// Signals.
    pub stops_ns: Vec<u64>,
    /// The handler ends then.
    pub handler_gone_ns: Option<u64>,
    /// Further attempts of a task that fails.
    pub retries: u32,
    /// Each n-th task fails as often as it may, and then succeeds.
    pub flaky_each: Option<u64>,
    /// Each n-th task never ends.
    pub hang_each: Option<u64>,
    /// By the field `site` of a task.
    pub limits: Vec<Limit>,
    /// Tasks are of so many sites.
    pub sites: u64,
    pub recycle: Recycle,
    /// A random worker asks so often to be replaced.
    pub retire_each_ns: Option<u64>,
    pub deadline_ns: Option<u64>,
    /// Of each n-th task every attempt saves, several times.
    pub save_each: Option<u64>,
    /// Each n-th delivery of a generated task cancels a key.
    pub cancel_each: Option<u64>,
}

impl Job {
    pub(in crate::engine) fn new(seed: u64) -> Self {
        Job {
            seed,
            tasks: 500,
            processes: 2,
            threads: 4,
            ordered: false,
            queue: 1_000,
            backlog: 4_000,
            crash_limit: 3,
            max_fail: None,
            task_ns: 100 * US,
            slow_each: None,
            poison: BTreeSet::new(),
            raise_each: None,
            kill_each_ns: None,
            kills: 40,
            handler_ns: 500,
            put_each: None,
            puts: 2,
            most_puts: usize::MAX,
            commit_each_ns: Some(0),
            commit_ns: 0,
            crashes: (0, 0),
            resumes: false,
            options: false,
            start_fails_each: None,
            stops_ns: Vec::new(),
            handler_gone_ns: None,
            retries: 0,
            flaky_each: None,
            hang_each: None,
            limits: Vec::new(),
            sites: 1,
            recycle: Recycle::default(),
            retire_each_ns: None,
            deadline_ns: None,
            save_each: None,
            cancel_each: None,
        }
    }

    pub(super) fn replaces(&self) -> bool {
        self.recycle != Recycle::default() || self.retire_each_ns.is_some()
    }

    pub(in crate::engine) fn hangs(&self, position: u64) -> bool {
        hits(self.hang_each, position) && !self.poison.contains(&position)
    }

    pub(super) fn site(&self, id: TaskId) -> u64 {
        id.bits() as u64 % self.sites
    }

    pub(super) fn args(&self, id: TaskId) -> Payload {
        let values = [Value::Int(self.site(id) as i64), Value::Int(id.bits() as i64)];
        Payload::copy_from(&encode_list(values.iter()))
    }

    /// The same in every life.
    pub(super) fn task(&self, id: TaskId) -> Task {
        let mut random = Random(self.seed ^ id.bits() as u64 ^ (id.bits() >> 64) as u64);
        let mut task = Task::plain(id, self.args(id));
        if self.options && random.below(3) == 0 {
            let key = random.below(2) == 0;
            task.options = Some(Box::new(TaskOptions {
                key: key.then(|| random.below(300).to_le_bytes().into()),
                priority: i32::try_from(random.below(3)).expect("small") - 1,
                delay_ns: random.below(2) * random.below(20 * MS),
                cancelled: false,
            }));
        }
        task
    }
}

/// Splitmix64.
pub(super) struct Random(pub u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    pub(super) fn below(&mut self, n: u64) -> u64 {
        self.next() % n.max(1)
    }
}

pub(super) fn hits(each: Option<u64>, n: u64) -> bool {
    each.is_some_and(|each| n.is_multiple_of(each))
}
