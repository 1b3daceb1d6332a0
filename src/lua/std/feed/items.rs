//! `feed.parse`: RSS, Atom and JSON feeds as one kind of table.

use feed_rs::model::{Category, Entry, Feed, Link, Person, Text};
use feed_rs::parser;
use mlua::{Lua, Table};

use crate::lua::error::LibError;

/// Elements in each other: the parser calls itself for some.
const DEEPEST: usize = 200;

/// `type title description link id language updated published authors categories items`; times are seconds since 1970.
/// An item has `title link links id published updated summary content authors categories enclosures`.
pub(super) fn feed(lua: &Lua, bytes: &[u8], base: Option<&str>) -> Result<Table, LibError> {
    check_depth(bytes)?;
    let parser = parser::Builder::new().base_uri(base).build();
    let feed = parser.parse(bytes).map_err(|error| LibError::parse(format!("not a feed: {error}")))?;
    table(lua, &feed)
}

fn table(lua: &Lua, feed: &Feed) -> Result<Table, LibError> {
    let table = lua.create_table()?;
    table.raw_set("type", format!("{:?}", feed.feed_type).to_lowercase())?;
    table.raw_set("id", some(&feed.id))?;
    table.raw_set("title", text(feed.title.as_ref()))?;
    table.raw_set("description", text(feed.description.as_ref()))?;
    table.raw_set("link", main_link(&feed.links))?;
    table.raw_set("language", feed.language.as_deref())?;
    table.raw_set("updated", feed.updated.map(|time| time.timestamp()))?;
    table.raw_set("published", feed.published.map(|time| time.timestamp()))?;
    table.raw_set("authors", people(lua, &feed.authors)?)?;
    table.raw_set("categories", terms(lua, &feed.categories)?)?;
    let items = lua.create_table_with_capacity(feed.entries.len(), 0)?;
    for entry in &feed.entries {
        items.raw_push(item(lua, entry)?)?;
    }
    table.raw_set("items", items)?;
    Ok(table)
}

fn item(lua: &Lua, entry: &Entry) -> Result<Table, LibError> {
    let table = lua.create_table()?;
    table.raw_set("id", some(&entry.id))?;
    table.raw_set("title", text(entry.title.as_ref()))?;
    table.raw_set("link", main_link(&entry.links))?;
    table.raw_set("links", lua.create_sequence_from(entry.links.iter().map(|link| link.href.as_str()))?)?;
    table.raw_set("published", entry.published.map(|time| time.timestamp()))?;
    table.raw_set("updated", entry.updated.map(|time| time.timestamp()))?;
    table.raw_set("summary", text(entry.summary.as_ref()))?;
    table.raw_set("content", entry.content.as_ref().and_then(|content| content.body.as_deref()))?;
    table.raw_set("authors", people(lua, &entry.authors)?)?;
    table.raw_set("categories", terms(lua, &entry.categories)?)?;
    table.raw_set("enclosures", enclosures(lua, entry)?)?;
    Ok(table)
}

fn some(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

fn text(text: Option<&Text>) -> Option<&str> {
    text.map(|text| text.content.as_str())
}

/// That of a person's browser: `alternate`, or the first that is neither of the feed itself nor of a file.
fn main_link(links: &[Link]) -> Option<&str> {
    let rel = |link: &&Link, name: &str| link.rel.as_deref().is_some_and(|rel| rel == name);
    let other =
        |link: &&Link| !["self", "enclosure", "hub", "next", "prev"].iter().any(|name| rel(link, name));
    let found = links.iter().find(|link| rel(link, "alternate")).or_else(|| links.iter().find(other));
    found.map(|link| link.href.as_str())
}

fn people(lua: &Lua, people: &[Person]) -> Result<Table, LibError> {
    let names =
        people.iter().filter_map(|one| one.name.as_deref().or(one.email.as_deref()).or(one.uri.as_deref()));
    Ok(lua.create_sequence_from(names)?)
}

fn terms(lua: &Lua, categories: &[Category]) -> Result<Table, LibError> {
    Ok(lua.create_sequence_from(categories.iter().map(|category| category.term.as_str()))?)
}

/// `{url, type, size}` of each file that the item carries.
fn enclosures(lua: &Lua, entry: &Entry) -> Result<Table, LibError> {
    let list = lua.create_table()?;
    for media in entry.media.iter().flat_map(|media| &media.content) {
        let Some(url) = &media.url else { continue };
        let file = lua.create_table()?;
        file.raw_set("url", url.as_str())?;
        file.raw_set("type", media.content_type.as_ref().map(ToString::to_string))?;
        file.raw_set("size", media.size)?;
        list.raw_push(file)?;
    }
    for link in entry.links.iter().filter(|link| link.rel.as_deref() == Some("enclosure")) {
        let file = lua.create_table()?;
        file.raw_set("url", link.href.as_str())?;
        file.raw_set("type", link.media_type.as_deref())?;
        file.raw_set("size", link.length)?;
        list.raw_push(file)?;
    }
    Ok(list)
}

/// A rough count of open elements; texts of a feed may be XHTML, but not that deep.
fn check_depth(bytes: &[u8]) -> Result<(), LibError> {
    let mut depth = 0usize;
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| *byte == b'<') {
        rest = &rest[at + 1..];
        let skipped: &[u8] = match rest {
            [b'!', b'-', b'-', ..] => b"-->",
            [b'!', b'[', ..] => b"]]>",
            _ => b">",
        };
        let end = rest.windows(skipped.len()).position(|part| part == skipped).unwrap_or(rest.len());
        let tag = &rest[..end];
        match tag.first() {
            Some(b'/') => depth = depth.saturating_sub(1),
            Some(b'!' | b'?') | None => {}
            Some(_) if tag.ends_with(b"/") => {}
            Some(_) => depth += 1,
        }
        if depth > DEEPEST {
            return Err(LibError::parse(format!("the document has elements in more than {DEEPEST} others")));
        }
        rest = &rest[end..];
    }
    Ok(())
}
