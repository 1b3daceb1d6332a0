//! Looks at the workers now and then: how long their attempts run, how much memory they use, and whether they do
//! anything at all.

use std::io;

use crate::engine::drive::Drive;
use crate::engine::{Config, Input, WorkerId};
use crate::model::Handle;
use crate::os::memory;

/// How late an overdue attempt may be found.
const OVERDUE_NS: u64 = 50_000_000;
/// How often slow attempts and memory are looked for.
const SECOND_NS: u64 = 1_000_000_000;
/// Roles that a process may run while tasks already wait in it: loading the script, `process_init`, `init`.
const ROLES: u64 = 3;

#[derive(Debug)]
pub(super) struct Watch {
    /// Timeout and grace; none: attempts may take for ever.
    hard_ns: Option<u64>,
    slow_ns: u64,
    weighs: bool,
    next_overdue_ns: u64,
    next_second_ns: u64,
}

impl Watch {
    pub fn new(config: &Config) -> Self {
        let times = config.times;
        Watch {
            hard_ns: times.timeout_ns.map(|timeout_ns| timeout_ns.saturating_add(times.grace_ns)),
            slow_ns: times.slow_ns,
            weighs: config.recycle.memory.is_some(),
            next_overdue_ns: 0,
            next_second_ns: 0,
        }
    }

    /// When to look again.
    pub fn next_ns(&self) -> Option<u64> {
        Some(if self.hard_ns.is_some() { self.next_overdue_ns } else { self.next_second_ns })
    }
}

impl Drive<'_> {
    pub(super) fn watch_workers(&mut self, now_ns: u64) -> io::Result<()> {
        if let Some(hard_ns) = self.watch.hard_ns
            && self.watch.next_overdue_ns <= now_ns
        {
            self.watch.next_overdue_ns = now_ns + OVERDUE_NS;
            self.find_overdue(now_ns, hard_ns)?;
        }
        if self.watch.next_second_ns <= now_ns {
            self.watch.next_second_ns = now_ns + SECOND_NS;
            self.find_slow(now_ns);
            self.find_idle(now_ns)?;
            if self.watch.weighs {
                self.weigh()?;
            }
        }
        Ok(())
    }

    fn find_overdue(&mut self, now_ns: u64, hard_ns: u64) -> io::Result<()> {
        for worker in 1..self.seats.len() as WorkerId {
            let Some(seat) = self.seat(worker) else { continue };
            let overdue = seat.process.slots.iter().filter_map(|slot| {
                let running = slot.running()?;
                let is_overdue = now_ns.saturating_sub(running.started_ns) >= hard_ns;
                Handle::new(running.handle).filter(|_| is_overdue)
            });
            let handles: Vec<Handle> = overdue.collect();
            if !handles.is_empty() {
                self.step(Input::Overdue { worker, handles })?;
            }
        }
        Ok(())
    }

    /// Told once an attempt: its slot and its start name it.
    fn find_slow(&mut self, now_ns: u64) {
        let slow_ns = self.watch.slow_ns;
        for (worker, seat) in self.seats.iter_mut().enumerate() {
            let Some(seat) = seat else { continue };
            for (slot, told) in seat.process.slots.iter().zip(&mut seat.told_slow) {
                let Some(running) = slot.running() else { continue };
                let elapsed_ns = now_ns.saturating_sub(running.started_ns);
                if elapsed_ns < slow_ns {
                    continue;
                }
                let computes = slot.computes_since().filter(|since| now_ns.saturating_sub(*since) >= slow_ns);
                let news = match computes {
                    Some(since) => told.1 != since,
                    None => told.0 != running.started_ns,
                };
                if !news {
                    continue;
                }
                *told = (running.started_ns, computes.unwrap_or(told.1));
                if let Some(task) = Handle::new(running.handle).and_then(|handle| self.engine.task(handle)) {
                    self.reporting.slow(task, worker as WorkerId, elapsed_ns, computes.is_some());
                }
            }
        }
    }

    /// Processes that no death will tell of: one that closed its socket and lives on, and one that holds tasks but
    /// neither runs nor answers them, so that no attempt of it is ever overdue.
    fn find_idle(&mut self, now_ns: u64) -> io::Result<()> {
        let longest_ns = self.setup.bounds.role_ns.saturating_mul(ROLES);
        for worker in 1..self.seats.len() as WorkerId {
            let holds = self.engine.holds_tasks(worker);
            let Some(seat) = self.seat(worker) else { continue };
            let what = if seat.ended_ns.is_some_and(|since| now_ns.saturating_sub(since) >= SECOND_NS) {
                "it closed its socket and lived on".to_owned()
            } else if !holds || seat.process.slots.iter().any(|slot| slot.running().is_some()) {
                seat.idle_ns = None;
                continue;
            } else {
                let since_ns = *seat.idle_ns.get_or_insert(now_ns);
                if now_ns - since_ns < longest_ns {
                    continue;
                }
                let seconds = (now_ns - since_ns) / SECOND_NS;
                format!("it neither ran nor answered the tasks that it held for {seconds} s")
            };
            self.step(Input::Violation { worker, what })?;
        }
        Ok(())
    }

    fn weigh(&mut self) -> io::Result<()> {
        for worker in 1..self.seats.len() as WorkerId {
            let Some(seat) = self.seat(worker) else { continue };
            // one that has just died weighs nothing
            if let Ok(bytes) = memory::rss(seat.process.pid) {
                self.step(Input::WorkerMemory { worker, bytes })?;
            }
        }
        Ok(())
    }
}
