//! Settings that decide how tasks are tried, timed and limited. Times are in nanoseconds.

/// `retries`: further attempts of a task that fails.
#[derive(Clone, Debug, PartialEq)]
pub struct Retries {
    /// Tries after the first; 0: none.
    pub count: u32,
    /// How the delay grows.
    pub backoff: Backoff,
    /// Before the second attempt.
    pub delay_ns: u64,
    /// Longest delay.
    pub max_delay_ns: u64,
    /// Whether delays are varied, so that tasks that failed together do not come back together.
    pub jitter: bool,
    /// Codes that are tried again; none: what the error says of itself (`err.retryable`).
    pub on: Option<Vec<String>>,
}

impl Default for Retries {
    /// None; `retries = N` alone gives the other values.
    fn default() -> Self {
        Retries {
            count: 0,
            backoff: Backoff::Exponential,
            delay_ns: 1_000_000_000,
            max_delay_ns: 60_000_000_000,
            jitter: true,
            on: None,
        }
    }
}

/// How the delay before an attempt grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backoff {
    /// Doubled each time.
    Exponential,
    /// The same each time.
    Fixed,
}

/// Times of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// From the start of an attempt to the soft stop.
    pub timeout_ns: Option<u64>,
    /// From the soft stop to the kill; also after the first signal.
    pub grace_ns: u64,
    /// When a running task is reported as slow.
    pub slow_ns: u64,
}

/// When a worker process is replaced though it is well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recycle {
    /// After so many attempts.
    pub tasks: Option<u64>,
    /// After this time.
    pub lifetime_ns: Option<u64>,
    /// When it uses so many bytes.
    pub memory: Option<u64>,
}

/// What happens when the handler raises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnError {
    /// The run stops.
    Abort,
    /// It is logged, and the run goes on.
    Log,
}

/// `[limits.NAME]`: taken before each attempt, given back after it, across all processes.
#[derive(Clone, Debug, PartialEq)]
pub struct Limit {
    /// Its name.
    pub name: String,
    /// Starts in a time.
    pub rate: Option<Rate>,
    /// Starts at once after a quiet time; at least 1.
    pub burst: u32,
    /// Attempts at the same time.
    pub concurrency: Option<u32>,
    /// A bucket for each value of this field of the first argument; `host` comes from `url` when there is no such field.
    pub per: Option<String>,
    /// Whether a failure that says how long to wait pauses the bucket.
    pub retry_after: bool,
}

/// `"10/s"`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// So many, at least 1.
    pub count: u32,
    /// In this time, at least 1.
    pub per_ns: u64,
}
