//! The handler: a thread of the coordinator that sees every finished task once, in one order.
//!
//! It calls the script's `handler` and `failed`, collects what they put, writes rows to the output, and then
//! tells the engine how far it is. What a delivery caused is told together with it, never apart.

mod at_hand;
mod roles;

use std::error::Error as _;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};

use crate::lua::state::Around;
use crate::model::event::Event;
use crate::model::handling::{FromHandler, Puts, ToHandler};
use crate::model::job::{Job, Script};
use crate::model::outcome::Effects;
use crate::model::policy::OnError;
use crate::model::task::PutBy;
use crate::model::{Delivery, StopCause, Task, TaskId, Verdict};
use crate::os::clock::monotonic_ns;
use crate::os::wake::Waker;
use crate::output::{OutputError, Sink, row_of_result};
use roles::{HandlerRoles, Raised};

/// The engine hears of handled tasks, and rows reach the file, at least this often.
const GROUP: Duration = Duration::from_millis(50);

/// What the thread works with.
pub struct Handler {
    /// The job.
    pub job: Job,
    /// The script that may hold its roles.
    pub script: Option<Script>,
    /// What happens when `handler` or `failed` raises.
    pub on_error: OnError,
    /// Tells the reports; may wait while they are far behind.
    pub tell: Box<dyn Fn(Event) + Send>,
    /// For one call of a role, in nanoseconds.
    pub timeout_ns: u64,
    /// Where rows go.
    pub sink: Option<Sink>,
    /// What to handle.
    pub deliveries: Receiver<ToHandler>,
    /// What was handled.
    pub replies: Sender<FromHandler>,
    /// Wakes the loop that receives the replies.
    pub waker: Waker,
}

/// Starts the thread. `around` makes, on the thread, what its state shares with others.
///
/// # Errors
/// No thread can be made.
pub fn spawn(handler: Handler, around: impl FnOnce() -> Around + Send + 'static) -> io::Result<()> {
    std::thread::Builder::new().name("handler".into()).spawn(move || {
        let (replies, waker) = (handler.replies.clone(), handler.waker.clone());
        let ended = catch_unwind(AssertUnwindSafe(|| run(handler, &around())));
        if let Err(cause) =
            ended.unwrap_or_else(|_| Err(StopCause::Bug("the handler's thread panicked".into())))
        {
            // the receiver is gone only when the run is
            let _ = replies.send(FromHandler::Failed(cause));
            waker.wake();
        }
    })?;
    Ok(())
}

fn run(handler: Handler, around: &Around) -> Result<(), StopCause> {
    let Handler { job, script, timeout_ns, on_error, tell, sink, deliveries, replies, waker } = handler;
    let mut work = Work {
        roles: HandlerRoles::load(&job, script.as_ref(), timeout_ns, around)?,
        on_error,
        tell,
        sink,
        lost: 0,
        puts: Vec::new(),
        count: 0,
        group_ns: monotonic_ns(),
        now_ns: 0,
        replies,
        waker,
    };
    work.roles.start()?;
    let puts = work.roles.take_puts(TaskId::ROOT, PutBy::Start);
    work.reply(FromHandler::Started { puts: Puts { tasks: puts, ..Puts::default() } });
    for row in work.roles.take_rows() {
        work.write(&row)?;
    }
    work.commit()?;
    while let Ok(message) = deliveries.recv() {
        match message {
            ToHandler::Deliver(batch) => {
                work.now_ns = monotonic_ns();
                for delivery in batch {
                    work.handle(delivery)?;
                }
                if deliveries.is_empty() {
                    work.commit()?;
                }
            }
            ToHandler::Finish(summary) => {
                work.commit()?;
                let finish = work.roles.finish(&summary)?;
                return work.close(finish);
            }
            ToHandler::Remember(_) | ToHandler::Known { .. } | ToHandler::SourceEnded { .. } => {}
            ToHandler::Flush => work.commit()?,
            ToHandler::Close(_) => {
                work.commit()?;
                return work.close(None);
            }
        }
    }
    Ok(())
}

