//! Tape to text: blocks, two blanks a level. A text has quotes when some reader could take it for anything else.

use std::fmt::Write as _;

use data_encoding::BASE64;

use super::scalar::is_doubtful;
use crate::lua::error::LibError;
use crate::lua::tape::{Bad, Entries, Item, Reader, Tape};

/// A key on one line may not be longer (YAML 1.2.2, section 8.2.2); a longer one is written after `? `.
const LONGEST_KEY: usize = 1000;

/// # Errors
/// `invalid` with the path of what YAML cannot hold.
pub(super) fn emit(tape: &Tape) -> Result<Vec<u8>, LibError> {
    let mut emitter = Emitter { out: String::with_capacity(tape.len() + tape.len() / 4) };
    emitter.value(&mut tape.reader(), 0, Behind::Nothing)?;
    Ok(emitter.out.into_bytes())
}

/// What stands on the line already.
#[derive(Clone, Copy, PartialEq)]
enum Behind {
    Nothing,
    /// `key:`
    Key,
    /// `-`, or `?` or `:` of a long key.
    Dash,
}

struct Emitter {
    out: String,
}

impl Emitter {
    /// Writes the value and the end of its line. Its own lines begin with `indent` blanks.
    fn value(&mut self, reader: &mut Reader<'_>, indent: usize, behind: Behind) -> Result<(), Bad> {
        match reader.next() {
            Item::Array(0) => self.word("[]", behind),
            Item::Map(entries) if entries.count == 0 => self.word("{}", behind),
            Item::Array(count) => return self.list(reader, count, indent, behind),
            Item::Map(entries) => return self.map(reader, entries, indent, behind),
            Item::Rows(..) => return Err(Bad::new("YAML has no rows")),
            Item::Text(text) => self.text(text, indent, behind),
            Item::Date(text) => self.word(&String::from_utf8_lossy(text), behind),
            scalar => {
                let word = word_of(scalar);
                self.word(&word, behind);
            }
        }
        Ok(())
    }

    fn word(&mut self, word: &str, behind: Behind) {
        self.gap(behind);
        self.out.push_str(word);
        self.out.push('\n');
    }

    fn gap(&mut self, behind: Behind) {
        if behind != Behind::Nothing {
            self.out.push(' ');
        }
    }

    fn list(
        &mut self,
        reader: &mut Reader<'_>,
        count: usize,
        indent: usize,
        behind: Behind,
    ) -> Result<(), Bad> {
        for index in 0..count {
            self.begin(indent, index, behind);
            self.out.push('-');
            self.value(reader, indent + 2, Behind::Dash).map_err(|bad| bad.below_index(index + 1))?;
        }
        Ok(())
    }

    /// Blanks before an entry; the first one behind a dash is on its line.
    fn begin(&mut self, indent: usize, index: usize, behind: Behind) {
        match (index, behind) {
            (0, Behind::Dash) => self.out.push(' '),
            (0, Behind::Key) => {
                self.out.push('\n');
                self.blanks(indent);
            }
            _ => self.blanks(indent),
        }
    }

    fn blanks(&mut self, count: usize) {
        self.out.extend(std::iter::repeat_n(' ', count));
    }

    fn map(
        &mut self,
        reader: &mut Reader<'_>,
        entries: Entries,
        indent: usize,
        behind: Behind,
    ) -> Result<(), Bad> {
        for index in 0..entries.count {
            self.begin(indent, index, behind);
            reader.entry(entries, index);
            let key = reader.next();
            let start = self.out.len();
            match key {
                Item::Text(text) => self.short(text),
                Item::Date(text) => self.short(text),
                scalar => self.out.push_str(&word_of(scalar)),
            }
            let long = self.out.len() - start > LONGEST_KEY;
            if long {
                self.out.insert_str(start, "? ");
                self.out.push('\n');
                self.blanks(indent);
            }
            self.out.push(':');
            let behind = if long { Behind::Dash } else { Behind::Key };
            self.value(reader, indent + 2, behind).map_err(|bad| bad.below_key(key))?;
        }
        reader.leave(entries);
        Ok(())
    }

