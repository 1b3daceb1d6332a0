//! A tree of values as bytes, for the data formats: made from a text on any thread and put into Lua in one go, or taken
//! from Lua in one go and written out as a text on any thread.
//!
//! It never leaves the process, so its code may change at any time. Small integers and the lengths of short strings are
//! in the tag itself; counts of tables have a fixed width, as they are known only behind the entries.

use mlua::{Lua, Table, Value};

use super::error::LibError;

mod stack;

pub use stack::{Shape, push, take};

const SHORT: u8 = 0x80;
const SHORT_MAX: usize = 0x3f;
const NULL: u8 = 0xc0;
const FALSE: u8 = 0xc1;
const TRUE: u8 = 0xc2;
const INT: u8 = 0xc3;
const FLOAT: u8 = 0xc4;
const TEXT: u8 = 0xc5;
const DATE: u8 = 0xc6;
const ARRAY: u8 = 0xc7;
/// Count, then keys and values.
const MAP: u8 = 0xc8;
/// Count, length of the entries, entries; then the place of each entry in its order, when the length is not 0.
const ORDERED: u8 = 0xc9;
/// Number of columns and of rows, the names, then the values of each row.
const ROWS: u8 = 0xca;

/// Nesting beyond this is refused, in both directions.
pub const DEEPEST: usize = 200;

/// The bytes of one value.
#[derive(Debug, Clone, Default)]
pub struct Tape {
    bytes: Vec<u8>,
}

/// A table that is being written: where its count goes.
#[derive(Debug, Clone, Copy)]
pub struct Open(usize);

impl Tape {
    /// JSON's `null`.
    pub fn null(&mut self) {
        self.bytes.push(NULL);
    }

    /// A boolean.
    pub fn bool(&mut self, flag: bool) {
        self.bytes.push(if flag { TRUE } else { FALSE });
    }

    /// An integer.
    pub fn int(&mut self, number: i64) {
        if (0..i64::from(SHORT)).contains(&number) {
            self.bytes.push(number as u8);
        } else {
            self.bytes.push(INT);
            self.bytes.extend_from_slice(&number.to_le_bytes());
        }
    }

    /// A float.
    pub fn float(&mut self, number: f64) {
        self.bytes.push(FLOAT);
        self.bytes.extend_from_slice(&number.to_le_bytes());
    }

    /// A string of any bytes.
    #[inline]
    pub fn text(&mut self, text: &[u8]) {
        if text.len() <= SHORT_MAX {
            self.bytes.push(SHORT | text.len() as u8);
            self.bytes.extend_from_slice(text);
        } else {
            self.long(TEXT, text);
        }
    }

    /// A date of TOML.
    pub fn date(&mut self, text: &[u8]) {
        self.long(DATE, text);
    }

    fn long(&mut self, tag: u8, text: &[u8]) {
        self.bytes.push(tag);
        self.bytes.extend_from_slice(&(text.len() as u64).to_le_bytes());
        self.bytes.extend_from_slice(text);
    }

    /// Its values follow, and [`close`](Self::close).
    pub fn open_array(&mut self) -> Open {
        self.open(ARRAY)
    }

    /// Its keys and values follow, and [`close`](Self::close).
    pub fn open_map(&mut self) -> Open {
        self.open(MAP)
    }

    fn open(&mut self, tag: u8) -> Open {
        self.bytes.push(tag);
        let open = Open(self.bytes.len());
        self.bytes.extend_from_slice(&[0; 4]);
        open
    }

    /// Ends a table of `count` values or pairs.
    ///
    /// # Errors
    /// `too_large` for more than 2^31 of them.
    pub fn close(&mut self, open: Open, count: usize) -> Result<(), LibError> {
        if count > i32::MAX as usize {
            return Err(LibError::new("too_large", "a table has more than 2^31 entries"));
        }
        self.bytes[open.0..open.0 + 4].copy_from_slice(&(count as u32).to_le_bytes());
        Ok(())
    }

