//! Replies made by functions and tables of the script.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use hyper::http::request::Parts;
use mlua::{Function, Lua, Table, Value};

use super::super::percent_decoded;
use super::body::plain;
use super::carry::{Cargo, Carried};
use super::reply::{self, Answer};
use super::routes::{Params, Pattern};
use crate::lua::coverage;
use crate::lua::error::{LibError, describe_error};
use crate::lua::module::call;
use crate::lua::prelude;
use crate::lua::std::log::{BackgroundSink, Fields, Level};
use crate::lua::std::{Shared, install};

/// What a route answers with, on its way to the server's state.
pub(super) enum Packed {
    Function(Carried),
    /// One after the other; the last one for ever.
    Replies(Vec<Cargo>),
}

/// The same in the server's state.
enum Action {
    Function(Function),
    Replies { all: Vec<Value>, next: Cell<usize> },
}

/// Functions in a state of their own.
pub(super) struct Script {
    lua: Lua,
    routes: Vec<(Pattern, Action)>,
    log: BackgroundSink,
}

impl Script {
    /// # Errors
    /// When Lua has no memory left.
    pub fn new(packed: Vec<(Pattern, Packed)>, around: Shared) -> Result<Self, LibError> {
        let lua = Lua::new();
        coverage::watch(&lua)?;
        let env = around.into_env("server");
        let log = Arc::clone(&env.log.background);
        prelude::install(&lua, &env.env, Rc::clone(&env.log.here))?;
        install(&lua, &env)?;
        let unpacked = packed.into_iter().map(|(pattern, action)| {
            let action = match action {
                Packed::Function(function) => Action::Function(function.unpack(&lua)?),
                Packed::Replies(all) => {
                    let all = all.into_iter().map(|one| one.unpack(&lua)).collect::<Result<_, _>>()?;
                    Action::Replies { all, next: Cell::new(0) }
                }
            };
            Ok((pattern, action))
        });
        let mut routes = unpacked.collect::<Result<Vec<_>, LibError>>()?;
        routes.sort_by_key(|(pattern, _)| pattern.rank());
        Ok(Self { lua, routes, log })
    }

    /// The reply, and what happens to it.
    pub fn answer(&self, head: &Parts, body: &[u8]) -> Answer {
        let answered = self.try_answer(head, body);
        answered.unwrap_or_else(|error| {
            let raised = describe_error(&error);
            let message = format!("http.serve: {} {}: {}", head.method, head.uri, raised.message);
            (self.log)(Level::Error, &message, Fields::new());
            plain(500, raised.message).into()
        })
    }

    fn try_answer(&self, head: &Parts, body: &[u8]) -> Result<Answer, LibError> {
        let path = head.uri.path();
        let mut met = false;
        for (pattern, action) in &self.routes {
            let Some(params) = pattern.fits_path(path) else { continue };
            met = true;
            if !pattern.fits_method(&head.method) {
                continue;
            }
            let value = match action {
                Action::Function(function) => call(&self.lua, function, self.request(head, body, &params)?)?,
                Action::Replies { all, next } => {
                    let at = next.get();
                    next.set((at + 1).min(all.len().saturating_sub(1)));
                    all.get(at).cloned().unwrap_or(Value::Nil)
                }
            };
            return reply::answer(&self.lua, head, value);
        }
        let refused = if met { plain(405, "no route takes this method") } else { plain(404, "not found") };
        Ok(refused.into())
    }

    fn request(&self, head: &Parts, body: &[u8], params: &Params) -> Result<Table, LibError> {
        let lua = &self.lua;
        let request = lua.create_table_with_capacity(0, 6)?;
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
        let named = lua.create_table_with_capacity(0, params.len())?;
        for (name, text) in params {
            named.raw_set(name.as_str(), lua.create_string(text)?)?;
        }
        request.raw_set("params", named)?;
        Ok(request)
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
