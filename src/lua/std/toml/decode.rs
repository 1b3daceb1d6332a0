//! Text to tape.

use toml::Spanned;
use toml::de::{DeInteger, DeTable, DeValue};

use super::date;
use super::depth::too_deep;
use crate::lua::error::LibError;
use crate::lua::std::document::{place, utf8};
use crate::lua::tape::{DEEPEST, Tape};

/// The tape of a document.
///
/// # Errors
/// `parse` with line and column.
pub(super) fn decode(text: &[u8]) -> Result<Tape, LibError> {
    let text = utf8(text)?;
    if text.starts_with('\u{feff}') {
        return Err(LibError::parse("a byte order mark in the text at line 1 column 1"));
    }
    let wrong = |message: &str, at: usize| {
        let message = message.lines().collect::<Vec<_>>().join(": ");
        LibError::parse(format!("{message} at {}", place(text.as_bytes(), at)))
    };
    if let Some(at) = too_deep(text.as_bytes()) {
        return Err(wrong(&format!("nested more than {DEEPEST} deep"), at));
    }
    let parsed = DeTable::parse(text);
    let table = parsed.map_err(|error| wrong(error.message(), error.span().map_or(0, |span| span.start)))?;
    let mut tape = Tape::default();
    match put_table(table.get_ref(), &mut tape, 0) {
        Ok(()) => Ok(tape),
        Err(Wrong { message, at }) => Err(wrong(&message, at)),
    }
}

struct Wrong {
    message: String,
    at: usize,
}

fn put_table(table: &DeTable<'_>, tape: &mut Tape, depth: usize) -> Result<(), Wrong> {
    let open = tape.open_map();
    for (key, value) in table {
        tape.text(key.get_ref().as_bytes());
        put(value, tape, depth + 1)?;
    }
    tape.close(open, table.len()).map_err(|error| Wrong { message: error.message().to_owned(), at: 0 })
}

fn put(value: &Spanned<DeValue<'_>>, tape: &mut Tape, depth: usize) -> Result<(), Wrong> {
    let wrong = |message: String| Wrong { message, at: value.span().start };
    if depth > DEEPEST {
        return Err(wrong(format!("nested more than {DEEPEST} deep")));
    }
    match value.get_ref() {
        DeValue::String(text) => tape.text(text.as_bytes()),
        DeValue::Integer(number) => tape.int(
            integer(number)
                .ok_or_else(|| wrong(format!("the integer `{number}` does not fit into 64 bits")))?,
        ),
        DeValue::Float(number) => {
            let text = number.as_str();
            let read = text.parse::<f64>().ok().filter(|read| {
                read.is_finite() || !text.contains(['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'])
            });
            tape.float(read.ok_or_else(|| wrong(format!("the float `{text}` is out of range")))?);
        }
        DeValue::Boolean(flag) => tape.bool(*flag),
        DeValue::Datetime(date) => tape.date(date::whole(*date).to_string().as_bytes()),
        DeValue::Array(items) => {
            let open = tape.open_array();
            for item in items.iter() {
                put(item, tape, depth + 1)?;
            }
            tape.close(open, items.len()).map_err(|error| wrong(error.message().to_owned()))?;
        }
        DeValue::Table(table) => put_table(table, tape, depth)?,
    }
    Ok(())
}

fn integer(number: &DeInteger<'_>) -> Option<i64> {
    i64::from_str_radix(number.as_str(), number.radix()).ok()
}
