//! Rows to a file or to standard output, as they come.
//!
//! A row is one encoded value. Rows stay in memory until [`Sink::flush`] (or 64 KiB of them), which the caller
//! asks for about every 50 ms, and are then visible in the file: a run that is stopped leaves the rows that it has
//! written. For the same reason `overwrite` empties the file when it is opened, and does not wait with a
//! temporary file for an end that may never come. Nothing is written on drop.

mod columns;
mod csv;
mod error;
mod json;
mod target;

pub use error::{OutputError, RowError};

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, ErrorKind, Write};

use crate::output::csv::Csv;
use crate::output::json::{Json, Layout};
use crate::plan::{OutputFormat, OutputPlan};
use crate::wire::json::token::{self, Token};
use crate::wire::value::{ARRAY, Malformed};
use crate::wire::varint;

/// Rows are written once there is so much of them: 64 KiB.
const BUFFER: usize = 64 << 10;

/// Where the rows of a run go.
pub struct Sink {
    file: File,
    name: String,
    /// Whether it is on a disk, where writing can still fail at the end.
    on_disk: bool,
    format: Format,
    buffer: Vec<u8>,
    rows: u64,
}

enum Format {
    Json(Json),
    Csv(Csv),
}

impl Sink {
    /// Opens the output, and makes the folders of its path.
    ///
    /// # Errors
    /// When the file exists and the mode does not allow that, or it cannot be opened or continued.
    pub fn open(plan: &OutputPlan) -> Result<Self, OutputError> {
        let (target, mut before) = target::open(plan)?;
        let fields = plan.fields.as_deref();
        let format = match plan.format {
            OutputFormat::Jsonl => Format::Json(Json::new(Layout::Lines, fields)),
            OutputFormat::Json => Format::Json(Json::new(Layout::Array, fields)),
            OutputFormat::Csv => Format::Csv(Csv::new(fields, before.header.take(), &target.name)?),
        };
        let buffer = if before.ends_within_line { vec![b'\n'] } else { Vec::new() };
        Ok(Sink { file: target.file, name: target.name, on_disk: target.on_disk, format, buffer, rows: 0 })
    }

    /// Adds a row: one encoded value.
    ///
    /// # Errors
    /// When the row does not fit into the output (nothing of it is written then, and the sink stays good), or
    /// as [`Sink::flush`].
    pub fn write_row(&mut self, row: &[u8]) -> Result<(), OutputError> {
        let start = self.buffer.len();
        let appended = match &mut self.format {
            Format::Json(json) => json.append(&mut self.buffer, row, self.rows == 0),
            Format::Csv(csv) => csv.append(&mut self.buffer, row),
        };
        if let Err(source) = appended {
            self.buffer.truncate(start);
            return Err(OutputError::Row { path: self.name.clone(), row: self.rows + 1, source });
        }
        self.rows += 1;
        if self.buffer.len() >= BUFFER { self.flush() } else { Ok(()) }
    }

    /// Hands all rows so far to the system.
    ///
    /// # Errors
    /// [`OutputError::Closed`] when the reader of a pipe is gone, else why the file cannot be written. Rows
    /// that were not written are kept, so that a later call goes on where this one ended.
    pub fn flush(&mut self) -> Result<(), OutputError> {
        let mut written = 0;
        let result = loop {
            if written == self.buffer.len() {
                break Ok(());
            }
            match self.file.write(&self.buffer[written..]) {
                Ok(0) => break Err(ErrorKind::WriteZero.into()),
                Ok(count) => written += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        self.buffer.drain(..written);
        result.map_err(|error| self.unwritable(error))
    }

    /// Writes what is left, ends the document, and waits until a file is on its disk. Returns the rows written.
    ///
    /// # Errors
    /// As [`Sink::flush`].
    pub fn finish(mut self) -> Result<u64, OutputError> {
        if let Format::Json(json) = &self.format {
            json.end(&mut self.buffer, self.rows == 0);
        }
        self.flush()?;
        if self.on_disk {
            self.file.sync_data().map_err(|error| self.unwritable(error))?;
        }
        Ok(self.rows)
    }

    /// Rows taken so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// What messages call the output: its path, or `standard output`.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn unwritable(&self, source: io::Error) -> OutputError {
        if source.kind() == ErrorKind::BrokenPipe {
            return OutputError::Closed { path: self.name.clone() };
        }
        OutputError::Write { path: self.name.clone(), row: self.rows, source }
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
mod tests;
