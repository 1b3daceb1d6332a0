//! Progress where no bar can be: one counter line in ten seconds.

use std::time::{Duration, Instant};

const EVERY: Duration = Duration::from_secs(10);

/// When the next counter line is due.
#[derive(Debug)]
pub(super) struct Plain {
    last: Instant,
}

impl Plain {
    pub(super) fn new(now: Instant) -> Self {
        Plain { last: now }
    }

    /// Whether to write a line now; the first is due ten seconds after the start.
    pub(super) fn due(&mut self, now: Instant) -> bool {
        let due = now.saturating_duration_since(self.last) >= EVERY;
        if due {
            self.last = now;
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_comes_after_ten_seconds_and_then_one_in_ten() {
        let start = Instant::now();
        let mut plain = Plain::new(start);
        let due = (0..=400).filter(|tick| plain.due(start + Duration::from_millis(100 * tick)));
        assert_eq!(due.collect::<Vec<_>>(), [100, 200, 300, 400]);
    }
}
