//! The report for people: lines on standard error, and a bar where it is a terminal.

use std::io::{self, Write};
use std::time::Instant;

use crate::model::Failure;
use crate::model::event::{Event, Level, LogLine, Summary, TaskLabel};
use crate::report::bar::{self, Bar};
use crate::report::plain::Plain;
use crate::report::speed::Speed;
use crate::report::task_progress::{Said, TaskProgress};
use crate::report::{Kept, Listener, ReportOptions, Verbosity};

pub mod clean;
mod crashes;
mod failures;
mod groups;
mod lines;
pub(super) mod location;
mod look;
mod next;
mod prints;
mod raised;
mod retries;
mod summary;
#[cfg(test)]
mod tests;

use crashes::Crashes;
use failures::{Failed, Failures};
pub use look::Look;
use look::Tone;
use prints::Prints;
use raised::Raised;
use retries::{Retries, Retry, Slow};

/// Lines that wait for the next tick while a bar is drawn: taking it away for each would flicker.
const WAITING: usize = 16 * 1024;

/// How progress is shown, once it is known what standard error is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    Bar,
    Plain,
    Nothing,
}

enum Progress {
    Bar(Bar),
    Plain(Plain),
    Nothing,
}

/// Writes for people.
pub struct Human {
    out: Box<dyn Write + Send>,
    look: Look,
    verbosity: Verbosity,
    command: Option<String>,
    kept: Option<Kept>,
    /// The id of a durable run.
    run: Option<String>,
    progress: Progress,
    running: bool,
    speed: Speed,
    tasks: TaskProgress,
    failures: Failures,
    retries: Retries,
    slow: Slow,
    raised: Raised,
    crashes: Crashes,
    prints: Prints,
    waiting: String,
}

impl Human {
    pub(super) fn new(out: Box<dyn Write + Send>, look: Look, shown: Shown, options: &ReportOptions) -> Self {
        let quiet = options.verbosity == Verbosity::Quiet;
        Human {
            out,
            look,
            verbosity: options.verbosity,
            command: options.command.clone(),
            kept: options.kept.clone(),
            run: None,
            progress: match shown {
                Shown::Bar if !quiet => Progress::Bar(Bar::on_stderr()),
                Shown::Plain if !quiet => Progress::Plain(Plain::new(Instant::now())),
                _ => Progress::Nothing,
            },
            running: false,
            speed: Speed::default(),
            tasks: TaskProgress::new(),
            failures: Failures::new(),
            retries: Retries::new(),
            slow: Slow::new(),
            raised: Raised::new(),
            crashes: Crashes::new(),
            prints: Prints::default(),
            waiting: String::new(),
        }
    }

    fn at_least(&self, verbosity: Verbosity) -> bool {
        self.verbosity >= verbosity
    }

    /// The lines of one event, now.
    fn lines(&mut self, event: &Event, now: Instant) -> String {
        let look = self.look;
        match event {
            Event::RunStarted { job, processes, threads, coroutines, seed, run, resumed } => {
                self.running = true;
                self.run.clone_from(run);
                let (run, each) = (run.as_deref(), [*threads, *coroutines]);
                self.usual(|| {
                    let resumed = resumed.as_ref().map(|resumed| lines::resumed(look, job, run, resumed));
                    resumed.unwrap_or_default() + &lines::run_started(look, job, *processes, each, run, *seed)
                })
            }
            Event::Progress(counts) => {
                self.speed.observe(counts);
                String::new()
            }
            Event::TaskStarted(_) => String::new(),
            Event::TaskFinished { task, .. } => {
                self.forget(task);
                String::new()
            }
            Event::TaskFailed { task, elapsed_ns, failure } => self.failed(task, *elapsed_ns, failure),
            Event::TaskRetry { task, elapsed_ns, failure, attempts, next_ns } => {
                let (elapsed_ns, attempts, next_ns) = (*elapsed_ns, *attempts, *next_ns);
                self.retry(Retry { task, elapsed_ns, failure, attempts, next_ns })
            }
            Event::TaskSlow { task, elapsed_ns, holds_thread } if self.at_least(Verbosity::Normal) => {
                self.slow.add(look, task, (*elapsed_ns, *holds_thread), now)
            }
            Event::WorkerRecycled { worker, why } if self.at_least(Verbosity::Verbose) => {
                lines::worker_recycled(look, *worker, why)
            }
            Event::TaskSlow { .. } | Event::WorkerRecycled { .. } => String::new(),
            Event::HandlerRaised { role, task, failure } => self.raised.add(look, role, task, failure),
            Event::TaskProgress { task, done, total, message } => {
                let said = Said { task, done: *done, total: *total, message: message.as_deref() };
                self.task_progress(said, now)
            }
            Event::Log(line) => self.log(line),
            Event::WorkerStarted { worker, pid } if self.at_least(Verbosity::Verbose) => {
                lines::worker_started(look, *worker, *pid)
            }
            Event::WorkerStarted { .. } | Event::WorkerExited { unexpected: None, .. } => String::new(),
            Event::WorkerExited { worker, pid, unexpected: Some(how), suspects } => {
                self.crashes.add(how, || lines::crash(look, *worker, *pid, how, *suspects), look)
            }
            Event::Stopping { cause, running } => self.usual(|| lines::stopping(look, cause, *running)),
            Event::RunFinished(summary) => self.finished(summary),
        }
    }

