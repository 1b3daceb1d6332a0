//! A worker process as the loop holds it: its socket, what is to be written, what was read, what it prints.

use std::io::{self, Read as _};
use std::os::fd::AsFd as _;
use std::path::PathBuf;
use std::sync::Arc;

use crate::engine::drive::Drive;
use crate::engine::{Death, Input, StartFailure, WorkerId};
use crate::model::Handle;
use crate::model::event::{Event, Level, LogLine, LogPlace};
use crate::model::metrics::{Figure, Refused};
use crate::model::task::MOST_STATE;
use crate::os::clock::monotonic_ns;
use crate::os::keeper::WorkerProcess;
use crate::os::poll::Interest;
use crate::os::secrets;
use crate::os::slots::Slot;
use crate::wire::from_worker::Line;
use crate::wire::{frame, from_worker};

/// Bytes of what a process prints that are kept for its last words, and the longest line.
const LAST_WORDS: usize = 4 << 10;
/// Lines of them that are told: no more than a person is shown.
const LAST_LINES: usize = 20;
/// Reads of 8 KiB from the pipe of a dead process: a pipe holds 64 KiB unless somebody made it larger.
const MOST_READS: usize = 64;

/// Bytes of a line with its fields, or of words on progress; a longer one is dropped unread. What a task says in one
/// text is cut to 64 KiB by its worker.
const LONGEST_WORDS: usize = 1 << 20;
/// Files that one process may load by `require`, and those of which later workers are told.
const MOST_FILES: usize = 1_000;
const MOST_FROZEN: usize = 10_000;
/// Secrets that one process may fetch.
const MOST_SECRETS: usize = 10_000;
/// Bytes of a metric's name and labels: more than a worker takes from a script.
const LONGEST_KEY: usize = 8 << 10;
/// Reads of a socket that hold whatever was in it: it holds 208 KiB, unless somebody made it larger.
const FIRST_READS: usize = 8;

pub(super) struct Seat {
    pub process: WorkerProcess,
    frames: frame::Reader,
    out: Vec<u8>,
    written: usize,
    wants_room: bool,
    /// At its end, or spoke the wire wrongly: nothing of it is read any more.
    deaf: bool,
    /// When the stream was found at its end, which is also that of the process unless it lives on.
    pub ended_ns: Option<u64>,
    /// Since when it holds tasks of which it neither runs nor answers one.
    pub idle_ns: Option<u64>,
    /// Files that it loaded.
    loaded: usize,
    /// Secrets that it fetched.
    secrets: usize,
    line: Vec<u8>,
    last_words: Vec<u8>,
    /// Of each slot, when the attempt began that was last told to be slow, and when one that holds up its thread began to.
    pub told_slow: Vec<(u64, u64)>,
}

/// What a read found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    Something,
    Nothing,
    /// And nothing will come.
    End,
}

impl Seat {
    pub fn new(process: WorkerProcess) -> io::Result<Self> {
        process.socket.set_nonblocking(true)?;
        Ok(Seat {
            told_slow: vec![(0, 0); process.slots.len()],
            process,
            frames: frame::Reader::default(),
            out: Vec::new(),
            written: 0,
            wants_room: false,
            deaf: false,
            ended_ns: None,
            idle_ns: None,
            loaded: 0,
            secrets: 0,
            line: Vec::new(),
            last_words: Vec::new(),
        })
    }

    /// What will be written to it.
    pub fn outbound(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }

    pub fn has_outbound(&self) -> bool {
        self.written < self.out.len() && !self.wants_room
    }

    fn deafen(&mut self) {
        self.deaf = true;
        self.out = Vec::new();
        self.written = 0;
    }

