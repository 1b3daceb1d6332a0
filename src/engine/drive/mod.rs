//! The loop that carries the engine's actions out: the only owner of its state, and of the workers' sockets.
//!
//! It waits in one place, for everything: frames and output of workers, news of the keeper, signals, and a wake-up by
//! the source's or the handler's thread.

mod outbound;
mod reporting;
mod seat;
mod stopping;
mod store;
mod watch;

use std::collections::HashMap;
use std::ffi::OsString;
use std::io;
use std::os::fd::AsFd as _;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};

use crate::engine::{Action, Config, Death, Engine, Input, StartFailure, WorkerId};
use crate::model::event::{Event, Level, LogLine, Summary};
use crate::model::handling::{FromHandler, Puts, ToHandler};
use crate::model::{StopCause, Task};
use crate::os::clock::monotonic_ns;
use crate::os::handoff::Handoff;
use crate::os::keeper::{self as os_keeper, KeeperLink, KeeperOptions, KeeperReport};
use crate::os::memory;
use crate::os::poll::{Interest, Poller, Ready};
use crate::os::process::{kill_orphans, stop_descendants};
use crate::os::signals::{self, Signal, Signals};
use crate::os::usage::{self, Usage};
use crate::os::wake::WakeReceiver;
use crate::wire::to_worker::{Setup, put_setup};
use reporting::Reporting;
use seat::Seat;
use stopping::Stopping;
pub use store::Store;
use watch::Watch;

/// The signal that needs no fault of its receiver.
const SIGKILL: i32 = 9;
const WAKE: u64 = 0;
const KEEPER: u64 = 1;
const SIGNALS: u64 = 2;
/// Tokens of a seat's socket and output: this, plus twice its number, plus 1 for the output.
const SEATS: u64 = 16;

/// How often listeners hear of the counters.
const PROGRESS_NS: u64 = 100_000_000;
/// A keeper that is killed is replaced so many times in a run.
const KEEPERS: u32 = 10;

/// How the source ended: well, with the number of tasks that it gave in all (those of earlier sessions and duplicates
/// included), or with a sentence.
pub type SourceEnd = Result<u64, StopCause>;

/// What a run needs besides the engine's settings.
pub struct Run<'a> {
    /// The engine's settings.
    pub config: Config,
    /// What every worker gets first; its number is set for each.
    pub setup: Setup,
    /// For workers and what they start.
    pub env: Vec<(OsString, OsString)>,
    /// The keeper, already started.
    pub keeper: KeeperLink,
    /// Tasks of the source.
    pub source: Handoff<Task, SourceEnd>,
    /// To the handler's thread.
    pub to_handler: Sender<ToHandler>,
    /// From the handler's thread.
    pub from_handler: Receiver<FromHandler>,
    /// Where puts and keys lie that are not in memory.
    pub store: Box<dyn Store>,
    /// What the `start` role has put.
    pub first: Puts,
    /// Woken by both.
    pub wake: WakeReceiver,
    /// The signals of the process.
    pub signals: &'a Signals,
    /// To the reports.
    pub events: Sender<Vec<Event>>,
    /// Whether the reports ask for single tasks.
    pub single_tasks: bool,
}

/// Runs to the end of the run; everything of it is dead then.
///
/// # Errors
/// When the system refuses what the loop cannot do without (polling, a keeper).
pub fn run(mut run: Run<'_>) -> io::Result<Summary> {
    let first = std::mem::take(&mut run.first);
    let mut drive = Drive::new(run)?;
    // before anything of the source: an empty one is no mistake then
    if !first.tasks.is_empty() || !first.stored.is_empty() {
        drive.handled(0, first)?;
    }
    let mut summary = drive.until_finished()?;
    drive.close_handler(&mut summary)?;
    drive.end(summary)
}

