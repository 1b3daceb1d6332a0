//! `mpms.time`: clocks, durations, waiting, and times of the calendar.

use mlua::{Lua, Table, Value};

use super::clock;
use crate::lua::error::LibError;
use crate::lua::module::{Module, object};
use crate::lua::options::{self, Options};
use moment::Time;

mod arithmetic;
mod human;
mod moment;
mod parse;
#[cfg(test)]
mod tests;
mod zone;

pub(in crate::lua) use human::human;

pub(super) fn module(lua: &Lua) -> mlua::Result<Table> {
    moment::register(lua)?;
    Module::new(lua, "mpms.time")
        .function("now()", |_, ()| Ok(clock::now()))
        .function("mono()", |_, ()| Ok(clock::mono()))
        .waiting("sleep(duration)", sleep)
        .function("at(unix, options)", |lua, (unix, options): (Value, Option<Table>)| {
            let zone = zone::of_options(Options::new(options))?;
            let ns = match unix {
                Value::Integer(seconds) => i128::from(seconds) * 1_000_000_000,
                // a float of today's seconds holds microseconds
                Value::Number(seconds) if seconds.is_finite() => {
                    ((seconds * 1e6).round() as i128).saturating_mul(1000)
                }
                other => {
                    let got = other.type_name();
                    return Err(LibError::invalid(format!("argument 1 (unix) must be a number, got {got}")));
                }
            };
            let time = jiff::Timestamp::from_nanosecond(ns).map_err(|_| out_of_range())?;
            Ok(object(lua, Time(time.to_zoned(zone)))?)
        })
        .function("date(fields)", |lua, fields: Table| Ok(object(lua, moment::from_fields(fields)?)?))
        .function("parse(text, format, options)", |lua, (text, format, options)| {
            Ok(object(lua, Time(parse::parse(text, format, options)?))?)
        })
        .function("duration(text)", |_, text: Value| Ok(argument(&text)?.as_secs_f64()))
        .function("human(seconds)", |_, seconds: Value| Ok(human(argument(&seconds)?)))
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

fn argument(value: &Value) -> Result<std::time::Duration, LibError> {
    options::duration(value).map_err(|error| LibError::invalid(format!("argument 1 {}", error.message())))
}

fn out_of_range() -> LibError {
    LibError::invalid("the time is not between the years -9999 and 9999")
}
