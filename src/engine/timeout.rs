//! The hard end of attempts that do not end: after timeout and grace their worker is killed.
//!
//! The catchable stop is the worker's own. What else ran in it starts again, charged to nobody and suspected of nothing.

use crate::engine::entry::At;
use crate::engine::seats::Phase;
use crate::engine::words::duration;
use crate::engine::{Action, Engine, Kill, WorkerId};
use crate::model::{Failure, Handle};

impl Engine {
    pub(super) fn overdue(&mut self, worker: WorkerId, mut handles: Vec<Handle>) {
        handles.retain(|handle| self.tasks.get(*handle).is_some_and(|entry| entry.at == At::Held(worker)));
        let Some(seat) = self.seats.get_mut(worker).filter(|seat| seat.phase == Phase::Running) else {
            return;
        };
        if handles.is_empty() {
            return;
        }
        seat.overdue = handles;
        seat.phase = Phase::Killed(Kill::Timeout);
        self.actions.push(Action::KillWorker { worker, why: Kill::Timeout });
    }

    /// Their worker is dead: those that had not ended by then fail. How many did.
    pub(super) fn time_out(&mut self, worker: WorkerId, overdue: &[Handle]) -> usize {
        let times = self.config.times;
        let timeout_ns = times.timeout_ns.unwrap_or(0);
        let elapsed_ns = timeout_ns.saturating_add(times.grace_ns);
        let message = format!(
            "no end after {} and {} of grace; its worker was killed",
            duration(timeout_ns),
            duration(times.grace_ns)
        );
        let mut count = 0;
        for &handle in overdue {
            // `split` has marked what the worker held
            if self.tasks.get(handle).is_some_and(|entry| entry.at == At::Suspect) {
                count += 1;
                self.times.record(elapsed_ns);
                self.failed(handle, worker, elapsed_ns, Box::new(Failure::new("timeout", message.clone())));
            }
        }
        if count > 0 {
            self.breaker.reset();
        }
        count
    }
}
