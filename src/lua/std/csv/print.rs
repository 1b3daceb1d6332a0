//! Rows to text.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashSet};
use std::fmt;
use std::io::{Cursor, Write as _};

use mlua::{Lua, LuaString, Table, Value};

use super::byte;
use crate::lua::error::LibError;
use crate::lua::options::Options;
use crate::lua::tape::{self, Bad, Entries, Item, Reader, Shape, Tape};

/// How rows are written.
pub(super) struct Style {
    fields: Option<Vec<Vec<u8>>>,
    sep: u8,
    header: bool,
    quote_all: bool,
    crlf: bool,
    bom: bool,
    escape_formulas: bool,
}

impl Style {
    /// # Errors
    /// On wrong options.
    pub fn read(options: &mut Options) -> Result<Self, LibError> {
        let fields = match options.table("fields")? {
            None => None,
            Some(names) => {
                let names = names.sequence_values::<LuaString>().map(|name| Ok(name?.as_bytes().to_vec()));
                let names = names.collect::<mlua::Result<Vec<_>>>();
                let names =
                    names.map_err(|_| LibError::invalid("option `fields` must be a list of strings"))?;
                let mut seen = HashSet::new();
                if names.is_empty() || !names.iter().all(|name| seen.insert(name)) {
                    return Err(LibError::invalid("option `fields` must be a list of different names"));
                }
                Some(names)
            }
        };
        Ok(Self {
            fields,
            sep: options.string("sep")?.map_or(Ok(b','), |text| byte("sep", &text))?,
            header: options.bool("header")?.unwrap_or(true),
            quote_all: options.bool("quote_all")?.unwrap_or(false),
            crlf: options.bool("crlf")?.unwrap_or(false),
            bom: options.bool("bom")?.unwrap_or(false),
            escape_formulas: options.bool("escape_formulas")?.unwrap_or(false),
        })
    }
}

/// All rows at once. Without `fields` the names of all rows are the columns, sorted.
///
/// # Errors
/// `invalid` with the path of what is no cell.
pub(super) fn encode(lua: &Lua, rows: &Value, options: Option<Table>) -> Result<Vec<u8>, LibError> {
    let mut options = Options::new(options);
    let mut style = Style::read(&mut options)?;
    options.finish()?;
    let tape = take(lua, rows)?;
    let mut reader = tape.reader();
    let count = match reader.next() {
        Item::Array(count) => count,
        Item::Map(entries) if entries.count == 0 => 0,
        _ => return Err(LibError::invalid("argument 1 (rows) must be a list of rows")),
    };
    if style.fields.is_none() {
        style.fields = names(reader, count);
    }
    let mut printer = Printer::new(style);
    printer.begin();
    for index in 1..=count {
        printer.row(&mut reader).map_err(|bad| bad.below_index(index))?;
    }
    Ok(printer.out)
}

/// Rows as Lua has them: names in any order.
pub(super) fn take(lua: &Lua, value: &Value) -> Result<Tape, LibError> {
    tape::take(lua, value, Shape { format: "CSV", sorted: false })
}

/// Of the rows that are maps.
fn names(mut reader: Reader<'_>, count: usize) -> Option<Vec<Vec<u8>>> {
    let mut names = BTreeSet::new();
    for _ in 0..count {
        let row = reader;
        match reader.next() {
            Item::Map(entries) => {
                for index in 0..entries.count {
                    reader.entry(entries, index);
                    if let Item::Text(name) = reader.next()
                        && !names.contains(name)
                    {
                        names.insert(name.to_vec());
                    }
                    reader.skip();
                }
                reader.leave(entries);
            }
            _ => {
                reader = row;
                reader.skip();
            }
        }
    }
    (!names.is_empty()).then(|| names.into_iter().collect())
}

/// Writes rows into a buffer.
pub(super) struct Printer {
    style: Style,
    /// What is written and was not taken.
    pub out: Vec<u8>,
    /// How many cells each row must have.
    columns: Option<usize>,
}

impl Printer {
    pub fn new(style: Style) -> Self {
        let columns = style.fields.as_ref().map(Vec::len);
        Self { style, out: Vec::new(), columns }
    }

    /// The mark and the header.
    pub fn begin(&mut self) {
        if self.style.bom {
            self.out.extend_from_slice(b"\xef\xbb\xbf");
        }
        if self.style.header
            && let Some(fields) = self.style.fields.take()
        {
            self.line(fields.len(), |column| Some(&fields[column]));
            self.style.fields = Some(fields);
        }
    }

