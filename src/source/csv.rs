//! `csv`: a task a row, as a table whose names are the header's and whose values are strings. RFC 4180 with a
//! header; `\n` and `\r\n` end rows, empty lines are no rows.

use std::collections::HashMap;
use std::io::{self, Read};

use csv::{ByteRecord, ReaderBuilder};

use crate::plan::Input;
use crate::source::SourceError;
use crate::source::input::{self, MAX_RECORD};
use crate::source::stream::Records;
use crate::wire::value::{MAP, encode_bytes};
use crate::wire::varint;

/// Rows as tasks.
pub struct Csv {
    reader: csv::Reader<Counted>,
    name: String,
    /// The names of the header, encoded.
    columns: Vec<Vec<u8>>,
    row: ByteRecord,
}

impl Csv {
    /// Opens the file and reads the header.
    ///
    /// # Errors
    /// When the file cannot be read, or a name stands in the header twice.
    pub fn open(input: &Input) -> Result<Self, SourceError> {
        Csv::new(input::open(input)?, input::name(input), MAX_RECORD)
    }

    /// Over any reader, with another limit.
    pub fn new(inner: Box<dyn Read + Send>, name: String, longest: usize) -> Result<Self, SourceError> {
        let counted = Counted { inner, bytes: 0, limit: longest, longest, chunk: Vec::new() };
        let reader = ReaderBuilder::new().has_headers(false).from_reader(counted);
        let mut csv = Csv { reader, name, columns: Vec::new(), row: ByteRecord::new() };
        if csv.read()? {
            csv.columns = csv.header()?;
        }
        Ok(csv)
    }

    fn header(&self) -> Result<Vec<Vec<u8>>, SourceError> {
        let mut seen = HashMap::new();
        let mut columns = Vec::with_capacity(self.row.len());
        for (index, name) in self.row.iter().enumerate() {
            if let Some(first) = seen.insert(name, index + 1) {
                let name = String::from_utf8_lossy(name);
                return Err(SourceError::Record {
                    place: self.place(),
                    reason: format!("columns {first} and {} are both named \"{name}\"", index + 1),
                    help: "the first row of a csv file names the columns, each differently",
                });
            }
            let mut encoded = Vec::new();
            encode_bytes(&mut encoded, name);
            columns.push(encoded);
        }
        Ok(columns)
    }

    /// What was read last, before and behind the reader's position.
    fn split_chunk(&self) -> (&[u8], &[u8]) {
        let counted = self.reader.get_ref();
        let ahead = counted.bytes - self.reader.position().byte() as usize;
        counted.chunk.split_at(counted.chunk.len() - ahead)
    }

    fn read(&mut self) -> Result<bool, SourceError> {
        let line = self.reader.position().line() + u64::from(self.split_chunk().1.starts_with(b"\n"));
        let counted = self.reader.get_mut();
        counted.limit = counted.longest.saturating_add(counted.bytes);
        let error = match self.reader.read_byte_record(&mut self.row) {
            Ok(more) => return Ok(more),
            Err(error) => error,
        };
        match error.into_kind() {
            csv::ErrorKind::UnequalLengths { expected_len, len, .. } => Err(SourceError::Record {
                place: self.place(),
                reason: format!("{len} fields where the header has {expected_len}"),
                help: "each row needs as many fields as the header; put fields with commas into quotes",
            }),
            csv::ErrorKind::Io(source) if source.kind() == io::ErrorKind::FileTooLarge => {
                Err(SourceError::TooLong { place: format!("{}:{line}", self.name) })
            }
            csv::ErrorKind::Io(source) => {
                Err(SourceError::Read { place: format!("{}:{line}", self.name), source })
            }
            _ => unreachable!("bytes need no decoding and nothing is sought"),
        }
    }
}

impl Records for Csv {
    fn next(&mut self, args: &mut Vec<u8>) -> Result<bool, SourceError> {
        if !self.read()? {
            return Ok(false);
        }
        args.extend([1, MAP]);
        varint::put(args, self.columns.len() as u64);
        for (name, field) in self.columns.iter().zip(&self.row) {
            args.extend_from_slice(name);
            encode_bytes(args, field);
        }
        Ok(true)
    }

    fn is_ready(&self) -> bool {
        // The reader ends a row at `\r`, and the `\n` behind it is still there.
        let rest = self.split_chunk().1;
        rest.strip_prefix(b"\n").unwrap_or(rest).contains(&b'\n')
    }

    /// The reader's own count is one too low behind `\r\n` and does not see empty lines before a row.
    fn place(&self) -> String {
        let ended = self.split_chunk().0.ends_with(b"\n");
        let inner: usize =
            self.row.iter().map(|field| field.iter().filter(|&&byte| byte == b'\n').count()).sum();
        let line = self.reader.position().line() - u64::from(ended) - inner as u64;
        format!("{}:{line}", self.name)
    }

    fn empty(&self) -> SourceError {
        let what = if self.columns.is_empty() {
            format!("{} is empty", self.name)
        } else {
            format!("{} has a header and no row", self.name)
        };
        SourceError::Empty { what, help: "a csv file begins with a header; each row after it is a task" }
    }
}

/// Counts what is read, and ends a row that does not end (for want of a quote, the rest of the file).
struct Counted {
    inner: Box<dyn Read + Send>,
    bytes: usize,
    limit: usize,
    longest: usize,
    /// What was read last, which is never less than what the reader has not looked at.
    chunk: Vec<u8>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.bytes > self.limit {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let read = self.inner.read(buffer)?;
        self.bytes += read;
        if read > 0 {
            self.chunk.clear();
            self.chunk.extend_from_slice(&buffer[..read]);
        }
        Ok(read)
    }
}
