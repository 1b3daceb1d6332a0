#![expect(
    unsafe_code,
    reason = "a cursor outlives the call that made it, and a statement borrows its connection; both go to the pool together"
)]
//! A connection with the cursors that are open on it.

use std::collections::{BTreeMap, VecDeque};
use std::mem;
use std::rc::Rc;
use std::sync::Arc;

use rusqlite::{Connection, Statement};

use super::cells::{Columns, Layout, Reading, Rows};
use super::error;
use super::params::Params;
use crate::lua::error::LibError;
use crate::lua::pool::Stop;

/// What open cursors may hold in memory before a statement that writes.
const MOST_AHEAD: usize = if cfg!(test) { 4 << 20 } else { 256 << 20 };
/// Sets of columns that are kept.
const MOST_NAMES: usize = 8;
/// Rows between two looks at the stop.
const TURN: usize = 1024;

/// They go from thread to thread together.
pub(super) struct Parts {
    cursors: BTreeMap<u64, Cursor>,
    last: u64,
    pub columns: Names,
    pub connection: Rc<Connection>,
}

// SAFETY: the counts of the `Rc` are only touched through the one `Parts` that all its clones live in: `connection()`
// gives a clone to the caller for the time of a call, on the thread that has the `&mut Parts`. SQLite is built with
// threads, so a connection with its statements may be used by one thread after the other.
unsafe impl Send for Parts {}

/// A query that is not at its end.
struct Cursor {
    /// Before the connection that it borrows, so that it is dropped before.
    statement: Statement<'static>,
    columns: Columns,
    layout: Layout,
    /// Read already, when others wanted to write.
    ahead: Option<Rows>,
    is_over: bool,
    _connection: Rc<Connection>,
}

impl Parts {
    pub fn new(connection: Connection) -> Self {
        Self { cursors: BTreeMap::new(), last: 0, columns: Names::default(), connection: Rc::new(connection) }
    }

    /// Begins to read; its number is for [`read`](Self::read).
    pub fn open(&mut self, sql: &str, params: &Params, layout: Layout, stop: &Stop) -> Result<u64, LibError> {
        let connection = Rc::clone(&self.connection);
        let mut statement = prepare(&connection, sql)?;
        params.bind(&mut statement)?;
        let writes = !statement.readonly();
        if writes {
            self.settle(stop)?;
        }
        let columns = self.columns.of(&statement);
        // SAFETY: the statement borrows the connection, which the cursor keeps alive: its `Rc` is dropped after the
        // statement, and what it points to does not move
        let statement = unsafe { mem::transmute::<Statement<'_>, Statement<'static>>(statement) };
        let cursor =
            Cursor { statement, columns, layout, ahead: None, is_over: false, _connection: connection };
        self.last += 1;
        self.cursors.insert(self.last, cursor);
        if writes {
            // one that is not at its end would keep its changes from being committed
            self.settle(stop)?;
        }
        Ok(self.last)
    }

    /// The next rows, about `rows` of them or `weight` bytes; none at the end. A cursor that fails is closed.
    pub fn read(
        &mut self,
        number: u64,
        rows: usize,
        weight: usize,
        stop: &Stop,
    ) -> Result<Option<Rows>, LibError> {
        let Some(cursor) = self.cursors.get_mut(&number) else { return Ok(None) };
        if let Some(ahead) = cursor.ahead.take() {
            return Ok(Some(ahead));
        }
        let read = if cursor.is_over { Ok(None) } else { cursor.read(rows, weight, stop) };
        if cursor.is_over || read.is_err() {
            self.close(number);
        }
        Ok(read?.filter(|rows| rows.count > 0))
    }

    pub fn close(&mut self, number: u64) {
        self.cursors.remove(&number);
    }

    /// Reads the open cursors to their ends: they see what was there before the statement that comes, and keep it from
    /// nothing. A reader whose snapshot is old could not write at all.
    pub fn settle(&mut self, stop: &Stop) -> Result<(), LibError> {
        let mut left = MOST_AHEAD;
        for cursor in self.cursors.values_mut().filter(|cursor| !cursor.is_over) {
            if cursor.ahead.is_none() {
                cursor.ahead = cursor.read(usize::MAX, left, stop)?.filter(|rows| rows.count > 0);
                left = left.saturating_sub(cursor.ahead.as_ref().map_or(0, Rows::weight));
            }
            if !cursor.is_over {
                return Err(LibError::new(
                    "too_large",
                    format!(
                        "a loop over db:rows is open that has more than {} MiB of rows to come, and this call writes: \
                         read by keys (`WHERE id > ? LIMIT 1000`), or write through another connection",
                        MOST_AHEAD >> 20
                    ),
                ));
            }
        }
        Ok(())
    }

    /// Closes all; what SQLite says of it.
    pub fn close_all(mut self) -> rusqlite::Result<()> {
        self.cursors.clear();
        match Rc::try_unwrap(self.connection) {
            Ok(connection) => connection.close().map_err(|(_, error)| error),
            Err(_) => Ok(()),
        }
    }

    /// In a process that did not open it nothing may be closed: SQLite would touch the files of the other.
    pub fn forget(self) {
        mem::forget(self);
    }
}

impl Cursor {
    fn read(&mut self, most: usize, weight: usize, stop: &Stop) -> Result<Option<Rows>, LibError> {
        let mut read = Reading::new(Arc::clone(&self.columns), self.layout);
        let mut rows = self.statement.raw_query();
        let done = loop {
            if read.count == most || read.weight() > weight {
                break Ok(());
            }
            if read.count.is_multiple_of(TURN)
                && let Err(error) = stop.check()
            {
                break Err(error);
            }
            match rows.next() {
                Ok(Some(row)) => {
                    if let Err(error) = read.add(row) {
                        break Err(error);
                    }
                }
                Ok(None) => {
                    self.is_over = true;
                    break Ok(());
                }
                Err(reason) => break Err(error::of(&reason)),
            }
        };
        // dropped, it would begin anew at the next call
        mem::forget(rows);
        done.and_then(|()| read.finish().map(Some))
    }
}

/// A statement, which must be one.
pub(super) fn prepare<'a>(connection: &'a Connection, sql: &str) -> Result<Statement<'a>, LibError> {
    let statement = connection.prepare(sql).map_err(|reason| error::of_text(&reason))?;
    must_be_some(&statement)?;
    Ok(statement)
}

/// SQLite makes no statement of blanks and comments.
pub(super) fn must_be_some(statement: &Statement<'_>) -> Result<(), LibError> {
    let may_be_none = statement.column_count() == 0 && statement.readonly();
    match may_be_none && statement.expanded_sql().is_none() {
        false => Ok(()),
        true => Err(LibError::parse("there is no statement in the text")),
    }
}

/// The columns of the latest queries: most are asked again and again.
#[derive(Default)]
pub(super) struct Names(VecDeque<Columns>);

impl Names {
    /// As the statement has them now.
    pub fn of(&mut self, statement: &Statement<'_>) -> Columns {
        let count = statement.column_count();
        let name = |at| statement.column_name(at).unwrap_or_default().as_bytes();
        let are_those =
            |kept: &&Columns| kept.len() == count && kept.iter().enumerate().all(|(at, one)| one == name(at));
        if let Some(kept) = self.0.iter().find(are_those) {
            return Arc::clone(kept);
        }
        let columns: Columns = (0..count).map(|at| name(at).to_vec()).collect();
        self.0.truncate(MOST_NAMES - 1);
        self.0.push_front(Arc::clone(&columns));
        columns
    }
}
