//! Files and standard input, line by line and with a limit.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};

use crate::plan::Input;
use crate::source::SourceError;
use crate::wire::value::MAX_BYTES;

/// Longest line or record in bytes; with its tags it still fits into a task of 64 MiB.
pub const MAX_RECORD: usize = MAX_BYTES - 64;

const BUFFER: usize = 64 << 10;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// What messages call the input.
pub fn name(input: &Input) -> String {
    match input {
        Input::File(path) => path.display().to_string(),
        Input::Stdin => "standard input".into(),
    }
}

/// Opens the file.
///
/// # Errors
/// When it cannot be opened.
pub fn open(input: &Input) -> Result<Box<dyn Read + Send>, SourceError> {
    match input {
        Input::Stdin => Ok(Box::new(io::stdin())),
        Input::File(path) => match File::open(path) {
            Ok(file) => Ok(Box::new(file)),
            Err(source) => Err(SourceError::Open { path: path.clone(), source }),
        },
    }
}

/// Lines as bytes, without their end, counted. A byte order mark before the first is dropped.
pub struct LineReader {
    inner: BufReader<Box<dyn Read + Send>>,
    name: String,
    number: u64,
    longest: usize,
}

impl LineReader {
    /// # Errors
    /// When the file cannot be opened.
    pub fn open(input: &Input) -> Result<Self, SourceError> {
        Ok(LineReader::new(open(input)?, name(input), MAX_RECORD))
    }

    /// Over any reader, with another limit.
    pub fn new(inner: Box<dyn Read + Send>, name: String, longest: usize) -> Self {
        LineReader { inner: BufReader::with_capacity(BUFFER, inner), name, number: 0, longest }
    }

    /// The next line that is not empty, into `line`; false at the end.
    ///
    /// # Errors
    /// When the input cannot be read, or the line is too long.
    pub fn next(&mut self, line: &mut Vec<u8>) -> Result<bool, SourceError> {
        loop {
            line.clear();
            self.number += 1;
            // two bytes more than the longest line, for its end
            let read = self.inner.by_ref().take(self.longest as u64 + 2).read_until(b'\n', line);
            if read.map_err(|source| SourceError::Read { place: self.place(), source })? == 0 {
                return Ok(false);
            }
            if line.last() == Some(&b'\n') {
                line.pop();
                if line.last() == Some(&b'\r') {
                    line.pop();
                }
            }
            if line.len() > self.longest {
                return Err(SourceError::TooLong { place: self.place() });
            }
            if self.number == 1 && line.starts_with(BYTE_ORDER_MARK) {
                line.drain(..BYTE_ORDER_MARK.len());
            }
            if !line.is_empty() {
                return Ok(true);
            }
        }
    }

    /// Whether a whole line is in the buffer.
    pub fn is_ready(&self) -> bool {
        self.inner.buffer().contains(&b'\n')
    }

    /// File and line.
    pub fn place(&self) -> String {
        format!("{}:{}", self.name, self.number)
    }

    /// What messages call the input.
    pub fn name(&self) -> &str {
        &self.name
    }
}