    fn text(&mut self, bytes: &[u8], indent: usize, behind: Behind) {
        self.gap(behind);
        match std::str::from_utf8(bytes) {
            Ok(text) if behind != Behind::Nothing && is_block(text) => self.block(text, indent),
            _ => {
                self.short(bytes);
                self.out.push('\n');
            }
        }
    }

    /// `|`, and the lines.
    fn block(&mut self, text: &str, indent: usize) {
        let body = text.trim_end_matches('\n');
        self.out.push_str(match text.len() - body.len() {
            0 => "|-\n",
            1 => "|\n",
            _ => "|+\n",
        });
        for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
            if !line.is_empty() {
                self.blanks(indent);
                self.out.push_str(line);
            }
            self.out.push('\n');
        }
    }

    /// On one line.
    fn short(&mut self, bytes: &[u8]) {
        match std::str::from_utf8(bytes) {
            Ok(text) if is_plain(text) => self.out.push_str(text),
            Ok(text) => self.quoted(text),
            Err(_) => {
                self.out.push_str("!!binary \"");
                BASE64.encode_append(bytes, &mut self.out);
                self.out.push('"');
            }
        }
    }

    fn quoted(&mut self, text: &str) {
        self.out.push('"');
        for letter in text.chars() {
            match letter {
                '"' => self.out.push_str("\\\""),
                '\\' => self.out.push_str("\\\\"),
                '\n' => self.out.push_str("\\n"),
                '\t' => self.out.push_str("\\t"),
                '\r' => self.out.push_str("\\r"),
                letter if is_printable(letter) => self.out.push(letter),
                letter => {
                    let code = u32::from(letter);
                    let _ = match code {
                        0..=0xff => write!(self.out, "\\x{code:02x}"),
                        0x100..=0xffff => write!(self.out, "\\u{code:04x}"),
                        _ => write!(self.out, "\\U{code:08x}"),
                    };
                }
            }
        }
        self.out.push('"');
    }
}

fn word_of(scalar: Item<'_>) -> String {
    match scalar {
        Item::Bool(flag) => flag.to_string(),
        Item::Int(number) => number.to_string(),
        Item::Float(number) => float(number),
        _ => "null".to_owned(),
    }
}

/// With a point, and a sign in the exponent: YAML 1.1 reads `1e5` as a text.
fn float(number: f64) -> String {
    if number.is_nan() {
        return ".nan".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { ".inf" } else { "-.inf" }.to_owned();
    }
    let text = format!("{number:?}");
    let Some((digits, exponent)) = text.split_once('e') else { return text };
    let point = if digits.contains('.') { "" } else { ".0" };
    let sign = if exponent.starts_with('-') { "" } else { "+" };
    format!("{digits}{point}e{sign}{exponent}")
}

/// Letters, digits and what means nothing to YAML inside of a text.
fn is_plain(text: &str) -> bool {
    let inside = |c: char| {
        c.is_alphanumeric()
            || matches!(c, '_' | '.' | '/' | '+' | '-' | '(' | ')' | ';' | '=' | '~' | '$' | '^')
    };
    text.starts_with(|c: char| c.is_alphabetic() || matches!(c, '_' | '/' | '.' | '(' | '$'))
        && !is_doubtful(text)
        && !text.ends_with(' ')
        && text.chars().all(|c| inside(c) || c == ' ')
}

/// Several lines that a block gives back letter by letter.
fn is_block(text: &str) -> bool {
    text.contains('\n')
        && !text.starts_with([' ', '\n', '\t'])
        && !text.ends_with([' ', '\t'])
        && text.split('\n').all(|line| line.is_empty() || !line.trim_matches([' ', '\t']).is_empty())
        && text.chars().all(|c| c == '\n' || c == '\t' || is_printable(c))
}

/// Without escapes (YAML 1.2.2, section 5.1), and without what some take for the end of a line.
fn is_printable(letter: char) -> bool {
    matches!(letter, ' '..='~' | '\u{a0}'..='\u{2027}' | '\u{202a}'..='\u{d7ff}' | '\u{e000}'..='\u{fefe}'
        | '\u{ff00}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}')
}
