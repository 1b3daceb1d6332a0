//! A time of the calendar in a time zone, as scripts hold it.

use jiff::civil::{Date, DateTime, Time as OfDay};
use jiff::fmt::{rfc2822, strtime};
use jiff::{Unit, Zoned};
use mlua::{AnyUserData, Lua, Table, UserDataFields as _, UserDataMethods as _, UserDataRef, Value};

use super::{arithmetic, out_of_range, zone};
use crate::lua::error::LibError;
use crate::lua::module::{Methods, global_function, object};
use crate::lua::options::{self, Options};

/// What `time.at` and the others give.
#[derive(Clone)]
pub struct Time(pub Zoned);

type Pair = (Value, Value);

pub(super) fn register(lua: &Lua) -> mlua::Result<()> {
    let eq = lua.create_function(|_, (a, b): Pair| {
        Ok(matches!((taken(&a), taken(&b)), (Some(a), Some(b)) if a.0.timestamp() == b.0.timestamp()))
    })?;
    let compared = |op: &'static str, holds: fn(&Zoned, &Zoned) -> bool| {
        global_function(lua, op, move |_, (a, b): Pair| match (taken(&a), taken(&b)) {
            (Some(a), Some(b)) => Ok(holds(&a.0, &b.0)),
            _ => Err(LibError::invalid(format!(
                "a time is compared with a time, not with a {}",
                other(&a, &b)
            ))),
        })
    };
    let (lt, le) = (compared("time <", |a, b| a < b)?, compared("time <=", |a, b| a <= b)?);
    let add = global_function(lua, "time +", |lua, (a, b): Pair| match (taken(&a), taken(&b)) {
        (Some(a), None) => Ok(object(lua, moved(&a.0, &b, 1)?)?),
        (None, Some(b)) => Ok(object(lua, moved(&b.0, &a, 1)?)?),
        _ => Err(LibError::invalid("two times cannot be added; a time and seconds can")),
    })?;
    let sub = global_function(lua, "time -", |lua, (a, b): Pair| match (taken(&a), taken(&b)) {
        (Some(a), Some(b)) => {
            Ok(Value::Number(a.0.timestamp().duration_since(b.0.timestamp()).as_secs_f64()))
        }
        (Some(a), None) => Ok(Value::UserData(object(lua, moved(&a.0, &b, -1)?)?)),
        _ => Err(LibError::invalid("only a time or seconds can be taken from a time")),
    })?;
    let methods = Methods::new(lua, "time.Time")
        .method("format(format)", |_, (time, format): (UserDataRef<Time>, String)| {
            strtime::format(&format, &time.0)
                .map_err(|error| LibError::invalid(format!("argument 1 (format): {error}")))
        })
        .method("iso()", |_, time: UserDataRef<Time>| Ok(iso(&time.0)))
        .method("rfc2822()", |_, time: UserDataRef<Time>| {
            rfc2822::to_string(&time.0).map_err(|error| LibError::invalid(error.to_string()))
        })
        .method("http()", |_, time: UserDataRef<Time>| {
            let text = rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&time.0.timestamp());
            text.map_err(|error| LibError::invalid(error.to_string()))
        })
        .method("add(span)", |lua, (time, span): (UserDataRef<Time>, Table)| {
            Ok(object(lua, Time(arithmetic::add(&time.0, span)?))?)
        })
        .method("diff(other, unit)", |_, (time, other, unit): (UserDataRef<Time>, Value, Option<String>)| {
            let Some(from) = taken(&other) else {
                let got = other.type_name();
                return Err(LibError::invalid(format!("argument 1 (other) must be a time, got {got}")));
            };
            arithmetic::difference(&time.0, &from.0, unit.as_deref().unwrap_or("seconds"))
        })
        .method("trunc(unit)", |lua, (time, unit): (UserDataRef<Time>, String)| {
            Ok(object(lua, Time(arithmetic::truncated(&time.0, &unit)?))?)
        })
        .method("in_tz(name)", |lua, (time, name): (UserDataRef<Time>, String)| {
            Ok(object(lua, Time(time.0.with_time_zone(zone::named(&name)?)))?)
        });
    methods.userdata_and::<Time>(move |registry| {
        registry.add_field_method_get("year", |_, time| Ok(time.0.year()));
        registry.add_field_method_get("month", |_, time| Ok(time.0.month()));
        registry.add_field_method_get("day", |_, time| Ok(time.0.day()));
        registry.add_field_method_get("hour", |_, time| Ok(time.0.hour()));
        registry.add_field_method_get("min", |_, time| Ok(time.0.minute()));
        registry.add_field_method_get("sec", |_, time| Ok(time.0.second()));
        registry.add_field_method_get("nsec", |_, time| Ok(time.0.subsec_nanosecond()));
        registry.add_field_method_get("unix", |_, time| Ok(unix(&time.0)));
        registry.add_field_method_get("tz", |_, time| Ok(zone::name(&time.0)));
        registry.add_field_method_get("offset", |_, time| Ok(time.0.offset().seconds()));
        registry.add_field_method_get("weekday", |_, time| Ok(time.0.weekday().to_monday_one_offset()));
        registry.add_field_method_get("yearday", |_, time| Ok(time.0.day_of_year()));
        registry.add_meta_method("__tostring", |_, time, ()| Ok(iso(&time.0)));
        for (name, function) in [("__eq", eq), ("__lt", lt), ("__le", le), ("__add", add), ("__sub", sub)] {
            registry.add_meta_field(name, function);
        }
    })
}

