//! Giving out tasks under limits: one to each free thread, never ahead, so that what is granted is what starts.

use crate::engine::entry::At;
use crate::engine::seats::Phase;
use crate::engine::stop::Mode;
use crate::engine::{Action, Engine, WorkerId};
use crate::model::Handle;

impl Engine {
    pub(super) fn dispatch_limited(&mut self) {
        for worker in self.seats.numbers() {
            self.fill_free_threads(worker);
        }
        self.start_for_limited();
    }

    fn fill_free_threads(&mut self, worker: WorkerId) {
        let (threads, now_ns) = (self.config.threads, self.now_ns);
        let Some(seat) = self.seats.get_mut(worker).filter(|seat| seat.accepts()) else { return };
        let mut sent = Vec::new();
        for _ in 0..seat.idle(threads) {
            let tasks = &self.tasks;
            let is_ready = |handle| tasks.get(handle).is_some_and(|entry| entry.at == At::Ready);
            let Some(handle) = self.limits.next(now_ns, is_ready) else { break };
            let Some(entry) = self.tasks.get_mut(handle) else { break };
            entry.at = At::Held(worker);
            entry.place = seat.hold(handle, entry.task.args.len(), now_ns);
            sent.push(handle);
        }
        if !sent.is_empty() {
            self.actions.push(Action::Send { worker, tasks: sent });
            self.retire_if_spent(worker);
        }
    }

    /// Starts workers for what may start and finds no free thread.
    fn start_for_limited(&mut self) {
        let threads = self.config.threads;
        let coming = self.seats.iter().filter(|seat| seat.phase == Phase::Starting).count() * threads;
        let most = self.seats.vacancies(self.config.processes, self.now_ns) * threads;
        if most > 0 {
            let wanted = self.limits.could_start(self.now_ns, coming + most);
            self.start_up_to(wanted.saturating_sub(coming).div_ceil(threads));
        }
    }

    /// Also when nothing can be given out, so that no deadline lies in the past.
    pub(super) fn wake_limits(&mut self) {
        if self.mode == Mode::Open && !self.limits.is_empty() {
            self.limits.wake_due(self.now_ns);
        }
    }

    /// A process is gone that held these.
    pub(super) fn give_back_all(&mut self, held: &[Handle]) {
        for handle in held {
            if let Some(entry) = self.tasks.get(*handle) {
                self.limits.give_back(entry.lane, self.now_ns);
            }
        }
    }
}
