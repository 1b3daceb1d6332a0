//! The one door to `fork`.
#![expect(unsafe_code, reason = "fork")]

use std::fs;
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};

use nix::unistd::{ForkResult, fork as fork_process};

/// Forks between the first process and this one.
static FORKS: AtomicU32 = AtomicU32::new(0);

/// Another number in each process than in the one that it was forked from; no call of the system, unlike its pid.
pub fn generation() -> u32 {
    FORKS.load(Ordering::Relaxed)
}

/// Which side of the fork this is.
pub(super) enum Forked {
    /// The parent, with the child's pid.
    Parent(i32),
    /// The child: it leaves by `_exit`, and must not drop what it has from the parent.
    Child,
}

/// Forks this process, which has one thread: with more, a lock that another thread held would stay locked in the child.
pub(super) fn fork() -> io::Result<Forked> {
    let threads = fs::read_dir("/proc/self/task")?.count();
    assert_eq!(threads, 1, "fork in a process with {threads} threads");
    // SAFETY: there is no other thread, so the child is a whole copy and may do everything that the parent may.
    Ok(match unsafe { fork_process() }? {
        ForkResult::Parent { child } => Forked::Parent(child.as_raw()),
        ForkResult::Child => {
            FORKS.fetch_add(1, Ordering::Relaxed);
            Forked::Child
        }
    })
}
