//! The XML of sitemaps, piece by piece.

use std::borrow::Cow;
use std::io::{Cursor, Read as _};

use flate2::read::MultiGzDecoder;
use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesRef, Event};

use crate::lua::error::LibError;

/// Somewhat more than the 50 MB that a sitemap may have (sitemaps.org).
pub(super) const MOST_BYTES: u64 = 64 << 20;

/// The bytes, without gzip around them.
///
/// # Errors
/// `too_large` beyond `most`; `parse` when the gzip is broken.
pub(super) fn unpacked(bytes: &[u8], most: u64) -> Result<Cow<'_, [u8]>, LibError> {
    let too_large = || {
        let most = bytesize::ByteSize::b(most);
        LibError::new("too_large", format!("the document is larger than `max_size` ({most})"))
    };
    if bytes.len() as u64 > most {
        return Err(too_large());
    }
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Ok(Cow::Borrowed(bytes));
    }
    let mut out = Vec::new();
    let read = MultiGzDecoder::new(bytes).take(most.saturating_add(1)).read_to_end(&mut out);
    read.map_err(|error| LibError::parse(format!("the gzip is broken: {error}")))?;
    if out.len() as u64 > most { Err(too_large()) } else { Ok(Cow::Owned(out)) }
}

/// One `<url>` or `<sitemap>`.
#[derive(Debug, Default)]
pub(super) struct Entry {
    /// Whether it names another sitemap.
    pub is_sitemap: bool,
    pub loc: String,
    pub lastmod: Option<String>,
    pub changefreq: Option<String>,
    pub priority: Option<String>,
}

/// Reads entries, whatever else is between them.
pub(super) struct Entries {
    reader: Reader<Cursor<Vec<u8>>>,
    buffer: Vec<u8>,
    within: Within,
}

/// Root, entry, field.
const DEEP: usize = 3;

impl Entries {
    pub fn new(text: &str) -> Self {
        let mut reader = Reader::from_reader(Cursor::new(text.as_bytes().to_vec()));
        reader.config_mut().expand_empty_elements = true;
        Self { reader, buffer: Vec::new(), within: Within::default() }
    }

    /// The next entry that has a `<loc>`; `None` at the end.
    ///
    /// # Errors
    /// `parse` where the text is no XML, or no sitemap.
    pub fn next(&mut self) -> Result<Option<Entry>, LibError> {
        loop {
            self.buffer.clear();
            let place = self.reader.buffer_position();
            let event = self.reader.read_event_into(&mut self.buffer);
            match event.map_err(|error| broken(place, &error.to_string()))? {
                Event::Start(start) => self.within.enter(start.name().as_ref())?,
                Event::End(_) => {
                    if let Some(entry) = self.within.leave() {
                        return Ok(Some(entry));
                    }
                }
                Event::Text(piece) => self.within.text(&piece.xml10_content()),
                Event::CData(piece) => self.within.text(&piece.xml10_content()),
                Event::GeneralRef(name) => {
                    let unknown = || broken(place, &format!("the entity `&{};` is not known", &*name));
                    self.within.text(&resolved(&name).ok_or_else(unknown)?);
                }
                Event::Eof => return self.within.end().map(|()| None).map_err(|why| broken(place, &why)),
                _ => {}
            }
        }
    }
}

/// Where the reader is, and what it has read of an entry.
#[derive(Default)]
struct Within {
    /// Names of the open elements; those deeper than `DEEP` are only counted.
    open: Vec<String>,
    deeper: usize,
    seen_root: bool,
    entry: Entry,
    field: String,
}

impl Within {
    fn enter(&mut self, name: &str) -> Result<(), LibError> {
        // `image:loc` is not `loc`: only the root and its entries may have prefixes.
        let name = if self.open.len() < 2 { local(name) } else { name };
        match self.open.len() {
            0 => {
                root(name, self.seen_root)?;
                self.seen_root = true;
            }
            1 => self.entry = Entry { is_sitemap: name == "sitemap", ..Entry::default() },
            DEEP => {
                self.deeper += 1;
                return Ok(());
            }
            _ => self.field.clear(),
        }
        self.open.push(name.to_owned());
        Ok(())
    }

    /// The entry that ends here.
    fn leave(&mut self) -> Option<Entry> {
        if self.deeper > 0 {
            self.deeper -= 1;
            return None;
        }
        let name = self.open.pop()?;
        match self.open.len() {
            2 => field(&mut self.entry, &name, self.field.trim()),
            1 if matches!(name.as_str(), "url" | "sitemap") && !self.entry.loc.is_empty() => {
                return Some(std::mem::take(&mut self.entry));
            }
            _ => {}
        }
        None
    }

    fn text(&mut self, text: &str) {
        if self.open.len() == DEEP && self.deeper == 0 {
            self.field.push_str(text);
        }
    }

    fn end(&self) -> Result<(), String> {
        match self.open.last() {
            Some(name) => Err(format!("the document ends inside of <{name}>")),
            None if self.seen_root => Ok(()),
            None => Err("the document has no element".to_owned()),
        }
    }
}

fn broken(place: u64, why: &str) -> LibError {
    LibError::parse(format!("not the XML of a sitemap, at byte {place}: {why}"))
}

fn local(name: &str) -> &str {
    name.rsplit(':').next().unwrap_or(name)
}

fn root(name: &str, second: bool) -> Result<(), LibError> {
    let hint = match name {
        "urlset" | "sitemapindex" if !second => return Ok(()),
        "rss" | "feed" | "RDF" => ": `feed.parse` reads feeds",
        _ => "",
    };
    Err(LibError::parse(format!("not a sitemap: its root is <{name}>{hint}")))
}

fn field(entry: &mut Entry, name: &str, text: &str) {
    if text.is_empty() {
        return;
    }
    match name {
        "loc" => text.clone_into(&mut entry.loc),
        "lastmod" => entry.lastmod = Some(text.to_owned()),
        "changefreq" => entry.changefreq = Some(text.to_owned()),
        "priority" => entry.priority = Some(text.to_owned()),
        _ => {}
    }
}

fn resolved(name: &BytesRef<'_>) -> Option<String> {
    match name.resolve_char_ref() {
        Ok(Some(letter)) => Some(letter.to_string()),
        Ok(None) => resolve_predefined_entity(name).map(str::to_owned),
        Err(_) => None,
    }
}
