//! Whole jobs in virtual time: workers with threads, crashes, recalls and a handler that commits later than it handles,
//! from a seed. The coordinator may crash too; then the job goes on from what was committed. Every action of the engine is
//! checked against the laws while the job runs, what is committed too, and the whole at its end.

mod disk;
mod handler;
mod job;
mod laws;
mod process;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use crate::engine::stop::Mode;
use crate::engine::{Action, Config, Engine, Fetch, Input, Kill, StartFailure, WorkerId};
use crate::model::event::{Event, Summary};
use crate::model::outcome::Done;
use crate::model::policy::{Backoff, Retries, Times};
use crate::model::task::key_hash;
use crate::model::{Delivery, Failure, Handle, Outcome, StopCause, Task, TaskId, Tried, Verdict};
use disk::Disk;
use handler::{Handler, Word};
pub(super) use job::Job;
use job::{Random, hits};
use process::{Message, Process, Says};

const US: u64 = 1_000;
const MS: u64 = 1_000_000;
/// One way of a message.
const LATENCY: u64 = 20 * US;
/// Timeout and grace of an attempt, each.
const PATIENCE: u64 = 15 * MS;

impl Job {
    /// Runs it to its end, through several lives when it crashes. Panics, with the job, when a law is broken.
    pub(super) fn run(&self) -> Run {
        let (mut disk, mut job) = (Disk::default(), self.clone());
        for life in 0.. {
            let mut world = World::new(job.clone(), disk, life);
            let crashed = world.live();
            let good = !crashed && !world.handler_gone;
            world.last_commit(good);
            if good {
                world.states_are_kept();
            }
            if crashed {
                (disk, job.crashes.0) = (world.disk, job.crashes.0 - 1);
            } else if self.resumes && world.finished.as_ref().is_some_and(|end| end.stopped.is_some()) {
                disk = world.disk;
                (job.stops_ns, job.handler_gone_ns, job.deadline_ns) = (Vec::new(), None, None);
                (job.max_fail, job.start_fails_each) = (None, None);
            } else {
                return world.end(life + 1);
            }
        }
        unreachable!("it returns")
    }
}

