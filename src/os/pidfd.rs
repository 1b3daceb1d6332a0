//! Handles to processes that stay true when the kernel gives a pid to somebody else.
#![expect(unsafe_code, reason = "nix has no pidfd_open and pidfd_send_signal")]

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::libc;
use nix::sys::signal::Signal;

use super::poll::{Interest, until_ready};

/// Send to the process group that the process leads (linux/pidfd.h, kernel 6.9).
const PIDFD_SIGNAL_PROCESS_GROUP: libc::c_uint = 1 << 2;

/// A handle to one process (pidfd_open(2)). It polls readable when the process has died.
#[derive(Debug)]
pub struct PidFd(OwnedFd);

impl PidFd {
    /// Opens a handle. The pid must be known to be the right process still: a child that is not reaped, a parent.
    pub fn open(pid: i32) -> io::Result<Self> {
        // SAFETY: takes two integers, returns a new descriptor or -1.
        let result = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
        let fd = i32::try_from(Errno::result(result)?).map_err(io::Error::other)?;
        // SAFETY: the descriptor is new, so nobody else owns it. The kernel sets FD_CLOEXEC on it.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// Kills the process and, where the kernel can (6.9), the process group that it leads. A process that is already dead
    /// is no error.
    pub fn kill(&self) -> io::Result<()> {
        // It has no group of its own in its first moment, and none that the kernel can name before 6.9.
        let _ = self.send(Signal::SIGKILL, PIDFD_SIGNAL_PROCESS_GROUP);
        match self.send(Signal::SIGKILL, 0) {
            Err(Errno::ESRCH) => Ok(()),
            other => Ok(other?),
        }
    }

    /// Stops the process; it does not notice.
    pub fn stop(&self) -> io::Result<()> {
        Ok(self.send(Signal::SIGSTOP, 0)?)
    }

    /// Lets a stopped process go on.
    pub fn go_on(&self) -> io::Result<()> {
        Ok(self.send(Signal::SIGCONT, 0)?)
    }

    /// Waits until the process has died; `false` when `timeout` was over first. Does not reap it.
    pub fn wait(&self, timeout: Option<Duration>) -> io::Result<bool> {
        until_ready(&self.0, Interest::Read, timeout)
    }

    /// Whether it has died.
    pub fn is_dead(&self) -> io::Result<bool> {
        self.wait(Some(Duration::ZERO))
    }

    fn send(&self, signal: Signal, flags: libc::c_uint) -> nix::Result<()> {
        // SAFETY: a null pointer asks for a siginfo as kill(2) would make it; the rest are integers.
        let result = unsafe {
            libc::syscall(
                libc::SYS_pidfd_send_signal,
                self.0.as_raw_fd(),
                signal as libc::c_int,
                std::ptr::null::<libc::siginfo_t>(),
                flags,
            )
        };
        Errno::result(result).map(drop)
    }
}

impl From<OwnedFd> for PidFd {
    /// `fd` must be a pidfd; with any other, signals fail and waits mean something else.
    fn from(fd: OwnedFd) -> Self {
        Self(fd)
    }
}

impl From<PidFd> for OwnedFd {
    fn from(handle: PidFd) -> Self {
        handle.0
    }
}

impl AsRawFd for PidFd {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl AsFd for PidFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
