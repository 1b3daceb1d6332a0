//! Tasks that wait in a worker come back when another could run them now.

use crate::engine::entry::{At, Ordered};
use crate::engine::seats::{Phase, Seat};
use crate::engine::stop::Mode;
use crate::engine::{Action, Engine, WorkerId};
use crate::model::Handle;

/// After this long without an end in a worker, its running tasks count as long: over twice what its stock should last.
pub(super) const STALL_NS: u64 = 5_000_000;

impl Engine {
    /// Nothing is ready. When a thread or a seat is idle, workers that hold much more than they should, or where all
    /// threads are in long tasks, give back what they have not started.
    pub(super) fn recall_waiting(&mut self) {
        let (threads, now_ns) = (self.config.threads, self.now_ns);
        let holds_too_much = |seat: &Seat| {
            seat.phase == Phase::Running
                && !seat.recalling
                && seat.held.len() > threads
                && (seat.is_stalled(now_ns) || seat.held.len() > 2 * seat.window.size())
        };
        if !self.seats.iter().any(holds_too_much) {
            return;
        }
        let is_idle = |seat: &Seat| seat.accepts() && seat.held.len() < threads;
        if !self.seats.iter().any(is_idle) && self.seats.vacancies(self.config.processes, now_ns) == 0 {
            return;
        }
        for seat in self.seats.iter_mut().filter(|seat| holds_too_much(seat)) {
            if seat.is_stalled(now_ns) {
                seat.window.stalled(now_ns - seat.progress_ns);
            }
            seat.recalling = true;
            self.actions.push(Action::Recall { worker: seat.number });
        }
    }

    pub(super) fn returned(&mut self, worker: WorkerId, handles: &[Handle]) {
        let Some(seat) = self.seats.get_mut(worker).filter(|seat| seat.is_heard()) else { return };
        if !std::mem::take(&mut seat.recalling) {
            return self.violated(worker, "it gave back tasks without being asked".into());
        }
        let mut back = Vec::with_capacity(handles.len());
        for &handle in handles {
            match self.tasks.get_mut(handle) {
                Some(entry) if entry.at == At::Held(worker) => {
                    entry.at = At::Ready;
                    back.push((entry.order, handle));
                    self.let_go(worker, handle);
                    self.allow_another(worker);
                }
                _ => {
                    self.violated(worker, "it gave back a task that it does not hold".into());
                    break;
                }
            }
        }
        self.put_back(back);
    }

    /// To the front of the queue, as if they had never left it.
    pub(super) fn put_back(&mut self, mut tasks: Vec<Ordered>) {
        tasks.sort_unstable();
        for &(_, handle) in tasks.iter().rev() {
            let Some(entry) = self.tasks.get_mut(handle) else { continue };
            entry.at = At::Ready;
            if self.limits.is_empty() {
                self.ready.push_front(entry.priority(), handle);
            } else {
                self.limits.push(entry.lane, entry.rank(), handle, self.now_ns);
            }
        }
    }

    /// Takes back all that has not started, for a stop.
    pub(super) fn recall_all(&mut self) {
        debug_assert_ne!(self.mode, Mode::Open);
        let busy =
            |seat: &&mut Seat| seat.phase == Phase::Running && !seat.held.is_empty() && !seat.recalling;
        for seat in self.seats.iter_mut().filter(busy) {
            seat.recalling = true;
            self.actions.push(Action::Recall { worker: seat.number });
        }
    }
}
