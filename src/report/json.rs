//! The report for programs: one JSON object a line, one line an event.
//!
//! Each object has `event` (below) and `time` (RFC 3339, UTC, when it was written). Names are never
//! renamed; fields may be added. Durations are seconds, sizes bytes.
//!
//! | event | fields |
//! |---|---|
//! | `run_started` | `job`, `processes`, `threads`, `seed`, `run` (its id; null without a journal), `resumed` (null for a new run; else `done`, `failed`, `again` (failed ones that are tried again), `left` (to run, or null when that is not known yet), `changes` (sentences)) |
//! | `progress` (once a second) | `known`, `more`, `done` (with `skipped`), `failed`, `skipped`, `retrying`, `running`, `duplicates`, `elapsed`, `before` (of `done` and `failed`, those of earlier sessions), `before_elapsed` |
//! | `task_started` | `id`, `name`, `attempt`, `worker` |
//! | `task_progress` | those, `done`, `total` or null, `message` or null |
//! | `task_finished` (once it is kept) | those of `task_started`, `elapsed` |
//! | `task_failed` | those, `error`: `code`, `message`, `location`, `traceback`, `retryable` (the last three may be null) |
//! | `task_retry` | those of `task_failed` (of the attempt that failed), `attempts` (in all, at most), `next` (until the next one) |
//! | `task_slow` | those of `task_started`, `elapsed` (so far; once an attempt) |
//! | `worker_started` | `worker`, `pid` |
//! | `worker_exited` | `worker`, `pid`, `unexpected` (in words, or null), `suspects` |
//! | `worker_recycled` | `worker`, `why` (in words: `after 1,000 tasks`) |
//! | `handler_raised` (`on_error = "log"`) | `role`, those of `task_started`, `error` |
//! | `log` | `level` (`debug` `print` `info` `warn` `error`), `from`, `text`, `fields` (an object), `task` (its id), `attempt`, `worker` (each null where there is none) |
//! | `stopping` | `cause`, `message`, `running` |
//! | `run_finished` | those of `progress`, `retried` (of `done`), `handler_raised`, `not_started`, `stopped` (null, or `cause` and `message`), `latency` (null, or `p50` `p95` `p99` `max`), `cpu_seconds`, `peak_rss_bytes`, `crashes`, `output` (null, or `path` and `rows`), `finish` (text or null), `metrics` (a list: `name`, `labels`, `kind`; a `counter` has `value` and `per_second`, a `gauge` `value` `min` `max`, a `rate` `value` (the share) `true` `count`, a `trend` `count` `mean` `min` `p50` `p95` `p99` `max`) |
//!
//! `cause` is one of `signal`, `max_fail`, `deadline`, `aborted`, `broken`, `empty`, `changed`, `unwritable`, `bug`. Numbers that JSON has not are null.

use std::io::{self, Write};

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::model::event::{Counts, Event, Level, LogLine, Summary, TaskLabel};
use crate::model::{Failure, StopCause};
use crate::report::Listener;
use crate::report::human::location;
use crate::report::metrics;

const SECOND: u64 = 1_000_000_000;

/// Writes for programs.
pub struct Json<W> {
    out: W,
    progress_ns: u64,
    next_progress_ns: u64,
    /// How often the handler raised.
    raised: u64,
}

impl<W: Write> Json<W> {
    /// Writes to `out`, which should not block for ever.
    pub fn new(out: W) -> Self {
        Json::with_progress(out, SECOND)
    }

    /// With so much time between two lines of counters.
    pub(super) fn with_progress(out: W, progress_ns: u64) -> Self {
        Json { out, progress_ns, next_progress_ns: 0, raised: 0 }
    }

    /// What it writes to.
    pub(super) fn out(&self) -> &W {
        &self.out
    }

    /// Whether enough time has gone since the last counters.
    fn due(&mut self, counts: &Counts) -> bool {
        let due = counts.elapsed_ns >= self.next_progress_ns;
        if due {
            self.next_progress_ns = counts.elapsed_ns.saturating_add(self.progress_ns);
        }
        due
    }
}

