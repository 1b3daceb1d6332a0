//! `mpms.feed`: sitemaps, and feeds of news.

use std::borrow::Cow;
use std::rc::Rc;

use mlua::{AnyUserData, Function, Lua, LuaString, Table, Value};

use super::http;
use crate::lua::error::LibError;
use crate::lua::module::{Module, object};
use crate::lua::options::Options;

mod items;
mod sitemap;
mod xml;

use sitemap::{Place, Walk};

pub(super) fn module(lua: &Lua) -> mlua::Result<Table> {
    let next = next(lua)?;
    Module::new(lua, "mpms.feed")
        .function("parse(source, options)", |lua, (source, options): (Value, Option<Table>)| {
            let mut options = Options::new(options);
            let base = options.string("base")?;
            let max_size = options.size("max_size")?.unwrap_or(xml::MOST_BYTES);
            options.finish()?;
            let source = Source::of(&source)?;
            let base = base.or(source.url);
            let named = |error: LibError| match &base {
                Some(url) => error.url(url.clone()),
                None => error,
            };
            let bytes = xml::unpacked(&source.body.as_bytes(), max_size).map_err(named)?.into_owned();
            items::feed(lua, &bytes, base.as_deref()).map_err(named)
        })
        .waiting("sitemap(source, options)", move |lua, (source, options): (Value, Option<Table>)| {
            let (lua, next) = (lua.clone(), next.clone());
            let asked = Asked::read(&source, options);
            async move {
                let Asked { place, how } = asked?;
                let walk = Walk::begin(&lua, place, how).await?;
                iterator(&lua, &next, object(&lua, Rc::new(walk))?)
            }
        })
        .build()
}

/// The function behind the iterators; what it raises is an error of `feed.sitemap`.
fn next(lua: &Lua) -> mlua::Result<Function> {
    let hidden = Module::new(lua, "mpms.feed").waiting("sitemap(iterator)", |lua, walk: AnyUserData| {
        let (lua, walk) = (lua.clone(), walk.borrow::<Rc<Walk>>().map(|walk| Rc::clone(&walk)));
        async move { walk?.next(&lua).await }
    });
    hidden.build()?.get("sitemap")
}

fn iterator(lua: &Lua, next: &Function, walk: AnyUserData) -> Result<Function, LibError> {
    let closure =
        lua.load("local next, walk = ... return function() return next(walk) end").set_name("=mpms");
    Ok(closure.call((next, walk))?)
}

/// What `sitemap` was asked for.
struct Asked {
    place: Place,
    how: sitemap::How,
}

impl Asked {
    fn read(source: &Value, options: Option<Table>) -> Result<Self, LibError> {
        let mut options = Options::new(options);
        let client = match options.value("client")? {
            None => None,
            Some(Value::UserData(client)) if http::is_client(&client) => Some(client),
            Some(_) => return Err(LibError::invalid("option `client` must be of `http.client`")),
        };
        let follow = options.bool("follow")?.unwrap_or(true);
        let max_size = options.size("max_size")?.unwrap_or(xml::MOST_BYTES);
        options.finish()?;
        let source = Source::of(source)?;
        let bytes = source.body.as_bytes();
        let start = bytes.trim_ascii_start();
        let address =
            source.url.is_none() && (start.starts_with(b"http://") || start.starts_with(b"https://"));
        // A list of addresses has several lines.
        let place = if address && !bytes.trim_ascii().contains(&b'\n') {
            let text = std::str::from_utf8(bytes.trim_ascii());
            Place::Address(text.map_err(|_| LibError::parse("the address is not UTF-8"))?.to_owned())
        } else {
            Place::Text(bytes.to_vec(), source.url)
        };
        Ok(Self { place, how: sitemap::How { client, follow, max_size } })
    }
}

/// A string, or a reply with its address.
struct Source {
    body: LuaString,
    url: Option<String>,
}

impl Source {
    fn of(value: &Value) -> Result<Self, LibError> {
        let wrong = |_| {
            let got = value.type_name();
            LibError::invalid(format!("argument 1 (source) must be a string or a reply, got {got}"))
        };
        match value {
            Value::String(text) => Ok(Self { body: text.clone(), url: None }),
            Value::Table(reply) => Ok(Self {
                body: reply.raw_get("body").map_err(wrong)?,
                url: Some(reply.raw_get("url").map_err(wrong)?),
            }),
            _ => Err(wrong(mlua::Error::UserDataTypeMismatch)),
        }
    }
}

/// As text, from the encoding that the document names.
fn text_of(bytes: &[u8]) -> Result<Cow<'_, str>, LibError> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Ok(Cow::Borrowed(text.strip_prefix('\u{feff}').unwrap_or(text)));
    }
    Ok(Cow::Owned(String::from_utf8_lossy(&http::decode(bytes, None, None)?).into_owned()))
}

#[cfg(test)]
mod tests;
