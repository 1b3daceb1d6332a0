//! Tasks that were put, on their way to the journal: each gets its place here.

use std::cell::{Cell, RefCell};

use crossbeam_channel::Sender;

use super::commit::ToCommitter;
use crate::model::{Seq, Task};

/// The committer takes nothing any more; it has said why.
#[derive(Debug)]
pub struct Gone;

/// Gives out places, and holds what the open group puts.
///
/// What one call puts beyond [`Desk`](super::at_hand::Desk)'s memory goes out in parts, which belong to the transaction
/// that the group of this call ends. They come after what the group has put before, so that goes first.
pub struct Places {
    last: Cell<u64>,
    open: RefCell<Vec<(Seq, Task)>>,
    bytes: Cell<usize>,
    /// Parts of the call that is going on went out: the last place before it.
    before_parts: Cell<Option<u64>>,
    committer: Sender<ToCommitter>,
}

impl Places {
    /// `last` is the last place of earlier sessions.
    pub fn new(last: u64, committer: Sender<ToCommitter>) -> Self {
        let (last, bytes) = (Cell::new(last), Cell::default());
        Places { last, open: RefCell::default(), bytes, before_parts: Cell::default(), committer }
    }

    /// Gives places to tasks, which the open group keeps. The place of the first, if there is any.
    pub fn give(&self, tasks: &[Task]) -> Option<Seq> {
        let mut open = self.open.borrow_mut();
        let first = Seq::new(self.last.get() + 1).filter(|_| !tasks.is_empty());
        for task in tasks {
            open.push((self.next()?, task.clone()));
            self.bytes.set(self.bytes.get() + weight(task));
        }
        first
    }

    /// Sends a part of what the call that is going on puts. Waits while the committer is behind.
    pub fn send_part(&self, tasks: Vec<Task>) -> Result<(), Gone> {
        if self.before_parts.get().is_none() {
            self.before_parts.set(Some(self.last.get()));
            let puts = self.open.borrow().clone();
            if !puts.is_empty() {
                self.send(ToCommitter::Part { puts, of_call: false })?;
            }
        }
        let puts = tasks.into_iter().filter_map(|task| Some((self.next()?, task))).collect();
        self.send(ToCommitter::Part { puts, of_call: true })
    }

    /// Whether parts of the open group are out.
    pub fn has_parts(&self) -> bool {
        self.before_parts.get().is_some()
    }

    /// The call raised: its parts are as if they had never been, and so are their places.
    pub fn take_back_parts(&self) -> Result<(), Gone> {
        match self.before_parts.take() {
            None => Ok(()),
            Some(last) => {
                self.last.set(last);
                self.send(ToCommitter::Abandon)
            }
        }
    }

    /// The group is closed: what it has put, unless that is out already.
    pub fn take(&self) -> Vec<(Seq, Task)> {
        self.bytes.set(0);
        let puts = self.open.take();
        if self.before_parts.take().is_some() { Vec::new() } else { puts }
    }

    /// How many the open group holds.
    pub fn held(&self) -> usize {
        self.open.borrow().len()
    }

    /// Memory that they take, about.
    pub fn bytes(&self) -> usize {
        self.bytes.get()
    }

    /// The last place that was given; 0 before the first.
    pub fn last(&self) -> u64 {
        self.last.get()
    }

    fn next(&self) -> Option<Seq> {
        self.last.set(self.last.get() + 1);
        Seq::new(self.last.get())
    }

    fn send(&self, message: ToCommitter) -> Result<(), Gone> {
        self.committer.send(message).map_err(|_| Gone)
    }
}

/// Memory that a task takes, about.
pub fn weight(task: &Task) -> usize {
    let options =
        task.options.as_ref().map_or(0, |options| 64 + options.key.as_ref().map_or(0, |key| key.len()));
    size_of::<(Seq, Task)>() + task.args.len() + options
}