/// What came of a job.
#[derive(Debug)]
pub(super) struct Run {
    pub summary: Summary,
    pub failed: BTreeMap<u64, String>,
    pub delivered: usize,
    pub ended_ns: u64,
    /// When the last but one task was delivered.
    pub last_but_one_ns: u64,
    pub starts: u64,
    pub recalls: u64,
    pub recycled: u64,
    pub largest_slab: usize,
    pub largest_unhandled: usize,
    /// Sessions that it took.
    pub lives: u32,
    pub fetches: u64,
    pub flushes: u64,
    /// Of the last life: states that were saved, and that went with an attempt.
    pub saves: u64,
    pub states_sent: u64,
    /// Tasks of the last life that ended without a start.
    pub cancelled: u64,
    /// Tasks ended, in all lives.
    pub ended: u64,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Happening {
    ToWorker(u64, Message),
    TaskEnds(u64, Handle, u64),
    Saves(u64, Handle),
    FromWorker(u64, Says),
    Started(WorkerId),
    HandlerIsFree,
    CommitIsDue,
    Committed,
    KillSomeone,
    RetireSomeone,
    Overdue(u64, Handle),
    Signal,
    HandlerEnds,
    Tick,
}

struct World {
    job: Job,
    random: Random,
    now: u64,
    serial: u64,
    heap: BinaryHeap<Reverse<(u64, u64, Happening)>>,
    engine: Engine,
    processes: Vec<Process>,
    /// The process that the engine believes in each seat.
    seated: HashMap<WorkerId, Option<u64>>,
    offered: u64,
    source_ended: bool,
    /// Accepted tasks in order.
    accepted: Vec<TaskId>,
    keys: HashSet<u128>,
    starts: HashMap<TaskId, u32>,
    /// Who holds a task, as far as the engine sent it and did not get it back.
    holder: HashMap<Handle, u64>,
    /// Of these, how many there are of each site.
    at_site: HashMap<u64, u32>,
    /// When a task was sent, and of which site.
    sends: Vec<(u64, u64)>,
    /// How often a task failed.
    failures: HashMap<TaskId, u32>,
    recycled: u64,
    suspects: BTreeSet<TaskId>,
    /// What the engine has heard of each task's state.
    states: HashMap<TaskId, u64>,
    /// Tasks of which a state is on its way to the journal.
    on_way: HashSet<TaskId>,
    saves: u64,
    states_sent: u64,
    /// Keys that were cancelled in this life.
    open_cancels: HashSet<u128>,
    /// Tasks that a worker held when their keys were cancelled.
    spared: HashSet<TaskId>,
    cancelled: u64,
    delivered: Vec<TaskId>,
    delivered_ids: HashSet<TaskId>,
    delivery_times: Vec<u64>,
    /// The last one that was delivered of each line: generated tasks, and puts of each priority.
    last_of: BTreeMap<Option<i32>, u64>,
    handler: Handler,
    flushed: Option<(u64, u64)>,
    handler_gone: bool,
    disk: Disk,
    /// From 0.
    life: u32,
    /// Tasks of earlier lives that have not ended.
    pending: Vec<TaskId>,
    /// Something was not held in memory.
    has_stored: bool,
    fetches: u64,
    crashes_at: Option<u64>,
    stopped: bool,
    kills_left: u32,
    start_count: u64,
    failed_count: u64,
    done_count: u64,
    recalls: u64,
    largest_slab: usize,
    most_delayed: usize,
    largest_unhandled: usize,
    finished: Option<Summary>,
}

fn encoded(state: u64) -> Arc<[u8]> {
    state.to_le_bytes().into()
}

impl World {
    fn new(job: Job, disk: Disk, life: u32) -> Self {
        let config = Config {
            crash_limit: job.crash_limit,
            ordered: job.ordered,
            queue: job.queue,
            max_fail: job.max_fail,
            times: Times { timeout_ns: Some(PATIENCE), grace_ns: 5_000 * MS, slow_ns: u64::MAX },
            deadline_ns: job.deadline_ns,
            retries: Retries {
                count: job.retries,
                backoff: Backoff::Exponential,
                delay_ns: 2 * MS,
                max_delay_ns: 5 * MS,
                ..Retries::default()
            },
            limits: job.limits.clone(),
            recycle: job.recycle,
            handler_backlog: job.backlog,
            before: disk.before,
            before_ns: u64::from(life),
            pending: disk.pending(),
            tried: disk.tried.clone(),
            states: disk.saved.iter().map(|(id, state)| (*id, encoded(*state))).collect(),
            ..Config::plain(job.processes, job.threads)
        };
        let mut random = Random(job.seed ^ u64::from(life));
        let crashes_at = (job.crashes.0 > 0).then(|| random.below(job.crashes.1));
        let mut world = World {
            random,
            now: 0,
            serial: 0,
            heap: BinaryHeap::new(),
            engine: Engine::new(config, 0),
            processes: Vec::new(),
            seated: HashMap::new(),
            offered: 0,
            source_ended: false,
            accepted: Vec::new(),
            keys: disk.keys.clone(),
            starts: disk.tried.iter().map(|(id, tried)| (*id, tried.starts)).collect(),
            holder: HashMap::new(),
            at_site: HashMap::new(),
            sends: Vec::new(),
            failures: disk.tried.iter().map(|(id, tried)| (*id, tried.failures)).collect(),
            recycled: 0,
            suspects: BTreeSet::new(),
            states: disk.saved.clone(),
            on_way: HashSet::new(),
            saves: 0,
            states_sent: 0,
            open_cancels: HashSet::new(),
            spared: HashSet::new(),
            cancelled: 0,
            delivered: Vec::new(),
            delivered_ids: HashSet::new(),
            delivery_times: Vec::new(),
            last_of: BTreeMap::new(),
            handler: Handler::new(disk.last_seq),
            flushed: None,
            handler_gone: false,
            pending: disk.queue.values().map(|task| task.id).collect(),
            has_stored: !disk.queue.is_empty(),
            disk,
            life,
            fetches: 0,
            crashes_at,
            stopped: false,
            kills_left: job.kills,
            start_count: 0,
            failed_count: 0,
            done_count: 0,
            recalls: 0,
            largest_slab: 0,
            most_delayed: 0,
            largest_unhandled: 0,
            finished: None,
            job,
        };
        world.job.stops_ns.clone().into_iter().for_each(|at| world.at(at, Happening::Signal));
        if let Some(each) = world.job.kill_each_ns {
            world.at(each, Happening::KillSomeone);
        }
        if let Some(each) = world.job.retire_each_ns {
            world.at(each, Happening::RetireSomeone);
        }
        if let Some(at) = world.job.handler_gone_ns {
            world.at(at, Happening::HandlerEnds);
        }
        world
    }

