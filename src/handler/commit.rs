//! The committer: a thread that makes groups last, one after the other.
//!
//! Rows go to the output first, and the file is synced; then one transaction of the journal keeps the rest of the group
//! with the mark where the output ends. A crash between the two leaves rows behind the mark, which a resume cuts off.
//! After an error nothing is written any more: what was acknowledged stays as it is.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::clearing::Clearing;
use super::rows::Rows;
use crate::journal::record::{Group, OutputMark};
use crate::journal::{JournalError, Writer};
use crate::model::handling::{FromHandler, StoredPuts};
use crate::model::{Seq, StopCause, Task, TaskId};
use crate::os::clock::monotonic_ns;
use crate::os::wake::Waker;
use crate::output::{OutputError, Sink};

/// Groups that wait; with more of them the handler waits.
const WAITING: usize = 2;

/// What the committer gets.
pub enum ToCommitter {
    /// To be kept.
    Group(Box<Closed>),
    /// Puts of a group that is still open, since one call puts very many.
    Part {
        /// In the order of their places.
        puts: Vec<(Seq, Task)>,
        /// Of that call; others of the group went before it.
        of_call: bool,
    },
    /// The call raised: its parts are dropped.
    Abandon,
    /// The last group of the session. Its output is ended, and the journal closed.
    Last(Box<Closed>),
    /// Nothing follows, and the session has no end. The Lua state lives for ever, and a sender with it, so that the
    /// channel is never closed.
    Leave,
}

/// A closed group.
#[derive(Default)]
pub struct Closed {
    /// For the journal; the output's mark is still to come.
    pub group: Group,
    /// For the output.
    pub rows: Rows,
    /// Deliveries in it.
    pub handled: usize,
    /// Of these, tasks that have a folder, which goes.
    pub dirs: Vec<TaskId>,
    /// The last place that it gives, or one before it.
    pub seq: u64,
    /// Who wants to know, instead of the engine, that it is kept, and which of the call's puts came to be in the journal:
    /// those whose key is known are not.
    pub answer: Option<Sender<Vec<StoredPuts>>>,
}

/// What there is to tell at the end.
pub struct Ended {
    /// Where rows went and how many.
    pub output: Option<(String, u64)>,
    /// Rows that nobody read.
    pub lost: u64,
}

/// The thread, as the handler's thread sees it.
pub struct Committer {
    /// To it.
    pub sender: Sender<ToCommitter>,
    /// Closed when it has ended.
    pub gone: Receiver<()>,
    shared: Arc<Shared>,
    thread: JoinHandle<Option<Ended>>,
}

#[derive(Default)]
struct Shared {
    cost_ns: AtomicU64,
    waiting: AtomicUsize,
}

/// What it works with.
pub struct Tools {
    /// Where rows go.
    pub sink: Option<Sink>,
    /// The journal.
    pub writer: Writer,
    /// The journal has no mark of the output yet.
    pub marks_first: bool,
    /// Removes folders of tasks.
    pub clearing: Clearing,
    /// To the engine.
    pub replies: Sender<FromHandler>,
    /// Wakes it.
    pub waker: Waker,
}

impl Committer {
    /// Starts the thread.
    ///
    /// # Errors
    /// No thread can be made.
    pub fn start(tools: Tools) -> io::Result<Self> {
        let (sender, inbox) = bounded(WAITING);
        let (alive, gone) = bounded(0);
        let shared = Arc::new(Shared::default());
        let for_thread = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("committer".into()).spawn(move || {
            let _alive: Sender<()> = alive;
            commit_all(tools, &inbox, for_thread)
        })?;
        Ok(Committer { sender, gone, shared, thread })
    }

    /// How long the last commit took.
    pub fn cost_ns(&self) -> u64 {
        self.shared.cost_ns.load(Ordering::Relaxed)
    }

    /// Sends a closed group; waits while two others wait. False when the thread has ended.
    pub fn send(&self, closed: Closed) -> bool {
        self.shared.waiting.fetch_add(1, Ordering::Relaxed);
        self.sender.send(ToCommitter::Group(Box::new(closed))).is_ok()
    }

    /// Whether everything that was sent is kept.
    pub fn is_idle(&self) -> bool {
        self.shared.waiting.load(Ordering::Acquire) == 0
    }

    /// Whether it has to be waited for.
    pub fn is_full(&self) -> bool {
        self.sender.is_full()
    }

