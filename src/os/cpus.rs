//! How many CPUs there are for this run.

use std::num::NonZero;

/// CPUs that affinity and the cgroup's quota (v1 and v2) leave to this process, at least 1. A quota of 2.5 CPUs counts as 2.
pub fn available() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}