    fn at(&mut self, time: u64, happening: Happening) {
        self.serial += 1;
        self.heap.push(Reverse((time, self.serial, happening)));
    }

    /// Whether it crashed.
    fn live(&mut self) -> bool {
        let mut steps = 0_u64;
        while self.finished.is_none() {
            steps += 1;
            self.law(steps < 200_000 + 100 * self.job.tasks * (1 + self.job.puts), "the run never ends");
            if self.crashes_at.is_some_and(|at| steps > at) {
                return true;
            }
            if let Some(fetch) = self.engine.wants_stored() {
                self.fetch(fetch);
                continue;
            }
            if self.engine.wants_tasks() && !self.source_ended {
                self.offer();
                continue;
            }
            let deadline = self.engine.next_deadline();
            let next = self.heap.peek().map(|Reverse((time, ..))| *time);
            match (next, deadline) {
                (Some(time), Some(deadline)) if deadline < time => self.happen(deadline, Happening::Tick),
                (None, Some(deadline)) => self.happen(deadline, Happening::Tick),
                (None, None) => self.law(false, "the run is stuck"),
                (Some(_), _) => {
                    if let Some(Reverse((time, _, happening))) = self.heap.pop() {
                        self.happen(time, happening);
                    }
                }
            }
        }
        false
    }

    fn end(self, lives: u32) -> Run {
        let summary = self.finished.clone().expect("the loop ends with it");
        self.law(self.processes.iter().all(|process| !process.alive), "a process is left");
        let counts = &summary.counts;
        // what only the journal has seen may hold duplicates that nobody has noticed yet
        let is_exact = summary.stopped.is_none() || self.job.most_puts == usize::MAX || !self.job.options;
        let this_life = self.done_count + self.failed_count;
        let accepted = counts.before + (self.pending.len() + self.accepted.len()) as u64;
        self.law(!is_exact || counts.known == accepted, "known tasks are the accepted ones");
        self.law(
            counts.done + counts.failed == counts.before + this_life,
            "what is counted is what was committed",
        );
        self.law(counts.before_ns == u64::from(lives - 1), "the time of earlier lives is told");
        if summary.stopped.is_none() {
            self.law(self.source_ended, "the source was heard to its end");
            self.law((summary.not_started, counts.retrying) == (0, 0), "nothing is left");
            let all = (self.disk.before.done, self.disk.before.failed);
            self.law((counts.done, counts.failed) == all, "all that ended is counted");
            self.all_ended_once();
        } else if is_exact {
            let all = self.accepted.iter().chain(&self.pending);
            let never = |id: &&TaskId| !self.starts.contains_key(id) && !self.delivered_ids.contains(id);
            let never = all.filter(never).count() as u64;
            self.law(summary.not_started == never, "tasks that never started are counted");
        }
        for limit in &self.job.limits {
            self.rate_is_kept(limit);
        }
        Run {
            lives,
            fetches: self.fetches,
            flushes: self.handler.flushes,
            saves: self.saves,
            states_sent: self.states_sent,
            cancelled: self.cancelled,
            ended: self.disk.ended.len() as u64,
            summary,
            failed: self.disk.failed,
            delivered: self.delivered.len(),
            ended_ns: self.now,
            last_but_one_ns: self.delivery_times.iter().rev().nth(1).copied().unwrap_or(0),
            starts: self.start_count,
            recalls: self.recalls,
            recycled: self.recycled,
            largest_slab: self.largest_slab,
            largest_unhandled: self.largest_unhandled,
        }
    }