    /// Sends the last group and waits for the end. None when the thread failed, which it has told the engine.
    pub fn finish(self, last: Closed) -> Option<Ended> {
        // one that has ended is joined all the same
        let _ = self.sender.send(ToCommitter::Last(Box::new(last)));
        self.join()
    }

    /// Ends it without an end of the session.
    pub fn leave(self) {
        let _ = self.sender.send(ToCommitter::Leave);
        self.join();
    }

    /// Waits for the end of a thread that has failed, or was told to end.
    pub fn join(self) -> Option<Ended> {
        self.thread.join().ok().flatten()
    }
}

fn commit_all(tools: Tools, inbox: &Receiver<ToCommitter>, shared: Arc<Shared>) -> Option<Ended> {
    let Tools { sink, writer, marks_first, clearing, replies, waker } = tools;
    let mut committing = Committing {
        is_durable: writer.is_durable(),
        writer: Some(writer),
        sink,
        lost: 0,
        mark: None,
        has_parts: false,
        stored: BTreeMap::new(),
        seq: 0,
        shared,
        clearing,
        replies,
        waker,
    };
    let ended = catch_unwind(AssertUnwindSafe(|| committing.until_last(inbox, marks_first)));
    let ended = ended.unwrap_or_else(|_| Err(StopCause::Bug("the committer's thread panicked".into())));
    // dropped, not closed, when something is wrong: the journal's log stays as it is then
    drop(committing.writer.take());
    match ended {
        Ok(ended) => ended,
        Err(cause) => {
            committing.reply(FromHandler::Failed(cause));
            None
        }
    }
}

struct Committing {
    sink: Option<Sink>,
    writer: Option<Writer>,
    is_durable: bool,
    /// Rows that nobody reads any more.
    lost: u64,
    /// The last one in the journal.
    mark: Option<OutputMark>,
    /// A transaction is open.
    has_parts: bool,
    /// Of the call whose parts are in it, by priority.
    stored: BTreeMap<i32, StoredPuts>,
    /// The last place that was told.
    seq: u64,
    shared: Arc<Shared>,
    clearing: Clearing,
    replies: Sender<FromHandler>,
    waker: Waker,
}

impl Committing {
    fn until_last(
        &mut self,
        inbox: &Receiver<ToCommitter>,
        marks_first: bool,
    ) -> Result<Option<Ended>, StopCause> {
        if self.is_durable && marks_first && self.sink.is_some() {
            // from here on a resume knows what was in the file before the run
            self.keep(Closed::default())?;
        }
        while let Ok(message) = inbox.recv() {
            match message {
                ToCommitter::Group(closed) => self.commit(*closed)?,
                ToCommitter::Part { puts, of_call } => self.part(&puts, of_call)?,
                ToCommitter::Abandon => {
                    self.stored.clear();
                    self.has_parts = false;
                    self.write_journal(Writer::abandon)?;
                }
                ToCommitter::Last(closed) => return self.end(*closed).map(Some),
                ToCommitter::Leave => break,
            }
        }
        Ok(None)
    }

    fn commit(&mut self, mut closed: Closed) -> Result<(), StopCause> {
        let (handled, seq, answer) = (closed.handled, closed.seq, closed.answer.take());
        let (saved, dirs) = (closed.group.saved.len(), std::mem::take(&mut closed.dirs));
        let began = monotonic_ns();
        self.keep(closed)?;
        self.shared.cost_ns.store(monotonic_ns() - began, Ordering::Relaxed);
        let stored = std::mem::take(&mut self.stored).into_values().collect();
        let is_news = handled > 0 || seq > self.seq;
        self.seq = seq;
        match answer {
            // who asked has not ended: it waits for this
            Some(answer) => drop(answer.send(stored)),
            None if is_news => self.reply(FromHandler::Committed { count: handled, seq }),
            None => {}
        }
        if saved > 0 {
            self.reply(FromHandler::Kept { count: saved });
        }
        self.clearing.clear(dirs);
        self.shared.waiting.fetch_sub(1, Ordering::Release);
        Ok(())
    }

