//! Manifest and flags settled into one plan. After this folder there is no default and nothing to decide.

use std::path::PathBuf;
use std::sync::Arc;

use crate::manifest::{Diagnostic, Located};
pub use crate::manifest::{KeyField, MaxFail, OutputFormat, OutputMode};
use crate::model::Value;
pub use crate::model::job::{Job, Script};
pub use crate::model::policy::{Backoff, Limit, OnError, Rate, Recycle, Retries, Times};

mod env_file;
mod output;
mod params;
mod paths;
mod resolve;
mod scripts;

pub use output::STDOUT;
pub use paths::{absolute, absolute_lua_path, shown};
pub use resolve::{Surroundings, load};

/// Everything that a run needs to know; each layer gets its part.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What every role may read.
    pub job: Job,
    /// Variables that must be there before anything runs, and whose values nobody gets to see.
    pub secrets: Vec<Located<String>>,
    /// Where tasks come from.
    pub tasks: TasksPlan,
    /// What runs in the workers.
    pub worker: WorkerPlan,
    /// What runs in the coordinator.
    pub handler: HandlerPlan,
    /// Where rows go; none when neither the manifest nor a flag names an output.
    pub output: Option<OutputPlan>,
    /// Limits of the whole run.
    pub run: RunPlan,
    /// `[limits.NAME]` of those that the worker takes, in the order of `worker.limits`.
    pub limits: Vec<Limit>,
    /// The manifest and its scripts, the manifest first.
    pub texts: Vec<JobText>,
    /// What should be looked at though it runs.
    pub warnings: Vec<Diagnostic>,
}

/// `[tasks]`
#[derive(Clone, Debug)]
pub struct TasksPlan {
    /// Exactly one.
    pub source: Source,
    /// Which part of a task is its identity.
    pub key: Option<KeyField>,
    /// Seeded shuffle before `skip` and `limit`.
    pub shuffle: bool,
    /// Tasks to leave out at the beginning.
    pub skip: u64,
    /// Tasks to take at most.
    pub limit: Option<u64>,
    /// Between two puts of the `tasks` role, in nanoseconds.
    pub timeout_ns: u64,
}

/// A source of tasks.
#[derive(Clone, Debug)]
pub enum Source {
    /// The `tasks` role of a script.
    Script(Script),
    /// Literal tasks: an array is an argument list, anything else one argument.
    Items(Vec<Value>),
    /// Integers, both ends included; `step` is not 0.
    Range {
        /// First integer.
        first: i64,
        /// Last integer at most (at least, when `step` is negative).
        last: i64,
        /// Distance.
        step: i64,
    },
    /// Every combination, as a map; the last name varies fastest.
    Product(Vec<(String, Vec<Value>)>),
    /// Files, sorted; patterns are relative to the job's folder.
    Glob(Vec<String>),
    /// A task a line.
    Lines(Input),
    /// A task a row, named by the header.
    Csv(Input),
    /// A task a record.
    Jsonl(Input),
}

/// A file, or standard input.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// Absolute.
    File(PathBuf),
    /// `"-"`
    Stdin,
}

/// `[worker]`
#[derive(Clone, Debug)]
pub struct WorkerPlan {
    /// What an attempt runs.
    pub body: WorkerBody,
    /// Worker processes at most; 1 to 4096.
    pub processes: usize,
    /// Threads in each; 1 to 1024.
    pub threads: usize,
    /// Attempts that a thread drives at once; 1 to 10,000.
    pub coroutines: usize,
    /// Worker deaths that one task may cause before it fails.
    pub crash_limit: u32,
    /// Further attempts of a task that fails.
    pub retries: Retries,
    /// Times of an attempt.
    pub times: Times,
    /// When a process is replaced though it is well.
    pub recycle: Recycle,
    /// Bytes that a worker process may use; each thread's Lua state gets its share.
    pub memory: u64,
}

impl WorkerPlan {
    /// Attempts that a process runs at the same time.
    pub fn at_once(&self) -> usize {
        self.threads * self.coroutines
    }
}

/// What an attempt runs.
#[derive(Clone, Debug)]
pub enum WorkerBody {
    /// The `worker` role.
    Lua(Script),
    /// An argument vector with `{field}` placeholders.
    Command(Vec<String>),
}

/// `[handler]`
#[derive(Clone, Debug)]
pub struct HandlerPlan {
    /// The script that may hold `start`, `handler`, `failed` and `finish`.
    pub script: Option<Script>,
    /// Deliver in the order in which tasks were put.
    pub ordered: bool,
    /// What happens when `handler` or `failed` raises.
    pub on_error: OnError,
    /// For one call, in nanoseconds.
    pub timeout_ns: u64,
}

/// `[output]`, `-o` and `-O`
#[derive(Clone, Debug, PartialEq)]
pub struct OutputPlan {
    /// Where to.
    pub target: OutputTarget,
    /// The same as people type it.
    pub name: String,
    /// How rows are written.
    pub format: OutputFormat,
    /// Columns, in this order; none: all, in the order of the first row.
    pub fields: Option<Vec<String>>,
    /// When the file exists.
    pub mode: OutputMode,
}

/// A file, or standard output.
#[derive(Clone, Debug, PartialEq)]
pub enum OutputTarget {
    /// Absolute.
    File(PathBuf),
    /// `"-"`
    Stdout,
}

/// `[run]`
#[derive(Clone, Debug)]
pub struct RunPlan {
    /// Stop starting tasks after so many failures.
    pub max_fail: Option<MaxFail>,
    /// Generated tasks kept ready at most.
    pub queue: usize,
    /// For the whole run, in nanoseconds.
    pub deadline_ns: Option<u64>,
    /// Keep what a resume needs.
    pub journal: bool,
    /// Complete runs to keep beside it, this one included; at least 1.
    pub keep: usize,
}

/// A text that the job consists of, as it was read for this run.
#[derive(Clone, Debug, PartialEq)]
pub struct JobText {
    /// Absolute.
    pub path: PathBuf,
    /// All of it.
    pub text: Arc<[u8]>,
}