    /// The next row of the reader.
    ///
    /// # Errors
    /// When it is no row; nothing is written then.
    pub fn row(&mut self, reader: &mut Reader<'_>) -> Result<(), Bad> {
        let cells = match reader.next() {
            Item::Array(count) if count > 0 || self.style.fields.is_none() => list(reader, count)?,
            Item::Array(_) => vec![None; self.columns.unwrap_or(0)],
            Item::Map(entries) => self.named(reader, entries)?,
            _ => return Err(Bad::new("a row must be a table")),
        };
        let columns = *self.columns.get_or_insert(cells.len());
        if cells.len() != columns {
            return Err(Bad::new(format!("a row of {} cells instead of {columns}", cells.len())));
        }
        self.line(columns, |column| cells[column].as_deref());
        Ok(())
    }

    fn named<'t>(&self, reader: &mut Reader<'t>, entries: Entries) -> Result<Vec<Cell<'t>>, Bad> {
        let Some(fields) = &self.style.fields else {
            let text = "a row with names needs the option `fields`, which gives the order of its columns";
            return Err(Bad::new(text));
        };
        let mut cells = vec![None; fields.len()];
        for index in 0..entries.count {
            reader.entry(entries, index);
            let key = reader.next();
            let place = match key {
                Item::Text(name) => fields.iter().position(|field| field == name),
                _ => None,
            };
            let Some(place) = place else {
                let text = "the row has a name that is not one of `fields`";
                return Err(Bad::new(text).below_key(key));
            };
            cells[place] = cell(reader.next()).map_err(|bad| bad.below_key(key))?;
        }
        reader.leave(entries);
        Ok(cells)
    }

    fn line<'c>(&mut self, columns: usize, cell: impl Fn(usize) -> Option<&'c [u8]>) {
        for column in 0..columns {
            if column > 0 {
                self.separate();
            }
            self.cell(cell(column).unwrap_or_default(), columns == 1);
        }
        self.end(columns);
    }

    /// Whether a row may have so many cells.
    pub fn takes(&self, columns: usize) -> bool {
        self.columns.is_none_or(|wanted| wanted == columns)
    }

    pub fn separate(&mut self) {
        self.out.push(self.style.sep);
    }

    /// A row of so many cells is complete.
    pub fn end(&mut self, columns: usize) {
        self.columns = Some(columns);
        self.out.extend_from_slice(if self.style.crlf { b"\r\n" } else { b"\n" });
    }

    /// `alone`: it is the only one of its row, which would be no row if it were empty.
    pub fn cell(&mut self, text: &[u8], alone: bool) {
        let sep = self.style.sep;
        let guard = self.style.escape_formulas && is_formula(text);
        let special = |byte: &u8| *byte == sep || matches!(byte, b'"' | b'\r' | b'\n');
        let quote = self.style.quote_all || (alone && text.is_empty()) || text.iter().any(special);
        if quote {
            self.out.push(b'"');
        }
        if guard {
            self.out.push(b'\'');
        }
        if !quote {
            return self.out.extend_from_slice(text);
        }
        let mut rest = text;
        while let Some(at) = rest.iter().position(|byte| *byte == b'"') {
            self.out.extend_from_slice(&rest[..=at]);
            self.out.push(b'"');
            rest = &rest[at + 1..];
        }
        self.out.extend_from_slice(rest);
        self.out.push(b'"');
    }

    /// What writes itself as a short text.
    pub fn shown(&mut self, value: impl fmt::Debug, alone: bool) {
        let mut text = Cursor::new([0; 32]);
        // a number has 24 characters at most
        let length = write!(text, "{value:?}").map_or(0, |()| text.position() as usize);
        self.cell(&text.into_inner()[..length], alone);
    }
}

/// Spreadsheets compute what begins so; a number is left alone.
fn is_formula(text: &[u8]) -> bool {
    let number = || std::str::from_utf8(text).is_ok_and(|text| text.parse::<f64>().is_ok());
    matches!(text.first(), Some(b'=' | b'+' | b'-' | b'@' | b'\t' | b'\r')) && !number()
}

type Cell<'t> = Option<Cow<'t, [u8]>>;

fn list<'t>(reader: &mut Reader<'t>, count: usize) -> Result<Vec<Cell<'t>>, Bad> {
    (1..=count).map(|index| cell(reader.next()).map_err(|bad| bad.below_index(index))).collect()
}

/// Nothing for null.
fn cell(item: Item<'_>) -> Result<Cell<'_>, Bad> {
    let owned = |text: String| Some(text.into_bytes().into());
    Ok(match item {
        Item::Null => None,
        Item::Bool(flag) => owned(flag.to_string()),
        Item::Int(number) => owned(number.to_string()),
        Item::Float(number) => owned(format!("{number:?}")),
        Item::Text(text) | Item::Date(text) => Some(text.into()),
        _ => return Err(Bad::new("a cell must be a string, a number, a boolean or null, got a table")),
    })
}
