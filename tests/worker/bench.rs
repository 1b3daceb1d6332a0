//! A coordinator that speaks the wire with one worker.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use mpms::model::job::{Job, Script};
use mpms::model::{Failure, Handle, Outcome, TaskId, Value, Verdict};
use mpms::os::keeper::{KeeperLink, KeeperOptions, KeeperReport, WorkerProcess};
use mpms::os::poll::{Interest, until_ready};
use mpms::wire::from_worker::{self, Line};
use mpms::wire::to_worker::{self, Body, Bounds, Setup, TaskRecord};
use mpms::wire::{frame, value};

/// Of each thread of a worker that [`Bench::start`] starts.
pub static COROUTINES: AtomicU32 = AtomicU32::new(1);

/// Only a hang reaches it.
const HANG: Duration = Duration::from_secs(30);

pub const MS: u64 = 1_000_000;

pub struct Bench {
    link: KeeperLink,
    pub process: WorkerProcess,
    frames: frame::Reader,
    next: u64,
    outcomes: VecDeque<Outcome>,
    pub lines: Vec<Line>,
    pub retired: Vec<String>,
    /// What tasks saved.
    pub states: Vec<(Handle, Option<Vec<u8>>)>,
    /// Tasks that use their folders.
    pub housed: Vec<Handle>,
    pub broken: Option<Failure>,
    ended: bool,
}

/// Where tasks have their folders.
pub fn dirs() -> PathBuf {
    std::env::temp_dir().join(format!("mpms-test-of-workers-{}", std::process::id()))
}

/// `timeout_ns`, and half a second of grace.
pub fn timeout(timeout_ns: u64) -> Bounds {
    Bounds { timeout_ns: Some(timeout_ns), grace_ns: 500 * MS, ..Bounds::default() }
}

impl Bench {
    /// A worker with a script.
    pub fn start(code: &str, threads: u32, bounds: Bounds) -> Self {
        Self::start_with(code, threads, COROUTINES.load(Ordering::Relaxed), bounds)
    }

    /// A worker whose threads drive so many coroutines each.
    pub fn start_with(code: &str, threads: u32, coroutines: u32, bounds: Bounds) -> Self {
        let script =
            Script { name: "test.lua".into(), dir: std::env::temp_dir(), text: code.as_bytes().into() };
        Self::with_body(Body::Lua(script), (threads, coroutines), bounds, code.contains("process_"))
    }

    pub fn with_body(
        body: Body,
        (threads, coroutines): (u32, u32),
        bounds: Bounds,
        process_roles: bool,
    ) -> Self {
        let mut link = KeeperLink::start(&KeeperOptions::default()).expect("a keeper");
        link.request_fork(1, threads * coroutines, "mpms: test worker").expect("request");
        let KeeperReport::Started(process) = report(&mut link) else { panic!("not started") };
        let (params, meta) = (Value::Map(Vec::new()), Value::Map(Vec::new()));
        let job = Job {
            name: "test".into(),
            description: String::new(),
            manifest: PathBuf::from("/test.toml"),
            dir: std::env::temp_dir(),
            seed: 0,
            params,
            meta,
            env: Vec::new(),
            lua_path: None,
        };
        let (secrets, frozen, dirs) = (Vec::new(), Vec::new(), dirs());
        let setup =
            Setup { job, body, worker: 1, threads, coroutines, process_roles, secrets, dirs, frozen, bounds };
        let mut out = Vec::new();
        to_worker::put_setup(&mut out, &setup);
        process.socket.write_all(&out).expect("the worker reads");
        Bench {
            link,
            process,
            frames: frame::Reader::default(),
            next: 1,
            outcomes: VecDeque::new(),
            lines: Vec::new(),
            retired: Vec::new(),
            states: Vec::new(),
            housed: Vec::new(),
            broken: None,
            ended: false,
        }
    }

    /// Sends a task for each list of arguments; the handle of the first, the others follow.
    pub fn send(&mut self, tasks: &[Vec<Value>]) -> u64 {
        let first = self.next;
        let mut out = Vec::new();
        let at = frame::begin(&mut out, to_worker::TASKS);
        for args in tasks {
            self.put(&mut out, args, TaskId::at(self.next), None);
        }
        frame::end(&mut out, at);
        self.process.socket.write_all(&out).expect("the worker reads");
        first
    }