    /// Rows with the same keys; the values of each row follow in the order of the names, and
    /// [`close`](Self::close) with the number of rows.
    pub fn open_rows(&mut self, names: &[Vec<u8>]) -> Open {
        self.bytes.push(ROWS);
        self.bytes.extend_from_slice(&(names.len() as u32).to_le_bytes());
        let open = Open(self.bytes.len());
        self.bytes.extend_from_slice(&[0; 4]);
        for name in names {
            self.text(name);
        }
        open
    }

    /// Bytes so far: values are between two such places.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Repeats what is between two places.
    pub fn repeat(&mut self, part: std::ops::Range<usize>) {
        self.bytes.extend_from_within(part);
    }

    /// What is between two places of another tape.
    pub fn append(&mut self, other: &Self, part: std::ops::Range<usize>) {
        self.bytes.extend_from_slice(&other.bytes[part]);
    }

    /// What is between two places, on its own.
    pub fn copy(&self, part: std::ops::Range<usize>) -> Self {
        Self { bytes: self.bytes[part].to_vec() }
    }

    /// The bytes between two places: equal for equal scalars.
    pub fn part(&self, part: std::ops::Range<usize>) -> &[u8] {
        &self.bytes[part]
    }

    /// Forgets what was written from that place on.
    pub fn truncate(&mut self, place: usize) {
        self.bytes.truncate(place);
    }

    /// From the first value on.
    pub fn reader(&self) -> Reader<'_> {
        Reader { bytes: &self.bytes, at: 0 }
    }

    /// From that place on.
    pub fn reader_at(&self, place: usize) -> Reader<'_> {
        Reader { bytes: &self.bytes, at: place }
    }
}

/// What is next. Of a table only its head: its entries are read on their own.
#[derive(Debug, Clone, Copy)]
pub enum Item<'t> {
    /// JSON's `null`.
    Null,
    /// A boolean.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A float.
    Float(f64),
    /// A string.
    Text(&'t [u8]),
    /// A date of TOML.
    Date(&'t [u8]),
    /// So many values follow.
    Array(usize),
    /// Pairs, for [`Reader::entry`].
    Map(Entries),
    /// Rows: columns and rows. The names follow, then the values.
    Rows(usize, usize),
}

/// Where the pairs of a map are.
#[derive(Debug, Clone, Copy)]
pub struct Entries {
    /// How many.
    pub count: usize,
    first: usize,
    /// The list of their places; 0 when they are in order.
    places: usize,
}

/// Reads values one after the other.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'t> {
    bytes: &'t [u8],
    at: usize,
}

