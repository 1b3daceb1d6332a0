//! `mpms run`: the path of a task, stop by stop.

use std::error::Error as _;
use std::ffi::OsString;
use std::io::{self, IsTerminal as _};
use std::path::Path;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, unbounded};

use super::exit::Code;
use super::roles::{self, Found};
use super::source::{self, Opened};
use super::{complain, show, surroundings};
use crate::cli::{Color, Format, Progress, RunArgs};
use crate::engine::Config;
use crate::engine::drive::{self, Run};
use crate::handler::{self, Handler};
use crate::lua::frozen::Frozen;
use crate::lua::state::Around;
use crate::lua::std::log::Sinks;
use crate::model::event::{Event, Level, LogLine, Summary};
use crate::model::handling::FromHandler;
use crate::model::{StopCause, Task};
use crate::os::exit::exit_now;
use crate::os::handoff::Handoff;
use crate::os::keeper::{KeeperLink, KeeperOptions};
use crate::os::limits;
use crate::os::signals::{self, Signal, Signals};
use crate::os::wake::wake_pair;
use crate::output::Sink;
use crate::plan::{self, Surroundings};
use crate::plan::{OutputFormat, OutputMode, OutputPlan, OutputTarget, Plan, WorkerBody};
use crate::report::{self, ColorChoice, ProgressStyle, ReportOptions, Verbosity};
use crate::wire::to_worker::{Body, Bounds, ROLE_NS, Setup};

/// How long a signal may go unnoticed before the run has begun.
const SIGNAL_CHECK: Duration = Duration::from_millis(50);
/// Deliveries that may wait for the handler before workers get nothing new.
const HANDLER_BACKLOG: usize = 16 << 10;
/// Lines that may wait for the report before a script in the coordinator waits.
const WAITING_LINES: usize = 10_000;

/// Runs the jobs, one after the other. Stops at the first that cannot be run to its end.
pub fn run(arguments: &RunArgs) -> Code {
    let prepared = surroundings().and_then(|around| {
        signals::ignore_sigpipe()?;
        let signals = Signals::block()?;
        limits::raise_open_files()?;
        Ok((around, signals))
    });
    let (around, signals) = match prepared {
        Ok(prepared) => prepared,
        Err(error) => {
            complain(arguments.color, &format!("the system refuses what every run needs: {error}"), None);
            return Code::State;
        }
    };
    let mut last = Code::Success;
    for job in &arguments.jobs {
        let code = run_one(job, arguments, &around, &signals);
        if !code.goes_on() {
            return code;
        }
        last = if code == Code::Success { last } else { code };
    }
    last
}

/// Everything that is settled before the first fork.
struct Ready {
    plan: Plan,
    found: Found,
    source: Opened,
    sink: Option<Sink>,
}

fn run_one(path: &Path, arguments: &RunArgs, around: &Surroundings, signals: &Signals) -> Code {
    let ready = match prepare_interruptibly(path, arguments, around, signals) {
        Ok(ready) => ready,
        Err(code) => return code,
    };
    match carry_out(ready, path, arguments, signals) {
        Ok(summary) => Code::of(&summary),
        Err(error) => {
            complain(arguments.color, &format!("the run cannot go on: {error}"), None);
            Code::State
        }
    }
}

/// Prepares on a thread of its own: a loop in a script's top-level code, or a standard input that says nothing, must not
/// keep a signal from ending it.
fn prepare_interruptibly(
    path: &Path,
    arguments: &RunArgs,
    around: &Surroundings,
    signals: &Signals,
) -> Result<Ready, Code> {
    std::thread::scope(|scope| {
        let (done, prepared) = bounded(1);
        let preparing = move || {
            let _ = done.send(prepare(path, arguments, around));
        };
        if let Err(error) = std::thread::Builder::new().name("prepare".into()).spawn_scoped(scope, preparing)
        {
            complain(arguments.color, &format!("cannot start a thread: {error}"), None);
            return Err(Code::State);
        }
        loop {
            match prepared.recv_timeout(SIGNAL_CHECK) {
                Ok(prepared) => return prepared,
                Err(RecvTimeoutError::Disconnected) => return Err(Code::Bug),
                Err(RecvTimeoutError::Timeout) => {
                    if let Some(signal) = next_stop(signals) {
                        // nothing has begun, and the thread may never end
                        exit_now(Code::Signal(signal.number()).number());
                    }
                }
            }
        }
    })
}

fn prepare(path: &Path, arguments: &RunArgs, around: &Surroundings) -> Result<Ready, Code> {
    let color = arguments.color;
    let wrong = |found: Vec<_>| {
        show(&found, color);
        Code::Usage
    };
    let mut plan = plan::load(path, &arguments.overrides(), around).map_err(wrong)?;
    if !arguments.quiet && arguments.format == Format::Human {
        show(&plan.warnings, color);
    }
    // relative paths in scripts and patterns are the job's
    if let Err(error) = std::env::set_current_dir(&plan.job.dir) {
        complain(color, &format!("cannot work in the folder {}: {error}", plan.job.dir.display()), None);
        return Err(Code::Usage);
    }
    let found = roles::check(&plan).map_err(wrong)?;
    if !found.handler_roles {
        plan.handler.script = None;
    }
    let to_stdout = |output: &OutputPlan| output.target == OutputTarget::Stdout;
    if arguments.format == Format::Json && plan.output.as_ref().is_some_and(to_stdout) {
        let help = "write results to a file with -o FILE, or leave out --format json";
        complain(color, "results and events cannot both go to standard output", Some(help));
        return Err(Code::Usage);
    }
    if plan.output.is_none() && !found.handler && arguments.format == Format::Human {
        // results that nobody asked for elsewhere go where a person looks
        let (target, name, format) = (OutputTarget::Stdout, plan::STDOUT.to_owned(), OutputFormat::Jsonl);
        plan.output = Some(OutputPlan { target, name, format, fields: None, mode: OutputMode::Append });
    }
    let source = source::open(&plan.tasks, &plan.job).map_err(|error| {
        complain(color, &error.to_string(), None);
        Code::Usage
    })?;
    let sink = plan.output.as_ref().map(Sink::open).transpose().map_err(|error| {
        let why = error.source().map_or_else(String::new, |source| format!(": {source}"));
        complain(color, &format!("{error}{why}"), Some(error.help()));
        Code::State
    })?;
    Ok(Ready { plan, found, source, sink })
}

