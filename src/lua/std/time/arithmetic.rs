//! Adding to times, their differences, and the beginnings of units. Days and longer are those of the calendar in the
//! time's zone, so that a day may have 23 or 25 hours; hours and shorter are exact.

use jiff::civil::DateTime;
use jiff::{SignedDuration, Span, Unit, Zoned};
use mlua::{Table, Value};

use super::moment::unit;
use super::out_of_range;
use crate::lua::error::LibError;
use crate::lua::module::did_you_mean;
use crate::lua::options::Options;

const UNITS: [&str; 10] = [
    "years",
    "months",
    "weeks",
    "days",
    "hours",
    "minutes",
    "seconds",
    "milliseconds",
    "microseconds",
    "nanoseconds",
];

/// Those of the calendar come first, from the largest; a day that its month lacks becomes the month's last.
pub(super) fn add(time: &Zoned, span: Table) -> Result<Zoned, LibError> {
    let mut options = Options::new(Some(span));
    let mut date = time.datetime();
    let mut by_calendar = false;
    for name in ["years", "months", "weeks", "days"] {
        if let Some(count) = options.int(name)? {
            let span = calendar_span(name, count).ok_or_else(|| too_many(name, count))?;
            date = date.checked_add(span).map_err(|_| out_of_range())?;
            by_calendar |= count != 0;
        }
    }
    let mut exact = SignedDuration::ZERO;
    for (name, ns) in [
        ("hours", 3_600_000_000_000),
        ("minutes", 60_000_000_000),
        ("seconds", 1_000_000_000),
        ("milliseconds", 1_000_000),
        ("microseconds", 1_000),
        ("nanoseconds", 1_i64),
    ] {
        if let Some(value) = options.value(name)? {
            let part = exactly(name, &value, ns)?;
            exact = exact.checked_add(part).ok_or_else(out_of_range)?;
        }
    }
    options.finish()?;
    let moved = if by_calendar { zoned(date, time)? } else { time.clone() };
    moved.checked_add(exact).map_err(|_| out_of_range())
}

fn zoned(date: DateTime, like: &Zoned) -> Result<Zoned, LibError> {
    date.to_zoned(like.time_zone().clone()).map_err(|_| out_of_range())
}

fn calendar_span(name: &str, count: i64) -> Option<Span> {
    let span = Span::new();
    match name {
        "years" => span.try_years(count),
        "months" => span.try_months(count),
        "weeks" => span.try_weeks(count),
        _ => span.try_days(count),
    }
    .ok()
}

fn too_many(name: &str, count: i64) -> LibError {
    LibError::invalid(format!("option `{name}` is out of range: {count}"))
}

fn exactly(name: &str, value: &Value, ns: i64) -> Result<SignedDuration, LibError> {
    let whole = match value {
        Value::Integer(count) => i128::from(*count) * i128::from(ns),
        Value::Number(count) if count.is_finite() => (count * ns as f64).round() as i128,
        other => {
            let got = other.type_name();
            return Err(LibError::invalid(format!("option `{name}` must be a number, got {got}")));
        }
    };
    let seconds = i64::try_from(whole.div_euclid(1_000_000_000)).map_err(|_| out_of_range())?;
    Ok(SignedDuration::new(seconds, whole.rem_euclid(1_000_000_000) as i32))
}

/// `time` minus `from` in a unit, with its fraction.
pub(super) fn difference(time: &Zoned, from: &Zoned, name: &str) -> Result<f64, LibError> {
    let unit = unit(name).ok_or_else(|| no_unit(name))?;
    if unit <= Unit::Hour {
        let ns = time.timestamp().as_nanosecond() - from.timestamp().as_nanosecond();
        return Ok(ns as f64 / length_ns(unit));
    }
    let from = from.with_time_zone(time.time_zone().clone());
    let total = from.until(time).and_then(|span| span.total((unit, &from)));
    total.map_err(|_| out_of_range())
}

fn length_ns(unit: Unit) -> f64 {
    match unit {
        Unit::Hour => 3.6e12,
        Unit::Minute => 6e10,
        Unit::Second => 1e9,
        Unit::Millisecond => 1e6,
        Unit::Microsecond => 1e3,
        _ => 1.0,
    }
}

/// The beginning of the year, month, week (its Monday), day, hour, minute or second in which it lies.
pub(super) fn truncated(time: &Zoned, name: &str) -> Result<Zoned, LibError> {
    let unit = unit(name).ok_or_else(|| no_unit(name))?;
    let first_day = match unit {
        Unit::Year => time.date().first_of_year(),
        Unit::Month => time.date().first_of_month(),
        Unit::Week => {
            let since_monday = i64::from(time.weekday().to_monday_zero_offset());
            time.date().checked_sub(Span::new().days(since_monday)).map_err(|_| out_of_range())?
        }
        Unit::Day => time.date(),
        shorter => {
            // what is cut off is exact, so that the second of two equal hours stays the second
            let of_hour = i64::from(time.minute()) * 60 + i64::from(time.second());
            let (seconds, ns) = match shorter {
                Unit::Hour => (of_hour, time.subsec_nanosecond()),
                Unit::Minute => (i64::from(time.second()), time.subsec_nanosecond()),
                Unit::Second => (0, time.subsec_nanosecond()),
                Unit::Millisecond => (0, time.subsec_nanosecond() % 1_000_000),
                Unit::Microsecond => (0, time.subsec_nanosecond() % 1_000),
                _ => (0, 0),
            };
            return time.checked_sub(SignedDuration::new(seconds, ns)).map_err(|_| out_of_range());
        }
    };
    first_day.to_zoned(time.time_zone().clone()).map_err(|_| out_of_range())
}

fn no_unit(name: &str) -> LibError {
    let hint = did_you_mean(name, &UNITS);
    LibError::invalid(format!("no unit `{name}`{hint}; units are {}", UNITS.join(", ")))
}
