//! `mpms.metrics`: figures of four kinds, added up over all workers and the handler (see [`crate::model::metrics`]).

use std::fmt::Write as _;

use mlua::{Function, Lua, Table, UserDataRef, Value};

use crate::lua::error::LibError;
use crate::lua::module::{Methods, Module, global_function, object};
use crate::lua::std::clock;
use crate::model::metrics::{self, Kind, Refused};
use crate::os::clock::monotonic_ns;

#[cfg(test)]
mod tests;

/// Characters of a name, of a label and of its value at most, and labels of a series.
const LONGEST_NAME: usize = 100;
const LONGEST_VALUE: usize = 200;
const MOST_LABELS: usize = 10;

pub(super) fn module(lua: &Lua) -> mlua::Result<Table> {
    let time = stopwatch(lua)?;
    Module::new(lua, "mpms.metrics")
        .function("counter(name, value, labels)", |lua, (name, value, labels): Call<Option<f64>>| {
            let value = value.unwrap_or(1.0);
            if !value.is_finite() || value < 0.0 {
                return Err(LibError::invalid(format!("argument 2 (value) must be 0 or more, got {value}")));
            }
            add(lua, Kind::Counter, &name, value, labels.as_ref())
        })
        .function("gauge(name, value, labels)", |lua, (name, value, labels): Call<f64>| {
            add(lua, Kind::Gauge, &name, finite(value)?, labels.as_ref())
        })
        .function("rate(name, value, labels)", |lua, (name, value, labels): Call<Value>| {
            let Value::Boolean(value) = value else {
                let got = value.type_name();
                return Err(LibError::invalid(format!(
                    "argument 2 (value) must be true or false, got {got}"
                )));
            };
            add(lua, Kind::Rate, &name, f64::from(u8::from(value)), labels.as_ref())
        })
        .function("trend(name, value, labels)", |lua, (name, value, labels): Call<f64>| {
            add(lua, Kind::Trend, &name, finite(value)?, labels.as_ref())
        })
        .value("time", time)
        .build()
}

type Call<V> = (String, V, Option<Table>);

/// What has begun, and is counted at its end.
struct Stopwatch {
    key: String,
    /// On the clock of `time.mono`.
    began: f64,
}

fn stopwatch(lua: &Lua) -> mlua::Result<Function> {
    Methods::new(lua, "metrics.Stopwatch")
        .method("close()", |lua, watch: UserDataRef<Stopwatch>| {
            tell(lua, Kind::Trend, &watch.key, clock::mono() - watch.began)
        })
        .userdata::<Stopwatch>()?;
    let begin = global_function(
        lua,
        "metrics.time(name, f, labels)",
        |lua, (name, _, labels): (String, Function, Option<Table>)| {
            let key = key(&name, labels.as_ref())?;
            Ok(object(lua, Stopwatch { key, began: clock::mono() })?)
        },
    )?;
    lua.load(include_str!("time.lua")).set_name("=mpms").call(begin)
}

fn finite(value: f64) -> Result<f64, LibError> {
    match value.is_finite() {
        true => Ok(value),
        false => Err(LibError::invalid(format!("argument 2 (value) must be a finite number, got {value}"))),
    }
}

fn add(lua: &Lua, kind: Kind, name: &str, value: f64, labels: Option<&Table>) -> Result<(), LibError> {
    tell(lua, kind, &key(name, labels)?, value)
}

fn tell(lua: &Lua, kind: Kind, key: &str, value: f64) -> Result<(), LibError> {
    let now_ns = if kind == Kind::Gauge { monotonic_ns() } else { 0 };
    let env = super::env(lua)?;
    env.log.metrics.add(key, kind, value, now_ns).map_err(|refused| {
        let code = if refused == Refused::Full { "too_large" } else { "invalid" };
        let name = key.split('\0').next().unwrap_or_default();
        LibError::new(code, format!("`{name}`: {refused}"))
    })
}

/// As [`metrics::key`] joins them, without the steps between.
fn key(name: &str, labels: Option<&Table>) -> Result<String, LibError> {
    if !is_name(name, &['_', '.', ':', '/', '-']) {
        return Err(LibError::invalid(format!(
            "argument 1 (name) must be a letter and up to {LONGEST_NAME} letters, digits and `_.:/-`, got `{name}`"
        )));
    }
    let Some(labels) = labels else { return Ok(name.to_owned()) };
    let mut pairs = Vec::new();
    labels.for_each(|label: Value, value: Value| {
        pairs.push((label, value));
        Ok(())
    })?;
    if pairs.len() > MOST_LABELS {
        let count = pairs.len();
        return Err(LibError::invalid(format!(
            "argument 3 (labels) has {count} labels, {MOST_LABELS} at most are allowed"
        )));
    }
    let mut read = pairs.into_iter().map(label).collect::<Result<Vec<_>, _>>()?;
    read.sort();
    Ok(metrics::key(name, &read))
}

fn label((label, value): (Value, Value)) -> Result<(String, String), LibError> {
    let wrong = |what: &str| LibError::invalid(format!("argument 3 (labels) {what}"));
    let label = match label {
        Value::String(label) => label.to_string_lossy(),
        other => return Err(wrong(&format!("must have names as keys, got a {}", other.type_name()))),
    };
    if !is_name(&label, &['_']) {
        return Err(wrong(&format!("has the name `{label}`: a letter, then letters, digits and `_`")));
    }
    let mut text = String::new();
    match value {
        Value::String(value) => text = value.to_string_lossy(),
        Value::Integer(number) => drop(write!(text, "{number}")),
        Value::Number(number) => drop(write!(text, "{number}")),
        Value::Boolean(flag) => drop(write!(text, "{flag}")),
        other => {
            let got = other.type_name();
            return Err(wrong(&format!("`{label}` must be a string, a number or a boolean, got {got}")));
        }
    }
    if text.len() > LONGEST_VALUE || text.contains('\0') {
        return Err(wrong(&format!(
            "`{label}` has {} bytes or a zero byte; {LONGEST_VALUE} bytes at most are allowed",
            text.len()
        )));
    }
    Ok((label, text))
}

fn is_name(name: &str, also: &[char]) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.len() <= LONGEST_NAME
        && name.chars().all(|c| c.is_ascii_alphanumeric() || also.contains(&c))
}
