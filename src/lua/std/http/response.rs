//! From the reply to the table that the script gets.

use std::borrow::Cow;
use std::time::Instant;

use bytes::Bytes;
use mlua::{Lua, LuaString, Table, Value};
use reqwest::header::HeaderMap;
use reqwest::{Response, StatusCode, Version};

use super::clock::Clock;
use super::request::{Target, failed, shown};
use super::settings::Settings;
use super::{charset, fail, hops};
use crate::lua::error::LibError;
use crate::lua::module::Methods;
use crate::lua::options::Options;
use crate::lua::scheduler::Scheduler;
use crate::lua::std::{fs, html, json, path};

/// The metatables of this state.
#[derive(Clone)]
struct Metatables {
    response: Table,
    headers: Table,
    /// Lists of the headers that came more than once, by headers table (weak).
    several: Table,
}

pub(super) fn register(lua: &Lua) -> mlua::Result<()> {
    let response = Methods::new(lua, "http.Response")
        .method("json()", |lua, this: Table| {
            let body: LuaString = this.raw_get("body")?;
            json::decode(lua, &body.as_bytes()).map_err(|error| with_url(error, &this))
        })
        .method("html(options)", |lua, (this, options): (Table, Option<Table>)| {
            html::parse(lua, &Value::Table(this), options)
        })
        .method("text(charset)", |lua, (this, charset): (Table, Option<String>)| text(lua, &this, charset))
        .method("save(path, options)", |_, (this, name, options): (Table, LuaString, Option<Table>)| {
            let mut options = Options::new(options);
            let how = fs::WriteOptions::read(&mut options)?;
            options.finish()?;
            let body: LuaString = this.raw_get("body")?;
            fs::write(&path::of(&name), &body.as_bytes(), &how)
        })
        .method("raise()", |_, this: Table| {
            let status: u16 = this.raw_get("status")?;
            if status < 400 {
                return Ok(this);
            }
            let reason = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
            let wait: Option<String> = this.raw_get::<Table>("headers")?.raw_get("retry-after")?;
            let wait = wait.and_then(|wait| fail::retry_after(&wait));
            Err(with_url(fail::from_status(status, reason.unwrap_or_default(), wait), &this))
        })
        .metatable()?;
    let globals = lua.globals();
    let lower: Value = globals.raw_get::<Table>("string")?.raw_get("lower")?;
    let unpack: Value = globals.raw_get::<Table>("table")?.raw_get("unpack")?;
    let (headers, several) = lua.load(include_str!("response.lua")).set_name("=mpms").call((
        lower,
        globals.raw_get::<Value>("rawget")?,
        globals.raw_get::<Value>("type")?,
        globals.raw_get::<Value>("setmetatable")?,
        unpack,
    ))?;
    lua.set_app_data(Metatables { response, headers, several });
    Ok(())
}

fn with_url(error: LibError, response: &Table) -> LibError {
    match response.raw_get::<String>("url") {
        Ok(url) => error.url(url),
        Err(_) => error,
    }
}

/// The body as UTF-8, from the named charset or that of the reply.
fn text(lua: &Lua, this: &Table, charset: Option<String>) -> Result<LuaString, LibError> {
    let body: LuaString = this.raw_get("body")?;
    let kind: Option<String> = this.raw_get::<Table>("headers")?.raw_get("content-type")?;
    let bytes = body.as_bytes();
    let text = charset::decode(&bytes, charset.as_deref(), kind.as_deref());
    match text.map_err(|error| with_url(error, this))? {
        Cow::Borrowed(same) if same.len() == bytes.len() => Ok(body.clone()),
        text => Ok(lua.create_string(text)?),
    }
}

/// The text and the address of a reply, for modules that read pages.
///
/// # Errors
/// When `response` is not what a request has given.
pub fn page(lua: &Lua, response: &Table) -> Result<(LuaString, String), LibError> {
    let no_reply = |_| LibError::invalid("is not a reply of mpms.http");
    let url: String = response.raw_get("url").map_err(no_reply)?;
    Ok((text(lua, response, None)?, url))
}

/// Sends the request and reads the whole body, again where `retries` says so.
pub(super) async fn fetch(lua: &Lua, target: &Target) -> Result<Table, LibError> {
    let mut tried = 0;
    loop {
        let error = match fetch_once(lua, target, tried).await {
            Ok(table) => return Ok(table),
            Err(error) => error,
        };
        match target.settings.retries.pause(tried, &error) {
            Some(pause) => crate::lua::std::clock::sleep(pause).await,
            None => return Err(error),
        }
        tried += 1;
    }
}

async fn fetch_once(lua: &Lua, target: &Target, tried: u32) -> Result<Table, LibError> {
    let start = Instant::now();
    let clock = Clock::start(&target.settings, Some(Settings::TIMEOUT));
    let mut reply = hops::send(target, &clock).await?;
    if let Some(error) = hops::judge(target, &reply, tried) {
        hops::drain(reply, &clock).await;
        return Err(error);
    }
    let max_size = target.settings.max_size.unwrap_or(Settings::MAX_SIZE);
    let body = read_body(lua, &mut reply, &clock, max_size).await?;
    if !Scheduler::of(lua).is_alone() {
        give_back().await;
    }
    let table = head(lua, &reply, 9)?;
    table.raw_set("body", body)?;
    table.raw_set("elapsed", start.elapsed().as_secs_f64())?;
    table.set_metatable(Some(metatables(lua)?.response))?;
    Ok(table)
}

