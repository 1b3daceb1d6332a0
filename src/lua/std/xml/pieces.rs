//! A document piece by piece, well-formed or refused.

use std::collections::VecDeque;
use std::io::{self, BufRead, Read};

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::names::{entity, is_letter, is_name};
use super::wrong;
use crate::lua::error::LibError;

#[derive(Debug, PartialEq)]
pub(super) enum Piece {
    Start(String, Vec<(String, String)>),
    End(String),
    Text(String),
    Comment(String),
    Instruction(String, String),
}

/// Where the parser is.
pub(super) struct Watched<R> {
    inner: R,
    line: u64,
    column: u64,
    /// Bytes since the last piece.
    since: u64,
    most: u64,
}

/// What [`Watched`] says for a piece that is too long.
const TOO_LONG: &str = "piece too long";

impl<R> Watched<R> {
    pub fn new(inner: R, most: u64) -> Self {
        Self { inner, line: 1, column: 0, since: 0, most }
    }
}

impl<R: BufRead> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}

impl<R: BufRead> BufRead for Watched<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.since > self.most {
            return Err(io::Error::other(TOO_LONG));
        }
        self.inner.fill_buf()
    }

    fn consume(&mut self, count: usize) {
        if let Ok(bytes) = self.inner.fill_buf() {
            let bytes = &bytes[..count.min(bytes.len())];
            let lines = bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
            match bytes.iter().rposition(|byte| *byte == b'\n') {
                Some(at) => self.column = (bytes.len() - at - 1) as u64,
                None => self.column += bytes.len() as u64,
            }
            self.line += lines;
        }
        self.since += count as u64;
        self.inner.consume(count);
    }
}

pub(super) struct Pieces<R> {
    reader: Reader<Watched<R>>,
    buffer: Vec<u8>,
    ready: VecDeque<Piece>,
    text: String,
    open: usize,
    deepest: usize,
    seen: Seen,
}

/// What a document has once.
#[derive(Default)]
struct Seen {
    anything: bool,
    doctype: bool,
    root: bool,
    end: bool,
}

impl<R: BufRead> Pieces<R> {
    pub fn new(inner: Watched<R>, deepest: usize) -> Self {
        let mut reader = Reader::from_reader(inner);
        let config = reader.config_mut();
        config.check_comments = true;
        config.trim_markup_names_in_closing_tags = true;
        Self {
            reader,
            buffer: Vec::new(),
            ready: VecDeque::new(),
            text: String::new(),
            open: 0,
            deepest,
            seen: Seen::default(),
        }
    }

    /// `None` at the end.
    ///
    /// # Errors
    /// `parse` with the line.
    pub fn next(&mut self) -> Result<Option<Piece>, LibError> {
        while self.ready.is_empty() && !self.seen.end {
            self.reader.get_mut().since = 0;
            let mut buffer = std::mem::take(&mut self.buffer);
            buffer.clear();
            let result = match self.reader.read_event_into(&mut buffer) {
                Ok(event) => self.event(&event),
                Err(error) => Err(self.failed(&error)),
            };
            self.buffer = buffer;
            result.map_err(|why| self.placed(why))?;
        }
        Ok(self.ready.pop_front())
    }

    fn failed(&self, error: &quick_xml::Error) -> LibError {
        match error {
            quick_xml::Error::Io(below) if below.to_string() == TOO_LONG => {
                let most = bytesize::ByteSize::b(self.reader.get_ref().most);
                LibError::new(
                    "too_large",
                    format!("a piece of the document is larger than `max_size` ({most})"),
                )
            }
            quick_xml::Error::Io(below) if below.kind() == io::ErrorKind::InvalidData => {
                wrong(below.to_string())
            }
            quick_xml::Error::Io(below) => LibError::from(&**below),
            quick_xml::Error::Encoding(_) => wrong("the text is not UTF-8"),
            other => wrong(other.to_string()),
        }
    }

    fn placed(&self, error: LibError) -> LibError {
        let at = self.reader.get_ref();
        let text = format!("{} at line {} column {}", error.message(), at.line, at.column + 1);
        LibError::new(error.code().to_owned(), text)
    }

