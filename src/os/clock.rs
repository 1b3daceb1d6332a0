//! Clocks that never jump.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// Nanoseconds of `CLOCK_MONOTONIC`: the same clock in every process of a run, so that a time which a worker wrote
/// can be compared here. It does not count the time that the machine sleeps. About 20 ns (vDSO).
pub fn monotonic_ns() -> u64 {
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
    use super::{cpu_time_self, cpu_time_thread, monotonic_ns};

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
