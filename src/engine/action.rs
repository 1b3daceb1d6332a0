//! What the engine asks for.

use crate::engine::WorkerId;
use crate::model::event::{Event, Summary};
use crate::model::handling::Saved;
use crate::model::{Delivery, Failure, Handle, TaskId, Tried};

/// One thing to do. Actions of a step are carried out in their order, before the next step.
#[derive(Debug)]
pub enum Action {
    /// Start a process for this seat. Answer: `WorkerStarted` or `WorkerStartFailed`.
    StartWorker {
        /// The seat; it is empty.
        worker: WorkerId,
    },
    /// Send these tasks, in this order; [`Engine::task`](crate::engine::Engine::task) has what the frame needs.
    Send {
        /// Whom to.
        worker: WorkerId,
        /// Never empty.
        tasks: Vec<Handle>,
    },
    /// Ask for every task that it has not started. Answer: `Returned`, also when there was none.
    Recall {
        /// Whom.
        worker: WorkerId,
    },
    /// No task will follow: run the exit roles and end. It holds no task. Answer: `WorkerGone`.
    StopWorker {
        /// Whom.
        worker: WorkerId,
    },
    /// SIGKILL. Answer: `WorkerGone`.
    KillWorker {
        /// Whom.
        worker: WorkerId,
        /// For the report.
        why: Kill,
    },
    /// Hand these to the handler, in this order. Answer: `Handled`, and later `Committed`, in any portions.
    Deliver(Vec<Delivery>),
    /// Keep what happened to these tasks with the next commit. They have not ended; one that ends afterwards is delivered
    /// later.
    Remember(Vec<(TaskId, Tried)>),
    /// Keep what these tasks saved with the next commit; none: nothing. They have not ended. Answer: `Kept`.
    Save(Vec<Saved>),
    /// Commit what was delivered so far without waiting for more: nothing can come before.
    Flush,
    /// Tell the listeners.
    Report(Event),
    /// Tell the listeners that an attempt failed and its task is tried again. The names for its label are in
    /// [`Engine::task`](crate::engine::Engine::task).
    TellRetry(Box<Retry>),
    /// The end: every seat is empty, everything delivered is committed. Nothing follows. What the engine cannot know
    /// (CPU, memory, output, `finish`) is left empty in the summary.
    Finished(Box<Summary>),
}

/// An attempt that failed, of a task that is tried again.
#[derive(Debug)]
pub struct Retry {
    /// Which task.
    pub task: Handle,
    /// Who ran the attempt.
    pub worker: WorkerId,
    /// Which attempt it was, from 1.
    pub attempt: u32,
    /// Wall time of it.
    pub elapsed_ns: u64,
    /// Why it failed.
    pub failure: Failure,
    /// Attempts in all, at most.
    pub attempts: u32,
    /// Until the next one may start.
    pub next_ns: u64,
}

/// Why a worker is killed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kill {
    /// It broke the protocol: in which way.
    Violation(String),
    /// Its role `init` or its script raised; the run stops.
    Start,
    /// An attempt did not end within its timeout and grace.
    Timeout,
    /// It did not end in time after it was asked to.
    Overdue,
    /// The run is stopped hard.
    Stop,
}
