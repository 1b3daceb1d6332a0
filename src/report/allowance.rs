//! How many lines of a kind may be written: some at once, then one in a while.

use std::time::{Duration, Instant};

/// A bucket of lines.
#[derive(Debug)]
pub(super) struct Allowance {
    burst: f64,
    each: Duration,
    left: f64,
    refilled: Option<Instant>,
}

impl Allowance {
    /// `burst` lines at once, and one more each time that `each` has passed.
    pub(super) fn new(burst: u32, each: Duration) -> Self {
        let burst = f64::from(burst);
        Allowance { burst, each, left: burst, refilled: None }
    }

    /// Whether one more may be written now.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let passed = self.refilled.map_or(Duration::ZERO, |then| now.saturating_duration_since(then));
        self.refilled = Some(now);
        self.left = (self.left + passed.as_secs_f64() / self.each.as_secs_f64()).min(self.burst);
        let may = self.left >= 1.0;
        if may {
            self.left -= 1.0;
        }
        may
    }
}
