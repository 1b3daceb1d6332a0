//! The engine's state and its one entry.

use crate::engine::backlog::{Backlog, Ends};
use crate::engine::belongings::Belongings;
use crate::engine::blame::Kills;
use crate::engine::breaker::Breaker;
use crate::engine::cancel::Cancels;
use crate::engine::delay::Delayed;
use crate::engine::entry::Entry;
use crate::engine::keys::Keys;
use crate::engine::limits::Limits;
use crate::engine::order::Order;
use crate::engine::ready::Ready;
use crate::engine::seats::Seats;
use crate::engine::slab::Slab;
use crate::engine::stop::Mode;
use crate::engine::stored::Stored;
use crate::engine::times::Times;
use crate::engine::{Action, Config, Input, WorkerId};
use crate::model::event::Counts;
use crate::model::{Delivery, Handle, Payload, StopCause, TaskId, Tried};

/// The state of one run.
#[derive(Debug)]
pub struct Engine {
    pub(super) config: Config,
    pub(super) started_ns: u64,
    pub(super) now_ns: u64,
    pub(super) source_ended: bool,
    pub(super) tasks: Slab<Entry>,
    /// Their arguments.
    pub(super) bytes: usize,
    pub(super) keys: Keys,
    pub(super) cancels: Cancels,
    pub(super) belongings: Belongings,
    /// Puts that are not in memory.
    pub(super) stored: Stored,
    pub(super) ready: Ready,
    pub(super) delayed: Delayed,
    /// Of these, tasks that have failed before.
    pub(super) retrying: u64,
    /// Takes the place of `ready` when there are any.
    pub(super) limits: Limits,
    pub(super) seats: Seats,
    /// Suspects that wait for their turn alone, in all seats.
    pub(super) suspects: usize,
    /// Seats whose place in the pool another one has.
    pub(super) spares: usize,
    pub(super) order: Order,
    /// Deliveries of this step.
    pub(super) out: Vec<Delivery>,
    pub(super) backlog: Backlog,
    /// What is to be kept of tasks that did not end in this step.
    pub(super) remember: Vec<(TaskId, Tried)>,
    /// Where deliveries and puts stood when a commit was asked for.
    pub(super) flushed: (u64, u64),
    pub(super) handler_gone: bool,
    pub(super) breaker: Breaker,
    pub(super) kills: Kills,
    pub(super) mode: Mode,
    pub(super) stopped: Option<StopCause>,
    pub(super) tally: Tally,
    pub(super) times: Times,
    /// Actions of this step.
    pub(super) actions: Vec<Action>,
}

/// What only grows.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Accepted, those of earlier sessions included.
    pub known: u64,
    /// Came into memory; the next task's place in the order.
    pub loaded: u64,
    pub duplicates: u64,
    /// By their end, those of earlier sessions included.
    pub committed: Ends,
    /// Ended in this session, committed or not.
    pub ended: u64,
    pub ended_failed: u64,
    pub again: u64,
    pub crashes: u64,
}

/// What a frame says of a task.
#[derive(Clone, Copy, Debug)]
pub struct TaskView<'a> {
    /// Its identity.
    pub id: TaskId,
    /// The encoded argument list.
    pub args: &'a Payload,
    /// Its key, when it has one.
    pub key: Option<&'a [u8]>,
    /// Which start it is, from 1.
    pub attempt: u32,
    /// The code of what it saved.
    pub state: Option<&'a [u8]>,
}

impl Engine {
    /// A run that begins now. No action follows from this; the first comes from the first input.
    pub fn new(config: Config, now_ns: u64) -> Self {
        let (processes, threads) = (config.processes.max(1), config.threads.max(1));
        let (crash_limit, queue) = (config.crash_limit.max(1), config.queue.max(1));
        let config = Config { processes, threads, crash_limit, queue, ..config };
        let stored = Stored::new(&config.pending);
        let belongings = Belongings::new(&config.states, &config.dirs);
        let known = config.before.done + config.before.failed + stored.len();
        let tally = Tally { known, committed: config.before, ..Tally::default() };
        Engine {
            started_ns: now_ns,
            now_ns,
            source_ended: false,
            tasks: Slab::new(),
            bytes: 0,
            keys: Keys::default(),
            cancels: Cancels::default(),
            belongings,
            stored,
            ready: Ready::default(),
            delayed: Delayed::default(),
            retrying: 0,
            limits: Limits::new(&config.limits),
            seats: Seats::new(&config),
            suspects: 0,
            spares: 0,
            order: Order::default(),
            out: Vec::new(),
            backlog: Backlog::new(config.handler_backlog),
            remember: Vec::new(),
            flushed: (0, 0),
            handler_gone: false,
            breaker: Breaker::default(),
            kills: Kills::default(),
            mode: Mode::Open,
            stopped: None,
            tally,
            times: Times::new(),
            actions: Vec::new(),
            config,
        }
    }

