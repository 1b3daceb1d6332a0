//! A run of the real loop with hostile workers.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, unbounded};
use mpms::engine::drive::{self, Run, SourceEnd, Store};
use mpms::engine::{Config, Ends};
use mpms::model::event::{Event, LogLine, Summary};
use mpms::model::handling::{Cancel, FromHandler, Puts, ToHandler};
use mpms::model::job::Job;
use mpms::model::outcome::Effects;
use mpms::model::policy::{Recycle, Retries, Times};
use mpms::model::task::PutBy;
use mpms::model::{Payload, Seq, StopCause, Task, TaskId, Value, Verdict};
use mpms::os::exit::exit_now;
use mpms::os::handoff::Handoff;
use mpms::os::keeper::{KeeperLink, KeeperOptions};
use mpms::os::memory;
use mpms::os::signals::{Signal, Signals};
use mpms::os::wake::{Waker, wake_pair};
use mpms::wire::to_worker::{Body, Bounds, Setup};
use nix::sys::signal::kill;
use nix::unistd::Pid;

use crate::worker::{BEGUN, ONCE, SIN};

/// A case that takes longer hangs.
const OUTER_LIMIT: Duration = Duration::from_secs(60);
/// How long a worker that is silent in the midst of its tasks is borne here.
pub const ROLE_NS: u64 = 400_000_000;

/// Ends the program when a case hangs.
pub struct OuterLimit(mpsc::Sender<()>, thread::JoinHandle<()>);

impl OuterLimit {
    pub fn begin(name: &str) -> Self {
        let (ended, waits) = mpsc::channel();
        let name = name.to_owned();
        let thread = thread::spawn(move || {
            if waits.recv_timeout(OUTER_LIMIT) == Err(mpsc::RecvTimeoutError::Timeout) {
                hangs(&name);
            }
        });
        OuterLimit(ended, thread)
    }

    pub fn end(self) {
        drop(self.0);
        self.1.join().expect("the limit");
    }
}

#[expect(clippy::print_stderr, reason = "the last words of a test program")]
fn hangs(name: &str) -> ! {
    eprintln!("case {name} hangs");
    exit_now(1)
}

/// How a run is set up.
pub struct Scene {
    pub sin: &'static str,
    pub tasks: u64,
    /// Every process sins, not only the first.
    pub always: bool,
    /// The sinner says that its first task runs.
    pub begun: bool,
    /// Bytes of a task's arguments beside its number.
    pub padding: usize,
    /// Nobody reads the events before the run is over.
    pub reports_stand_still: bool,
    pub processes: usize,
    /// Tasks that a process runs at once, as far as the engine knows.
    pub slots: usize,
    /// SIGINT after this long.
    pub interrupt: Option<Duration>,
}

impl Scene {
    pub fn of(sin: &'static str) -> Self {
        Scene {
            sin,
            tasks: 400,
            always: false,
            begun: false,
            padding: 0,
            reports_stand_still: false,
            processes: 2,
            slots: 2,
            interrupt: None,
        }
    }
}

/// What came of it.
pub struct Seen {
    pub summary: Summary,
    /// How often each task came to the handler, and whether it failed the last time.
    pub delivered: HashMap<TaskId, (u32, bool)>,
    /// Deaths in words that nobody asked for.
    pub deaths: Vec<String>,
    pub lines: Vec<LogLine>,
    pub progress: usize,
    /// Bytes of the largest result.
    pub largest: usize,
    /// By how much the peak of this process rose, in bytes.
    pub growth: u64,
}

impl Scene {
    pub fn play(&self, signals: &Signals) -> Seen {
        while signals.next().is_some() {}
        let folder = tempfile::tempdir().expect("a folder");
        let once = if self.always { PathBuf::new() } else { folder.path().join("sinned") };
        let mut env: Vec<(OsString, OsString)> =
            vec![(SIN.into(), self.sin.into()), (ONCE.into(), once.into())];
        if self.begun {
            env.push((BEGUN.into(), "1".into()));
        }
        let keeper = KeeperLink::start(&KeeperOptions { env: env.clone(), ..KeeperOptions::default() })
            .expect("a keeper");
        let (events, heard) = unbounded();
        let listener = (!self.reports_stand_still).then(|| {
            let heard = heard.clone();
            thread::spawn(move || listen(&heard))
        });
        let (waker, wake) = wake_pair().expect("eventfd");
        let (to_handler, deliveries) = unbounded();
        let (replies, from_handler) = unbounded();
        let handler = {
            let waker = waker.clone();
            thread::spawn(move || handle(&deliveries, &replies, &waker))
        };
        let source: Handoff<Task, SourceEnd> = Handoff::new(100, waker);
        let producer = {
            let (source, tasks, padding) = (source.clone(), self.tasks, self.padding);
            thread::spawn(move || produce(&source, tasks, padding))
        };
        if let Some(after) = self.interrupt {
            thread::spawn(move || {
                thread::sleep(after);
                let native = nix::sys::signal::Signal::try_from(Signal::Interrupt.number()).expect("SIGINT");
                kill(Pid::this(), native).expect("a signal to myself");
            });
        }
        let before = reset_peak();
        let run = Run {
            config: self.config(),
            setup: setup(),
            env,
            keeper,
            source,
            to_handler,
            from_handler,
            store: Box::new(Ahead::default()),
            first: Puts::default(),
            wake,
            signals,
            events,
            single_tasks: true,
            metrics: std::sync::Arc::default(),
        };
        let summary = drive::run(run).expect("the loop goes on");
        let growth = peak().saturating_sub(before);
        producer.join().expect("the source");
        let (delivered, largest) = handler.join().expect("the handler");
        let (deaths, lines, progress) = match listener {
            Some(listener) => listener.join().expect("the reports"),
            None => listen(&heard),
        };
        Seen { summary, delivered, deaths, lines, progress, largest, growth }
    }

