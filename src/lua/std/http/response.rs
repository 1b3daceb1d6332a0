//! From the reply to the table that the script gets.

use std::time::Instant;

use mlua::{Lua, LuaString, Table, Value};
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Response, StatusCode, Version};

use super::fail;
use super::request::{Target, failed, shown};
use crate::lua::error::LibError;
use crate::lua::module::Methods;
use crate::lua::options::Options;
use crate::lua::std::{fs, json, path};

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
    let told: Option<String> = match charset {
        Some(charset) => Some(charset),
        None => {
            this.raw_get::<Table>("headers")?.raw_get::<Option<String>>("content-type")?.and_then(charset_of)
        }
    };
    let Some(label) = told else { return Ok(body) };
    let encoding = encoding_rs::Encoding::for_label(label.as_bytes())
        .ok_or_else(|| with_url(LibError::invalid(format!("the charset `{label}` is not known")), this))?;
    let text = encoding.decode(&body.as_bytes()).0.into_owned();
    Ok(lua.create_string(text)?)
}

fn charset_of(content_type: String) -> Option<String> {
    content_type.split(';').skip(1).find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches('"').to_owned())
    })
}

/// Sends the request and reads the whole body.
pub(super) async fn fetch(lua: &Lua, target: Target) -> Result<Table, LibError> {
    let start = Instant::now();
    let settings = target.settings;
    let mut reply = target.client.execute(target.request).await.map_err(|error| failed(&error))?;
    let status = reply.status();
    if settings.raise && status.as_u16() >= 400 && !settings.allow.contains(&status.as_u16()) {
        let wait = reply.headers().get(RETRY_AFTER).and_then(|value| fail::retry_after(value.to_str().ok()?));
        let reason = status.canonical_reason().unwrap_or_default();
        let error = fail::from_status(status.as_u16(), reason, wait).url(shown(reply.url()));
        drain(reply).await;
        return Err(error);
    }
    let body = read_body(lua, &mut reply, settings.max_size).await?;
    table(lua, &reply, body, start)
}

/// Reads the rest of a small body, so that its connection can be used again.
async fn drain(mut reply: Response) {
    let mut left = 64usize << 10;
    while let Ok(Some(chunk)) = reply.chunk().await {
        match left.checked_sub(chunk.len()) {
            Some(rest) => left = rest,
            None => break,
        }
    }
}

async fn read_body(lua: &Lua, reply: &mut Response, max_size: u64) -> Result<LuaString, LibError> {
    let told = reply.content_length();
    if told.is_some_and(|told| told > max_size) {
        return Err(too_large(reply, max_size));
    }
    let Some(first) = reply.chunk().await.map_err(|error| failed(&error))? else {
        return Ok(lua.create_string("")?);
    };
    // Most bodies are one piece: they go to Lua without a copy in between.
    if told == Some(first.len() as u64) && first.len() as u64 <= max_size {
        let body = lua.create_string(&first)?;
        // The end of the message, which gives the connection back.
        while reply.chunk().await.map_err(|error| failed(&error))?.is_some() {}
        return Ok(body);
    }
    // The length is the other side's word: it gets memory as it sends.
    let mut body = Vec::with_capacity(told.unwrap_or(0).min(4 << 20) as usize);
    let mut piece = Some(first);
    while let Some(bytes) = piece {
        if (body.len() + bytes.len()) as u64 > max_size {
            return Err(too_large(reply, max_size));
        }
        body.extend_from_slice(&bytes);
        piece = reply.chunk().await.map_err(|error| failed(&error))?;
    }
    Ok(lua.create_string(body)?)
}

fn too_large(reply: &Response, max_size: u64) -> LibError {
    let message = format!("the body is larger than `max_size` ({})", bytesize::ByteSize::b(max_size));
    LibError::new("too_large", message).url(shown(reply.url()))
}

fn table(lua: &Lua, reply: &Response, body: LuaString, start: Instant) -> Result<Table, LibError> {
    let metatables = lua.app_data_ref::<Metatables>().map(|found| found.clone());
    let Some(metatables) = metatables else {
        return Err(LibError::new("lua_error", "mpms.http is not loaded in this state"));
    };
    let table = lua.create_table_with_capacity(0, 7)?;
    table.raw_set("status", reply.status().as_u16())?;
    table.raw_set("ok", reply.status().is_success())?;
    table.raw_set("url", reply.url().as_str())?;
    table.raw_set("headers", headers(lua, reply.headers(), &metatables)?)?;
    table.raw_set("body", body)?;
    table.raw_set("elapsed", start.elapsed().as_secs_f64())?;
    table.raw_set("version", version(reply.version()))?;
    table.set_metatable(Some(metatables.response))?;
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