    fn fetch(&mut self, fetch: Fetch) {
        self.fetches += 1;
        let Fetch { priority, after, until, at_most } = fetch;
        self.law(until <= self.disk.last_seq, "nothing is fetched that is not committed");
        let at_most = 1 + self.random.below(at_most as u64) as usize;
        let tasks = self.disk.fetch(priority, after, until, at_most);
        self.step(Input::Stored { priority, until, tasks });
    }

    fn offer(&mut self) {
        let count = (1 + self.random.below(64)).min(self.job.tasks - self.offered);
        let positions = self.offered + 1..=self.offered + count;
        let mut tasks: Vec<Task> = positions.map(|position| self.job.task(TaskId::at(position))).collect();
        // what the source's thread drops in a later life; there is nothing of it in the first one
        tasks.retain(|task| self.life == 0 || !self.disk.knows(task));
        self.offered += count;
        self.source_ended = self.offered == self.job.tasks;
        self.accepts(&tasks);
        let known = self.disk.known(&tasks);
        self.step(Input::Offered { tasks, known, last: self.source_ended });
    }

    fn is_cancelled(&self, key: u128) -> bool {
        self.disk.cancelled.contains(&key) || self.open_cancels.contains(&key)
    }

    /// The engine is about to hear of it.
    fn cancels(&mut self, key: u128) {
        self.keys.insert(key);
        self.open_cancels.insert(key);
        let has_it = |id: &TaskId| self.job.task(*id).key().is_some_and(|other| key_hash(other) == key);
        let held = self.holder.keys().filter_map(|handle| self.engine.task(*handle)).map(|task| task.id);
        let spared: Vec<TaskId> = held.chain(self.suspects.iter().copied()).filter(has_it).collect();
        self.spared.extend(spared);
    }

    fn accepts(&mut self, tasks: &[Task]) {
        for task in tasks {
            let new = task.key().is_none_or(|key| self.keys.insert(key_hash(key)));
            if new {
                self.accepted.push(task.id);
            }
        }
    }

    fn happen(&mut self, time: u64, happening: Happening) {
        self.now = self.now.max(time);
        match happening {
            Happening::ToWorker(process, message) => self.hear(process, message),
            Happening::Saves(process, handle) => self.task_saves(process, handle),
            Happening::TaskEnds(process, handle, lasted) => self.task_ends(process, handle, lasted),
            Happening::FromWorker(process, says) => self.say(process, says),
            Happening::Started(seat) => self.started(seat),
            Happening::HandlerIsFree => self.handled(),
            Happening::CommitIsDue => self.commit_is_due(),
            Happening::Committed => self.committed(),
            Happening::KillSomeone => self.kill_someone(),
            Happening::RetireSomeone => self.retire_someone(),
            Happening::Overdue(process, handle) => self.overdue(process, handle),
            Happening::Signal => {
                self.stopped = true;
                self.step(Input::Stop(StopCause::Signal(2)));
            }
            Happening::HandlerEnds => {
                self.handler_gone = true;
                self.stopped = true;
                self.handler.inbox.clear();
                self.step(Input::HandlerGone);
            }
            Happening::Tick => self.step(Input::Tick),
        }
    }

    /// What the loop sees in the slots.
    fn overdue(&mut self, number: u64, handle: Handle) {
        let process = &self.processes[number as usize];
        if process.alive && process.running.contains_key(&handle) {
            self.step(Input::Overdue { worker: process.seat, handles: vec![handle] });
        }
    }

    fn retire_someone(&mut self) {
        let worker = 1 + self.random.below(2 * self.job.processes as u64) as WorkerId;
        self.step(Input::Retire { worker, reason: "asked".into() });
        let each = self.job.retire_each_ns.unwrap_or(MS);
        if self.recycled < 40 {
            self.at(self.now + each, Happening::RetireSomeone);
        }
    }

