//! Errors by which a task says how its attempt shall end: `task.retry`, `fail`, `skip`, `abort`.
//!
//! They are error tables as those of the library, so that `pcall` catches them and `error(e)` passes them on; a mark
//! that no script can make tells what they mean when they reach the top.

use std::ffi::c_void;

use mlua::{LightUserData, Lua, Table, Value};

use super::error::LibError;
use super::module::Shim;

/// How an attempt shall end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Another attempt, whatever the policy says.
    Retry,
    /// As failed.
    Fail,
    /// As one that had nothing to do.
    Skip,
    /// As failed, and the run with it.
    Abort,
}

/// Its address is the mark.
static MARK: u8 = 0;

fn mark() -> LightUserData {
    LightUserData((&raw const MARK).cast_mut().cast::<c_void>())
}

impl Verb {
    const ALL: [Verb; 4] = [Verb::Retry, Verb::Fail, Verb::Skip, Verb::Abort];

    fn code(self) -> &'static str {
        match self {
            Verb::Retry => "retry",
            Verb::Fail => "failed",
            Verb::Skip => "skipped",
            Verb::Abort => "aborted",
        }
    }

    /// The error to raise. `after` are seconds until the next attempt.
    ///
    /// # Errors
    /// When Lua has no memory left.
    pub fn error(
        self,
        lua: &Lua,
        reason: Option<String>,
        retryable: bool,
        after: Option<f64>,
    ) -> mlua::Result<LibError> {
        let table = lua.create_table_with_capacity(0, 5)?;
        table.raw_set("code", self.code())?;
        table.raw_set("message", reason.unwrap_or_else(|| format!("task.{}", self.name())))?;
        table.raw_set("retryable", retryable)?;
        table.raw_set("retry_after", after)?;
        table.raw_set(mark(), self as u8)?;
        table.set_metatable(Some(Shim::of(lua)?.error_metatable))?;
        Ok(LibError::raised(Value::Table(table)))
    }

    /// What a raised table means, if it is one of these.
    pub fn of(table: &Table) -> Option<Verb> {
        let number: u8 = table.raw_get::<Option<u8>>(mark()).ok().flatten()?;
        Verb::ALL.into_iter().find(|verb| *verb as u8 == number)
    }

    fn name(self) -> &'static str {
        match self {
            Verb::Retry => "retry",
            Verb::Fail => "fail",
            Verb::Skip => "skip",
            Verb::Abort => "abort",
        }
    }
}
