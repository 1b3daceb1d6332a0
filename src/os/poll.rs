//! Waiting for descriptors: many at once ([`Poller`], epoll) or one ([`until_ready`]).

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};

/// Events that one call of [`Poller::wait`] takes from the kernel; what is left over comes with the next call.
const EVENTS_A_CALL: usize = 256;

/// What to wait for. A hang-up is always reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    /// Bytes, a connection's end, a signal, a death: something to read.
    Read,
    /// Room to write.
    Write,
    /// Either.
    ReadWrite,
    /// Nothing but a hang-up or an error.
    HangupOnly,
}

impl Interest {
    fn epoll(self) -> EpollFlags {
        match self {
            Self::Read => EpollFlags::EPOLLIN,
            Self::Write => EpollFlags::EPOLLOUT,
            Self::ReadWrite => EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT,
            Self::HangupOnly => EpollFlags::empty(),
        }
    }

    fn poll(self) -> PollFlags {
        match self {
            Self::Read => PollFlags::POLLIN,
            Self::Write => PollFlags::POLLOUT,
            Self::ReadWrite => PollFlags::POLLIN | PollFlags::POLLOUT,
            Self::HangupOnly => PollFlags::empty(),
        }
    }
}

/// One descriptor that is ready, by the token it was added with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ready {
    /// The token given to [`Poller::add`].
    pub token: u64,
    /// A read will not block (it may find the end).
    pub readable: bool,
    /// A write will not block.
    pub writable: bool,
    /// The other side is gone, or the descriptor is in error. There may still be bytes to read.
    pub hangup: bool,
}

/// A set of descriptors to wait for, level-triggered.
#[derive(Debug)]
pub struct Poller {
    epoll: Epoll,
}

impl Poller {
    /// An empty set.
    pub fn new() -> io::Result<Self> {
        Ok(Self { epoll: Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)? })
    }

    /// Adds a descriptor; errors when it is already in the set.
    ///
    /// A descriptor leaves the set by itself only when *every* copy of it is closed: [`remove`](Self::remove) it first.
    pub fn add(&self, fd: BorrowedFd<'_>, token: u64, interest: Interest) -> io::Result<()> {
        Ok(self.epoll.add(fd, EpollEvent::new(interest.epoll(), token))?)
    }

    /// Changes token and interest of a descriptor of the set.
    pub fn modify(&self, fd: BorrowedFd<'_>, token: u64, interest: Interest) -> io::Result<()> {
        Ok(self.epoll.modify(fd, &mut EpollEvent::new(interest.epoll(), token))?)
    }

    /// Takes a descriptor out of the set.
    pub fn remove(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        Ok(self.epoll.delete(fd)?)
    }

    /// Waits until a descriptor is ready or `timeout` (`None`: for ever) is over, and replaces the contents of `ready`.
    ///
    /// The kernel counts in milliseconds here; a shorter rest is rounded up, so that it never returns early.
    pub fn wait(&self, ready: &mut Vec<Ready>, timeout: Option<Duration>) -> io::Result<()> {
        ready.clear();
        let mut events = [EpollEvent::empty(); EVENTS_A_CALL];
        let count = retry_until(timeout, |left| self.epoll.wait(&mut events, left))?;
        ready.extend(events[..count].iter().map(|event| {
            let flags = event.events();
            Ready {
                token: event.data(),
                readable: flags.contains(EpollFlags::EPOLLIN),
                writable: flags.contains(EpollFlags::EPOLLOUT),
                hangup: flags.intersects(EpollFlags::EPOLLHUP | EpollFlags::EPOLLERR),
            }
        }));
        Ok(())
    }
}

/// Waits for one descriptor; `false` when `timeout` was over first.
pub fn until_ready(fd: impl AsFd, interest: Interest, timeout: Option<Duration>) -> io::Result<bool> {
    let mut fds = [PollFd::new(fd.as_fd(), interest.poll())];
    Ok(retry_until(timeout, |left| nix::poll::poll(&mut fds, left))? > 0)
}

/// Calls `wait` again after a signal, with the time that is left.
fn retry_until<N>(
    timeout: Option<Duration>,
    mut wait: impl FnMut(PollTimeout) -> nix::Result<N>,
) -> io::Result<N> {
    let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        match wait(round_up(left)) {
            Err(Errno::EINTR) => {}
            other => return Ok(other?),
        }
    }
}

/// A time-out in the kernel's milliseconds, rounded up; the longest that it can express is 24 days.
pub(super) fn round_up(timeout: Option<Duration>) -> PollTimeout {
    timeout.map_or(PollTimeout::NONE, |timeout| {
        let millis = timeout.as_nanos().div_ceil(1_000_000);
        PollTimeout::try_from(millis).unwrap_or(PollTimeout::MAX)
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::fd::AsFd as _;
    use std::time::{Duration, Instant};

    use super::{Interest, Poller, Ready, until_ready};

    #[test]
    fn a_written_pipe_is_readable_and_a_closed_one_hangs_up() {
        let (reader, mut writer) = std::io::pipe().expect("pipe");
        let poller = Poller::new().expect("epoll");
        poller.add(reader.as_fd(), 7, Interest::Read).expect("add");
        let mut ready = Vec::new();

        poller.wait(&mut ready, Some(Duration::ZERO)).expect("wait");
        assert_eq!(ready, []);

        writer.write_all(b"x").expect("write");
        poller.wait(&mut ready, None).expect("wait");
        assert_eq!(ready, [Ready { token: 7, readable: true, writable: false, hangup: false }]);

        drop(writer);
        poller.modify(reader.as_fd(), 8, Interest::HangupOnly).expect("modify");
        poller.wait(&mut ready, None).expect("wait");
        assert_eq!(ready, [Ready { token: 8, readable: false, writable: false, hangup: true }]);

        poller.remove(reader.as_fd()).expect("remove");
        poller.wait(&mut ready, Some(Duration::ZERO)).expect("wait");
        assert_eq!(ready, []);
    }

    #[test]
    fn a_wait_is_never_shorter_than_asked() {
        let (reader, _writer) = std::io::pipe().expect("pipe");
        let asked = Duration::from_micros(1500);
        let start = Instant::now();
        assert!(!until_ready(&reader, Interest::Read, Some(asked)).expect("poll"));
        assert!(start.elapsed() >= asked);
    }
}
