//! Iterators over files: values are read many at once on the blocking pool, and a step of the loop is a step in a table.

use std::cell::Cell;
use std::rc::Rc;

use mlua::{Function, Lua, Value};

use super::lent::Slot;
use crate::lua::error::{Carried, LibError};
use crate::lua::module::waiting_iterator;
use crate::lua::pool::{self, Stop};
use crate::lua::tape::{self, Open, Tape};

/// Values that are read at once.
const MOST_VALUES: usize = 1_000;
/// A batch ends with the value that brings it here.
const MOST_BYTES: usize = 1 << 20;

/// Where the values come from.
pub(super) trait Source: Send + 'static {
    /// Adds values until the batch is full; adds none at the end.
    ///
    /// # Errors
    /// What is wrong with the next value. It is raised behind those that were added.
    fn fill(&mut self, batch: &mut Batch) -> Result<(), LibError>;
}

/// Values on their way to Lua.
pub(super) struct Batch {
    /// Of the values.
    pub tape: Tape,
    open: Open,
    count: usize,
    bounded: bool,
}

impl Batch {
    fn new(bounded: bool) -> Self {
        let mut tape = Tape::default();
        let open = tape.open_array();
        Self { tape, open, count: 0, bounded }
    }

    /// Whether it takes no more.
    pub fn is_full(&self) -> bool {
        self.bounded && (self.count >= MOST_VALUES || self.tape.len() >= MOST_BYTES)
    }

    /// Counts a value that was written to the tape.
    pub fn add(&mut self) {
        self.count += 1;
    }

    /// From now on the values are rows with these keys.
    pub fn rows_of(&mut self, names: &[Vec<u8>]) {
        self.tape.truncate(0);
        self.open = self.tape.open_rows(names);
    }

    /// Writes a value, and takes back what was written of a wrong one.
    ///
    /// # Errors
    /// Those of `write`.
    pub fn value(&mut self, write: impl FnOnce(&mut Tape) -> Result<(), LibError>) -> Result<(), LibError> {
        let start = self.tape.len();
        let written = write(&mut self.tape);
        match written {
            Ok(()) => self.add(),
            Err(_) => self.tape.truncate(start),
        }
        written
    }
}

struct Feed<S> {
    source: S,
    /// To be raised when the values before it are used up.
    failed: Option<Carried>,
}

impl<S: Source> Feed<S> {
    fn next(&mut self, stop: &Stop) -> Result<(Tape, usize), LibError> {
        stop.check()?;
        if let Some(failed) = self.failed.take() {
            return Err(failed.into());
        }
        let mut batch = Batch::new(true);
        if let Err(error) = self.source.fill(&mut batch) {
            if batch.count == 0 {
                return Err(error);
            }
            self.failed = Some(error.carry());
        }
        batch.tape.close(batch.open, batch.count)?;
        Ok((batch.tape, batch.count))
    }
}

/// All values in one array.
///
/// # Errors
/// Those of the source.
pub(super) fn all(mut source: impl Source) -> Result<Tape, LibError> {
    let mut batch = Batch::new(false);
    source.fill(&mut batch)?;
    batch.tape.close(batch.open, batch.count)?;
    Ok(batch.tape)
}

/// The function for the generic `for`: gives a value and its number, nil at the end. `op` is what errors name.
///
/// # Errors
/// When Lua has no memory left.
pub(super) fn iterator<S: Source>(
    lua: &Lua,
    op: &'static str,
    source: S,
    null: Value,
) -> Result<Function, LibError> {
    let feed = Rc::new(Slot::new("the iterator", Some(Feed { source, failed: None })));
    let given = Rc::new(Cell::new(0usize));
    let refill = waiting_iterator(lua, op, move |lua| {
        let (lua, feed, given, null) = (lua.clone(), Rc::clone(&feed), Rc::clone(&given), null.clone());
        async move {
            let mut lent = feed.lend()?;
            let Some(mut taken) = lent.take() else {
                return Err(LibError::invalid("the iterator was left in the middle of a wait"));
            };
            let work = pool::run(&lua, move |stop| {
                let next = taken.next(stop);
                Ok((taken, next.map_err(LibError::carry)))
            });
            let (taken, next) = work.await?;
            *lent = Some(taken);
            let (tape, count) = next?;
            let before = given.replace(given.get() + count);
            Ok((tape::push(&lua, &tape, &null)?, count, before))
        }
    })?;
    Ok(lua.load(include_str!("batches.lua")).set_name("=mpms").call(refill)?)
}
