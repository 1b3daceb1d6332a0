//! Durations, sizes and rates: amounts that carry their unit.

use std::ops::Range;
use std::str::FromStr as _;

use toml::de::DeValue;

use super::diagnostic::{Diagnostic, Spot};
use super::section::{Entry, Expected, Reader, shorten};
use crate::model::policy::Rate;

/// A hundred years: a clock of 64 bits in nanoseconds can be moved by it without care.
const LONGEST_NS: u64 = 36_525 * 86_400 * 1_000_000_000;
/// What a file can be long at most, and more than any machine has.
const LARGEST: u64 = i64::MAX as u64;

const DURATION: Expected = Expected { title: "a duration", label: "duration, e.g. \"30s\" or \"1m30s\"" };
const SIZE: Expected = Expected { title: "a size", label: "size, e.g. \"64MiB\"" };
const RATE: Expected = Expected { title: "a rate", label: "rate, e.g. \"10/s\" or \"100/15m\"" };

const DURATION_HELP: &str = "write a number with ms, s, m, h or d, e.g. \"30s\" or \"1m30s\"";
const SIZE_HELP: &str = "write a number with B, KiB, MiB or GiB, e.g. \"64MiB\" or \"1.5GiB\"";
const RATE_HELP: &str = "write a whole number, `/` and a time, e.g. \"10/s\", \"100/15m\" or \"1/500ms\"";
const UNIT_HELP: &str = "write the unit with it";

/// What is wrong in a text: where, and what to say of it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Wrong {
    span: Range<usize>,
    label: &'static str,
    /// The text that was probably meant.
    instead: Option<String>,
}

impl Wrong {
    fn new(span: Range<usize>, label: &'static str) -> Self {
        Wrong { span, label, instead: None }
    }

    /// The same in a longer text that begins `by` bytes earlier.
    fn moved(self, by: usize) -> Self {
        Wrong { span: self.span.start + by..self.span.end + by, ..self }
    }
}

/// Nanoseconds, as the scripts' library reads them: what `jiff` calls friendly, with days of 24 hours.
fn duration(text: &str) -> Result<u64, Wrong> {
    let (text, before) = trimmed(text);
    let found = (|| {
        let all = 0..text.len();
        let Ok(span) = jiff::Span::from_str(text) else { return Err(no_duration(text)) };
        if span.is_negative() {
            return Err(Wrong::new(all, "is negative"));
        }
        if span.get_years() != 0 || span.get_months() != 0 {
            return Err(Wrong::new(all, "months and years have no fixed length"));
        }
        let exact = span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()).ok();
        let ns = exact.and_then(|exact| u64::try_from(exact.as_nanos()).ok());
        ns.filter(|ns| *ns <= LONGEST_NS).ok_or(Wrong::new(all, "longer than a hundred years"))
    })();
    found.map_err(|wrong| wrong.moved(before))
}

/// A duration that stands on the command line.
pub fn literal_duration(text: &str) -> Option<std::time::Duration> {
    duration(text).ok().map(std::time::Duration::from_nanos)
}

fn no_duration(text: &str) -> Wrong {
    let all = 0..text.len();
    if text.is_empty() {
        return Wrong::new(all, "no duration");
    }
    if text.parse::<f64>().is_ok_and(|number| number >= 0.0 && number.is_finite()) {
        return Wrong { instead: Some(format!("{text}s")), ..Wrong::new(all, "no unit") };
    }
    let unknown =
        words(text).find(|word| jiff::Span::from_str(&format!("1{}", &text[word.clone()])).is_err());
    match unknown {
        Some(word) if text.starts_with(|first: char| first.is_ascii_digit()) => {
            Wrong::new(word, "unknown unit")
        }
        _ => Wrong::new(all, "no duration"),
    }
}

/// Bytes, as the scripts' library reads them, but never without a unit.
fn size(text: &str) -> Result<u64, Wrong> {
    let (text, before) = trimmed(text);
    let all = before..before + text.len();
    if let Ok(bytes) = text.parse::<u64>() {
        return Err(Wrong { instead: Some(in_bytes(bytes)), ..Wrong::new(all, "no unit") });
    }
    match bytesize::ByteSize::from_str(text) {
        Ok(size) if size.as_u64() <= LARGEST => Ok(size.as_u64()),
        Ok(_) => Err(Wrong::new(all, "larger than 8 EiB")),
        Err(_) => match words(text).next() {
            Some(unit) if text.starts_with(|first: char| first.is_ascii_digit()) => {
                Err(Wrong::new(unit, "unknown unit").moved(before))
            }
            _ => Err(Wrong::new(all, "no size")),
        },
    }
}

/// A number of bytes with the largest unit that needs no fraction.
fn in_bytes(bytes: u64) -> String {
    let units = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    let (unit, name) =
        units.into_iter().find(|(unit, _)| bytes > 0 && bytes.is_multiple_of(*unit)).unwrap_or((1, "B"));
    format!("{}{name}", bytes / unit)
}

