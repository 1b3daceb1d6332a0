//! The delivery that is being handled, and what its call leaves.

use std::cell::{Cell, RefCell};

use crate::lua::role::{AtHand, Facts, Outlet};
use crate::model::task::TaskOptions;
use crate::model::{Delivery, Payload, Task, TaskId};

/// What lies before the handler.
#[derive(Default)]
pub struct Desk {
    delivery: RefCell<Option<Delivery>>,
    puts: RefCell<Vec<Task>>,
    rows: RefCell<Vec<Payload>>,
    closed: Cell<bool>,
}

impl Desk {
    /// A delivery begins or ends.
    pub fn set(&self, delivery: Option<Delivery>) {
        *self.delivery.borrow_mut() = delivery;
    }

    /// The delivery, if there is one.
    pub fn with<R>(&self, body: impl FnOnce(&Delivery) -> R) -> Option<R> {
        self.delivery.borrow().as_ref().map(body)
    }

    /// What was put since the last time; ids are still to be given.
    pub fn take_puts(&self) -> Vec<Task> {
        self.puts.take()
    }

    /// What was emitted since the last time.
    pub fn take_rows(&self) -> Vec<Payload> {
        self.rows.take()
    }

    /// The run is complete: nothing can be added any more.
    pub fn close(&self) {
        self.closed.set(true);
    }

    fn must_be_open(&self, what: &str) -> Result<(), String> {
        match self.closed.get() {
            true => Err(format!("{what}: the run is complete, `finish` cannot add to it")),
            false => Ok(()),
        }
    }
}

impl Outlet for Desk {
    fn put(&self, args: &[u8], options: Option<TaskOptions>) -> Result<(), String> {
        self.must_be_open("put")?;
        let options = options.map(Box::new);
        self.puts.borrow_mut().push(Task { id: TaskId::ROOT, args: Payload::copy_from(args), options });
        Ok(())
    }

    fn emit(&self, row: &[u8]) -> Result<(), String> {
        self.must_be_open("emit")?;
        self.rows.borrow_mut().push(Payload::copy_from(row));
        Ok(())
    }
}

impl AtHand for Desk {
    fn read(&self, read: &mut dyn FnMut(&Facts<'_>)) {
        self.with(|delivery| {
            let Delivery { id, args, key, attempt, worker, elapsed_ns, .. } = delivery;
            let (id, key, attempt) = (*id, key.as_deref(), *attempt);
            read(&Facts { id, key, args, attempt, worker: *worker, elapsed_ns: *elapsed_ns });
        });
    }
}
