//! The ladder of a stop: drain, then kill.

use crate::engine::seats::Phase;
use crate::engine::{Action, Engine, Kill};
use crate::model::StopCause;
use crate::model::event::Event;
use crate::plan::MaxFail;

/// Finished tasks before a percentage says anything.
const ENOUGH_FOR_PERCENT: u64 = 100;

/// Where the run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Open,
    /// Nothing is left to do; workers run their exit roles.
    Ending,
    /// Nothing new starts; killed at `until_ns`.
    Draining {
        until_ns: Option<u64>,
    },
    /// Everything is being killed.
    Killing,
    Finished,
}

impl Engine {
    pub(super) fn stop(&mut self, cause: StopCause) {
        let until_ns = self.now_ns.saturating_add(self.config.times.grace_ns);
        match (self.mode, &cause) {
            (Mode::Open | Mode::Ending, StopCause::Unwritable(_) | StopCause::Bug(_)) => {
                self.begin_stop(cause, None);
                self.kill_all();
            }
            // Tasks that fail a run too often are not what holds it up: the running ones end in their own time.
            (Mode::Open | Mode::Ending, StopCause::MaxFail { .. }) => self.begin_stop(cause, None),
            (Mode::Open | Mode::Ending, _) => self.begin_stop(cause, Some(until_ns)),
            // The person's first word, though not the run's.
            (Mode::Draining { until_ns: None }, StopCause::Signal(_)) => {
                self.mode = Mode::Draining { until_ns: Some(until_ns) };
            }
            (Mode::Draining { .. }, StopCause::Signal(_) | StopCause::Unwritable(_) | StopCause::Bug(_)) => {
                self.kill_all();
            }
            (Mode::Draining { .. } | Mode::Killing | Mode::Finished, _) => {}
        }
    }

    fn begin_stop(&mut self, cause: StopCause, until_ns: Option<u64>) {
        self.mode = Mode::Draining { until_ns };
        self.stopped = Some(cause.clone());
        let running = self.seats.held() as u64;
        self.actions.push(Action::Report(Event::Stopping { cause, running }));
        self.recall_all();
    }

    fn kill_all(&mut self) {
        self.mode = Mode::Killing;
        for seat in self.seats.iter_mut() {
            if matches!(seat.phase, Phase::Running | Phase::Stopping) {
                seat.phase = Phase::Killed(Kill::Stop);
                self.actions.push(Action::KillWorker { worker: seat.number, why: Kill::Stop });
            }
        }
    }

    /// Nothing can be committed any more, so nothing is worth running.
    pub(super) fn lose_handler(&mut self) {
        self.handler_gone = true;
        self.backlog.abandon();
        self.out.clear();
        self.remember.clear();
        if self.stopped.is_none() {
            self.stop(StopCause::Broken("the handler has ended".into()));
        }
        if self.mode != Mode::Killing {
            self.kill_all();
        }
    }

    pub(super) fn check_failures(&mut self) {
        let (failed, ended) = (self.tally.ended_failed, self.tally.ended);
        if self.mode != Mode::Open || failed == 0 {
            return;
        }
        let too_many = match self.config.max_fail {
            None => false,
            Some(MaxFail::Count(limit)) => failed >= limit,
            #[expect(clippy::cast_precision_loss, reason = "a percentage of 2^53 tasks is exact enough")]
            Some(MaxFail::Percent(limit)) => {
                ended >= ENOUGH_FOR_PERCENT && failed as f64 * 100.0 >= limit * ended as f64
            }
        };
        if too_many {
            self.stop(StopCause::MaxFail { failed });
        }
    }

    pub(super) fn check_deadlines(&mut self) {
        match self.mode {
            Mode::Draining { until_ns: Some(until_ns) } if until_ns <= self.now_ns => self.kill_all(),
            Mode::Draining { .. } | Mode::Ending => self.kill_overdue(),
            Mode::Open => self.check_open_deadlines(),
            Mode::Killing | Mode::Finished => {}
        }
    }

    fn check_open_deadlines(&mut self) {
        self.retire_aged();
        if self.spares > 0 {
            self.kill_overdue();
        }
        if let Some(deadline_ns) = self.config.deadline_ns
            && self.run_deadline().is_some_and(|due_ns| due_ns <= self.now_ns)
        {
            self.stop(StopCause::Deadline(deadline_ns));
        }
    }

    /// When the run's time is over.
    pub(super) fn run_deadline(&self) -> Option<u64> {
        self.config.deadline_ns.map(|deadline_ns| self.started_ns.saturating_add(deadline_ns))
    }

    fn kill_overdue(&mut self) {
        let now_ns = self.now_ns;
        for seat in
            self.seats.iter_mut().filter(|seat| seat.until_ns.is_some_and(|until_ns| until_ns <= now_ns))
        {
            if seat.phase == Phase::Stopping {
                seat.phase = Phase::Killed(Kill::Overdue);
                self.actions.push(Action::KillWorker { worker: seat.number, why: Kill::Overdue });
            }
        }
    }
}
