//! The handler: a thread of the coordinator that sees every finished task once, in one order.
//!
//! It calls the script's `handler` and `failed`, collects what they put and emit, and tells the engine soon, so that put
//! tasks start at once. What it has handled since the last commit is a group; a second thread makes the group last, all
//! of it or nothing, and only then do its tasks count as done. See `commit` for the order of writing.
//!
//! A group is closed 50 ms after its first content (later when commits are slow), when it is large, and when nothing
//! more will come before it is committed. While commits stall, the open group grows up to a bound; then the handler
//! waits, and only then, with its backlog full, does dispatch slow down.

mod at_hand;
mod clearing;
mod commit;
mod group;
mod places;
mod roles;
mod rows;
mod work;

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::rc::Rc;

use crossbeam_channel::{Receiver, Sender};

use crate::journal::Writer;
use crate::lua::state::Around;
use crate::model::StopCause;
use crate::model::event::Event;
use crate::model::handling::{FromHandler, ToHandler};
use crate::model::job::{Job, Script};
use crate::model::policy::OnError;
use crate::os::clock::monotonic_ns;
use crate::os::wake::Waker;
use crate::output::Sink;
use clearing::Clearing;
use commit::{Committer, Tools};
use group::Open;
use places::Places;
use roles::HandlerRoles;
use work::Work;

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
    /// Where rows go; opened at `past`'s mark on a resume.
    pub sink: Option<Sink>,
    /// Where groups are kept; one of scratch keeps only what does not fit into memory.
    pub writer: Writer,
    /// What earlier sessions of the run have left.
    pub past: Past,
    /// Where tasks have their folders.
    pub dirs: PathBuf,
    /// What to handle.
    pub deliveries: Receiver<ToHandler>,
    /// What was handled.
    pub replies: Sender<FromHandler>,
    /// Wakes the loop that receives the replies.
    pub waker: Waker,
}

/// What earlier sessions of a run have left for the handler. The default is that of a new run.
#[derive(Debug, Default)]
pub struct Past {
    /// The encoded `meta` of the last group; none: that of the manifest.
    pub meta: Option<Vec<u8>>,
    /// The last place of a task that was put; 0 before the first.
    pub last_seq: u64,
    /// What `start` put and emitted is kept: it is called again, and that is dropped.
    pub started: bool,
    /// The journal has a mark of the output.
    pub has_mark: bool,
}

/// Starts the thread, and that of the committer. `around` makes, on the thread, what its state shares with others.
///
/// # Errors
/// No thread can be made.
pub fn spawn(handler: Handler, around: impl FnOnce() -> Around + Send + 'static) -> io::Result<()> {
    let Handler { job, script, timeout_ns, on_error, tell, sink, writer, past, dirs, .. } = handler;
    let Handler { deliveries, replies, waker, .. } = handler;
    let (for_panic, waker_for_panic) = (replies.clone(), waker.clone());
    let (is_durable, has_output) = (writer.is_durable(), sink.is_some());
    let (marks_first, clearing) = (!past.has_mark, Clearing::new(dirs));
    let tools = Tools { sink, writer, marks_first, clearing, replies: replies.clone(), waker: waker.clone() };
    let committer = Committer::start(tools)?;
    let begin = move || {
        let places = Rc::new(Places::new(past.last_seq, committer.sender.clone()));
        let meta = past.meta.as_deref();
        let loaded = HandlerRoles::load(&job, script.as_ref(), timeout_ns, &around(), &places, meta);
        let (roles, failure) = match loaded {
            Ok(roles) => (roles, None),
            Err(cause) => (HandlerRoles::none(), Some(cause)),
        };
        let began_ns = monotonic_ns();
        let mut work = Work {
            roles,
            on_error,
            tell,
            places,
            committer,
            is_durable,
            has_output,
            meta: past.meta.unwrap_or_default(),
            meta_is_new: false,
            meta_ns: 0,
            began_ns,
            now_ns: began_ns,
            told_ns: began_ns,
            open: Open::default(),
            replies,
            waker,
        };
        let begun = failure.map_or(Ok(()), |cause| Err(cause.into()));
        match begun.and_then(|()| work.start(past.started)) {
            Ok(()) => until_last(work, &deliveries),
            Err(broken) => work.break_off(broken),
        }
    };
    spawn_reporting(begin, for_panic, waker_for_panic)
}

fn spawn_reporting(
    begin: impl FnOnce() + Send + 'static,
    replies: Sender<FromHandler>,
    waker: Waker,
) -> io::Result<()> {
    std::thread::Builder::new().name("handler".into()).spawn(move || {
        if catch_unwind(AssertUnwindSafe(begin)).is_err() {
            // the receiver is gone only when the run is
            let _ = replies.send(FromHandler::Failed(StopCause::Bug("the handler's thread panicked".into())));
            waker.wake();
        }
    })?;
    Ok(())
}

fn until_last(mut work: Work, deliveries: &Receiver<ToHandler>) {
    let ended = loop {
        match work.next(deliveries) {
            Ok(Some(ToHandler::Finish(summary))) => break work.finish(&summary),
            Ok(Some(ToHandler::Close(summary))) => break work.stop(&summary),
            Ok(Some(message)) => {
                if let Err(broken) = work.take(message) {
                    break Err(Box::new((work, broken)));
                }
            }
            Ok(None) => return work.leave(),
            Err(broken) => break Err(Box::new((work, broken))),
        }
    };
    if let Err(undone) = ended {
        let (work, broken) = *undone;
        work.break_off(broken);
    }
}

#[cfg(test)]
mod tests;
