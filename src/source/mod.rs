//! Where tasks come from: the built-in sources behind [`TaskSource`]. The `tasks` role of a script is not one of
//! them; it pushes where these are pulled.
//!
//! Sources whose length is known (`indexed`) compute the task at a position: nothing is kept but the position.
//! Sources that read (`stream`) keep a buffer and the task at hand, except under `shuffle`, which gathers all
//! tasks in memory first.

mod arena;
mod csv;
mod error;
mod glob;
mod indexed;
mod input;
mod jsonl;
mod key;
mod lines;
mod product;
mod range;
pub mod script;
mod shuffle;
mod stream;

pub use error::SourceError;
pub use key::{KeyError, key_of};

use crate::model::task::TaskOptions;
use crate::model::{Payload, Task, TaskId};
use crate::plan::{Job, KeyField, Source, TasksPlan};
use crate::source::arena::Arena;
use crate::source::indexed::{Indexed, IndexedSource};
use crate::source::input::LineReader;
use crate::source::stream::{Records, StreamSource};

/// Tasks of one batch at most.
const BATCH_TASKS: usize = 1024;
/// A batch ends with the task whose arguments reach this size in sum: 256 KiB.
const BATCH_BYTES: usize = 256 << 10;

/// Gives the tasks of a run, a batch at a time.
pub trait TaskSource: Send {
    /// Appends up to `at_most` tasks (1,024, or 256 KiB of arguments, if that is less) and tells whether there
    /// may be more. A source that reads from a slow writer gives what is there, at least one task.
    ///
    /// # Errors
    /// When the input cannot be read or understood, a task has no key, or there is no task at all. What was
    /// appended before the error is good.
    fn next_batch(&mut self, out: &mut Vec<Task>, at_most: usize) -> Result<bool, SourceError>;

    /// How many tasks it gives in all, when that is known before they are read.
    fn total(&self) -> Option<u64>;
}

/// Opens a built-in source.
///
/// # Errors
/// When files cannot be opened, a pattern is wrong, or it is known already that there is no task.
pub fn open(plan: &TasksPlan, job: &Job) -> Result<Box<dyn TaskSource>, SourceError> {
    match &plan.source {
        Source::Script(script) => Err(SourceError::Script { name: script.name.clone() }),
        Source::Items(items) => indexed(Arena::of_items(items)?, plan, job),
        Source::Range { first, last, step } => indexed(range::Range::new(*first, *last, *step)?, plan, job),
        Source::Product(axes) => indexed(product::Product::new(axes)?, plan, job),
        Source::Glob(patterns) => indexed(glob::find(patterns, &job.dir)?, plan, job),
        Source::Lines(input) => stream(lines::Lines::new(LineReader::open(input)?), plan, job),
        Source::Jsonl(input) => stream(jsonl::Jsonl::new(LineReader::open(input)?), plan, job),
        Source::Csv(input) => stream(csv::Csv::open(input)?, plan, job),
    }
}

fn indexed<T: Indexed + 'static>(
    tasks: T,
    plan: &TasksPlan,
    job: &Job,
) -> Result<Box<dyn TaskSource>, SourceError> {
    Ok(Box::new(IndexedSource::new(tasks, plan, job.seed)?))
}

fn stream<R: Records + 'static>(
    mut records: R,
    plan: &TasksPlan,
    job: &Job,
) -> Result<Box<dyn TaskSource>, SourceError> {
    if plan.shuffle {
        return indexed(stream::gather(&mut records)?, plan, job);
    }
    Ok(Box::new(StreamSource::new(records, plan)?))
}

/// How much a batch may still take.
struct Room {
    tasks: usize,
    bytes: usize,
}

impl Room {
    fn new(at_most: usize) -> Self {
        Room { tasks: at_most.min(BATCH_TASKS), bytes: BATCH_BYTES }
    }

    fn is_left(&self) -> bool {
        self.tasks > 0 && self.bytes > 0
    }

    fn take(&mut self, bytes: usize) {
        self.tasks -= 1;
        self.bytes = self.bytes.saturating_sub(bytes);
    }
}

/// The task at `position` of the source, from 1, before `shuffle`, `skip` and `limit`.
#[inline]
fn task_at(position: u64, args: &[u8], key: Option<&KeyField>) -> Result<Task, SourceError> {
    let mut task = Task::plain(TaskId::at(position), Payload::copy_from(args));
    if let Some(field) = key {
        let key = key_of(args, field).map_err(|source| SourceError::Key { position, source })?;
        task.options = Some(Box::new(TaskOptions { key: Some(key), ..TaskOptions::default() }));
    }
    Ok(task)
}

#[cfg(test)]
mod tests;