/// Reads `{ year = ..., month = ..., tz = ... }`.
pub(super) fn from_fields(fields: Table) -> Result<Time, LibError> {
    let mut options = Options::new(Some(fields));
    let mut field = |name: &'static str, least: Option<i64>, range: std::ops::RangeInclusive<i64>| {
        let number = options.int(name)?.or(least);
        let number = number.ok_or_else(|| LibError::invalid(format!("field `{name}` is missing")))?;
        if range.contains(&number) {
            return Ok(number);
        }
        let (first, last) = range.into_inner();
        Err(LibError::invalid(format!("field `{name}` must be from {first} to {last}, got {number}")))
    };
    let (year, month) = (field("year", None, -9999..=9999)?, field("month", Some(1), 1..=12)?);
    let day = field("day", Some(1), 1..=31)?;
    let (hour, minute) = (field("hour", Some(0), 0..=23)?, field("min", Some(0), 0..=59)?);
    let (second, ns) = (field("sec", Some(0), 0..=59)?, field("nsec", Some(0), 0..=999_999_999)?);
    let zone = zone::read(&mut options)?;
    options.finish()?;
    let date = Date::new(year as i16, month as i8, day as i8).map_err(|_| {
        LibError::invalid(format!("field `day` is {day}, which month {month} of {year} lacks"))
    })?;
    let time = OfDay::new(hour as i8, minute as i8, second as i8, ns as i32).map_err(|_| out_of_range())?;
    let whole = DateTime::from_parts(date, time).to_zoned(zone).map_err(|_| out_of_range())?;
    Ok(Time(whole))
}

/// ISO 8601 with the offset, `Z` for UTC.
fn iso(time: &Zoned) -> String {
    if time.time_zone() == &jiff::tz::TimeZone::UTC {
        return time.timestamp().to_string();
    }
    time.timestamp().display_with_offset(time.offset()).to_string()
}

/// Seconds since 1970: an integer when there is no fraction.
fn unix(time: &Zoned) -> Value {
    let stamp = time.timestamp();
    match stamp.subsec_nanosecond() {
        0 => Value::Integer(stamp.as_second()),
        _ => Value::Number(stamp.as_nanosecond() as f64 / 1e9),
    }
}

/// The time in a value, if it is one.
pub(super) fn taken(value: &Value) -> Option<UserDataRef<Time>> {
    value.as_userdata().and_then(|object: &AnyUserData| object.borrow::<Time>().ok())
}

fn other(a: &Value, b: &Value) -> &'static str {
    if taken(a).is_some() { b.type_name() } else { a.type_name() }
}

/// `time + seconds` or `time - seconds`; seconds may be a text as `"1h30m"`.
fn moved(time: &Zoned, by: &Value, sign: i32) -> Result<Time, LibError> {
    let (by, sign) = match by {
        Value::Integer(seconds) if *seconds < 0 => (Value::Number(-(*seconds as f64)), -sign),
        Value::Number(seconds) if *seconds < 0.0 => (Value::Number(-seconds), -sign),
        other => (other.clone(), sign),
    };
    let by = options::duration(&by)
        .map_err(|error| LibError::invalid(format!("what is added {}", error.message())))?;
    let by = jiff::SignedDuration::try_from(by).map_err(|_| out_of_range())?;
    let moved = time.checked_add(by * sign).map_err(|_| out_of_range())?;
    Ok(Time(moved))
}

/// Units of the calendar by name, in the singular or plural.
pub(super) fn unit(name: &str) -> Option<Unit> {
    Some(match name.strip_suffix('s').unwrap_or(name) {
        "year" => Unit::Year,
        "month" => Unit::Month,
        "week" => Unit::Week,
        "day" => Unit::Day,
        "hour" => Unit::Hour,
        "minute" | "min" => Unit::Minute,
        "second" | "sec" => Unit::Second,
        "millisecond" => Unit::Millisecond,
        "microsecond" => Unit::Microsecond,
        "nanosecond" => Unit::Nanosecond,
        _ => return None,
    })
}
