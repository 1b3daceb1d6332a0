//! How commands ended, as a result and as an error.

use std::os::unix::process::ExitStatusExt as _;
use std::rc::Rc;
use std::time::Duration;

use mlua::{Lua, Table};

use super::flow::LAST_WORDS;
use super::order::Limits;
use crate::lua::error::LibError;
use crate::lua::std::time::human;
use crate::os::command::{Child, Ended, how};
use crate::os::secrets;

const SIGPIPE: i32 = 13;

/// How one or more commands ended that worked together.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub code: Option<i32>,
    pub signal: Option<i32>,
    /// The command whose end this is.
    pub which: usize,
    pub elapsed: Duration,
    pub max_rss: u64,
    /// What was captured.
    pub stdout: Option<Vec<u8>>,
    pub stderr: Option<Vec<u8>>,
}

impl Outcome {
    /// Ends all and tells of the last one that failed, or of success. That one before another one was cut short, because
    /// the next read no more, is no failure.
    pub fn of(children: &[Rc<Child>]) -> Result<Self, LibError> {
        let mut outcome = Self { code: Some(0), ..Self::default() };
        for (at, child) in children.iter().enumerate() {
            let ended = child.end()?;
            outcome.elapsed = outcome.elapsed.max(ended.elapsed);
            outcome.max_rss = outcome.max_rss.max(ended.usage.max_rss_bytes);
            let is_last = at + 1 == children.len();
            let went_well = ended.is_ok() || (was_cut_short(&ended) && !is_last);
            if !went_well {
                outcome.code = ended.status.code();
                outcome.signal = ended.status.signal();
                outcome.which = at;
            }
        }
        Ok(outcome)
    }

    pub fn is_ok(&self) -> bool {
        self.code == Some(0)
    }

    /// The error of a command that should have ended well.
    pub fn error(&mut self) -> LibError {
        let how = how(self.code, self.signal);
        let mut stderr = self.stderr.take().unwrap_or_default();
        secrets::keep_end(&mut stderr, LAST_WORDS);
        let words = String::from_utf8_lossy(&stderr);
        let last = words.lines().rev().map(str::trim).find(|line| !line.is_empty());
        let message = last.map_or_else(|| how.clone(), |last| format!("{how}: {last}"));
        let error = LibError::new("exit_status", message).retryable(true).stderr(stderr);
        match self.code.and_then(|code| u16::try_from(code).ok()) {
            Some(code) => error.status(code),
            None => error,
        }
    }

    pub fn into_table(self, lua: &Lua) -> Result<Table, LibError> {
        let table = lua.create_table_with_capacity(0, 7)?;
        table.raw_set("ok", self.is_ok())?;
        table.raw_set("code", self.code)?;
        table.raw_set("signal", self.signal)?;
        table.raw_set("elapsed", self.elapsed.as_secs_f64())?;
        table.raw_set("max_rss", self.max_rss)?;
        for (name, bytes) in [("stdout", self.stdout), ("stderr", self.stderr)] {
            if let Some(bytes) = bytes {
                table.raw_set(name, lua.create_string(bytes)?)?;
            }
        }
        Ok(table)
    }
}

fn was_cut_short(ended: &Ended) -> bool {
    ended.status.signal() == Some(SIGPIPE)
}

/// Of commands whose time was over.
pub(super) fn timed_out(limits: &Limits, mut stderr: Vec<u8>) -> LibError {
    let limit = human(limits.timeout.unwrap_or_default());
    secrets::keep_end(&mut stderr, LAST_WORDS);
    LibError::timeout(format!("has not ended within {limit}, and was killed")).stderr(stderr)
}
