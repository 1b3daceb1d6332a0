//! `feed.sitemap`: the pages of a site, also over index files, whose sitemaps are fetched when their turn comes.

use std::collections::HashSet;

use ::url::Url;
use mlua::{AnyUserData, Lua, Table, Value};

use super::xml::{Entries, Entry, unpacked};
use super::{Source, text_of};
use crate::lua::error::LibError;
use crate::lua::std::http;
use crate::lua::std::lent::Slot;

/// An index names sitemaps; some sites have one more index above.
const DEEPEST: usize = 3;

/// How documents are fetched and read.
pub(super) struct How {
    pub client: Option<AnyUserData>,
    /// Whether the sitemaps of an index are fetched; else they are what the iterator gives.
    pub follow: bool,
    pub max_size: u64,
}

/// Where a document is.
pub(super) enum Place {
    Address(String),
    /// At hand, and where it came from.
    Text(Vec<u8>, Option<String>),
}

/// A walk over a site.
pub(super) struct Walk(Slot<State>);

struct State {
    how: How,
    /// The documents that are read, each named by the one before.
    open: Vec<Document>,
    seen: HashSet<String>,
}

enum Document {
    Xml(Box<Entries>, Option<Url>),
    /// A list of addresses, the last one first.
    Lines(Vec<String>),
}

impl Walk {
    /// # Errors
    /// What fetching and reading the first document raises.
    pub async fn begin(lua: &Lua, place: Place, how: How) -> Result<Self, LibError> {
        let mut state = State { how, open: Vec::new(), seen: HashSet::new() };
        state.open(lua, place).await?;
        Ok(Self(Slot::new("the iterator", state)))
    }

    /// The next page as a table, nil at the end.
    ///
    /// # Errors
    /// `parse` with the address of the document; what fetching the next one raises. The next call goes on behind it.
    pub async fn next(&self, lua: &Lua) -> Result<Value, LibError> {
        let mut state = self.0.lend()?;
        while let Some(document) = state.open.last_mut() {
            let entry = match document.next() {
                Ok(Some(entry)) => entry,
                Ok(None) => {
                    state.open.pop();
                    continue;
                }
                Err(error) => {
                    let url = document.url();
                    state.open.pop();
                    return Err(match url {
                        Some(url) => error.url(url),
                        None => error,
                    });
                }
            };
            if !entry.is_sitemap || !state.how.follow {
                return Ok(Value::Table(table(lua, &entry)?));
            }
            if state.open.len() == DEEPEST {
                let message = format!("index files name each other more than {DEEPEST} deep");
                return Err(LibError::parse(message).url(entry.loc));
            }
            if state.seen.insert(entry.loc.clone()) {
                state.open(lua, Place::Address(entry.loc)).await?;
            }
        }
        Ok(Value::Nil)
    }
}

impl State {
    async fn open(&mut self, lua: &Lua, place: Place) -> Result<(), LibError> {
        let (bytes, url) = match place {
            Place::Text(bytes, url) => (bytes, url),
            Place::Address(address) => {
                self.seen.insert(address.clone());
                let reply = http::get(lua, self.how.client.as_ref(), &address).await?;
                let source = Source::of(&Value::Table(reply))?;
                (source.body.as_bytes().to_vec(), source.url)
            }
        };
        let opened = Document::read(&bytes, url.as_deref(), self.how.max_size);
        self.open.push(opened.map_err(|error| match url {
            Some(url) => error.url(url),
            None => error,
        })?);
        Ok(())
    }
}

impl Document {
    fn read(bytes: &[u8], url: Option<&str>, most: u64) -> Result<Self, LibError> {
        let bytes = unpacked(bytes, most)?;
        let text = text_of(&bytes)?;
        let base = url.and_then(|url| Url::parse(url).ok());
        if text.trim_start().starts_with('<') {
            return Ok(Self::Xml(Box::new(Entries::new(&text)), base));
        }
        // The other format of sitemaps.org: a line for each address.
        let mut lines = Vec::new();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            if !matches!(Url::parse(line).as_ref().map(Url::scheme), Ok("http" | "https")) {
                let shown: String = line.chars().take(60).collect();
                return Err(LibError::parse(format!("not a sitemap: neither XML nor an address: `{shown}`")));
            }
            lines.push(line.to_owned());
        }
        lines.reverse();
        Ok(Self::Lines(lines))
    }

    fn next(&mut self) -> Result<Option<Entry>, LibError> {
        match self {
            Self::Lines(lines) => Ok(lines.pop().map(|loc| Entry { loc, ..Entry::default() })),
            Self::Xml(entries, base) => {
                let Some(mut entry) = entries.next()? else {
                    return Ok(None);
                };
                if let Some(whole) = base.as_ref().and_then(|base| base.join(&entry.loc).ok())
                    && Url::parse(&entry.loc).is_err()
                {
                    entry.loc = whole.into();
                }
                Ok(Some(entry))
            }
        }
    }

    fn url(&self) -> Option<String> {
        match self {
            Self::Xml(_, base) => base.as_ref().map(Url::to_string),
            Self::Lines(_) => None,
        }
    }
}

fn table(lua: &Lua, entry: &Entry) -> Result<Table, LibError> {
    let table = lua.create_table()?;
    table.raw_set("loc", entry.loc.as_str())?;
    table.raw_set("lastmod", entry.lastmod.as_deref())?;
    table.raw_set("changefreq", entry.changefreq.as_deref())?;
    table.raw_set("priority", entry.priority.as_deref().and_then(|text| text.parse::<f64>().ok()))?;
    if entry.is_sitemap {
        table.raw_set("sitemap", true)?;
    }
    Ok(table)
}
