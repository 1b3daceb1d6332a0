//! A worker that answers each task with its arguments, until it misbehaves.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use mpms::model::event::Level;
use mpms::model::outcome::Effects;
use mpms::model::task::{MOST_STATE, TaskOptions};
use mpms::model::{Failure, Handle, Payload, Task, TaskId};
use mpms::os::clock::monotonic_ns;
use mpms::os::exit::exit_now;
use mpms::os::keeper::WorkerSeat;
use mpms::wire::from_worker::{self, Line, Progress};
use mpms::wire::{frame, to_worker, value, varint};

/// What to do wrongly.
pub const SIN: &str = "HOSTILE_SIN";
/// A file that the first sinner makes; whoever finds it is good. Empty: everyone sins.
pub const ONCE: &str = "HOSTILE_ONCE";
/// Set: the first task's slot says that it runs.
pub const BEGUN: &str = "HOSTILE_BEGUN";

/// Messages of a flood that ends.
pub const FLOOD: usize = 300_000;
/// Tasks whose largest states are more than their limit.
const MANY: usize = 300;
/// Bytes of a large result.
pub const LARGE: usize = 48 << 20;

pub fn run(seat: WorkerSeat) -> ! {
    let sin = std::env::var(SIN).expect("a sin");
    let once = std::env::var(ONCE).expect("a file or none");
    let mut worker = Worker { seat, handles: Vec::new(), args: Vec::new(), slow: false };
    let sins =
        once.is_empty() || OpenOptions::new().write(true).create_new(true).open(Path::new(&once)).is_ok();
    let mut sin = sins.then_some(sin);
    if sin.as_deref() == Some("deaf") {
        worker.silence();
    }
    worker.slow = sin.take_if(|sin| sin == "slow").is_some();
    worker.serve(sin)
}

struct Worker {
    seat: WorkerSeat,
    /// Tasks that are not answered yet.
    handles: Vec<Handle>,
    args: Vec<Vec<u8>>,
    slow: bool,
}

impl Worker {
    fn serve(mut self, mut sin: Option<String>) -> ! {
        let mut frames = frame::Reader::default();
        loop {
            let count = self.seat.socket.read(frames.room()).expect("a blocking socket");
            if count == 0 {
                exit_now(0);
            }
            frames.filled(count);
            while let Some((kind, body)) = frames.next().expect("whole frames") {
                match kind {
                    to_worker::TASKS => {
                        self.take(body);
                        // tasks come in one frame or in several
                        if sin.as_deref() == Some("states of all") && self.handles.len() < MANY {
                            continue;
                        }
                        if let Some(sin) = sin.take() {
                            self.sin(&sin);
                        }
                        self.answer();
                    }
                    to_worker::RECALL => self.frame(from_worker::RETURNED, &[]),
                    to_worker::STOP => exit_now(0),
                    _ => {}
                }
            }
        }
    }

    fn take(&mut self, body: &[u8]) {
        let mut at = 0;
        while at < body.len() {
            let task = to_worker::take_task(body, &mut at).expect("a task");
            if self.slow {
                self.seat.slots.slot(0).begin(task.handle.bits(), monotonic_ns());
            }
            self.handles.push(task.handle);
            self.args.push(task.args.to_vec());
        }
    }

    fn answer(&mut self) {
        let mut out = Vec::new();
        for (handle, args) in self.handles.drain(..).zip(self.args.drain(..)) {
            from_worker::put_done(&mut out, handle.bits(), 1_000, &args, None);
        }
        self.frame(from_worker::OUTCOMES, &out);
        self.seat.slots.slot(0).end();
    }

    fn first(&self) -> Handle {
        *self.handles.first().expect("a task")
    }

    /// Answers the first task with these values.
    fn answer_first(&mut self, values: &[u8], effects: Option<&Effects>) {
        let mut out = Vec::new();
        from_worker::put_done(&mut out, self.handles.remove(0).bits(), 1_000, values, effects);
        self.args.remove(0);
        self.frame(from_worker::OUTCOMES, &out);
    }

    fn frame(&self, kind: u8, body: &[u8]) {
        let mut out = Vec::new();
        let at = frame::begin(&mut out, kind);
        out.extend_from_slice(body);
        frame::end(&mut out, at);
        self.write(&out);
    }

