//! Waiting for commands: writes what they read, reads what they write, and asks them to end when their time is over.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Instant;

use futures_util::future::{Either, select};
use mlua::{Lua, LuaString};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::{Sleep, sleep_until};

use super::order::Limits;
use super::ready;
use crate::lua::error::LibError;
use crate::lua::std::batches::{Batch, Filled};
use crate::os::command::{Child, LARGEST_PIPE};
use crate::os::secrets;
use crate::os::socket::set_nonblocking;

/// Read at once.
const CHUNK: usize = 16 << 10;

/// Of a batch.
const MOST_LINES: usize = 256;

/// Chunks between two looks at everything else.
const TURN: usize = 64;

/// What is kept of standard error that nobody asked for, for the error.
pub(super) const LAST_WORDS: usize = 4 << 10;

const SIGKILL: i32 = 9;
const SIGTERM: i32 = 15;

/// Returns when the command itself has ended; it is not reaped.
///
/// # Errors
/// When there are too many descriptors.
pub(in crate::lua) async fn until_dead(child: &Child) -> Result<(), LibError> {
    let death = death_of(child)?;
    let _ = death.readable().await?;
    Ok(())
}

/// Returns when there is something to be read from the pipe of a command, or the command itself has ended.
///
/// # Errors
/// As [`until_dead`].
pub(in crate::lua) async fn until_said(pipe: File, child: &Child) -> Result<(), LibError> {
    let (pipe, death) = (ready::pipe(pipe, Interest::READABLE)?, death_of(child)?);
    match select(pin!(pipe.readable()), pin!(death.readable())).await {
        Either::Left((said, _)) => drop(said?),
        Either::Right((dead, _)) => drop(dead?),
    }
    Ok(())
}

fn death_of(child: &Child) -> io::Result<AsyncFd<OwnedFd>> {
    ready::event(child.death()?)
}

/// Sends a signal to the groups of all.
pub(super) fn signal_all(children: &[Rc<Child>], signal: i32) {
    for child in children {
        // a number that there is
        let _ = child.signal_group(signal);
    }
}

/// Our end of a pipe. It comes to the thread's runtime when somebody first waits for it.
#[derive(Debug)]
enum Pipe {
    New(File),
    Waited(AsyncFd<File>),
    Closed,
}

impl Pipe {
    fn of(file: File) -> io::Result<Self> {
        set_nonblocking(&file, true)?;
        Ok(Self::New(file))
    }

    fn waited(&mut self, interest: Interest) -> io::Result<Option<&AsyncFd<File>>> {
        if let Self::New(_) = self
            && let Self::New(file) = std::mem::replace(self, Self::Closed)
        {
            *self = Self::Waited(ready::pipe(file, interest)?);
        }
        Ok(if let Self::Waited(file) = self { Some(file) } else { None })
    }

    /// Reads or writes without waiting.
    fn file(&self) -> Option<&File> {
        match self {
            Self::New(file) => Some(file),
            Self::Waited(file) => Some(file.get_ref()),
            Self::Closed => None,
        }
    }
}

/// What a command reads.
#[derive(Debug)]
pub(super) struct Feed {
    pipe: Pipe,
    text: Option<LuaString>,
    at: usize,
}

impl Feed {
    pub fn new(pipe: File) -> io::Result<Self> {
        Ok(Self { pipe: Pipe::of(pipe)?, text: None, at: 0 })
    }

    /// To be written next; what was not written of the text before is dropped.
    pub fn set(&mut self, text: LuaString) {
        self.text = Some(text);
        self.at = 0;
    }

    pub fn close(&mut self) {
        self.pipe = Pipe::Closed;
        self.text = None;
    }

    /// Whether the command may read more.
    pub fn is_open(&self) -> bool {
        !matches!(self.pipe, Pipe::Closed)
    }

