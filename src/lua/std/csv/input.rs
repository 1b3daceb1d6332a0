//! Where bytes come from: a file by its path, or a text at hand. What is read is watched.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::PathBuf;

use encoding_rs::Encoding;
use mlua::Value;

use crate::lua::error::LibError;
use crate::lua::std::path;
use crate::lua::std::transcode::Transcode;

/// A string is a path; a table holds the text itself.
pub(in crate::lua::std) enum Source {
    Path(PathBuf),
    Text(Vec<u8>),
}

impl Source {
    /// # Errors
    /// When it is neither.
    pub fn of(value: &Value, op: &str) -> Result<Self, LibError> {
        let wrong = || {
            let text = format!("argument 1 (source) must be a path, or a text as in {op}{{ text = … }}");
            LibError::invalid(text)
        };
        match value {
            Value::String(name) => Ok(Self::Path(path::of(name))),
            Value::Table(table) => {
                let Value::String(text) = table.raw_get::<Value>("text")? else { return Err(wrong()) };
                let text = text.as_bytes().to_vec();
                let more = table.pairs::<Value, Value>().count() > 1;
                if more { Err(wrong()) } else { Ok(Self::Text(text)) }
            }
            _ => Err(wrong()),
        }
    }

    /// The path of a file, for errors.
    pub fn path(&self) -> Option<PathBuf> {
        match self {
            Self::Path(path) => Some(path.clone()),
            Self::Text(_) => None,
        }
    }

    /// # Errors
    /// What the system says.
    pub fn open(self) -> Result<Box<dyn Read + Send>, LibError> {
        Ok(match self {
            Self::Path(path) => {
                let file = File::open(&path).map_err(|error| LibError::file(&error, &path))?;
                if file.metadata().is_ok_and(|facts| facts.is_dir()) {
                    return Err(LibError::new("is_directory", "is a directory").path(path));
                }
                Box::new(file)
            }
            Self::Text(text) => Box::new(Cursor::new(text)),
        })
    }
}

/// Counts what the parser takes: a quote that is never closed must not take the whole file into one row.
pub(super) struct Watched {
    inner: Transcode<Box<dyn Read + Send>>,
    quote: Option<u8>,
    /// Of all that was read.
    pub quotes: u64,
    /// Whether the first line ends so.
    pub crlf: bool,
    seen_line: bool,
    /// Bytes since the last row.
    since: u64,
    most: u64,
}

/// What [`Watched`] says for a row that is too long.
pub(super) const TOO_LONG: &str = "row too long";

impl Watched {
    pub fn new(
        inner: Box<dyn Read + Send>,
        encoding: Option<&'static Encoding>,
        quote: Option<u8>,
        most: u64,
    ) -> Self {
        let inner = Transcode::new(inner, move |_| Ok(encoding));
        Self { inner, quote, quotes: 0, crlf: false, seen_line: false, since: 0, most }
    }

    /// A row was complete.
    pub fn row(&mut self) {
        self.since = 0;
    }
}

impl Read for Watched {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // the parser reads ahead by one buffer
        if self.since > self.most.saturating_add(buffer.len() as u64) {
            return Err(io::Error::other(TOO_LONG));
        }
        let count = self.inner.read(buffer)?;
        self.since += count as u64;
        if !self.seen_line
            && let Some(at) = buffer[..count].iter().position(|byte| *byte == b'\n')
        {
            self.seen_line = true;
            self.crlf = at > 0 && buffer[at - 1] == b'\r';
        }
        if let Some(quote) = self.quote {
            self.quotes += buffer[..count].iter().filter(|byte| **byte == quote).count() as u64;
        }
        Ok(count)
    }
}