    fn write(&self, bytes: &[u8]) {
        if !self.slow {
            return self.write_all(bytes);
        }
        for byte in bytes {
            self.write_all(&[*byte]);
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// A coordinator that hears nothing any more kills; until then this waits.
    fn write_all(&self, bytes: &[u8]) {
        if self.seat.socket.write_all(bytes).is_err() {
            self.silence();
        }
    }

    fn silence(&self) -> ! {
        loop {
            std::thread::sleep(Duration::from_secs(1));
        }
    }

    /// Does not come back where the coordinator must kill.
    fn sin(&mut self, sin: &str) {
        if std::env::var_os(BEGUN).is_some() {
            self.seat.slots.slot(0).begin(self.first().bits(), monotonic_ns());
        }
        let done = |handle: u64| {
            let mut out = Vec::new();
            from_worker::put_done(&mut out, handle, 1, b"", None);
            out
        };
        match sin {
            "length" => self.write(&[0xff; 5]),
            "cut and exit" => {
                self.write(&[100, 0, 0, 0, from_worker::OUTCOMES, 1, 2]);
                exit_now(0);
            }
            "cut and end" => {
                self.write(&[100, 0, 0, 0, from_worker::OUTCOMES, 1, 2]);
                self.seat.socket.shutdown_write().expect("shut down");
            }
            "end" => self.seat.socket.shutdown_write().expect("shut down"),
            "half" => self.write(&[100, 0, 0, 0, from_worker::OUTCOMES, 1, 2]),
            "kind" => self.frame(99, b"?"),
            "foreign" => self.frame(from_worker::OUTCOMES, &done(u64::MAX)),
            "stolen" => {
                // what the other worker holds: the handles are dense, so that one of these is
                let own = self.handles.clone();
                for near in 1..64 {
                    for bits in [self.first().bits() + near, self.first().bits().saturating_sub(near)] {
                        if bits > 0 && own.iter().all(|handle| handle.bits() != bits) {
                            self.frame(from_worker::OUTCOMES, &done(bits));
                        }
                    }
                }
            }
            "double" => {
                let again = done(self.first().bits());
                self.answer_first(b"", None);
                self.frame(from_worker::OUTCOMES, &again);
            }
            "double in one" => {
                let again = done(self.first().bits());
                self.frame(from_worker::OUTCOMES, &[again.clone(), again].concat());
            }
            "returned" => self.frame(from_worker::RETURNED, &u64::MAX.to_le_bytes()),
            "unasked" => self.frame(from_worker::RETURNED, &self.first().bits().to_le_bytes()),
            "garbage" => {
                let mut state = 0x9e37_79b9_u32;
                let garbage: Vec<u8> = (0..100_000)
                    .map(|_| {
                        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                        state.to_be_bytes()[0]
                    })
                    .collect();
                self.write(&garbage);
            }
            "garbled bodies" => {
                for kind in 16..=24 {
                    self.frame(kind, &[0xff; 40]);
                }
            }
            "state of another" => {
                let mut out = Vec::new();
                from_worker::put_saved(&mut out, Handle::new(u64::MAX).expect("not 0"), &[7]);
                self.write(&out);
            }
            "state of an ended task" => {
                let mut out = Vec::new();
                from_worker::put_saved(&mut out, self.first(), &[7]);
                self.answer_first(b"", None);
                self.write(&out);
            }
            "folder of another" => self.frame(from_worker::HOUSED, &u64::MAX.to_le_bytes()),
            "huge state" => self.state(&large_text(MOST_STATE)),
            "largest state" => self.state(&large_text(LARGE)),
            "cut state" => self.state(&[0x83, b'a']),
            "two values" => self.state(&[7, 7]),
            "state of announced elements" => self.state(&[0xc6, 0x80, 0xad, 0xe2, 0x04]),
            "states" => return (0..FLOOD).for_each(|_| self.state(&large_text(100))),
            "large states" => return (0..2_000).for_each(|_| self.state(&large_text(MOST_STATE - 10))),
            "states of all" => {
                for task in self.handles.clone() {
                    let mut out = Vec::new();
                    from_worker::put_saved(&mut out, task, &large_text(MOST_STATE - 10));
                    from_worker::put_housed(&mut out, task);
                    self.write(&out);
                }
                return;
            }
            "cancels" => {
                let cancels = (0..FLOOD as u128).collect();
                return self.answer_first(b"", Some(&Effects { cancels, ..Effects::default() }));
            }
            "cancels announced" => {
                let mut body = Vec::new();
                from_worker::put_done(&mut body, self.first().bits(), 1, b"", Some(&Effects::default()));
                body.truncate(body.len() - 1);
                varint::put(&mut body, 1 << 40);
                self.frame(from_worker::OUTCOMES, &body);
            }
            "broken" => {
                let mut out = Vec::new();
                from_worker::put_broken(&mut out, &Failure::new("load", "it is broken"));
                self.write(&out.repeat(1_000));
            }
            "deep" => return self.answer_first(&nested(1_000_000), None),
            "many announced" => {
                return self
                    .answer_first(&[0xc6, 0x80, 0xad, 0xe2, 0x04, 0xc6, 0x80, 0xad, 0xe2, 0x04], None);
            }
            "large" => return self.answer_first(&vec![7; LARGE], None),
            "puts" => {
                let put = |n: u64| Task::plain(TaskId::ROOT, Payload::copy_from(&n.to_le_bytes()));
                let puts = (0..FLOOD as u64).map(put).collect();
                return self.answer_first(b"", Some(&Effects { puts, ..Effects::default() }));
            }
            "keyed puts" => {
                let put = |key: &[u8]| {
                    let options = TaskOptions { key: Some(key.into()), ..TaskOptions::default() };
                    let options = Some(Box::new(options));
                    Task { id: TaskId::ROOT, args: Payload::copy_from(&[1, 7]), options }
                };
                let puts = [&b"a"[..], b"b", b"a", b"c"].map(put).into();
                return self.answer_first(b"", Some(&Effects { puts, ..Effects::default() }));
            }
            "bombs put" => {
                let put = |args: &[u8]| Task::plain(TaskId::ROOT, Payload::copy_from(args));
                let puts = vec![put(&nested(1_000_000)), put(&[1, 0xc6, 0x80, 0xad, 0xe2, 0x04])];
                return self.answer_first(b"", Some(&Effects { puts, ..Effects::default() }));
            }
            "puts of nothing" => self.puts_of_nothing(),
            "fields" => self.line_of_fields(),
            "logs" => return (0..FLOOD).for_each(|_| self.log(100)),
            "long lines" => return (0..100).for_each(|_| self.log(8 << 20)),
            "progress" => return (0..FLOOD).for_each(|_| self.progress(100)),
            "long progress" => return (0..100).for_each(|_| self.progress(8 << 20)),
            "loaded" => {
                for n in 0..FLOOD {
                    let mut out = Vec::new();
                    from_worker::put_loaded(&mut out, Path::new(&format!("/{n:0200}")), n as u128);
                    self.write(&out);
                }
            }
            "output" => return (0..100).for_each(|_| print(&vec![0xff; 1 << 20])),
            "logs without end" => loop {
                self.log(100);
            },
            "progress without end" => loop {
                self.progress(100);
            },
            "output without end" => loop {
                print(&[b'x'; 1 << 16]);
            },
            other => panic!("an unknown sin: {other}"),
        }
        self.silence()
    }

    fn state(&self, state: &[u8]) {
        let mut out = Vec::new();
        from_worker::put_saved(&mut out, self.first(), state);
        self.write(&out);
    }

    fn log(&self, length: usize) {
        let line = Line {
            task: self.handles.first().copied(),
            level: Level::Info,
            text: "x".repeat(length),
            fields: Vec::new(),
        };
        let mut out = Vec::new();
        from_worker::put_line(&mut out, &line);
        self.write(&out);
    }

    fn progress(&self, length: usize) {
        let message = Some("x".repeat(length));
        let mut out = Vec::new();
        let progress = Progress { task: self.first(), done: 1.0, total: None, message };
        from_worker::put_progress(&mut out, &progress);
        self.write(&out);
    }

    /// As many puts as fit into the largest frame, two bytes each.
    fn puts_of_nothing(&self) {
        let mut body = Vec::new();
        from_worker::put_done(&mut body, self.first().bits(), 1, b"", Some(&Effects::default()));
        body.truncate(body.len() - 3);
        let count = (64 << 20) / 2;
        varint::put(&mut body, count);
        body.resize(body.len() + 2 * count as usize, 0);
        // no rows and no cancels
        body.extend([0, 0]);
        self.frame(from_worker::OUTCOMES, &body);
    }

    /// As many fields as fit into the largest frame, two bytes each.
    fn line_of_fields(&self) {
        let mut body = vec![0; 8];
        body.extend_from_slice(&[2, 0]);
        let count = (64 << 20) / 2;
        varint::put(&mut body, count);
        body.resize(body.len() + 2 * count as usize, 0);
        self.frame(from_worker::LOG, &body);
    }
}

/// The code of a string.
fn large_text(length: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    value::encode_bytes(&mut bytes, &vec![b'x'; length]);
    bytes
}

/// A list of one value: arrays of one, in each other.
fn nested(depth: usize) -> Vec<u8> {
    let mut bytes = vec![1];
    bytes.extend([0xc6, 1].repeat(depth));
    bytes.push(mpms::wire::value::NIL);
    bytes
}

fn print(bytes: &[u8]) {
    let _ = std::io::stdout().write_all(bytes);
    let _ = std::io::stdout().flush();
}
