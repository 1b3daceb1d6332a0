//! A run from its first fork to its end.

use std::collections::HashMap;
use std::ffi::OsString;
use std::io::{self, IsTerminal as _};
use std::path::Path;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};

use super::dirs::Dirs;
use super::known::{Left, unwritable};
use super::order::Order;
use super::prepare::{Folder, Ready, is_piped};
use super::roles::Found;
use super::source::{self, Checked, Thread};
use super::{note, run};
use crate::cli::{Color, Display, Format, Progress};
use crate::engine::drive::{self, Run, Store};
use crate::engine::{Config, Ends};
use crate::handler::{self, Handler};
use crate::journal::{Past, Reader};
use crate::lua::frozen::Frozen;
use crate::lua::state::Around;
use crate::lua::std::log::Sinks;
use crate::model::event::{Counts, Event, Level, LogLine, Summary};
use crate::model::handling::{FromHandler, Puts};
use crate::model::{Seq, StopCause, Task};
use crate::os::handoff::Handoff;
use crate::os::keeper::{KeeperLink, KeeperOptions};
use crate::os::signals::Signals;
use crate::os::wake::wake_pair;
use crate::plan::{OutputTarget, Plan, WorkerBody};
use crate::report::events::EventsFile;
use crate::report::{self, ColorChoice, Listener, ProgressStyle, ReportOptions, Verbosity};
use crate::wire::to_worker::{Body, Bounds, ROLE_NS, Setup};

/// How long a signal may go unnoticed before the run has begun.
const SIGNAL_CHECK: Duration = Duration::from_millis(50);
/// How long workers wait for the source of a resumed run to turn out to be the same.
const CHECK_SOURCE: Duration = Duration::from_secs(2);
/// Deliveries that may wait for the handler before workers get nothing new.
const HANDLER_BACKLOG: usize = 16 << 10;
/// Lines that may wait for the report before a script in the coordinator waits.
const WAITING_LINES: usize = 10_000;

