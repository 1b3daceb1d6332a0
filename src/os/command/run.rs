//! A command while it runs.
#![expect(unsafe_code, reason = "code between fork and exec, to set the death signal")]

use std::io::{self, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::process::CommandExt as _;
use std::process::{ChildStderr, ChildStdin, ChildStdout, Command as StdCommand, Stdio};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::unistd::getppid;

use super::Command;
use super::capture::{Capture, Kept};
use crate::os::clock::monotonic_ns;
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
    leader: Leader,
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
    pub(super) fn start(command: &Command) -> io::Result<Self> {
        let mut native = native(command);
        let spawning = process::begin_spawn();
        let mut child = native.spawn()?;
        let pid = i32::try_from(child.id()).map_err(io::Error::other)?;
        let leader = Leader::of(spawning.born(pid));
        let stdin = child.stdin.take();
        if let Some(pipe) = &stdin {
            set_nonblocking(pipe, true)?;
        }
        let stdout = child.stdout.take().expect("stdout is piped");
        let stderr = child.stderr.take().expect("stderr is piped");
        Ok(Self {
            leader,
            handle: PidFd::open(pid)?,
            stdin,
            stdout: Capture::new(stdout, command.max_output)?,
            stderr: Capture::new(stderr, command.max_output)?,
        })
    }

    /// Feeds and reads until the command itself has ended, whoever still holds its pipes.
    pub(super) fn finish(
        &mut self,
        command: &Command,
        start_ns: u64,
        go_on: Option<&dyn Fn() -> bool>,
    ) -> io::Result<Ended> {
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
                        self.leader.signal_group(Signal::SIGTERM);
                        let kill_at = Some(after(now, command.grace));
                        stage = Stage::Asked { kill_at };
                    }
                }
                Stage::Asked { kill_at } if is_over(kill_at) => {
                    self.leader.signal_group(Signal::SIGKILL);
                    stage = Stage::Killed;
                }
                Stage::Asked { .. } | Stage::Killed => {}
            }
        }
        let reaped = self.end()?;
        Ok(Ended { reaped, timed_out, stopped })
    }

    pub(super) fn outputs(&mut self) -> (Kept, Kept) {
        (self.stdout.take(), self.stderr.take())
    }

    /// Waits for something to do; `true` when the command has ended.
    fn wait(&self, stage: Stage, ask: bool) -> io::Result<bool> {
        let fds: [Option<(BorrowedFd<'_>, PollFlags)>; 4] = [
            Some((self.handle.as_fd(), PollFlags::POLLIN)),
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

    /// Kills what is left of the group, reads what waits in the pipes, and reaps the command.
    fn end(&mut self) -> io::Result<Reaped> {
        self.leader.signal_group(Signal::SIGKILL);
        self.stdout.read_ready()?;
        self.stderr.read_ready()?;
        self.leader.reap()
    }
}

/// The command's own process, which leads its group; `None` once it is reaped. Dropped before, it is killed with the group.
#[derive(Debug)]
pub(super) struct Leader(Option<OwnChild>);

impl Leader {
    pub(super) fn of(child: OwnChild) -> Self {
        Leader(Some(child))
    }

    pub(super) fn pid(&self) -> Option<i32> {
        self.0.as_ref().map(OwnChild::pid)
    }

    pub(super) fn signal_group(&self, signal: Signal) {
        if let Some(child) = &self.0 {
            process::signal_group(child.pid(), signal);
        }
    }

    pub(super) fn reap(&mut self) -> io::Result<Reaped> {
        let child = self.0.take().ok_or_else(|| io::Error::from(Errno::ECHILD))?;
        reap(child.pid())
    }
}

impl Drop for Leader {
    fn drop(&mut self) {
        self.signal_group(Signal::SIGKILL);
        let _ = self.reap();
    }
}

fn native(command: &Command) -> StdCommand {
    let mut native = StdCommand::new(&command.argv[0]);
    native.args(&command.argv[1..]).process_group(0);
    if command.clear_env {
        // The mark stays: by it the keeper knows a daemon of a worker that is gone.
        native.env_clear().envs(std::env::var_os(WORKER_MARK).map(|mark| (WORKER_MARK, mark)));
    }
    native.envs(command.env.iter().map(|(name, value)| (name, value)));
    if let Some(cwd) = &command.cwd {
        native.current_dir(cwd);
    }
    native.stdin(if command.stdin.is_some() { Stdio::piped() } else { Stdio::null() });
    native.stdout(Stdio::piped()).stderr(Stdio::piped());
    follow_parent(&mut native);
    native
}

/// It is killed when the thread that starts it ends.
pub(super) fn follow_parent(native: &mut StdCommand) {
    let parent = nix::unistd::getpid();
    let follow = move || {
        prctl::set_pdeathsig(Signal::SIGKILL)?;
        // The parent may have died before the call.
        if getppid() != parent { Err(io::Error::from(Errno::ESRCH)) } else { Ok(()) }
    };
    // SAFETY: between fork and exec only two system calls, and no allocation: an error from a number has none.
    unsafe { native.pre_exec(follow) };
}
