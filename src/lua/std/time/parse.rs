//! Times from text: ISO 8601 (RFC 3339, RFC 9557), RFC 2822, the three dates of HTTP, Unix seconds, or a format.

use jiff::fmt::temporal::{Pieces, PiecesOffset};
use jiff::fmt::{rfc2822, strtime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use mlua::{LuaString, Table, Value};

use super::{out_of_range, zone};
use crate::lua::error::LibError;
use crate::lua::options::Options;

/// A longer text is no time.
const LONGEST: usize = 200;
/// What RFC 9110 takes besides its own form, and what cookies say.
const OLD: [&str; 3] = ["%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y", "%a, %d-%b-%Y %H:%M:%S GMT"];

/// `time.parse(text, format, { tz = ... })`; the format may be left out.
pub(super) fn parse(text: LuaString, format: Value, options: Option<Table>) -> Result<Zoned, LibError> {
    let (format, options) = match (format, options) {
        (Value::Nil, options) => (None, options),
        (Value::Table(options), None) => (None, Some(options)),
        (Value::String(format), options) => (Some(format.to_string_lossy()), options),
        (other, _) => {
            let got = other.type_name();
            return Err(LibError::invalid(format!("argument 2 (format) must be a string, got {got}")));
        }
    };
    let zone = zone::of_options(Options::new(options))?;
    let whole = text.to_string_lossy();
    let text = whole.trim();
    if text.len() > LONGEST {
        return Err(LibError::parse(format!("a text of {} bytes is no time", text.len())));
    }
    match format {
        Some(format) => by_format(text, &format, zone),
        None => of_any_kind(text, zone),
    }
}

fn wrong(text: &str, what: &str, error: impl std::fmt::Display) -> LibError {
    LibError::parse(format!("`{text}` is no {what}: {error}"))
}

fn of_any_kind(text: &str, zone: TimeZone) -> Result<Zoned, LibError> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    match text.strip_prefix('@') {
        Some(number) => return unix(text, number, zone),
        // eight digits are a date without its hyphens
        None if digits >= 9 && is_number(text) => return unix(text, text, zone),
        None => {}
    }
    let has_words = text.bytes().any(|byte| byte == b',')
        || text.starts_with(|first: char| first.is_ascii_alphabetic())
        || (matches!(digits, 1 | 2) && text[digits..].starts_with(' '));
    if has_words { mail_or_http(text) } else { iso(text, &zone) }
}

fn unix(whole: &str, number: &str, zone: TimeZone) -> Result<Zoned, LibError> {
    let what = "Unix time";
    let (sign, digits) = number.strip_prefix('-').map_or((1, number), |digits| (-1, digits));
    let (seconds, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let only_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !only_digits(seconds) || !only_digits(fraction) || fraction.len() > 9 {
        return Err(wrong(whole, what, "it is written as 1700000000 or 1700000000.25"));
    }
    let fraction: i128 = format!("{fraction:0<9}").parse().unwrap_or_default();
    let time = seconds.parse::<i64>().ok().and_then(|seconds| {
        Timestamp::from_nanosecond(sign * (i128::from(seconds) * 1_000_000_000 + fraction)).ok()
    });
    match time {
        Some(time) => Ok(time.to_zoned(zone)),
        None if seconds.len() == 13 => {
            Err(wrong(whole, what, "it has the digits of milliseconds: use time.at(number / 1000)"))
        }
        None => Err(wrong(whole, what, "it is not between the years -9999 and 9999")),
    }
}

fn iso(text: &str, zone: &TimeZone) -> Result<Zoned, LibError> {
    let what = "ISO 8601 time";
    // a month alone is its first day
    let is_month = text.len() == 7 && text.as_bytes()[4] == b'-';
    let month = is_month.then(|| format!("{text}-01"));
    let pieces = Pieces::parse(month.as_deref().unwrap_or(text)).map_err(|error| wrong(text, what, error))?;
    if pieces.time_zone_annotation().is_some() {
        return text.parse::<Zoned>().map_err(|error| wrong(text, what, error));
    }
    let own = match pieces.offset() {
        Some(PiecesOffset::Zulu) => TimeZone::UTC,
        Some(_) => pieces.to_numeric_offset().map_or(TimeZone::UTC, TimeZone::fixed),
        None => zone.clone(),
    };
    let time = pieces.date().to_datetime(pieces.time().unwrap_or_default());
    time.to_zoned(own).map_err(|error| wrong(text, what, error))
}

fn mail_or_http(text: &str) -> Result<Zoned, LibError> {
    let error = match rfc2822::DateTimeParser::new().parse_zoned(text) {
        Ok(time) if text.ends_with("GMT") => return Ok(time.with_time_zone(TimeZone::UTC)),
        Ok(time) => return Ok(time),
        Err(error) => error,
    };
    for format in OLD {
        let read = strtime::parse(format, text).and_then(|read| read.to_datetime());
        if let Ok(time) = read {
            return time.to_zoned(TimeZone::UTC).map_err(|_| out_of_range());
        }
    }
    Err(wrong(text, "RFC 2822 or HTTP time", error))
}

fn by_format(text: &str, format: &str, zone: TimeZone) -> Result<Zoned, LibError> {
    let misfit =
        |error: jiff::Error| LibError::parse(format!("`{text}` does not fit the format `{format}`: {error}"));
    let read = strtime::parse(format, text).map_err(misfit)?;
    if let Some(time) = read.timestamp() {
        return Ok(time.to_zoned(zone));
    }
    if read.offset().is_some() || read.iana_time_zone().is_some() {
        return read.to_zoned().map_err(misfit);
    }
    let date = match read.hour() {
        Some(_) => read.to_datetime().map_err(misfit)?,
        None => read.to_date().map_err(misfit)?.to_datetime(jiff::civil::Time::midnight()),
    };
    date.to_zoned(zone).map_err(|_| out_of_range())
}
