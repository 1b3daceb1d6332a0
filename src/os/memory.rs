//! Memory of the machine, of the control group, of processes.

use std::fs;
use std::io;

use super::{cgroup, usage};

/// Bytes that this run may use: the machine's memory, or the control group's limit when that is smaller.
pub fn total() -> u64 {
    let machine =
        kib_line(&fs::read_to_string("/proc/meminfo").unwrap_or_default(), "MemTotal:").unwrap_or(u64::MAX);
    // v1 writes "no limit" as a huge number, v2 as `max`, which does not parse.
    cgroup::values(("memory", "memory.limit_in_bytes"), "memory.max")
        .iter()
        .filter_map(|text| text.trim().parse().ok())
        .fold(machine, u64::min)
}

/// Proportional set size of a process: a page shared by n processes counts 1/n, so that the sum over forked workers
/// is the truth. The kernel walks every page for it: about 1 ms for each 100 MB.
pub fn pss(pid: i32) -> io::Result<u64> {
    kib_of_file(&format!("/proc/{pid}/smaps_rollup"), "Pss:")
}

/// Resident set size of a process, shared pages counted whole. Cheap.
pub fn rss(pid: i32) -> io::Result<u64> {
    kib_of_file(&format!("/proc/{pid}/status"), "VmRSS:")
}

/// Private writable memory of this process, which `RLIMIT_DATA` bounds.
pub fn data_self() -> io::Result<u64> {
    kib_of_file("/proc/self/status", "VmData:")
}

/// Largest resident set size of this program so far. `getrusage` would count the one that it was started from as well:
/// its size at `exec` stays in the maximum.
pub fn peak_rss_self() -> u64 {
    kib_of_file("/proc/self/status", "VmHWM:").unwrap_or_else(|_| usage::of_self().max_rss_bytes)
}

fn kib_of_file(path: &str, key: &str) -> io::Result<u64> {
    kib_line(&fs::read_to_string(path)?, key).ok_or_else(|| {
        // A process that has died but was not reaped has the file and no memory.
        io::Error::new(io::ErrorKind::NotFound, format!("{path} has no line {key}"))
    })
}

/// The value of a line such as `VmRSS:     1234 kB`, in bytes.
fn kib_line(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::{peak_rss_self, pss, rss, total};

    #[test]
    fn the_sizes_of_this_process_are_plausible() {
        let pid = i32::try_from(std::process::id()).expect("pid");
        let resident = rss(pid).expect("status");
        assert!(resident > 100_000 && resident < total());
        assert!(pss(pid).expect("smaps_rollup") <= resident * 2);
        assert!(peak_rss_self() > 100_000);
    }

    #[test]
    fn a_process_that_is_not_there_is_an_error() {
        assert!(rss(i32::MAX).is_err());
    }
}
