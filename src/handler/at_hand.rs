//! The delivery that is being handled, and what its call leaves.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::places::{Places, weight};
use super::rows::Rows;
use crate::lua::role::{AtHand, Facts, Outlet};
use crate::model::task::{PutBy, TaskOptions};
use crate::model::{Delivery, Payload, Task, TaskId};

/// Puts of one call that are held in memory at most; more of them go out in parts.
const MOST_PUTS: usize = 64 << 10;
/// Their bytes.
const MOST_BYTES: usize = 4 << 20;

/// What lies before the handler.
pub struct Desk {
    delivery: RefCell<Option<Delivery>>,
    parent: Cell<(TaskId, PutBy)>,
    /// Puts of the call, those that are out included.
    count: Cell<u64>,
    puts: RefCell<Vec<Task>>,
    bytes: Cell<usize>,
    rows: RefCell<Rows>,
    places: Rc<Places>,
    takes: Cell<Takes>,
}

/// What becomes of puts and rows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Takes {
    All,
    /// They were kept in an earlier session.
    Nothing,
    /// The run is complete: nothing can be added any more.
    Closed,
}

impl Desk {
    /// Nothing lies there.
    pub fn new(places: Rc<Places>) -> Self {
        Desk {
            delivery: RefCell::default(),
            parent: Cell::new((TaskId::ROOT, PutBy::Start)),
            count: Cell::default(),
            puts: RefCell::default(),
            bytes: Cell::default(),
            rows: RefCell::default(),
            places,
            takes: Cell::new(Takes::All),
        }
    }

    /// A call for a task begins; for none (`start`) without one.
    pub fn begin(&self, delivery: Option<Delivery>) {
        let parent = delivery.as_ref().map_or((TaskId::ROOT, PutBy::Start), |of| (of.id, PutBy::Handler));
        self.parent.set(parent);
        self.count.set(0);
        *self.delivery.borrow_mut() = delivery;
    }

    /// It ended; what it left is still there.
    pub fn end(&self) {
        *self.delivery.borrow_mut() = None;
    }

    /// The delivery, if there is one.
    pub fn with<R>(&self, body: impl FnOnce(&Delivery) -> R) -> Option<R> {
        self.delivery.borrow().as_ref().map(body)
    }

    /// What the call put, without the parts that are out.
    pub fn take_puts(&self) -> Vec<Task> {
        self.bytes.set(0);
        self.puts.take()
    }

    /// Moves what the call emitted.
    pub fn take_rows(&self, rows: &mut Rows) {
        let mut own = self.rows.borrow_mut();
        if !own.is_empty() {
            rows.append(&mut own);
        }
    }

    /// Drops what the call left.
    pub fn clear(&self) {
        self.take_puts();
        self.rows.borrow_mut().clear();
    }

    /// What the next call puts and emits is dropped, or taken again.
    pub fn take_nothing(&self, nothing: bool) {
        self.takes.set(if nothing { Takes::Nothing } else { Takes::All });
    }

    /// The run is complete: nothing can be added any more.
    pub fn close(&self) {
        self.takes.set(Takes::Closed);
    }

    fn takes(&self, what: &str) -> Result<bool, String> {
        match self.takes.get() {
            Takes::All => Ok(true),
            Takes::Nothing => Ok(false),
            Takes::Closed => Err(format!("{what}: the run is complete, `finish` cannot add to it")),
        }
    }
}

impl Outlet for Desk {
    fn put(&self, args: &[u8], options: Option<TaskOptions>) -> Result<(), String> {
        if !self.takes("put")? {
            return Ok(());
        }
        let ((parent, by), n) = (self.parent.get(), self.count.get());
        self.count.set(n + 1);
        let (id, options) = (TaskId::child(parent, by, n), options.map(Box::new));
        let task = Task { id, args: Payload::copy_from(args), options };
        let bytes = self.bytes.get() + weight(&task);
        self.bytes.set(bytes);
        let mut puts = self.puts.borrow_mut();
        puts.push(task);
        if puts.len() >= MOST_PUTS || bytes >= MOST_BYTES {
            self.bytes.set(0);
            let part = std::mem::take(&mut *puts);
            let sent = self.places.send_part(part);
            sent.map_err(|_| "put: the journal takes nothing any more, and the run ends".to_owned())?;
        }
        Ok(())
    }

    fn emit(&self, row: &[u8]) -> Result<(), String> {
        if self.takes("emit")? {
            self.rows.borrow_mut().push(row);
        }
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
