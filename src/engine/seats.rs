//! The places of the pool: which process is in each, and what it holds.

use std::collections::VecDeque;
use std::ops::RangeInclusive;

use crate::engine::recall::STALL_NS;
use crate::engine::window::Window;
use crate::engine::{Config, Kill, WorkerId};
use crate::model::Handle;

/// One place of the pool.
#[derive(Debug)]
pub(super) struct Seat {
    pub number: WorkerId,
    pub phase: Phase,
    pub pid: i32,
    /// Tasks in the process, in no order; each knows its index.
    pub held: Vec<Handle>,
    /// Their arguments.
    pub held_bytes: usize,
    pub window: Window,
    /// Tasks that ran when a process of this seat died; each runs alone here before anything else does.
    pub suspects: VecDeque<Handle>,
    /// The suspect that runs alone now.
    pub solo: Option<Handle>,
    /// A recall is not answered yet.
    pub recalling: bool,
    /// Attempts that ended in this process.
    pub ended: u64,
    /// When an attempt last ended here, or the first task came.
    pub progress_ns: u64,
    /// Starts in a row that failed.
    pub failures: u32,
    /// No start before this.
    pub not_before_ns: u64,
    /// Killed then, when it was asked to end.
    pub until_ns: Option<u64>,
}

/// What is in a seat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Empty,
    Starting,
    Running,
    /// It was asked to end.
    Stopping,
    Killed(Kill),
}

/// What a process leaves behind in its seat.
#[derive(Debug)]
pub(super) struct Vacated {
    pub phase: Phase,
    pub pid: i32,
    pub held: Vec<Handle>,
    pub solo: Option<Handle>,
    pub ended: u64,
}

impl Seat {
    fn new(number: WorkerId, threads: usize) -> Self {
        Seat {
            number,
            phase: Phase::Empty,
            pid: 0,
            held: Vec::new(),
            held_bytes: 0,
            window: Window::new(threads),
            suspects: VecDeque::new(),
            solo: None,
            recalling: false,
            ended: 0,
            progress_ns: 0,
            failures: 0,
            not_before_ns: 0,
            until_ns: None,
        }
    }

    /// Whether ordinary tasks may be sent. A seat with suspects is never without its solo when this is asked:
    /// they are given out first.
    pub(super) fn accepts(&self) -> bool {
        self.phase == Phase::Running && self.solo.is_none() && !self.recalling
    }

    /// Whether what the process says still counts.
    pub(super) fn is_heard(&self) -> bool {
        match &self.phase {
            Phase::Running | Phase::Stopping => true,
            Phase::Killed(why) => matches!(why, Kill::Stop | Kill::Overdue),
            Phase::Empty | Phase::Starting => false,
        }
    }

    /// Tasks that fit in now.
    pub(super) fn room(&self) -> usize {
        self.window.size().saturating_sub(self.held.len())
    }

    /// Takes a task in; the answer is its index.
    #[inline]
    pub(super) fn hold(&mut self, handle: Handle, bytes: usize, now_ns: u64) -> u32 {
        if self.held.is_empty() {
            self.progress_ns = now_ns;
        }
        self.held.push(handle);
        self.held_bytes += bytes;
        u32::try_from(self.held.len() - 1).expect("a window is no larger than 2^32")
    }

    /// A new process sits down.
    pub(super) fn occupy(&mut self, pid: i32, threads: usize, now_ns: u64) {
        self.phase = Phase::Running;
        self.pid = pid;
        self.window = Window::new(threads);
        self.ended = 0;
        self.progress_ns = now_ns;
    }

    /// The process is gone.
    pub(super) fn vacate(&mut self) -> Vacated {
        self.recalling = false;
        self.until_ns = None;
        self.held_bytes = 0;
        Vacated {
            phase: std::mem::replace(&mut self.phase, Phase::Empty),
            pid: std::mem::take(&mut self.pid),
            held: std::mem::take(&mut self.held),
            solo: self.solo.take(),
            ended: std::mem::take(&mut self.ended),
        }
    }

    /// Whether nothing has ended here for long.
    pub(super) fn is_stalled(&self, now_ns: u64) -> bool {
        now_ns.saturating_sub(self.progress_ns) >= STALL_NS
    }

    /// When something is to be done here if nothing happens.
    pub(super) fn deadline(&self, threads: usize, now_ns: u64) -> Option<u64> {
        let at = match self.phase {
            Phase::Empty => Some(self.not_before_ns),
            Phase::Running if self.held.len() > threads && !self.recalling => {
                Some(self.progress_ns + STALL_NS)
            }
            Phase::Stopping => self.until_ns,
            _ => None,
        };
        at.filter(|at| *at > now_ns)
    }

    pub(super) fn may_start(&self, now_ns: u64) -> bool {
        self.phase == Phase::Empty && self.not_before_ns <= now_ns
    }
}

/// All places, by number.
#[derive(Debug)]
pub(super) struct Seats(Vec<Seat>);

impl Seats {
    pub(super) fn new(config: &Config) -> Self {
        let last = WorkerId::try_from(config.processes.max(1)).unwrap_or(WorkerId::MAX);
        Seats((1..=last).map(|number| Seat::new(number, config.threads)).collect())
    }

    pub(super) fn get_mut(&mut self, worker: WorkerId) -> Option<&mut Seat> {
        self.0.get_mut((worker as usize).checked_sub(1)?)
    }

    pub(super) fn numbers(&self) -> RangeInclusive<WorkerId> {
        1..=WorkerId::try_from(self.0.len()).unwrap_or(WorkerId::MAX)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Seat> {
        self.0.iter()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Seat> {
        self.0.iter_mut()
    }

    pub(super) fn all_empty(&self) -> bool {
        self.0.iter().all(|seat| seat.phase == Phase::Empty)
    }

    /// Tasks in workers.
    pub(super) fn held(&self) -> usize {
        self.0.iter().map(|seat| seat.held.len()).sum()
    }
}
