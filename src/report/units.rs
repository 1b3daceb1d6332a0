//! Numbers with their units, as people read them.

use std::time::Duration;

use bytesize::ByteSize;

const MICRO: u64 = 1_000;
const MILLI: u64 = 1_000_000;
const SECOND: u64 = 1_000_000_000;

/// `84ms`, `1.9s`, `2m 14s`, `3h 05m`, `2d 03h`.
pub fn duration(ns: u64) -> String {
    let rounded = |unit: u64| ns.saturating_add(unit / 2) / unit;
    let seconds = rounded(SECOND);
    if ns < MICRO {
        format!("{ns}ns")
    } else if rounded(MICRO) < 1_000 {
        format!("{}µs", rounded(MICRO))
    } else if rounded(MILLI / 10) < 100 {
        tenths(rounded(MILLI / 10), "ms")
    } else if rounded(MILLI) < 1_000 {
        format!("{}ms", rounded(MILLI))
    } else if rounded(SECOND / 10) < 600 {
        tenths(rounded(SECOND / 10), "s")
    } else if seconds < 3_600 {
        format!("{}m {:02}s", seconds / 60, seconds % 60)
    } else if seconds < 86_400 {
        format!("{}h {:02}m", seconds / 3_600, seconds / 60 % 60)
    } else {
        format!("{}d {:02}h", seconds / 86_400, seconds / 3_600 % 24)
    }
}

fn tenths(n: u64, unit: &str) -> String {
    if n.is_multiple_of(10) && unit == "ms" {
        format!("{}{unit}", n / 10)
    } else {
        format!("{}.{}{unit}", n / 10, n % 10)
    }
}

/// Seconds with two digits in a column of its own, as in the line of a failure: `  0.21s`.
pub fn column(ns: u64) -> String {
    format!("{:>6.2}s", Duration::from_nanos(ns).as_secs_f64())
}

/// `1,234,567`.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 task`, `1,200 tasks`.
pub fn counted(n: u64, noun: &str) -> String {
    format!("{} {noun}{}", count(n), if n == 1 { "" } else { "s" })
}

/// `1,430/s`, `84.4/s`; below one a second `30/min`, below one a minute `3.2/h`.
pub fn rate(per_second: f64) -> String {
    let (number, unit) = match per_second {
        r if r.is_nan() || r <= 0.0 => return "0/s".into(),
        r if r >= 1.0 => (r, "s"),
        r if r * 60.0 >= 1.0 => (r * 60.0, "min"),
        r => (r * 3_600.0, "h"),
    };
    if number >= 99.95 {
        format!("{}/{unit}", count(number.round() as u64))
    } else {
        format!("{number:.1}/{unit}")
    }
}

/// `214.3 MiB`.
pub fn bytes(n: u64) -> String {
    ByteSize(n).display().iec().to_string()
}

/// A number whose unit only its task knows: `812`, `0.5`, `12.4k`, `1.2G`.
pub fn amount(number: f64) -> String {
    let size = number.abs();
    let (divisor, suffix) = match size {
        s if !s.is_finite() => return number.to_string(),
        s if s < 10_000.0 => (1.0, ""),
        s if s < 1e6 => (1e3, "k"),
        s if s < 1e9 => (1e6, "M"),
        s if s < 1e12 => (1e9, "G"),
        s if s < 1e15 => (1e12, "T"),
        _ => return format!("{number:.1e}"),
    };
    let text = format!("{:.1}", number / divisor);
    format!("{}{suffix}", text.strip_suffix(".0").unwrap_or(&text))
}

/// A share in whole percent, never 100 before the end; nothing for a total of zero or less.
pub fn percent(done: f64, total: f64) -> Option<u8> {
    if !(total > 0.0 && done.is_finite() && total.is_finite()) {
        return None;
    }
    Some((done / total * 100.0).floor().clamp(0.0, 100.0) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_humanely() {
        let cases = [
            (0, "0ns"),
            (999, "999ns"),
            (1_500, "2µs"),
            (999_600, "1ms"),
            (1_900_000, "1.9ms"),
            (9_990_000, "10ms"),
            (84 * MILLI, "84ms"),
            (999_700_000, "1.0s"),
            (1_900 * MILLI, "1.9s"),
            (59_960 * MILLI, "1m 00s"),
            (134 * SECOND, "2m 14s"),
            (11_100 * SECOND, "3h 05m"),
            (183_600 * SECOND, "2d 03h"),
        ];
        for (ns, text) in cases {
            assert_eq!(duration(ns), text, "{ns} ns");
        }
        assert_eq!(column(210 * MILLI), "  0.21s");
        assert!(duration(u64::MAX).ends_with('h'));
    }

    #[test]
    fn numbers_have_commas_and_units() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_000), "1,000");
        assert_eq!(count(u64::MAX), "18,446,744,073,709,551,615");
        assert_eq!(counted(1, "task"), "1 task");
        assert_eq!(counted(1_200, "task"), "1,200 tasks");
        assert_eq!(rate(84.42), "84.4/s");
        assert_eq!(rate(1_430.2), "1,430/s");
        assert_eq!(rate(0.5), "30.0/min");
        assert_eq!(rate(0.001), "3.6/h");
        assert_eq!(rate(f64::NAN), "0/s");
        assert_eq!(bytes(214 << 20), "214.0 MiB");
    }

    #[test]
    fn amounts_and_shares_take_any_number() {
        assert_eq!(amount(812.0), "812");
        assert_eq!(amount(0.5), "0.5");
        assert_eq!(amount(1_234_567_890.0), "1.2G");
        assert_eq!(amount(f64::NAN), "NaN");
        assert_eq!(percent(43.0, 100.0), Some(43));
        assert_eq!(percent(999.0, 1_000.0), Some(99));
        assert_eq!(percent(7.0, 5.0), Some(100));
        assert_eq!(percent(-7.0, 5.0), Some(0));
        assert_eq!(percent(1.0, 0.0), None);
        assert_eq!(percent(f64::INFINITY, 5.0), None);
    }
}
