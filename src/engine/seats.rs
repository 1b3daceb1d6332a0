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
    /// The process takes nothing new and is asked to end once it is empty.
    pub retiring: bool,
    /// Another seat has taken this one's place in the pool: it only sees to its suspects, then stands empty.
    pub spare: bool,
    /// Attempts of which the process is killed.
    pub overdue: Vec<Handle>,
    /// Attempts that the process may still take.
    pub left: u64,
    /// When the process began.
    pub started_ns: u64,
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
    pub overdue: Vec<Handle>,
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
            retiring: false,
            spare: false,
            overdue: Vec::new(),
            left: u64::MAX,
            started_ns: 0,
            ended: 0,
            progress_ns: 0,
            failures: 0,
            not_before_ns: 0,
            until_ns: None,
        }
    }

    /// Whether ordinary tasks may be sent.
    pub(super) fn accepts(&self) -> bool {
        self.phase == Phase::Running
            && self.solo.is_none()
            && !self.recalling
            && !self.spare
            && self.suspects.is_empty()
    }

    /// Whether what the process says still counts.
    pub(super) fn is_heard(&self) -> bool {
        match &self.phase {
            Phase::Running | Phase::Stopping => true,
            Phase::Killed(why) => matches!(why, Kill::Stop | Kill::Overdue | Kill::Timeout),
            Phase::Empty | Phase::Starting => false,
        }
    }

    /// Tasks that fit in now.
    pub(super) fn room(&self) -> usize {
        self.bounded(self.window.size().saturating_sub(self.held.len()))
    }

    /// Tasks that free threads can take now.
    pub(super) fn idle(&self, threads: usize) -> usize {
        self.bounded(threads.saturating_sub(self.held.len()))
    }

    fn bounded(&self, room: usize) -> usize {
        room.min(usize::try_from(self.left).unwrap_or(usize::MAX))
    }

    /// Takes a task in; the answer is its index.
    #[inline]
    pub(super) fn hold(&mut self, handle: Handle, bytes: usize, now_ns: u64) -> u32 {
        if self.held.is_empty() {
            self.progress_ns = now_ns;
        }
        self.held.push(handle);
        self.held_bytes += bytes;
        self.left = self.left.saturating_sub(1);
        u32::try_from(self.held.len() - 1).expect("a window is no larger than 2^32")
    }

    /// A new process sits down.
    pub(super) fn occupy(&mut self, pid: i32, config: &Config, now_ns: u64) {
        self.phase = Phase::Running;
        self.pid = pid;
        self.window = Window::new(config.threads);
        self.left = config.recycle.tasks.map_or(u64::MAX, |tasks| tasks.max(1));
        self.started_ns = now_ns;
        self.ended = 0;
        self.progress_ns = now_ns;
    }

    /// The process is gone.
    pub(super) fn vacate(&mut self) -> Vacated {
        self.recalling = false;
        self.retiring = false;
        self.until_ns = None;
        self.held_bytes = 0;
        Vacated {
            phase: std::mem::replace(&mut self.phase, Phase::Empty),
            pid: std::mem::take(&mut self.pid),
            held: std::mem::take(&mut self.held),
            solo: self.solo.take(),
            overdue: std::mem::take(&mut self.overdue),
            ended: std::mem::take(&mut self.ended),
        }
    }

    /// Whether nothing has ended here for long.
    pub(super) fn is_stalled(&self, now_ns: u64) -> bool {
        now_ns.saturating_sub(self.progress_ns) >= STALL_NS
    }

    /// When something is to be done here if nothing happens.
    pub(super) fn deadline(&self, config: &Config, now_ns: u64) -> Option<u64> {
        let ahead = |at: &u64| *at > now_ns;
        match self.phase {
            Phase::Empty => Some(self.not_before_ns).filter(ahead),
            Phase::Running => {
                let holds_more = self.held.len() > config.threads && !self.recalling;
                let stall = holds_more.then(|| self.progress_ns + STALL_NS).filter(ahead);
                let over = self.lifetime_ends(config).filter(ahead);
                stall.into_iter().chain(over).min()
            }
            Phase::Stopping => self.until_ns.filter(ahead),
            _ => None,
        }
    }

    /// When the process is to be replaced for its age.
    pub(super) fn lifetime_ends(&self, config: &Config) -> Option<u64> {
        let lifetime_ns =
            config.recycle.lifetime_ns.filter(|_| self.phase == Phase::Running && !self.spare)?;
        Some(self.started_ns.saturating_add(lifetime_ns))
    }

    /// Whether the process is to end though the run goes on.
    pub(super) fn is_over(&self) -> bool {
        self.phase == Phase::Running
            && self.held.is_empty()
            && (self.retiring || self.spare && self.suspects.is_empty())
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

    /// Places of the pool that have no process and may get one now. While processes that are replaced come to their
    /// end there are more than `processes`, up to twice as many.
    pub(super) fn vacancies(&self, processes: usize, now_ns: u64) -> usize {
        let (mut taken, mut all) = (0, 0);
        for seat in &self.0 {
            // one whose start failed keeps its place until it is tried again
            let is_taken = seat.phase != Phase::Empty || seat.not_before_ns > now_ns;
            taken += usize::from(is_taken && !seat.spare);
            all += usize::from(is_taken || !seat.suspects.is_empty());
        }
        processes.saturating_sub(taken).min((2 * processes).saturating_sub(all))
    }

    /// One more place, for a process that takes over from another.
    pub(super) fn add(&mut self, threads: usize) -> &mut Seat {
        let number = WorkerId::try_from(self.0.len() + 1).unwrap_or(WorkerId::MAX);
        self.0.push(Seat::new(number, threads));
        self.0.last_mut().unwrap_or_else(|| unreachable!("one was pushed"))
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
