//! Text to rows.

use std::collections::HashSet;
use std::path::PathBuf;

use csv::{ByteRecord, ErrorKind, Reader, ReaderBuilder, Trim};
use encoding_rs::Encoding;
use mlua::{LuaString, Table, Value};

use super::byte;
use super::cells::{Kind, Types};
use super::input::{Source, TOO_LONG, Watched};
use crate::lua::error::LibError;
use crate::lua::options::Options;
use crate::lua::std::batches::{self, Batch};
use crate::lua::std::transcode;
use crate::lua::tape::Tape;

/// Of one row, unless `max_size` says otherwise.
const MOST_BYTES: u64 = 64 << 20;
/// Lua keeps the names of a row's columns on its stack.
const MOST_COLUMNS: usize = 100_000;

/// How rows are named.
enum Header {
    /// By the first row.
    First,
    /// By these; the first row is data.
    Given(Vec<Vec<u8>>),
    /// Not at all.
    None,
}

/// What was asked for.
pub(super) struct Asked {
    header: Header,
    sep: u8,
    quote: Option<u8>,
    comment: Option<u8>,
    trim: bool,
    types: Types,
    flexible: bool,
    encoding: Option<&'static Encoding>,
    most: u64,
    /// What empty cells of typed columns become.
    pub null: Value,
}

impl Asked {
    /// # Errors
    /// On wrong options.
    pub fn read(options: Option<Table>) -> Result<Self, LibError> {
        let mut options = Options::new(options);
        let mut one = |name| options.string(name)?.map(|text| byte(name, &text)).transpose();
        let (sep, comment): (Option<u8>, Option<u8>) = (one("sep")?, one("comment")?);
        let asked = Self {
            sep: sep.unwrap_or(b','),
            comment,
            header: header(options.value("header")?)?,
            quote: match options.value("quote")? {
                None => Some(b'"'),
                Some(Value::Boolean(false)) => None,
                Some(Value::String(text)) => Some(byte("quote", &text.to_string_lossy())?),
                Some(_) => {
                    return Err(LibError::invalid("option `quote` must be one ASCII character or false"));
                }
            },
            trim: options.bool("trim")?.unwrap_or(false),
            types: Types::read(options.value("types")?)?,
            flexible: options.bool("flexible")?.unwrap_or(false),
            encoding: options.string("encoding")?.map(|label| transcode::encoding(&label)).transpose()?,
            most: options.size("max_size")?.unwrap_or(MOST_BYTES),
            null: options.value("null")?.unwrap_or(Value::Nil),
        };
        options.finish()?;
        if asked.quote == Some(asked.sep) || asked.comment == Some(asked.sep) {
            return Err(LibError::invalid("options `sep`, `quote` and `comment` must differ"));
        }
        Ok(asked)
    }

    /// # Errors
    /// What the system says of the file.
    pub fn open(self, source: Source) -> Result<Rows, LibError> {
        let path = source.path();
        let watched = Watched::new(source.open()?, self.encoding, self.quote, self.most);
        let mut builder = ReaderBuilder::new();
        builder.has_headers(false).flexible(true).delimiter(self.sep).comment(self.comment);
        builder.buffer_capacity(64 << 10).trim(if self.trim { Trim::All } else { Trim::None });
        match self.quote {
            Some(quote) => builder.quote(quote),
            None => builder.quoting(false),
        };
        Ok(Rows {
            reader: builder.from_reader(watched),
            path,
            header: Some(self.header),
            names: None,
            kinds: Vec::new(),
            types: self.types,
            flexible: self.flexible,
            most: self.most,
            columns: None,
            record: ByteRecord::new(),
            number: 0,
        })
    }
}

fn header(value: Option<Value>) -> Result<Header, LibError> {
    match value {
        None | Some(Value::Boolean(true)) => Ok(Header::First),
        Some(Value::Boolean(false)) => Ok(Header::None),
        Some(Value::Table(names)) => {
            let names = names.sequence_values::<LuaString>().map(|name| Ok(name?.as_bytes().to_vec()));
            let names = names.collect::<mlua::Result<Vec<_>>>();
            let names = names.map_err(|_| LibError::invalid("option `header` must be a list of strings"))?;
            if names.is_empty() {
                return Err(LibError::invalid("option `header` must be a boolean or a list of names"));
            }
            Ok(Header::Given(names))
        }
        Some(_) => Err(LibError::invalid("option `header` must be a boolean or a list of names")),
    }
}

/// Rows of one text.
pub(super) struct Rows {
    reader: Reader<Watched>,
    path: Option<PathBuf>,
    /// Until the first row is read.
    header: Option<Header>,
    names: Option<Vec<Vec<u8>>>,
    kinds: Vec<Kind>,
    types: Types,
    flexible: bool,
    most: u64,
    /// How many each row must have.
    columns: Option<usize>,
    record: ByteRecord,
    /// Of the row, the header not counted.
    number: u64,
}

impl batches::Source for Rows {
    fn fill(&mut self, batch: &mut Batch) -> Result<(), LibError> {
        let filled = self.fill_with(batch);
        filled.map_err(|error| match &self.path {
            Some(path) => error.path(path),
            None => error,
        })
    }
}