    /// What `-q` leaves out.
    fn usual(&self, lines: impl FnOnce() -> String) -> String {
        if self.at_least(Verbosity::Normal) { lines() } else { String::new() }
    }

    fn log(&mut self, line: &LogLine) -> String {
        let least = match line.level {
            Level::Debug | Level::Print => Verbosity::Verbose,
            Level::Info | Level::Warn => Verbosity::Normal,
            Level::Error => Verbosity::Quiet,
        };
        if self.at_least(least) {
            return lines::log(self.look, line);
        }
        if line.level == Level::Print {
            self.prints.keep(&line.from, clean::shortened(&line.text, 1024));
        }
        String::new()
    }

    fn failed(&mut self, task: &TaskLabel, elapsed_ns: u64, failure: &Failure) -> String {
        let prints = self.forget(task);
        let shown_now = self.at_least(Verbosity::Normal);
        self.failures.add(self.look, &Failed { task, elapsed_ns, failure, prints, shown_now })
    }

    fn retry(&mut self, retry: Retry<'_>) -> String {
        // What it printed belongs to the attempt that failed.
        self.forget(retry.task);
        if self.at_least(Verbosity::Normal) { self.retries.add(self.look, retry) } else { String::new() }
    }

    fn forget(&mut self, task: &TaskLabel) -> Vec<String> {
        self.tasks.ended(&task.id);
        self.prints.take(task)
    }

    fn task_progress(&mut self, said: Said<'_>, now: Instant) -> String {
        match (self.tasks.observe(said, now), &self.progress) {
            (Some(text), Progress::Plain(_)) => self.look.line(Tone::Note, "Working", &text),
            _ => String::new(),
        }
    }

    fn finished(&mut self, summary: &Summary) -> String {
        self.running = false;
        let mut text = if self.at_least(Verbosity::Normal) {
            summary::lines(self.look, summary, self.raised.count(), self.run.as_deref())
        } else {
            summary::headline_if_stopped(self.look, summary, self.run.as_deref())
        };
        let troubles = [
            self.retries.repeated(self.look),
            self.slow.repeated(self.look),
            self.crashes.repeated(self.look),
            self.raised.repeated(self.look),
            self.failures.repeated(self.look),
        ]
        .concat();
        if !troubles.is_empty() && !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&troubles);
        let next = match &self.kept {
            Some(kept) => next::of_kept(kept, summary),
            None => self.command.as_deref().and_then(|command| next::command(command, summary)),
        };
        if let Some(next) = next {
            text.push_str(&self.look.line(Tone::Note, "Next", &next));
        }
        text
    }

    fn tick_at(&mut self, now: Instant) -> io::Result<()> {
        self.write()?;
        if !self.running {
            return Ok(());
        }
        match &mut self.progress {
            Progress::Bar(bar) => {
                let first = bar::drawn(self.speed.fraction()) + &self.speed.text();
                bar.show(first, self.tasks.shown(now));
                Ok(())
            }
            Progress::Plain(plain) => {
                if !plain.due(now) {
                    return Ok(());
                }
                let line = self.look.line(Tone::Note, "Progress", &self.speed.text());
                self.out.write_all(line.as_bytes())
            }
            Progress::Nothing => Ok(()),
        }
    }

    fn write(&mut self) -> io::Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        if let Progress::Bar(bar) = &self.progress {
            bar.hide()?;
        }
        self.out.write_all(self.waiting.as_bytes())?;
        self.waiting.clear();
        Ok(())
    }
}

impl Listener for Human {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        let lines = self.lines(event, Instant::now());
        self.waiting.push_str(&lines);
        let finished = matches!(event, Event::RunFinished(_));
        if let (true, Progress::Bar(bar)) = (finished, &mut self.progress) {
            bar.end();
        }
        let may_wait = matches!(self.progress, Progress::Bar(_)) && self.waiting.len() < WAITING;
        if may_wait && !finished { Ok(()) } else { self.write() }
    }

    fn tick(&mut self) -> io::Result<()> {
        self.tick_at(Instant::now())
    }

    fn end(&mut self) -> io::Result<()> {
        if let Progress::Bar(bar) = &mut self.progress {
            bar.end();
        }
        self.write()?;
        self.out.flush()
    }
}