struct Drive<'a> {
    engine: Engine,
    actions: Vec<Action>,
    setup: Setup,
    env: Vec<(OsString, OsString)>,
    keeper: KeeperLink,
    keepers: u32,
    /// The keeper names each process by a number of its own; this is the seat.
    processes: HashMap<u32, WorkerId>,
    next_process: u32,
    seats: Vec<Option<Seat>>,
    source: Handoff<Task, SourceEnd>,
    source_open: bool,
    to_handler: Sender<ToHandler>,
    from_handler: Receiver<FromHandler>,
    store: Box<dyn Store>,
    /// What the handler's thread was last told of `known` and `more`.
    told: (u64, bool),
    handler_open: bool,
    handler_failure: Option<StopCause>,
    wake: WakeReceiver,
    signals: &'a Signals,
    poller: Poller,
    reporting: Reporting,
    stopping: Stopping,
    watch: Watch,
    finished: Option<Box<Summary>>,
    used: Usage,
}

impl<'a> Drive<'a> {
    fn new(run: Run<'a>) -> io::Result<Self> {
        let poller = Poller::new()?;
        run.wake.register(&poller, WAKE)?;
        poller.add(run.signals.as_fd(), SIGNALS, Interest::Read)?;
        if let Some(fd) = run.keeper.fd() {
            poller.add(fd, KEEPER, Interest::Read)?;
        }
        let processes = run.config.processes;
        let watch = Watch::new(&run.config);
        Ok(Drive {
            engine: Engine::new(run.config, monotonic_ns()),
            actions: Vec::new(),
            setup: run.setup,
            env: run.env,
            keeper: run.keeper,
            keepers: 1,
            processes: HashMap::new(),
            next_process: 0,
            seats: (0..=processes).map(|_| None).collect(),
            source: run.source,
            source_open: true,
            to_handler: run.to_handler,
            from_handler: run.from_handler,
            store: run.store,
            told: (0, true),
            handler_open: true,
            handler_failure: None,
            wake: run.wake,
            signals: run.signals,
            poller,
            reporting: Reporting::new(run.events, run.single_tasks),
            stopping: Stopping::default(),
            watch,
            finished: None,
            used: Usage::default(),
        })
    }

    fn until_finished(&mut self) -> io::Result<Summary> {
        let mut ready = Vec::new();
        loop {
            self.hear_handler()?;
            self.fetch_stored()?;
            self.hear_source()?;
            self.tick()?;
            self.write_all_seats()?;
            if let Some(summary) = self.finished.take() {
                return Ok(*summary);
            }
            self.sleep(&mut ready)?;
            for one in &ready {
                self.hear(*one)?;
            }
        }
    }

    fn sleep(&mut self, ready: &mut Vec<Ready>) -> io::Result<()> {
        let now = monotonic_ns();
        let overdue = self.stopping.next_ns().filter(|_| self.handler_open);
        let due = [self.engine.next_deadline(), self.reporting.next_ns(), self.watch.next_ns(), overdue];
        let timeout =
            due.into_iter().flatten().min().map(|due| Duration::from_nanos(due.saturating_sub(now)));
        let sleep = self.wake.prepare_sleep();
        let has_work = !self.from_handler.is_empty()
            || self.engine.wants_stored().is_some()
            || (self.source_open && self.engine.wants_tasks() && self.source.has_some());
        let waited = self.poller.wait(ready, if has_work { Some(Duration::ZERO) } else { timeout });
        drop(sleep);
        waited
    }

    fn hear(&mut self, ready: Ready) -> io::Result<()> {
        match ready.token {
            WAKE => Ok(()),
            KEEPER => self.hear_keeper(),
            SIGNALS => self.hear_signals(),
            token => {
                let worker = ((token - SEATS) / 2) as WorkerId;
                if (token - SEATS) % 2 == 1 {
                    let _ = self.hear_output(worker);
                    return Ok(());
                }
                if ready.writable {
                    self.write_seat(worker)?;
                }
                if ready.readable || ready.hangup {
                    self.hear_worker(worker)?;
                }
                Ok(())
            }
        }
    }

