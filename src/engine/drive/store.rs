//! What lies in the journal and comes back into the run.

use std::io;

use crate::engine::Input;
use crate::engine::drive::Drive;
use crate::model::event::Counts;
use crate::model::handling::{Puts, ToHandler};
use crate::model::task::key_hash;
use crate::model::{Seq, StopCause, Task};

/// Reads what is committed. The loop calls it and waits, so every call should be short. Each sees all that was committed
/// before it began.
pub trait Store: Send {
    /// For each of these hashes of keys, in their order, whether another task with it is known; appended to `known`. With
    /// the place of the task that is asked for, if it was put: its group may be committed before the engine hears of it.
    ///
    /// # Errors
    /// When the journal cannot be read: the run stops with this.
    fn known(&mut self, keys: &[(u128, Option<Seq>)], known: &mut Vec<bool>) -> Result<(), StopCause>;

    /// Tasks that were put and have not ended, of this priority, with places after `after` and up to `until`: the first
    /// of them, `at_most` or fewer, appended to `tasks`. None only when there are none.
    ///
    /// # Errors
    /// When the journal cannot be read: the run stops with this.
    fn fetch(
        &mut self,
        priority: i32,
        after: u64,
        until: u64,
        at_most: usize,
        tasks: &mut Vec<(Seq, Task)>,
    ) -> Result<(), StopCause>;
}

impl Drive<'_> {
    /// Once each round, so that workers are heard in between.
    pub(super) fn fetch_stored(&mut self) -> io::Result<()> {
        let Some(fetch) = self.engine.wants_stored() else { return Ok(()) };
        let mut tasks = Vec::with_capacity(fetch.at_most);
        match self.store.fetch(fetch.priority, fetch.after, fetch.until, fetch.at_most, &mut tasks) {
            Ok(()) => self.step(Input::Stored { priority: fetch.priority, until: fetch.until, tasks }),
            Err(cause) => self.step(Input::Stop(cause)),
        }
    }

    pub(super) fn handled(&mut self, count: usize, puts: Puts) -> io::Result<()> {
        let known = self.known(&puts.tasks, puts.first)?;
        self.step(Input::Handled { count, puts, known })
    }

    /// Which of the tasks with keys the store knows. Nothing may come between this and the step with the tasks.
    /// `first` is the place of the first of them, if they were put.
    pub(super) fn known(&mut self, tasks: &[Task], first: Option<Seq>) -> io::Result<Vec<bool>> {
        let place = |n: usize| first.and_then(|first| Seq::new(first.number() + n as u64));
        let keys: Vec<(u128, Option<Seq>)> = tasks
            .iter()
            .enumerate()
            .filter_map(|(n, task)| Some((key_hash(task.key()?), place(n))))
            .collect();
        let mut known = Vec::with_capacity(keys.len());
        if !keys.is_empty()
            && let Err(cause) = self.store.known(&keys, &mut known)
        {
            // nothing of the tasks starts after a stop, so what their keys are does not matter
            self.step(Input::Stop(cause))?;
            known.clear();
        }
        Ok(known)
    }

    /// For those who look at the run from outside.
    pub(super) fn tell_known(&mut self, counts: &Counts) {
        let told = (counts.known, counts.more);
        if std::mem::replace(&mut self.told, told) != told {
            self.tell_handler(ToHandler::Known { known: told.0, more: told.1 });
        }
    }
}
