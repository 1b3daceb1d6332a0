//! Durations as people read them.

use std::time::Duration;

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