impl<W: Write> Listener for Json<W> {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        if let Event::Progress(counts) = event
            && !self.due(counts)
        {
            return Ok(());
        }
        self.raised += u64::from(matches!(event, Event::HandlerRaised { .. }));
        let (name, fields) = object(event, self.raised);
        let mut whole = json!({ "event": name, "time": Timestamp::now().to_string() });
        merge(&mut whole, fields);
        self.out.write_all(line(&whole).as_bytes())
    }

    fn tick(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// JSON leaves DEL and the control characters above it as they are; a terminal would obey them.
fn line(value: &Value) -> String {
    let text = value.to_string();
    let mut line = String::with_capacity(text.len() + 1);
    for c in text.chars() {
        // They occur in strings only, where an escape means the same.
        if c.is_control() { line.push_str(&format!("\\u{:04x}", c as u32)) } else { line.push(c) }
    }
    line.push('\n');
    line
}

fn object(event: &Event, raised: u64) -> (&'static str, Value) {
    match event {
        Event::RunStarted { job, processes, threads, coroutines, seed, run, resumed } => {
            let resumed = resumed.as_ref().map(|resumed| {
                json!({
                    "done": resumed.done, "failed": resumed.failed, "again": resumed.again, "left": resumed.left,
                    "changes": resumed.changes,
                })
            });
            let started = json!({
                "job": job, "processes": processes, "threads": threads, "coroutines": coroutines, "seed": seed,
                "run": run, "resumed": resumed,
            });
            ("run_started", started)
        }
        Event::Progress(counts) => ("progress", counters(counts)),
        Event::TaskStarted(task) => ("task_started", label(task)),
        Event::TaskFinished { task, elapsed_ns } => {
            ("task_finished", with(label(task), json!({ "elapsed": seconds(*elapsed_ns) })))
        }
        Event::TaskFailed { task, elapsed_ns, failure } => {
            let how = json!({ "elapsed": seconds(*elapsed_ns), "error": error(failure) });
            ("task_failed", with(label(task), how))
        }
        Event::TaskRetry { task, elapsed_ns, failure, attempts, next_ns } => {
            let how = json!({
                "elapsed": seconds(*elapsed_ns), "error": error(failure), "attempts": attempts, "next": seconds(*next_ns),
            });
            ("task_retry", with(label(task), how))
        }
        Event::TaskSlow { task, elapsed_ns, holds_thread } => {
            let how = json!({ "elapsed": seconds(*elapsed_ns), "holds_thread": holds_thread });
            ("task_slow", with(label(task), how))
        }
        Event::WorkerRecycled { worker, why } => ("worker_recycled", json!({ "worker": worker, "why": why })),
        Event::TaskProgress { task, done, total, message } => {
            let said = json!({ "done": done, "total": total, "message": message });
            ("task_progress", with(label(task), said))
        }
        Event::HandlerRaised { role, task, failure } => {
            let first = with(json!({ "role": role }), label(task));
            ("handler_raised", with(first, json!({ "error": error(failure) })))
        }
        Event::Log(line) => ("log", log(line)),
        Event::WorkerStarted { worker, pid } => ("worker_started", json!({ "worker": worker, "pid": pid })),
        Event::WorkerExited { worker, pid, unexpected, suspects } => {
            let end = json!({ "worker": worker, "pid": pid, "unexpected": unexpected, "suspects": suspects });
            ("worker_exited", end)
        }
        Event::Stopping { cause: why, running } => {
            ("stopping", with(cause(why), json!({ "running": running })))
        }
        Event::RunFinished(summary) => ("run_finished", finished(summary, raised)),
    }
}

fn label(task: &TaskLabel) -> Value {
    json!({ "id": task.id, "name": task.name, "attempt": task.attempt, "worker": task.worker })
}

fn counters(counts: &Counts) -> Value {
    json!({
        "known": counts.known,
        "more": counts.more,
        "done": counts.done,
        "failed": counts.failed,
        "skipped": counts.skipped,
        "retrying": counts.retrying,
        "running": counts.running,
        "duplicates": counts.duplicates,
        "elapsed": seconds(counts.elapsed_ns),
        "before": counts.before,
        "before_elapsed": seconds(counts.before_ns),
    })
}

fn error(failure: &Failure) -> Value {
    json!({
        "code": failure.code,
        "message": failure.message,
        "location": location::split(failure).0,
        "traceback": failure.traceback,
        "retryable": failure.retryable,
    })
}

fn log(line: &LogLine) -> Value {
    let level = match line.level {
        Level::Debug => "debug",
        Level::Print => "print",
        Level::Info => "info",
        Level::Warn => "warn",
        Level::Error => "error",
    };
    let fields: Map<_, _> =
        line.fields.iter().map(|(key, value)| (key.clone(), Value::from(value.as_str()))).collect();
    let (task, attempt) = line.at.task.as_ref().map(|(task, attempt)| (task, attempt)).unzip();
    json!({
        "level": level, "from": line.from, "text": line.text, "fields": fields, "task": task, "attempt": attempt,
        "worker": line.at.worker,
    })
}

fn cause(cause: &StopCause) -> Value {
    let code = match cause {
        StopCause::Signal(_) => "signal",
        StopCause::MaxFail { .. } => "max_fail",
        StopCause::Empty(_) => "empty",
        StopCause::Changed(_) => "changed",
        StopCause::Deadline(_) => "deadline",
        StopCause::Aborted { .. } => "aborted",
        StopCause::Broken(_) => "broken",
        StopCause::Unwritable(_) => "unwritable",
        StopCause::Bug(_) => "bug",
    };
    json!({ "cause": code, "message": cause.to_string() })
}

fn finished(summary: &Summary, raised: u64) -> Value {
    let latency = summary.times_ns.map(|times| {
        let [p50, p95, p99, max] = times.map(seconds);
        json!({ "p50": p50, "p95": p95, "p99": p99, "max": max })
    });
    let elapsed = seconds(summary.counts.elapsed_ns);
    let output = summary.output.as_ref().map(|(path, rows)| json!({ "path": path, "rows": rows }));
    let rest = json!({
        "retried": summary.again,
        "handler_raised": raised,
        "not_started": summary.not_started,
        "stopped": summary.stopped.as_ref().map(cause),
        "latency": latency,
        "cpu_seconds": summary.cpu_seconds,
        "peak_rss_bytes": summary.peak_rss_bytes,
        "crashes": summary.crashes,
        "output": output,
        "finish": summary.finish,
        "metrics": summary.metrics.iter().map(|one| metrics::json(one, elapsed)).collect::<Vec<_>>(),
    });
    with(counters(&summary.counts), rest)
}

fn seconds(ns: u64) -> f64 {
    ns as f64 / SECOND as f64
}

fn with(mut first: Value, second: Value) -> Value {
    merge(&mut first, second);
    first
}

pub(super) fn merge(first: &mut Value, second: Value) {
    if let (Value::Object(first), Value::Object(second)) = (first, second) {
        first.extend(second);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(events: &[Event]) -> Vec<Value> {
        let mut json = Json::new(Vec::new());
        for event in events {
            json.event(event).expect("a vector takes all");
        }
        json.end().expect("a vector takes all");
        let text = String::from_utf8(json.out).expect("JSON is text");
        assert!(!text.chars().any(|c| c.is_control() && c != '\n'));
        text.lines().map(|line| serde_json::from_str(line).expect("a JSON object a line")).collect()
    }

    /// The fields beyond `event` and `time`.
    fn fields(value: &Value) -> Vec<&str> {
        let keys = value.as_object().expect("an object").keys().map(String::as_str);
        keys.skip(2).collect()
    }

    fn task() -> TaskLabel {
        TaskLabel { id: "37".into(), name: "/p/37".into(), attempt: 2, worker: 3 }
    }

    fn all() -> Vec<Event> {
        let failure = Failure {
            traceback: Some("stack traceback:\n\tcrawl.lua:9: in main chunk".into()),
            ..Failure::new("http_status", "404\u{1b}\u{9b}\u{7f}")
        };
        let log = LogLine {
            level: Level::Info,
            from: "handler".into(),
            text: "hi".into(),
            fields: vec![("a".into(), "1".into())],
            at: crate::model::event::LogPlace { task: Some(("37".into(), 2)), worker: Some(3) },
        };
        let summary = Summary {
            times_ns: Some([1, 2, 3, 4]),
            stopped: Some(StopCause::MaxFail { failed: 7 }),
            output: Some(("out.jsonl".into(), 9)),
            ..Summary::default()
        };
        vec![
            Event::RunStarted {
                job: "crawl".into(),
                processes: 4,
                threads: 2,
                coroutines: 1,
                seed: -1,
                run: None,
                resumed: None,
            },
            Event::Progress(Counts::default()),
            Event::TaskStarted(task()),
            Event::TaskProgress { task: task(), done: f64::NAN, total: None, message: None },
            Event::TaskFinished { task: task(), elapsed_ns: 1_500_000_000 },
            Event::TaskFailed { task: task(), elapsed_ns: 5, failure: failure.clone() },
            Event::WorkerStarted { worker: 1, pid: 7 },
            Event::WorkerExited { worker: 1, pid: 7, unexpected: None, suspects: 0 },
            Event::Log(log),
            Event::Stopping { cause: StopCause::Signal(2), running: 3 },
            Event::TaskRetry {
                task: task(),
                elapsed_ns: 5,
                failure: failure.clone(),
                attempts: 4,
                next_ns: 1_500_000_000,
            },
            Event::TaskSlow { task: task(), elapsed_ns: 60_000_000_000, holds_thread: false },
            Event::WorkerRecycled { worker: 2, why: "after 1,000 tasks".into() },
            Event::HandlerRaised { role: "failed", task: task(), failure },
            Event::RunFinished(Box::new(summary)),
        ]
    }

    #[test]
    fn every_event_has_its_documented_fields() {
        let label = "id name attempt worker";
        let counters =
            "known more done failed skipped retrying running duplicates elapsed before before_elapsed";
        let expected = [
            ("run_started", "job processes threads coroutines seed run resumed".to_owned()),
            ("progress", counters.to_owned()),
            ("task_started", label.to_owned()),
            ("task_progress", format!("{label} done total message")),
            ("task_finished", format!("{label} elapsed")),
            ("task_failed", format!("{label} elapsed error")),
            ("worker_started", "worker pid".to_owned()),
            ("worker_exited", "worker pid unexpected suspects".to_owned()),
            ("log", "level from text fields task attempt worker".to_owned()),
            ("stopping", "cause message running".to_owned()),
            ("task_retry", format!("{label} elapsed error attempts next")),
            ("task_slow", format!("{label} elapsed holds_thread")),
            ("worker_recycled", "worker why".to_owned()),
            ("handler_raised", format!("role {label} error")),
            (
                "run_finished",
                format!(
                    "{counters} retried handler_raised not_started stopped latency cpu_seconds peak_rss_bytes crashes \
                     output finish metrics"
                ),
            ),
        ];
        let told = told(&all());
        assert_eq!(told.len(), expected.len());
        for (value, (name, keys)) in told.iter().zip(expected) {
            assert_eq!(value["event"], name);
            assert!(value["time"].as_str().is_some_and(|time| time.parse::<Timestamp>().is_ok()));
            assert_eq!(fields(value).join(" "), keys, "{name}");
        }
    }

    #[test]
    fn values_arrive_as_they_are() {
        let told = told(&all());
        assert_eq!(told[3]["done"], Value::Null);
        assert_eq!(told[4]["elapsed"], 1.5);
        assert_eq!(told[5]["error"]["message"], "404\u{1b}\u{9b}\u{7f}");
        assert_eq!(told[5]["error"]["location"], "crawl.lua:9");
        assert_eq!(told[8]["fields"]["a"], "1");
        assert_eq!(
            (&told[8]["task"], &told[8]["attempt"], &told[8]["worker"]),
            (&json!("37"), &json!(2), &json!(3))
        );
        assert_eq!((&told[10]["attempts"], &told[10]["next"]), (&json!(4), &json!(1.5)));
        assert_eq!(told[10]["error"]["code"], "http_status");
        assert_eq!(told[11]["elapsed"], 60.0);
        assert_eq!(told[14]["stopped"]["cause"], "max_fail");
        assert_eq!(told[14]["latency"]["max"], 4e-9);
        assert_eq!(told[14]["handler_raised"], 1);
    }

    #[test]
    fn counters_come_once_a_second() {
        let at = |ms: u64| Event::Progress(Counts { elapsed_ns: ms * 1_000_000, ..Counts::default() });
        let events: Vec<_> = (0..50).map(|tick| at(tick * 100)).collect();
        assert_eq!(told(&events).len(), 5);
    }
}
