//! The last lines: people read the end.

use crate::model::StopCause;
use crate::model::event::{Counts, Summary};
use crate::report::human::clean;
use crate::report::human::look::{Look, Tone};
use crate::report::{metrics, units};

/// Lines of metrics that a person is shown.
const MOST_METRICS: usize = 30;

/// What the run did, in tasks, times and rows; without the failures.
/// `raised`: calls of the handler; `run`: the id of a durable run.
pub(super) fn lines(look: Look, summary: &Summary, raised: u64, run: Option<&str>) -> String {
    let mut text = headline(look, summary, run);
    let mut facts = facts(summary);
    match raised {
        0 => {}
        1 => facts.push("handler raised once".into()),
        times => facts.push(format!("handler raised {} times", units::count(times))),
    }
    if !facts.is_empty() {
        text.push_str(&look.under(&facts.join(" · ")));
    }
    if let Some((path, rows)) = &summary.output {
        let rows = units::counted(*rows, "row");
        text.push_str(&look.line(Tone::Note, "Output", &format!("{}  {rows}", clean::line(path))));
    }
    if let Some(finish) = &summary.finish {
        text.push_str(&block(look, Tone::Note, "Finish", finish));
    }
    text.push_str(&metrics_block(look, summary));
    text
}

fn metrics_block(look: Look, summary: &Summary) -> String {
    let seconds = summary.counts.elapsed_ns as f64 / 1e9;
    let mut lines: Vec<String> =
        summary.metrics.iter().take(MOST_METRICS).map(|one| metrics::line(one, seconds)).collect();
    match summary.metrics.len().saturating_sub(MOST_METRICS) {
        0 => {}
        more => lines.push(format!("and {} more; --format json has all", units::count(more as u64))),
    }
    if lines.is_empty() { String::new() } else { block(look, Tone::Note, "Metrics", &lines.join("\n")) }
}

/// Only that and why it stopped early, for those who want nothing else; nothing for a complete run.
pub(super) fn headline_if_stopped(look: Look, summary: &Summary, run: Option<&str>) -> String {
    if summary.stopped.is_some() { headline(look, summary, run) } else { String::new() }
}

/// `Summary [ 14.2s] 1,200 tasks: 1,193 ok, 5 ok after retry, 2 failed`.
fn headline(look: Look, summary: &Summary, run: Option<&str>) -> String {
    let time = units::duration(summary.counts.elapsed_ns);
    let known = units::counted(summary.counts.known, "task");
    let tasks = format!("[{time:>6}] {known}: {}", outcomes(summary).join(", "));
    let Some(cause) = &summary.stopped else {
        let tone = if summary.counts.failed == 0 { Tone::Good } else { Tone::Bad };
        return look.line(tone, "Summary", &tasks);
    };
    let is_saved = !matches!(cause, StopCause::Unwritable(_) | StopCause::Bug(_) | StopCause::Empty(_));
    let saved = run.filter(|_| is_saved).map(|run| format!(" · state saved (run {run})"));
    let mut text = look.line(Tone::Warn, "Stopped", &(tasks + &saved.unwrap_or_default()));
    text.push_str(&block(look, Tone::Warn, "Cause", &cause.to_string()));
    text
}

fn outcomes(summary: &Summary) -> Vec<String> {
    let counts = &summary.counts;
    let ok = counts.done.saturating_sub(summary.again).saturating_sub(counts.skipped);
    let mut parts = vec![format!("{} ok", units::count(ok))];
    let mut add = |number: u64, what: &str| {
        if number > 0 {
            parts.push(format!("{} {what}", units::count(number)));
        }
    };
    add(summary.again, "ok after retry");
    add(counts.skipped, "skipped");
    add(counts.failed, "failed");
    add(summary.not_started, "not started");
    let accounted = [counts.done, counts.failed, summary.not_started]
        .iter()
        .fold(0, |sum: u64, n| sum.saturating_add(*n));
    add(counts.known.saturating_sub(accounted), "not finished");
    add(counts.duplicates, "duplicates dropped");
    if counts.more && summary.stopped.is_some() {
        parts.push("the source had more".into());
    }
    parts
}

fn facts(summary: &Summary) -> Vec<String> {
    let mut facts = Vec::new();
    let seconds = summary.counts.elapsed_ns as f64 / 1e9;
    let Counts { done, failed, before, .. } = summary.counts;
    let ended = done.saturating_add(failed).saturating_sub(before);
    if seconds > 0.0 {
        facts.push(format!("rate {}", units::rate(ended as f64 / seconds)));
    }
    if let Some(times) = summary.times_ns {
        let [p50, p95, p99, max] = times.map(units::duration);
        facts.push(format!("latency p50 {p50} p95 {p95} p99 {p99} max {max}"));
    }
    if seconds > 0.0 && summary.cpu_seconds > 0.0 {
        facts.push(format!("cpu {:.1} cores", summary.cpu_seconds / seconds));
    }
    if summary.peak_rss_bytes > 0 {
        facts.push(format!("peak memory {}", units::bytes(summary.peak_rss_bytes)));
    }
    if summary.crashes > 0 {
        let plural = if summary.crashes == 1 { "" } else { "es" };
        facts.push(format!("{} worker crash{plural}", units::count(summary.crashes)));
    }
    facts
}

/// A text of one line or more under one word.
fn block(look: Look, tone: Tone, word: &str, text: &str) -> String {
    let mut lines = clean::lines(text);
    let mut block = look.line(tone, word, &lines.next().unwrap_or_default());
    block.extend(lines.map(|line| look.under(&line)));
    block
}
