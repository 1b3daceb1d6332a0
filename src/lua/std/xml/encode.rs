//! A table as a document.

use mlua::Table;

use super::names::{is_letter, is_name};
use crate::lua::error::LibError;
use crate::lua::options::Options;
use crate::lua::tape::{Bad, Entries, Item, Reader, Tape};

#[derive(Clone, Copy)]
pub(super) struct Style {
    declaration: bool,
    pretty: bool,
}

impl Style {
    /// # Errors
    /// On wrong options.
    pub fn read(options: Option<Table>) -> Result<Self, LibError> {
        let mut options = Options::new(options);
        let style = Self {
            declaration: options.bool("declaration")?.unwrap_or(false),
            pretty: options.bool("pretty")?.unwrap_or(false),
        };
        options.finish()?;
        Ok(style)
    }
}

/// # Errors
/// `invalid` with the path of what XML cannot hold.
pub(super) fn encode(tape: &Tape, style: Style) -> Result<Vec<u8>, LibError> {
    let mut writer = Writer { out: String::with_capacity(tape.len()), pretty: style.pretty };
    if style.declaration {
        writer.out.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    }
    let mut reader = tape.reader();
    match reader.next() {
        Item::Map(entries) => writer.element(&mut reader, entries, 0)?,
        _ => return Err(Bad::new("an element must be a table with a `tag`").into()),
    }
    if style.pretty {
        writer.out.push('\n');
    }
    Ok(writer.out.into_bytes())
}

struct Writer {
    out: String,
    pretty: bool,
}

/// Where the parts of an element are.
#[derive(Default)]
struct Parts<'t> {
    tag: Option<&'t str>,
    attributes: Option<Reader<'t>>,
    children: Option<Reader<'t>>,
}

impl<'t> Parts<'t> {
    fn read(reader: &mut Reader<'t>, entries: Entries) -> Result<Self, Bad> {
        let mut parts = Self::default();
        for index in 0..entries.count {
            reader.entry(entries, index);
            let key = reader.next();
            let value = *reader;
            match key {
                Item::Text(b"tag") => match reader.next() {
                    Item::Text(tag) => parts.tag = Some(text_of(tag).map_err(|bad| bad.below_key(key))?),
                    _ => return Err(Bad::new("a tag must be a string").below_key(key)),
                },
                Item::Text(b"attr") => parts.attributes = Some(value),
                Item::Text(b"children") => parts.children = Some(value),
                _ => {
                    let text =
                        "an element has `tag`, `attr` and `children` and nothing else, but there is a value";
                    return Err(Bad::new(text).below_key(key));
                }
            }
            if !matches!(key, Item::Text(b"tag")) {
                reader.skip();
            }
        }
        reader.leave(entries);
        Ok(parts)
    }
}

impl Writer {
    fn element(&mut self, reader: &mut Reader<'_>, entries: Entries, depth: usize) -> Result<(), Bad> {
        let parts = Parts::read(reader, entries)?;
        let tag = parts.tag.ok_or_else(|| Bad::new("an element must have a `tag`"))?;
        if !is_name(tag) {
            return Err(Bad::new(format!("`{tag}` is no name of an element")));
        }
        self.out.push('<');
        self.out.push_str(tag);
        if let Some(attributes) = parts.attributes {
            self.attributes(attributes).map_err(|bad| bad.below_key(Item::Text(b"attr")))?;
        }
        let begin = self.out.len();
        self.out.push('>');
        if let Some(children) = parts.children {
            self.children(children, depth).map_err(|bad| bad.below_key(Item::Text(b"children")))?;
        }
        if self.out.len() == begin + 1 {
            self.out.insert(begin, '/');
        } else {
            self.out.push_str("</");
            self.out.push_str(tag);
            self.out.push('>');
        }
        Ok(())
    }

    fn attributes(&mut self, mut reader: Reader<'_>) -> Result<(), Bad> {
        let entries = match reader.next() {
            Item::Map(entries) => entries,
            Item::Array(0) => return Ok(()),
            _ => return Err(Bad::new("attributes must be a table with names")),
        };
        for index in 0..entries.count {
            reader.entry(entries, index);
            let key = reader.next();
            let name = match key {
                Item::Text(name) => text_of(name).map_err(|bad| bad.below_key(key))?,
                _ => return Err(Bad::new("attributes must have names").below_key(key)),
            };
            if !is_name(name) {
                return Err(Bad::new(format!("`{name}` is no name of an attribute")));
            }
            self.out.push(' ');
            self.out.push_str(name);
            self.out.push_str("=\"");
            self.text(reader.next(), true).map_err(|bad| bad.below_key(key))?;
            self.out.push('"');
        }
        Ok(())
    }

    fn children(&mut self, mut reader: Reader<'_>, depth: usize) -> Result<(), Bad> {
        let count = match reader.next() {
            Item::Array(count) => count,
            Item::Map(entries) if entries.count == 0 => 0,
            _ => return Err(Bad::new("children must be a list")),
        };
        let lines = self.pretty && count > 0 && only_elements(reader, count);
        for index in 1..=count {
            if lines {
                self.newline(depth + 1);
            }
            let child = match reader.next() {
                Item::Map(entries) => self.element(&mut reader, entries, depth + 1),
                other => self.text(other, false),
            };
            child.map_err(|bad| bad.below_index(index))?;
        }
        if lines {
            self.newline(depth);
        }
        Ok(())
    }

    fn newline(&mut self, depth: usize) {
        self.out.push('\n');
        self.out.extend(std::iter::repeat_n("  ", depth));
    }

    fn text(&mut self, item: Item<'_>, quoted: bool) -> Result<(), Bad> {
        let owned;
        let text = match item {
            Item::Text(bytes) | Item::Date(bytes) => text_of(bytes)?,
            Item::Int(number) => {
                owned = number.to_string();
                &owned
            }
            Item::Float(number) => {
                owned = format!("{number:?}");
                &owned
            }
            Item::Bool(flag) => {
                if flag {
                    "true"
                } else {
                    "false"
                }
            }
            _ => return Err(Bad::new("a text must be a string, a number or a boolean")),
        };
        for letter in text.chars() {
            match letter {
                '&' => self.out.push_str("&amp;"),
                '<' => self.out.push_str("&lt;"),
                '>' => self.out.push_str("&gt;"),
                '"' if quoted => self.out.push_str("&quot;"),
                '\t' if quoted => self.out.push_str("&#9;"),
                '\n' if quoted => self.out.push_str("&#10;"),
                '\r' => self.out.push_str("&#13;"),
                letter if is_letter(letter) => self.out.push(letter),
                letter => {
                    let text = format!("XML cannot hold the letter U+{:04X}", u32::from(letter));
                    return Err(Bad::new(text));
                }
            }
        }
        Ok(())
    }
}

/// Lines between texts would be a part of them.
fn only_elements(mut reader: Reader<'_>, count: usize) -> bool {
    (0..count).all(|_| {
        let before = reader;
        let is_element = matches!(reader.next(), Item::Map(_));
        reader = before;
        reader.skip();
        is_element
    })
}

fn text_of(bytes: &[u8]) -> Result<&str, Bad> {
    std::str::from_utf8(bytes).map_err(|_| Bad::new("XML cannot hold a string that is not UTF-8"))
}