    fn kill_someone(&mut self) {
        let busy = |process: &&Process| process.alive && !process.running.is_empty();
        let numbers: Vec<usize> =
            self.processes.iter().enumerate().filter(|(_, p)| busy(p)).map(|(n, _)| n).collect();
        if self.kills_left == 0 {
            return;
        }
        if !numbers.is_empty() {
            self.kills_left -= 1;
            let victim = numbers[self.random.below(numbers.len() as u64) as usize];
            // One that runs a suspect is spared: it would be charged, and that is right.
            if self.processes[victim].running.values().all(|id| !self.suspects.contains(id)) {
                self.die(victim as u64, "was killed by signal 9 (SIGKILL)".into());
            }
        }
        let each = self.job.kill_each_ns.unwrap_or(MS);
        self.at(self.now + each, Happening::KillSomeone);
    }

    // --- from the worker to the engine ---

    fn say(&mut self, number: u64, says: Says) {
        let worker = self.processes[number as usize].seat;
        match says {
            Says::Ended(handle, elapsed_ns) => {
                self.let_go(handle);
                let id = self.engine.task(handle).map(|task| task.id);
                let raises = id.is_some_and(|id| self.raises(id));
                if let Some(id) = id {
                    self.suspects.remove(&id);
                }
                let verdict = if raises {
                    let after_ns = handle.bits().is_multiple_of(3).then_some(3 * MS);
                    let failure = Failure { after_ns, ..Failure::new("lua_error", "raised") };
                    Verdict::Failed(Box::new(failure))
                } else {
                    Verdict::Done(Done::default())
                };
                self.step(Input::Outcomes {
                    worker,
                    outcomes: vec![Outcome { handle, elapsed_ns, verdict }],
                });
            }
            Says::Saved(task, number) => {
                let id = self.engine.task(task).map(|task| task.id).expect("a task that is held is known");
                self.states.insert(id, number);
                self.step(Input::Saved { worker, task, state: Some(encoded(number)) });
            }
            Says::Returned(handles) => {
                handles.iter().for_each(|handle| self.let_go(*handle));
                self.processes[number as usize].taken -= handles.len() as u64;
                self.step(Input::Returned { worker, handles });
            }
            Says::Gone(running, death) => {
                let held = self.holder.iter().filter(|(_, holder)| **holder == number);
                let held: Vec<Handle> = held.map(|(handle, _)| *handle).collect();
                held.into_iter().for_each(|handle| self.let_go(handle));
                self.seated.insert(worker, None);
                let process = &self.processes[number as usize];
                let running = running.into_iter().chain(process.last_ended).collect();
                for id in process.running.values() {
                    // an attempt that did not end in time has ended by that
                    let _ =
                        if process.timed_out { self.suspects.remove(id) } else { self.suspects.insert(*id) };
                }
                self.step(Input::WorkerGone { worker, running, death: death.into(), last_words: None });
            }
        }
    }

    fn raises(&mut self, id: TaskId) -> bool {
        let failures = self.failures.entry(id).or_default();
        let flaky = |n| hits(self.job.flaky_each, n) && *failures < self.job.retries;
        let raises = id.position().is_some_and(|n| hits(self.job.raise_each, n) || flaky(n));
        *failures += u32::from(raises);
        raises
    }

    /// The engine has it back.
    fn let_go(&mut self, handle: Handle) {
        if self.holder.remove(&handle).is_some()
            && let Some(id) = self.engine.task(handle).map(|task| task.id)
        {
            *self.at_site.entry(self.job.site(id)).or_default() -= 1;
        }
    }

    fn started(&mut self, seat: WorkerId) {
        self.start_count += 1;
        if hits(self.job.start_fails_each, self.start_count) {
            self.seated.insert(seat, None);
            let failure = StartFailure::NoProcess("no memory".into());
            return self.step(Input::WorkerStartFailed { worker: seat, failure });
        }
        let number = self.processes.len() as u64;
        self.processes.push(Process {
            seat,
            alive: true,
            queue: VecDeque::new(),
            running: BTreeMap::new(),
            last_ended: None,
            timed_out: false,
            taken: 0,
        });
        self.seated.insert(seat, Some(number));
        self.step(Input::WorkerStarted { worker: seat, pid: 1 });
    }

