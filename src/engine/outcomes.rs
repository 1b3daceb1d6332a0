//! Attempts end, tasks are delivered.

use crate::engine::backlog::Kind;
use crate::engine::entry::{At, End, verdict_bytes};
use crate::engine::seats::Phase;
use crate::engine::{Action, Engine, Kill, WorkerId};
use crate::model::{Delivery, Handle, Outcome, Verdict};

impl Engine {
    pub(super) fn outcomes(&mut self, worker: WorkerId, outcomes: Vec<Outcome>) {
        if !self.seats.get_mut(worker).is_some_and(|seat| seat.is_heard()) {
            return;
        }
        let (mut count, mut total_ns) = (0, 0_u64);
        self.out.reserve(outcomes.len());
        for Outcome { handle, elapsed_ns, verdict } in outcomes {
            if !self.release(worker, handle) {
                self.violated(worker, "it sent the outcome of a task that it does not hold".into());
                break;
            }
            count += 1;
            total_ns = total_ns.saturating_add(elapsed_ns);
            self.times.record(elapsed_ns);
            match verdict {
                Verdict::Failed(failure) => self.failed(handle, worker, elapsed_ns, failure),
                verdict => self.end(handle, End { worker, elapsed_ns, verdict }),
            }
        }
        if count > 0
            && let Some(seat) = self.seats.get_mut(worker)
        {
            seat.ended += count as u64;
            seat.progress_ns = self.now_ns;
            seat.failures = 0;
            seat.window.ended(count, total_ns);
            self.breaker.reset();
        }
    }

    /// Takes a task that started out of the worker's hands; false when the worker does not hold it.
    fn release(&mut self, worker: WorkerId, handle: Handle) -> bool {
        let Some(entry) = self.tasks.get_mut(handle) else { return false };
        if entry.at != At::Held(worker) {
            return false;
        }
        entry.starts += 1;
        self.let_go(worker, handle);
        true
    }

    /// Takes a task off its seat's list. What becomes of it is the caller's.
    pub(super) fn let_go(&mut self, worker: WorkerId, handle: Handle) {
        let (Some(entry), Some(seat)) = (self.tasks.get(handle), self.seats.get_mut(worker)) else { return };
        let (place, lane) = (entry.place, entry.lane);
        seat.held_bytes -= entry.task.args.len();
        seat.held.swap_remove(place as usize);
        if let Some(moved) = seat.held.get(place as usize)
            && let Some(moved) = self.tasks.get_mut(*moved)
        {
            moved.place = place;
        }
        seat.solo.take_if(|solo| *solo == handle);
        if !self.limits.is_empty() {
            self.limits.give_back(lane, self.now_ns);
        }
    }

    /// A task has ended for good: delivers it, in its turn.
    pub(super) fn end(&mut self, handle: Handle, end: End) {
        self.tally.ended += 1;
        self.tally.ended_failed += u64::from(matches!(end.verdict, Verdict::Failed(_)));
        if !self.limits.is_empty()
            && let Some(entry) = self.tasks.get(handle)
        {
            self.limits.leave(entry.lane, self.now_ns);
        }
        if !self.config.ordered {
            self.hand_over(handle, end);
        } else if self.order.next() == Some(handle) {
            self.order.advance();
            self.hand_over(handle, end);
            self.release_parked();
        } else if let Some(entry) = self.tasks.get_mut(handle) {
            entry.at = At::Parked;
            entry.place = self.order.park(end);
        }
    }

    fn release_parked(&mut self) {
        while let Some(handle) = self.order.next()
            && let Some(entry) = self.tasks.get(handle).filter(|entry| entry.at == At::Parked)
            && let Some(end) = self.order.unpark(entry.place)
        {
            self.order.advance();
            self.hand_over(handle, end);
        }
    }

    fn hand_over(&mut self, handle: Handle, end: End) {
        let Some(entry) = self.tasks.remove(handle) else { return };
        let End { worker, elapsed_ns, verdict } = end;
        let kind = Kind::of(&verdict);
        let bytes = entry.task.args.len();
        self.bytes -= bytes;
        let left = self.belongings.end(entry.task.id);
        self.tally.again += u64::from(kind != Kind::Failed && entry.starts > 1);
        if self.handler_gone {
            return;
        }
        let key = entry.task.options.and_then(|options| options.key);
        // that of a put is kept with the put
        let keyed = key.is_some() && entry.seq.is_none();
        if let Some(key) = &key {
            if keyed {
                self.keys.end(key);
            }
            self.cancels.end(key, handle);
        }
        self.backlog.push(bytes + verdict_bytes(&verdict), kind, keyed);
        self.out.push(Delivery {
            id: entry.task.id,
            seq: entry.seq,
            args: entry.task.args,
            key,
            attempt: entry.starts,
            worker,
            left,
            elapsed_ns,
            verdict,
        });
    }

    /// A task goes on whose attempt is over.
    pub(super) fn remember(&mut self, handle: Handle) {
        if !self.handler_gone
            && let Some(entry) = self.tasks.get(handle)
        {
            self.remember.push(entry.tried());
        }
    }

    /// What is to be remembered goes first, though no task is in both.
    pub(super) fn deliver(&mut self) {
        self.keep_states();
        if !self.remember.is_empty() {
            self.actions.push(Action::Remember(std::mem::take(&mut self.remember)));
        }
        if !self.out.is_empty() {
            self.actions.push(Action::Deliver(std::mem::take(&mut self.out)));
        }
    }

    /// A worker that breaks the protocol is not listened to any more.
    pub(super) fn violated(&mut self, worker: WorkerId, what: String) {
        let Some(seat) = self.seats.get_mut(worker) else { return };
        if matches!(seat.phase, Phase::Running | Phase::Stopping) {
            let why = Kill::Violation(what);
            seat.phase = Phase::Killed(why.clone());
            self.actions.push(Action::KillWorker { worker, why });
        }
    }
}
