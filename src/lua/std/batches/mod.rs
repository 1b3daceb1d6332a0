//! Iterators whose items are read many at once, so that an item costs what it costs Lua to take it from a list.
//!
//! A [`Source`] is read on the blocking pool and gives its items on a tape; [`over`] makes the loop over it. What is not
//! read by a source has a function of its own that fills, for [`steps`].

use std::rc::Rc;

use mlua::{AnyUserData, Function, Lua, UserDataRef, Value};

use super::lent::Slot;
use crate::lua::error::{Carried, LibError};
use crate::lua::module::{Methods, object};
use crate::lua::pool::{self, Stop};
use crate::lua::tape::{self, Open, Tape};

mod steps;
#[cfg(test)]
mod tests;

pub(super) use steps::{Filled, steps};

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

/// What the iterator gives at each step.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Gives {
    /// The value.
    Value,
    /// The value and its number.
    Numbered,
    /// Two values, which follow each other in the batch.
    Pair,
    /// The value, and what was filled with it.
    With,
}

/// Values on their way to Lua.
pub(super) struct Batch {
    /// Of the values.
    pub tape: Tape,
    open: Open,
    count: usize,
    /// Of the work that fills it; none: all values come into this one.
    stop: Option<Stop>,
}

impl Batch {
    /// An empty one.
    pub fn new(stop: Option<Stop>) -> Self {
        let mut tape = Tape::default();
        let open = tape.open_array();
        Self { tape, open, count: 0, stop }
    }

    /// Whether it takes no more.
    pub fn is_full(&self) -> bool {
        self.stop.is_some() && (self.count >= MOST_VALUES || self.tape.len() >= MOST_BYTES)
    }

    /// To be asked now and then where one value takes long.
    ///
    /// # Errors
    /// `cancelled` when nobody waits for it any more.
    pub fn check(&self) -> Result<(), LibError> {
        self.stop.as_ref().map_or(Ok(()), Stop::check)
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

    /// Adds a string.
    pub fn text(&mut self, text: &[u8]) {
        self.tape.text(text);
        self.count += 1;
    }

    fn close(mut self) -> Result<(Tape, usize), LibError> {
        self.tape.close(self.open, self.count)?;
        Ok((self.tape, self.count))
    }

    /// As Lua has it; none when it is empty.
    ///
    /// # Errors
    /// When Lua has no memory left.
    pub fn filled(self, lua: &Lua) -> Result<Option<Filled>, LibError> {
        let (tape, count) = self.close()?;
        filled(lua, &tape, count, Gives::Value, &Value::Nil)
    }
}

fn filled(
    lua: &Lua,
    tape: &Tape,
    count: usize,
    gives: Gives,
    null: &Value,
) -> Result<Option<Filled>, LibError> {
    if count == 0 {
        return Ok(None);
    }
    let count = if gives == Gives::Pair { count / 2 } else { count };
    Ok(Some(Filled { values: tape::push(lua, tape, null)?, count, with: Value::Nil }))
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
        let mut batch = Batch::new(Some(stop.clone()));
        if let Err(error) = self.source.fill(&mut batch) {
            if batch.count == 0 {
                return Err(error);
            }
            self.failed = Some(error.carry());
        }
        batch.close()
    }
}

/// All values in one array.
///
/// # Errors
/// Those of the source.
pub(super) fn all(mut source: impl Source) -> Result<Tape, LibError> {
    let mut batch = Batch::new(None);
    source.fill(&mut batch)?;
    Ok(batch.close()?.0)
}

/// For the generic `for`: the last of the four is closed when the loop is left.
pub(super) type Loop = (Function, Value, Value, AnyUserData);

/// What the end of a loop closes.
struct Closer(Box<dyn Fn()>);

/// The loop over a source, which is closed at its end too. `op` is what errors name.
///
/// # Errors
/// When Lua has no memory left.
pub(super) fn over<S: Source>(
    lua: &Lua,
    op: &'static str,
    gives: Gives,
    source: S,
    null: Value,
) -> Result<Loop, LibError> {
    let feed = Rc::new(Slot::new("the iterator", Some(Feed { source, failed: None })));
    let read = Rc::clone(&feed);
    let next = steps(lua, op, gives, move |lua| {
        let (lua, feed, null) = (lua.clone(), Rc::clone(&read), null.clone());
        async move {
            if feed.is_closed() {
                return Ok(None);
            }
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
            let filled = filled(&lua, &tape, count, gives, &null)?;
            if filled.is_none() {
                feed.close();
            }
            Ok(filled)
        }
    })?;
    until_left(lua, next, move || drop(feed.close()))
}

/// The function alone, which gives a value and its number.
///
/// # Errors
/// As [`over`].
pub(super) fn iterator<S: Source>(
    lua: &Lua,
    op: &'static str,
    source: S,
    null: Value,
) -> Result<Function, LibError> {
    Ok(over(lua, op, Gives::Numbered, source, null)?.0)
}

/// For a loop that calls `next`; `close` is called when it is left, in whatever way.
///
/// # Errors
/// When Lua has no memory left.
pub(super) fn until_left(lua: &Lua, next: Function, close: impl Fn() + 'static) -> Result<Loop, LibError> {
    /// The kind of object is known to the state.
    struct Known;
    if lua.app_data_ref::<Known>().is_none() {
        Methods::new(lua, "Loop")
            .method("close()", |_, closer: UserDataRef<Closer>| {
                (closer.0)();
                Ok(())
            })
            .userdata::<Closer>()?;
        lua.set_app_data(Known);
    }
    Ok((next, Value::Nil, Value::Nil, object(lua, Closer(Box::new(close)))?))
}