    /// One input to the engine, and what follows from it.
    fn step(&mut self, input: Input) -> io::Result<()> {
        let mut actions = std::mem::take(&mut self.actions);
        self.engine.step(monotonic_ns(), input, &mut actions);
        for action in actions.drain(..) {
            self.carry_out(action)?;
        }
        self.actions = actions;
        Ok(())
    }

    fn carry_out(&mut self, action: Action) -> io::Result<()> {
        match action {
            Action::StartWorker { worker } => self.start_worker(worker)?,
            Action::Send { worker, tasks } => self.send(worker, &tasks),
            Action::Recall { worker } => self.say(worker, crate::wire::to_worker::RECALL),
            Action::StopWorker { worker } => self.say(worker, crate::wire::to_worker::STOP),
            Action::KillWorker { worker, .. } => self.kill(worker),
            Action::Deliver(deliveries) => {
                self.reporting.finished(&deliveries);
                self.tell_handler(ToHandler::Deliver(deliveries));
            }
            Action::Remember(tried) => self.tell_handler(ToHandler::Remember(tried)),
            Action::Save(states) => self.tell_handler(ToHandler::Save(states)),
            Action::Flush => self.tell_handler(ToHandler::Flush),
            Action::Report(event) => self.reporting.push(event),
            Action::TellRetry(retry) => {
                if let Some(task) = self.engine.task(retry.task) {
                    self.reporting.retried(task, *retry);
                }
            }
            Action::Finished(summary) => self.finished = Some(summary),
        }
        Ok(())
    }

    /// One that has failed takes nothing; the engine hears of it by `HandlerGone`.
    fn tell_handler(&self, word: ToHandler) {
        let _ = self.to_handler.send(word);
    }

    fn tick(&mut self) -> io::Result<()> {
        let now = monotonic_ns();
        if self.stopping.handler_is_overdue(now) && self.handler_open {
            self.handler_open = false;
            self.step(Input::HandlerGone)?;
        }
        self.watch_workers(now)?;
        if self.engine.next_deadline().is_some_and(|due| due <= now) {
            self.step(Input::Tick)?;
        }
        if self.reporting.next_ns().is_some_and(|due| due <= now) {
            let counts = self.engine.counts();
            self.tell_known(&counts);
            self.reporting.progress(now, counts);
        }
        self.reporting.flush();
        Ok(())
    }

    fn hear_source(&mut self) -> io::Result<()> {
        while self.source_open && self.engine.wants_tasks() {
            let (tasks, end) = self.source.take();
            if tasks.is_empty() && end.is_none() {
                return Ok(());
            }
            self.source_open = end.is_none();
            let (given, fault) = match end {
                Some(Ok(given)) => (Some(given), None),
                Some(Err(StopCause::Empty(_))) if self.engine.counts().known > 0 => (Some(0), None),
                Some(Err(cause)) => (None, Some(cause)),
                None => (None, None),
            };
            if let Some(given) = given {
                self.tell_handler(ToHandler::SourceEnded { given });
            }
            // what came before a fault is good; but were it the last of the source, the run could be complete before
            // it is stopped
            let last = !self.source_open && fault.is_none();
            let known = self.known(&tasks, None)?;
            self.step(Input::Offered { tasks, known, last })?;
            if let Some(cause) = fault {
                self.step(Input::Stop(cause))?;
            }
        }
        Ok(())
    }

    fn hear_handler(&mut self) -> io::Result<()> {
        while let Ok(reply) = self.from_handler.try_recv() {
            match reply {
                FromHandler::Handled { count, puts } => self.handled(count, puts)?,
                FromHandler::Committed { count, seq } => {
                    self.reporting.committed(count);
                    self.step(Input::Committed { count, seq })?;
                }
                FromHandler::Kept { count } => self.step(Input::Kept { count })?,
                FromHandler::Failed(cause) => {
                    self.handler_open = false;
                    self.handler_failure = Some(cause.clone());
                    self.step(Input::Stop(cause))?;
                    self.step(Input::HandlerGone)?;
                }
                FromHandler::Started { .. } | FromHandler::Closed { .. } => {}
            }
        }
        Ok(())
    }

