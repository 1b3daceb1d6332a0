//! Clocks that never jump, not even over a pause of the run.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// Nanoseconds of `CLOCK_MONOTONIC`, less those for which the run was paused: the same clock in every process of a run,
/// so that a time which a worker wrote can be compared here. It does not count the time that the machine sleeps. About
/// 20 ns (vDSO).
pub fn monotonic_ns() -> u64 {
    FOLLOWED.get().copied().unwrap_or(&OWN).now_ns()
}

/// The clock of this process stands still from now on, until [`thaw`].
pub(super) fn freeze() {
    OWN.freeze();
}

/// It goes on where it stood.
pub(super) fn thaw() {
    OWN.thaw();
}

/// From now on the clock of this process is the one that another process tells.
pub(super) fn follow(pauses: &'static Pauses) {
    // a process is of one run
    let _ = FOLLOWED.set(pauses);
}

static OWN: Pauses = Pauses { paused_ns: AtomicU64::new(0), frozen_ns: AtomicU64::new(0) };
static FOLLOWED: OnceLock<&'static Pauses> = OnceLock::new();

/// How long a run was paused. A cache line of its own, since every look at the clock reads it.
#[derive(Debug)]
#[repr(C, align(64))]
pub(super) struct Pauses {
    paused_ns: AtomicU64,
    /// What the clock says as long as it stands; 0: it goes.
    frozen_ns: AtomicU64,
}

impl Pauses {
    /// Tells the pauses of this process to another, which is stopped or has not looked at the clock yet.
    pub(super) fn set_to_own(&self) {
        self.paused_ns.store(OWN.paused_ns.load(Ordering::Acquire), Ordering::Release);
    }

    fn now_ns(&self) -> u64 {
        loop {
            let frozen_ns = self.frozen_ns.load(Ordering::Acquire);
            if frozen_ns != 0 {
                return frozen_ns;
            }
            let paused_ns = self.paused_ns.load(Ordering::Acquire);
            let now_ns = raw_ns();
            // a pause between the looks would make the clock jump
            if self.paused_ns.load(Ordering::Acquire) == paused_ns
                && self.frozen_ns.load(Ordering::Acquire) == 0
            {
                return now_ns.saturating_sub(paused_ns);
            }
        }
    }

    fn freeze(&self) {
        self.frozen_ns.store(self.now_ns(), Ordering::Release);
    }

    fn thaw(&self) {
        let frozen_ns = self.frozen_ns.load(Ordering::Acquire);
        self.paused_ns.store(raw_ns().saturating_sub(frozen_ns), Ordering::Release);
        self.frozen_ns.store(0, Ordering::Release);
    }
}

fn raw_ns() -> u64 {
    u64::try_from(read(ClockId::CLOCK_MONOTONIC).as_nanos()).unwrap_or(u64::MAX)
}

/// CPU time that all threads of this process have used.
pub fn cpu_time_self() -> Duration {
    read(ClockId::CLOCK_PROCESS_CPUTIME_ID)
}

/// CPU time that the calling thread has used.
pub fn cpu_time_thread() -> Duration {
    read(ClockId::CLOCK_THREAD_CPUTIME_ID)
}

fn read(clock: ClockId) -> Duration {
    clock_gettime(clock).expect("these clocks exist on every Linux").into()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;
    use std::time::Duration;

    use super::{Pauses, cpu_time_self, cpu_time_thread, monotonic_ns};

    #[test]
    fn a_frozen_clock_stands_and_goes_on_where_it_stood() {
        let clock = Pauses { paused_ns: AtomicU64::new(0), frozen_ns: AtomicU64::new(0) };
        for _ in 0..2 {
            clock.freeze();
            let stood = clock.now_ns();
            std::thread::sleep(Duration::from_millis(50));
            assert_eq!(clock.now_ns(), stood);
            clock.thaw();
            let went = clock.now_ns() - stood;
            assert!(went < 40_000_000, "{went} ns");
        }
        assert!(monotonic_ns() > clock.now_ns() + 99_000_000);
    }

    #[test]
    fn time_goes_forward() {
        let first = monotonic_ns();
        let second = monotonic_ns();
        assert!(first > 0 && second >= first);
    }

    #[test]
    fn work_uses_cpu_time() {
        let (process, thread) = (cpu_time_self(), cpu_time_thread());
        while cpu_time_thread() == thread {
            std::hint::black_box(0);
        }
        assert!(cpu_time_self() > process);
    }
}
