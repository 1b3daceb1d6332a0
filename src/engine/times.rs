//! How long attempts took.

use hdrhistogram::Histogram;

/// Up to a week, to 1 %.
#[derive(Debug)]
pub(super) struct Times(Histogram<u64>);

const WEEK_NS: u64 = 7 * 24 * 3600 * 1_000_000_000;

impl Times {
    pub(super) fn new() -> Self {
        Times(
            Histogram::new_with_bounds(1, WEEK_NS, 2).expect("constant bounds that its documentation allows"),
        )
    }

    #[inline]
    pub(super) fn record(&mut self, ns: u64) {
        self.0.saturating_record(ns);
    }

    /// p50, p95, p99 and the largest.
    pub(super) fn quantiles(&self) -> Option<[u64; 4]> {
        let at = |quantile| self.0.value_at_quantile(quantile);
        (!self.0.is_empty()).then(|| [at(0.5), at(0.95), at(0.99), self.0.max()])
    }
}
