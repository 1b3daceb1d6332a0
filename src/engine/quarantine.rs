//! A worker is gone: exact blame for what it held.
//!
//! Tasks that were running are suspects. The seat's next process runs them one by one, each alone, before anything
//! else; a death then is that task's doing. One death in company charges nobody, not even when a single task was
//! running: it may have come from outside. Tasks that had not started go back as if nothing had been.
//!
//! Also alone, SIGKILL may come from outside. While other processes die of it too, a death by it is doubtful, and weighs
//! a fifth: tasks of a run whose workers are killed at random end, and one that kills its worker still fails.

use crate::engine::entry::{At, End, Entry, Ordered};
use crate::engine::seats::{Phase, Vacated};
use crate::engine::{Action, Death, Engine, Kill, WorkerId};
use crate::model::event::Event;
use crate::model::{Failure, Handle, Verdict};

impl Engine {
    pub(super) fn worker_gone(
        &mut self,
        worker: WorkerId,
        running: &[Handle],
        death: &Death,
        last_words: Option<String>,
    ) {
        self.clear_seat(worker, running, death, last_words);
        self.end_spare(worker);
    }

    fn clear_seat(
        &mut self,
        worker: WorkerId,
        running: &[Handle],
        death: &Death,
        last_words: Option<String>,
    ) {
        let Some(seat) = self.seats.get_mut(worker).filter(|seat| seat.phase != Phase::Empty) else { return };
        let Vacated { phase, pid, held, solo, overdue, ended } = seat.vacate();
        if !self.limits.is_empty() {
            self.give_back_all(&held);
        }
        let (started, waiting) = self.split(worker, held, running, &overdue);
        let killed = phase == Phase::Running && death.killed;
        let words = match phase {
            Phase::Killed(Kill::Timeout) => {
                let again = started.len() - self.time_out(worker, &overdue);
                self.report_exit(worker, pid, None, again);
                started.iter().for_each(|(_, handle)| self.remember_start(*handle));
                let innocent = |(_, handle): &Ordered| {
                    self.tasks.get(*handle).is_some_and(|entry| entry.at == At::Suspect)
                };
                let back = started.into_iter().filter(innocent).chain(waiting).collect();
                self.put_back(back);
                return;
            }
            Phase::Stopping | Phase::Killed(Kill::Stop | Kill::Overdue | Kill::Start) => {
                self.report_exit(worker, pid, None, 0);
                started.iter().for_each(|(_, handle)| self.remember_start(*handle));
                self.put_back(started.into_iter().chain(waiting).collect());
                return;
            }
            Phase::Killed(Kill::Violation(what)) => format!("was killed because {what}"),
            _ => death.words.clone(),
        };
        self.tally.crashes += 1;
        self.report_exit(worker, pid, Some(words.clone()), started.len());
        if ended == 0 && started.is_empty() {
            self.count_start_failure(worker, &words, last_words.as_deref());
        }
        let doubtful = killed && self.kills.are_near(worker, self.now_ns);
        if killed {
            self.kills.add(worker, self.now_ns);
        }
        match solo {
            Some(solo) if started.iter().any(|(_, handle)| *handle == solo) => {
                self.charge(worker, solo, doubtful, &words, last_words);
            }
            Some(solo) => self.suspect_first(worker, solo),
            None => {
                started.iter().for_each(|(_, handle)| self.remember_start(*handle));
                self.suspect(worker, started);
                self.put_back(waiting);
            }
        }
    }

