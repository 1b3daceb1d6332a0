//! `mpms.html`: pages as browsers read them, and what is in them by CSS selectors.

use std::borrow::Cow;
use std::rc::Rc;

use ::url::Url;
use mlua::{AnyUserData, Lua, LuaString, Table, UserDataRef, Value};

use crate::lua::error::LibError;
use crate::lua::module::{Module, object};
use crate::lua::options::Options;
use crate::lua::outside;
use crate::lua::std::http;

mod limits;
mod links;
mod list;
mod meta;
mod node;
mod query;
mod rows;
mod text;
mod tree;
mod xpath;

use node::{Document, Node};

pub(super) fn module(lua: &Lua) -> mlua::Result<Table> {
    register(lua)?;
    Module::new(lua, "mpms.html")
        .function("parse(source, options)", |lua, (source, options): (Value, Option<Table>)| {
            parse(lua, &source, options)
        })
        .function("escape(text)", |lua, text: LuaString| {
            Ok(lua.create_string(text::escape(&text.as_bytes()))?)
        })
        .function("unescape(text)", |lua, text: LuaString| {
            Ok(lua.create_string(text::unescape(&text.as_bytes()))?)
        })
        .function("text(source, options)", |lua, (source, options): (Value, Option<Table>)| {
            let node = match &source {
                Value::UserData(given) => given.borrow::<Node>()?.clone(),
                _ => document(lua, &source, options)?,
            };
            Ok(text::readable(node.element()?))
        })
        .build()
}

/// Whether the metatables of this state are made.
struct Registered;

fn register(lua: &Lua) -> mlua::Result<()> {
    if lua.app_data_ref::<Registered>().is_none() {
        list::register(lua)?;
        node::register(lua)?;
        lua.set_app_data(Registered);
    }
    Ok(())
}

/// `html.parse`, and `reply:html()`: the root element of a string or of a reply.
pub(super) fn parse(lua: &Lua, source: &Value, options: Option<Table>) -> Result<AnyUserData, LibError> {
    // A reply may ask before any script names the module.
    register(lua)?;
    Ok(object(lua, document(lua, source, options)?)?)
}

fn document(lua: &Lua, source: &Value, options: Option<Table>) -> Result<Node, LibError> {
    let mut options = Options::new(options);
    let base = options.string("base")?;
    let charset = options.string("charset")?;
    let limits = limits::Limits::read(&mut options)?;
    options.finish()?;
    let source = Source::of(lua, source, charset.is_some())?;
    let address = base.as_ref().or(source.url.as_ref());
    let named = |error: LibError| match address {
        Some(url) => error.url(url.clone()),
        None => error,
    };
    let base = match address {
        Some(url) => Some(super::url::parse_text(url)?),
        None => None,
    };
    let bytes = source.body.as_bytes();
    limits.check_size(bytes.len()).map_err(named)?;
    let text = text_of(&bytes, charset.as_deref()).map_err(named)?;
    limits.check_size(text.len()).map_err(named)?;
    // The text stays as part of the tree, and each node costs several times what it is written with.
    let room = outside::room(lua, text.len() * 4)?;
    let (html, cost) = match tree::parse(&text, &limits, room) {
        // Garbage may be in the way.
        Err(error) if error.code() == "memory" => {
            tree::parse(&text, &limits, outside::room(lua, usize::MAX)?)
        }
        parsed => parsed,
    }
    .map_err(named)?;
    let charge = outside::charge(lua, cost).map_err(named)?;
    Node::root(Rc::new(Document::new(html, base, charge)))
}

/// What `parse` was given.
struct Source {
    body: LuaString,
    url: Option<String>,
}

impl Source {
    /// `raw`: the body of a reply as it came, since the caller knows its charset.
    fn of(lua: &Lua, value: &Value, raw: bool) -> Result<Self, LibError> {
        let wrong = |_| {
            let got = value.type_name();
            LibError::invalid(format!("argument 1 (source) must be a string or a reply, got {got}"))
        };
        match value {
            Value::String(text) => Ok(Self { body: text.clone(), url: None }),
            Value::Table(reply) => {
                let body = reply.raw_get("body").map_err(wrong)?;
                let url = reply.raw_get("url").map_err(wrong)?;
                let body = if raw { body } else { http::page(lua, reply)?.0 };
                Ok(Self { body, url: Some(url) })
            }
            _ => Err(wrong(mlua::Error::UserDataTypeMismatch)),
        }
    }
}

/// The text of a page. Without a charset, what is valid UTF-8 is that, whatever it says of itself: it was decoded before.
fn text_of<'a>(bytes: &'a [u8], charset: Option<&str>) -> Result<Cow<'a, str>, LibError> {
    // Codes of 7 bits with escapes look like UTF-8 and are not.
    if charset.is_none()
        && !bytes.contains(&0x1b)
        && let Ok(text) = std::str::from_utf8(bytes)
    {
        return Ok(Cow::Borrowed(text.strip_prefix('\u{feff}').unwrap_or(text)));
    }
    Ok(match http::decode(bytes, charset, None)? {
        Cow::Borrowed(text) => String::from_utf8_lossy(text),
        Cow::Owned(text) => Cow::Owned(String::from_utf8_lossy(&text).into_owned()),
    })
}

/// What a reference of the page means; `None` for one that means nothing.
fn resolve(base: Option<&Url>, reference: &str) -> Option<Url> {
    match base {
        Some(base) => base.join(reference).ok(),
        None => Url::parse(reference).ok(),
    }
}

type NodeAndOptions = (UserDataRef<Node>, Option<Table>);

#[cfg(test)]
mod tests;