    fn hear_signals(&mut self) -> io::Result<()> {
        while let Some(signal) = self.signals.next() {
            if signal == Signal::Suspend {
                self.pause()?;
            }
            if let Some(cause) = self.stopping.signalled(signal, monotonic_ns()) {
                self.step(Input::Stop(cause))?;
            }
        }
        Ok(())
    }

    /// Stops the run with all its processes until this one is continued. The keeper goes on, and has nothing to do. No
    /// clock of the run counts the pause.
    fn pause(&mut self) -> io::Result<()> {
        let stopped = stop_descendants(self.keeper.pid())?;
        signals::suspend()?;
        for seat in self.seats.iter().flatten() {
            seat.process.slots.tell_pauses();
        }
        drop(stopped);
        Ok(())
    }

    fn hear_keeper(&mut self) -> io::Result<()> {
        while let Some(report) = self.keeper.receive()? {
            match report {
                KeeperReport::Started(process) => {
                    if let Some(worker) = self.processes.get(&process.id).copied() {
                        self.seat_worker(worker, process)?;
                    }
                }
                KeeperReport::ForkFailed { id, error } => {
                    if let Some(worker) = self.processes.remove(&id) {
                        let failure = StartFailure::NoProcess(format!("cannot start a process: {error}"));
                        self.step(Input::WorkerStartFailed { worker, failure })?;
                    }
                }
                KeeperReport::Died { id, death, usage, .. } => {
                    self.add_use(usage);
                    if let Some(worker) = self.processes.remove(&id) {
                        self.worker_died(worker, said(death))?;
                    }
                }
                KeeperReport::Gone { death } => return self.replace_keeper(&death.to_string()),
            }
        }
        Ok(())
    }

    /// The workers of a dead keeper die with it; a new one takes over.
    fn replace_keeper(&mut self, death: &str) -> io::Result<()> {
        if self.keepers == KEEPERS {
            return Err(io::Error::other(format!("the keeper died {KEEPERS} times; the last {death}")));
        }
        kill_orphans()?;
        self.keepers += 1;
        let options = KeeperOptions { env: self.env.clone(), ..KeeperOptions::default() };
        self.keeper = KeeperLink::start(&options)?;
        if let Some(fd) = self.keeper.fd() {
            self.poller.add(fd, KEEPER, Interest::Read)?;
        }
        let mut lost: Vec<WorkerId> = self.processes.drain().map(|(_, worker)| worker).collect();
        lost.sort_unstable();
        for worker in lost {
            if self.seat(worker).is_some() {
                self.worker_died(worker, "was killed with its keeper".into())?;
            } else {
                let failure = StartFailure::NoProcess(format!("the keeper {death}"));
                self.step(Input::WorkerStartFailed { worker, failure })?;
            }
        }
        Ok(())
    }

    fn start_worker(&mut self, worker: WorkerId) -> io::Result<()> {
        self.next_process += 1;
        self.processes.insert(self.next_process, worker);
        let title = format!("mpms: {} worker {worker}", self.setup.job.name);
        let slots = self.setup.threads * self.setup.coroutines;
        self.keeper.request_fork(self.next_process, slots, &title)
    }

    fn seat_worker(&mut self, worker: WorkerId, process: crate::os::keeper::WorkerProcess) -> io::Result<()> {
        let pid = process.pid;
        process.slots.tell_pauses();
        let mut seat = Seat::new(process)?;
        put_setup(seat.outbound(), &Setup { worker, ..self.setup.clone() });
        let token = SEATS + 2 * u64::from(worker);
        self.poller.add(seat.process.socket.as_fd(), token, Interest::Read)?;
        self.poller.add(seat.process.output.as_fd(), token + 1, Interest::Read)?;
        if self.seats.len() <= worker as usize {
            self.seats.resize_with(worker as usize + 1, || None);
        }
        self.seats[worker as usize] = Some(seat);
        self.step(Input::WorkerStarted { worker, pid })
    }