/// `10/s`, `100/15m`: a count and the time in which so many may be.
fn rate(text: &str) -> Result<Rate, Wrong> {
    let Some((count, time)) = text.split_once('/') else {
        let instead = text.trim().parse::<u32>().ok().map(|count| format!("{count}/s"));
        return Err(Wrong { instead, ..Wrong::new(0..text.len(), "no time, such as `/s`") });
    };
    let (number, before) = trimmed(count);
    let place = before..before + number.len();
    let count = match number.parse::<u32>() {
        Ok(0) => return Err(Wrong::new(place, "0 would let nothing pass")),
        Ok(count) => count,
        Err(_) => return Err(Wrong::new(place, "no whole number up to 4294967295")),
    };
    let (time, after_slash) = trimmed(time);
    let at = text.find('/').unwrap_or(0) + 1 + after_slash;
    let per_ns = if time.starts_with(char::is_alphabetic) && !time.starts_with('P') {
        let one = |wrong: Wrong| Wrong { span: wrong.span.start.max(1) - 1..wrong.span.end - 1, ..wrong };
        duration(&format!("1{time}")).map_err(|wrong| one(wrong).moved(at))?
    } else {
        let no_instead = |wrong: Wrong| Wrong { instead: None, ..wrong };
        duration(time).map_err(|wrong| no_instead(wrong).moved(at))?
    };
    match per_ns {
        0 => Err(Wrong::new(at..at + time.len(), "no time at all")),
        per_ns if u64::from(count) > per_ns => {
            Err(Wrong::new(0..text.len(), "more than one in a nanosecond"))
        }
        per_ns => Ok(Rate { count, per_ns }),
    }
}

/// The text without space around it, and how many bytes went before it.
fn trimmed(text: &str) -> (&str, usize) {
    (text.trim(), text.len() - text.trim_start().len())
}

/// Where letters stand together.
fn words(text: &str) -> impl Iterator<Item = Range<usize>> + '_ {
    let mut from = 0;
    std::iter::from_fn(move || {
        let start = from + text[from..].find(char::is_alphabetic)?;
        let rest = &text[start..];
        let end = start + rest.find(|letter: char| !letter.is_alphabetic()).unwrap_or(rest.len());
        from = end;
        Some(start..end)
    })
}

impl Reader {
    /// A duration in nanoseconds. Where 0 makes no sense, `no_zero` tells the way out.
    pub(super) fn duration(&mut self, entry: &Entry<'_>, no_zero: Option<&str>) -> Option<u64> {
        let (form, help) = (("duration", DURATION), DURATION_HELP);
        let ns = self.amount(entry, form, help, duration, |number| format!("{number}s"))?;
        match no_zero {
            Some(help) if ns == 0 => {
                self.wrong_value(entry, "cannot be 0", "no time at all", help);
                None
            }
            _ => Some(ns),
        }
    }

    /// A size in bytes, of `least` or more.
    pub(super) fn size(&mut self, entry: &Entry<'_>, least: u64) -> Option<u64> {
        let in_bytes_of = |number: &str| match number.parse() {
            Ok(bytes) => in_bytes(bytes),
            Err(_) => format!("{number}B"),
        };
        let bytes = self.amount(entry, ("size", SIZE), SIZE_HELP, size, in_bytes_of)?;
        if bytes < least {
            let least = in_bytes(least);
            let help = format!("write {least} or more");
            self.wrong_value(entry, &format!("cannot be less than {least}"), "too small", &help);
            return None;
        }
        Some(bytes)
    }

    /// A rate.
    pub(super) fn rate(&mut self, entry: &Entry<'_>) -> Option<Rate> {
        self.amount(entry, ("rate", RATE), RATE_HELP, rate, |number| format!("{number}/s"))
    }

    /// A text that `read` understands. A number without quotes has no unit: `with_unit` gives it the likely one.
    fn amount<T>(
        &mut self,
        entry: &Entry<'_>,
        (what, expected): (&str, Expected),
        help: &str,
        read: impl Fn(&str) -> Result<T, Wrong>,
        with_unit: impl Fn(&str) -> String,
    ) -> Option<T> {
        let spot = self.spot(entry.value.span());
        let text = match entry.value.get_ref() {
            DeValue::String(text) => text,
            DeValue::Integer(_) | DeValue::Float(_) if read(&with_unit(spot.text())).is_ok() => {
                let instead = format!("\"{}\"", with_unit(spot.text()));
                let found = self.type_error(entry, expected).help(UNIT_HELP).patch(spot, instead);
                self.push(found);
                return None;
            }
            _ => {
                let found = self.type_error(entry, expected).help(help);
                self.push(found);
                return None;
            }
        };
        match read(text) {
            Ok(value) => return Some(value),
            Err(wrong) => {
                let title = format!("invalid {what} `{}`", shorten(text));
                let place = inside(&spot, text, &wrong.span);
                let found = Diagnostic::at("manifest::value", title, place, wrong.label);
                self.push(match wrong.instead {
                    Some(instead) => found.help(UNIT_HELP).patch(spot, format!("\"{instead}\"")),
                    None => found.help(help),
                });
            }
        }
        None
    }
}

