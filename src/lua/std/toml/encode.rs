//! Tape to text.

use toml::{Table, Value};

use super::date;
use crate::lua::error::LibError;
use crate::lua::tape::{Bad, Entries, Item, Reader, Tape};

/// # Errors
/// `invalid` with the path of what TOML cannot hold.
pub(super) fn encode(tape: &Tape) -> Result<Vec<u8>, LibError> {
    let mut reader = tape.reader();
    let root = match reader.next() {
        Item::Map(entries) => table(&mut reader, entries)?,
        // an empty table is both
        Item::Array(0) => Table::new(),
        _ => return Err(Bad::new("a TOML document is a table with names, and nothing else").into()),
    };
    let text = toml::to_string(&root).map_err(|error| LibError::invalid(error.to_string()))?;
    Ok(text.into_bytes())
}

fn table(reader: &mut Reader<'_>, entries: Entries) -> Result<Table, Bad> {
    let mut table = Table::new();
    for index in 0..entries.count {
        reader.entry(entries, index);
        let key = reader.next();
        let Item::Text(name) = key else {
            return Err(Bad::new("keys of a table must be strings").below_key(key));
        };
        let name = text(name).map_err(|bad| bad.below_key(key))?;
        table.insert(name, value(reader).map_err(|bad| bad.below_key(key))?);
    }
    reader.leave(entries);
    Ok(table)
}

fn value(reader: &mut Reader<'_>) -> Result<Value, Bad> {
    Ok(match reader.next() {
        Item::Null => return Err(Bad::new("TOML has no null: leave the key out")),
        Item::Bool(flag) => Value::Boolean(flag),
        Item::Int(number) => Value::Integer(number),
        Item::Float(number) => Value::Float(number),
        Item::Text(bytes) => Value::String(text(bytes)?),
        Item::Date(bytes) => Value::Datetime(date::parsed(bytes).map_err(|error| Bad::new(error.message()))?),
        Item::Array(count) => {
            let item = |index| value(reader).map_err(|bad| bad.below_index(index));
            Value::Array((1..=count).map(item).collect::<Result<_, _>>()?)
        }
        Item::Map(entries) => Value::Table(table(reader, entries)?),
        Item::Rows(..) => return Err(Bad::new("TOML has no rows")),
    })
}

fn text(bytes: &[u8]) -> Result<String, Bad> {
    let wrong = "TOML cannot hold a string that is not UTF-8";
    std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| Bad::new(wrong))
}
