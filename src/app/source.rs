//! The thread of the source: a built-in one, or the `tasks` role.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

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

/// Starts the thread.
///
/// # Errors
/// No thread can be made.
pub fn spawn(
    opened: Opened,
    plan: TasksPlan,
    job: Job,
    handoff: Handoff<Task, SourceEnd>,
    around: impl FnOnce() -> Around + Send + 'static,
) -> io::Result<()> {
    std::thread::Builder::new().name("source".into()).spawn(move || {
        let end = catch_unwind(AssertUnwindSafe(|| match opened {
            Opened::BuiltIn { source, first, more } => built_in(source, first, more, &handoff),
            Opened::Script => generated(&plan, &job, &around(), &handoff),
        }));
        handoff.end(end.unwrap_or_else(|_| Err(StopCause::Bug("the source's thread panicked".into()))));
    })?;
    Ok(())
}

fn built_in(
    mut source: Box<dyn TaskSource>,
    mut batch: Vec<Task>,
    mut more: bool,
    handoff: &Handoff<Task, SourceEnd>,
) -> SourceEnd {
    loop {
        if handoff.append(&mut batch).is_err() || !more {
            return Ok(0);
        }
        more = match source.next_batch(&mut batch, usize::MAX) {
            Ok(more) => more,
            Err(error) => {
                // what came before the fault is good
                let _ = handoff.append(&mut batch);
                return Err(StopCause::Broken(format!("the tasks cannot be read any further: {error}")));
            }
        };
    }
}

fn generated(plan: &TasksPlan, job: &Job, around: &Around, handoff: &Handoff<Task, SourceEnd>) -> SourceEnd {
    let Source::Script(script) = &plan.source else { return Ok(0) };
    let take = {
        let handoff = handoff.clone();
        Box::new(move |task| handoff.push(task).is_ok())
    };
    match script::generate(plan, script, job, around, take) {
        Ok(count) if count <= plan.skip => Err(StopCause::Empty(match count {
            0 => format!("role `tasks` of {} put no task", script.name),
            count => {
                format!("role `tasks` of {} put {count} tasks, and `skip` leaves none of them", script.name)
            }
        })),
        Ok(count) => Ok(count),
        Err(Failure { message, traceback, .. }) => {
            let at =
                traceback.unwrap_or_default().lines().map(|line| format!("\n    {line}")).collect::<String>();
            Err(StopCause::Broken(format!("role `tasks` raised: {message}{at}")))
        }
    }
}
