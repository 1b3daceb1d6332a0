//! The worker's side: processes whose threads take tasks, and what they tell.

use std::collections::{BTreeMap, VecDeque};

use super::job::hits;
use super::{Happening, LATENCY, MS, PATIENCE, World};
use crate::engine::WorkerId;
use crate::model::{Handle, TaskId};

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Message {
    Tasks(Vec<(Handle, TaskId, u32)>),
    Recall,
    Stop,
    Die(String),
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Says {
    Ended(Handle, u64),
    Saved(Handle, u64),
    Returned(Vec<Handle>),
    Gone(Vec<Handle>, String),
}

/// A worker process; the number is unique, a seat has many one after the other.
#[derive(Debug)]
pub(super) struct Process {
    pub seat: WorkerId,
    pub alive: bool,
    pub queue: VecDeque<(Handle, TaskId, u32)>,
    pub running: BTreeMap<Handle, TaskId>,
    /// The last that ended: a dead worker's slots may still show it.
    pub last_ended: Option<Handle>,
    /// The engine has killed it for an attempt that did not end.
    pub timed_out: bool,
    /// Tasks that it was sent and has not given back.
    pub taken: u64,
}

impl World {
    // --- the worker's side ---

    pub(super) fn hear(&mut self, number: u64, message: Message) {
        let process = &mut self.processes[number as usize];
        if !process.alive {
            return;
        }
        match message {
            Message::Tasks(tasks) => {
                process.queue.extend(tasks);
                self.pull(number);
            }
            Message::Recall => {
                let back = process.queue.drain(..).map(|(handle, ..)| handle).collect();
                self.tell(number, Says::Returned(back));
            }
            Message::Stop => self.die(number, "ended".into()),
            Message::Die(death) => self.die(number, death),
        }
    }

    /// Free threads take the next tasks.
    fn pull(&mut self, number: u64) {
        loop {
            let process = &mut self.processes[number as usize];
            if process.running.len() >= self.job.threads {
                return;
            }
            let Some((handle, id, attempt)) = process.queue.pop_front() else { return };
            process.running.insert(handle, id);
            let alone = process.running.len() == 1 && process.queue.is_empty();
            let starts = self.starts.entry(id).or_default();
            *starts += 1;
            let counted = *starts == attempt;
            self.law(counted, "an attempt is the number of starts");
            self.law(alone || !self.suspects.contains(&id), "a suspect runs alone");
            if id.position().is_some_and(|position| self.job.hangs(position)) {
                let late = self.random.below(5 * MS);
                self.at(self.now + 2 * PATIENCE + late, Happening::Overdue(number, handle));
                continue;
            }
            let lasts = self.duration(id);
            if hits(self.job.save_each, id.bits() as u64) {
                for part in 0..3 {
                    let after = part * self.random.below(lasts);
                    self.at(self.now + after, Happening::Saves(number, handle));
                }
            }
            self.at(self.now + lasts, Happening::TaskEnds(number, handle, lasts));
        }
    }

    fn duration(&mut self, id: TaskId) -> u64 {
        let lasts = self.job.task_ns + self.random.below(self.job.task_ns);
        let (each, slow_ns) = self.job.slow_each.unzip();
        if id.position().is_some_and(|position| hits(each, position)) {
            slow_ns.unwrap_or(lasts)
        } else {
            lasts
        }
    }

    pub(super) fn task_ends(&mut self, number: u64, handle: Handle, lasted: u64) {
        let process = &mut self.processes[number as usize];
        let Some(id) = process.running.get(&handle).copied().filter(|_| process.alive) else { return };
        if id.position().is_some_and(|position| self.job.poison.contains(&position)) {
            return self.die(number, "was killed by signal 11 (SIGSEGV)".into());
        }
        process.running.remove(&handle);
        process.last_ended = Some(handle);
        self.tell(number, Says::Ended(handle, lasted));
        self.pull(number);
    }

    pub(super) fn task_saves(&mut self, number: u64, handle: Handle) {
        let process = &self.processes[number as usize];
        if process.alive && process.running.contains_key(&handle) {
            self.saves += 1;
            let state = u64::from(self.life) << 32 | self.saves;
            self.tell(number, Says::Saved(handle, state));
        }
    }

    pub(super) fn die(&mut self, number: u64, death: String) {
        let process = &mut self.processes[number as usize];
        process.alive = false;
        let running = process.running.keys().copied().collect();
        self.at(self.now + 5 * LATENCY, Happening::FromWorker(number, Says::Gone(running, death)));
    }

    fn tell(&mut self, number: u64, says: Says) {
        self.at(self.now + LATENCY, Happening::FromWorker(number, says));
    }
}
