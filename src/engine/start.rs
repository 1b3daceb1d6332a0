//! Processes take their seats.

use crate::engine::seats::Phase;
use crate::engine::stop::Mode;
use crate::engine::{Action, Engine, Kill, StartFailure, WorkerId};
use crate::model::StopCause;
use crate::model::event::Event;

impl Engine {
    pub(super) fn worker_started(&mut self, worker: WorkerId, pid: i32) {
        let is_killing = self.mode == Mode::Killing;
        let Some(seat) = self.seats.get_mut(worker).filter(|seat| seat.phase == Phase::Starting) else {
            return;
        };
        seat.occupy(pid, &self.config, self.now_ns);
        self.actions.push(Action::Report(Event::WorkerStarted { worker, pid }));
        if is_killing {
            seat.phase = Phase::Killed(Kill::Stop);
            self.actions.push(Action::KillWorker { worker, why: Kill::Stop });
        }
    }

    pub(super) fn start_failed(&mut self, worker: WorkerId, failure: StartFailure) {
        let Some(seat) = self.seats.get_mut(worker) else { return };
        match seat.phase {
            Phase::Starting => seat.phase = Phase::Empty,
            Phase::Running => {
                seat.phase = Phase::Killed(Kill::Start);
                self.actions.push(Action::KillWorker { worker, why: Kill::Start });
            }
            _ => return,
        }
        match failure {
            StartFailure::NoProcess(reason) => {
                self.count_start_failure(worker, &format!("could not be started: {reason}"), None);
            }
            StartFailure::Script(reason) => self.stop(StopCause::Broken(reason)),
        }
    }
}
