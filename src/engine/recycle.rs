//! Processes that are replaced though they are well: after so many attempts, at some age or size, or when a task asks.
//!
//! The old process takes nothing new, gives back what it has not started, and ends with its last running task. It
//! leaves the pool at once: a new process takes its place as soon as there is work for it.

use crate::engine::seats::Phase;
use crate::engine::stop::Mode;
use crate::engine::words::{count, duration, size};
use crate::engine::{Action, Engine, WorkerId};
use crate::model::event::Event;

impl Engine {
    /// What is held is what the process still may do, so nothing is recalled.
    pub(super) fn retire_if_spent(&mut self, worker: WorkerId) {
        if self.seats.get_mut(worker).is_some_and(|seat| seat.left == 0 && !seat.retiring) {
            let tasks = self.config.recycle.tasks.unwrap_or(0).max(1);
            self.begin_to_retire(worker, format!("after {}", count(tasks, "task")));
        }
    }

    /// A task that it was sent came back unstarted.
    pub(super) fn allow_another(&mut self, worker: WorkerId) {
        if self.config.recycle.tasks.is_some()
            && let Some(seat) = self.seats.get_mut(worker)
        {
            seat.left += 1;
        }
    }

    pub(super) fn retire_aged(&mut self) {
        let Some(lifetime_ns) = self.config.recycle.lifetime_ns else { return };
        for worker in self.seats.numbers() {
            let Some(seat) = self.seats.get_mut(worker) else { break };
            if seat.lifetime_ends(&self.config).is_some_and(|due_ns| due_ns <= self.now_ns) {
                self.retire(worker, format!("after {}", duration(lifetime_ns)));
            }
        }
    }

    pub(super) fn weighed(&mut self, worker: WorkerId, bytes: u64) {
        if self.config.recycle.memory.is_some_and(|most| bytes > most) {
            self.retire(worker, format!("at {} of memory", size(bytes)));
        }
    }

    pub(super) fn retire(&mut self, worker: WorkerId, why: String) {
        self.begin_to_retire(worker, why);
        if let Some(seat) = self.seats.get_mut(worker)
            && seat.retiring
            && seat.phase == Phase::Running
            && !seat.held.is_empty()
            && !seat.recalling
        {
            seat.recalling = true;
            self.actions.push(Action::Recall { worker });
        }
    }

    fn begin_to_retire(&mut self, worker: WorkerId, why: String) {
        let Some(seat) = self.seats.get_mut(worker) else { return };
        if self.mode != Mode::Open || seat.phase != Phase::Running || seat.retiring {
            return;
        }
        seat.retiring = true;
        if !std::mem::replace(&mut seat.spare, true) {
            self.spares += 1;
        }
        self.actions.push(Action::Report(Event::WorkerRecycled { worker, why }));
    }

    /// The process of a seat is gone. Suspects that it left get one more process of their own there.
    pub(super) fn end_spare(&mut self, worker: WorkerId) {
        if let Some(seat) = self.seats.get_mut(worker)
            && seat.phase == Phase::Empty
            && seat.suspects.is_empty()
            && std::mem::take(&mut seat.spare)
        {
            self.spares -= 1;
        }
    }
}
