//! Tasks that failed: the first few of a kind are shown, the others counted.

use crate::model::Failure;
use crate::model::event::TaskLabel;
use crate::report::human::groups::{Groups, SHOWN, without_numbers};
use crate::report::human::look::{Look, Tone};
use crate::report::human::{clean, location};
use crate::report::units;

/// Kinds that the end repeats.
const REPEATED: usize = 20;
/// Kinds that are shown with traceback and prints.
const DETAILED: usize = 20;
/// Lines of a traceback that are shown, and bytes of each.
const TRACEBACK: usize = 30;
const TRACED: usize = 500;

/// All failures so far, grouped by code, message without its numbers, and place.
#[derive(Debug)]
pub(super) struct Failures {
    groups: Groups<Example>,
}

#[derive(Debug)]
struct Example {
    name: String,
    what: String,
    /// Traceback and prints, unless they were shown when it happened.
    unseen: String,
}

impl Failures {
    pub(super) fn new() -> Self {
        Failures { groups: Groups::new() }
    }

    /// Counts a failure. The lines to show now: nothing when there were enough of its kind.
    pub(super) fn add(&mut self, look: Look, failed: &Failed<'_>) -> String {
        let name = clean::shortened(&failed.task.name, 100);
        let what = what(failed.failure);
        let detailed = self.groups.kinds() < DETAILED;
        let detail = if detailed { failed.detail(look) } else { String::new() };
        let example = || Example {
            name: name.clone(),
            what: what.clone(),
            unseen: if failed.shown_now { String::new() } else { detail.clone() },
        };
        let nth = self.groups.add(kind(failed.failure), example);
        if !failed.shown_now || nth > SHOWN {
            return String::new();
        }
        let text = format!("[{}] {name}   {what}", units::column(failed.elapsed_ns));
        let mut lines = look.line(Tone::Bad, "FAIL", &text);
        if nth == 1 {
            lines.push_str(&detail);
        }
        if nth == SHOWN {
            lines.push_str(&look.dim("(more like this are counted, not shown)"));
        }
        lines
    }

    /// All kinds with their counts, the most frequent first.
    pub(super) fn repeated(&self, look: Look) -> String {
        let groups = self.groups.by_count();
        let mut text = String::new();
        for group in groups.iter().take(REPEATED) {
            let Example { name, what, unseen } = &group.example;
            let line = format!("{name}   {what}   x{}", units::count(group.count));
            text.push_str(&look.line(Tone::Bad, "FAIL", &line));
            text.push_str(unseen);
        }
        let rest: u64 = groups.iter().skip(REPEATED).map(|group| group.count).sum();
        let rest = rest + self.groups.others();
        if rest > 0 {
            text.push_str(&look.dim(&format!("and {} of other kinds", units::counted(rest, "failure"))));
        }
        text
    }
}

/// One failure, with all that can be shown of it.
pub(super) struct Failed<'a> {
    pub(super) task: &'a TaskLabel,
    pub(super) elapsed_ns: u64,
    pub(super) failure: &'a Failure,
    /// Its last lines, clean.
    pub(super) prints: Vec<String>,
    /// Or only at the end.
    pub(super) shown_now: bool,
}

/// What failures have in common that count as one kind.
pub(super) fn kind(failure: &Failure) -> String {
    let (place, message) = location::split(failure);
    let message = clean::shortened(message, 1_000);
    format!("{}\0{}\0{}", failure.code, without_numbers(&message), place.unwrap_or_default())
}

/// `http_status 404   crawl.lua:9`.
pub(super) fn what(failure: &Failure) -> String {
    let (place, message) = location::split(failure);
    let code = failure.code.as_str();
    // `timeout after 10s` names its code already
    let named = message.strip_prefix(code).is_some_and(|rest| rest.starts_with(' '));
    let mut text = clean::line(&if named {
        message.trim_end().to_owned()
    } else {
        format!("{code} {}", message.trim_end())
    });
    if let Some(place) = place {
        text.push_str("   ");
        text.push_str(&clean::shortened(place, 200));
    }
    text
}

/// A traceback, as much of it as helps.
pub(super) fn traced(look: Look, failure: &Failure) -> String {
    let lines = shown_of(failure, failure.traceback.as_deref().unwrap_or_default());
    lines.map(|line| look.dim(&clean::shortened(&line.replace('\t', "  "), TRACED))).collect()
}

impl Failed<'_> {
    fn detail(&self, look: Look) -> String {
        let mut text = traced(look, self.failure);
        if !self.prints.is_empty() {
            text.push_str(&look.dim("printed:"));
            text.extend(self.prints.iter().map(|line| look.dim(&format!("  {line}"))));
        }
        text
    }
}

/// A call chain matters at its innermost, which comes first; what a process wrote, at its end.
fn shown_of<'a>(failure: &Failure, traceback: &'a str) -> impl Iterator<Item = &'a str> {
    let wrote = matches!(failure.code.as_str(), "crashed" | "exit_status");
    let over = traceback.lines().count().saturating_sub(TRACEBACK);
    traceback.lines().skip(if wrote { over } else { 0 }).take(TRACEBACK)
}
