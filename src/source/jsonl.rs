//! `jsonl`: a task a line, which holds one JSON value: an array is the argument list, anything else one argument.
//!
//! Integers stay integers, and are floats beyond 64 bits; `1.0` and `1e3` are floats. `null` is nil: in lists it
//! keeps its place, as a value of an object it is dropped, since a table of Lua cannot hold it.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::source::SourceError;
use crate::source::input::LineReader;
use crate::source::stream::Records;
use crate::wire::value::{ARRAY, FALSE, MAP, NIL, TRUE, encode_bytes, encode_float, encode_int};
use crate::wire::varint;

/// JSON values as tasks.
pub struct Jsonl {
    reader: LineReader,
    line: Vec<u8>,
}

impl Jsonl {
    /// From the first line on.
    pub fn new(reader: LineReader) -> Self {
        Jsonl { reader, line: Vec::new() }
    }
}

impl Records for Jsonl {
    fn next(&mut self, args: &mut Vec<u8>) -> Result<bool, SourceError> {
        loop {
            if !self.reader.next(&mut self.line)? {
                return Ok(false);
            }
            if !self.line.trim_ascii().is_empty() {
                break;
            }
        }
        args.push(1);
        if let Err(error) = append_json(args, &self.line) {
            return Err(refused(&self.reader.place(), &error));
        }
        if args.get(1) == Some(&ARRAY) {
            // What follows the tag of an array is the code of a list.
            args.drain(..2);
        }
        Ok(true)
    }

    fn is_ready(&self) -> bool {
        self.reader.is_ready()
    }

    fn place(&self) -> String {
        self.reader.place()
    }

    fn empty(&self) -> SourceError {
        SourceError::Empty {
            what: format!("{} has no record", self.reader.name()),
            help: "check the path of `jsonl`, or what writes that file",
        }
    }
}

fn refused(place: &str, error: &serde_json::Error) -> SourceError {
    let text = error.to_string();
    // serde_json appends a place, which counts this line as the first
    let reason = text.rsplit_once(" at line ").map_or(&*text, |(reason, _)| reason);
    let place = format!("{place}:{}", error.column());
    SourceError::Record {
        place,
        reason: reason.into(),
        help: "each line of a jsonl file is one whole JSON value",
    }
}

/// Appends the value code of one JSON text.
fn append_json(out: &mut Vec<u8>, text: &[u8]) -> Result<(), serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    Encode(out).deserialize(&mut deserializer)?;
    deserializer.end()
}

/// Writes what it is shown.
struct Encode<'a>(&'a mut Vec<u8>);

impl<'de> DeserializeSeed<'de> for Encode<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Encode<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.0.push(NIL);
        Ok(())
    }

    fn visit_bool<E>(self, flag: bool) -> Result<(), E> {
        self.0.push(if flag { TRUE } else { FALSE });
        Ok(())
    }

    fn visit_i64<E>(self, number: i64) -> Result<(), E> {
        encode_int(self.0, number);
        Ok(())
    }

    fn visit_u64<E>(self, number: u64) -> Result<(), E> {
        match i64::try_from(number) {
            Ok(number) => encode_int(self.0, number),
            Err(_) => encode_float(self.0, number as f64),
        }
        Ok(())
    }

    fn visit_f64<E>(self, number: f64) -> Result<(), E> {
        encode_float(self.0, number);
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        encode_bytes(self.0, text.as_bytes());
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let head = open_table(self.0, ARRAY);
        let mut count = 0;
        while items.next_element_seed(Encode(self.0))?.is_some() {
            count += 1;
        }
        close_table(self.0, head, count);
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut pairs: A) -> Result<(), A::Error> {
        let head = open_table(self.0, MAP);
        let mut count = 0;
        loop {
            let pair = self.0.len();
            if pairs.next_key_seed(Encode(self.0))?.is_none() {
                break;
            }
            let value = self.0.len();
            pairs.next_value_seed(Encode(self.0))?;
            if self.0[value] == NIL {
                self.0.truncate(pair);
            } else {
                count += 1;
            }
        }
        close_table(self.0, head, count);
        Ok(())
    }
}

/// Writes the tag and keeps a byte for the count.
fn open_table(out: &mut Vec<u8>, tag: u8) -> usize {
    out.extend([tag, 0]);
    out.len() - 1
}

/// Writes the count, which for 128 values and more needs room for its other bytes.
fn close_table(out: &mut Vec<u8>, head: usize, count: u64) {
    if let Ok(short @ 0..0x80) = u8::try_from(count) {
        out[head] = short;
    } else {
        let mut long = Vec::new();
        varint::put(&mut long, count);
        out.splice(head..=head, long);
    }
}
