//! Replies made by a function of the script.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Response, StatusCode};
use mlua::{Function, Lua, Table, Value};

use super::super::percent_decoded;
use super::body::{Body, plain};
use super::carry::Carried;
use crate::lua::error::{LibError, describe_error};
use crate::lua::module::call;
use crate::lua::options::Options;
use crate::lua::prelude;
use crate::lua::std::log::{BackgroundSink, Fields, Level, Sinks};
use crate::lua::std::{StdEnv, install, json};

/// A function in a state of its own.
pub(super) struct Script {
    lua: Lua,
    function: Function,
    log: BackgroundSink,
}

impl Script {
    /// # Errors
    /// When Lua has no memory left.
    pub fn new(carried: Carried, log: BackgroundSink) -> Result<Self, LibError> {
        let lua = Lua::new();
        let sink = Arc::clone(&log);
        let sinks = Sinks::of(move |level, text, fields| sink(level, text, fields));
        prelude::install(&lua, &[], Rc::clone(&sinks.here))?;
        let env = StdEnv { role: "server".to_owned(), log: sinks, temp_dir: None };
        install(&lua, &env)?;
        let function = carried.unpack(&lua)?;
        Ok(Self { lua, function, log })
    }

    /// The reply, and how long to wait before it is sent.
    pub fn answer(&self, head: &Parts, body: &[u8]) -> (Response<Body>, Option<Duration>) {
        let answered = self.request(head, body).and_then(|request| {
            let value: Value = call(&self.lua, &self.function, request)?;
            self.reply(value)
        });
        answered.unwrap_or_else(|error| {
            let raised = describe_error(&error);
            let message = format!("http.serve: {} {}: {}", head.method, head.uri, raised.message);
            (self.log)(Level::Error, &message, Fields::new());
            (plain(500, raised.message), None)
        })
    }

    fn request(&self, head: &Parts, body: &[u8]) -> Result<Table, LibError> {
        let lua = &self.lua;
        let request = lua.create_table_with_capacity(0, 5)?;
        request.raw_set("method", head.method.as_str())?;
        request.raw_set("path", lua.create_string(percent_decoded(head.uri.path()))?)?;
        let query = lua.create_table()?;
        for pair in head.uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let plus = |text: &str| percent_decoded(&text.replace('+', " "));
            put(lua, &query, &plus(name), &plus(value))?;
        }
        request.raw_set("query", query)?;
        let headers = lua.create_table_with_capacity(0, head.headers.len())?;
        for (name, value) in &head.headers {
            put(lua, &headers, name.as_str().as_bytes(), value.as_bytes())?;
        }
        request.raw_set("headers", headers)?;
        request.raw_set("body", lua.create_string(body)?)?;
        Ok(request)
    }

    fn reply(&self, value: Value) -> Result<(Response<Body>, Option<Duration>), LibError> {
        let table = match value {
            Value::Nil => return Ok((plain(404, "not found"), None)),
            Value::Table(table) => table,
            other => return Ok((self.with_body(200, HeaderMap::new(), other)?, None)),
        };
        let mut options = Options::new(Some(table));
        let status = options.int("status")?.unwrap_or(200);
        let headers = options.table("headers")?;
        let body = options.value("body")?.unwrap_or(Value::Nil);
        let delay = options.duration("delay")?;
        options.finish()?;
        let status = u16::try_from(status).ok().filter(|status| (200..600).contains(status));
        let status = status.ok_or_else(|| LibError::invalid("`status` must be 200 to 599"))?;
        let headers = headers.map_or_else(|| Ok(HeaderMap::new()), |table| read_headers(&table))?;
        Ok((self.with_body(status, headers, body)?, delay))
    }

    /// A string as it is, a table as JSON.
    fn with_body(&self, status: u16, headers: HeaderMap, body: Value) -> Result<Response<Body>, LibError> {
        let (bytes, kind) = match body {
            Value::Nil => (Vec::new(), "text/plain; charset=utf-8"),
            Value::String(text) if text.as_bytes().starts_with(b"<") => {
                (text.as_bytes().to_vec(), "text/html; charset=utf-8")
            }
            Value::String(text) => (text.as_bytes().to_vec(), "text/plain; charset=utf-8"),
            Value::Table(_) => (json::compact(&self.lua, &body)?, "application/json"),
            other => {
                let got = other.type_name();
                return Err(LibError::invalid(format!("the reply must be a string or a table, got {got}")));
            }
        };
        let mut reply = Response::new(Body::Bytes(Bytes::from(bytes)));
        *reply.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        *reply.headers_mut() = headers;
        reply.headers_mut().entry(CONTENT_TYPE).or_insert(HeaderValue::from_static(kind));
        Ok(reply)
    }
}

/// The second value of a name makes a list of it.
fn put(lua: &Lua, table: &Table, name: &[u8], value: &[u8]) -> Result<(), LibError> {
    let (name, value) = (lua.create_string(name)?, lua.create_string(value)?);
    match table.raw_get::<Value>(&name)? {
        Value::Nil => table.raw_set(name, value)?,
        Value::Table(list) => list.raw_push(value)?,
        first => table.raw_set(name, lua.create_sequence_from([first, Value::String(value)])?)?,
    }
    Ok(())
}

fn read_headers(table: &Table) -> Result<HeaderMap, LibError> {
    let mut headers = HeaderMap::new();
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
        for value in values {
            let text = match &value {
                Value::String(text) => text.as_bytes().to_vec(),
                Value::Integer(_) | Value::Number(_) => value.to_string()?.into_bytes(),
                _ => return Err(bad()),
            };
            headers.append(key.clone(), HeaderValue::from_bytes(&text).map_err(|_| bad())?);
        }
    }
    Ok(headers)
}
