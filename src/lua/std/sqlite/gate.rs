//! Who may use a database: one call at a time, and during a transaction only those that belong to it.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::Duration;

use mlua::Lua;
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::lua::error::LibError;
use crate::lua::scheduler::Scheduler;

/// Whoever has it is alone.
pub(super) type Key = OwnedMutexGuard<()>;

/// A transaction, or one inside of it.
struct Level {
    serial: u64,
    /// The coroutine that began it.
    fiber: Option<usize>,
}

#[derive(Default)]
pub(super) struct Gate {
    lock: Arc<Mutex<()>>,
    levels: RefCell<Vec<Level>>,
    last: Cell<u64>,
}

/// A call that may come in.
pub(super) enum Entry {
    /// It belongs to the open transaction.
    Inside,
    /// It waits for its turn.
    Waits,
}

impl Gate {
    /// How a call of the coroutine that runs comes in. `pass` is the transaction that its object belongs to.
    ///
    /// # Errors
    /// `invalid` when that one is over.
    pub fn entry(&self, lua: &Lua, pass: Option<u64>) -> Result<Entry, LibError> {
        let levels = self.levels.borrow();
        if let Some(pass) = pass {
            return match levels.iter().any(|level| level.serial == pass) {
                true => Ok(Entry::Inside),
                false => Err(LibError::invalid("the transaction of this object is over: use the database")),
            };
        }
        let own = levels.iter().any(|level| level.fiber == Scheduler::of(lua).current());
        Ok(if own { Entry::Inside } else { Entry::Waits })
    }

    /// Waits until nobody else is in. Of a transaction of another coroutine not longer than `patience`.
    ///
    /// # Errors
    /// `busy`.
    pub async fn enter(&self, patience: Duration) -> Result<Key, LibError> {
        if let Ok(key) = Arc::clone(&self.lock).try_lock_owned() {
            return Ok(key);
        }
        let mut waiting = std::pin::pin!(Arc::clone(&self.lock).lock_owned());
        loop {
            let before = self.outermost();
            match tokio::time::timeout(patience.max(Duration::from_millis(1)), &mut waiting).await {
                Ok(key) => return Ok(key),
                Err(_) if before.is_some() && before == self.outermost() => {
                    return Err(LibError::new(
                        "busy",
                        "a transaction of another coroutine is open on this object: inside of db:tx(function(tx) ... end), \
                         coroutines of the transaction use `tx`",
                    )
                    .retryable(true));
                }
                Err(_) => {}
            }
        }
    }

    fn outermost(&self) -> Option<u64> {
        self.levels.borrow().first().map(|level| level.serial)
    }

    /// How many are open.
    pub fn depth(&self) -> usize {
        self.levels.borrow().len()
    }

    /// Whether a transaction can begin inside of the open ones.
    ///
    /// # Errors
    /// `busy` when another coroutine has one inside: the two could not end in any order.
    pub fn may_nest(&self, lua: &Lua, entry: &Entry) -> Result<(), LibError> {
        let levels = self.levels.borrow();
        let other = levels.len() > 1
            && levels.last().is_some_and(|level| level.fiber != Scheduler::of(lua).current());
        if other && matches!(entry, Entry::Inside) {
            let why = "another coroutine has a transaction open inside of this one";
            return Err(LibError::new("busy", why).retryable(true));
        }
        Ok(())
    }

    /// A transaction begins in the coroutine `fiber`.
    pub fn push(&self, fiber: Option<usize>) -> u64 {
        let serial = self.last.get() + 1;
        self.last.set(serial);
        self.levels.borrow_mut().push(Level { serial, fiber });
        serial
    }

    /// Where it is among those that are open; the outermost is 0.
    pub fn place(&self, serial: u64) -> Option<usize> {
        self.levels.borrow().iter().position(|level| level.serial == serial)
    }

    /// It is over, and so are those inside.
    pub fn cut(&self, place: usize) {
        self.levels.borrow_mut().truncate(place);
    }
}
