//! A document as one table.

use std::borrow::Cow;
use std::io::Read as _;

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};

use super::pieces::{Piece, Pieces, Watched};
use super::{DEEPEST, wrong};
use crate::lua::error::LibError;
use crate::lua::std::transcode::Transcode;
use crate::lua::tape::{Open, Tape};

/// The root element.
///
/// # Errors
/// `parse` with line and column.
pub(super) fn decode(text: &[u8], trim: bool) -> Result<Tape, LibError> {
    let text = utf8(text)?;
    let mut pieces = Pieces::new(Watched::new(&*text, u64::MAX), DEEPEST);
    let mut tree = Tree { tape: Tape::default(), open: Vec::new(), text: String::new(), trim };
    while let Some(piece) = pieces.next()? {
        tree.add(piece)?;
    }
    Ok(tree.tape)
}

fn utf8(text: &[u8]) -> Result<Cow<'_, [u8]>, LibError> {
    let picked = declared(text).map_err(wrong)?;
    if picked == Some(UTF_8) && Encoding::for_bom(text).is_none() {
        return Ok(Cow::Borrowed(text));
    }
    let mut out = Vec::new();
    let read = Transcode::new(text, move |_| Ok(picked)).read_to_end(&mut out);
    read.map_err(|error| wrong(error.to_string()))?;
    Ok(Cow::Owned(out))
}

/// What the declaration at the beginning says; UTF-8 without one.
///
/// # Errors
/// When nobody knows the encoding.
pub(super) fn declared(head: &[u8]) -> Result<Option<&'static Encoding>, String> {
    // UTF-16 without its mark
    match head {
        [b'<', 0, ..] => return Ok(Some(UTF_16LE)),
        [0, b'<', ..] => return Ok(Some(UTF_16BE)),
        _ => {}
    }
    if !head.starts_with(b"<?xml") {
        return Ok(Some(UTF_8));
    }
    let head = &head[..head.len().min(1024)];
    let declaration =
        String::from_utf8_lossy(head.split(|byte| *byte == b'>').next().unwrap_or(head)).into_owned();
    let Some((_, rest)) = declaration.split_once("encoding") else { return Ok(Some(UTF_8)) };
    let rest = rest.trim_start().trim_start_matches('=').trim_start();
    let label = rest.get(1..).and_then(|text| text.split(['"', '\'']).next()).unwrap_or_default();
    match Encoding::for_label(label.as_bytes()) {
        // it could be read as ASCII so far
        Some(found) if found == UTF_16LE || found == UTF_16BE => Ok(Some(UTF_8)),
        Some(found) => Ok(Some(found)),
        None => Err(format!("the encoding `{label}` is not known")),
    }
}

struct Tree {
    tape: Tape,
    /// Element, children, their number.
    open: Vec<(Open, Open, usize)>,
    text: String,
    trim: bool,
}

impl Tree {
    fn add(&mut self, piece: Piece) -> Result<(), LibError> {
        match piece {
            Piece::Start(tag, attributes) => {
                self.flush();
                if let Some((_, _, count)) = self.open.last_mut() {
                    *count += 1;
                }
                let element = self.tape.open_map();
                self.tape.text(b"tag");
                self.tape.text(tag.as_bytes());
                self.tape.text(b"attr");
                put_attributes(&mut self.tape, &attributes)?;
                self.tape.text(b"children");
                let children = self.tape.open_array();
                self.open.push((element, children, 0));
            }
            Piece::End(_) => {
                self.flush();
                if let Some((element, children, count)) = self.open.pop() {
                    self.tape.close(children, count)?;
                    self.tape.close(element, 3)?;
                }
            }
            Piece::Text(text) => self.text.push_str(&text),
            Piece::Comment(_) | Piece::Instruction(..) => {}
        }
        Ok(())
    }

    fn flush(&mut self) {
        let text = std::mem::take(&mut self.text);
        let text = if self.trim { text.trim() } else { &text };
        if let Some((_, _, count)) = self.open.last_mut()
            && !text.is_empty()
        {
            *count += 1;
            self.tape.text(text.as_bytes());
        }
    }
}

pub(super) fn put_attributes(tape: &mut Tape, attributes: &[(String, String)]) -> Result<(), LibError> {
    let open = tape.open_map();
    for (name, value) in attributes {
        tape.text(name.as_bytes());
        tape.text(value.as_bytes());
    }
    tape.close(open, attributes.len())
}
