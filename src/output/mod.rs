//! Rows to a file or to standard output, as they come.
//!
//! A row is one encoded value. Rows stay in memory until [`Sink::flush`] or [`Sink::commit`] (or 64 KiB of them), and
//! are then visible in the file: a run that is stopped leaves the rows that it has written. For the same reason
//! `overwrite` empties the file when it is opened, and does not wait with a temporary file for an end that may never
//! come. Nothing is written on drop.
//!
//! A run that can be resumed keeps the [`OutputMark`] of each commit; [`Sink::open_resumed`] takes everything behind it
//! away, so that no row is torn, doubled or missing. Standard output, pipes and devices take nothing back: there rows
//! are written before they are committed, a resume may write the last group again, and each session writes a document
//! of its own (with its own header or brackets).

mod columns;
mod csv;
mod error;
mod json;
mod sqlite;
mod target;
mod text;

pub use error::{OutputError, RowError};

use std::borrow::Cow;
use std::io::{self, ErrorKind};

use crate::journal::record::OutputMark;
use crate::output::sqlite::Sqlite;
use crate::output::target::Begin;
use crate::output::text::Text;
use crate::plan::{OutputFormat, OutputPlan};
use crate::wire::json::token::{self, Token};
use crate::wire::value::{ARRAY, Malformed};
use crate::wire::varint;

/// Where the rows of a run go.
pub struct Sink {
    name: String,
    rows: u64,
    out: Out,
}

enum Out {
    Text(Text),
    Sqlite(Box<Sqlite>),
}

impl Sink {
    /// Opens the output, and makes the folders of its path.
    ///
    /// # Errors
    /// When the file exists and the mode does not allow that, or it cannot be opened or continued.
    pub fn open(plan: &OutputPlan) -> Result<Self, OutputError> {
        Self::open_as(plan, Begin::New)
    }

    /// Opens the output of a run that goes on, and takes away what is behind the mark of its last commit. Without a mark
    /// no row was committed.
    ///
    /// # Errors
    /// When the file is not what was committed any more, or it cannot be opened.
    pub fn open_resumed(plan: &OutputPlan, mark: Option<OutputMark>) -> Result<Self, OutputError> {
        Self::open_as(plan, Begin::Again(mark))
    }

    fn open_as(plan: &OutputPlan, begin: Begin) -> Result<Self, OutputError> {
        let out = match plan.format {
            OutputFormat::Sqlite => Out::Sqlite(Box::new(Sqlite::open(plan, begin)?)),
            _ => Out::Text(Text::open(plan, begin)?),
        };
        Ok(Sink { name: plan.name.clone(), rows: begin.rows(), out })
    }

    /// Adds a row: one encoded value.
    ///
    /// # Errors
    /// When the row does not fit into the output (nothing of it is written then, and the sink stays good), or
    /// as [`Sink::flush`].
    pub fn write_row(&mut self, row: &[u8]) -> Result<(), OutputError> {
        let number = self.rows + 1;
        match &mut self.out {
            Out::Text(text) => {
                let unfit = |source| OutputError::Row { path: self.name.clone(), row: number, source };
                text.add(row).map_err(unfit)?;
            }
            Out::Sqlite(sqlite) => sqlite.add(row, number)?,
        }
        self.rows = number;
        if let Out::Text(text) = &self.out
            && text.is_full()
        {
            return self.flush();
        }
        Ok(())
    }

    /// Hands all rows so far to the system.
    ///
    /// # Errors
    /// [`OutputError::Closed`] when the reader of a pipe is gone, else why the file cannot be written. Rows
    /// that were not written are kept, so that a later call goes on where this one ended.
    pub fn flush(&mut self) -> Result<(), OutputError> {
        let done = match &mut self.out {
            Out::Text(text) => text.flush(),
            Out::Sqlite(sqlite) => return sqlite.commit(self.rows).map(drop),
        };
        done.map_err(|error| self.unwritable(error))
    }

    /// The same, and waits until a file is on its disk. Where it ends now is to be kept; before that, nothing of it
    /// counts.
    ///
    /// # Errors
    /// As [`Sink::flush`]. Nothing may be written any more then: after a failed sync nobody knows what is on the disk.
    pub fn commit(&mut self) -> Result<OutputMark, OutputError> {
        let position = match &mut self.out {
            Out::Text(text) => text.sync(),
            Out::Sqlite(sqlite) => {
                return sqlite.commit(self.rows).map(|position| OutputMark { position, rows: self.rows });
            }
        };
        let position = position.map_err(|error| self.unwritable(error))?;
        Ok(OutputMark { position, rows: self.rows })
    }

    /// Writes what is left, ends the document behind the last mark, and waits until a file is on its disk. Returns the
    /// rows written in all sessions.
    ///
    /// # Errors
    /// As [`Sink::flush`].
    pub fn finish(self) -> Result<u64, OutputError> {
        let Sink { name, rows, out } = self;
        match out {
            Out::Text(text) => text.finish().map_err(|error| unwritable(&name, rows, error))?,
            Out::Sqlite(sqlite) => sqlite.finish(rows)?,
        }
        Ok(rows)
    }

    /// Rows taken so far, those of earlier sessions included.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// What messages call the output: its path, or `standard output`.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn unwritable(&self, source: io::Error) -> OutputError {
        unwritable(&self.name, self.rows, source)
    }
}

fn unwritable(name: &str, row: u64, source: io::Error) -> OutputError {
    let path = name.to_owned();
    match source.kind() {
        ErrorKind::BrokenPipe => OutputError::Closed { path },
        _ => OutputError::Write { path, row, source },
    }
}

/// The row that a result is when nothing emits and nothing handles: a single value as it is, several as an
/// array, and none when the worker returned nothing but nil.
///
/// # Errors
/// When the list is no value code.
pub fn row_of_result(list: &[u8]) -> Result<Option<Cow<'_, [u8]>>, Malformed> {
    let at = &mut 0;
    let count = if list.is_empty() { 0 } else { varint::take(list, at)? };
    let first = *at;
    let mut some = false;
    for _ in 0..count {
        let start = *at;
        token::skip(list, at)?;
        some |= token::take(list, &mut { start })? != Token::Nil;
    }
    if *at != list.len() {
        return Err(Malformed::Rest);
    }
    Ok(match count {
        _ if !some => None,
        1 => Some(Cow::Borrowed(&list[first..])),
        // A list is the code of an array without the tag.
        _ => Some(Cow::Owned([&[ARRAY], list].concat())),
    })
}

#[cfg(test)]
mod marks;
#[cfg(test)]
mod sqlite_tests;
#[cfg(test)]
mod tests;
