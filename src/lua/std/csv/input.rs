//! What the parser reads, watched.

use std::io::{self, Read};

use encoding_rs::Encoding;

use crate::lua::std::transcode::Transcode;

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
