//! What a process has used.
#![expect(unsafe_code, reason = "nix has no wait4, which alone tells status and use of one child")]

use std::io;
use std::mem::MaybeUninit;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::time::Duration;

use nix::errno::Errno;
use nix::libc;
use nix::sys::resource::{UsageWho, getrusage};

/// CPU time and peak memory of a process and of the children that it waited for (getrusage(2)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// CPU time in user code.
    pub user: Duration,
    /// CPU time in the kernel.
    pub system: Duration,
    /// Largest resident set size; of a child, that of the largest process among it and its own children.
    pub max_rss_bytes: u64,
}

/// What this process has used until now.
pub fn of_self() -> Usage {
    let usage = getrusage(UsageWho::RUSAGE_SELF).expect("RUSAGE_SELF is always valid");
    convert(usage.as_ref())
}

/// A child that was reaped.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reaped {
    pub pid: i32,
    pub status: ExitStatus,
    pub usage: Usage,
}

/// Reaps child `pid` if it has ended; `Ok(None)` when it has not, `ECHILD` when there is no such child.
pub(super) fn try_reap(pid: i32) -> nix::Result<Option<Reaped>> {
    wait4(pid, libc::WNOHANG)
}

/// Waits for child `pid` and reaps it.
pub(super) fn reap(pid: i32) -> io::Result<Reaped> {
    loop {
        match wait4(pid, 0) {
            Ok(Some(reaped)) => return Ok(reaped),
            Ok(None) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn wait4(pid: i32, options: libc::c_int) -> nix::Result<Option<Reaped>> {
    let mut status = 0;
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: both pointers are to live, writable memory of the right types.
    let pid = Errno::result(unsafe { libc::wait4(pid, &raw mut status, options, usage.as_mut_ptr()) })?;
    if pid == 0 {
        return Ok(None);
    }
    // SAFETY: zeroed is a valid `rusage`, and wait4 has filled it.
    let usage = unsafe { usage.assume_init_ref() };
    Ok(Some(Reaped { pid, status: ExitStatus::from_raw(status), usage: convert(usage) }))
}

fn convert(usage: &libc::rusage) -> Usage {
    Usage {
        user: duration(usage.ru_utime),
        system: duration(usage.ru_stime),
        max_rss_bytes: u64::try_from(usage.ru_maxrss).unwrap_or(0) * 1024,
    }
}

fn duration(time: libc::timeval) -> Duration {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::from_secs(seconds) + Duration::from_micros(u64::try_from(time.tv_usec).unwrap_or(0))
}