    // --- the engine's actions ---

    fn step(&mut self, input: Input) {
        let mut actions = Vec::new();
        self.engine.step(self.now, input, &mut actions);
        for action in actions {
            self.law(self.finished.is_none(), "nothing follows the end");
            self.carry_out(action);
        }
        self.largest_slab = self.largest_slab.max(self.engine.tasks.capacity());
        self.has_stored |= !self.engine.stored.is_empty();
        let loaded = self.engine.tasks.len() - self.engine.delayed.len() - self.engine.order.parked();
        // delayed tasks are in memory before they are due, and line up all the same then
        self.most_delayed = self.most_delayed.max(self.engine.delayed.len());
        let most = 14 * self.job.queue + 64 + self.most_delayed;
        self.law(loaded <= most, "memory is bounded by the window");
        self.handle_some();
    }

    fn carry_out(&mut self, action: Action) {
        match action {
            Action::StartWorker { worker } => {
                let most = if self.job.replaces() { 2 * self.job.processes } else { self.job.processes };
                self.law((1..=most).contains(&(worker as usize)), "seats are numbered from 1");
                self.law(
                    !self.seated.contains_key(&worker) || self.seated[&worker].is_none(),
                    "the seat is empty",
                );
                self.law(!self.stopped, "nothing starts after a stop");
                self.at(self.now + 500 * US, Happening::Started(worker));
            }
            Action::Send { worker, tasks } => self.send(worker, tasks),
            Action::Recall { worker } => {
                self.recalls += 1;
                self.post(worker, Message::Recall);
            }
            Action::StopWorker { worker } => {
                let process = self.seated[&worker].expect("a process to stop");
                self.law(self.holder.values().all(|holder| *holder != process), "it holds nothing");
                self.post(worker, Message::Stop);
            }
            Action::KillWorker { worker, why } => {
                self.law(
                    matches!(why, Kill::Stop | Kill::Timeout),
                    "no worker of this world breaks the protocol",
                );
                if let Some(process) = self.seated[&worker] {
                    self.processes[process as usize].timed_out = why == Kill::Timeout;
                }
                self.post(worker, Message::Die("was killed".into()));
            }
            Action::Deliver(deliveries) => self.deliver(deliveries),
            Action::Remember(tried) => {
                self.law(!self.handler_gone, "nothing is said to nobody");
                let running = |(id, _): &(TaskId, Tried)| self.delivered_ids.contains(id);
                self.law(!tried.iter().any(running), "only tasks that have not ended are remembered");
                self.handler.inbox.push_back(Word::Remember(tried));
            }
            Action::Save(states) => {
                self.law(!self.handler_gone, "nothing is said to nobody");
                for (id, state) in &states {
                    self.law(!self.delivered_ids.contains(id), "only tasks that have not ended save");
                    let newest = self.states.get(id).map(|number| encoded(*number));
                    self.law(state.is_some() && *state == newest, "the newest state is kept");
                    let alone = self.on_way.insert(*id) || self.engine.mode == Mode::Finished;
                    self.law(alone, "one state of a task is on its way");
                }
                self.handler.inbox.push_back(Word::Save(states));
            }
            Action::Flush => self.flush(),
            Action::Report(Event::Stopping { .. }) => self.stopped = true,
            Action::Report(Event::WorkerRecycled { .. }) => self.recycled += 1,
            Action::Report(_) => {}
            Action::TellRetry(retry) => {
                self.law(self.engine.task(retry.task).is_some(), "what is tried again is known");
                self.law(retry.attempt < retry.attempts, "there is an attempt left");
            }
            Action::Finished(summary) => self.finished = Some(*summary),
        }
    }

