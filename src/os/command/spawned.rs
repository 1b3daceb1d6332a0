//! A process of this program's own that is told lines and answers in lines.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::process::ExitStatusExt as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::capture::LARGEST_PIPE;
use super::child::Child;
use super::start::{Plug, Start, Started};

/// Bytes of its standard error that are kept: the last ones.
const TAIL: usize = 8 << 10;
/// A line that is longer is cut: our own have bounds.
const LONGEST: u64 = 64 << 20;

/// It leads a process group, and ends with it when this is dropped, and with the thread that started it.
#[derive(Debug)]
pub struct Spawned {
    child: Child,
    stdin: Option<File>,
    lines: Receiver<Vec<u8>>,
    tail: Arc<Tail>,
}

/// The last of what it wrote to its standard error.
#[derive(Debug)]
struct Tail {
    /// Its reads do not block, and are done by whoever has `kept`: what was read is never on its way.
    pipe: File,
    kept: Mutex<Vec<u8>>,
}

impl Tail {
    fn new(pipe: File) -> io::Result<Self> {
        fcntl(&pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        Ok(Tail { pipe, kept: Mutex::default() })
    }

    /// Reads a piece of what is there; how much that is.
    ///
    /// # Errors
    /// `WouldBlock` when there may be more later.
    fn read(&self, kept: &mut Vec<u8>) -> io::Result<usize> {
        let mut piece = [0; 4096];
        let count = (&self.pipe).read(&mut piece)?;
        kept.extend_from_slice(&piece[..count]);
        let over = kept.len().saturating_sub(TAIL);
        kept.drain(..over);
        Ok(count)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads until nobody can write to it any more.
    fn follow(&self) {
        loop {
            let mut ready = [PollFd::new(self.pipe.as_fd(), PollFlags::POLLIN)];
            match poll(&mut ready, PollTimeout::NONE) {
                Ok(_) | Err(Errno::EINTR) => {}
                Err(_) => return,
            }
            match self.read(&mut self.lock()) {
                Ok(1..) => {}
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                Ok(0) | Err(_) => return,
            }
        }
    }

    /// All that was written until now, as far as it is kept. What escaped the end of the process may go on to write.
    fn take(&self) -> Vec<u8> {
        let mut kept = self.lock();
        let mut left = LARGEST_PIPE;
        while left > 0
            && let Ok(count @ 1..) = self.read(&mut kept)
        {
            left = left.saturating_sub(count);
        }
        std::mem::take(&mut kept)
    }
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
        let argv = [OsString::from("/proc/self/exe")].into_iter().chain(arguments.iter().cloned());
        let start = Start {
            shown: Some("mpms".into()),
            stdin: Plug::Pipe,
            stdout: Plug::Pipe,
            stderr: Plug::Pipe,
            ..Start::new(argv)
        };
        let Started { child, stdin, stdout, stderr } = start.start().map_err(io::Error::other)?;
        let (tell, lines) = crossbeam_channel::unbounded();
        let stdout = stdout.expect("stdout is piped");
        let tail = Arc::new(Tail::new(stderr.expect("stderr is piped"))?);
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
        let follows = Arc::clone(&tail);
        // what it started may hold this open for longer: nobody waits for the thread
        std::thread::Builder::new().name("spawned".into()).spawn(move || follows.follow())?;
        Ok(Spawned { child, stdin, lines, tail })
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
        // killed with its group in any case
        self.child.handle().wait(Some(within))?;
        let status = self.child.end()?.status;
        let stderr = self.tail.take();
        // a guard says how the process under it has ended
        let (code, signal) = match (status.code(), status.signal()) {
            (Some(code @ 129..), _) => (None, Some(code - 128)),
            other => other,
        };
        Ok(End { code, signal, stderr })
    }
}

/// Takes standard input and output away from everybody else in this process, and from what it starts: reading gives
/// nothing then, and what is written goes to standard error.
///
/// # Errors
/// When the system refuses.
pub fn take_streams() -> io::Result<(File, File)> {
    let (stdin, stdout, stderr) = (io::stdin(), io::stdout(), io::stderr());
    // the copies close on exec
    let input = stdin.as_fd().try_clone_to_owned()?;
    let output = stdout.as_fd().try_clone_to_owned()?;
    let null = File::open("/dev/null")?;
    nix::unistd::dup2_stdin(&null)?;
    nix::unistd::dup2_stdout(&stderr)?;
    Ok((input.into(), output.into()))
}
