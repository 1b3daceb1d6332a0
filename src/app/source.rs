//! The thread of the source: a built-in one, or the `tasks` role; and what a resumed run leaves out of it.

use std::cell::RefCell;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::known::Left;
use crate::engine::drive::SourceEnd;
use crate::lua::state::Around;
use crate::model::{Failure, StopCause, Task};
use crate::os::handoff::Handoff;
use crate::plan::{Job, Source, TasksPlan};
use crate::source::{self, SourceError, TaskSource, script};

/// A source that is open, with its first tasks; so that a file that cannot be read is told before anything is forked.
pub enum Opened {
    /// A built-in one.
    BuiltIn {
        /// What gives the rest.
        source: Box<dyn TaskSource>,
        /// The first tasks.
        first: Vec<Task>,
        /// Whether there may be more.
        more: bool,
    },
    /// The `tasks` role, which begins when its thread does.
    Script,
    /// It has no task, which is no mistake on a resume.
    Empty,
    /// It gave all that it has in earlier sessions, and all of that has ended.
    Ended {
        /// How many tasks it gave.
        given: u64,
    },
}

/// Opens the source of a plan.
///
/// # Errors
/// When it cannot be opened, or has no task.
pub fn open(plan: &TasksPlan, job: &Job) -> Result<Opened, SourceError> {
    if matches!(plan.source, Source::Script(_)) {
        return Ok(Opened::Script);
    }
    let mut source = source::open(plan, job)?;
    let mut first = Vec::new();
    let more = source.next_batch(&mut first, usize::MAX)?;
    Ok(Opened::BuiltIn { source, first, more })
}

/// As [`open`], for a run that goes on.
///
/// # Errors
/// When it cannot be opened.
pub fn open_again(plan: &TasksPlan, job: &Job) -> Result<Opened, SourceError> {
    match open(plan, job) {
        Err(error) if error.is_of_nothing() => Ok(Opened::Empty),
        opened => opened,
    }
}

/// What the thread needs besides the source.
pub struct Thread {
    /// `[tasks]`
    pub plan: TasksPlan,
    /// The job.
    pub job: Job,
    /// Where tasks go.
    pub handoff: Handoff<Task, SourceEnd>,
    /// How many may wait there.
    pub room: usize,
    /// What earlier sessions have done with its tasks.
    pub left: Left,
}

/// Hears that the source is the one of the earlier sessions, or is not; nothing when that takes long.
pub type Checked = Receiver<Result<(), StopCause>>;

/// Starts the thread.
///
/// # Errors
/// No thread can be made.
pub fn spawn(
    opened: Opened,
    thread: Thread,
    around: impl FnOnce() -> Around + Send + 'static,
) -> io::Result<Checked> {
    let (tell, checked) = bounded(1);
    std::thread::Builder::new().name("source".into()).spawn(move || {
        let Thread { plan, job, handoff, room, left } = thread;
        let end = catch_unwind(AssertUnwindSafe(|| {
            let mut giving = Giving { handoff: handoff.clone(), left, room, given: 0, tell: Some(tell) };
            let end = match opened {
                Opened::BuiltIn { source, first, more } => built_in(source, first, more, &mut giving),
                Opened::Script => return generated(&plan, &job, &around(), giving),
                Opened::Empty => Ok(0),
                Opened::Ended { given } => {
                    giving.tell(Ok(()));
                    return Ok(given);
                }
            };
            giving.end(end)
        }));
        handoff.end(end.unwrap_or_else(|_| Err(StopCause::Bug("the source's thread panicked".into()))));
    })?;
    Ok(checked)
}

/// Tasks on their way from the source to the engine.
struct Giving {
    handoff: Handoff<Task, SourceEnd>,
    left: Left,
    room: usize,
    /// New ones so far.
    given: usize,
    tell: Option<Sender<Result<(), StopCause>>>,
}

