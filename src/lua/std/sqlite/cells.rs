//! Values between Lua and SQLite, on their way to another thread: those of Lua as flat lists of cells, results as tapes.

use std::sync::Arc;

use mlua::{Lua, Table, Value};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Row, Statement};

use crate::lua::error::LibError;
use crate::lua::tape::{self, Open, Tape};

#[derive(Clone, Copy, Debug)]
enum Cell {
    Null,
    Int(i64),
    Real(f64),
    /// From and to, in the bytes.
    Bytes(usize, usize),
}

/// Cells, with the bytes of those that are texts or blobs.
#[derive(Default, Debug)]
pub(super) struct Cells {
    cells: Vec<Cell>,
    bytes: Vec<u8>,
}

impl Cells {
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    pub fn push_null(&mut self) {
        self.cells.push(Cell::Null);
    }

    pub fn push_int(&mut self, number: i64) {
        self.cells.push(Cell::Int(number));
    }

    /// Not NaN.
    pub fn push_real(&mut self, number: f64) {
        self.cells.push(Cell::Real(number));
    }

    pub fn push_bytes(&mut self, bytes: &[u8]) {
        let from = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        self.cells.push(Cell::Bytes(from, self.bytes.len()));
    }

    /// A value of Lua. The error reads well after the name of the value.
    ///
    /// # Errors
    /// `invalid` for what SQLite has no value for.
    pub fn push_lua(&mut self, value: &Value) -> Result<(), LibError> {
        match value {
            value if value.is_null() => self.push_null(),
            Value::Integer(number) => self.push_int(*number),
            Value::Number(number) if number.is_nan() => {
                return Err(LibError::invalid("is NaN, which SQLite does not keep"));
            }
            Value::Number(number) => self.push_real(*number),
            Value::Boolean(flag) => self.push_int(i64::from(*flag)),
            Value::String(text) => self.push_bytes(&text.as_bytes()),
            Value::Nil => return Err(LibError::invalid("is nil: mpms.null stands for NULL")),
            Value::Table(_) => {
                return Err(LibError::invalid(
                    "is a table: keep json.encode(value), or a column for each field",
                ));
            }
            other => return Err(LibError::invalid(format!("is a {}", other.type_name()))),
        }
        Ok(())
    }

    /// Binds the cell to a parameter; parameters count from 1. Bytes that are UTF-8 are a text, others a blob.
    pub fn bind(&self, cell: usize, statement: &mut Statement<'_>, parameter: usize) -> rusqlite::Result<()> {
        let value = match self.cells[cell] {
            Cell::Null => ValueRef::Null,
            Cell::Int(number) => ValueRef::Integer(number),
            Cell::Real(number) => ValueRef::Real(number),
            Cell::Bytes(from, to) => {
                let bytes = &self.bytes[from..to];
                if std::str::from_utf8(bytes).is_ok() { ValueRef::Text(bytes) } else { ValueRef::Blob(bytes) }
            }
        };
        statement.raw_bind_parameter(parameter, ToSqlOutput::Borrowed(value))
    }
}

/// Names of columns, in their order.
pub(super) type Columns = Arc<[Vec<u8>]>;

/// How a result comes to Lua.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// A list of rows, values by the names of the columns.
    Named,
    /// A list of rows, values in the order of the columns.
    Lists,
    /// The first row, values by the names of the columns.
    First,
    /// The first row, values in the order of the columns.
    FirstList,
    /// The first value of the first row.
    Scalar,
}

/// A result.
#[derive(Debug)]
pub(super) struct Rows {
    pub columns: Columns,
    tape: Tape,
    pub count: usize,
}

impl Rows {
    /// As the layout has it; NULL is nil.
    pub fn value(&self, lua: &Lua) -> Result<Value, LibError> {
        tape::push(lua, &self.tape, &Value::Nil)
    }

    /// The names as a list.
    pub fn columns(&self, lua: &Lua) -> Result<Table, LibError> {
        let names = self.columns.iter().map(|name| lua.create_string(name));
        let names = names.collect::<mlua::Result<Vec<_>>>()?;
        Ok(lua.create_sequence_from(names)?)
    }

    /// Bytes of memory, or so.
    pub fn weight(&self) -> usize {
        self.tape.len()
    }
}

/// A result that is being read.
pub(super) struct Reading {
    columns: Columns,
    layout: Layout,
    tape: Tape,
    open: Option<Open>,
    pub count: usize,
}

impl Reading {
    pub fn new(columns: Columns, layout: Layout) -> Self {
        let mut tape = Tape::default();
        let open = match layout {
            Layout::Named => Some(tape.open_rows(&columns)),
            Layout::Lists => Some(tape.open_array()),
            Layout::First | Layout::FirstList | Layout::Scalar => None,
        };
        Self { columns, layout, tape, open, count: 0 }
    }

    /// Adds a row.
    ///
    /// # Errors
    /// `too_large` for what no list of Lua holds.
    pub fn add(&mut self, row: &Row<'_>) -> Result<(), LibError> {
        let width = self.columns.len();
        let table = match self.layout {
            Layout::Lists | Layout::FirstList => Some(self.tape.open_array()),
            Layout::First => Some(self.tape.open_map()),
            Layout::Named | Layout::Scalar => None,
        };
        let wanted = if self.layout == Layout::Scalar { width.min(1) } else { width };
        for column in 0..wanted {
            if self.layout == Layout::First {
                self.tape.text(&self.columns[column]);
            }
            match row.get_ref(column).unwrap_or(ValueRef::Null) {
                ValueRef::Null => self.tape.null(),
                ValueRef::Integer(number) => self.tape.int(number),
                ValueRef::Real(number) => self.tape.float(number),
                ValueRef::Text(bytes) | ValueRef::Blob(bytes) => self.tape.text(bytes),
            }
        }
        if let Some(table) = table {
            self.tape.close(table, width)?;
        }
        self.count += 1;
        Ok(())
    }

    /// Bytes so far.
    pub fn weight(&self) -> usize {
        self.tape.len()
    }

    /// # Errors
    /// As [`add`](Self::add).
    pub fn finish(mut self) -> Result<Rows, LibError> {
        match self.open {
            Some(open) => self.tape.close(open, self.count)?,
            None if self.count == 0 => self.tape.null(),
            None => {}
        }
        Ok(Rows { columns: self.columns, tape: self.tape, count: self.count })
    }
}
