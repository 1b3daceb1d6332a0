//! What the data formats share: whole files in and out on the blocking pool, and places in texts.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use bytesize::ByteSize;
use mlua::{Lua, Table, Value};

use super::fs;
use crate::lua::error::LibError;
use crate::lua::options::Options;
use crate::lua::tape::{self, Tape};
use crate::lua::{outside, pool};

/// Of a file that is read as a whole, unless `max_size` says otherwise.
const MOST_BYTES: u64 = 256 << 20;

/// How a file is read.
pub(super) struct Reading {
    max_size: u64,
    null: Value,
}

impl Reading {
    /// # Errors
    /// On wrong options.
    pub fn read(options: Option<Table>) -> Result<Self, LibError> {
        let mut options = Options::new(options);
        let max_size = options.size("max_size")?.unwrap_or(MOST_BYTES);
        let null = null(&mut options)?;
        options.finish()?;
        Ok(Self { max_size, null })
    }

    /// For formats that have no null.
    ///
    /// # Errors
    /// On wrong options.
    pub fn without_null(options: Option<Table>) -> Result<Self, LibError> {
        let mut options = Options::new(options);
        let max_size = options.size("max_size")?.unwrap_or(MOST_BYTES);
        options.finish()?;
        Ok(Self { max_size, null: Value::NULL })
    }
}

/// What the nulls of a text become.
///
/// # Errors
/// When Lua has no memory left.
pub(super) fn null(options: &mut Options) -> Result<Value, LibError> {
    Ok(options.value("null")?.unwrap_or(Value::NULL))
}

/// The value of a whole file.
///
/// # Errors
/// What the system says, `too_large`, and what `decode` says.
pub(super) async fn read(
    lua: Lua,
    path: PathBuf,
    how: Reading,
    decode: impl FnOnce(&[u8]) -> Result<Tape, LibError> + Send + 'static,
) -> Result<Value, LibError> {
    let most = how.max_size;
    let room = outside::room(&lua, most as usize)? as u64;
    let work = pool::run(&lua, move |stop| {
        let bytes = bytes_of(&path, most, room)?;
        stop.check()?;
        decode(&bytes).map_err(|error| error.path(&path))
    });
    let tape = work.await?;
    tape::push(&lua, &tape, &how.null)
}

/// # Errors
/// What the system says; `too_large` beyond `most`, `memory` beyond `room`.
fn bytes_of(path: &Path, most: u64, room: u64) -> Result<Vec<u8>, LibError> {
    let wrong = |error: std::io::Error| LibError::file(&error, path);
    let file = File::open(path).map_err(wrong)?;
    let expected = file.metadata().map_err(wrong)?.len().min(most).min(room);
    let mut bytes = Vec::with_capacity(expected as usize + 1);
    file.take(most.min(room).saturating_add(1)).read_to_end(&mut bytes).map_err(wrong)?;
    if bytes.len() as u64 > most {
        let text = format!("the file is larger than `max_size` ({})", ByteSize::b(most));
        return Err(LibError::new("too_large", text).path(path));
    }
    if bytes.len() as u64 > room {
        return Err(LibError::new("memory", "not enough memory for the file").path(path));
    }
    Ok(bytes)
}

/// Writes a whole file as `fs.write` does, its text made on the way.
///
/// # Errors
/// What the system says, and what `encode` says.
pub(super) async fn write(
    lua: Lua,
    path: PathBuf,
    how: fs::WriteOptions,
    encode: impl FnOnce() -> Result<Vec<u8>, LibError> + Send + 'static,
) -> Result<(), LibError> {
    let work = pool::run(&lua, move |stop| {
        let text = encode().map_err(|error| error.path(&path))?;
        stop.check()?;
        fs::write(&path, &text, &how)
    });
    work.await
}

/// The text, without a byte order mark.
///
/// # Errors
/// `parse` with the place of what is not UTF-8.
pub(super) fn utf8(bytes: &[u8]) -> Result<&str, LibError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    std::str::from_utf8(bytes).map_err(|error| {
        let text = "the text is not UTF-8";
        LibError::parse(format!("{text} at {}", place(bytes, error.valid_up_to())))
    })
}

/// `line 3 column 5`, both from 1; columns are characters.
pub(super) fn place(text: &[u8], at: usize) -> String {
    let before = &text[..at.min(text.len())];
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let column = String::from_utf8_lossy(&before[start..]).chars().count() + 1;
    format!("line {line} column {column}")
}
