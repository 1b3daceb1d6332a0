//! Attempts that are made again, or take long: the first few are shown, the others counted.

use crate::model::Failure;
use crate::model::event::TaskLabel;
use crate::report::allowance::Allowance;
use crate::report::human::failures;
use crate::report::human::groups::{Groups, SHOWN};
use crate::report::human::look::{Look, Tone};
use crate::report::human::{clean, location};
use crate::report::units;
use std::time::{Duration, Instant};

/// Kinds that the end repeats.
const REPEATED: usize = 5;

/// A failed attempt that is not the last.
#[derive(Clone, Copy, Debug)]
pub(super) struct Retry<'a> {
    pub(super) task: &'a TaskLabel,
    pub(super) elapsed_ns: u64,
    pub(super) failure: &'a Failure,
    /// In all, at most.
    pub(super) attempts: u32,
    pub(super) next_ns: u64,
}

/// All retries so far, grouped as failures are.
#[derive(Debug)]
pub(super) struct Retries {
    groups: Groups<String>,
}

impl Retries {
    pub(super) fn new() -> Self {
        Retries { groups: Groups::new() }
    }

    /// Counts one; the line to show now, if any.
    pub(super) fn add(&mut self, look: Look, retry: Retry<'_>) -> String {
        let nth = self.groups.add(failures::kind(retry.failure), || failures::what(retry.failure));
        if nth > SHOWN {
            return String::new();
        }
        let mut lines = look.line(Tone::Warn, "RETRY", &retry.text());
        if nth == SHOWN {
            lines.push_str(&look.dim("(more like this are counted, not shown)"));
        }
        lines
    }

    /// The kinds of which not all were shown, the most frequent first.
    pub(super) fn repeated(&self, look: Look) -> String {
        let groups = self.groups.by_count();
        let counted = groups.iter().filter(|group| group.count > SHOWN).take(REPEATED);
        let lines = counted.map(|group| {
            let text = format!("{}   x{}", group.example, units::count(group.count));
            look.line(Tone::Warn, "RETRY", &text)
        });
        lines.collect()
    }
}

impl Retry<'_> {
    /// `[ 10.00s] /p/52   timeout after 10s, attempt 1/4, next in 1.0s   crawl.lua:9`.
    fn text(&self) -> String {
        let (place, message) = location::split(self.failure);
        let why = clean::shortened(&format!("{} {}", self.failure.code, message.trim_end()), 1_000);
        let next = match self.next_ns {
            0 => "next at once".to_owned(),
            ns => format!("next in {}", units::duration(ns)),
        };
        let mut text = format!(
            "[{}] {}   {}, attempt {}/{}, {next}",
            units::column(self.elapsed_ns),
            clean::shortened(&self.task.name, 100),
            why.trim_end(),
            self.task.attempt,
            self.attempts,
        );
        if let Some(place) = place {
            text.push_str("   ");
            text.push_str(&clean::shortened(place, 200));
        }
        text
    }
}

/// Lines of slow attempts at once, and one more each second.
const BURST: u32 = 10;
const EACH: Duration = Duration::from_secs(1);

/// Attempts that take longer than `slow_timeout`.
#[derive(Debug)]
pub(super) struct Slow {
    allowance: Allowance,
    unseen: u64,
}

impl Slow {
    pub(super) fn new() -> Self {
        Slow { allowance: Allowance::new(BURST, EACH), unseen: 0 }
    }

    /// The line to show now, if any.
    pub(super) fn add(
        &mut self,
        look: Look,
        task: &TaskLabel,
        (elapsed_ns, holds_thread): (u64, bool),
        now: Instant,
    ) -> String {
        if !self.allowance.take(now) {
            self.unseen += 1;
            return String::new();
        }
        let time = format!(">{}", units::column(elapsed_ns).trim_start());
        let name = clean::shortened(&task.name, 100);
        let holds = if holds_thread { "; it computes and holds up its thread" } else { "" };
        let text =
            format!("[{time:>7}] {name}   still running: attempt {}{}{holds}", task.attempt, at(task.worker));
        look.line(Tone::Warn, "SLOW", &text)
    }

    /// How many were not shown.
    pub(super) fn repeated(&self, look: Look) -> String {
        match self.unseen {
            0 => String::new(),
            unseen => {
                let text = format!("and {} of other tasks took long", units::counted(unseen, "attempt"));
                look.line(Tone::Warn, "SLOW", &text)
            }
        }
    }
}

fn at(worker: u32) -> String {
    if worker == 0 { String::new() } else { format!(" in worker {worker}") }
}
