//! Tape to MessagePack, each part in its shortest form.

use rmp::encode::{
    ByteBuf, write_array_len, write_bin, write_bool, write_f64, write_map_len, write_nil, write_sint,
    write_str,
};

use crate::lua::error::LibError;
use crate::lua::tape::{Bad, Item, Reader, Tape};

/// A buffer in memory takes all.
const GROWS: &str = "the buffer grows as it must";

pub(super) fn encode(tape: &Tape) -> Result<Vec<u8>, LibError> {
    let mut out = ByteBuf::with_capacity(tape.len());
    value(&mut out, &mut tape.reader())?;
    Ok(out.into_vec())
}

fn value(out: &mut ByteBuf, reader: &mut Reader<'_>) -> Result<(), Bad> {
    match reader.next() {
        Item::Null => write_nil(out).expect(GROWS),
        Item::Bool(flag) => write_bool(out, flag).expect(GROWS),
        Item::Int(number) => {
            write_sint(out, number).expect(GROWS);
        }
        Item::Float(number) => write_f64(out, number).expect(GROWS),
        Item::Text(bytes) | Item::Date(bytes) => text(out, bytes)?,
        Item::Array(count) => {
            write_array_len(out, length(count)?).expect(GROWS);
            for index in 1..=count {
                value(out, reader).map_err(|bad| bad.below_index(index))?;
            }
        }
        Item::Map(entries) => {
            write_map_len(out, length(entries.count)?).expect(GROWS);
            for index in 0..entries.count {
                reader.entry(entries, index);
                let key = reader.clone().next();
                value(out, reader)?;
                value(out, reader).map_err(|bad| bad.below_key(key))?;
            }
            reader.leave(entries);
        }
        Item::Rows(..) => return Err(Bad::new("MessagePack has no rows")),
    }
    Ok(())
}

/// Characters as `str`, any other bytes as `bin`.
fn text(out: &mut ByteBuf, bytes: &[u8]) -> Result<(), Bad> {
    length(bytes.len())?;
    match std::str::from_utf8(bytes) {
        Ok(text) => write_str(out, text).expect(GROWS),
        Err(_) => write_bin(out, bytes).expect(GROWS),
    }
    Ok(())
}

fn length(length: usize) -> Result<u32, Bad> {
    u32::try_from(length).map_err(|_| Bad::new("MessagePack holds nothing of 4 GiB or more"))
}
