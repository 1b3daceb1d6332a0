//! Rate and remaining time from the last counters, and the line of text made of them.

use std::collections::VecDeque;

use crate::model::event::Counts;
use crate::report::units;

const SECOND: u64 = 1_000_000_000;
/// The rate is that of the last ten seconds: steady to read, and soon true again after a change.
const WINDOW: u64 = 10 * SECOND;

/// The counters of the last ten seconds.
#[derive(Debug, Default)]
pub(super) struct Speed {
    /// Moment and number of tasks that had ended, at most some ten a second.
    marks: VecDeque<(u64, u64)>,
    now: Counts,
}

impl Speed {
    /// Takes the next counters.
    pub(super) fn observe(&mut self, counts: &Counts) {
        let at = counts.elapsed_ns;
        if self.marks.back().is_none_or(|&(last, _)| at >= last.saturating_add(SECOND / 10)) {
            self.marks.push_back((at, ended(counts)));
        }
        while self.marks.len() > 2 && self.marks[1].0.saturating_add(WINDOW) <= at {
            self.marks.pop_front();
        }
        self.now = counts.clone();
    }

    /// Tasks a second that ended, once it can be told.
    pub(super) fn per_second(&self) -> Option<f64> {
        let &(since, before) = self.marks.front()?;
        let span = self.now.elapsed_ns.checked_sub(since).filter(|&span| span >= SECOND / 2)?;
        Some(ended(&self.now).saturating_sub(before) as f64 / (span as f64 / SECOND as f64))
    }

    /// The share that has ended, when the total is known.
    pub(super) fn fraction(&self) -> Option<f64> {
        let known = !self.now.more && self.now.known > 0;
        known.then(|| (ended(&self.now) as f64 / self.now.known as f64).min(1.0))
    }

    /// `812/1,200  68% · 143/s · eta 2.7s · 256 running · 1 failed`.
    pub(super) fn text(&self) -> String {
        let counts = &self.now;
        if counts.known == 0 {
            return "starting".into();
        }
        let mut text = format!("{}/{}", units::count(ended(counts)), units::count(counts.known));
        if counts.more {
            text.push('+');
        } else if let Some(percent) = units::percent(ended(counts) as f64, counts.known as f64) {
            text.push_str(&format!("  {percent}%"));
        }
        let rate = self.per_second();
        if let Some(rate) = rate {
            text.push_str(&format!(" · {}", units::rate(rate)));
        }
        if let Some(left) = rate.and_then(|rate| self.remaining(rate)) {
            text.push_str(&format!(" · eta {}", units::duration(left)));
        }
        text.push_str(&format!(" · {} running", units::count(counts.running)));
        if counts.retrying > 0 {
            text.push_str(&format!(" · {} retrying", units::count(counts.retrying)));
        }
        if counts.skipped > 0 {
            text.push_str(&format!(" · {} skipped", units::count(counts.skipped)));
        }
        if counts.failed > 0 {
            text.push_str(&format!(" · {} failed", units::count(counts.failed)));
        }
        text
    }

    fn remaining(&self, rate: f64) -> Option<u64> {
        let left = self.now.known.saturating_sub(ended(&self.now));
        let told = !self.now.more && left > 0 && rate > 0.0;
        // A float too large saturates.
        told.then(|| (left as f64 / rate * SECOND as f64) as u64)
    }
}

fn ended(counts: &Counts) -> u64 {
    counts.done.saturating_add(counts.failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(seconds: u64, done: u64, more: bool) -> Counts {
        let elapsed_ns = seconds * SECOND;
        Counts { known: 1_200, more, done, failed: 1, running: 256, elapsed_ns, ..Counts::default() }
    }

    #[test]
    fn the_rate_is_that_of_the_last_seconds() {
        let mut speed = Speed::default();
        for second in 0..=60 {
            speed.observe(&counts(second, if second < 50 { 0 } else { (second - 50) * 80 }, false));
        }
        assert_eq!(speed.text(), "801/1,200  66% · 80.0/s · eta 5.0s · 256 running · 1 failed");
        assert_eq!(speed.fraction(), Some(801.0 / 1_200.0));
    }

    #[test]
    fn what_waits_and_what_was_skipped_is_told() {
        let mut speed = Speed::default();
        speed.observe(&Counts { retrying: 2, skipped: 1_300, ..counts(0, 800, true) });
        assert_eq!(speed.text(), "801/1,200+ · 256 running · 2 retrying · 1,300 skipped · 1 failed");
    }

    #[test]
    fn an_unknown_total_has_no_percent_and_no_eta() {
        let mut speed = Speed::default();
        assert_eq!(speed.text(), "starting");
        speed.observe(&counts(0, 0, true));
        speed.observe(&counts(1, 811, true));
        assert_eq!(speed.text(), "812/1,200+ · 811/s · 256 running · 1 failed");
        assert_eq!(speed.fraction(), None);
    }
}
