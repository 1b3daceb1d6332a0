//! `jsonl`, a value a line, and `json`, the same values as one array.

use crate::output::RowError;
use crate::output::columns::Columns;
use crate::wire::json;
use crate::wire::value::Malformed;

/// How values stand together.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// One a line.
    Lines,
    /// One array, a value a line in it.
    Array,
}

/// Values as JSON text; with `fields`, as objects of these names in this order.
pub struct Json {
    layout: Layout,
    columns: Option<Columns>,
}

impl Json {
    pub fn new(layout: Layout, fields: Option<&[String]>) -> Self {
        Json { layout, columns: fields.map(Columns::of_fields) }
    }

    /// # Errors
    /// When the row is malformed, or has more values than `fields`.
    pub fn append(&self, out: &mut Vec<u8>, row: &[u8], first: bool) -> Result<(), RowError> {
        if self.layout == Layout::Array {
            out.extend_from_slice(if first { b"[\n" } else { b",\n" });
        }
        match &self.columns {
            Some(columns) => append_object(out, columns, row)?,
            None => append_whole(out, row)?,
        }
        if self.layout == Layout::Lines {
            out.push(b'\n');
        }
        Ok(())
    }

    /// What stands behind the last row.
    pub fn end(&self, out: &mut Vec<u8>, empty: bool) {
        if self.layout == Layout::Array {
            out.extend_from_slice(if empty { b"[]\n" } else { b"\n]\n" });
        }
    }
}

/// Appends the text of one value.
///
/// # Errors
/// When the bytes are not exactly one value.
pub fn append_whole(out: &mut Vec<u8>, value: &[u8]) -> Result<(), RowError> {
    let mut at = 0;
    json::append(out, value, &mut at)?;
    if at == value.len() { Ok(()) } else { Err(Malformed::Rest.into()) }
}

fn append_object(out: &mut Vec<u8>, columns: &Columns, row: &[u8]) -> Result<(), RowError> {
    let cells = columns.place(row)?;
    let mut separator = b'{';
    for (name, cell) in columns.names.iter().zip(cells) {
        let Some(cell) = cell else { continue };
        out.push(separator);
        json::append_text(out, name);
        out.push(b':');
        append_whole(out, cell)?;
        separator = b',';
    }
    if separator == b'{' {
        out.push(b'{');
    }
    out.push(b'}');
    Ok(())
}