    /// Ready when all is written, or the command reads no more: that is its own business.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), LibError>> {
        while let Some(text) = &self.text {
            let bytes = text.as_bytes();
            let left = &bytes[self.at.min(bytes.len())..];
            let Some(pipe) = self.pipe.waited(Interest::WRITABLE)?.filter(|_| !left.is_empty()) else {
                break;
            };
            let mut guard = std::task::ready!(pipe.poll_write_ready(cx))?;
            match guard.try_io(|pipe| pipe.get_ref().write(left)) {
                Ok(Ok(count)) => self.at += count,
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(Err(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
                    drop(bytes);
                    self.close();
                    break;
                }
                Ok(Err(error)) => return Poll::Ready(Err(error.into())),
                Err(_) => {}
            }
        }
        self.text = None;
        Poll::Ready(Ok(()))
    }
}

/// What is kept of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keep {
    /// All of it; more than the limit is an error.
    All,
    /// The end.
    Tail,
}

/// How much of a stream is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Enough {
    /// All of it.
    End,
    /// A whole line.
    Line,
    /// So many bytes.
    Bytes(usize),
    /// Nothing, but the command should not have to wait for its reader. What is over the limit stays in the pipe.
    Aside,
}

/// What a command writes.
#[derive(Debug)]
pub(super) struct Drain {
    pipe: Pipe,
    keep: Keep,
    limit: usize,
    /// For errors.
    name: &'static str,
    bytes: Vec<u8>,
    /// What is taken of it.
    start: usize,
    /// Where no line ends before.
    no_line: usize,
}

impl Drain {
    pub fn new(pipe: File, keep: Keep, limit: usize, name: &'static str) -> io::Result<Self> {
        let pipe = Pipe::of(pipe)?;
        Ok(Self { pipe, keep, limit, name, bytes: Vec::new(), start: 0, no_line: 0 })
    }