    fn send(&mut self, worker: WorkerId, handles: Vec<Handle>) {
        self.law(!self.stopped, "nothing is sent after a stop");
        self.law(!handles.is_empty(), "no empty send");
        let process = self.seated[&worker].expect("a process to send to");
        let mut tasks = Vec::new();
        for handle in handles {
            let task = self.engine.task(handle).expect("a task that is sent is known");
            let (id, site) = (task.id, self.job.site(task.id));
            let state = self.states.get(&id).map(|number| number.to_le_bytes());
            let gets = task.state == state.as_ref().map(|state| &state[..]);
            let hash = self.job.task(id).key().map(key_hash);
            let is_cancelled = hash.is_some_and(|hash| self.is_cancelled(hash));
            let attempt = task.attempt;
            self.states_sent += u64::from(state.is_some());
            self.law(gets, "an attempt gets what was saved last");
            self.law(!is_cancelled || self.spared.contains(&id), "a cancelled task does not start");
            tasks.push((handle, id, attempt));
            let before = self.holder.insert(handle, process);
            self.law(before.is_none(), "a task is in one worker at a time");
            *self.at_site.entry(site).or_default() += 1;
            if !self.job.limits.is_empty() {
                self.sends.push((self.now, site));
                self.limits_are_kept(site);
            }
        }
        let held = self.holder.values().filter(|holder| **holder == process).count();
        let most = if self.job.limits.is_empty() { 2048.max(self.job.threads) } else { self.job.threads };
        self.law(held <= most, "a window is kept");
        // by the time that a task is tried again, the slot of its last attempt has been cleared
        let last_ended = &mut self.processes[process as usize].last_ended;
        last_ended.take_if(|ended| tasks.iter().any(|(handle, ..)| handle == ended));
        let sent = &mut self.processes[process as usize].taken;
        *sent += tasks.len() as u64;
        let within = self.job.recycle.tasks.is_none_or(|tasks| *sent <= tasks);
        self.law(within, "a worker gets no more than its tasks");
        let solo = tasks.iter().any(|(_, id, _)| self.suspects.contains(id));
        self.law(!solo || held == 1, "a suspect is sent alone");
        self.post(worker, Message::Tasks(tasks));
    }

    fn post(&mut self, worker: WorkerId, message: Message) {
        let process = self.seated[&worker].expect("a process to write to");
        self.at(self.now + LATENCY, Happening::ToWorker(process, message));
    }

    fn deliver(&mut self, deliveries: Vec<Delivery>) {
        self.law(!self.handler_gone, "nothing is delivered to nobody");
        for delivery in deliveries {
            let starts = self.starts.get(&delivery.id).copied().unwrap_or(0);
            self.law(starts == delivery.attempt, "a delivery says which start it was");
            let skipped = matches!(delivery.verdict, Verdict::Skipped(_));
            let hash = delivery.key.as_deref().map(key_hash);
            self.law(starts > 0 || skipped, "what did not start was skipped");
            let asked = hash.is_some_and(|hash| self.is_cancelled(hash));
            self.law(!skipped || asked, "only what has a key is cancelled");
            self.cancelled += u64::from(skipped);
            self.law(
                delivery.left.state || !self.disk.saved.contains_key(&delivery.id),
                "a state goes with its task",
            );
            self.states.remove(&delivery.id);
            self.law(delivery.args == self.job.args(delivery.id), "a delivery has its arguments");
            if let Verdict::Failed(failure) = &delivery.verdict
                && failure.code == "lua_error"
            {
                self.law(self.failures[&delivery.id] == self.job.retries + 1, "every attempt was used");
            }
            self.suspects.remove(&delivery.id);
            if self.job.ordered && !self.has_stored {
                let next = self.accepted.get(self.delivered.len());
                self.law(next == Some(&delivery.id), "deliveries are in order");
            }
            self.lines_are_in_order(&delivery);
            let once = self.delivered_ids.insert(delivery.id);
            self.law(once, "each task is delivered at most once");
            self.delivered.push(delivery.id);
            self.delivery_times.push(self.now);
            self.handler.seen.0 += 1;
            self.handler.unhandled += 1;
            self.handler.inbox.push_back(Word::Delivery(Box::new(delivery)));
        }
        self.largest_unhandled = self.largest_unhandled.max(self.handler.unhandled);
    }
}