/// Runs what is ready.
///
/// # Errors
/// When the system refuses what a run cannot do without.
pub fn carry_out(ready: Ready, order: &Order, cwd: &Path, signals: &Signals) -> io::Result<Summary> {
    let Ready { plan, found, source, sink, journal, kept, past, resumed, joblog } = ready;
    let env: Vec<(OsString, OsString)> =
        plan.job.env.iter().map(|(name, value)| (name.into(), value.into())).collect();
    let keeper = KeeperLink::start(&KeeperOptions { env: env.clone(), ..KeeperOptions::default() })?;

    let (events, heard) = unbounded();
    let rows_on_terminal = io::stdout().is_terminal()
        && plan.output.as_ref().is_some_and(|output| output.target == OutputTarget::Stdout);
    let options = report_options(order, kept.as_ref(), cwd, rows_on_terminal);
    let single_tasks = options.wants_tasks() || joblog.is_some();
    let mut others: Vec<(&'static str, Box<dyn Listener + Send>)> = Vec::new();
    if let Some(joblog) = joblog {
        others.push(("the joblog", Box::new(joblog)));
    }
    if let Some(folder) = &kept {
        match EventsFile::open(&folder.dir.path) {
            Ok(file) => others.push((report::events::NAME, Box::new(file))),
            Err(error) => {
                note(&order.display, "Warning", &format!("events of this run are not kept: {error}"))
            }
        }
    }
    let reporter = report::spawn(options, others, heard)?;
    let is_resumed = resumed.is_some();
    let id = journal.id().map(str::to_owned);
    let _ = events.send(vec![Event::RunStarted {
        job: plan.job.name.clone(),
        processes: plan.worker.processes,
        threads: plan.worker.threads,
        coroutines: plan.worker.coroutines,
        seed: plan.job.seed,
        run: id.clone(),
        resumed,
    }]);

    let (waker, wake) = wake_pair()?;
    let handoff: Handoff<Task, drive::SourceEnd> = Handoff::new(plan.run.queue, waker.clone());
    let mut config = config(&plan);
    let dirs = Dirs::of(kept.as_ref());
    (config.dirs, config.keeps_states) = (dirs.there(), kept.is_some());
    let known_count = past.as_ref().map_or(0, |past| past.known_count);
    let (left, past) = apart(past, &plan, id.as_deref(), &mut config);
    let source_around = around("tasks", events.clone(), found.frozen.clone());
    let thread = Thread {
        plan: plan.tasks.clone(),
        job: plan.job.clone(),
        handoff: handoff.clone(),
        room: plan.run.queue,
        left,
    };
    let begin_source = || source::spawn(source, thread, source_around);
    // the source of a resumed run speaks before anything of the job runs again
    let (checked, begin_later) = if is_resumed {
        (wait_for_check(&begin_source()?, signals), None)
    } else {
        (Ok(()), Some(begin_source))
    };

    let (writer, reader) = journal.split();
    let (to_handler, deliveries) = unbounded();
    let (replies, from_handler) = unbounded();
    let first = match checked {
        Err(cause) => Err(cause),
        Ok(()) => {
            let desk = Handler {
                job: plan.job.clone(),
                script: plan.handler.script.clone(),
                on_error: plan.handler.on_error,
                tell: Box::new(teller(events.clone())),
                timeout_ns: plan.handler.timeout_ns,
                sink,
                writer,
                past,
                dirs: dirs.path().to_owned(),
                deliveries,
                replies,
                waker,
            };
            handler::spawn(desk, around("handler", events.clone(), found.frozen.clone()))?;
            wait_for_start(&from_handler, signals)
        }
    };
    let summary = match first {
        Err(cause) => {
            keeper.shutdown()?;
            let counts = nothing_more(&config, known_count);
            let summary = Summary { counts, stopped: Some(cause), ..Summary::default() };
            let _ = events.send(vec![Event::RunFinished(Box::new(summary.clone()))]);
            summary
        }
        Ok(first) => {
            if let Some(begin) = begin_later {
                begin()?;
            }
            drive::run(Run {
                config,
                setup: setup(&plan, &found, &dirs),
                env,
                keeper,
                source: handoff,
                to_handler,
                from_handler,
                store: Box::new(InJournal(reader)),
                first,
                wake,
                signals,
                events,
                single_tasks,
            })?
        }
    };
    reporter.join();
    dirs.end(&summary);
    if let Some(Folder { home, .. }) = &kept {
        // what cannot be removed now is tried again after the next run
        let _ = home.prune(plan.run.keep);
    }
    Ok(summary)
}

/// What source, engine and handler must know of earlier sessions, each its part.
fn apart(
    past: Option<Box<Past>>,
    plan: &Plan,
    run: Option<&str>,
    config: &mut Config,
) -> (Left, handler::Past) {
    let Some(past) = past else { return (Left::all(), handler::Past::default()) };
    let past = *past;
    config.before = Ends { done: past.done, skipped: past.skipped, failed: past.failed };
    config.before_ns = past.elapsed_ns;
    config.pending = past.pending;
    config.tried = past.tried.into_iter().collect();
    config.states = past.saved;
    let of_handler = handler::Past {
        meta: past.meta,
        last_seq: past.last_seq,
        started: past.started,
        has_mark: past.output.is_some(),
    };
    (Left::of(past.known, run.unwrap_or_default(), is_piped(plan)), of_handler)
}

/// The counters of a session that ended before it began.
fn nothing_more(config: &Config, known: u64) -> Counts {
    let Ends { done, skipped, failed } = config.before;
    let (before, before_ns) = (done + failed, config.before_ns);
    Counts { known: known.max(before), done, skipped, failed, before, before_ns, ..Counts::default() }
}

/// Waits until the source has given what had ended, has turned out to be another one, or takes long.
fn wait_for_check(checked: &Checked, signals: &Signals) -> Result<(), StopCause> {
    let end = Instant::now() + CHECK_SOURCE;
    loop {
        match checked.recv_timeout(SIGNAL_CHECK) {
            Ok(told) => return told,
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
            Err(RecvTimeoutError::Timeout) if Instant::now() >= end => return Ok(()),
            Err(RecvTimeoutError::Timeout) => {
                if let Some(signal) = run::next_stop(signals) {
                    return Err(StopCause::Signal(signal.number()));
                }
            }
        }
    }
}

/// Waits for the `start` role, which may open what the first result needs; gives what it put.
fn wait_for_start(from_handler: &Receiver<FromHandler>, signals: &Signals) -> Result<Puts, StopCause> {
    loop {
        match from_handler.recv_timeout(SIGNAL_CHECK) {
            Ok(FromHandler::Failed(cause)) => return Err(cause),
            Ok(FromHandler::Started { puts }) => return Ok(puts),
            Ok(_) => {}
            Err(RecvTimeoutError::Timeout) => {
                if let Some(signal) = run::next_stop(signals) {
                    return Err(StopCause::Signal(signal.number()));
                }
            }
            Err(RecvTimeoutError::Disconnected) => {
                return Err(StopCause::Broken("the handler's thread ended before it began".into()));
            }
        }
    }
}

/// What the engine reads of the journal.
struct InJournal(Reader);

impl Store for InJournal {
    fn known(&mut self, keys: &[(u128, Option<Seq>)], known: &mut Vec<bool>) -> Result<(), StopCause> {
        self.0.known(keys, known).map_err(|error| unwritable(&error))
    }

    fn fetch(
        &mut self,
        priority: i32,
        after: u64,
        until: u64,
        at_most: usize,
        tasks: &mut Vec<(Seq, Task)>,
    ) -> Result<(), StopCause> {
        self.0.fetch(priority, after, until, at_most, tasks).map_err(|error| unwritable(&error))
    }
}

fn config(plan: &Plan) -> Config {
    Config {
        processes: plan.worker.processes,
        threads: plan.worker.at_once(),
        crash_limit: plan.worker.crash_limit,
        ordered: plan.handler.ordered,
        queue: plan.run.queue,
        max_fail: plan.run.max_fail,
        deadline_ns: plan.run.deadline_ns,
        retries: plan.worker.retries.clone(),
        times: plan.worker.times,
        recycle: plan.worker.recycle,
        limits: plan.limits.clone(),
        handler_backlog: HANDLER_BACKLOG,
        before: Ends::default(),
        before_ns: 0,
        pending: Vec::new(),
        tried: HashMap::new(),
        keeps_states: false,
        states: Vec::new(),
        dirs: Vec::new(),
    }
}

fn setup(plan: &Plan, found: &Found, dirs: &Dirs) -> Setup {
    Setup {
        job: plan.job.clone(),
        body: match &plan.worker.body {
            WorkerBody::Lua(script) => Body::Lua(script.clone()),
            WorkerBody::Command(argv) => Body::Command(argv.clone()),
        },
        worker: 0,
        threads: plan.worker.threads as u32,
        coroutines: plan.worker.coroutines as u32,
        process_roles: found.process_roles,
        dirs: dirs.path().to_owned(),
        frozen: found.frozen.known(),
        bounds: Bounds {
            timeout_ns: plan.worker.times.timeout_ns,
            grace_ns: plan.worker.times.grace_ns,
            role_ns: plan.worker.times.timeout_ns.map_or(ROLE_NS, |timeout| timeout.max(ROLE_NS)),
            memory: plan.worker.memory,
            max_attempts: plan.worker.retries.count.saturating_add(1),
        },
    }
}

/// Tells the report from a thread that may wait: a script waits when the report is far behind with its lines.
fn teller(events: Sender<Vec<Event>>) -> impl Fn(Event) + Send + 'static {
    move |event| {
        while events.len() > WAITING_LINES {
            std::thread::yield_now();
        }
        let _ = events.send(vec![event]);
    }
}