    /// What the dead worker held, as (running, not started), in order. Running ones have used up a start.
    fn split(
        &mut self,
        worker: WorkerId,
        held: Vec<Handle>,
        running: &[Handle],
        overdue: &[Handle],
    ) -> (Vec<Ordered>, Vec<Ordered>) {
        for &handle in running.iter().chain(overdue) {
            if let Some(entry) = self.held_by(worker, handle) {
                entry.starts += 1;
                entry.at = At::Suspect;
            }
        }
        let of = |handle: Handle| self.tasks.get(handle).map(|entry| (entry.at, (entry.order, handle)));
        let mut all: Vec<(At, Ordered)> = held.into_iter().filter_map(of).collect();
        all.sort_unstable_by_key(|(_, order)| *order);
        let (started, waiting): (Vec<_>, Vec<_>) = all.into_iter().partition(|(at, _)| *at == At::Suspect);
        (
            started.into_iter().map(|(_, order)| order).collect(),
            waiting.into_iter().map(|(_, order)| order).collect(),
        )
    }

    fn held_by(&mut self, worker: WorkerId, handle: Handle) -> Option<&mut Entry> {
        self.tasks.get_mut(handle).filter(|entry| entry.at == At::Held(worker))
    }

    /// An attempt of it ended with its worker, and it is to start again.
    fn remember_start(&mut self, handle: Handle) {
        if self.tasks.get(handle).is_some_and(|entry| entry.at == At::Suspect) {
            self.remember(handle);
        }
    }

    fn suspect(&mut self, worker: WorkerId, tasks: Vec<Ordered>) {
        let Some(seat) = self.seats.get_mut(worker) else { return };
        self.suspects += tasks.len();
        seat.suspects.extend(tasks.into_iter().map(|(_, handle)| handle));
    }

    fn suspect_first(&mut self, worker: WorkerId, handle: Handle) {
        let (Some(seat), Some(entry)) = (self.seats.get_mut(worker), self.tasks.get_mut(handle)) else {
            return;
        };
        entry.at = At::Suspect;
        self.suspects += 1;
        seat.suspects.push_front(handle);
    }

    /// The task ran alone when its worker died.
    fn charge(
        &mut self,
        worker: WorkerId,
        handle: Handle,
        doubtful: bool,
        death: &str,
        last_words: Option<String>,
    ) {
        let Some(entry) = self.tasks.get_mut(handle) else { return };
        entry.crashes.add(doubtful);
        let record = entry.crashes;
        if !record.reaches(self.config.crash_limit) {
            self.remember(handle);
            return self.suspect_first(worker, handle);
        }
        let times = if record.deaths() == 1 { String::new() } else { format!(", {} times", record.deaths()) };
        let mut failure = Failure::new("crashed", format!("its worker {death}{times}"));
        failure.traceback = last_words;
        // A failed task is an end too: a job of nothing but poison is not one whose workers cannot start.
        self.breaker.reset();
        self.end(handle, End { worker: 0, elapsed_ns: 0, verdict: Verdict::Failed(Box::new(failure)) });
    }

    /// Each seat's next suspect goes to its process alone.
    pub(super) fn dispatch_suspects(&mut self) {
        let now_ns = self.now_ns;
        for worker in self.seats.numbers() {
            let Some(seat) = self.seats.get_mut(worker) else { break };
            if seat.suspects.is_empty() {
                continue;
            }
            if seat.may_start(now_ns) {
                seat.phase = Phase::Starting;
                self.actions.push(Action::StartWorker { worker });
            } else if seat.phase == Phase::Running && seat.held.is_empty() && !seat.retiring {
                let lane =
                    seat.suspects.front().and_then(|suspect| self.tasks.get(*suspect)).map(|task| task.lane);
                if !self.limits.is_empty() && lane.is_some_and(|lane| !self.limits.take(lane, now_ns)) {
                    continue;
                }
                seat.solo = seat.suspects.pop_front();
                if let Some(handle) = seat.solo {
                    self.suspects -= 1;
                    self.send_one(worker, handle);
                }
            }
        }
    }

    fn report_exit(&mut self, worker: WorkerId, pid: i32, unexpected: Option<String>, suspects: usize) {
        self.actions.push(Action::Report(Event::WorkerExited { worker, pid, unexpected, suspects }));
    }
}
