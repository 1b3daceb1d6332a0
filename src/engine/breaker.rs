//! Workers that cannot start do not start for ever.

use crate::engine::{Engine, WorkerId};
use crate::model::StopCause;

/// Failed starts in a row, in all seats, after which the run stops.
const LIMIT: u32 = 5;
/// Wait before the second start of a seat; doubled for each further one.
const BACKOFF_NS: u64 = 10_000_000;
/// No more doublings than this: 1.28 s.
const DOUBLINGS: u32 = 7;

/// Counts failed starts until a task ends anywhere.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    failures: u32,
}

impl Breaker {
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }
}

impl Engine {
    /// A worker did not come up, or died before it started a task: `how` follows "a worker".
    pub(super) fn count_start_failure(&mut self, worker: WorkerId, how: &str, last_words: Option<&str>) {
        if let Some(seat) = self.seats.get_mut(worker) {
            seat.not_before_ns = self.now_ns + (BACKOFF_NS << seat.failures.min(DOUBLINGS));
            seat.failures += 1;
        }
        self.breaker.failures += 1;
        if self.breaker.failures < LIMIT {
            return;
        }
        let words = last_words.map_or_else(String::new, |words| format!("\n{words}"));
        let count = self.breaker.failures;
        self.stop(StopCause::Broken(format!(
            "workers do not start: {count} in a row ended before their first task, the last one {how}{words}"
        )));
    }
}
