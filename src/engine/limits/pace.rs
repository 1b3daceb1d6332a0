//! Starts at a rate, by the generic cell rate algorithm (ITU-T I.371): one number a bucket, no timer, no refilling.

use crate::model::policy::Rate;

/// A rate and how far it may be run ahead of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    interval_ns: u64,
    slack_ns: u64,
}

impl Pace {
    pub(super) fn new(rate: Rate, burst: u32) -> Self {
        // Rounded up: never faster than was said.
        let interval_ns = rate.per_ns.div_ceil(u64::from(rate.count.max(1))).max(1);
        Pace { interval_ns, slack_ns: interval_ns.saturating_mul(u64::from(burst.max(1)) - 1) }
    }

    /// When the next may start. `mark` is when a start would be due if all came evenly, 0 at first.
    pub(super) fn opens_ns(self, mark: u64) -> u64 {
        mark.saturating_sub(self.slack_ns)
    }

    /// The mark after a start.
    pub(super) fn start(self, mark: u64, now_ns: u64) -> u64 {
        mark.max(now_ns).saturating_add(self.interval_ns)
    }

    /// How many may start at once.
    pub(super) fn room(self, mark: u64, now_ns: u64) -> usize {
        let ahead = (now_ns.saturating_add(self.slack_ns)).checked_sub(mark.max(now_ns));
        ahead.map_or(0, |ahead| {
            usize::try_from(ahead / self.interval_ns).unwrap_or(usize::MAX).saturating_add(1)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{prop, proptest};

    /// Times of the starts of whoever tries at each of `tries`.
    fn starts(pace: Pace, tries: impl IntoIterator<Item = u64>) -> Vec<u64> {
        let mut mark = 0;
        let mut starts = Vec::new();
        for now in tries {
            assert_eq!(pace.room(mark, now) > 0, pace.opens_ns(mark) <= now);
            if pace.opens_ns(mark) <= now {
                mark = pace.start(mark, now);
                starts.push(now);
            }
        }
        starts
    }

    #[test]
    fn a_burst_comes_first_and_then_one_an_interval() {
        let pace = Pace::new(Rate { count: 10, per_ns: 1_000 }, 3);
        assert_eq!(starts(pace, (0..=400).flat_map(|now| [now; 4])), [0, 0, 0, 100, 200, 300, 400]);
        assert_eq!(pace.room(0, 5_000), 3);
    }

    #[test]
    fn a_rate_that_does_not_divide_is_kept_from_below() {
        let pace = Pace::new(Rate { count: 3, per_ns: 1_000 }, 1);
        assert_eq!(starts(pace, 0..=1_002), [0, 334, 668, 1_002]);
    }

    proptest! {
        #[test]
        fn no_window_has_more_than_the_burst_and_its_share(
            count in 1..50_u32,
            per_ns in 1..5_000_u64,
            burst in 1..8_u32,
            gaps in prop::collection::vec(0..400_u64, 1..200),
        ) {
            let pace = Pace::new(Rate { count, per_ns }, burst);
            let mut now = 0;
            let tries = gaps.into_iter().map(|gap| { now += gap; now }).collect::<Vec<_>>();
            let starts = starts(pace, tries);
            for (index, first) in starts.iter().enumerate() {
                for (more, last) in starts[index..].iter().enumerate() {
                    let share = (last - first) * u64::from(count) / per_ns;
                    assert!(more as u64 <= u64::from(burst) - 1 + share, "{more} more in {} ns", last - first);
                }
            }
        }
    }
}