    /// Writes what there is room for. A worker that is gone reads nothing; its death is told elsewhere.
    fn write(&mut self) -> io::Result<()> {
        while self.written < self.out.len() {
            match self.process.socket.write(&self.out[self.written..]) {
                Ok(count) => self.written += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if is_gone(&error) => {
                    self.ended_ns.get_or_insert_with(monotonic_ns);
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        self.out.clear();
        self.written = 0;
        if self.out.capacity() > 8 * frame::FULL {
            self.out = Vec::new();
        }
        Ok(())
    }
}

/// The end of what a process wrote, in whole lines when it is more than one; nothing when it is blank.
fn last_lines(words: &str) -> Option<String> {
    let lines: Vec<&str> = words.trim().lines().collect();
    let whole = if words.len() < LAST_WORDS || lines.len() < 2 { &lines[..] } else { &lines[1..] };
    let mut text = whole[whole.len().saturating_sub(LAST_LINES)..].join("\n");
    secrets::scrub(&mut text);
    (!text.is_empty()).then_some(text)
}

/// A line that a process wrote, taken out of `line`.
fn printed(worker: WorkerId, line: &mut Vec<u8>) -> Event {
    let text = String::from_utf8_lossy(line).trim_end().to_owned();
    line.clear();
    let from = format!("worker {worker}");
    let at = LogPlace { task: None, worker: Some(worker) };
    Event::Log(LogLine { level: Level::Print, from, text, fields: Vec::new(), at })
}

fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
}

impl Drive<'_> {
    pub(super) fn write_all_seats(&mut self) -> io::Result<()> {
        for worker in 1..self.seats.len() {
            if self.seats[worker].as_ref().is_some_and(Seat::has_outbound) {
                self.write_seat(worker as WorkerId)?;
            }
        }
        Ok(())
    }

    pub(super) fn write_seat(&mut self, worker: WorkerId) -> io::Result<()> {
        let Some(seat) = self.seats.get_mut(worker as usize).and_then(Option::as_mut) else { return Ok(()) };
        if seat.deaf {
            seat.deafen();
            return Ok(());
        }
        seat.write()?;
        let wants_room = seat.written < seat.out.len();
        if wants_room != seat.wants_room {
            seat.wants_room = wants_room;
            let interest = if wants_room { Interest::ReadWrite } else { Interest::Read };
            self.poller.modify(seat.process.socket.as_fd(), token(worker), interest)?;
        }
        Ok(())
    }

    /// Reads once, and takes every whole frame. What follows is read when the poller says so again.
    pub(super) fn hear_worker(&mut self, worker: WorkerId) -> io::Result<()> {
        self.read_once(worker).map(drop)
    }

    fn read_once(&mut self, worker: WorkerId) -> io::Result<Heard> {
        let Some(seat) = self.seats.get_mut(worker as usize).and_then(Option::as_mut) else {
            return Ok(Heard::End);
        };
        if seat.deaf {
            return Ok(Heard::End);
        }
        match seat.process.socket.read(seat.frames.room()) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Heard::Nothing),
            Err(error) if !is_gone(&error) => return Err(error),
            Ok(0) | Err(_) => {
                // its death follows from the keeper; `Watch` sees to it when it does not
                seat.deafen();
                seat.ended_ns.get_or_insert_with(monotonic_ns);
                self.poller.remove(seat.process.socket.as_fd())?;
                return Ok(Heard::End);
            }
            Ok(count) => seat.frames.filled(count),
        }
        // the reader goes out of the seat while its frames are understood
        let mut frames = std::mem::take(&mut seat.frames);
        let violation = loop {
            match frames.next() {
                Ok(Some((kind, body))) => match self.understand(worker, kind, body)? {
                    Ok(()) => {}
                    Err(what) => break Some(what),
                },
                Ok(None) => break None,
                Err(error) => break Some(error.to_string()),
            }
        };
        let Some(seat) = self.seats.get_mut(worker as usize).and_then(Option::as_mut) else {
            return Ok(Heard::End);
        };
        seat.frames = frames;
        let Some(what) = violation else { return Ok(Heard::Something) };
        seat.deafen();
        self.poller.remove(seat.process.socket.as_fd())?;
        self.step(Input::Violation { worker, what })?;
        Ok(Heard::End)
    }

    /// The inner error is a violation, in words.
    fn understand(&mut self, worker: WorkerId, kind: u8, body: &[u8]) -> io::Result<Result<(), String>> {
        let malformed =
            |error: crate::wire::value::Malformed| format!("a frame of kind {kind} cannot be read: {error}");
        if matches!(kind, from_worker::LOG | from_worker::PROGRESS) && body.len() > LONGEST_WORDS {
            self.reporting.drop_line();
            return Ok(Ok(()));
        }
        let input = match kind {
            from_worker::OUTCOMES => {
                let mut outcomes = Vec::new();
                if let Err(error) = from_worker::take_outcomes(body, &mut outcomes) {
                    return Ok(Err(malformed(error)));
                }
                Input::Outcomes { worker, outcomes }
            }
            from_worker::RETURNED => match from_worker::take_handles(body) {
                Ok(handles) => Input::Returned { worker, handles },
                Err(error) => return Ok(Err(malformed(error))),
            },
            from_worker::LOG => match from_worker::take_line(body) {
                Ok(line) => {
                    let Line { task, level, text, fields } = line;
                    let from = self.who(worker, task);
                    let task = task.and_then(|handle| self.engine.task(handle));
                    let task = task.map(|task| (task.id.to_string(), task.attempt));
                    let at = LogPlace { task, worker: Some(worker) };
                    let line = LogLine { level, from, text, fields, at };
                    self.reporting.push(Event::Log(line));
                    return Ok(Ok(()));
                }
                Err(error) => return Ok(Err(malformed(error))),
            },
            from_worker::PROGRESS => match from_worker::take_progress(body) {
                Ok(progress) => {
                    if let Some(task) = self.engine.task(progress.task) {
                        self.reporting.task_progress(task, worker, progress);
                    }
                    return Ok(Ok(()));
                }
                Err(error) => return Ok(Err(malformed(error))),
            },
            from_worker::LOADED => match from_worker::take_loaded(body) {
                Ok((path, hash)) => {
                    let Some(seat) = self.seat(worker) else { return Ok(Ok(())) };
                    seat.loaded += 1;
                    if seat.loaded > MOST_FILES {
                        return Ok(Err(format!("it loaded more than {MOST_FILES} files")));
                    }
                    self.loaded(worker, path, hash);
                    return Ok(Ok(()));
                }
                Err(error) => return Ok(Err(malformed(error))),
            },
            from_worker::METRICS => match from_worker::take_metrics(body) {
                Ok(gathered) => {
                    self.count(worker, gathered);
                    return Ok(Ok(()));
                }
                Err(error) => return Ok(Err(malformed(error))),
            },
            from_worker::SECRET => match from_worker::take_secret(body) {
                Ok(name) => {
                    let Some(seat) = self.seat(worker) else { return Ok(Ok(())) };
                    seat.secrets += 1;
                    if seat.secrets > MOST_SECRETS {
                        return Ok(Err(format!("it fetched more than {MOST_SECRETS} secrets")));
                    }
                    // a worker that has it can hide it, and so can this process, which has the same environment
                    let _ = secrets::fetch(&self.setup.job.env, name);
                    return Ok(Ok(()));
                }
                Err(error) => return Ok(Err(malformed(error))),
            },
            from_worker::SAVED => match from_worker::take_saved(body) {
                Ok((_, Some(state))) if state.len() > MOST_STATE => {
                    let (bytes, most) = (state.len(), MOST_STATE);
                    return Ok(Err(format!("it sent a state of {bytes} bytes; {most} is the most")));
                }
                Ok((task, state)) => Input::Saved { worker, task, state: state.map(Arc::from) },
                Err(error) => return Ok(Err(malformed(error))),
            },
            from_worker::HOUSED => match from_worker::take_housed(body) {
                Ok(task) => Input::Housed { worker, task },
                Err(error) => return Ok(Err(malformed(error))),
            },
            from_worker::RETIRE => match from_worker::take_retire(body) {
                Ok(reason) => Input::Retire { worker, reason },
                Err(error) => return Ok(Err(malformed(error))),
            },
            from_worker::BROKEN => match from_worker::take_broken(body) {
                Ok(failure) => {
                    let at = failure.traceback.as_deref().unwrap_or_default();
                    let at = at.lines().map(|line| format!("\n    {line}")).collect::<String>();
                    let failure = StartFailure::Script(format!("{}{at}", failure.message));
                    Input::WorkerStartFailed { worker, failure }
                }
                Err(error) => return Ok(Err(malformed(error))),
            },
            kind => return Ok(Err(format!("a frame of the unknown kind {kind}"))),
        };
        if matches!(kind, from_worker::OUTCOMES | from_worker::RETURNED)
            && let Some(seat) = self.seat(worker)
        {
            seat.idle_ns = None;
        }
        self.step(input).map(Ok)
    }

    /// Adds what a worker has counted. What there is no room for is dropped, and that is told once.
    fn count(&mut self, worker: WorkerId, gathered: Vec<(String, Figure)>) {
        for (key, figure) in gathered {
            let name = key.split('\0').next().unwrap_or_default();
            let counted =
                if key.len() > LONGEST_KEY { Err(Refused::Full) } else { self.metrics.merge(&key, figure) };
            if let Err(refused) = counted
                && !std::mem::replace(&mut self.told_metrics, true)
            {
                let text = format!("a metric was not counted: `{name}`: {refused}");
                self.reporting.say(Level::Error, format!("worker {worker}"), text);
            }
        }
    }

    /// What a process writes to its output may be a secret that it has just told of: that was said before.
    pub(super) fn hear_secrets(&mut self, worker: WorkerId) -> io::Result<()> {
        for _ in 0..FIRST_READS {
            if self.read_once(worker)? != Heard::Something {
                break;
            }
        }
        Ok(())
    }

    /// Workers that start later are told of the file; one that loaded another text is named.
    fn loaded(&mut self, worker: WorkerId, path: PathBuf, hash: u128) {
        match self.setup.frozen.iter().find(|(known, _)| known.as_os_str() == path.as_os_str()) {
            Some((_, known)) if *known == hash => {}
            Some(_) => {
                let text = format!(
                    "{} was changed while the run goes on, and this worker loaded it later",
                    path.display()
                );
                let from = format!("worker {worker}");
                self.reporting.say(Level::Warn, from, text);
            }
            None if self.setup.frozen.len() < MOST_FROZEN => self.setup.frozen.push((path, hash)),
            None => {}
        }
    }

    fn who(&self, worker: WorkerId, task: Option<Handle>) -> String {
        match task.and_then(|handle| self.engine.task(handle)) {
            Some(task) => task.id.to_string(),
            None => format!("worker {worker}"),
        }
    }

    /// What a process wrote to its standard output and error: lines of nobody, and its last words.
    pub(super) fn hear_output(&mut self, worker: WorkerId) -> Heard {
        let mut buffer = [0; 8 << 10];
        let Some(seat) = self.seats.get_mut(worker as usize).and_then(Option::as_mut) else {
            return Heard::End;
        };
        let count = match seat.process.output.read(&mut buffer) {
            Ok(0) => {
                let _ = self.poller.remove(seat.process.output.as_fd());
                return Heard::End;
            }
            Ok(count) => count,
            Err(_) => return Heard::Nothing,
        };
        for piece in buffer[..count].split_inclusive(|byte| *byte == b'\n') {
            seat.line.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                self.reporting.push(printed(worker, &mut seat.line));
            } else if seat.line.len() > LAST_WORDS {
                let rest = seat.line.split_off(seat.line.len() - secrets::begun(&seat.line));
                if !seat.line.is_empty() {
                    self.reporting.push(printed(worker, &mut seat.line));
                }
                seat.line = rest;
            }
        }
        seat.last_words.extend_from_slice(&buffer[..count]);
        secrets::keep_end(&mut seat.last_words, LAST_WORDS);
        Heard::Something
    }

    /// All that is in the pipe of a dead process, also a line without an end. Bounded: something that escaped its death
    /// may hold the pipe, and write for ever.
    fn hear_last_output(&mut self, worker: WorkerId) {
        for _ in 0..MOST_READS {
            if self.hear_output(worker) != Heard::Something {
                break;
            }
        }
        if let Some(seat) = self.seats.get_mut(worker as usize).and_then(Option::as_mut)
            && !seat.line.is_empty()
        {
            self.reporting.push(printed(worker, &mut seat.line));
        }
    }

    /// The process is dead: reads to the end what it still said, then tells the engine.
    pub(super) fn worker_died(&mut self, worker: WorkerId, death: Death) -> io::Result<()> {
        while self.read_once(worker)? == Heard::Something {}
        self.hear_last_output(worker);
        let Some(seat) = self.seats.get_mut(worker as usize).and_then(Option::take) else { return Ok(()) };
        for fd in [seat.process.socket.as_fd(), seat.process.output.as_fd()] {
            // one that was at its end is out already
            let _ = self.poller.remove(fd);
        }
        let running =
            seat.process.slots.iter().filter_map(|slot| Handle::new(slot.running()?.handle)).collect();
        let refused = seat.process.slots.iter().any(Slot::allocation_failed);
        let death = match refused {
            true => format!("went over its memory limit of {}", self.setup.bounds.memory_words()).into(),
            false => death,
        };
        let last_words = last_lines(&String::from_utf8_lossy(&seat.last_words));
        self.step(Input::WorkerGone { worker, running, death, last_words })
    }

    pub(super) fn kill(&mut self, worker: WorkerId) {
        if let Some(seat) = self.seat(worker) {
            // one that is dead already is what was wanted
            let _ = seat.process.kill();
        }
    }
}

pub(super) fn token(worker: WorkerId) -> u64 {
    super::SEATS + 2 * u64::from(worker)
}
