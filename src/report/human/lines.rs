//! One event, one line (or a few).

use crate::model::StopCause;
use crate::model::event::{Level, LogLine, Resumed};
use crate::report::human::clean;
use crate::report::human::look::{Look, Tone};
use crate::report::units;

/// `Resuming crawl run 7f3a: 812 done, 2 failed, 388 to run`, and what has changed.
pub(super) fn resumed(look: Look, job: &str, run: Option<&str>, resumed: &Resumed) -> String {
    let Resumed { done, failed, again, left, changes } = resumed;
    let mut parts = vec![format!("{} done", units::count(*done))];
    if *failed > 0 {
        parts.push(format!("{} failed", units::count(*failed)));
    }
    if *again > 0 {
        parts.push(format!("{} failed to run again", units::count(*again)));
    }
    if let Some(left) = left {
        parts.push(format!("{} to run", units::count(*left)));
    }
    let name = run.map_or_else(|| clean::line(job), |run| format!("{} run {run}", clean::line(job)));
    let mut text = look.line(Tone::Good, "Resuming", &format!("{name}: {}", parts.join(", ")));
    for change in changes {
        text.push_str(&look.line(Tone::Warn, "Changed", &clean::line(change)));
    }
    if !changes.is_empty() {
        text.push_str(&look.under("--strict refuses what has changed, --restart begins anew"));
    }
    text
}

/// `Running crawl  4 processes × 2 threads · run 7f3a · seed 0`, with the coroutines of each thread where there are some.
pub(super) fn run_started(
    look: Look,
    job: &str,
    processes: usize,
    each: [usize; 2],
    run: Option<&str>,
    seed: i64,
) -> String {
    let [threads, coroutines] = each;
    let processes = if processes == 1 { "1 process".into() } else { format!("{processes} processes") };
    let threads = units::counted(threads as u64, "thread");
    let coroutines = match coroutines {
        1 => String::new(),
        count => format!(" × {}", units::counted(count as u64, "coroutine")),
    };
    let run = run.map(|run| format!(" · run {run}")).unwrap_or_default();
    let text = format!("{}  {processes} × {threads}{coroutines}{run} · seed {seed}", clean::line(job));
    look.line(Tone::Good, "Running", &text)
}

/// `INFO handler: message  key=value`.
pub(super) fn log(look: Look, line: &LogLine) -> String {
    let (tone, word) = match line.level {
        Level::Debug => (Tone::Note, "DEBUG"),
        Level::Print => (Tone::Note, "PRINT"),
        Level::Info => (Tone::Note, "INFO"),
        Level::Warn => (Tone::Warn, "WARN"),
        Level::Error => (Tone::Bad, "ERROR"),
    };
    let mut text = format!("{}: {}", clean::shortened(&line.from, 60), line.text);
    for (at, (key, value)) in line.fields.iter().enumerate() {
        text.push_str(if at == 0 { "  " } else { " " });
        text.push_str(&format!("{key}={value}"));
    }
    look.line(tone, word, &clean::line(&text))
}

/// `Stopping… interrupted: 256 running tasks may still end (Ctrl-C again: end now)`.
pub(super) fn stopping(look: Look, cause: &StopCause, running: u64) -> String {
    let again = match cause {
        StopCause::Signal(2) => " (Ctrl-C again: end now)",
        _ => "",
    };
    let cause = cause.to_string();
    let mut reason = clean::lines(&cause);
    let first = reason.next().unwrap_or_default();
    let running = units::counted(running, "running task");
    let mut text = look.line(Tone::Warn, "Stopping…", &format!("{first}: {running} may still end{again}"));
    text.extend(reason.map(|line| look.under(&line)));
    text
}

/// `Worker 3 (pid 41214) started`.
pub(super) fn worker_started(look: Look, worker: u32, pid: i32) -> String {
    look.line(Tone::Note, "Worker", &format!("{worker} (pid {pid}) started"))
}

/// `RECYCLED worker 2 after 1,000 tasks`.
pub(super) fn worker_recycled(look: Look, worker: u32, why: &str) -> String {
    look.line(Tone::Note, "RECYCLED", &format!("worker {worker} {}", clean::line(why)))
}

/// `CRASH worker 3 (pid 41214) killed by signal 9 (SIGKILL); 10 tasks start again`.
pub(super) fn crash(look: Look, worker: u32, pid: i32, how: &str, suspects: usize) -> String {
    let again = match suspects {
        0 => "no task was running".to_owned(),
        1 => "1 task starts again".to_owned(),
        n => format!("{} tasks start again", units::count(n as u64)),
    };
    let text = format!("worker {worker} (pid {pid}) {}; {again}", clean::line(how));
    look.line(Tone::Bad, "CRASH", &text)
}
