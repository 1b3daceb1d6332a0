//! A command while it runs.
#![expect(unsafe_code, reason = "code between fork and exec, to set the death signal")]

use std::io::{self, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::process::CommandExt as _;
use std::process::{ChildStderr, ChildStdin, ChildStdout, Command as StdCommand, Stdio};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::unistd::getppid;

use super::Command;
use super::capture::{Capture, Kept};
use crate::os::keeper::WORKER_MARK;
use crate::os::pidfd::PidFd;
use crate::os::poll::round_up;
use crate::os::process::{self, OwnChild};
use crate::os::socket::set_nonblocking;
use crate::os::usage::{Reaped, reap};

/// How often the caller is asked whether to go on.
const ASK: Duration = Duration::from_millis(50);

/// A started command. Dropped before its end, it is killed with its group and reaped.
pub(super) struct Running {
    /// `None` once it is reaped.
    child: Option<OwnChild>,
    handle: PidFd,
    stdin: Option<ChildStdin>,
    stdout: Capture<ChildStdout>,
    stderr: Capture<ChildStderr>,
}

/// How it came to its end.
pub(super) struct Ended {
    pub reaped: Reaped,
    pub timed_out: bool,
    pub stopped: bool,
}

/// How far the command has been asked to end.
#[derive(Clone, Copy)]
enum Stage {
    Running { until: Option<Instant> },
    Asked { kill_at: Instant },
    Killed,
}

impl Running {
    pub(super) fn start(command: &Command) -> io::Result<Self> {
        let mut native = native(command);
        let spawning = process::begin_spawn();
        let mut child = native.spawn()?;
        let own = spawning.born(i32::try_from(child.id()).map_err(io::Error::other)?);
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().expect("stdout is piped");
        let stderr = child.stderr.take().expect("stderr is piped");
        let mut killer = Killer(Some(own));
        if let Some(pipe) = &stdin {
            set_nonblocking(pipe, true)?;
        }
        let handle = PidFd::open(killer.pid())?;
        let stdout = Capture::new(stdout, command.max_output)?;
        let stderr = Capture::new(stderr, command.max_output)?;
        Ok(Self { child: killer.0.take(), handle, stdin, stdout, stderr })
    }

    /// Feeds and reads until the command itself has ended, whoever still holds its pipes.
    pub(super) fn finish(
        &mut self,
        command: &Command,
        start: Instant,
        go_on: &dyn Fn() -> bool,
    ) -> io::Result<Ended> {
        let mut input = command.stdin.as_deref().unwrap_or_default();
        let mut stage =
            Stage::Running { until: command.timeout.and_then(|timeout| start.checked_add(timeout)) };
        let (mut timed_out, mut stopped) = (false, false);
        loop {
            if self.wait(stage)? {
                break;
            }
            self.feed(&mut input)?;
            self.stdout.read_ready()?;
            self.stderr.read_ready()?;
            let now = Instant::now();
            match stage {
                Stage::Running { until } => {
                    timed_out = until.is_some_and(|until| now >= until);
                    stopped = !timed_out && !go_on();
                    if timed_out || stopped {
                        self.signal(Signal::SIGTERM);
                        stage = Stage::Asked { kill_at: now + command.grace };
                    }
                }
                Stage::Asked { kill_at } if now >= kill_at => {
                    self.signal(Signal::SIGKILL);
                    stage = Stage::Killed;
                }
                Stage::Asked { .. } | Stage::Killed => {}
            }
        }
        let reaped = self.end()?.ok_or_else(|| io::Error::from(Errno::ECHILD))?;
        Ok(Ended { reaped, timed_out, stopped })
    }

    pub(super) fn outputs(&mut self) -> (Kept, Kept) {
        (self.stdout.take(), self.stderr.take())
    }

    /// Waits for something to do; `true` when the command has ended.
    fn wait(&self, stage: Stage) -> io::Result<bool> {
        let fds: [Option<(BorrowedFd<'_>, PollFlags)>; 4] = [
            Some((self.handle.as_fd(), PollFlags::POLLIN)),
            self.stdin.as_ref().map(|pipe| (pipe.as_fd(), PollFlags::POLLOUT)),
            self.stdout.fd().map(|pipe| (pipe, PollFlags::POLLIN)),
            self.stderr.fd().map(|pipe| (pipe, PollFlags::POLLIN)),
        ];
        let mut fds: Vec<PollFd<'_>> =
            fds.into_iter().flatten().map(|(fd, flags)| PollFd::new(fd, flags)).collect();
        let until = |time: Instant| time.saturating_duration_since(Instant::now());
        let timeout = match stage {
            Stage::Running { until: time } => Some(time.map_or(ASK, |time| until(time).min(ASK))),
            Stage::Asked { kill_at } => Some(until(kill_at)),
            Stage::Killed => None,
        };
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

    /// Kills what is left of the group, reads what waits in the pipes, and reaps the command.
    fn end(&mut self) -> io::Result<Option<Reaped>> {
        self.signal(Signal::SIGKILL);
        self.stdout.read_ready()?;
        self.stderr.read_ready()?;
        let Some(child) = self.child.take() else {
            return Ok(None);
        };
        reap(child.pid()).map(Some)
    }

    fn signal(&self, signal: Signal) {
        if let Some(child) = &self.child {
            process::signal_group(child.pid(), signal);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(Killer(self.child.take()));
    }
}

/// Kills the command it holds, and reaps it.
struct Killer(Option<OwnChild>);

impl Killer {
    fn pid(&self) -> i32 {
        self.0.as_ref().map_or(0, OwnChild::pid)
    }
}

impl Drop for Killer {
    fn drop(&mut self) {
        if let Some(child) = self.0.take() {
            process::signal_group(child.pid(), Signal::SIGKILL);
            let _ = reap(child.pid());
        }
    }
}

fn native(command: &Command) -> StdCommand {
    let mut native = StdCommand::new(&command.argv[0]);
    native.args(&command.argv[1..]).process_group(0);
    if command.clear_env {
        // The mark stays: by it the keeper knows a daemon of a worker that is gone.
        native
            .env_clear()
            .envs(std::env::var_os(WORKER_MARK).map(|mark| (WORKER_MARK, mark)));
    }
    native.envs(command.env.iter().map(|(name, value)| (name, value)));
    if let Some(cwd) = &command.cwd {
        native.current_dir(cwd);
    }
    native.stdin(if command.stdin.is_some() { Stdio::piped() } else { Stdio::null() });
    native.stdout(Stdio::piped()).stderr(Stdio::piped());
    let parent = nix::unistd::getpid();
    let follow = move || {
        prctl::set_pdeathsig(Signal::SIGKILL)?;
        // The parent may have died before the call.
        if getppid() != parent { Err(io::Error::from(Errno::ESRCH)) } else { Ok(()) }
    };
    // SAFETY: between fork and exec only two system calls, and no allocation: an error from a number has none.
    unsafe { native.pre_exec(follow) };
    native
}