impl<'t> Reader<'t> {
    /// The next value.
    #[inline]
    pub fn next(&mut self) -> Item<'t> {
        let tag = self.bytes[self.at];
        self.at += 1;
        match tag {
            0..SHORT => Item::Int(i64::from(tag)),
            SHORT..NULL => Item::Text(self.slice(usize::from(tag - SHORT))),
            NULL => Item::Null,
            FALSE => Item::Bool(false),
            TRUE => Item::Bool(true),
            INT => Item::Int(i64::from_le_bytes(self.array())),
            FLOAT => Item::Float(f64::from_le_bytes(self.array())),
            TEXT | DATE => {
                let length = u64::from_le_bytes(self.array()) as usize;
                let text = self.slice(length);
                if tag == DATE { Item::Date(text) } else { Item::Text(text) }
            }
            ARRAY => Item::Array(self.count()),
            MAP => {
                let count = self.count();
                Item::Map(Entries { count, first: self.at, places: 0 })
            }
            ORDERED => {
                let count = self.count();
                let length = u64::from_le_bytes(self.array()) as usize;
                let places = if length == 0 { 0 } else { self.at + length };
                Item::Map(Entries { count, first: self.at, places })
            }
            _ => Item::Rows(self.count(), self.count()),
        }
    }

    /// Goes to pair `index`; the next two values are its key and value. Every pair is asked for, in order.
    #[inline]
    pub fn entry(&mut self, entries: Entries, index: usize) {
        if entries.places > 0 {
            self.at = entries.places + 8 * index;
            self.at = entries.first + u64::from_le_bytes(self.array()) as usize;
        }
    }

    /// Behind the last pair.
    #[inline]
    pub fn leave(&mut self, entries: Entries) {
        if entries.places > 0 {
            self.at = entries.places + 8 * entries.count;
        }
    }

    /// Passes over one value.
    pub fn skip(&mut self) {
        match self.next() {
            Item::Array(count) => (0..count).for_each(|_| self.skip()),
            Item::Map(entries) => {
                (0..2 * entries.count).for_each(|_| self.skip());
                self.leave(entries);
            }
            Item::Rows(columns, rows) => (0..columns * (rows + 1)).for_each(|_| self.skip()),
            _ => {}
        }
    }

    /// The place of the next value.
    pub fn place(&self) -> usize {
        self.at
    }

    fn count(&mut self) -> usize {
        u32::from_le_bytes(self.array()) as usize
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut out = [0; N];
        out.copy_from_slice(self.slice(N));
        out
    }

    #[inline]
    fn slice(&mut self, length: usize) -> &'t [u8] {
        let slice = &self.bytes[self.at..self.at + length];
        self.at += length;
        slice
    }
}

/// What cannot be written, and the steps to it, innermost first: the path costs nothing while all goes well.
#[derive(Debug)]
pub struct Bad {
    why: String,
    path: Vec<String>,
}

impl Bad {
    /// `why` is a sentence that ends where ` at $.a[1]` is added.
    pub fn new(why: impl Into<String>) -> Self {
        Self { why: why.into(), path: Vec::new() }
    }

    /// Inside of the value of that key.
    pub fn below_key(mut self, key: Item<'_>) -> Self {
        let step = match key {
            Item::Text(name) => name_step(name),
            Item::Int(number) => format!("[{number}]"),
            Item::Float(number) => format!("[{number:?}]"),
            Item::Bool(flag) => format!("[{flag}]"),
            _ => "[?]".to_owned(),
        };
        self.path.push(step);
        self
    }

    /// Inside of the value at that index, which counts from 1.
    pub fn below_index(mut self, index: usize) -> Self {
        self.path.push(format!("[{index}]"));
        self
    }
}

impl From<Bad> for LibError {
    fn from(mut bad: Bad) -> Self {
        bad.path.reverse();
        Self::invalid(format!("{} at ${}", bad.why, bad.path.concat()))
    }
}

fn name_step(name: &[u8]) -> String {
    let name = String::from_utf8_lossy(name);
    let plain = !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_alphanumeric() || c == '_');
    if plain { format!(".{name}") } else { format!("[{name:?}]") }
}

/// The metatable of tables that are arrays even when they are empty.
struct ArrayMark(Table);

/// The metatable of the dates of TOML.
struct DateMark(Table);

/// The metatable of tables that are arrays even when they are empty; decoded empty arrays have it.
///
/// # Errors
/// When Lua has no memory left.
pub fn array_mark(lua: &Lua) -> mlua::Result<Table> {
    if let Some(mark) = lua.app_data_ref::<ArrayMark>() {
        return Ok(mark.0.clone());
    }
    let meta = lua.create_table()?;
    meta.raw_set("__name", "mpms.json.array")?;
    lua.set_app_data(ArrayMark(meta.clone()));
    Ok(meta)
}

/// From now on tables with this metatable are dates, with their text at the key 1.
pub fn set_date_mark(lua: &Lua, meta: Table) {
    lua.set_app_data(DateMark(meta));
}

fn date_mark(lua: &Lua) -> Value {
    lua.app_data_ref::<DateMark>().map_or(Value::Nil, |mark| Value::Table(mark.0.clone()))
}

#[cfg(test)]
mod tests;