    fn seat(&mut self, worker: WorkerId) -> Option<&mut Seat> {
        self.seats.get_mut(worker as usize)?.as_mut()
    }

    fn add_use(&mut self, usage: Usage) {
        self.used.user += usage.user;
        self.used.system += usage.system;
        self.used.max_rss_bytes = self.used.max_rss_bytes.max(usage.max_rss_bytes);
    }

    /// Lets the handler write what is left and call `finish`; its words go into the summary.
    fn close_handler(&mut self, summary: &mut Summary) -> io::Result<()> {
        self.source.close();
        if !self.handler_open {
            if let Some(failure) = self.handler_failure.take() {
                self.handler_failed(summary, failure);
            }
            return Ok(());
        }
        // the last group keeps it; the clock may not have told it yet
        let counts = summary.counts.clone();
        self.tell_known(&counts);
        let complete = summary.stopped.is_none();
        let last = if complete {
            ToHandler::Finish(Box::new(summary.clone()))
        } else {
            ToHandler::Close(Box::new(summary.clone()))
        };
        let _ = self.to_handler.send(last);
        let mut ready = Vec::new();
        loop {
            match self.from_handler.try_recv() {
                Ok(FromHandler::Closed { finish, output, lost }) => {
                    (summary.finish, summary.output, summary.rows_lost) = (finish, output, lost);
                    return Ok(());
                }
                Ok(FromHandler::Failed(cause)) => {
                    self.handler_failed(summary, cause);
                    return Ok(());
                }
                Ok(_) => continue,
                Err(_) => {}
            }
            if self.stopping.handler_is_overdue(monotonic_ns()) {
                return Ok(());
            }
            self.sleep(&mut ready)?;
            for one in &ready {
                match one.token {
                    SIGNALS => {
                        while let Some(signal) = self.signals.next() {
                            if signal == Signal::Suspend {
                                self.pause()?;
                            }
                            let cause = self.stopping.signalled(signal, monotonic_ns());
                            summary.stopped = summary.stopped.take().or(cause);
                        }
                    }
                    // nothing but the death of the keeper can be news now, and nobody needs it any more
                    KEEPER => while self.keeper.receive()?.is_some() {},
                    _ => {}
                }
            }
            self.tick()?;
        }
    }

    /// The handler's failure is the cause of the stop, or it is told beside it: nobody may believe that all was written.
    fn handler_failed(&mut self, summary: &mut Summary, failure: StopCause) {
        match &summary.stopped {
            Some(first) if *first == failure => {}
            Some(first) if !failure.outweighs(first) => {
                let (level, from, text) = (Level::Error, "handler".into(), failure.to_string());
                self.reporting.push(Event::Log(LogLine { level, from, text, fields: Vec::new() }));
            }
            _ => summary.stopped = Some(failure),
        }
    }

    fn end(mut self, mut summary: Summary) -> io::Result<Summary> {
        self.keeper.shutdown()?;
        self.used.max_rss_bytes = self.used.max_rss_bytes.max(memory::peak_rss_self());
        let own = usage::of_self();
        let cpu = self.used.user + self.used.system + own.user + own.system;
        summary.cpu_seconds = cpu.as_secs_f64();
        summary.peak_rss_bytes = self.used.max_rss_bytes;
        self.reporting.end(summary.clone());
        Ok(summary)
    }
}

fn said(death: os_keeper::Death) -> Death {
    match death {
        os_keeper::Death::Killed { signal, .. } => {
            Death { words: format!("was {death}"), killed: signal == SIGKILL }
        }
        os_keeper::Death::Exited(_) => death.to_string().into(),
    }
}
