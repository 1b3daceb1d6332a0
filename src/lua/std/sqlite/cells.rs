//! Values between Lua and SQLite, on their way to another thread: parameters as flat lists of cells, results as tapes.

use std::sync::Arc;

use mlua::{Lua, Table, Value};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Row, Statement};

use crate::lua::error::LibError;
use crate::lua::module::did_you_mean;
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

    fn push_bytes(&mut self, bytes: &[u8]) {
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
            value if value.is_null() => self.cells.push(Cell::Null),
            Value::Integer(number) => self.cells.push(Cell::Int(*number)),
            Value::Number(number) if number.is_nan() => {
                return Err(LibError::invalid("is NaN, which SQLite does not keep"));
            }
            Value::Number(number) => self.cells.push(Cell::Real(*number)),
            Value::Boolean(flag) => self.cells.push(Cell::Int(i64::from(*flag))),
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
pub(super) type Columns = Arc<[String]>;

/// How a result comes to Lua.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// A list of rows, values by the names of the columns.
    Named,
    /// A list of rows, values in the order of the columns.
    Lists,
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
        Ok(lua.create_sequence_from(self.columns.iter().map(String::as_str))?)
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
            Layout::Named => {
                let names: Vec<Vec<u8>> = columns.iter().map(|name| name.as_bytes().to_vec()).collect();
                Some(tape.open_rows(&names))
            }
            Layout::Lists => Some(tape.open_array()),
            Layout::Scalar => None,
        };
        Self { columns, layout, tape, open, count: 0 }
    }

    /// Adds a row.
    ///
    /// # Errors
    /// `too_large` for what no list of Lua holds.
    pub fn add(&mut self, row: &Row<'_>) -> Result<(), LibError> {
        let width = self.columns.len();
        let list = (self.layout == Layout::Lists).then(|| self.tape.open_array());
        let wanted = if self.layout == Layout::Scalar { width.min(1) } else { width };
        for column in 0..wanted {
            match row.get_ref(column).unwrap_or(ValueRef::Null) {
                ValueRef::Null => self.tape.null(),
                ValueRef::Integer(number) => self.tape.int(number),
                ValueRef::Real(number) => self.tape.float(number),
                ValueRef::Text(bytes) | ValueRef::Blob(bytes) => self.tape.text(bytes),
            }
        }
        if let Some(list) = list {
            self.tape.close(list, width)?;
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

/// The parameters of a statement.
#[derive(Default, Debug)]
pub(super) struct Params {
    values: Cells,
    /// For `:name`, without the colon; none: for `?`.
    names: Option<Vec<String>>,
}

impl Params {
    /// A list, or a table by names.
    ///
    /// # Errors
    /// `invalid` for values that SQLite does not have, holes, and keys of both kinds.
    pub fn read(table: Option<&Table>) -> Result<Self, LibError> {
        let Some(table) = table else { return Ok(Self::default()) };
        let mut values = Cells::default();
        let length = table.raw_len();
        let mut names = Vec::new();
        let mut others = 0;
        table.for_each(|key: Value, value: Value| {
            match &key {
                Value::String(name) => {
                    let name = name.to_string_lossy();
                    values.push_lua(&value).map_err(|error| wrong(&format!("`:{name}`"), &error))?;
                    names.push(name);
                }
                _ => others += 1,
            }
            Ok(())
        })?;
        if !names.is_empty() {
            return match others {
                0 => Ok(Self { values, names: Some(names) }),
                _ => Err(LibError::invalid("parameters are a list or a table by names, not both")),
            };
        }
        for index in 1..=length {
            let value: Value = table.raw_get(index)?;
            values.push_lua(&value).map_err(|error| wrong(&index.to_string(), &error))?;
        }
        if others > length {
            return Err(LibError::invalid(format!(
                "the list of parameters has a hole after {length}: mpms.null stands for NULL"
            )));
        }
        Ok(Self { values, names: None })
    }

    /// Gives the statement its values.
    ///
    /// # Errors
    /// `invalid` when they are not those that it has places for.
    pub fn bind(&self, statement: &mut Statement<'_>) -> Result<(), LibError> {
        let count = statement.parameter_count();
        let bound = match &self.names {
            Some(names) => self.bind_names(names, statement, count)?,
            None => self.bind_list(statement, count)?,
        };
        bound.map_err(|error| super::error::of(&error))
    }

    fn bind_list(
        &self,
        statement: &mut Statement<'_>,
        count: usize,
    ) -> Result<rusqlite::Result<()>, LibError> {
        let named =
            (1..=count).find_map(|at| statement.parameter_name(at).filter(|name| !name.starts_with('?')));
        if let Some(name) = named {
            return Err(LibError::invalid(format!(
                "the statement has the parameter `{name}`: give a table by names"
            )));
        }
        if count != self.values.len() {
            let given = self.values.len();
            let hint = if given < count { " (mpms.null stands for NULL)" } else { "" };
            return Err(LibError::invalid(format!(
                "the statement has {count} parameters, got {given} values{hint}"
            )));
        }
        Ok((0..count).try_for_each(|cell| self.values.bind(cell, statement, cell + 1)))
    }

    fn bind_names(
        &self,
        names: &[String],
        statement: &mut Statement<'_>,
        count: usize,
    ) -> Result<rusqlite::Result<()>, LibError> {
        let mut places = Vec::with_capacity(count);
        let mut used = vec![false; names.len()];
        for place in 1..=count {
            let Some(wanted) = statement.parameter_name(place).filter(|name| !name.starts_with('?')) else {
                return Err(LibError::invalid("the statement has parameters `?`: give a list"));
            };
            let Some(cell) = names.iter().position(|name| *name == wanted[1..]) else {
                let hint = did_you_mean(&wanted[1..], names);
                return Err(LibError::invalid(format!(
                    "the parameter `{wanted}` has no value (mpms.null stands for NULL){hint}"
                )));
            };
            used[cell] = true;
            places.push(cell);
        }
        if let Some(unused) = used.iter().position(|used| !used) {
            return Err(LibError::invalid(format!("the statement has no parameter `:{}`", names[unused])));
        }
        let mut places = places.iter().enumerate();
        Ok(places.try_for_each(|(place, cell)| self.values.bind(*cell, statement, place + 1)))
    }
}

fn wrong(what: &str, error: &LibError) -> mlua::Error {
    mlua::Error::external(LibError::invalid(format!("parameter {what} {}", error.message())))
}
