//! CSS selectors with `::text` and `::attr(name)` behind them, as Scrapy has them.

use std::cell::RefCell;
use std::collections::HashMap;
use std::iter::Peekable;
use std::rc::Rc;

use ego_tree::NodeId;
use ego_tree::iter::Edge;
use mlua::{Lua, LuaString};
use scraper::{ElementRef, Node, Selector};

use crate::lua::error::LibError;

/// What is taken of an element that fits.
#[derive(Debug, Clone, PartialEq)]
enum Take {
    Element,
    /// The texts that are its children.
    Text,
    Attribute(String),
}

/// One selector for each kind of thing to take.
pub(super) struct Query(Vec<(Take, Selector)>);

/// What was found, in the order of the document.
pub(super) enum Found<'a> {
    Element(NodeId),
    Text(&'a str),
}

/// The parser of selectors calls itself for each bracket.
const MOST_NESTED: usize = 32;

/// Selectors of a state that are kept.
const MOST_KEPT: usize = 512;

#[derive(Default)]
struct Kept(RefCell<HashMap<Vec<u8>, Rc<Query>>>);

impl Query {
    /// The selector, from those that the state knows or read anew.
    ///
    /// # Errors
    /// `invalid` with the reason.
    pub fn of(lua: &Lua, text: &LuaString) -> Result<Rc<Self>, LibError> {
        if lua.app_data_ref::<Kept>().is_none() {
            lua.set_app_data(Kept::default());
        }
        let kept = lua.app_data_ref::<Kept>();
        let bytes = text.as_bytes();
        if let Some(found) = kept.as_ref().and_then(|kept| kept.0.borrow().get(&*bytes).cloned()) {
            return Ok(found);
        }
        let shown = text.to_string_lossy();
        let text = std::str::from_utf8(&bytes).map_err(|_| wrong(&shown, "it is not UTF-8"))?;
        let made = Rc::new(Self::read(text)?);
        if let Some(kept) = kept {
            let mut kept = kept.0.borrow_mut();
            if kept.len() == MOST_KEPT {
                kept.clear();
            }
            kept.insert(bytes.to_vec(), Rc::clone(&made));
        }
        Ok(made)
    }

    fn read(text: &str) -> Result<Self, LibError> {
        let mut groups: Vec<(Take, String)> = Vec::new();
        for part in parts(text)? {
            let (selector, take) = split(part).map_err(|why| wrong(text, &why))?;
            match groups.iter_mut().find(|(one, _)| *one == take) {
                Some((_, joined)) => *joined = format!("{joined}, {selector}"),
                None => groups.push((take, selector)),
            }
        }
        let groups = groups.into_iter().map(|(take, selector)| match Selector::parse(&selector) {
            Ok(selector) => Ok((take, selector)),
            Err(error) => Err(wrong(text, &reason(&error))),
        });
        Ok(Self(groups.collect::<Result<_, _>>()?))
    }

    /// Everything in and below `scope` that fits.
    pub fn run<'a>(&self, scope: ElementRef<'a>, mut found: impl FnMut(Found<'a>)) {
        if let [(Take::Element, selector)] = self.0.as_slice() {
            return fitting(scope, selector).for_each(|element| found(Found::Element(element.id())));
        }
        if let [(Take::Attribute(name), selector)] = self.0.as_slice() {
            let values = fitting(scope, selector).filter_map(|element| attribute(element, name));
            return values.for_each(|value| found(Found::Text(value)));
        }
        let mut groups: Vec<_> =
            self.0.iter().map(|(take, selector)| (take, fitting(scope, selector).peekable())).collect();
        // For each open element whether its texts are wanted.
        let mut open = Vec::new();
        for edge in scope.traverse() {
            match edge {
                Edge::Open(node) => match node.value() {
                    Node::Text(text) => {
                        if open.last() == Some(&true) {
                            found(Found::Text(text));
                        }
                    }
                    _ => open.push(enter(node, &mut groups, &mut found)),
                },
                Edge::Close(node) if node.value().is_text() => {}
                Edge::Close(_) => {
                    open.pop();
                }
            }
        }
    }
}

/// What an element gives by itself; whether its texts are wanted too.
fn enter<'a, I: Iterator<Item = ElementRef<'a>>>(
    node: ego_tree::NodeRef<'a, Node>,
    groups: &mut [(&Take, Peekable<I>)],
    found: &mut impl FnMut(Found<'a>),
) -> bool {
    let mut texts = false;
    for (take, elements) in groups {
        let Some(element) = elements.next_if(|element| element.id() == node.id()) else {
            continue;
        };
        match take {
            Take::Element => found(Found::Element(element.id())),
            Take::Text => texts = true,
            Take::Attribute(name) => {
                if let Some(value) = attribute(element, name) {
                    found(Found::Text(value));
                }
            }
        }
    }
    texts
}

/// `scope` itself and the elements below it that fit.
fn fitting<'a>(scope: ElementRef<'a>, selector: &Selector) -> impl Iterator<Item = ElementRef<'a>> {
    let itself = selector.matches_with_scope(&scope, Some(scope)).then_some(scope);
    itself.into_iter().chain(scope.select(selector))
}

