//! `xml.events`: a document of any length, piece by piece.

use std::io::{BufReader, Read};
use std::path::PathBuf;

use super::decode::{declared, put_attributes};
use super::pieces::{Piece, Pieces, Watched};
use crate::lua::error::LibError;
use crate::lua::std::batches::{self, Batch};
use crate::lua::std::csv::input::Source;
use crate::lua::std::transcode::Transcode;
use crate::lua::tape::Tape;

/// Of one piece, unless `max_size` says otherwise.
pub(super) const MOST_BYTES: u64 = 64 << 20;
/// Elements inside of each other: only their names are kept.
const DEEPEST: usize = 10_000;

pub(super) struct Events {
    pieces: Pieces<BufReader<Transcode<Box<dyn Read + Send>>>>,
    path: Option<PathBuf>,
    trim: bool,
}

impl Events {
    /// # Errors
    /// What the system says of the file.
    pub fn open(source: Source, trim: bool, most: u64) -> Result<Self, LibError> {
        let path = source.path();
        let inner = BufReader::with_capacity(64 << 10, Transcode::new(source.open()?, declared));
        Ok(Self { pieces: Pieces::new(Watched::new(inner, most), DEEPEST), path, trim })
    }
}

impl batches::Source for Events {
    fn fill(&mut self, batch: &mut Batch) -> Result<(), LibError> {
        while !batch.is_full() {
            let next = self.pieces.next();
            let next = next.map_err(|error| match &self.path {
                Some(path) => error.path(path),
                None => error,
            })?;
            match next {
                None => break,
                Some(Piece::Text(text)) if self.trim && text.trim().is_empty() => {}
                Some(piece) => batch.value(|tape| put(tape, &piece, self.trim))?,
            }
        }
        Ok(())
    }
}

fn put(tape: &mut Tape, piece: &Piece, trim: bool) -> Result<(), LibError> {
    let pair = |tape: &mut Tape, key: &str, value: &str| {
        tape.text(key.as_bytes());
        tape.text(value.as_bytes());
    };
    let open = tape.open_map();
    let count = match piece {
        Piece::Start(tag, attributes) => {
            pair(tape, "event", "start");
            pair(tape, "tag", tag);
            tape.text(b"attr");
            put_attributes(tape, attributes)?;
            3
        }
        Piece::End(tag) => {
            pair(tape, "event", "end");
            pair(tape, "tag", tag);
            2
        }
        Piece::Text(text) => {
            pair(tape, "event", "text");
            pair(tape, "text", if trim { text.trim() } else { text });
            2
        }
        Piece::Comment(text) => {
            pair(tape, "event", "comment");
            pair(tape, "text", text);
            2
        }
        Piece::Instruction(target, text) => {
            pair(tape, "event", "instruction");
            pair(tape, "target", target);
            pair(tape, "text", text);
            3
        }
    };
    tape.close(open, count)
}
