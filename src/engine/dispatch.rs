//! Which worker gets how many of the ready tasks.

use crate::engine::entry::At;
use crate::engine::seats::{Phase, Seat};
use crate::engine::stop::Mode;
use crate::engine::{Action, Engine, WorkerId};
use crate::model::Handle;

/// Bytes of arguments that lie in a worker at most, beyond one task a thread.
const LARGEST_BYTES: usize = 16 << 20;

impl Engine {
    /// Gives out what may start. The end of every step.
    pub(super) fn dispatch(&mut self) {
        if self.mode != Mode::Open {
            return;
        }
        if self.suspects > 0 {
            self.dispatch_suspects();
        }
        if self.backlog.is_full() {
            return;
        }
        if self.order.is_full() {
            self.dispatch_next_in_order();
        } else if !self.limits.is_empty() {
            self.dispatch_limited();
        } else if self.ready.len() == 0 {
            self.recall_waiting();
        } else {
            self.share_out();
            self.start_workers();
        }
    }

    /// Shares the ready tasks by free capacity. When there are not even enough for every idle thread, only idle
    /// threads get any: no task then waits behind another while a thread sleeps.
    fn share_out(&mut self) {
        let threads = self.config.threads;
        let ready = self.ready.len();
        let (mut idle, mut room) = (0, 0);
        for seat in self.seats.iter().filter(|seat| seat.accepts()) {
            idle += seat.idle(threads);
            room += seat.room();
        }
        let few = ready <= idle;
        let capacity = if few { idle } else { room };
        for worker in self.seats.numbers() {
            let Some(seat) = self.seats.get_mut(worker) else { break };
            let free = match few {
                _ if !seat.accepts() => 0,
                true => seat.idle(threads),
                false if seat.window.wants(seat.held.len()) => seat.room(),
                false => 0,
            };
            if free > 0 {
                let share = if ready >= capacity { free } else { (ready * free).div_ceil(capacity) };
                self.fill(worker, share);
            }
        }
    }

    /// Sends up to `count` ready tasks.
    fn fill(&mut self, worker: WorkerId, count: usize) {
        let threads = self.config.threads;
        let count = count.min(self.ready.len());
        let Some(seat) = self.seats.get_mut(worker) else { return };
        let mut sent = Vec::with_capacity(count);
        while sent.len() < count && (seat.held_bytes < LARGEST_BYTES || seat.held.len() < threads) {
            let tasks = &self.tasks;
            let is_ready = |handle| tasks.get(handle).is_some_and(|entry| entry.at == At::Ready);
            let Some(handle) = self.ready.pop(is_ready) else { break };
            let Some(entry) = self.tasks.get_mut(handle) else { break };
            entry.at = At::Held(worker);
            entry.place = seat.hold(handle, entry.task.args.len(), self.now_ns);
            sent.push(handle);
        }
        if !sent.is_empty() {
            self.actions.push(Action::Send { worker, tasks: sent });
            self.retire_if_spent(worker);
        }
    }

    /// Sends one task that is not taken from the queue.
    pub(super) fn send_one(&mut self, worker: WorkerId, handle: Handle) {
        let (Some(seat), Some(entry)) = (self.seats.get_mut(worker), self.tasks.get_mut(handle)) else {
            return;
        };
        entry.at = At::Held(worker);
        entry.place = seat.hold(handle, entry.task.args.len(), self.now_ns);
        self.actions.push(Action::Send { worker, tasks: vec![handle] });
        self.retire_if_spent(worker);
    }

    /// The reorder buffer is full: only the task that everything waits for may start.
    fn dispatch_next_in_order(&mut self) {
        let Some(handle) = self.order.next() else { return };
        let Some(entry) = self.tasks.get(handle).filter(|entry| entry.at == At::Ready) else { return };
        let (lane, priority, threads) = (entry.lane, entry.priority(), self.config.threads);
        let emptiest = self.seats.iter().filter(|seat| seat.accepts()).min_by_key(|seat| seat.held.len());
        match emptiest.map(|seat| (seat.number, seat.idle(threads))) {
            Some((worker, _)) if self.limits.is_empty() => {
                self.ready.taken();
                self.send_one(worker, handle);
            }
            Some((worker, 1..)) if self.limits.take(lane, self.now_ns) => {
                self.limits.taken(priority);
                self.send_one(worker, handle);
            }
            Some(_) => {}
            None if self.seats.iter().any(|seat| seat.phase == Phase::Starting) => {}
            None => self.start_up_to(1),
        }
    }

    /// Starts workers for what the running ones cannot take at once.
    fn start_workers(&mut self) {
        let threads = self.config.threads;
        let takes = |seat: &Seat| match seat.phase {
            Phase::Starting => threads,
            _ if seat.accepts() => seat.room(),
            _ => 0,
        };
        let spare = self.seats.iter().map(takes).sum();
        let missing = self.ready.len().saturating_sub(spare);
        self.start_up_to(missing.div_ceil(threads));
    }

    pub(super) fn start_up_to(&mut self, count: usize) {
        if count == 0 {
            return;
        }
        let now_ns = self.now_ns;
        let mut left = count.min(self.seats.vacancies(self.config.processes, now_ns));
        let vacant = |seat: &&mut Seat| seat.may_start(now_ns) && !seat.spare;
        for seat in self.seats.iter_mut().filter(vacant).take(left) {
            left -= 1;
            seat.phase = Phase::Starting;
            self.actions.push(Action::StartWorker { worker: seat.number });
        }
        for _ in 0..left {
            let seat = self.seats.add(self.config.threads);
            seat.phase = Phase::Starting;
            self.actions.push(Action::StartWorker { worker: seat.number });
        }
    }
}
