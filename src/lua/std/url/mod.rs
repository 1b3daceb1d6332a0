//! `mpms.url`: addresses, as browsers read them (the URL standard of WHATWG).

use ::url::{Host, Url};
use mlua::{Lua, LuaString, Table};

use crate::lua::error::LibError;
use crate::lua::module::Module;
use crate::lua::options::Options;

mod build;
mod normal;
mod query;

pub(super) fn module(lua: &Lua) -> mlua::Result<Table> {
    Module::new(lua, "mpms.url")
        .function("parse(url)", |lua, text: LuaString| parts(lua, &parse(&text)?))
        .function("join(base, reference)", |_, (base, reference): (LuaString, LuaString)| {
            Ok(String::from(join(&parse(&base)?, &reference)?))
        })
        .function("build(parts)", |_, parts: Table| Ok(String::from(build::build(parts)?)))
        .function("encode(text)", |_, text: LuaString| Ok(query::encode(&text.as_bytes())))
        .function("decode(text, options)", |lua, (text, options): (LuaString, Option<Table>)| {
            let mut options = Options::new(options);
            let plus = options.bool("plus")?.unwrap_or(false);
            options.finish()?;
            Ok(lua.create_string(query::decode(&text.as_bytes(), plus))?)
        })
        .function("query(params)", |_, params: Table| query::write(&params))
        .function("parse_query(text)", |lua, text: LuaString| query::read(lua, &text.as_bytes()))
        .function("normalize(url, options)", |_, (text, options): (LuaString, Option<Table>)| {
            normal::normalize(parse(&text)?, options)
        })
        .function("domain(url)", |_, text: LuaString| domain(&text))
        .build()
}

/// An absolute address.
///
/// # Errors
/// `parse`, with the address.
pub(super) fn parse(text: &LuaString) -> Result<Url, LibError> {
    let bytes = text.as_bytes();
    let text = std::str::from_utf8(&bytes)
        .map_err(|_| LibError::parse("the address is not UTF-8").url(text.to_string_lossy()))?;
    parse_text(text)
}

/// The same for a text.
///
/// # Errors
/// `parse`, with the address.
pub(super) fn parse_text(text: &str) -> Result<Url, LibError> {
    Url::parse(text).map_err(|error| {
        let hint = match error {
            ::url::ParseError::RelativeUrlWithoutBase => ": it has no scheme as `https:`",
            _ => "",
        };
        LibError::parse(format!("not an address: {error}{hint}")).url(text)
    })
}

/// What a reference on the page `base` means.
fn join(base: &Url, reference: &LuaString) -> Result<Url, LibError> {
    let bytes = reference.as_bytes();
    let text = std::str::from_utf8(&bytes).map_err(|_| {
        LibError::parse("argument 2 (reference) is not UTF-8").url(reference.to_string_lossy())
    })?;
    base.join(text)
        .map_err(|error| LibError::parse(format!("not a reference on `{base}`: {error}")).url(text))
}

/// The table of `url.parse`; fields that the address does not have are nil.
fn parts(lua: &Lua, url: &Url) -> Result<Table, LibError> {
    let table = lua.create_table_with_capacity(0, 9)?;
    table.raw_set("scheme", url.scheme())?;
    table.raw_set("host", url.host_str())?;
    table.raw_set("port", url.port_or_known_default())?;
    table.raw_set("path", url.path())?;
    table.raw_set("query", url.query())?;
    table.raw_set("params", query::read(lua, url.query().unwrap_or_default().as_bytes())?)?;
    table.raw_set("fragment", url.fragment())?;
    if !url.username().is_empty() {
        table.raw_set("username", decoded(lua, url.username())?)?;
    }
    if let Some(password) = url.password() {
        table.raw_set("password", decoded(lua, password)?)?;
    }
    Ok(table)
}

fn decoded(lua: &Lua, text: &str) -> Result<LuaString, LibError> {
    Ok(lua.create_string(query::decode(text.as_bytes(), false))?)
}

/// The registrable domain of an address or a host name: `www.example.co.uk` belongs to `example.co.uk`. Nil where
/// there is none: numbers, `localhost`, a bare public suffix.
fn domain(text: &LuaString) -> Result<Option<String>, LibError> {
    let bytes = text.as_bytes();
    let text = std::str::from_utf8(&bytes)
        .map_err(|_| LibError::parse("the address is not UTF-8").url(text.to_string_lossy()))?;
    if text.contains("://") {
        return Ok(registrable(&parse_text(text)?));
    }
    let host = Host::parse(text)
        .map_err(|error| LibError::parse(format!("neither an address nor a host name: {error}")).url(text))?;
    Ok(registrable_host(&host))
}

/// The registrable domain of an address.
pub(super) fn registrable(url: &Url) -> Option<String> {
    registrable_host(&url.host()?.to_owned())
}

fn registrable_host(host: &Host<String>) -> Option<String> {
    let Host::Domain(name) = host else {
        return None;
    };
    let name = name.trim_end_matches('.');
    // Without the check, each unlisted last label would be taken as a suffix: `nas.local` is nobody's domain.
    psl::suffix(name.as_bytes()).filter(psl::Suffix::is_known)?;
    psl::domain_str(name).map(str::to_owned)
}

#[cfg(test)]
mod tests;
