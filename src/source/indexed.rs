//! Sources that can compute the task at any position.

use crate::model::Task;
use crate::plan::{KeyField, TasksPlan};
use crate::source::shuffle::Shuffle;
use crate::source::{Room, SourceError, TaskSource, task_at};

/// Argument lists by position.
pub trait Indexed: Send {
    /// How many; at least 1, `u64::MAX` when there are as many or more.
    fn len(&self) -> u64;

    /// Appends the encoded list at `index`, from 0.
    fn write(&self, index: u64, args: &mut Vec<u8>);
}

/// The part of an [`Indexed`] that the plan asks for, in its order.
pub struct IndexedSource<T> {
    tasks: T,
    shuffle: Option<Shuffle>,
    next: u64,
    end: u64,
    total: u64,
    key: Option<KeyField>,
    args: Vec<u8>,
}

impl<T: Indexed> IndexedSource<T> {
    /// # Errors
    /// When nothing is left of the tasks, or there are too many to shuffle.
    pub fn new(tasks: T, plan: &TasksPlan, seed: i64) -> Result<Self, SourceError> {
        let length = tasks.len();
        if plan.shuffle && length == u64::MAX {
            return Err(SourceError::TooMany);
        }
        if plan.skip >= length {
            return Err(SourceError::Skipped { skip: plan.skip, total: length });
        }
        if plan.limit == Some(0) {
            return Err(SourceError::Limited);
        }
        let total = (length - plan.skip).min(plan.limit.unwrap_or(u64::MAX));
        let mut shuffle = plan.shuffle.then(|| Shuffle::new(length, seed));
        if let Some(shuffle) = &mut shuffle {
            (0..plan.skip).for_each(|_| _ = shuffle.draw());
        }
        let end = plan.skip + total;
        Ok(IndexedSource {
            tasks,
            shuffle,
            next: plan.skip,
            end,
            total,
            key: plan.key.clone(),
            args: Vec::new(),
        })
    }
}

impl<T: Indexed> TaskSource for IndexedSource<T> {
    fn next_batch(&mut self, out: &mut Vec<Task>, at_most: usize) -> Result<bool, SourceError> {
        let mut room = Room::new(at_most);
        while room.is_left() && self.next < self.end {
            let index = self.shuffle.as_mut().map_or(self.next, Shuffle::draw);
            self.next += 1;
            self.args.clear();
            self.tasks.write(index, &mut self.args);
            room.take(self.args.len());
            out.push(task_at(index + 1, &self.args, self.key.as_ref())?);
        }
        Ok(self.next < self.end)
    }

    fn total(&self) -> Option<u64> {
        Some(self.total)
    }
}
