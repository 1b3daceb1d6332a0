//! What earlier sessions have done with the tasks of the source.

use crate::journal::{JournalError, Known, Seen};
use crate::model::{StopCause, Task};

/// What is left of a source.
pub struct Left {
    earlier: Option<Earlier>,
}

struct Earlier {
    known: Known,
    run: String,
    /// The list is piped in, and must be piped in again.
    is_piped: bool,
}

impl Left {
    /// Everything: the run is new.
    pub fn all() -> Self {
        Left { earlier: None }
    }

    /// Without what has ended in earlier sessions of `run`.
    pub fn of(known: Known, run: &str, is_piped: bool) -> Self {
        Left { earlier: Some(Earlier { known, run: run.to_owned(), is_piped }) }
    }

    /// Whether there were earlier sessions.
    pub fn is_resumed(&self) -> bool {
        self.earlier.is_some()
    }

    /// Whether tasks that ended have not come by yet, so that the source may still turn out to be another one.
    pub fn waits(&self) -> bool {
        self.earlier.as_ref().is_some_and(|earlier| earlier.known.never_given() > 0)
    }

    /// Drops those that have ended.
    ///
    /// # Errors
    /// When one is another task than the one that ended at its position, or the journal cannot be read.
    pub fn drop_ended(&mut self, tasks: &mut Vec<Task>) -> Result<(), StopCause> {
        let Some(earlier) = &mut self.earlier else { return Ok(()) };
        let mut fault = None;
        tasks.retain(|task| match earlier.has_ended(task) {
            _ if fault.is_some() => false,
            Ok(ended) => !ended,
            Err(cause) => {
                fault = Some(cause);
                false
            }
        });
        fault.map_or(Ok(()), Err)
    }

    /// Whether it ended in an earlier session.
    ///
    /// # Errors
    /// As [`Left::drop_ended`].
    pub fn has_ended(&mut self, task: &Task) -> Result<bool, StopCause> {
        self.earlier.as_mut().map_or(Ok(false), |earlier| earlier.has_ended(task))
    }

    /// The source ended and gave so many tasks.
    ///
    /// # Errors
    /// When it did not give all that have ended.
    pub fn end(&self, given: u64) -> Result<u64, StopCause> {
        match &self.earlier {
            Some(earlier) if earlier.known.never_given() > 0 => Err(earlier.shorter()),
            _ => Ok(given),
        }
    }
}

impl Earlier {
    fn has_ended(&mut self, task: &Task) -> Result<bool, StopCause> {
        match self.known.check(task) {
            Ok(Seen::New) => Ok(false),
            Ok(Seen::Ended) => Ok(true),
            Ok(Seen::Changed) => Err(self.changed(task)),
            Err(error) => Err(unwritable(&error)),
        }
    }

    fn changed(&self, task: &Task) -> StopCause {
        StopCause::Changed(format!(
            "the list of tasks has changed since run {}: task {} is another one now, and the old one has ended\n{}",
            self.run,
            task.id,
            self.ways_out()
        ))
    }

    fn shorter(&self) -> StopCause {
        let missing = self.known.never_given();
        let tasks =
            if missing == 1 { "1 task that has".to_owned() } else { format!("{missing} tasks that have") };
        StopCause::Changed(format!(
            "the list of tasks got shorter since run {}: {tasks} ended in it did not come again\n{}",
            self.run,
            self.ways_out()
        ))
    }

    fn ways_out(&self) -> &'static str {
        if self.is_piped {
            "pipe the same list in again, or begin anew with --restart; with `key` in [tasks] a run knows its tasks wherever they stand"
        } else {
            "give the same list again, or begin anew with --restart; with `key` in [tasks] a run knows its tasks wherever they stand"
        }
    }
}

/// The sentence of a journal that fails within a run.
pub fn unwritable(error: &JournalError) -> StopCause {
    StopCause::Unwritable(format!("{}; {}", with_source(error), error.help()))
}

/// An error and its causes, in one line.
pub fn with_source(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}