/// The next bytes of a body; none at its end.
///
/// # Errors
/// When it is cut or late.
pub(super) async fn piece(reply: &mut Response, clock: &Clock) -> Result<Option<Bytes>, LibError> {
    clock.wait(reply.chunk()).await?.map_err(|error| failed(&error))
}

/// Lets the connection of a body that has ended return to its pool, which a task of the client does that was woken
/// before: tasks of the runtime run in order. Else the next request, if another coroutine makes it at once, would open
/// one more.
async fn give_back() {
    // it does nothing that could fail
    let _ = tokio::spawn(std::future::ready(())).await;
}

async fn read_body(
    lua: &Lua,
    reply: &mut Response,
    clock: &Clock,
    max_size: u64,
) -> Result<LuaString, LibError> {
    let told = reply.content_length();
    if told.is_some_and(|told| told > max_size) {
        return Err(too_large(reply, max_size));
    }
    let Some(first) = piece(reply, clock).await? else {
        return Ok(lua.create_string("")?);
    };
    // Most bodies are one piece: they go to Lua without a copy in between.
    if told == Some(first.len() as u64) && first.len() as u64 <= max_size {
        let body = lua.create_string(&first)?;
        // The end of the message, which gives the connection back.
        while piece(reply, clock).await?.is_some() {}
        return Ok(body);
    }
    // The length is the other side's word: it gets memory as it sends.
    let mut body = Vec::with_capacity(told.unwrap_or(0).min(4 << 20) as usize);
    let mut next = Some(first);
    while let Some(bytes) = next {
        if (body.len() + bytes.len()) as u64 > max_size {
            return Err(too_large(reply, max_size));
        }
        if body.capacity() - body.len() < bytes.len() {
            // not twice as much: with a thousand of them in flight it counts
            body.reserve_exact(bytes.len().max(body.len() / 8));
        }
        body.extend_from_slice(&bytes);
        next = piece(reply, clock).await?;
    }
    Ok(lua.create_string(body)?)
}

pub(super) fn too_large(reply: &Response, max_size: u64) -> LibError {
    let message = format!("the body is larger than `max_size` ({})", bytesize::ByteSize::b(max_size));
    LibError::new("too_large", message).url(shown(reply.url()))
}

fn metatables(lua: &Lua) -> Result<Metatables, LibError> {
    let metatables = lua.app_data_ref::<Metatables>().map(|found| found.clone());
    metatables.ok_or_else(|| LibError::new("lua_error", "mpms.http is not loaded in this state"))
}

/// What a reply says of itself before its body, in a table with room for `fields`.
///
/// # Errors
/// When Lua has no memory left.
pub(super) fn head(lua: &Lua, reply: &Response, fields: usize) -> Result<Table, LibError> {
    let table = lua.create_table_with_capacity(0, fields)?;
    table.raw_set("status", reply.status().as_u16())?;
    table.raw_set("ok", reply.status().is_success())?;
    table.raw_set("url", reply.url().as_str())?;
    table.raw_set("headers", headers(lua, reply.headers(), &metatables(lua)?)?)?;
    table.raw_set("version", version(reply.version()))?;
    if let Some(remote) = reply.remote_addr() {
        table.raw_set("remote", remote.to_string())?;
    }
    Ok(table)
}

fn headers(lua: &Lua, headers: &HeaderMap, metatables: &Metatables) -> Result<Table, LibError> {
    let table = lua.create_table_with_capacity(0, headers.keys_len())?;
    let mut repeated: Option<Table> = None;
    for name in headers.keys() {
        let mut values = headers.get_all(name).iter();
        let Some(first) = values.next() else { continue };
        let first = lua.create_string(first.as_bytes())?;
        let Some(second) = values.next() else {
            table.raw_set(name.as_str(), first)?;
            continue;
        };
        let list = lua.create_table()?;
        list.raw_push(&first)?;
        let mut joined = first.as_bytes().to_vec();
        for value in std::iter::once(second).chain(values) {
            joined.extend_from_slice(b", ");
            joined.extend_from_slice(value.as_bytes());
            list.raw_push(lua.create_string(value.as_bytes())?)?;
        }
        table.raw_set(name.as_str(), lua.create_string(joined)?)?;
        let lists = match &repeated {
            Some(lists) => lists,
            None => repeated.insert(lua.create_table()?),
        };
        lists.raw_set(name.as_str(), list)?;
    }
    table.set_metatable(Some(metatables.headers.clone()))?;
    if let Some(lists) = repeated {
        metatables.several.raw_set(&table, lists)?;
    }
    Ok(table)
}

fn version(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2",
        Version::HTTP_3 => "HTTP/3",
        _ => "HTTP/1.1",
    }
}
