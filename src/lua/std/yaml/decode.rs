//! Text to tape. An alias is a copy of what its anchor names, within a budget.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use data_encoding::BASE64;
use granit_parser::{Event, Marker, Parser, ScalarStyle, ScanError, StrInput, Tag};

use super::scalar::Plain;
use crate::lua::error::LibError;
use crate::lua::std::document::utf8;
use crate::lua::tape::{DEEPEST, Item, Open, Tape};

/// What aliases may copy of any text, and besides so many times its length.
const LEAST_COPIES: usize = 1 << 20;
const COPIES_OF_LENGTH: usize = 16;

/// Keys of a map that are compared one by one.
const FEW_KEYS: usize = 16;

const CORE: &str = "tag:yaml.org,2002:";

/// The one document; an empty text is null.
///
/// # Errors
/// `parse` with line and column; `too_large` when aliases copy too much.
pub(super) fn one(text: &[u8]) -> Result<Tape, LibError> {
    let mut builder = Builder::new(text.len(), true);
    builder.read(utf8(text)?)?;
    if builder.documents == 0 {
        builder.tape.null();
    }
    Ok(builder.tape)
}

/// An array of the documents.
///
/// # Errors
/// As [`one`].
pub(super) fn all(text: &[u8]) -> Result<Tape, LibError> {
    let mut builder = Builder::new(text.len(), false);
    let open = builder.tape.open_array();
    builder.read(utf8(text)?)?;
    builder.tape.close(open, builder.documents)?;
    Ok(builder.tape)
}

struct Builder {
    tape: Tape,
    open: Vec<Node>,
    anchors: HashMap<usize, Anchor>,
    documents: usize,
    /// More than one document is an error.
    single: bool,
    copied: usize,
    most_copies: usize,
}

/// A table that is being read.
struct Node {
    open: Open,
    start: usize,
    anchor: usize,
    /// Tables inside of each other.
    height: usize,
    count: usize,
    /// None for a sequence.
    map: Option<Box<Map>>,
}

#[derive(Default)]
struct Map {
    keys: Keys,
    /// Between a key and its value.
    key: Option<Key>,
    /// What `<<` named: a map, or an array of maps.
    merged: Vec<(Tape, Marker)>,
}

#[derive(Clone, Copy)]
enum Key {
    Own,
    /// Written from there on.
    Merge(usize),
}

/// The keys of a map as the tape has them.
#[derive(Default)]
struct Keys {
    few: Vec<Vec<u8>>,
    many: HashSet<Vec<u8>>,
}

impl Keys {
    /// Whether it is new.
    fn add(&mut self, key: &[u8]) -> bool {
        if self.many.is_empty() && self.few.len() < FEW_KEYS {
            let new = !self.few.iter().any(|known| known == key);
            if new {
                self.few.push(key.to_owned());
            }
            return new;
        }
        self.many.extend(self.few.drain(..));
        self.many.insert(key.to_owned())
    }
}

/// What an anchor names.
enum Anchor {
    /// It is not at its end.
    Begun,
    OnTape(Range<usize>, usize),
    /// Taken off the tape.
    Own(Tape, usize),
}

fn wrong(at: Marker, message: &str) -> LibError {
    LibError::parse(format!("{message} at line {} column {}", at.line(), at.col() + 1))
}

fn scan(error: &ScanError) -> LibError {
    let text = error.info();
    // the marker is told in our words
    let text = text.split(" at char ").next().unwrap_or(&text);
    let text = text.split(" at byte ").next().unwrap_or(text);
    wrong(*error.marker(), text)
}

impl Builder {
    fn new(length: usize, single: bool) -> Self {
        Self {
            tape: Tape::default(),
            open: Vec::new(),
            anchors: HashMap::new(),
            documents: 0,
            single,
            copied: 0,
            most_copies: LEAST_COPIES + COPIES_OF_LENGTH * length,
        }
    }

    fn read(&mut self, text: &str) -> Result<(), LibError> {
        let mut parser: Parser<'_, StrInput<'_>> = Parser::new_from_str(text);
        while let Some(next) = parser.next_event() {
            let (event, span) = next.map_err(|error| scan(&error))?;
            self.event(event, span.start)?;
        }
        Ok(())
    }

