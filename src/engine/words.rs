//! Numbers in the sentences that the engine makes.

use bytesize::ByteSize;

/// `250ms`, `10s`, `1m30s`, `2h`: as a manifest says it, to three digits or so.
pub(super) fn duration(ns: u64) -> String {
    let ms = ns / 1_000_000;
    let seconds = ms / 1_000;
    let parts = [(seconds / 3_600, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s")];
    match (ms, seconds) {
        (0, _) => format!("{}µs", ns / 1_000),
        (_, 0) => format!("{ms}ms"),
        (_, 1..10) if !ms.is_multiple_of(1_000) => {
            format!("{}.{:03}", seconds, ms % 1_000).trim_end_matches('0').to_owned() + "s"
        }
        _ => parts.iter().filter(|(n, _)| *n > 0).map(|(n, unit)| format!("{n}{unit}")).collect(),
    }
}

/// `612.4 MiB`.
pub(super) fn size(bytes: u64) -> String {
    ByteSize(bytes).display().iec().to_string()
}

/// `1 task`, `1,200 tasks`.
pub(super) fn count(n: u64, what: &str) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    let plural = if n == 1 { "" } else { "s" };
    format!("{text} {what}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_units_and_commas() {
        let durations =
            [250, 1_500, 5_000, 10_000, 90_000, 7_200_000].map(|ms: u64| duration(ms * 1_000_000));
        assert_eq!(durations, ["250ms", "1.5s", "5s", "10s", "1m30s", "2h"]);
        assert_eq!(
            [1, 20, 1_000, 1_234_567].map(|n| count(n, "task")),
            ["1 task", "20 tasks", "1,000 tasks", "1,234,567 tasks"]
        );
        assert_eq!(size(512 << 20), "512.0 MiB");
    }
}
