//! What the engine hears.

use std::sync::Arc;

use crate::engine::{Death, WorkerId};
use crate::model::handling::Puts;
use crate::model::{Handle, Outcome, Seq, StopCause, Task};

/// One thing that happened. A process that is gone says nothing more: `WorkerGone` is the last input of it, after all
/// the outcomes that it wrote.
#[derive(Debug)]
pub enum Input {
    /// From the source; receive only while [`Engine::wants_tasks`](crate::engine::Engine::wants_tasks).
    Offered {
        /// In the order of the source.
        tasks: Vec<Task>,
        /// For each of them that has a key, in their order: whether the store knew it. May end early, with nothing but
        /// false to follow.
        known: Vec<bool>,
        /// Nothing follows.
        last: bool,
    },
    /// The forked process is there; it accepts tasks at once.
    WorkerStarted {
        /// Its seat.
        worker: WorkerId,
        /// For the report.
        pid: i32,
    },
    /// It could not start.
    WorkerStartFailed {
        /// Its seat.
        worker: WorkerId,
        /// How.
        failure: StartFailure,
    },
    /// Attempts ended, as one or more frames said.
    Outcomes {
        /// Who ran them.
        worker: WorkerId,
        /// In the order of the frames.
        outcomes: Vec<Outcome>,
    },
    /// The answer to a recall.
    Returned {
        /// Who answers.
        worker: WorkerId,
        /// Every task that it had not started.
        handles: Vec<Handle>,
    },
    /// The process of this seat is dead and read to its end.
    WorkerGone {
        /// The seat, empty now.
        worker: WorkerId,
        /// What its slots say was running; those already ended are ignored.
        running: Vec<Handle>,
        /// How it died.
        death: Death,
        /// What it wrote to its standard error at last.
        last_words: Option<String>,
    },
    /// It spoke the wire wrongly. The engine kills it.
    Violation {
        /// Who.
        worker: WorkerId,
        /// In which way: `it sent a frame of 4294967295 bytes`.
        what: String,
    },
    /// These attempts run longer than timeout and grace allow: its process is killed and they fail. Those that have
    /// ended are ignored.
    Overdue {
        /// Who runs them.
        worker: WorkerId,
        /// As its slots say.
        handles: Vec<Handle>,
    },
    /// How much memory a worker uses, looked at about once a second.
    WorkerMemory {
        /// Who.
        worker: WorkerId,
        /// Resident.
        bytes: u64,
    },
    /// A task asks that its worker be replaced: `task.die`.
    Retire {
        /// Who.
        worker: WorkerId,
        /// For the report.
        reason: String,
    },
    /// A task has saved its state: `task.save`.
    Saved {
        /// Who runs it.
        worker: WorkerId,
        /// Which one.
        task: Handle,
        /// Its code, one value of a bounded size; none when it saved nil.
        state: Option<Arc<[u8]>>,
    },
    /// A task uses its folder: `task.dir`.
    Housed {
        /// Who runs it.
        worker: WorkerId,
        /// Which one.
        task: Handle,
    },
    /// Saved states are kept.
    Kept {
        /// How many, in the order of [`Action::Save`](crate::engine::Action::Save).
        count: usize,
    },
    /// The handler has handled deliveries; they are not kept yet.
    Handled {
        /// How many, in the order of delivery.
        count: usize,
        /// What they put (also by `task.put` in their workers) and cancelled, in order.
        puts: Puts,
        /// For each of `puts.tasks` that has a key, in their order: whether the store knew it. May end early.
        known: Vec<bool>,
    },
    /// Handled deliveries are kept.
    Committed {
        /// How many, in the order of delivery.
        count: usize,
        /// Tasks put up to this place can be fetched; 0 before the first.
        seq: u64,
    },
    /// Tasks from the journal, as [`Engine::wants_stored`](crate::engine::Engine::wants_stored) asked for them.
    Stored {
        /// The priority that was asked for.
        priority: i32,
        /// The place up to which they were asked for.
        until: u64,
        /// In the order of their places. There may be fewer than asked for; none at all: there are no more up to the
        /// place asked for.
        tasks: Vec<(Seq, Task)>,
    },
    /// The handler will take nothing any more (it raised, or cannot write): what it has not committed is not done, and
    /// the run stops hard. Send the `Stop` with the cause first.
    HandlerGone,
    /// Time has passed, see [`Engine::next_deadline`](crate::engine::Engine::next_deadline).
    Tick,
    /// Stop before the end. The first drains: nothing new starts, running tasks end. The second kills.
    Stop(StopCause),
}

/// Why a worker could not start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StartFailure {
    /// There is no process (`fork` failed, …): tried again, a few times.
    NoProcess(String),
    /// A script did not load, or `process_init` or `init` raised: final, the run stops. When the process was announced
    /// before, it is killed and its `WorkerGone` awaited.
    Script(String),
}