    /// Sends one task with its id, and with what an earlier attempt saved.
    pub fn send_with(&mut self, args: &[Value], id: TaskId, state: Option<&[u8]>) -> u64 {
        let first = self.next;
        let mut out = Vec::new();
        let at = frame::begin(&mut out, to_worker::TASKS);
        self.put(&mut out, args, id, state);
        frame::end(&mut out, at);
        self.process.socket.write_all(&out).expect("the worker reads");
        first
    }

    fn put(&mut self, out: &mut Vec<u8>, args: &[Value], id: TaskId, state: Option<&[u8]>) {
        let args = value::encode_list(args.iter());
        let handle = Handle::new(self.next).expect("not 0");
        to_worker::put_task(out, &TaskRecord { handle, attempt: 1, id, key: None, args: &args, state });
        self.next += 1;
    }

    /// Tells it to finish and end.
    pub fn stop(&self) {
        let mut out = Vec::new();
        let at = frame::begin(&mut out, to_worker::STOP);
        frame::end(&mut out, at);
        self.process.socket.write_all(&out).expect("the worker reads");
    }

    /// The next outcome, or `None` when the worker has ended.
    pub fn outcome(&mut self) -> Option<Outcome> {
        while self.outcomes.is_empty() && !self.ended {
            self.hear();
        }
        self.outcomes.pop_front()
    }

    /// Runs one task to its end.
    pub fn run(&mut self, args: &[Value]) -> Verdict {
        let handle = self.send(&[args.to_vec()]);
        let outcome = self.outcome().unwrap_or_else(|| panic!("the worker ended: {:?}", self.broken));
        assert_eq!(outcome.handle.bits(), handle);
        outcome.verdict
    }

    /// The values that a task named by a word returns.
    pub fn values(&mut self, word: &str) -> Vec<Value> {
        match self.run(&[Value::text(word)]) {
            Verdict::Done(done) => value::decode_list(&done.values).expect("a list"),
            other => panic!("{word}: {other:?}"),
        }
    }

    /// The failure of a task named by a word.
    pub fn failure(&mut self, word: &str) -> Failure {
        match self.run(&[Value::text(word)]) {
            Verdict::Failed(failure) => *failure,
            other => panic!("{word}: {other:?}"),
        }
    }

    /// Reads until the worker has ended; how it died.
    pub fn end(&mut self) -> String {
        while !self.ended {
            self.hear();
        }
        match report(&mut self.link) {
            KeeperReport::Died { death, .. } => death.to_string(),
            other => panic!("not dead: {other:?}"),
        }
    }

    /// Reads until `found` is.
    pub fn hear_until(&mut self, found: impl Fn(&Self) -> bool) {
        while !found(self) {
            assert!(!self.ended, "the worker ended");
            self.hear();
        }
    }

    /// Waits until a task has begun.
    pub fn hear_until_running(&self) {
        wait_until("a task runs", || !self.running().is_empty());
    }

    fn hear(&mut self) {
        let ready = until_ready(&self.process.socket, Interest::Read, Some(HANG)).expect("poll");
        assert!(ready, "nothing after {HANG:?}; running: {:?}", self.running());
        match self.process.socket.read(self.frames.room()) {
            Ok(0) | Err(_) => self.ended = true,
            Ok(count) => self.frames.filled(count),
        }
        while let Some((kind, body)) = self.frames.next().expect("a frame") {
            match kind {
                from_worker::OUTCOMES => {
                    let mut found = Vec::new();
                    from_worker::take_outcomes(body, &mut found).expect("outcomes");
                    self.outcomes.extend(found);
                }
                from_worker::LOG => self.lines.push(from_worker::take_line(body).expect("a line")),
                from_worker::RETIRE => self.retired.push(from_worker::take_retire(body).expect("a reason")),
                from_worker::SAVED => {
                    let (task, state) = from_worker::take_saved(body).expect("a state");
                    self.states.push((task, state.map(<[u8]>::to_vec)));
                }
                from_worker::HOUSED => self.housed.push(from_worker::take_housed(body).expect("a task")),
                from_worker::BROKEN => self.broken = Some(from_worker::take_broken(body).expect("a failure")),
                _ => {}
            }
        }
    }

    pub fn running(&self) -> Vec<u64> {
        self.process.slots.iter().filter_map(|slot| Some(slot.running()?.handle)).collect()
    }
}

fn report(link: &mut KeeperLink) -> KeeperReport {
    loop {
        if let Some(report) = link.receive().expect("receive") {
            return report;
        }
        let fd = link.fd().expect("the keeper is not gone");
        assert!(until_ready(fd, Interest::Read, Some(HANG)).expect("poll"), "no report after {HANG:?}");
    }
}

pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < HANG, "not yet after {HANG:?}: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}
