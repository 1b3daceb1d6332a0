//! How far long tasks are: lines under the bar, or now and then a line of text.

use std::time::{Duration, Instant};

use crate::model::event::TaskLabel;
use crate::report::allowance::Allowance;
use crate::report::human::clean;
use crate::report::units;

/// Tasks that are followed at once; of more, the oldest is forgotten.
const FOLLOWED: usize = 256;
/// Lines under the bar.
const SHOWN: usize = 3;
/// A task shorter than this is not shown under the bar: it would only flicker.
const LONG: Duration = Duration::from_secs(1);
/// A task that says nothing for so long is shown no more.
const SILENT: Duration = Duration::from_secs(60);
const EVERY: Duration = Duration::from_secs(10);
/// Lines of text at once, and one more each second: a million short tasks do not flood a log.
const BURST: u32 = 20;

/// The tasks that told how far they are.
#[derive(Debug)]
pub(super) struct TaskProgress {
    tasks: Vec<Followed>,
    lines: Allowance,
}

#[derive(Debug)]
struct Followed {
    id: String,
    text: String,
    over: bool,
    quarter: Option<u8>,
    first: Instant,
    last: Instant,
    told: Instant,
}

/// What a task says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Said<'a> {
    pub(super) task: &'a TaskLabel,
    pub(super) done: f64,
    pub(super) total: Option<f64>,
    pub(super) message: Option<&'a str>,
}

impl TaskProgress {
    pub(super) fn new() -> Self {
        TaskProgress { tasks: Vec::new(), lines: Allowance::new(BURST, Duration::from_secs(1)) }
    }

    /// Takes what a task says. A line, when one is due: at each quarter, or ten seconds after the last.
    pub(super) fn observe(&mut self, said: Said<'_>, now: Instant) -> Option<String> {
        let percent = said.total.and_then(|total| units::percent(said.done, total));
        let quarter = percent.map(|percent| percent / 25);
        let at = self.tasks.iter().position(|task| task.id == said.task.id);
        let due = at.is_none_or(|at| {
            let task = &self.tasks[at];
            task.quarter != quarter || now.saturating_duration_since(task.told) >= EVERY
        });
        let at = at.unwrap_or_else(|| self.follow(&said.task.id, now));
        let task = &mut self.tasks[at];
        task.text = text(said, percent);
        task.over = percent == Some(100);
        task.quarter = quarter;
        task.last = now;
        if !due {
            return None;
        }
        task.told = now;
        let line = task.text.clone();
        self.lines.take(now).then_some(line)
    }

    /// Forgets a task that ended.
    pub(super) fn ended(&mut self, id: &str) {
        self.tasks.retain(|task| task.id != id);
    }

    /// The lines under the bar: those that have gone on longest.
    pub(super) fn shown(&mut self, now: Instant) -> Vec<String> {
        self.tasks.retain(|task| now.saturating_duration_since(task.last) < SILENT);
        let long = |task: &&Followed| !task.over && now.saturating_duration_since(task.first) >= LONG;
        self.tasks.iter().filter(long).take(SHOWN).map(|task| task.text.clone()).collect()
    }

    fn follow(&mut self, id: &str, now: Instant) -> usize {
        if self.tasks.len() >= FOLLOWED {
            self.tasks.remove(0);
        }
        self.tasks.push(Followed {
            id: id.to_owned(),
            text: String::new(),
            over: false,
            quarter: None,
            first: now,
            last: now,
            told: now,
        });
        self.tasks.len() - 1
    }
}

/// `copy big.iso  43%  1.2G/2.8G  second half`.
fn text(said: Said<'_>, percent: Option<u8>) -> String {
    let mut text = clean::shortened(&said.task.name, 60);
    if let Some(percent) = percent {
        text.push_str(&format!("  {percent}%"));
    }
    match said.total {
        // The amount would only repeat the percent.
        Some(total) if total == 1.0 || total == 100.0 => {}
        Some(total) => {
            text.push_str(&format!("  {}/{}", units::amount(said.done), units::amount(total)));
        }
        None => text.push_str(&format!("  {}", units::amount(said.done))),
    }
    if let Some(message) = said.message {
        text.push_str("  ");
        text.push_str(&clean::shortened(message, 200));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(id: &str) -> TaskLabel {
        TaskLabel { id: id.into(), name: "copy big.iso".into(), attempt: 1, worker: 1 }
    }

    #[test]
    fn a_line_at_each_quarter_or_after_ten_seconds() {
        let (start, task) = (Instant::now(), label("7"));
        let mut tasks = TaskProgress::new();
        let mut told = Vec::new();
        for second in 0..=100_u32 {
            let said =
                Said { task: &task, done: f64::from(second) * 2.8e7, total: Some(2.8e9), message: None };
            let now = start + Duration::from_millis(u64::from(second) * 200);
            told.extend(tasks.observe(said, now));
        }
        assert_eq!(told.len(), 5, "{told:?}");
        assert_eq!(told[1], "copy big.iso  25%  700M/2.8G");
        let said = Said { task: &task, done: 2.8e9, total: Some(2.8e9), message: Some("ver\u{1b}ify") };
        assert_eq!(tasks.observe(said, start + Duration::from_secs(21)), None);
        let later = tasks.observe(said, start + Duration::from_secs(31));
        assert_eq!(later.as_deref(), Some("copy big.iso  100%  2.8G/2.8G  ver\\x1bify"));
    }

    #[test]
    fn only_long_tasks_are_shown_and_many_short_ones_do_not_flood() {
        let start = Instant::now();
        let mut tasks = TaskProgress::new();
        let mut told = 0;
        for id in 0..1_000 {
            let task = label(&id.to_string());
            let said = Said { task: &task, done: 3.0, total: None, message: None };
            told += usize::from(tasks.observe(said, start).is_some());
        }
        assert_eq!(told, 20);
        assert!(tasks.shown(start).is_empty());
        assert_eq!(tasks.shown(start + LONG), ["copy big.iso  3"; SHOWN]);
        tasks.ended("999");
        assert!(tasks.shown(start + SILENT).is_empty());
    }
}
