//! A command that runs, from its start until it is reaped.
#![expect(unsafe_code, reason = "nix's waitid knows no signal above 31")]

use std::cell::{Cell, RefCell};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::time::Duration;

use nix::errno::Errno;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;

use super::stream::GoOn;
use crate::os::clock::monotonic_ns;
use crate::os::pidfd::PidFd;
use crate::os::process::{self, OwnChild};
use crate::os::signals;
use crate::os::usage::{Usage, reap};

/// A started command, which leads its process group. It is not reaped before [`end`](Self::end), so that the number of
/// the group stays its own, and all that it left behind can be killed then. Dropped, it is ended.
#[derive(Debug)]
pub struct Child {
    leader: RefCell<Option<OwnChild>>,
    pid: i32,
    handle: PidFd,
    started_ns: u64,
    ended: Cell<Option<Ended>>,
}

/// How a command ended.
#[derive(Clone, Copy, Debug)]
pub struct Ended {
    /// Exit status or signal.
    pub status: ExitStatus,
    /// From its start until it was reaped.
    pub elapsed: Duration,
    /// What it and the children that it waited for have used.
    pub usage: Usage,
}

impl Ended {
    /// Whether it ended by itself with status 0.
    pub fn is_ok(&self) -> bool {
        self.status.code() == Some(0)
    }
}

/// `exit status 3`, `ended by SIGKILL`.
pub fn how(code: Option<i32>, signal: Option<i32>) -> String {
    match (code, signal) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("ended by {}", signals::name(signal)),
        (None, None) => "ended in an unknown way".into(),
    }
}

impl Child {
    pub(super) fn of(own: OwnChild) -> io::Result<Self> {
        let pid = own.pid();
        let handle = PidFd::open(pid);
        let leader = RefCell::new(Some(own));
        match handle {
            Ok(handle) => {
                Ok(Child { leader, pid, handle, started_ns: monotonic_ns(), ended: Cell::new(None) })
            }
            Err(error) => {
                kill_and_reap(&leader);
                Err(error)
            }
        }
    }

    /// The number of the process and of the group that it leads.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// A descriptor that becomes readable when the command itself has ended. It is the caller's own.
    ///
    /// # Errors
    /// When there are too many descriptors.
    pub fn death(&self) -> io::Result<OwnedFd> {
        self.handle.as_fd().try_clone_to_owned()
    }

    pub(super) fn handle(&self) -> &PidFd {
        &self.handle
    }

    /// Whether the command itself has ended, reaped or not.
    pub fn has_died(&self) -> bool {
        self.ended.get().is_some() || self.handle.is_dead().unwrap_or(true)
    }

    /// Sends a signal (a number of signal(7), at most 31) to every member of its group. When it has been reaped there is
    /// nobody to get it.
    ///
    /// # Errors
    /// When there is no such signal.
    pub fn signal_group(&self, signal: i32) -> io::Result<()> {
        let signal = Signal::try_from(signal)?;
        if let Some(leader) = &*self.leader.borrow() {
            process::signal_group(leader.pid(), signal);
        }
        Ok(())
    }

    /// The status of a command that has ended, as wait(2) gives it; it is not reaped.
    ///
    /// # Errors
    /// When it is reaped already.
    pub fn status(&self) -> io::Result<Option<i32>> {
        let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
        let id = self.leader.borrow().as_ref().map(OwnChild::pid).ok_or(Errno::ECHILD)?;
        let flags = libc::WEXITED | libc::WNOWAIT | libc::WNOHANG;
        let id = libc::id_t::try_from(id).map_err(io::Error::other)?;
        // SAFETY: the pointer is to live, writable memory of the right type, and zeros are a valid value of it
        let (code, status) = unsafe {
            Errno::result(libc::waitid(libc::P_PID, id, info.as_mut_ptr(), flags))?;
            let info = info.assume_init();
            if info.si_pid() == 0 {
                return Ok(None);
            }
            (info.si_code, info.si_status())
        };
        Ok(Some(if code == libc::CLD_EXITED { status << 8 } else { status }))
    }

    /// Waits for the command itself, not for what it left behind; its status as wait(2) gives it, or `None` when
    /// `go_on` said no: it has been asked to end then.
    ///
    /// # Errors
    /// As [`status`](Self::status).
    pub fn wait(&self, go_on: GoOn) -> io::Result<Option<i32>> {
        loop {
            let mut fds = [PollFd::new(self.handle.as_fd(), PollFlags::POLLIN)];
            match poll(&mut fds, PollTimeout::NONE) {
                Ok(_) => return self.status(),
                Err(Errno::EINTR) if go_on() => {}
                Err(Errno::EINTR) => {
                    self.signal_group(Signal::SIGTERM as i32)?;
                    return Ok(None);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Kills what is left of its group and reaps it; waits for its death if it must. The second time it only tells.
    ///
    /// # Errors
    /// Those of the system.
    pub fn end(&self) -> io::Result<Ended> {
        if let Some(ended) = self.ended.get() {
            return Ok(ended);
        }
        let Some(own) = self.leader.borrow_mut().take() else { return Err(Errno::ECHILD.into()) };
        process::signal_group(own.pid(), Signal::SIGKILL);
        let reaped = reap(own.pid())?;
        let elapsed = Duration::from_nanos(monotonic_ns().saturating_sub(self.started_ns));
        let ended = Ended { status: reaped.status, elapsed, usage: reaped.usage };
        self.ended.set(Some(ended));
        Ok(ended)
    }

    /// The signal that ended it; none when it ended by itself, or was not reaped yet.
    pub fn ending_signal(&self) -> Option<i32> {
        self.ended.get().and_then(|ended| ended.status.signal())
    }

    /// Whether it is reaped.
    pub fn is_reaped(&self) -> bool {
        self.leader.borrow().is_none()
    }
}

fn kill_and_reap(leader: &RefCell<Option<OwnChild>>) {
    if let Some(own) = leader.borrow_mut().take() {
        process::signal_group(own.pid(), Signal::SIGKILL);
        let _ = reap(own.pid());
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        kill_and_reap(&self.leader);
    }
}