    fn event(&mut self, event: Event<'_>, at: Marker) -> Result<(), LibError> {
        match event {
            Event::DocumentStart(..) => {
                self.anchors.clear();
                if self.single && self.documents == 1 {
                    return Err(wrong(at, "there is a second document (`yaml.decode_all` reads several)"));
                }
                self.documents += 1;
            }
            Event::Scalar(text, style, anchor, tag) => {
                let start = self.tape.len();
                let tag = tag.as_deref();
                let merge = style == ScalarStyle::Plain
                    && text == "<<"
                    && tag.is_none_or(|tag| core(tag) == Some("merge"));
                self.scalar(&text, style, tag, at)?;
                self.finished(start, 0, anchor, merge, at)?;
            }
            Event::SequenceStart(_, anchor, _) => self.begin(anchor, None, at)?,
            Event::MappingStart(_, anchor, _) => self.begin(anchor, Some(Box::default()), at)?,
            Event::SequenceEnd | Event::MappingEnd => self.end(at)?,
            Event::Alias(id) => {
                let start = self.tape.len();
                let height = self.alias(id, at)?;
                self.finished(start, height, 0, false, at)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn begin(&mut self, anchor: usize, map: Option<Box<Map>>, at: Marker) -> Result<(), LibError> {
        self.check_height(1, at)?;
        if anchor > 0 {
            self.anchors.insert(anchor, Anchor::Begun);
        }
        let start = self.tape.len();
        let open = if map.is_some() { self.tape.open_map() } else { self.tape.open_array() };
        self.open.push(Node { open, start, anchor, height: 1, count: 0, map });
        Ok(())
    }

    fn check_height(&self, height: usize, at: Marker) -> Result<(), LibError> {
        if self.open.len() + height > DEEPEST {
            return Err(wrong(at, &format!("nested more than {DEEPEST} deep")));
        }
        Ok(())
    }

    fn end(&mut self, at: Marker) -> Result<(), LibError> {
        let Some(mut node) = self.open.pop() else { return Ok(()) };
        if let Some(map) = node.map.take() {
            self.merge(*map, &mut node.count)?;
        }
        self.tape.close(node.open, node.count)?;
        self.finished(node.start, node.height, node.anchor, false, at)
    }

    /// A value is on the tape from `start` on.
    fn finished(
        &mut self,
        start: usize,
        height: usize,
        anchor: usize,
        merge: bool,
        at: Marker,
    ) -> Result<(), LibError> {
        if anchor > 0 {
            self.anchors.insert(anchor, Anchor::OnTape(start..self.tape.len(), height));
        }
        let Some(node) = self.open.last_mut() else { return Ok(()) };
        node.height = node.height.max(height + 1);
        let Some(map) = &mut node.map else {
            node.count += 1;
            return Ok(());
        };
        match map.key.take() {
            None => {
                let key = if merge { Key::Merge(start) } else { Key::Own };
                map.key = Some(key);
                node.count += usize::from(!merge);
                key_of(&mut self.tape, start, at)?;
                if !map.keys.add(self.tape.part(start..self.tape.len())) {
                    return Err(wrong(at, &format!("the key `{}` is there twice", shown(&self.tape, start))));
                }
            }
            Some(Key::Own) => {}
            Some(Key::Merge(from)) => {
                let value = self.take_off(from, start);
                if let Some(map) = self.open.last_mut().and_then(|node| node.map.as_mut()) {
                    map.merged.push((value, at));
                }
            }
        }
        Ok(())
    }

    /// The value from `start` on leaves the tape, with its key before it.
    fn take_off(&mut self, key: usize, start: usize) -> Tape {
        let tape = &self.tape;
        for anchor in self.anchors.values_mut() {
            if let Anchor::OnTape(part, height) = anchor
                && part.start >= key
            {
                *anchor = Anchor::Own(tape.copy(part.clone()), *height);
            }
        }
        let value = tape.copy(start..tape.len());
        self.tape.truncate(key);
        value
    }

    fn copies(&mut self, bytes: usize, at: Marker) -> Result<(), LibError> {
        self.copied += bytes;
        if self.copied > self.most_copies {
            let text = format!("aliases copy more than {} bytes, line {}", self.most_copies, at.line());
            return Err(LibError::new("too_large", text));
        }
        Ok(())
    }

    /// Copies what the anchor names, and gives its height.
    fn alias(&mut self, id: usize, at: Marker) -> Result<usize, LibError> {
        let (bytes, height) = match self.anchors.get(&id) {
            Some(Anchor::OnTape(part, height)) => (part.len(), *height),
            Some(Anchor::Own(tape, height)) => (tape.len(), *height),
            Some(Anchor::Begun) => {
                return Err(wrong(at, "the alias names what it is a part of: a cycle cannot be read"));
            }
            None => return Err(wrong(at, "the alias names no anchor")),
        };
        self.check_height(height, at)?;
        self.copies(bytes, at)?;
        match self.anchors.get(&id) {
            Some(Anchor::OnTape(part, _)) => self.tape.repeat(part.clone()),
            Some(Anchor::Own(tape, _)) => self.tape.append(tape, 0..tape.len()),
            _ => {}
        }
        Ok(height)
    }

    /// Adds the pairs of the merged maps whose keys the map does not have; the first one wins.
    fn merge(&mut self, mut map: Map, count: &mut usize) -> Result<(), LibError> {
        for (tape, at) in std::mem::take(&mut map.merged) {
            let mut reader = tape.reader();
            let maps = match reader.next() {
                Item::Array(count) => count,
                _ => {
                    reader = tape.reader();
                    1
                }
            };
            for _ in 0..maps {
                let Item::Map(entries) = reader.next() else {
                    return Err(wrong(at, "`<<` must name a map or a list of maps"));
                };
                for _ in 0..entries.count {
                    let key = reader.place();
                    reader.skip();
                    let value = reader.place();
                    reader.skip();
                    if map.keys.add(tape.part(key..value)) {
                        self.copies(reader.place() - key, at)?;
                        self.tape.append(&tape, key..reader.place());
                        *count += 1;
                    }
                }
            }
        }
        Ok(())
    }

    fn scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        tag: Option<&Tag>,
        at: Marker,
    ) -> Result<(), LibError> {
        let plain = || if style == ScalarStyle::Plain { Plain::of(text) } else { Plain::Text };
        let Some(tag) = tag else {
            plain().put(text, &mut self.tape);
            return Ok(());
        };
        let value = match core(tag) {
            Some("str") => Plain::Text,
            Some("binary") => {
                let packed: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
                let bytes = BASE64
                    .decode(&packed)
                    .map_err(|error| wrong(at, &format!("the binary is no base64: {error}")))?;
                self.tape.text(&bytes);
                return Ok(());
            }
            Some(kind @ ("null" | "bool" | "int" | "float")) => typed(kind, Plain::of(text))
                .ok_or_else(|| wrong(at, &format!("`{text}` is no `!!{kind}`")))?,
            // `!` alone: a text, whatever it looks like
            None if tag.suffix().is_empty() || tag.original() == "!" => Plain::Text,
            _ => plain(),
        };
        value.put(text, &mut self.tape);
        Ok(())
    }
}

fn typed(kind: &str, value: Plain) -> Option<Plain> {
    match (kind, value) {
        ("null", Plain::Null) | ("bool", Plain::Bool(_)) | ("float", Plain::Float(_)) => Some(value),
        ("int", Plain::Int(_)) => Some(value),
        ("float", Plain::Int(number)) => Some(Plain::Float(number as f64)),
        _ => None,
    }
}

/// The name of a tag of YAML itself.
fn core(tag: &Tag) -> Option<&str> {
    match (tag.handle(), tag.suffix()) {
        (CORE, suffix) => Some(suffix),
        ("", suffix) => suffix.strip_prefix(CORE),
        _ => None,
    }
}

/// Keys that Lua takes for the same are made the same.
fn key_of(tape: &mut Tape, start: usize, at: Marker) -> Result<(), LibError> {
    match tape.reader_at(start).next() {
        Item::Array(_) | Item::Map(_) | Item::Rows(..) => Err(wrong(at, "a key must not be a list or a map")),
        Item::Float(number) if number.is_nan() => Err(wrong(at, "a key must not be NaN")),
        Item::Float(number) if number.fract() == 0.0 && number.abs() < 9.2e18 => {
            tape.truncate(start);
            tape.int(number as i64);
            Ok(())
        }
        _ => Ok(()),
    }
}

fn shown(tape: &Tape, start: usize) -> String {
    match tape.reader_at(start).next() {
        Item::Text(text) => String::from_utf8_lossy(text).chars().take(60).collect(),
        Item::Int(number) => number.to_string(),
        Item::Float(number) => format!("{number:?}"),
        Item::Bool(flag) => flag.to_string(),
        _ => "null".to_owned(),
    }
}
