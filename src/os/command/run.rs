//! A command while it runs.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::signal::Signal;

use super::capture::{Capture, Kept};
use super::child::{Child, Ended};
use super::start::Started;
use super::{Command, CommandError};
use crate::os::clock::monotonic_ns;
use crate::os::poll::round_up;
use crate::os::socket::set_nonblocking;

/// How often the caller is asked whether to go on.
const ASK: Duration = Duration::from_millis(50);

/// A started command. Dropped before its end, it is killed with its group and reaped.
pub(super) struct Running {
    child: Child,
    stdin: Option<File>,
    stdout: Capture<File>,
    stderr: Capture<File>,
}

/// How it came to its end.
pub(super) struct CameToEnd {
    pub ended: Ended,
    pub timed_out: bool,
    pub stopped: bool,
}

/// How far the command has been asked to end, with times of [`monotonic_ns`]. `None` stands for a time that never comes.
#[derive(Clone, Copy)]
enum Stage {
    Running { until: Option<u64> },
    Asked { kill_at: Option<u64> },
    Killed,
}

fn after(now_ns: u64, time: Duration) -> u64 {
    now_ns.saturating_add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX))
}

impl Running {
    pub(super) fn start(command: &Command) -> Result<Self, CommandError> {
        let Started { child, stdin, stdout, stderr } = command.to_start().start()?;
        let stdout = stdout.expect("stdout is piped");
        let stderr = stderr.expect("stderr is piped");
        let running = (|| {
            if let Some(pipe) = &stdin {
                set_nonblocking(pipe, true)?;
            }
            Ok(Self {
                child,
                stdin,
                stdout: Capture::new(stdout, command.max_output)?,
                stderr: Capture::new(stderr, command.max_output)?,
            })
        })();
        running.map_err(|source| CommandError::System { program: command.program(), source })
    }

    /// Feeds and reads until the command itself has ended, whoever still holds its pipes.
    pub(super) fn finish(
        &mut self,
        command: &Command,
        start_ns: u64,
        go_on: Option<&dyn Fn() -> bool>,
    ) -> io::Result<CameToEnd> {
        let mut input = command.stdin.as_deref().unwrap_or_default();
        let until = command.timeout.map(|timeout| after(start_ns, timeout));
        let mut stage = Stage::Running { until };
        let (mut timed_out, mut stopped) = (false, false);
        while !self.wait(stage, go_on.is_some())? {
            self.feed(&mut input)?;
            self.stdout.read_ready()?;
            self.stderr.read_ready()?;
            let now = monotonic_ns();
            let is_over = |time: Option<u64>| time.is_some_and(|time| now >= time);
            match stage {
                Stage::Running { until } => {
                    timed_out = is_over(until);
                    stopped = !timed_out && go_on.is_some_and(|go_on| !go_on());
                    if timed_out || stopped {
                        self.signal_group(Signal::SIGTERM);
                        let kill_at = Some(after(now, command.grace));
                        stage = Stage::Asked { kill_at };
                    }
                }
                Stage::Asked { kill_at } if is_over(kill_at) => {
                    self.signal_group(Signal::SIGKILL);
                    stage = Stage::Killed;
                }
                Stage::Asked { .. } | Stage::Killed => {}
            }
        }
        let ended = self.end()?;
        Ok(CameToEnd { ended, timed_out, stopped })
    }

    pub(super) fn outputs(&mut self) -> (Kept, Kept) {
        (self.stdout.take(), self.stderr.take())
    }

    /// Waits for something to do; `true` when the command has ended.
    fn wait(&self, stage: Stage, ask: bool) -> io::Result<bool> {
        let fds: [Option<(BorrowedFd<'_>, PollFlags)>; 4] = [
            Some((self.child.handle().as_fd(), PollFlags::POLLIN)),
            self.stdin.as_ref().map(|pipe| (pipe.as_fd(), PollFlags::POLLOUT)),
            self.stdout.fd().map(|pipe| (pipe, PollFlags::POLLIN)),
            self.stderr.fd().map(|pipe| (pipe, PollFlags::POLLIN)),
        ];
        let mut fds: Vec<PollFd<'_>> =
            fds.into_iter().flatten().map(|(fd, flags)| PollFd::new(fd, flags)).collect();
        let (time, ask) = match stage {
            Stage::Running { until } => (until, ask),
            Stage::Asked { kill_at } => (kill_at, false),
            Stage::Killed => (None, false),
        };
        let left = time.map(|time| Duration::from_nanos(time.saturating_sub(monotonic_ns())));
        let timeout = if ask { Some(left.map_or(ASK, |left| left.min(ASK))) } else { left };
        match poll(&mut fds, round_up(timeout)) {
            Ok(_) => Ok(fds[0].any() == Some(true)),
            // So that the caller is asked whether the signal was meant for it.
            Err(Errno::EINTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes input as far as there is room, and closes the pipe after it.
    fn feed(&mut self, input: &mut &[u8]) -> io::Result<()> {
        while let Some(pipe) = &mut self.stdin {
            if input.is_empty() {
                self.stdin = None;
                break;
            }
            match pipe.write(input) {
                Ok(count) => *input = &input[count..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // It does not want to read more; that is its own business.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => self.stdin = None,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn signal_group(&self, signal: Signal) {
        // one of the numbers that there are
        let _ = self.child.signal_group(signal as i32);
    }

    /// Kills what is left of the group, reads what waits in the pipes, and reaps the command.
    fn end(&mut self) -> io::Result<Ended> {
        self.signal_group(Signal::SIGKILL);
        self.stdout.read_ready()?;
        self.stderr.read_ready()?;
        self.child.end()
    }
}
