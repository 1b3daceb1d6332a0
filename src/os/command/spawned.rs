//! A process of this program's own that is told lines and answers in lines.

use std::ffi::OsString;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{ChildStdin, Command as StdCommand, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl;
use nix::sys::signal::Signal;

use super::run::{Leader, follow_parent};
use crate::os::exit::exit_now;
use crate::os::fork::{Forked, fork};
use crate::os::pidfd::PidFd;
use crate::os::process;
use crate::os::signals::{Signals, reset_for_child};
use crate::os::usage::reap;

/// Bytes of its standard error that are kept: the last ones.
const TAIL: usize = 8 << 10;
/// A line that is longer is cut: our own have bounds.
const LONGEST: u64 = 64 << 20;

/// It leads a process group, and ends with it when this is dropped, and with the thread that started it.
#[derive(Debug)]
pub struct Spawned {
    leader: Leader,
    stdin: Option<ChildStdin>,
    lines: Receiver<Vec<u8>>,
    tail: Arc<Mutex<Vec<u8>>>,
}

/// What it said.
#[derive(Debug, PartialEq, Eq)]
pub enum Said {
    /// A line, without its end.
    Line(Vec<u8>),
    /// Nothing within the time.
    Nothing,
    /// It says nothing any more.
    Ended,
}

/// How it ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct End {
    /// Its exit status, unless a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// The last of what it wrote to its standard error.
    pub stderr: Vec<u8>,
}

impl Spawned {
    /// Starts this program again with other arguments.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn start(arguments: &[OsString]) -> io::Result<Self> {
        let mut native = StdCommand::new("/proc/self/exe");
        native.arg0("mpms").args(arguments).process_group(0);
        native.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        follow_parent(&mut native);
        let spawning = process::begin_spawn();
        let mut child = native.spawn()?;
        let leader = Leader::of(spawning.born(i32::try_from(child.id()).map_err(io::Error::other)?));
        let (tell, lines) = crossbeam_channel::unbounded();
        let tail = Arc::new(Mutex::new(Vec::new()));
        let stdout = child.stdout.take().expect("stdout is piped");
        let mut stderr = child.stderr.take().expect("stderr is piped");
        std::thread::Builder::new().name("spawned".into()).spawn(move || {
            let mut stdout = BufReader::new(stdout);
            loop {
                let mut line = Vec::new();
                match stdout.by_ref().take(LONGEST).read_until(b'\n', &mut line) {
                    Ok(1..) if line.ends_with(b"\n") => line.pop(),
                    // a line that is cut is the end
                    _ => return,
                };
                if tell.send(line).is_err() {
                    return;
                }
            }
        })?;
        let kept = Arc::clone(&tail);
        // what it started may hold this open for longer: nobody waits for the thread
        std::thread::Builder::new().name("spawned".into()).spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(count @ 1..) = stderr.read(&mut piece) {
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                kept.extend_from_slice(&piece[..count]);
                let over = kept.len().saturating_sub(TAIL);
                kept.drain(..over);
            }
        })?;
        Ok(Spawned { leader, stdin: child.stdin.take(), lines, tail })
    }

    /// Tells it a line. One that has ended hears nothing, and that is seen elsewhere.
    pub fn tell(&mut self, line: &[u8]) {
        if let Some(stdin) = &mut self.stdin {
            let _ = stdin.write_all(line).and_then(|()| stdin.write_all(b"\n")).and_then(|()| stdin.flush());
        }
    }

    /// Waits for the next line.
    pub fn next(&self, within: Duration) -> Said {
        match self.lines.recv_timeout(within) {
            Ok(line) => Said::Line(line),
            Err(RecvTimeoutError::Timeout) => Said::Nothing,
            Err(RecvTimeoutError::Disconnected) => Said::Ended,
        }
    }

    /// Lets it end by itself, but not for longer than this, and all that it started with it.
    ///
    /// # Errors
    /// When it cannot be waited for.
    pub fn end(mut self, within: Duration) -> io::Result<End> {
        self.stdin = None;
        let pid = self.leader.pid().ok_or_else(|| io::Error::other("it has been waited for"))?;
        let handle = PidFd::open(pid)?;
        if !handle.wait(Some(within))? {
            self.leader.signal_group(Signal::SIGKILL);
            handle.wait(None)?;
        }
        self.leader.signal_group(Signal::SIGKILL);
        let status = self.leader.reap()?;
        let stderr = std::mem::take(&mut *self.tail.lock().unwrap_or_else(PoisonError::into_inner));
        // a guard says how the process under it has ended
        let (code, signal) = match (status.status.code(), status.status.signal()) {
            (Some(code @ 129..), _) => (None, Some(code - 128)),
            other => other,
        };
        Ok(End { code, signal, stderr })
    }
}

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
    let null = std::fs::File::open("/dev/null")?;
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

/// Takes standard input and output away from everybody else in this process, and from what it starts: reading gives
/// nothing then, and what is written goes to standard error.
///
/// # Errors
/// When the system refuses.
pub fn take_streams() -> io::Result<(std::fs::File, std::fs::File)> {
    let (stdin, stdout, stderr) = (io::stdin(), io::stdout(), io::stderr());
    // the copies close on exec
    let input = stdin.as_fd().try_clone_to_owned()?;
    let output = stdout.as_fd().try_clone_to_owned()?;
    let null = std::fs::File::open("/dev/null")?;
    nix::unistd::dup2_stdin(&null)?;
    nix::unistd::dup2_stdout(&stderr)?;
    Ok((input.into(), output.into()))
}
