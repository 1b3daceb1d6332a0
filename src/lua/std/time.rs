//! `mpms.time`: clocks, durations, waiting.

use std::time::Duration;

use mlua::{Lua, Table, Value};

use super::clock;
use crate::lua::error::LibError;
use crate::lua::module::Module;
use crate::lua::options;

pub(super) fn module(lua: &Lua) -> mlua::Result<Table> {
    Module::new(lua, "mpms.time")
        .function("now()", |_, ()| Ok(clock::now()))
        .function("mono()", |_, ()| Ok(clock::mono()))
        .waiting("sleep(duration)", sleep)
        .function("duration(text)", |_, text: Value| Ok(argument(&text)?.as_secs_f64()))
        .function("human(seconds)", |_, seconds: Value| {
            let exact = argument(&seconds)?;
            Ok(human(exact))
        })
        .build()
}

/// `sleep`, of this module and others, and the global.
pub(super) fn sleep(
    _: &Lua,
    duration: Value,
) -> impl Future<Output = Result<(), LibError>> + 'static + use<> {
    let duration = argument(&duration);
    async move {
        clock::sleep(duration?).await;
        Ok(())
    }
}

fn argument(value: &Value) -> Result<Duration, LibError> {
    options::duration(value).map_err(|error| LibError::invalid(format!("argument 1 {}", error.message())))
}

/// `2h 5m`, `12s`, `340ms`: at most two units.
pub(in crate::lua) fn human(duration: Duration) -> String {
    let units: [(&str, u128); 7] = [
        ("d", 86_400_000_000_000),
        ("h", 3_600_000_000_000),
        ("m", 60_000_000_000),
        ("s", 1_000_000_000),
        ("ms", 1_000_000),
        ("µs", 1_000),
        ("ns", 1),
    ];
    let whole = duration.as_nanos();
    let Some(first) = units.iter().position(|(_, size)| whole >= *size) else {
        return "0s".to_owned();
    };
    let (name, size) = units[first];
    let mut text = format!("{}{name}", whole / size);
    // Below a second the second unit is noise.
    if first < 3 {
        let (name, small) = units[first + 1];
        let rest = whole % size / small;
        if rest > 0 {
            text.push_str(&format!(" {rest}{name}"));
        }
    }
    text
}