    fn config(&self) -> Config {
        Config {
            processes: self.processes,
            threads: self.slots,
            crash_limit: 1,
            ordered: false,
            queue: 1_000,
            max_fail: None,
            deadline_ns: None,
            retries: Retries::default(),
            times: Times { timeout_ns: None, grace_ns: 300_000_000, slow_ns: u64::MAX },
            recycle: Recycle::default(),
            limits: Vec::new(),
            handler_backlog: 1_000,
            before: Ends::default(),
            before_ns: 0,
            pending: Vec::new(),
            tried: HashMap::new(),
            keeps_states: true,
            states: Vec::new(),
            dirs: Vec::new(),
        }
    }
}

/// A journal that is ahead of the engine: it has the key of each task that was put, with the place of the first one,
/// before the engine asks for it. No task lies anywhere but in memory.
#[derive(Default)]
struct Ahead(HashMap<u128, Seq>);

impl Store for Ahead {
    fn known(&mut self, keys: &[(u128, Option<Seq>)], known: &mut Vec<bool>) -> Result<(), StopCause> {
        known.extend(keys.iter().map(|(key, seq)| match seq {
            Some(seq) => self.0.entry(*key).or_insert(*seq) != seq,
            None => true,
        }));
        Ok(())
    }

    fn fetch(&mut self, _: i32, _: u64, _: u64, _: usize, _: &mut Vec<(Seq, Task)>) -> Result<(), StopCause> {
        Ok(())
    }
}

fn setup() -> Setup {
    let job = Job {
        name: "hostile".into(),
        description: String::new(),
        manifest: "/hostile.toml".into(),
        dir: "/".into(),
        seed: 1,
        params: Value::Map(Vec::new()),
        meta: Value::Map(Vec::new()),
        env: Vec::new(),
        lua_path: None,
    };
    let bounds = Bounds { role_ns: ROLE_NS, ..Bounds::default() };
    let body = Body::Command(Vec::new());
    Setup {
        job,
        body,
        worker: 0,
        threads: 2,
        coroutines: 1,
        process_roles: false,
        secrets: Vec::new(),
        dirs: "/nowhere".into(),
        frozen: Vec::new(),
        bounds,
    }
}

fn produce(source: &Handoff<Task, SourceEnd>, tasks: u64, padding: usize) {
    for n in 1..=tasks {
        let mut args = vec![1, mpms::wire::value::BYTES];
        mpms::wire::varint::put(&mut args, padding as u64);
        args.resize(args.len() + padding, b'p');
        if source.push(Task::plain(TaskId::at(n), Payload::copy_from(&args))).is_err() {
            return;
        }
    }
    source.end(Ok(tasks));
}

/// Counts what is delivered; what a worker put becomes tasks.
fn handle(
    deliveries: &Receiver<ToHandler>,
    replies: &Sender<FromHandler>,
    waker: &Waker,
) -> (HashMap<TaskId, (u32, bool)>, usize) {
    let (mut delivered, mut largest, mut last) = (HashMap::new(), 0, 0);
    for word in deliveries {
        let batch = match word {
            ToHandler::Deliver(batch) => batch,
            ToHandler::Finish(_) | ToHandler::Close(_) => break,
            _ => continue,
        };
        let (count, mut puts, mut cancels) = (batch.len(), Vec::new(), Vec::new());
        for delivery in batch {
            let seen: &mut (u32, bool) = delivered.entry(delivery.id).or_default();
            *seen = (seen.0 + 1, matches!(delivery.verdict, Verdict::Failed(_)));
            if let Verdict::Done(done) = delivery.verdict {
                largest = largest.max(done.values.len());
                let Effects { puts: of_worker, cancels: keys, .. } = *done.effects.unwrap_or_default();
                cancels.extend(keys.into_iter().map(|key| Cancel { key, after: last }));
                puts.extend((0..).zip(of_worker).map(|(n, put)| {
                    let id = TaskId::child(delivery.id, PutBy::Worker, n);
                    Task { id, ..put }
                }));
            }
        }
        // the others have no place, so that the engine keeps all of them in memory
        let first = puts.iter().any(|put| put.key().is_some()).then(|| Seq::new(last + 1)).flatten();
        last += puts.len() as u64;
        let puts = Puts { first, tasks: puts, cancels, ..Puts::default() };
        let _ = replies.send(FromHandler::Handled { count, puts });
        let _ = replies.send(FromHandler::Committed { count, seq: 0 });
        waker.wake();
    }
    let _ = replies.send(FromHandler::Closed { finish: None, output: None, lost: 0 });
    waker.wake();
    (delivered, largest)
}

fn listen(heard: &Receiver<Vec<Event>>) -> (Vec<String>, Vec<LogLine>, usize) {
    let (mut deaths, mut lines, mut progress) = (Vec::new(), Vec::new(), 0);
    for event in heard.iter().flatten() {
        match event {
            Event::WorkerExited { unexpected: Some(words), .. } => deaths.push(words),
            Event::Log(line) if lines.len() < 100 || line.from == "mpms" => lines.push(line),
            Event::TaskProgress { .. } => progress += 1,
            Event::RunFinished(_) => break,
            _ => {}
        }
    }
    (deaths, lines, progress)
}

/// From now on the peak is that of now: the resident size.
fn reset_peak() -> u64 {
    std::fs::write("/proc/self/clear_refs", "5").expect("proc");
    memory::rss(Pid::this().as_raw()).expect("proc")
}

fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("proc");
    let words = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    words.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") << 10
}
