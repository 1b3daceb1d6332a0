//! What the handler's thread does with each delivery, and when it closes a group.

use std::rc::Rc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Select, Sender, TryRecvError, bounded};

use super::commit::{Closed, Committer};
use super::group::Open;
use super::places::{Gone, Places};
use super::roles::{HandlerRoles, Raised};
use crate::journal::record::SessionEnd;
use crate::model::event::{Event, Summary};
use crate::model::handling::{FromHandler, Puts, ToHandler};
use crate::model::outcome::Effects;
use crate::model::policy::OnError;
use crate::model::task::PutBy;
use crate::model::{Delivery, StopCause, Task, TaskId, Verdict};
use crate::os::clock::monotonic_ns;
use crate::os::wake::Waker;
use crate::output::row_of_result;

/// The engine hears of handled deliveries at least so often, when there are always more of them.
const TELL_NS: u64 = 5_000_000;

/// Why the thread ends before its work is done.
#[derive(Debug)]
pub enum Broken {
    /// To be told.
    Cause(StopCause),
    /// The committer has failed, and has told why.
    Committer,
}

impl From<StopCause> for Broken {
    fn from(cause: StopCause) -> Self {
        Broken::Cause(cause)
    }
}

impl From<Gone> for Broken {
    fn from(Gone: Gone) -> Self {
        Broken::Committer
    }
}

/// The state of the thread.
pub struct Work {
    /// The script.
    pub roles: HandlerRoles,
    /// What happens when a role raises for a task.
    pub on_error: OnError,
    /// Tells the reports.
    pub tell: Box<dyn Fn(Event) + Send>,
    /// Places of tasks that are put.
    pub places: Rc<Places>,
    /// Who makes groups last.
    pub committer: Committer,
    /// The journal is there after a crash.
    pub is_durable: bool,
    /// There are rows to write.
    pub has_output: bool,
    /// The encoded `meta`, as it was looked at last.
    pub meta: Vec<u8>,
    /// The journal has another one.
    pub meta_is_new: bool,
    /// How long it took to encode it.
    pub meta_ns: u64,
    /// When the session began.
    pub began_ns: u64,
    /// The last reading of the clock.
    pub now_ns: u64,
    /// When the engine was told last.
    pub told_ns: u64,
    /// What is gathered.
    pub open: Open,
    /// To the engine.
    pub replies: Sender<FromHandler>,
    /// Wakes it.
    pub waker: Waker,
}

impl Work {
    /// Calls `start`. What it puts and emits counts once in a run.
    pub fn start(&mut self, was_started: bool) -> Result<(), Broken> {
        self.roles.start(was_started)?;
        self.now_ns = monotonic_ns();
        let puts = self.roles.take_puts();
        self.take_rows();
        self.open.group.started = !was_started;
        self.open.touch(self.now_ns);
        let puts = if self.places.has_parts() {
            self.commit_parts(puts)?.1
        } else {
            // what cannot be kept is told before anything runs
            self.take_meta()?;
            let first = self.places.give(&puts);
            Puts { first, tasks: puts, ..Puts::default() }
        };
        self.reply(FromHandler::Started { puts });
        self.open.want();
        self.close_if_due()
    }

    /// One message, which is not the last.
    pub fn take(&mut self, message: ToHandler) -> Result<(), Broken> {
        self.now_ns = monotonic_ns();
        match message {
            ToHandler::Deliver(batch) => {
                for delivery in batch {
                    self.handle(delivery)?;
                }
            }
            ToHandler::Remember(tried) if self.is_durable => {
                self.open.group.tried.extend(tried);
                self.open.touch(self.now_ns);
            }
            ToHandler::Save(states) if self.is_durable => {
                self.open.save(states, self.now_ns);
                if self.open.is_large(&self.places) {
                    self.close()?;
                }
            }
            ToHandler::Known { known, more } if self.is_durable => self.open.know(known, more, self.now_ns),
            ToHandler::SourceEnded { given } if self.is_durable => {
                self.open.group.given = Some(given);
                self.open.touch(self.now_ns);
            }
            ToHandler::Flush => {
                self.open.want();
                self.close_if_due()?;
            }
            ToHandler::Remember(_)
            | ToHandler::Save(_)
            | ToHandler::Known { .. }
            | ToHandler::SourceEnded { .. } => {}
            // whoever calls this keeps these two
            ToHandler::Finish(_) | ToHandler::Close(_) => {}
        }
        Ok(())
    }