    fn event(&mut self, event: &Event<'_>) -> Result<(), LibError> {
        let first = !std::mem::replace(&mut self.seen.anything, true);
        match event {
            Event::Start(start) => {
                self.start(start)?;
                self.open += 1;
            }
            Event::Empty(start) => {
                self.start(start)?;
                self.ready.push_back(Piece::End(start.name().as_ref().to_owned()));
            }
            Event::End(end) => {
                self.flush();
                self.open -= 1;
                self.ready.push_back(Piece::End(end.name().as_ref().to_owned()));
            }
            Event::Text(text) => self.text(&text.xml10_content())?,
            Event::CData(text) if self.open > 0 => {
                letters(text)?;
                self.text.push_str(&text.xml10_content());
            }
            Event::CData(_) => return Err(wrong("text outside of the root element")),
            Event::GeneralRef(name) => {
                let letter = entity(name).map_err(wrong)?;
                if self.open == 0 {
                    return Err(wrong("text outside of the root element"));
                }
                self.text.push(letter);
            }
            Event::Comment(text) => {
                letters(text)?;
                self.flush();
                self.ready.push_back(Piece::Comment(text.xml10_content().into_owned()));
            }
            Event::PI(instruction) => {
                let (target, content) = (instruction.target(), instruction.content());
                if !is_name(target) || target.eq_ignore_ascii_case("xml") {
                    return Err(wrong(format!("`{target}` is no name of an instruction here")));
                }
                letters(content)?;
                self.flush();
                self.ready.push_back(Piece::Instruction(target.to_owned(), content.trim_start().to_owned()));
            }
            Event::Decl(text) if first => declaration(text).map_err(wrong)?,
            Event::Decl(_) => return Err(wrong("the declaration must be at the very beginning")),
            Event::DocType(_) if self.seen.root || self.seen.doctype => {
                return Err(wrong("a document type must be before the root element, and once"));
            }
            Event::DocType(_) => self.seen.doctype = true,
            Event::Eof => self.end()?,
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), LibError> {
        self.seen.end = true;
        match (self.open, self.seen.root) {
            (0, true) => Ok(()),
            (0, false) => Err(wrong("the document has no element")),
            _ => Err(wrong("the document ends inside of an element")),
        }
    }

    fn flush(&mut self) {
        if !self.text.is_empty() {
            self.ready.push_back(Piece::Text(std::mem::take(&mut self.text)));
        }
    }

    fn text(&mut self, text: &str) -> Result<(), LibError> {
        letters(text)?;
        if text.contains("]]>") {
            return Err(wrong("`]]>` in a text must be written as `]]&gt;`"));
        }
        if self.open > 0 {
            self.text.push_str(text);
        } else if !text.trim_matches([' ', '\t', '\r', '\n']).is_empty() {
            return Err(wrong("text outside of the root element"));
        }
        Ok(())
    }

    fn start(&mut self, start: &BytesStart<'_>) -> Result<(), LibError> {
        self.flush();
        if self.open == 0 && self.seen.root {
            return Err(wrong("a document has one root element, and there is a second one"));
        }
        if self.open == self.deepest {
            return Err(wrong(format!("elements nested more than {} deep", self.deepest)));
        }
        self.seen.root = true;
        let name = start.name();
        let name: &str = name.as_ref();
        if !is_name(name) {
            return Err(wrong(format!("`{name}` is no name of an element")));
        }
        let attributes = attributes(start.attributes_raw()).map_err(wrong)?;
        self.ready.push_back(Piece::Start(name.to_owned(), attributes));
        Ok(())
    }
}

fn letters(text: &str) -> Result<(), LibError> {
    match text.chars().find(|c| !is_letter(*c)) {
        Some(letter) => {
            Err(wrong(format!("the letter U+{:04X} must not be in a document", u32::from(letter))))
        }
        None => Ok(()),
    }
}

/// What stands between `<?` and `?>`.
fn declaration(text: &str) -> Result<(), String> {
    let found = attributes(text.strip_prefix("xml").unwrap_or(text))?;
    let mut rest = found.iter().map(|(name, value)| (name.as_str(), value.as_str())).peekable();
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let version =
        rest.next_if(|(name, value)| *name == "version" && value.strip_prefix("1.").is_some_and(digits));
    let label = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
    };
    rest.next_if(|(name, value)| *name == "encoding" && label(value));
    rest.next_if(|(name, value)| *name == "standalone" && matches!(*value, "yes" | "no"));
    match (version, rest.next()) {
        (None, _) => Err("the declaration must begin with the version".to_owned()),
        (_, Some((name, _))) => Err(format!("`{name}` is wrong in the declaration, or at a wrong place")),
        _ => Ok(()),
    }
}

const BLANKS: [char; 4] = [' ', '\t', '\r', '\n'];

/// Names and values, in order; each name once.
fn attributes(text: &str) -> Result<Vec<(String, String)>, String> {
    let mut found: Vec<(String, String)> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    let mut rest = text;
    loop {
        let begin = rest.trim_start_matches(BLANKS);
        if begin.is_empty() {
            return Ok(found);
        }
        if begin.len() == rest.len() {
            return Err("there must be a blank before an attribute".to_owned());
        }
        let (name, after) = begin.split_once('=').ok_or("an attribute must have a value")?;
        let name = name.trim_end_matches(BLANKS);
        if !is_name(name) {
            return Err(format!("`{name}` is no name of an attribute"));
        }
        let after = after.trim_start_matches(BLANKS);
        let quote = after.chars().next().filter(|c| matches!(c, '"' | '\''));
        let quote = quote.ok_or_else(|| format!("the value of `{name}` must be in quotes"))?;
        let (raw, later) = after[1..].split_once(quote).ok_or("a quote is not closed")?;
        if !seen.insert(name) {
            return Err(format!("the attribute `{name}` is there twice"));
        }
        found.push((name.to_owned(), value(raw)?));
        rest = later;
    }
}

/// With blanks for ends of lines and tabs (XML 1.0, section 3.3.3).
fn value(raw: &str) -> Result<String, String> {
    if raw.contains('<') {
        return Err("a value must not have `<` in it".to_owned());
    }
    let mut value = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find('&') {
        plain(&rest[..at], &mut value)?;
        let (name, later) =
            rest[at + 1..].split_once(';').ok_or("`&` in a value must be written as `&amp;`")?;
        value.push(entity(name)?);
        rest = later;
    }
    plain(rest, &mut value)?;
    Ok(value)
}

fn plain(text: &str, value: &mut String) -> Result<(), String> {
    if let Some(letter) = text.chars().find(|c| !is_letter(*c)) {
        return Err(format!("the letter U+{:04X} must not be in a document", u32::from(letter)));
    }
    let text = text.replace("\r\n", " ");
    value.extend(text.chars().map(|c| if BLANKS.contains(&c) { ' ' } else { c }));
    Ok(())
}