/// Nobody wants more, or the source is not what it was.
enum Over {
    Closed,
    Fault(StopCause),
}

impl Giving {
    fn batch(&mut self, batch: &mut Vec<Task>) -> Result<(), Over> {
        self.left.drop_ended(batch).map_err(Over::Fault)?;
        self.told(batch.len());
        if batch.is_empty() {
            return Ok(());
        }
        self.handoff.append(batch).map_err(|_| Over::Closed)
    }

    fn one(&mut self, task: Task) -> Result<(), Over> {
        if self.left.has_ended(&task).map_err(Over::Fault)? {
            return Ok(());
        }
        self.told(1);
        self.handoff.push(task).map_err(|_| Over::Closed)
    }

    /// Before there is so much that it waits: those who wait for the check would wait for ever.
    fn told(&mut self, new: usize) {
        self.given += new;
        if self.tell.is_some() && (self.given >= self.room || !self.left.waits()) {
            self.tell(Ok(()));
        }
    }

    fn tell(&mut self, checked: Result<(), StopCause>) {
        if let Some(tell) = self.tell.take() {
            // the receiver is gone when nobody waits
            let _ = tell.send(checked);
        }
    }

    /// How the source ended: a list that got shorter is a mistake like one that was changed.
    fn end(&mut self, end: SourceEnd) -> SourceEnd {
        let end = match end {
            Ok(given) => self.left.end(given),
            fault => fault,
        };
        self.tell(end.clone().map(drop));
        end
    }
}

fn built_in(
    mut source: Box<dyn TaskSource>,
    mut batch: Vec<Task>,
    mut more: bool,
    giving: &mut Giving,
) -> SourceEnd {
    let mut given = 0;
    loop {
        given += batch.len() as u64;
        match giving.batch(&mut batch) {
            Ok(()) if more => {}
            // nobody asks how it ended when it is closed
            Ok(()) | Err(Over::Closed) => return Ok(given),
            Err(Over::Fault(cause)) => return Err(cause),
        }
        more = match source.next_batch(&mut batch, usize::MAX) {
            Ok(more) => more,
            Err(error) => {
                // what came before the fault is good
                let _ = giving.batch(&mut batch);
                return Err(StopCause::Broken(format!("the tasks cannot be read any further: {error}")));
            }
        };
    }
}

fn generated(plan: &TasksPlan, job: &Job, around: &Around, giving: Giving) -> SourceEnd {
    let Source::Script(script) = &plan.source else { return Ok(0) };
    let again = giving.left.is_resumed();
    let (giving, fault) = (Rc::new(RefCell::new(giving)), Rc::new(RefCell::new(None)));
    let take = {
        let (giving, fault) = (Rc::clone(&giving), Rc::clone(&fault));
        Box::new(move |task| match giving.borrow_mut().one(task) {
            Ok(()) => true,
            Err(Over::Closed) => false,
            Err(Over::Fault(cause)) => {
                *fault.borrow_mut() = Some(cause);
                false
            }
        })
    };
    let ended = script::generate(plan, script, job, around, take);
    let end = match (fault.take(), ended) {
        (Some(cause), _) => Err(cause),
        (None, Ok(count)) if count <= plan.skip && !again => Err(StopCause::Empty(match count {
            0 => format!("role `tasks` of {} put no task", script.name),
            count => {
                format!("role `tasks` of {} put {count} tasks, and `skip` leaves none of them", script.name)
            }
        })),
        (None, Ok(count)) => Ok(count.saturating_sub(plan.skip).min(plan.limit.unwrap_or(u64::MAX))),
        (None, Err(Failure { message, traceback, .. })) => {
            let at =
                traceback.unwrap_or_default().lines().map(|line| format!("\n    {line}")).collect::<String>();
            Err(StopCause::Broken(format!("role `tasks` raised: {message}{at}")))
        }
    };
    giving.borrow_mut().end(end)
}