/// The state of the thread.
struct Work {
    roles: HandlerRoles,
    on_error: OnError,
    tell: Box<dyn Fn(Event) + Send>,
    sink: Option<Sink>,
    /// Rows that nobody reads any more.
    lost: u64,
    /// Put since the last commit.
    puts: Vec<Task>,
    /// Handled since the last commit.
    count: usize,
    group_ns: u64,
    /// The last reading of the clock.
    now_ns: u64,
    replies: Sender<FromHandler>,
    waker: Waker,
}

impl Work {
    fn handle(&mut self, delivery: Delivery) -> Result<(), StopCause> {
        let id = delivery.id;
        let (effects, delivery) = split(delivery);
        if let Some(mut effects) = effects {
            for (n, put) in effects.puts.iter_mut().enumerate() {
                put.id = TaskId::child(id, PutBy::Worker, n as u64);
            }
            self.puts.append(&mut effects.puts);
            for row in &effects.rows {
                self.write(row)?;
            }
        } else if !self.roles.has_handler()
            && let Verdict::Done(done) = &delivery.verdict
            && self.sink.is_some()
        {
            let row = row_of_result(&done.values).map_err(|error| {
                StopCause::Unwritable(format!("the result of task {id} cannot be read: {error}"))
            })?;
            if let Some(row) = row {
                self.write(&row)?;
            }
        }
        let handled = self.roles.handle(delivery, self.now_ns);
        let (mut puts, rows) = (self.roles.take_puts(id, PutBy::Handler), self.roles.take_rows());
        match handled {
            Ok(()) => {
                self.puts.append(&mut puts);
                for row in rows {
                    self.write(&row)?;
                }
            }
            Err(raised) => self.raised(*raised)?,
        }
        self.count += 1;
        // the end of one call is the start of the next
        self.now_ns = monotonic_ns();
        if u128::from(self.now_ns.saturating_sub(self.group_ns)) >= GROUP.as_nanos() {
            self.commit()?;
        }
        Ok(())
    }

    /// What the call put and emitted is gone; what it changed in `meta` before it raised stays.
    fn raised(&self, raised: Raised) -> Result<(), StopCause> {
        match self.on_error {
            OnError::Abort => Err(raised.into_cause()),
            OnError::Log => {
                let Raised { role, task, failure } = raised;
                (self.tell)(Event::HandlerRaised { role, task, failure });
                Ok(())
            }
        }
    }

    fn write(&mut self, row: &[u8]) -> Result<(), StopCause> {
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

    /// Rows to the file, then the news to the engine.
    fn commit(&mut self) -> Result<(), StopCause> {
        self.group_ns = monotonic_ns();
        if let Some(sink) = self.sink.as_mut().filter(|_| self.lost == 0) {
            let flushed = sink.flush();
            self.unless_closed(flushed)?;
        }
        if self.count > 0 || !self.puts.is_empty() {
            let puts = std::mem::take(&mut self.puts);
            let count = std::mem::take(&mut self.count);
            self.reply(FromHandler::Handled { count, puts: Puts { tasks: puts, ..Puts::default() } });
            self.reply(FromHandler::Committed { count, seq: 0 });
        }
        Ok(())
    }

    fn close(mut self, finish: Option<String>) -> Result<(), StopCause> {
        let output = match self.sink.take() {
            Some(sink) => {
                let name = sink.name().to_owned();
                let rows = sink.rows();
                let finished = if self.lost == 0 { sink.finish().map(drop) } else { Ok(()) };
                self.unless_closed(finished)?;
                Some((name, rows))
            }
            None => None,
        };
        self.roles.remove_temporary();
        self.reply(FromHandler::Closed { finish, output, lost: self.lost });
        Ok(())
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