/// The value of an attribute; `xlink:href` is written with its prefix.
pub(super) fn attribute<'a>(element: ElementRef<'a>, name: &str) -> Option<&'a str> {
    if let Some(value) = element.value().attr(name) {
        return Some(value);
    }
    let (prefix, local) = name.split_once(':')?;
    let mut all = element.value().attrs.iter();
    all.find(|(name, _)| name.prefix.as_deref() == Some(prefix) && &*name.local == local)
        .map(|(_, value)| &**value)
}

/// The parts between the commas.
fn parts(text: &str) -> Result<Vec<&str>, LibError> {
    let mut parts = Vec::new();
    let mut begin = 0;
    scan(text, |at, byte, nested| {
        if byte == b',' && nested == 0 {
            parts.push(&text[begin..at]);
            begin = at + 1;
        }
    })
    .map_err(|why| wrong(text, why))?;
    parts.push(&text[begin..]);
    Ok(parts)
}

/// The selector of a part, and what is behind its `::`.
fn split(part: &str) -> Result<(String, Take), String> {
    let mut mark = None;
    let mut before = 0;
    scan(part, |at, byte, nested| {
        if byte == b':' && before == b':' && nested == 0 && mark.is_none() {
            mark = Some(at - 1);
        }
        before = byte;
    })?;
    let Some(mark) = mark else {
        return Ok((part.to_owned(), Take::Element));
    };
    let (selector, pseudo) = (&part[..mark], part[mark + 2..].trim_end());
    let take = if pseudo == "text" {
        Take::Text
    } else if let Some(name) = pseudo.strip_prefix("attr(").and_then(|rest| rest.strip_suffix(')')) {
        let name = name.trim();
        if name.is_empty() || name.contains(|c: char| c.is_whitespace() || "\"'<>/=()".contains(c)) {
            return Err("`::attr(name)` needs the name of an attribute".to_owned());
        }
        Take::Attribute(name.to_ascii_lowercase())
    } else {
        return Err(format!("there is no `::{pseudo}`, only `::text` and `::attr(name)`"));
    };
    // `div ::text` is the texts of all elements in it.
    let open = selector.trim_end();
    let all = open.is_empty() || open.len() < selector.len() || open.ends_with(['>', '+', '~']);
    Ok((if all { format!("{open} *") } else { selector.to_owned() }, take))
}

/// Shows `see` each byte outside of strings and escapes, and in how many brackets it lies.
fn scan(text: &str, mut see: impl FnMut(usize, u8, usize)) -> Result<(), &'static str> {
    let (mut nested, mut quote, mut escaped) = (0usize, None, false);
    for (at, byte) in text.bytes().enumerate() {
        if escaped {
            escaped = false;
            continue;
        }
        match (quote, byte) {
            (_, b'\\') => escaped = true,
            (Some(end), _) => {
                if byte == end {
                    quote = None;
                }
            }
            (None, b'"' | b'\'') => quote = Some(byte),
            (None, b'(' | b'[') => {
                see(at, byte, nested);
                nested += 1;
            }
            (None, b')' | b']') => nested = nested.saturating_sub(1),
            (None, _) => see(at, byte, nested),
        }
        if nested > MOST_NESTED {
            return Err("it has too many brackets in each other");
        }
    }
    match quote {
        Some(_) => Err("a string in it has no end"),
        None => Ok(()),
    }
}

fn wrong(text: &str, why: &str) -> LibError {
    let mut shown: String = text.chars().take(100).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    LibError::invalid(format!("`{shown}` is no CSS selector: {why}"))
}

fn reason(error: &scraper::error::SelectorErrorKind) -> String {
    use scraper::error::SelectorErrorKind as Kind;
    match error {
        Kind::UnexpectedSelectorParseError(kind) => {
            let text = format!("{kind:?}");
            match text.as_str() {
                "UnsupportedPseudoClassOrElement" => "it has a pseudo-class that is not known".to_owned(),
                name => words(name),
            }
        }
        other => {
            let text = other.to_string();
            text[..1].to_lowercase() + &text[1..]
        }
    }
}

/// `DanglingCombinator` as two words.
fn words(name: &str) -> String {
    let end = name.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(name.len());
    let mut text = String::new();
    for letter in name[..end].chars() {
        if letter.is_ascii_uppercase() && !text.is_empty() {
            text.push(' ');
        }
        text.push(letter.to_ascii_lowercase());
    }
    text
}