    /// Takes one input at `now_ns` (of any monotonic clock) and appends what is to be done.
    pub fn step(&mut self, now_ns: u64, input: Input, actions: &mut Vec<Action>) {
        if self.mode == Mode::Finished {
            return;
        }
        self.now_ns = self.now_ns.max(now_ns);
        std::mem::swap(&mut self.actions, actions);
        match input {
            Input::Offered { tasks, known, last } => self.offered(tasks, &known, last),
            Input::WorkerStarted { worker, pid } => self.worker_started(worker, pid),
            Input::WorkerStartFailed { worker, failure } => self.start_failed(worker, failure),
            Input::Outcomes { worker, outcomes } => self.outcomes(worker, outcomes),
            Input::Returned { worker, handles } => self.returned(worker, &handles),
            Input::WorkerGone { worker, running, death, last_words } => {
                self.worker_gone(worker, &running, &death, last_words);
            }
            Input::Violation { worker, what } => self.violated(worker, what),
            Input::Overdue { worker, handles } => self.overdue(worker, handles),
            Input::WorkerMemory { worker, bytes } => self.weighed(worker, bytes),
            Input::Retire { worker, reason } => self.retire(worker, reason),
            Input::Saved { worker, task, state } => self.saved(worker, task, state),
            Input::Housed { worker, task } => self.housed(worker, task),
            Input::Kept { count } => self.kept(count),
            Input::Handled { count, puts, known } => self.handled(count, puts, &known),
            Input::Committed { count, seq } => self.committed(count, seq),
            Input::Stored { priority, until, tasks } => self.stored(priority, until, tasks),
            Input::HandlerGone => self.lose_handler(),
            Input::Tick => {}
            Input::Stop(cause) => self.stop(cause),
        }
        self.end_delays();
        self.check_failures();
        self.check_deadlines();
        self.wake_limits();
        self.deliver();
        self.dispatch();
        self.settle();
        std::mem::swap(&mut self.actions, actions);
    }

    /// A task in flight; `None` once its attempt has ended.
    pub fn task(&self, handle: Handle) -> Option<TaskView<'_>> {
        let entry = self.tasks.get(handle)?;
        Some(TaskView {
            id: entry.task.id,
            args: &entry.task.args,
            key: entry.task.key(),
            attempt: entry.starts + 1,
            state: self.belongings.state(entry.task.id),
        })
    }

    /// Whether the process of a seat has tasks that it has not answered.
    pub fn holds_tasks(&self, worker: WorkerId) -> bool {
        self.seats.iter().any(|seat| seat.number == worker && !seat.held.is_empty())
    }

    /// When to send a `Tick` if nothing happens before; none: never.
    pub fn next_deadline(&self) -> Option<u64> {
        let stop = match self.mode {
            Mode::Open => [self.delayed.next_due(), self.limits.next_due(), self.run_deadline()]
                .into_iter()
                .flatten()
                .min(),
            Mode::Draining { until_ns } => until_ns,
            _ => None,
        };
        let seats = self.seats.iter().filter_map(|seat| seat.deadline(&self.config, self.now_ns));
        stop.into_iter().chain(seats).min()
    }

    /// The counters, as of the last step.
    pub fn counts(&self) -> Counts {
        Counts {
            known: self.tally.known,
            more: !self.source_ended && self.mode == Mode::Open,
            done: self.tally.committed.done,
            failed: self.tally.committed.failed,
            skipped: self.tally.committed.skipped,
            retrying: self.retrying,
            running: self.seats.held() as u64,
            duplicates: self.tally.duplicates,
            elapsed_ns: self.now_ns - self.started_ns,
            before: self.config.before.done + self.config.before.failed,
            before_ns: self.config.before_ns,
        }
    }
}