    /// The next message; meanwhile groups are closed when they are due. None when the engine is gone.
    pub fn next(&mut self, deliveries: &Receiver<ToHandler>) -> Result<Option<ToHandler>, Broken> {
        match deliveries.try_recv() {
            Ok(message) => return Ok(Some(message)),
            Err(TryRecvError::Disconnected) => return Ok(None),
            Err(TryRecvError::Empty) => {}
        }
        self.tell_engine();
        loop {
            self.now_ns = monotonic_ns();
            self.close_if_due()?;
            let due = self.due_ns();
            let mut select = Select::new();
            select.recv(deliveries);
            let gone = select.recv(&self.committer.gone);
            let ready = match due {
                None => Some(select.ready()),
                // it is due and still here: the committer is behind
                Some(due) if due <= self.now_ns => {
                    select.send(&self.committer.sender);
                    Some(select.ready())
                }
                Some(due) => select.ready_timeout(Duration::from_nanos(due - self.now_ns)).ok(),
            };
            if ready == Some(gone) {
                return Err(Broken::Committer);
            }
            match deliveries.try_recv() {
                Ok(message) => return Ok(Some(message)),
                Err(TryRecvError::Disconnected) => return Ok(None),
                Err(TryRecvError::Empty) => {}
            }
        }
    }

    fn handle(&mut self, delivery: Delivery) -> Result<(), Broken> {
        let id = delivery.id;
        self.open.add(&delivery, self.is_durable, self.now_ns);
        let (effects, delivery) = split(delivery);
        if let Some(mut effects) = effects {
            for (n, put) in effects.puts.iter_mut().enumerate() {
                put.id = TaskId::child(id, PutBy::Worker, n as u64);
            }
            self.put(effects.puts);
            if !effects.cancels.is_empty() {
                self.open.cancel(&effects.cancels, self.places.last());
            }
            if self.has_output {
                effects.rows.iter().for_each(|row| self.open.rows.push(row));
            }
        } else if self.has_output
            && !self.roles.has_handler()
            && let Verdict::Done(done) = &delivery.verdict
        {
            let row = row_of_result(&done.values).map_err(|error| {
                StopCause::Unwritable(format!("the result of task {id} cannot be read: {error}"))
            })?;
            if let Some(row) = row {
                self.open.rows.push(&row);
            }
        }
        match self.roles.handle(delivery, self.now_ns) {
            Ok(()) => {
                let puts = self.roles.take_puts();
                self.take_rows();
                if self.places.has_parts() {
                    let (count, puts) = self.commit_parts(puts)?;
                    self.told(count.0, puts);
                    self.reply(FromHandler::Committed { count: count.1, seq: self.places.last() });
                } else {
                    self.put(puts);
                }
            }
            Err(raised) => self.raised(*raised)?,
        }
        // the end of one call is the start of the next
        self.now_ns = monotonic_ns();
        if self.open.is_large(&self.places) {
            return self.close();
        }
        if self.now_ns - self.told_ns >= TELL_NS {
            self.tell_engine();
            self.close_if_due()?;
        }
        Ok(())
    }

    fn put(&mut self, tasks: Vec<Task>) {
        if !tasks.is_empty() {
            let first = self.places.give(&tasks);
            self.open.put(first, tasks);
        }
    }

    fn take_rows(&mut self) {
        self.roles.take_rows(&mut self.open.rows);
        if !self.has_output {
            self.open.rows.clear();
        }
    }

    /// What the call put and emitted is gone; what it changed in `meta` before it raised stays.
    fn raised(&mut self, raised: Raised) -> Result<(), Broken> {
        self.roles.drop_call();
        self.places.take_back_parts()?;
        match self.on_error {
            OnError::Abort => Err(raised.into_cause().into()),
            OnError::Log => {
                let Raised { role, task, failure } = raised;
                (self.tell)(Event::HandlerRaised { role, task, failure });
                Ok(())
            }
        }
    }

    fn due_ns(&self) -> Option<u64> {
        self.open.due_ns(self.committer.cost_ns() + self.meta_ns)
    }

    /// While the committer is behind the group grows.
    fn close_if_due(&mut self) -> Result<(), Broken> {
        if self.due_ns().is_some_and(|due| due <= self.now_ns) && !self.committer.is_full() {
            self.close()?;
        }
        Ok(())
    }

    /// Hands the group to the committer; waits when that is behind.
    fn close(&mut self) -> Result<(), Broken> {
        self.tell_engine();
        if self.open.is_empty() {
            return Ok(());
        }
        let closed = self.closed()?;
        if self.committer.send(closed) { Ok(()) } else { Err(Broken::Committer) }
    }

    fn closed(&mut self) -> Result<Closed, Broken> {
        self.take_meta()?;
        let mut closed = self.open.close(&self.places);
        closed.group.meta = std::mem::take(&mut self.meta_is_new).then(|| self.meta.clone());
        closed.group.elapsed_ns = monotonic_ns() - self.began_ns;
        Ok(closed)
    }