fn carry_out(ready: Ready, path: &Path, arguments: &RunArgs, signals: &Signals) -> io::Result<Summary> {
    let Ready { plan, found, source, sink } = ready;
    let env: Vec<(OsString, OsString)> =
        plan.job.env.iter().map(|(name, value)| (name.into(), value.into())).collect();
    let keeper = KeeperLink::start(&KeeperOptions { env: env.clone(), ..KeeperOptions::default() })?;

    let (events, heard) = unbounded();
    let rows_on_terminal = io::stdout().is_terminal()
        && plan.output.as_ref().is_some_and(|output| output.target == OutputTarget::Stdout);
    let options = report_options(path, arguments, rows_on_terminal);
    let single_tasks = options.wants_tasks();
    let reporter = report::spawn(options, heard)?;
    let _ = events.send(vec![Event::RunStarted {
        job: plan.job.name.clone(),
        processes: plan.worker.processes,
        threads: plan.worker.threads,
        coroutines: plan.worker.coroutines,
        seed: plan.job.seed,
    }]);

    let (waker, wake) = wake_pair()?;
    let (to_handler, deliveries) = unbounded();
    let (replies, from_handler) = unbounded();
    let desk = Handler {
        job: plan.job.clone(),
        script: plan.handler.script.clone(),
        on_error: plan.handler.on_error,
        tell: Box::new(teller(events.clone())),
        timeout_ns: plan.handler.timeout_ns,
        sink,
        deliveries,
        replies,
        waker: waker.clone(),
    };
    handler::spawn(desk, around("handler", events.clone(), found.frozen.clone()))?;
    let summary = match wait_for_start(&from_handler, signals) {
        Err(cause) => {
            keeper.shutdown()?;
            let summary = Summary { stopped: Some(cause), ..Summary::default() };
            let _ = events.send(vec![Event::RunFinished(Box::new(summary.clone()))]);
            summary
        }
        Ok(first) => {
            let handoff: Handoff<Task, drive::SourceEnd> = Handoff::new(plan.run.queue, waker);
            let around = around("tasks", events.clone(), found.frozen.clone());
            source::spawn(source, plan.tasks.clone(), plan.job.clone(), handoff.clone(), around)?;
            drive::run(Run {
                config: config(&plan),
                setup: setup(&plan, &found),
                env,
                keeper,
                source: handoff,
                to_handler,
                from_handler,
                first,
                wake,
                signals,
                events,
                single_tasks,
            })?
        }
    };
    reporter.join();
    Ok(summary)
}

/// The next signal that asks for an end. There are no workers yet: Ctrl-Z stops this process alone.
fn next_stop(signals: &Signals) -> Option<Signal> {
    loop {
        match signals.next()? {
            Signal::Status => {}
            Signal::Suspend => {
                // one that cannot be stopped goes on
                let _ = signals::suspend();
            }
            signal => return Some(signal),
        }
    }
}

/// Waits for the `start` role, which may open what the first result needs; gives what it put.
fn wait_for_start(from_handler: &Receiver<FromHandler>, signals: &Signals) -> Result<Vec<Task>, StopCause> {
    loop {
        match from_handler.recv_timeout(SIGNAL_CHECK) {
            Ok(FromHandler::Failed(cause)) => return Err(cause),
            Ok(FromHandler::Started { puts }) => return Ok(puts),
            Ok(_) => {}
            Err(RecvTimeoutError::Timeout) => {
                if let Some(signal) = next_stop(signals) {
                    return Err(StopCause::Signal(signal.number()));
                }
            }
            Err(RecvTimeoutError::Disconnected) => {
                return Err(StopCause::Broken("the handler's thread ended before it began".into()));
            }
        }
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
    }
}

fn setup(plan: &Plan, found: &Found) -> Setup {
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

fn report_options(path: &Path, arguments: &RunArgs, rows_on_terminal: bool) -> ReportOptions {
    ReportOptions {
        format: match arguments.format {
            Format::Human => report::Format::Human,
            Format::Json => report::Format::Json,
        },
        progress: match arguments.progress {
            // a bar and rows would write over each other
            Progress::Auto if rows_on_terminal => ProgressStyle::Plain,
            Progress::Auto => ProgressStyle::Auto,
            Progress::Bar => ProgressStyle::Bar,
            Progress::Plain => ProgressStyle::Plain,
            Progress::None => ProgressStyle::None,
        },
        verbosity: match (arguments.quiet, arguments.verbose) {
            (true, _) => Verbosity::Quiet,
            (_, true) => Verbosity::Verbose,
            _ => Verbosity::Normal,
        },
        color: match arguments.color {
            Color::Auto => ColorChoice::Auto,
            Color::Always => ColorChoice::Always,
            Color::Never => ColorChoice::Never,
        },
        command: Some(format!("mpms run {}", path.display())),
    }
}