    /// What was read and not taken.
    pub fn left(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    pub fn is_at_end(&self) -> bool {
        matches!(self.pipe, Pipe::Closed)
    }

    /// Nobody reads any more.
    pub fn close(&mut self) {
        self.pipe = Pipe::Closed;
    }

    /// All that was read and not taken.
    pub fn take_all(&mut self) -> Vec<u8> {
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.drain(..std::mem::take(&mut self.start));
        self.no_line = 0;
        if self.keep == Keep::Tail {
            secrets::keep_end(&mut bytes, LAST_WORDS);
        }
        bytes
    }

    /// The next bytes, at most so many.
    pub fn take_bytes(&mut self, most: usize) -> &[u8] {
        let from = self.start;
        self.start = self.bytes.len().min(from.saturating_add(most));
        self.no_line = self.no_line.max(self.start);
        &self.bytes[from..self.start]
    }

    /// The next line with its end, or at the end of the stream what is left.
    pub fn take_line(&mut self) -> Option<&[u8]> {
        if let Some(end) = self.line_end() {
            let from = std::mem::replace(&mut self.start, end);
            return Some(&self.bytes[from..end]);
        }
        if self.is_at_end() && !self.left().is_empty() {
            return Some(self.take_bytes(usize::MAX));
        }
        None
    }

    fn line_end(&mut self) -> Option<usize> {
        let from = self.no_line.max(self.start);
        match memchr::memchr(b'\n', &self.bytes[from..]) {
            Some(at) => {
                self.no_line = from;
                Some(from + at + 1)
            }
            None => {
                self.no_line = self.bytes.len();
                None
            }
        }
    }

    fn has(&mut self, enough: Enough) -> bool {
        self.is_at_end()
            || match enough {
                Enough::End | Enough::Aside => false,
                Enough::Line => self.line_end().is_some(),
                Enough::Bytes(count) => self.left().len() >= count,
            }
    }

    /// Ready when there is enough, or no more to come.
    pub fn poll(&mut self, cx: &mut Context<'_>, enough: Enough) -> Poll<Result<(), LibError>> {
        for _ in 0..TURN {
            if self.has(enough) {
                return Poll::Ready(Ok(()));
            }
            let room = match (enough, self.keep) {
                (Enough::Aside, Keep::All) => CHUNK.min(self.limit.saturating_sub(self.left().len())),
                _ => CHUNK,
            };
            if room == 0 {
                return Poll::Pending;
            }
            let Some(pipe) = self.pipe.waited(Interest::READABLE)? else { return Poll::Ready(Ok(())) };
            let mut guard = std::task::ready!(pipe.poll_read_ready(cx))?;
            let mut chunk = [0; CHUNK];
            if let Ok(read) = guard.try_io(|pipe| pipe.get_ref().read(&mut chunk[..room])) {
                self.took(read, &chunk, enough)?;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Reads what waits in the pipe, and no more: others may hold its other end.
    pub fn finish(&mut self, enough: Enough) -> Result<(), LibError> {
        let mut seen = 0;
        while seen < LARGEST_PIPE
            && let Some(mut file) = self.pipe.file()
        {
            let mut chunk = [0; CHUNK];
            match file.read(&mut chunk) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                read => {
                    seen += read.as_ref().copied().unwrap_or(0);
                    self.took(read, &chunk, enough)?;
                }
            }
        }
        self.close();
        Ok(())
    }

    fn took(&mut self, read: io::Result<usize>, chunk: &[u8], enough: Enough) -> Result<(), LibError> {
        match read {
            Ok(0) => self.close(),
            Ok(count) => return self.add(&chunk[..count], enough),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    fn add(&mut self, chunk: &[u8], enough: Enough) -> Result<(), LibError> {
        if self.start > 0 && self.start >= self.bytes.len() / 2 {
            self.bytes.drain(..self.start);
            self.no_line = self.no_line.saturating_sub(self.start);
            self.start = 0;
        }
        self.bytes.extend_from_slice(chunk);
        let over = match (self.keep, enough) {
            (Keep::Tail, _) => {
                if self.bytes.len() > 4 * LAST_WORDS {
                    secrets::keep_end(&mut self.bytes, LAST_WORDS);
                }
                false
            }
            (_, Enough::Aside) => false,
            (_, Enough::End) => self.left().len() > self.limit,
            (_, Enough::Line) => self.left().len() > self.limit && self.line_end().is_none(),
            (_, Enough::Bytes(count)) => self.left().len() > self.limit.max(count),
        };
        if over { Err(self.too_large()) } else { Ok(()) }
    }

    fn too_large(&self) -> LibError {
        let most = bytesize::ByteSize::b(self.limit as u64).display().iec();
        let name = self.name;
        LibError::new(
            "too_large",
            format!("{name} is more than {most}: raise `max_output`, read it by lines, or send it to a file"),
        )
    }
}

/// The lines that are at hand, without their ends; none when there are none.
pub(super) fn lines(lua: &Lua, drain: &mut Drain) -> Result<Option<Filled>, LibError> {
    let mut batch = Batch::new(None);
    for _ in 0..MOST_LINES {
        let Some(line) = drain.take_line() else { break };
        batch.text(line.strip_suffix(b"\n").unwrap_or(line));
    }
    batch.filled(lua)
}

/// How long commands may run.
#[derive(Debug)]
pub(super) struct Clock {
    limits: Limits,
    stage: Stage,
    until: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Runs,
    Asked,
    Killed,
}

impl Clock {
    /// Time begins.
    pub fn new(limits: Limits) -> Self {
        let until = limits.timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        Self { limits, stage: Stage::Runs, until }
    }

    pub fn is_over(&self) -> bool {
        self.stage != Stage::Runs
    }

    /// The next step is due.
    fn strike(&mut self, children: &[Rc<Child>]) {
        (self.stage, self.until) = match self.stage {
            Stage::Runs => {
                signal_all(children, SIGTERM);
                (Stage::Asked, Instant::now().checked_add(self.limits.grace))
            }
            Stage::Asked | Stage::Killed => {
                signal_all(children, SIGKILL);
                (Stage::Killed, None)
            }
        };
    }
}

/// What one who waits has registered with the runtime.
#[derive(Debug, Default)]
pub(super) struct Watch {
    deaths: Option<Vec<AsyncFd<OwnedFd>>>,
    alarm: Option<(Instant, Pin<Box<Sleep>>)>,
}

impl Watch {
    fn clock(&mut self, cx: &mut Context<'_>, clock: &RefCell<Clock>, children: &[Rc<Child>]) {
        loop {
            let until = clock.borrow().until;
            let Some(until) = until else { return };
            let alarm = match &mut self.alarm {
                Some((at, alarm)) if *at == until => alarm,
                other => &mut other.insert((until, Box::pin(sleep_until(until.into())))).1,
            };
            if alarm.as_mut().poll(cx).is_pending() {
                return;
            }
            clock.borrow_mut().strike(children);
        }
    }

    fn deaths(&mut self, cx: &mut Context<'_>, children: &[Rc<Child>]) -> Poll<io::Result<()>> {
        let deaths = match &mut self.deaths {
            Some(deaths) => deaths,
            none => none.insert(children.iter().map(|child| death_of(child)).collect::<io::Result<_>>()?),
        };
        while let Some(last) = deaths.last() {
            let _ = std::task::ready!(last.poll_read_ready(cx))?;
            deaths.pop();
        }
        Poll::Ready(Ok(()))
    }
}

/// Commands that work, with our ends of their pipes, and how much is asked of them.
pub(super) struct Work<'a> {
    pub children: &'a [Rc<Child>],
    pub watch: &'a mut Watch,
    pub clock: &'a RefCell<Clock>,
    pub feed: Option<&'a mut Feed>,
    pub drains: [Option<(&'a mut Drain, Enough)>; 2],
}

impl Work<'_> {
    /// Goes on until all that the feed has is written, which then stays open; false when the command reads no more.
    ///
    /// # Errors
    /// What the system says.
    pub async fn written(mut self) -> Result<bool, LibError> {
        std::future::poll_fn(|cx| {
            let Some(feed) = &mut self.feed else { return Poll::Ready(Ok(false)) };
            for (drain, enough) in self.drains.iter_mut().flatten() {
                let _ = drain.poll(cx, *enough)?;
            }
            if feed.poll(cx)?.is_ready() {
                return Poll::Ready(Ok(feed.is_open()));
            }
            self.watch.clock(cx, self.clock, self.children);
            std::task::ready!(self.watch.deaths(cx, self.children))?;
            // others may hold the other end, but it is not they who were meant
            feed.close();
            Poll::Ready(Ok(false))
        })
        .await
    }

    /// Goes on until there is as much of a stream as is asked for, at the latest until all commands have ended: then what
    /// they wrote is read, and what they left in their groups is killed.
    ///
    /// # Errors
    /// `too_large`; what the system says. The commands are killed then.
    pub async fn done(mut self) -> Result<(), LibError> {
        let done = std::future::poll_fn(|cx| self.poll(cx)).await;
        if done.is_err() {
            signal_all(self.children, SIGKILL);
        }
        done
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), LibError>> {
        if let Some(feed) = &mut self.feed
            && feed.poll(cx)?.is_ready()
        {
            feed.close();
        }
        for (drain, enough) in self.drains.iter_mut().flatten() {
            let is_asked = matches!(enough, Enough::Line | Enough::Bytes(_));
            if drain.poll(cx, *enough)?.is_ready() && is_asked {
                return Poll::Ready(Ok(()));
            }
        }
        self.watch.clock(cx, self.clock, self.children);
        std::task::ready!(self.watch.deaths(cx, self.children))?;
        signal_all(self.children, SIGKILL);
        for (drain, enough) in self.drains.iter_mut().flatten() {
            drain.finish(*enough)?;
        }
        Poll::Ready(Ok(()))
    }
}
