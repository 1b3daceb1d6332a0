//! Why an attempt or a task failed. A failed task is data, not an error of the run.

/// A failure as the wire, the `failed` role and the reports show it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failure {
    /// The public code: `lua_error`, `crashed`, `value`, `http_status`, `exit_status`, …
    pub code: String,
    /// One line, as Lua or the library says it.
    pub message: String,
    /// Lua's traceback, or the last lines that a crashed worker wrote.
    pub traceback: Option<String>,
    /// What the error object says of trying again, when it says anything.
    pub retryable: Option<bool>,
    /// How long the other side, or `task.retry{after=}`, asks to wait before the next attempt.
    pub after_ns: Option<u64>,
    /// The task itself asks for another attempt, whatever `retries` says of its code: `task.retry`.
    pub asked: bool,
    /// The task asks to stop the whole run: `task.abort`.
    pub abort: bool,
}

impl Failure {
    /// A failure with a code and a message.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Failure { code: code.into(), message: message.into(), ..Failure::default() }
    }
}
