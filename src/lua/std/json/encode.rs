//! Tape to text.

use super::Style;
use crate::lua::error::LibError;
use crate::lua::tape::{Bad, Entries, Item, Reader, Tape};

/// # Errors
/// `invalid` with the path of what JSON cannot hold.
pub(super) fn encode(tape: &Tape, style: Style) -> Result<Vec<u8>, LibError> {
    let mut writer = Writer { out: Vec::with_capacity(tape.len()), indent: style.indent, level: 0 };
    writer.value(&mut tape.reader())?;
    Ok(writer.out)
}

struct Writer {
    out: Vec<u8>,
    /// Blanks a level; all on one line without.
    indent: Option<usize>,
    level: usize,
}

impl Writer {
    fn value(&mut self, reader: &mut Reader<'_>) -> Result<(), Bad> {
        match reader.next() {
            Item::Null => self.out.extend_from_slice(b"null"),
            Item::Bool(true) => self.out.extend_from_slice(b"true"),
            Item::Bool(false) => self.out.extend_from_slice(b"false"),
            Item::Int(number) => self.number(&number)?,
            Item::Float(number) if number.is_finite() => self.number(&number)?,
            Item::Float(number) => return Err(Bad::new(format!("JSON has no {number}"))),
            Item::Text(text) | Item::Date(text) => self.text(text)?,
            Item::Array(count) => self.array(reader, count)?,
            Item::Map(entries) => self.map(reader, entries)?,
            Item::Rows(..) => return Err(Bad::new("JSON has no rows")),
        }
        Ok(())
    }

    fn number(&mut self, number: &impl serde::Serialize) -> Result<(), Bad> {
        serde_json::to_writer(&mut self.out, number).map_err(|error| Bad::new(error.to_string()))
    }

    fn array(&mut self, reader: &mut Reader<'_>, count: usize) -> Result<(), Bad> {
        self.begin(b'[');
        for index in 0..count {
            self.separate(index);
            self.value(reader).map_err(|bad| bad.below_index(index + 1))?;
        }
        self.end(count == 0, b']');
        Ok(())
    }

    fn map(&mut self, reader: &mut Reader<'_>, entries: Entries) -> Result<(), Bad> {
        self.begin(b'{');
        for index in 0..entries.count {
            self.separate(index);
            reader.entry(entries, index);
            let key = reader.next();
            let Item::Text(name) = key else { return Err(wrong_key(key)) };
            self.text(name).map_err(|bad| bad.below_key(key))?;
            self.out.extend_from_slice(if self.indent.is_some() { b": " } else { b":" });
            self.value(reader).map_err(|bad| bad.below_key(key))?;
        }
        reader.leave(entries);
        self.end(entries.count == 0, b'}');
        Ok(())
    }

    fn begin(&mut self, bracket: u8) {
        self.out.push(bracket);
        self.level += 1;
    }

    fn separate(&mut self, index: usize) {
        if index > 0 {
            self.out.push(b',');
        }
        self.newline();
    }

    fn end(&mut self, empty: bool, bracket: u8) {
        self.level -= 1;
        if !empty {
            self.newline();
        }
        self.out.push(bracket);
    }

    fn newline(&mut self) {
        if let Some(blanks) = self.indent {
            self.out.push(b'\n');
            self.out.resize(self.out.len() + blanks * self.level, b' ');
        }
    }

    fn text(&mut self, text: &[u8]) -> Result<(), Bad> {
        if std::str::from_utf8(text).is_err() {
            return Err(Bad::new("JSON cannot hold a string that is not UTF-8"));
        }
        self.out.push(b'"');
        let mut rest = text;
        while let Some(at) = rest.iter().position(|byte| ESCAPES[usize::from(*byte)] != 0) {
            self.out.extend_from_slice(&rest[..at]);
            self.escape(rest[at]);
            rest = &rest[at + 1..];
        }
        self.out.extend_from_slice(rest);
        self.out.push(b'"');
        Ok(())
    }

    #[cold]
    fn escape(&mut self, byte: u8) {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        self.out.push(b'\\');
        match ESCAPES[usize::from(byte)] {
            b'u' => {
                let digits = [b'u', b'0', b'0', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]];
                self.out.extend_from_slice(&digits);
            }
            letter => self.out.push(letter),
        }
    }
}

fn wrong_key(key: Item<'_>) -> Bad {
    let (kind, shown) = match key {
        Item::Int(number) => ("number", number.to_string()),
        Item::Float(number) => ("number", format!("{number:?}")),
        Item::Bool(flag) => ("boolean", flag.to_string()),
        _ => ("table", String::new()),
    };
    Bad::new(format!("keys of an object must be strings, got the {kind} `{shown}`"))
}

/// What follows the backslash; 0 for bytes that stand for themselves.
static ESCAPES: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 0x20 {
        table[byte] = b'u';
        byte += 1;
    }
    table[0x08] = b'b';
    table[0x0c] = b'f';
    table[b'\n' as usize] = b'n';
    table[b'\r' as usize] = b'r';
    table[b'\t' as usize] = b't';
    table[b'"' as usize] = b'"';
    table[b'\\' as usize] = b'\\';
    table
};