/// A piece of a string's text, where it was written; all of it when escapes are in the way.
fn inside(spot: &Spot, text: &str, piece: &Range<usize>) -> Spot {
    match spot.text().find(text) {
        Some(at) if !piece.is_empty() => {
            let start = spot.span.start + at;
            Spot::new(&spot.source, start + piece.start..start + piece.end)
        }
        _ => spot.clone(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MS: u64 = 1_000_000;
    const S: u64 = 1_000 * MS;

    fn label<T>(text: &str, read: impl Fn(&str) -> Result<T, Wrong>) -> (String, &'static str) {
        match read(text) {
            Ok(_) => panic!("`{text}` is right"),
            Err(wrong) => (text[wrong.span].to_owned(), wrong.label),
        }
    }

    #[test]
    fn durations_are_spelled_as_in_the_library() {
        for (text, ns) in [
            ("250ms", 250 * MS),
            ("1m30s", 90 * S),
            (" 1m 30s ", 90 * S),
            ("2h", 7_200 * S),
            ("1d", 86_400 * S),
            ("1w", 7 * 86_400 * S),
            ("0.5s", 500 * MS),
            ("5 minutes", 300 * S),
            ("1:30:00", 5_400 * S),
            ("PT30S", 30 * S),
            ("0s", 0),
        ] {
            assert_eq!(duration(text), Ok(ns), "{text}");
        }
    }

    #[test]
    fn a_wrong_duration_is_told_where_it_is_wrong() {
        for (text, place, what) in [
            ("30 parsecs", "parsecs", "unknown unit"),
            (" 1m30x", "x", "unknown unit"),
            ("30", "30", "no unit"),
            ("", "", "no duration"),
            ("soon", "soon", "no duration"),
            ("-5s", "-5s", "is negative"),
            ("5s ago", "5s ago", "is negative"),
            ("1month", "1month", "months and years have no fixed length"),
            ("1000y", "1000y", "months and years have no fixed length"),
            ("40000d", "40000d", "longer than a hundred years"),
        ] {
            assert_eq!(label(text, duration), (place.to_owned(), what), "{text}");
        }
    }

    #[test]
    fn sizes_carry_a_unit() {
        for (text, bytes) in [("64MiB", 64 << 20), ("1.5 GiB", 3 << 29), ("10kB", 10_000), ("0B", 0)] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for (text, place, what) in [
            ("64", "64", "no unit"),
            ("64 parsecs", "parsecs", "unknown unit"),
            ("much", "much", "no size"),
            ("-1MiB", "-1MiB", "no size"),
            ("99999999 EiB", "99999999 EiB", "larger than 8 EiB"),
        ] {
            assert_eq!(label(text, size), (place.to_owned(), what), "{text}");
        }
        assert_eq!(size("67108864").expect_err("no unit").instead.as_deref(), Some("64MiB"));
    }

    #[test]
    fn rates_are_a_count_in_a_time() {
        for (text, count, per_ns) in [
            ("10/s", 10, S),
            ("100/15m", 100, 900 * S),
            ("1/500ms", 1, 500 * MS),
            ("5 / min", 5, 60 * S),
            ("1/1m30s", 1, 90 * S),
        ] {
            assert_eq!(rate(text), Ok(Rate { count, per_ns }), "{text}");
        }
        for (text, place, what) in [
            ("10", "10", "no time, such as `/s`"),
            ("0/s", "0", "0 would let nothing pass"),
            ("0.5/s", "0.5", "no whole number up to 4294967295"),
            ("10/x", "x", "unknown unit"),
            ("10/5 x", "x", "unknown unit"),
            ("10/5", "5", "no unit"),
            ("10/", "", "no duration"),
            ("10/0s", "0s", "no time at all"),
            ("10/ns", "10/ns", "more than one in a nanosecond"),
        ] {
            assert_eq!(label(text, rate), (place.to_owned(), what), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_an_amount_or_wrong_at_a_place_of_it(
            text in "\\PC*|[0-9.]{0,9}[ /]{0,2}[0-9]{0,3} ?[a-zA-Zµ]{0,4}[0-9]{0,2}[smhd/P]?|[ \\t\u{a0}é/1s]{0,8}",
        ) {
            for wrong in [duration(&text).err(), size(&text).err(), rate(&text).err()].into_iter().flatten() {
                prop_assert!(text.get(wrong.span.clone()).is_some(), "{:?}", wrong);
            }
        }
    }
}
