//! Everything a run can tell, as plain data below the engine and the reports.

use crate::model::metrics::Metric;
use crate::model::{Failure, StopCause};

/// One thing that happened. Reports are listeners; a run does not know them.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// Workers are about to start.
    RunStarted {
        /// The job's name.
        job: String,
        /// Worker processes, at most.
        processes: usize,
        /// Threads in each.
        threads: usize,
        /// Attempts that each thread drives at once.
        coroutines: usize,
        /// The run's seed.
        seed: i64,
        /// The id under which it can be resumed; none without a journal.
        run: Option<String>,
        /// What earlier sessions of the run have done; none for a new run.
        resumed: Option<Resumed>,
    },
    /// Sent several times a second while the run goes on.
    Progress(Counts),
    /// An attempt began. Only when a listener asked for single tasks.
    TaskStarted(TaskLabel),
    /// A task ended well. Only when a listener asked for single tasks, or the task told its progress.
    TaskFinished {
        /// Which one.
        task: TaskLabel,
        /// Wall time of its last attempt.
        elapsed_ns: u64,
    },
    /// A task failed for good.
    TaskFailed {
        /// Which one.
        task: TaskLabel,
        /// Wall time of its last attempt.
        elapsed_ns: u64,
        /// Why.
        failure: Failure,
    },
    /// An attempt failed, and the task is tried again.
    TaskRetry {
        /// Which one; its attempt is the one that failed.
        task: TaskLabel,
        /// Wall time of that attempt.
        elapsed_ns: u64,
        /// Why.
        failure: Failure,
        /// Attempts in all, at most.
        attempts: u32,
        /// Until the next attempt.
        next_ns: u64,
    },
    /// A running attempt takes longer than `slow_timeout`; told once an attempt.
    TaskSlow {
        /// Which one.
        task: TaskLabel,
        /// How long it has been running.
        elapsed_ns: u64,
        /// It computes, and the other coroutines of its thread wait for it.
        holds_thread: bool,
    },
    /// A worker process is replaced though it is well.
    WorkerRecycled {
        /// Its number.
        worker: u32,
        /// Why, in words: `after 1,000 tasks`.
        why: String,
    },
    /// `handler` or `failed` raised, and the run goes on (`on_error = "log"`).
    HandlerRaised {
        /// Which of the two.
        role: &'static str,
        /// The task at hand.
        task: TaskLabel,
        /// What it raised.
        failure: Failure,
    },
    /// A task says how far it is: `task.progress(done, total, message)`.
    TaskProgress {
        /// Which one.
        task: TaskLabel,
        /// Units done.
        done: f64,
        /// Units in all, when it knows.
        total: Option<f64>,
        /// Its words.
        message: Option<String>,
    },
    /// A line that a script logged or printed, or that a worker process wrote.
    Log(LogLine),
    /// A worker process runs.
    WorkerStarted {
        /// Its number, from 1.
        worker: u32,
        /// Its process id.
        pid: i32,
    },
    /// A worker process ended.
    WorkerExited {
        /// Its number.
        worker: u32,
        /// Its process id.
        pid: i32,
        /// In words, when it was not asked to: `killed by signal 9 (SIGKILL)`.
        unexpected: Option<String>,
        /// How many running tasks start again because of it.
        suspects: usize,
    },
    /// A stop was asked for; running tasks may still end.
    Stopping {
        /// Why.
        cause: StopCause,
        /// Tasks that run at this moment.
        running: u64,
    },
    /// The end; nothing follows.
    RunFinished(Box<Summary>),
}

/// What a resumed run begins with.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Resumed {
    /// Tasks that ended well.
    pub done: u64,
    /// Tasks that failed for good and are not tried again.
    pub failed: u64,
    /// Tasks that failed and are tried again (`--retry-failed`).
    pub again: u64,
    /// Tasks that are still to run, when that is known before the source has been read.
    pub left: Option<u64>,
    /// What differs from the earlier sessions, one sentence each: `scripts/crawl.lua changed (2 lines)`.
    pub changes: Vec<String>,
}

/// What names a task in a line.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskLabel {
    /// `TaskId` as text.
    pub id: String,
    /// Key if it has one, else its arguments in short.
    pub name: String,
    /// From 1.
    pub attempt: u32,
    /// The worker process, 0 when unknown.
    pub worker: u32,
}

/// The counters of a run at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counts {
    /// Known so far: generated and put, without duplicates.
    pub known: u64,
    /// Whether the source may still give more.
    pub more: bool,
    /// Ended well, and handled.
    pub done: u64,
    /// Failed for good, and handled.
    pub failed: u64,
    /// Said that there was nothing to do; counted in `done` too.
    pub skipped: u64,
    /// Waiting for another attempt.
    pub retrying: u64,
    /// Running in workers now (those waiting in a worker included).
    pub running: u64,
    /// Dropped because their key was known.
    pub duplicates: u64,
    /// Nanoseconds since the run started, or was resumed.
    pub elapsed_ns: u64,
    /// Of `done` and `failed`, those of earlier sessions.
    pub before: u64,
    /// Nanoseconds of earlier sessions.
    pub before_ns: u64,
}

/// A line of a script or a worker.
#[derive(Clone, Debug, PartialEq)]
pub struct LogLine {
    /// How loud.
    pub level: Level,
    /// Who wrote it: a task (its id or its name, as in its `TaskLabel`), a role (`handler`), or a
    /// process (`worker 3`).
    pub from: String,
    /// The text, one line, bytes that are not UTF-8 replaced.
    pub text: String,
    /// `key=value` pairs of `log.info(msg, {…})`.
    pub fields: Vec<(String, String)>,
    /// What is known of where it was written.
    pub at: LogPlace,
}

/// Where a line was written; nothing for a role of the coordinator.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LogPlace {
    /// The task's id and attempt, when one was running.
    pub task: Option<(String, u32)>,
    /// The worker process.
    pub worker: Option<u32>,
}

/// How loud a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// `log.debug`, shown with `-v`.
    Debug,
    /// `print` and `io.write`: shown with `-v` and for failed tasks.
    Print,
    /// `log.info`.
    Info,
    /// `log.warn`.
    Warn,
    /// `log.error`, and what a process wrote to its standard error.
    Error,
}

/// The finished run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// The last counters.
    pub counts: Counts,
    /// Tasks that needed more than one attempt and ended well.
    pub again: u64,
    /// Tasks that never started because the run was stopped.
    pub not_started: u64,
    /// Why it stopped early, if it did.
    pub stopped: Option<StopCause>,
    /// Wall time of task attempts in nanoseconds: p50, p95, p99, max.
    pub times_ns: Option<[u64; 4]>,
    /// CPU seconds of coordinator, keeper and workers.
    pub cpu_seconds: f64,
    /// Largest resident size of one process, and that of the coordinator, in bytes.
    pub peak_rss_bytes: u64,
    /// Workers that died without being asked to.
    pub crashes: u64,
    /// Where results went and how many rows.
    pub output: Option<(String, u64)>,
    /// Rows that were not written because whoever read standard output had left.
    pub rows_lost: u64,
    /// What `finish` returned, as text.
    pub finish: Option<String>,
    /// What scripts counted, by name.
    pub metrics: Vec<Metric>,
}