    /// A call has put so many tasks that parts of them are out already: its group is committed at once, and the engine
    /// hears then which of them are in the journal. Gives how many deliveries to tell as handled, and as committed.
    fn commit_parts(&mut self, rest: Vec<Task>) -> Result<((usize, usize), Puts), Broken> {
        self.places.send_part(rest)?;
        let untold = self.open.take_untold().unwrap_or_default();
        let (answer, answered) = bounded(1);
        let mut closed = self.closed()?;
        let committed = closed.handled;
        closed.answer = Some(answer);
        if !self.committer.send(closed) {
            return Err(Broken::Committer);
        }
        let stored = answered.recv().map_err(|_| Broken::Committer)?;
        Ok(((untold.count, committed), Puts { stored, ..untold.puts }))
    }

    /// Encodes `meta` into `self.meta`.
    fn take_meta(&mut self) -> Result<(), Broken> {
        if self.is_durable && self.roles.may_have_changed_meta() {
            let began_ns = monotonic_ns();
            self.meta_is_new |= self.roles.encode_meta(&mut self.meta)?;
            self.meta_ns = monotonic_ns() - began_ns;
        }
        Ok(())
    }

    /// What was handled, so that put tasks can start.
    fn tell_engine(&mut self) {
        self.told_ns = self.now_ns;
        if let Some(untold) = self.open.take_untold() {
            self.told(untold.count, untold.puts);
        }
        let keeps_nothing = !self.is_durable && !self.has_output && self.open.needs_nothing(&self.places);
        if keeps_nothing && !self.open.is_empty() && self.committer.is_idle() {
            let Closed { handled, seq, .. } = self.open.close(&self.places);
            if handled > 0 {
                self.reply(FromHandler::Committed { count: handled, seq });
            }
        }
    }

    fn told(&self, count: usize, puts: Puts) {
        self.reply(FromHandler::Handled { count, puts });
    }

    /// The run is complete: commits what is there, calls `finish`, and ends the session.
    pub fn finish(mut self, summary: &Summary) -> Result<(), Box<(Self, Broken)>> {
        let finished = self.close().and_then(|()| Ok(self.roles.finish(summary)?));
        let finish = match finished {
            Ok(finish) => finish,
            Err(broken) => return Err(Box::new((self, broken))),
        };
        let end = SessionEnd { complete: true, stopped: None, finish: finish.clone() };
        self.end(end, finish)
    }

    /// The run was stopped: commits what is there, and ends the session.
    pub fn stop(self, summary: &Summary) -> Result<(), Box<(Self, Broken)>> {
        let stopped = summary.stopped.as_ref().map(ToString::to_string);
        self.end(SessionEnd { complete: false, stopped, finish: None }, None)
    }

    fn end(mut self, end: SessionEnd, finish: Option<String>) -> Result<(), Box<(Self, Broken)>> {
        self.tell_engine();
        let mut last = match self.closed() {
            Ok(last) => last,
            Err(broken) => return Err(Box::new((self, broken))),
        };
        last.group.end = Some(end);
        self.roles.remove_temporary();
        let Work { committer, replies, waker, .. } = self;
        if let Some(ended) = committer.finish(last) {
            // the receiver is gone only when the run is
            let _ = replies.send(FromHandler::Closed { finish, output: ended.output, lost: ended.lost });
            waker.wake();
        }
        Ok(())
    }

    /// The engine is gone, and nobody hears what becomes of the rest: it is as if the process had been killed.
    pub fn leave(self) {
        self.committer.leave();
    }

    /// The thread can do nothing more: nothing of the open group is kept, since `meta` may be changed half.
    pub fn break_off(self, broken: Broken) {
        let Broken::Cause(cause) = broken else {
            drop(self.committer.join());
            return;
        };
        // the committer, if it has failed, has said what matters more
        let _ = self.places.take_back_parts();
        let mut last = Closed { seq: self.places.last(), ..Closed::default() };
        last.group.elapsed_ns = monotonic_ns() - self.began_ns;
        let stopped = Some(cause.to_string());
        last.group.end = Some(SessionEnd { complete: false, stopped, finish: None });
        if self.committer.finish(last).is_some() {
            let _ = self.replies.send(FromHandler::Failed(cause));
            self.waker.wake();
        }
    }

    fn reply(&self, reply: FromHandler) {
        // the receiver is gone only when the run is
        let _ = self.replies.send(reply);
        self.waker.wake();
    }
}

fn split(mut delivery: Delivery) -> (Option<Box<Effects>>, Delivery) {
    let effects = match &mut delivery.verdict {
        Verdict::Done(done) => done.effects.take(),
        Verdict::Failed(_) | Verdict::Skipped(_) => None,
    };
    (effects, delivery)
}