    fn keep(&mut self, closed: Closed) -> Result<(), StopCause> {
        let Closed { mut group, rows, .. } = closed;
        for row in rows.iter() {
            self.write_row(row)?;
        }
        drop(rows);
        group.output = self.sync_rows()?;
        let waits = !group.puts.is_empty() || !group.ended.is_empty() || !group.cancels.is_empty();
        if self.is_durable || self.has_parts || waits {
            self.write_journal(|writer| writer.commit(&group))?;
            self.has_parts = false;
        }
        Ok(())
    }

    fn part(&mut self, puts: &[(Seq, Task)], of_call: bool) -> Result<(), StopCause> {
        self.has_parts = true;
        let skipped = self.write_journal(|writer| writer.part(puts))?;
        let mut skipped = skipped.into_iter().peekable();
        for (seq, task) in puts.iter().filter(|_| of_call) {
            if skipped.next_if_eq(seq).is_some() {
                continue;
            }
            let priority = task.options.as_ref().map_or(0, |options| options.priority);
            let new = StoredPuts { priority, first: *seq, last: *seq, count: 0 };
            let stored = self.stored.entry(priority).or_insert(new);
            stored.last = *seq;
            stored.count += 1;
        }
        Ok(())
    }

    fn end(&mut self, closed: Closed) -> Result<Ended, StopCause> {
        let Closed { mut group, rows, handled, dirs, seq, .. } = closed;
        for row in rows.iter() {
            self.write_row(row)?;
        }
        // the end of the document lies behind the mark: a resume goes on before it
        group.output = self.sync_rows()?;
        let output = match self.sink.take() {
            Some(sink) => {
                let (name, rows) = (sink.name().to_owned(), sink.rows());
                let finished = if self.lost == 0 { sink.finish().map(drop) } else { Ok(()) };
                self.unless_closed(finished)?;
                Some((name, rows))
            }
            None => None,
        };
        if self.is_durable || !group.puts.is_empty() || !group.ended.is_empty() {
            self.write_journal(|writer| writer.commit(&group))?;
        }
        self.clearing.clear(dirs);
        if handled > 0 {
            self.reply(FromHandler::Committed { count: handled, seq });
        }
        if let Some(writer) = self.writer.take() {
            writer.close().map_err(|error| unkept(&error))?;
        }
        Ok(Ended { output, lost: self.lost })
    }

    fn write_row(&mut self, row: &[u8]) -> Result<(), StopCause> {
        match &mut self.sink {
            Some(_) if self.lost > 0 => self.lost += 1,
            Some(sink) => {
                let written = sink.write_row(row);
                self.unless_closed(written)?;
            }
            None => {}
        }
        Ok(())
    }

    /// The rows so far are in the file; where the journal is durable, they are on the disk. The mark, when it is new.
    fn sync_rows(&mut self) -> Result<Option<OutputMark>, StopCause> {
        let Some(sink) = self.sink.as_mut().filter(|_| self.lost == 0) else { return Ok(None) };
        if !self.is_durable {
            let flushed = sink.flush();
            return self.unless_closed(flushed).map(|()| None);
        }
        match sink.commit() {
            Ok(mark) if self.mark == Some(mark) => Ok(None),
            Ok(mark) => {
                self.mark = Some(mark);
                Ok(Some(mark))
            }
            Err(error) => self.unless_closed(Err(error)).map(|()| None),
        }
    }

    /// Whoever read the rows may leave (`mpms run … | head`): the run goes on without them.
    fn unless_closed(&mut self, written: Result<(), OutputError>) -> Result<(), StopCause> {
        match written {
            Err(OutputError::Closed { .. }) => self.lost = self.lost.max(1),
            Err(error) => {
                let why = error.source().map_or_else(String::new, |source| format!(": {source}"));
                return Err(StopCause::Unwritable(format!("{error}{why}; {}", error.help())));
            }
            Ok(()) => {}
        }
        Ok(())
    }

    fn write_journal<R: Default>(
        &mut self,
        write: impl FnOnce(&mut Writer) -> Result<R, JournalError>,
    ) -> Result<R, StopCause> {
        match &mut self.writer {
            Some(writer) => write(writer).map_err(|error| unkept(&error)),
            None => Ok(R::default()),
        }
    }

    fn reply(&self, reply: FromHandler) {
        // the receiver is gone only when the run is
        let _ = self.replies.send(reply);
        self.waker.wake();
    }
}

fn unkept(error: &JournalError) -> StopCause {
    StopCause::Unwritable(format!("{error}; {}", error.help()))
}