/// What a state in the coordinator shares.
fn around(
    from: &'static str,
    events: Sender<Vec<Event>>,
    frozen: Frozen,
) -> impl FnOnce() -> Around + Send + 'static {
    move || {
        let tell = teller(events);
        let logs = Sinks::of(move |level, text, fields| {
            // print in the coordinator is for the person who runs the job: there is no failed task to show it with
            let level = if level == Level::Print { Level::Info } else { level };
            let line = LogLine { level, from: from.into(), text: text.to_owned(), fields };
            tell(Event::Log(line));
        });
        Around { logs, frozen }
    }
}

fn report_options(order: &Order, kept: Option<&Folder>, cwd: &Path, rows_on_terminal: bool) -> ReportOptions {
    let Display { quiet, verbose, progress, format, color } = order.display;
    ReportOptions {
        format: match format {
            Format::Human => report::Format::Human,
            Format::Json => report::Format::Json,
        },
        progress: match progress {
            // a bar and rows would write over each other
            Progress::Auto if rows_on_terminal => ProgressStyle::Plain,
            Progress::Auto => ProgressStyle::Auto,
            Progress::Bar => ProgressStyle::Bar,
            Progress::Plain => ProgressStyle::Plain,
            Progress::None => ProgressStyle::None,
        },
        verbosity: match (quiet, verbose) {
            (true, _) => Verbosity::Quiet,
            (_, true) => Verbosity::Verbose,
            _ => Verbosity::Normal,
        },
        color: match color {
            Color::Auto => ColorChoice::Auto,
            Color::Always => ColorChoice::Always,
            Color::Never => ColorChoice::Never,
        },
        command: Some(format!("mpms run {}", order.manifest.display())),
        kept: kept.map(|folder| folder.what_to_type(cwd)),
    }
}
