//! The end: exact, never by waiting a while.

use crate::engine::entry::At;
use crate::engine::seats::{Phase, Seat};
use crate::engine::stop::Mode;
use crate::engine::{Action, Engine};
use crate::model::event::Summary;

/// For the exit roles of a worker.
const EXIT_NS: u64 = 600 * 1_000_000_000;

impl Engine {
    /// Whether the run, or its stop, is complete. The very end of every step.
    pub(super) fn settle(&mut self) {
        let is_over = self.mode == Mode::Open && self.source_ended && self.tasks.is_empty();
        if is_over && self.stored.is_empty() && self.backlog.is_empty() {
            self.mode = Mode::Ending;
        }
        self.ask_for_commit();
        if matches!(self.mode, Mode::Ending | Mode::Draining { .. }) {
            self.stop_workers(|seat| seat.phase == Phase::Running && seat.held.is_empty());
        } else if self.spares > 0 && self.mode == Mode::Open {
            self.stop_workers(Seat::is_over);
        }
        if self.mode != Mode::Open && self.backlog.is_empty() && self.seats.all_empty() {
            self.mode = Mode::Finished;
            self.keep_last_states();
            self.actions.push(Action::Finished(Box::new(self.summary())));
        }
    }

    /// When nothing can happen before the next commit, it need not wait for more.
    fn ask_for_commit(&mut self) {
        let all_waits = match self.mode {
            Mode::Open => {
                self.tasks.is_empty()
                    && (self.source_ended || !self.stored.is_empty())
                    && !self.stored.is_within_reach()
            }
            Mode::Draining { .. } | Mode::Killing => self.seats.held() == 0,
            Mode::Ending | Mode::Finished => false,
        };
        // puts beyond the reach are not committed, whoever put them
        let something_waits = !self.backlog.is_empty() || self.mode == Mode::Open && !self.stored.is_empty();
        let delivered = self.tally.ended - self.order.parked() as u64;
        let now = (delivered, self.stored.last());
        if all_waits && something_waits && self.flushed != now {
            self.flushed = now;
            self.actions.push(Action::Flush);
        }
    }

    fn stop_workers(&mut self, which: impl Fn(&Seat) -> bool) {
        for seat in self.seats.iter_mut().filter(|seat| which(seat)) {
            seat.phase = Phase::Stopping;
            seat.until_ns = Some(self.now_ns.saturating_add(EXIT_NS));
            self.actions.push(Action::StopWorker { worker: seat.number });
        }
    }

    fn summary(&self) -> Summary {
        let never = |at: At| matches!(at, At::Ready | At::Delayed | At::Suspect);
        Summary {
            counts: self.counts(),
            again: self.tally.again,
            not_started: self.stored.len()
                + self.tasks.values().filter(|task| task.starts == 0 && never(task.at)).count() as u64,
            stopped: self.stopped.clone(),
            times_ns: self.times.quantiles(),
            crashes: self.tally.crashes,
            ..Summary::default()
        }
    }
}
