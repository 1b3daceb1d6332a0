//! External commands: started from a thread that waits for them, ended with everything that they started.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::time::Duration;

use super::clock::monotonic_ns;
use super::usage::Usage;

mod capture;
mod child;
mod guard;
mod run;
mod spawn;
mod spawned;
mod start;
mod stream;

pub use capture::LARGEST_PIPE;
pub use child::{Child, Ended, how};
pub use guard::under_guard;
pub use spawned::{End, Said, Spawned, take_streams};
pub use start::{Plug, Start, Started, find_program};
pub use stream::{GoOn, Pipe, Stream, flush_streams};

/// A command to run, with the settings that most commands want.
#[derive(Clone, Debug)]
pub struct Command {
    /// Program and arguments; the program is searched for in `PATH`.
    pub argv: Vec<OsString>,
    /// Where it runs; the folder of this process unless said.
    pub cwd: Option<PathBuf>,
    /// Added to the environment of this process.
    pub env: Vec<(OsString, OsString)>,
    /// Whether it gets nothing of the environment of this process.
    pub clear_env: bool,
    /// What it reads; nothing unless said.
    pub stdin: Option<Vec<u8>>,
    /// After this time its process group gets SIGTERM.
    pub timeout: Option<Duration>,
    /// And after this one more, SIGKILL.
    pub grace: Duration,
    /// Bytes of each stream that are kept; the rest is read and dropped, so that the command never waits for us.
    pub max_output: usize,
}

/// How a command ended and what it said.
#[derive(Clone, Debug)]
pub struct Finished {
    /// Its exit status, unless a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// The start of its standard output.
    pub stdout: Vec<u8>,
    /// The start of its standard error.
    pub stderr: Vec<u8>,
    /// Whether one of them was longer than `max_output`.
    pub truncated: bool,
    /// Whether it was asked to end because of `timeout`.
    pub timed_out: bool,
    /// Whether it was asked to end because the caller said so.
    pub stopped: bool,
    /// From its start to its end.
    pub elapsed: Duration,
    /// What it and the children that it waited for have used.
    pub usage: Usage,
}

/// Why a command could not be run. That it failed is no error here, see [`Finished`].
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// `argv` is empty.
    #[error("the command has no program: give at least its name")]
    Empty,
    /// The folder to run in is not there.
    #[error("cannot run `{program}` in {}: there is no such folder", cwd.display())]
    NoFolder {
        /// As in `argv`.
        program: String,
        /// As asked.
        cwd: PathBuf,
    },
    /// There is no such program.
    #[error("`{program}` is not a program in PATH ({searched}): install it, or give its path")]
    NotFound {
        /// As in `argv`.
        program: String,
        /// The value of `PATH`.
        searched: String,
    },
    /// There is no such file.
    #[error("cannot run `{program}`: there is no such file")]
    NoFile {
        /// As in `argv`.
        program: String,
    },
    /// The file is a script for a program that is not there, or needs a loader that is not.
    #[error("cannot run `{program}`: the interpreter that its first line names is not there")]
    NoInterpreter {
        /// As in `argv`.
        program: String,
    },
    /// The file is no program, or is not marked as one.
    #[error("cannot run `{program}`: it is no program, or not marked as one (chmod +x)")]
    NotExecutable {
        /// As in `argv`.
        program: String,
    },
    /// The system refused.
    #[error("cannot run `{program}`")]
    System {
        /// As in `argv`.
        program: String,
        /// What it said.
        source: io::Error,
    },
}

impl Command {
    /// A command with empty input, no time limit, 2 s of grace and 16 MiB of each output.
    pub fn new<S: Into<OsString>>(argv: impl IntoIterator<Item = S>) -> Self {
        Self {
            argv: argv.into_iter().map(Into::into).collect(),
            cwd: None,
            env: Vec::new(),
            clear_env: false,
            stdin: None,
            timeout: None,
            grace: Duration::from_secs(2),
            max_output: 16 << 20,
        }
    }

    /// Runs it to its end. It leads a process group, which is killed when it has ended; it is killed when the calling
    /// thread ends, thus also with this process. A descendant that left the group but holds the output open is not waited
    /// for.
    pub fn run(&self) -> Result<Finished, CommandError> {
        self.run_to_end(None)
    }

    /// As [`run`](Self::run), but asks it to end (as at `timeout`) when `go_on` says no. It is asked every 50 ms, and
    /// when a signal comes to the calling thread.
    pub fn run_while(&self, go_on: &dyn Fn() -> bool) -> Result<Finished, CommandError> {
        self.run_to_end(Some(go_on))
    }

    fn run_to_end(&self, go_on: Option<&dyn Fn() -> bool>) -> Result<Finished, CommandError> {
        let start_ns = monotonic_ns();
        let mut running = run::Running::start(self)?;
        let end = running
            .finish(self, start_ns, go_on)
            .map_err(|source| CommandError::System { program: self.program(), source })?;
        let (stdout, stderr) = running.outputs();
        Ok(Finished {
            code: end.ended.status.code(),
            signal: end.ended.status.signal(),
            truncated: stdout.truncated || stderr.truncated,
            stdout: stdout.bytes,
            stderr: stderr.bytes,
            timed_out: end.timed_out,
            stopped: end.stopped,
            elapsed: end.ended.elapsed,
            usage: end.ended.usage,
        })
    }

    fn program(&self) -> String {
        self.argv.first().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }

    fn to_start(&self) -> Start {
        Start {
            argv: self.argv.clone(),
            cwd: self.cwd.clone(),
            env: self.env.iter().map(|(name, value)| (name.clone(), Some(value.clone()))).collect(),
            clear_env: self.clear_env,
            stdin: if self.stdin.is_some() { Plug::Pipe } else { Plug::Null },
            stdout: Plug::Pipe,
            stderr: Plug::Pipe,
            ..Start::default()
        }
    }
}

#[cfg(test)]
mod tests;
