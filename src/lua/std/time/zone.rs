//! Time zones by name.

use jiff::Zoned;
use jiff::tz::TimeZone;

use crate::lua::error::LibError;
use crate::lua::module::did_you_mean;
use crate::lua::options::Options;

/// Of an IANA name, `UTC`, `local`, or an offset as `+02:00`.
pub(super) fn named(name: &str) -> Result<TimeZone, LibError> {
    if name == "local" {
        return Ok(TimeZone::system());
    }
    if name.eq_ignore_ascii_case("utc") || name.eq_ignore_ascii_case("z") {
        return Ok(TimeZone::UTC);
    }
    if name.starts_with(['+', '-']) {
        return match jiff::fmt::strtime::parse("%:z", name).or_else(|_| jiff::fmt::strtime::parse("%z", name))
        {
            Ok(read) => Ok(read.offset().map_or(TimeZone::UTC, TimeZone::fixed)),
            Err(_) => Err(LibError::invalid(format!("no offset `{name}`: write it as \"+02:00\""))),
        };
    }
    TimeZone::get(name).map_err(|_| {
        let known: Vec<String> = jiff::tz::db().available().map(|known| known.to_string()).collect();
        let hint = did_you_mean(name, &known);
        LibError::invalid(format!("no time zone `{name}`{hint}; names are as \"Europe/Berlin\""))
    })
}

/// `{ tz = ... }`, and nothing else; UTC when it is left out.
pub(super) fn of_options(mut options: Options) -> Result<TimeZone, LibError> {
    let zone = read(&mut options)?;
    options.finish()?;
    Ok(zone)
}

/// The option `tz`.
pub(super) fn read(options: &mut Options) -> Result<TimeZone, LibError> {
    match options.string("tz")? {
        Some(name) => named(&name),
        None => Ok(TimeZone::UTC),
    }
}

/// As [`named`] reads it.
pub(super) fn name(time: &Zoned) -> String {
    let zone = time.time_zone();
    match zone.iana_name() {
        Some(name) => name.to_owned(),
        None if *zone == TimeZone::UTC => "UTC".to_owned(),
        None => time.strftime("%:z").to_string(),
    }
}