impl Rows {
    fn fill_with(&mut self, batch: &mut Batch) -> Result<(), LibError> {
        if let Some(header) = self.header.take() {
            self.begin(header)?;
        }
        if let Some(names) = self.names.as_ref().filter(|_| !self.flexible) {
            batch.rows_of(names);
        }
        while !batch.is_full() && self.next()? {
            self.number += 1;
            self.check_length()?;
            let rows = self.names.is_some() && !self.flexible;
            batch.value(|tape| if rows { self.cells(tape, 0) } else { self.row(tape) })?;
        }
        Ok(())
    }

    fn begin(&mut self, header: Header) -> Result<(), LibError> {
        self.names = match header {
            Header::None => None,
            Header::Given(names) => Some(names),
            Header::First if self.next()? => Some(self.record.iter().map(<[u8]>::to_vec).collect()),
            // an empty text has no rows either
            Header::First => return Ok(()),
        };
        if let Some(names) = &self.names {
            if names.len() > MOST_COLUMNS {
                return Err(LibError::new(
                    "too_large",
                    format!("the header has more than {MOST_COLUMNS} columns"),
                ));
            }
            let mut seen = HashSet::new();
            if let Some(name) = names.iter().find(|name| !seen.insert(name.as_slice())) {
                let name = String::from_utf8_lossy(name);
                let way = "`header = false` gives rows by position, a list of names replaces the header";
                return Err(LibError::parse(format!("the header names `{name}` twice ({way})")));
            }
            self.columns = Some(names.len());
        }
        self.kinds = self.types.kinds(self.names.as_deref())?;
        Ok(())
    }

    /// Whether there is one more.
    fn next(&mut self) -> Result<bool, LibError> {
        let read = self.reader.read_byte_record(&mut self.record);
        let read = read.map_err(|error| self.failed(error))?;
        self.reader.get_mut().row();
        if !read && !self.flexible && self.reader.get_ref().quotes % 2 == 1 {
            let text =
                "a quote is not closed (`quote = false` takes quotes as text, `flexible` lets it pass)";
            return Err(LibError::parse(text));
        }
        Ok(read)
    }

    fn failed(&self, error: csv::Error) -> LibError {
        let line = self.reader.position().line();
        match error.into_kind() {
            ErrorKind::Io(error) if error.to_string() == TOO_LONG => {
                let most = bytesize::ByteSize::b(self.most);
                let text = format!(
                    "the row from line {line} on is longer than `max_size` ({most}): is a quote not closed?"
                );
                LibError::new("too_large", text)
            }
            ErrorKind::Io(error) if error.kind() == std::io::ErrorKind::InvalidData => {
                LibError::parse(format!("{error}, behind line {line}"))
            }
            ErrorKind::Io(error) => LibError::from(error),
            other => LibError::parse(format!("{other:?}")),
        }
    }

    fn check_length(&mut self) -> Result<(), LibError> {
        let length = self.record.len();
        let wanted = *self.columns.get_or_insert(length);
        if length == wanted || self.flexible {
            return Ok(());
        }
        let text = format!("{length} cells instead of {wanted} (`flexible = true` lets it pass)");
        Err(self.wrong(&text))
    }

    fn wrong(&self, text: &str) -> LibError {
        LibError::parse(format!("row {}, line {}: {text}", self.number, self.line()))
    }

    /// Where the row begins. The parser knows where it stands itself: behind the row, but before the line feed of a
    /// carriage return.
    fn line(&self) -> u64 {
        let at_end = self.reader.get_ref().crlf || self.reader.is_done();
        let last = self.reader.position().line() - u64::from(!at_end);
        let inside = self.record.as_slice().iter().filter(|byte| **byte == b'\n').count();
        last.saturating_sub(inside as u64).max(1)
    }

    /// The cells from `from` on.
    fn cells(&self, tape: &mut Tape, from: usize) -> Result<(), LibError> {
        for (column, cell) in self.record.iter().enumerate().skip(from) {
            self.cell(tape, column, cell)?;
        }
        Ok(())
    }

    fn cell(&self, tape: &mut Tape, column: usize, cell: &[u8]) -> Result<(), LibError> {
        let kind = self.kinds.get(column).copied().unwrap_or_else(|| self.types.rest());
        kind.put(cell, tape).map_err(|what| {
            let shown: String = String::from_utf8_lossy(cell).chars().take(60).collect();
            let name = self.names.as_ref().and_then(|names| names.get(column));
            let name = name.map(|name| String::from_utf8_lossy(name).into_owned());
            let name = name.unwrap_or_else(|| (column + 1).to_string());
            self.wrong(&format!("column `{name}`: `{shown}` is {what}"))
        })
    }

    /// On its own: an array without names; with names a map, cells without a name by their number.
    fn row(&self, tape: &mut Tape) -> Result<(), LibError> {
        let Some(names) = &self.names else {
            let open = tape.open_array();
            self.cells(tape, 0)?;
            return tape.close(open, self.record.len());
        };
        let open = tape.open_map();
        for (column, cell) in self.record.iter().enumerate() {
            match names.get(column) {
                Some(name) => tape.text(name),
                None => tape.int(column as i64 + 1),
            }
            self.cell(tape, column, cell)?;
        }
        tape.close(open, self.record.len())
    }
}
