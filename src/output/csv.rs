//! `csv` as RFC 4180 has it, with `\n` at the end of a row.
//!
//! Strings are written as the bytes they are, nil and missing values as nothing, tables as JSON text; NaN and
//! infinities as `NaN`, `inf` and `-inf`, which readers of tables know. A row without names has no header. The
//! `csv` crate writes to a file of its own and repeats itself after a failed write, hence the few lines here.

use crate::output::columns::{Cells, Columns, Origin, Shape};
use crate::output::{OutputError, RowError};
use crate::wire::json;
use crate::wire::json::token::{self, Token};

/// Rows of columns.
pub struct Csv {
    shape: Shape,
    header_due: bool,
    cell: Vec<u8>,
}

impl Csv {
    /// With the columns of `fields`, else of the file's header, else of the first row.
    ///
    /// # Errors
    /// When the file has another header than `fields`.
    pub fn new(
        fields: Option<&[String]>,
        header: Option<Vec<Vec<u8>>>,
        path: &str,
    ) -> Result<Self, OutputError> {
        let header_due = header.is_none();
        let shape = match (fields.map(Columns::of_fields), header) {
            (Some(columns), Some(header)) if columns.names != header => {
                let (found, fields) = (listed(&header), listed(&columns.names));
                return Err(OutputError::Header { path: path.into(), found, fields });
            }
            (Some(columns), _) => Shape::Named(columns),
            (None, Some(header)) => Shape::Named(Columns::new(header, Origin::Header)),
            (None, None) => Shape::Open,
        };
        Ok(Csv { shape, header_due, cell: Vec::new() })
    }

    /// # Errors
    /// When the row is malformed, or has a value that no column takes.
    pub fn append(&mut self, out: &mut Vec<u8>, row: &[u8]) -> Result<(), RowError> {
        self.shape.settle(row)?;
        let cells = self.shape.place(row)?;
        let start = out.len();
        self.append_header(out);
        if let Err(error) = self.append_cells(out, cells) {
            out.truncate(start);
            return Err(error);
        }
        self.header_due = false;
        Ok(())
    }

    fn append_header(&self, out: &mut Vec<u8>) {
        let Shape::Named(columns) = &self.shape else { return };
        if self.header_due {
            for (index, name) in columns.names.iter().enumerate() {
                append_field(out, name, index, columns.names.len());
            }
            out.push(b'\n');
        }
    }

    fn append_cells(&mut self, out: &mut Vec<u8>, cells: Cells<'_>) -> Result<(), RowError> {
        let count = cells.len();
        for (index, cell) in cells.into_iter().enumerate() {
            self.cell.clear();
            if let Some(value) = cell {
                append_plain(&mut self.cell, value)?;
            }
            append_field(out, &self.cell, index, count);
        }
        out.push(b'\n');
        Ok(())
    }
}

/// Names as messages show them.
pub fn listed(names: &[Vec<u8>]) -> String {
    String::from_utf8_lossy(&names.join(&b',')).into_owned()
}

fn append_plain(out: &mut Vec<u8>, value: &[u8]) -> Result<(), RowError> {
    match token::take(value, &mut 0)? {
        Token::Nil => {}
        Token::Bytes(text) => out.extend_from_slice(text),
        Token::Float(number) if !number.is_finite() => out.extend_from_slice(number.to_string().as_bytes()),
        Token::Bool(_) | Token::Int(_) | Token::Float(_) | Token::Array(_) | Token::Table(..) => {
            json::append(out, value, &mut 0)?;
        }
    }
    Ok(())
}

fn append_field(out: &mut Vec<u8>, field: &[u8], index: usize, count: usize) {
    if index > 0 {
        out.push(b',');
    }
    // A row of one empty field would be an empty line, which readers skip.
    let empty_row = count == 1 && field.is_empty();
    if !empty_row && !field.iter().any(|byte| matches!(byte, b',' | b'"' | b'\n' | b'\r')) {
        out.extend_from_slice(field);
        return;
    }
    out.push(b'"');
    for part in field.split_inclusive(|&byte| byte == b'"') {
        out.extend_from_slice(part);
        if part.ends_with(b"\"") {
            out.push(b'"');
        }
    }
    out.push(b'"');
}
