//! A guard between this program and a process of its own: it ends whatever that process has started.

use std::fs::File;
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::process::ExitStatusExt as _;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl;
use nix::sys::signal::Signal;

use crate::os::exit::exit_now;
use crate::os::fork::{Forked, fork};
use crate::os::pidfd::PidFd;
use crate::os::process;
use crate::os::signals::{Signals, reset_for_child};
use crate::os::usage::reap;

/// Forks this process, which has one thread. The child goes on; this one stays behind as its guard, and ends all that the
/// child has started when that ends, however it does, and when whoever started this process has gone. The guard exits
/// as the child did, with 128 more than the number of a signal.
///
/// # Errors
/// When the system refuses.
pub fn under_guard() -> io::Result<()> {
    process::adopt_orphans()?;
    let signals = Signals::block()?;
    // until now it was SIGKILL: then nothing was started yet
    prctl::set_pdeathsig(Signal::SIGTERM)?;
    let guard = nix::unistd::getpid();
    match fork()? {
        Forked::Child => {
            prctl::set_pdeathsig(Signal::SIGKILL)?;
            if nix::unistd::getppid() != guard {
                return Err(io::Error::from(nix::errno::Errno::ESRCH));
            }
            reset_for_child()
        }
        Forked::Parent(child) => exit_now(stand_guard(child, &signals).unwrap_or(GUARD_FAILED)),
    }
}

/// What a guard exits with that could not do its work.
const GUARD_FAILED: i32 = 101;

fn stand_guard(child: i32, signals: &Signals) -> io::Result<i32> {
    let handle = PidFd::open(child)?;
    // whoever listens shall hear when the child is gone
    let null = File::open("/dev/null")?;
    nix::unistd::dup2_stdin(&null)?;
    nix::unistd::dup2_stdout(&null)?;
    let mut fds =
        [PollFd::new(handle.as_fd(), PollFlags::POLLIN), PollFd::new(signals.as_fd(), PollFlags::POLLIN)];
    while let Err(error) = poll(&mut fds, PollTimeout::NONE) {
        if error != nix::errno::Errno::EINTR {
            return Err(error.into());
        }
    }
    let ended = match handle.is_dead()? {
        true => Some(reap(child)?.status),
        false => None,
    };
    process::end_children(|_| false)?;
    Ok(ended.map_or(GUARD_FAILED, |status| {
        status.code().or(status.signal().map(|signal| 128 + signal)).unwrap_or(GUARD_FAILED)
    }))
}
