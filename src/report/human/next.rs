//! The command to type next.

use crate::model::StopCause;
use crate::model::event::Summary;
use crate::report::Kept;

/// What helps after this end of a durable run; nothing when all is well.
pub(super) fn of_kept(kept: &Kept, summary: &Summary) -> Option<String> {
    let Kept { resume, show } = kept;
    match &summary.stopped {
        // their sentences say what to do first
        Some(StopCause::Empty(_) | StopCause::Changed(_)) => None,
        Some(_) => Some(resume.clone()),
        None => (summary.counts.failed > 0).then(|| format!("{show} --failed  ·  {resume} --retry-failed")),
    }
}

/// What helps after this end of the run that `command` started; nothing when all is well.
pub(super) fn command(command: &str, summary: &Summary) -> Option<String> {
    match &summary.stopped {
        Some(StopCause::Deadline(ns)) => {
            let twice = jiff::SignedDuration::from_nanos(i64::try_from(ns.saturating_mul(2)).ok()?);
            let twice = format!("{twice:#}").replace(' ', "");
            Some(format!("{command} --set run.deadline={twice}"))
        }
        Some(StopCause::Aborted { .. }) => Some(format!("{command} -j 1 -v")),
        _ => (summary.counts.failed > 0).then(|| format!("{command} -j 1 -v")),
    }
}
