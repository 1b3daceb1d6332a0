//! What a function or a route of the script answers, as a reply of HTTP with its delays and failures.

use std::io::Write as _;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::body::Bytes;
use hyper::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue, LOCATION, VARY,
};
use hyper::http::request::Parts;
use hyper::{Response, StatusCode};
use mlua::{Lua, Table, Value};
use xxhash_rust::xxh3::xxh3_64;

use super::body::{Body, plain};
use super::{folder, range};
use crate::lua::error::LibError;
use crate::lua::options::Options;
use crate::lua::std::{json, path};

/// How a reply goes wrong.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// Nothing is ever sent.
    Hang,
    /// The connection is reset, without a reply or after some bytes of the body.
    Reset { after: Option<u64> },
    /// The connection ends after so many bytes of the body; half of them, if not said.
    Cut { after: Option<u64> },
}

/// A reply, and what happens to it.
pub(super) struct Answer {
    pub reply: Response<Body>,
    pub delay: Option<Duration>,
    pub fault: Option<Fault>,
}

impl From<Response<Body>> for Answer {
    fn from(reply: Response<Body>) -> Self {
        Self { reply, delay: None, fault: None }
    }
}

/// Nothing is a 404, a number a status, a string or a table under `body` a body.
///
/// # Errors
/// On wrong options and values.
pub(super) fn answer(lua: &Lua, head: &Parts, value: Value) -> Result<Answer, LibError> {
    let table = match value {
        Value::Nil => return Ok(plain(404, "not found").into()),
        Value::Integer(status) => {
            let status = checked(status)?;
            return Ok(plain(status.as_u16(), status.canonical_reason().unwrap_or_default()).into());
        }
        Value::Table(table) => table,
        other => return Ok(with_body(lua, other)?.into()),
    };
    let mut options = Options::new(Some(table));
    let status = options.int("status")?;
    let headers = options.table("headers")?;
    let body = options.value("body")?;
    let file = options.bytes("file")?;
    let redirect = options.string("redirect")?;
    let delay = options.duration("delay")?;
    let gzip = options.bool("gzip")?.unwrap_or(false);
    let ranges = options.bool("ranges")?.unwrap_or(file.is_some());
    let rate = options.size("rate")?;
    let after = options.size("after")?;
    let fault = match options.word("fail", &["reset", "cut", "hang"])? {
        Some("reset") => Some(Fault::Reset { after }),
        Some("cut") => Some(Fault::Cut { after }),
        Some(_) => Some(Fault::Hang),
        None if after.is_some() => {
            return Err(LibError::invalid("option `after` goes with `fail = \"cut\"` or `\"reset\"`"));
        }
        None => None,
    };
    options.finish()?;
    let mut reply = match (body, file) {
        (Some(_), Some(_)) => return Err(LibError::invalid("only one of `body` and `file` can be given")),
        (body, None) => with_body(lua, body.unwrap_or(Value::Nil))?,
        (None, Some(file)) => {
            let path = path::of(&file);
            folder::file(&path).map_err(|error| LibError::file(&error, &path))?
        }
    };
    *reply.status_mut() = checked(status.unwrap_or(if redirect.is_some() { 302 } else { 200 }))?;
    if let Some(place) = redirect {
        let place = HeaderValue::try_from(place)
            .map_err(|_| LibError::invalid("option `redirect` cannot be sent in a header"))?;
        reply.headers_mut().insert(LOCATION, place);
    }
    if let Some(table) = headers {
        read_headers(reply.headers_mut(), &table)?;
    }
    if gzip && takes_gzip(head) {
        pack(&mut reply)?;
    }
    if ranges {
        if let Some(bytes) = reply.body_mut().bytes_mut() {
            let tag = format!("\"{:016x}\"", xxh3_64(bytes));
            if let Ok(tag) = HeaderValue::try_from(tag) {
                reply.headers_mut().entry(ETAG).or_insert(tag);
            }
        }
        reply = range::answer(head, reply);
    }
    if let Some(rate) = rate {
        reply.body_mut().slow(rate);
    }
    Ok(Answer { reply, delay, fault })
}

fn checked(status: i64) -> Result<StatusCode, LibError> {
    let known = u16::try_from(status).ok().filter(|status| (200..600).contains(status));
    known
        .and_then(|status| StatusCode::from_u16(status).ok())
        .ok_or_else(|| LibError::invalid("`status` must be 200 to 599"))
}

/// A string as it is, a table as JSON.
fn with_body(lua: &Lua, body: Value) -> Result<Response<Body>, LibError> {
    let (bytes, kind) = match body {
        Value::Nil => (Vec::new(), "text/plain; charset=utf-8"),
        Value::String(text) if text.as_bytes().starts_with(b"<") => {
            (text.as_bytes().to_vec(), "text/html; charset=utf-8")
        }
        Value::String(text) => (text.as_bytes().to_vec(), "text/plain; charset=utf-8"),
        Value::Table(_) => (json::compact(lua, &body)?, "application/json"),
        other => {
            let got = other.type_name();
            return Err(LibError::invalid(format!("the reply must be a string or a table, got {got}")));
        }
    };
    let mut reply = Response::new(Body::from(Bytes::from(bytes)));
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    Ok(reply)
}

fn takes_gzip(head: &Parts) -> bool {
    head.headers.get_all(ACCEPT_ENCODING).iter().any(|value| {
        value.to_str().is_ok_and(|text| text.split(',').any(|one| one.trim().starts_with("gzip")))
    })
}

fn pack(reply: &mut Response<Body>) -> Result<(), LibError> {
    let Some(bytes) = reply.body_mut().bytes_mut() else {
        return Err(LibError::invalid("option `gzip` is for a `body`, not for a `file`"));
    };
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    packer.write_all(bytes)?;
    *bytes = packer.finish()?.into();
    reply.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    reply.headers_mut().insert(VARY, HeaderValue::from_static("accept-encoding"));
    Ok(())
}

fn read_headers(headers: &mut HeaderMap, table: &Table) -> Result<(), LibError> {
    let mut pairs: Vec<(Value, Value)> = Vec::new();
    table.for_each(|name, value| {
        pairs.push((name, value));
        Ok(())
    })?;
    for (name, value) in pairs {
        let name = name.to_string()?;
        let bad = || LibError::invalid(format!("the header `{name}` cannot be sent"));
        let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?;
        let values: Vec<Value> = match value {
            Value::Table(list) => list.sequence_values().collect::<mlua::Result<_>>()?,
            one => vec![one],
        };
        headers.remove(&key);
        for value in values {
            let text = match &value {
                Value::String(text) => text.as_bytes().to_vec(),
                Value::Integer(_) | Value::Number(_) => value.to_string()?.into_bytes(),
                _ => return Err(bad()),
            };
            headers.append(key.clone(), HeaderValue::from_bytes(&text).map_err(|_| bad())?);
        }
    }
    Ok(())
}
