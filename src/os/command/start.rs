//! How a command is started: the one place where this program makes a process out of an argument list.
#![expect(
    unsafe_code,
    reason = "code between fork and exec, for what a command must not change itself later"
)]

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command as Native, Stdio};

use nix::errno::Errno;
use nix::libc;
use nix::sys::prctl;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::Signal;
use nix::unistd::{AccessFlags, access, getppid};

use super::CommandError;
use super::child::Child;
use crate::os::keeper::WORKER_MARK;
use crate::os::process;

/// What a standard stream of a command is.
#[derive(Debug, Default)]
pub enum Plug {
    /// Nothing to read, and nowhere to write.
    #[default]
    Null,
    /// That of this process.
    Inherit,
    /// A pipe, of which the caller gets the other end.
    Pipe,
    /// A file.
    File(File),
    /// The writing end of a pipe, or any other descriptor.
    Fd(OwnedFd),
    /// Of standard error: wherever standard output goes, by the same pipe or file.
    Merge,
}

/// A command to start.
#[derive(Debug, Default)]
pub struct Start {
    /// Program and arguments; the program is searched for in `PATH`.
    pub argv: Vec<OsString>,
    /// The name that it is told to have, unless that of the program.
    pub shown: Option<OsString>,
    /// Where it runs; the folder of this process unless said.
    pub cwd: Option<PathBuf>,
    /// Set in its environment, or removed from it.
    pub env: Vec<(OsString, Option<OsString>)>,
    /// Whether it gets nothing else of the environment of this process.
    pub clear_env: bool,
    /// Added to its niceness, nice(2).
    pub nice: i32,
    /// Bytes of address space that each process of it may have at most, `RLIMIT_AS`.
    pub memory: Option<u64>,
    /// Its standard input.
    pub stdin: Plug,
    /// Its standard output.
    pub stdout: Plug,
    /// Its standard error.
    pub stderr: Plug,
}

/// A command that runs, and our ends of its pipes. Closed on `exec`, as all descriptors of this program.
#[derive(Debug)]
pub struct Started {
    /// The command.
    pub child: Child,
    /// To write to.
    pub stdin: Option<File>,
    /// To read from.
    pub stdout: Option<File>,
    /// To read from.
    pub stderr: Option<File>,
}

impl Start {
    /// Program and arguments, with no streams.
    pub fn new<S: Into<OsString>>(argv: impl IntoIterator<Item = S>) -> Self {
        Self { argv: argv.into_iter().map(Into::into).collect(), ..Self::default() }
    }

    /// Starts it. It leads a process group, and is killed when the calling thread ends, thus also with this process: call
    /// it on a thread that lives as long as the command should.
    ///
    /// # Errors
    /// With the reason why it cannot run.
    pub fn start(self) -> Result<Started, CommandError> {
        if self.argv.is_empty() {
            return Err(CommandError::Empty);
        }
        let look = Look { argv0: self.argv[0].clone(), cwd: self.cwd.clone(), path: self.path() };
        self.spawn().map_err(|error| look.why_not(error))
    }

    fn path(&self) -> Option<OsString> {
        match self.env.iter().rev().find(|(name, _)| name == "PATH") {
            Some((_, value)) => value.clone(),
            None if self.clear_env => None,
            None => std::env::var_os("PATH"),
        }
    }

    fn spawn(self) -> io::Result<Started> {
        let mut native = Native::new(&self.argv[0]);
        native.args(&self.argv[1..]).process_group(0);
        if let Some(shown) = &self.shown {
            native.arg0(shown);
        }
        if self.clear_env {
            // The mark stays: by it the keeper knows a daemon of a worker that is gone.
            native.env_clear().envs(std::env::var_os(WORKER_MARK).map(|mark| (WORKER_MARK, mark)));
        }
        for (name, value) in &self.env {
            match value {
                Some(value) => native.env(name, value),
                None => native.env_remove(name),
            };
        }
        if let Some(cwd) = &self.cwd {
            native.current_dir(cwd);
        }
        let merged = plug_outputs(&mut native, self.stdout, self.stderr)?;
        native.stdin(plain(self.stdin));
        in_child(&mut native, self.nice, self.memory);
        let spawning = process::begin_spawn();
        let mut child = native.spawn()?;
        let own = spawning.born(i32::try_from(child.id()).map_err(io::Error::other)?);
        let file = |fd: Option<OwnedFd>| fd.map(File::from);
        Ok(Started {
            child: Child::of(own)?,
            stdin: file(child.stdin.take().map(OwnedFd::from)),
            stdout: merged.or_else(|| file(child.stdout.take().map(OwnedFd::from))),
            stderr: file(child.stderr.take().map(OwnedFd::from)),
        })
    }
}

fn plain(plug: Plug) -> Stdio {
    match plug {
        Plug::Null | Plug::Merge => Stdio::null(),
        Plug::Inherit => Stdio::inherit(),
        Plug::Pipe => Stdio::piped(),
        Plug::File(file) => Stdio::from(file),
        Plug::Fd(fd) => Stdio::from(fd),
    }
}

/// Sets both; the reading end of a pipe that is for both.
fn plug_outputs(native: &mut Native, stdout: Plug, stderr: Plug) -> io::Result<Option<File>> {
    if !matches!(stderr, Plug::Merge) {
        native.stdout(plain(stdout)).stderr(plain(stderr));
        return Ok(None);
    }
    let (mut reading, both) = (
        None,
        match stdout {
            Plug::Pipe => {
                let (reader, writer) = io::pipe()?;
                (Some(reader), OwnedFd::from(writer))
            }
            Plug::File(file) => (None, OwnedFd::from(file)),
            Plug::Fd(fd) => (None, fd),
            Plug::Inherit => (None, nix::unistd::dup(io::stdout())?),
            Plug::Null | Plug::Merge => (None, OwnedFd::from(File::options().write(true).open("/dev/null")?)),
        },
    );
    let (reader, writer) = both;
    if let Some(reader) = reader {
        reading = Some(File::from(OwnedFd::from(reader)));
    }
    native.stderr(Stdio::from(writer.try_clone()?)).stdout(Stdio::from(writer));
    Ok(reading)
}

/// It is killed when the thread that starts it ends, and has the limits that were asked for.
fn in_child(native: &mut Native, nice: i32, memory: Option<u64>) {
    let parent = nix::unistd::getpid();
    let before_exec = move || {
        prctl::set_pdeathsig(Signal::SIGKILL)?;
        // The parent may have died before the call.
        if getppid() != parent {
            return Err(io::Error::from(Errno::ESRCH));
        }
        if nice != 0 {
            Errno::clear();
            // SAFETY: a system call with a number; -1 is also a niceness, so the error is asked for
            if unsafe { libc::nice(nice) } == -1 && Errno::last_raw() != 0 {
                return Err(io::Error::from(Errno::last()));
            }
        }
        if let Some(bytes) = memory {
            setrlimit(Resource::RLIMIT_AS, bytes, bytes)?;
        }
        Ok(())
    };
    // SAFETY: between fork and exec only system calls, and no allocation: an error from a number has none
    unsafe { native.pre_exec(before_exec) };
}

/// The file that a program's name stands for in a `PATH`, if it may be run.
pub fn find_program(name: &OsStr, path: &OsStr) -> Option<PathBuf> {
    let runs = |file: &Path| file.is_file() && access(file, AccessFlags::X_OK).is_ok();
    if name.is_empty() {
        return None;
    }
    if name.as_encoded_bytes().contains(&b'/') {
        return Some(PathBuf::from(name)).filter(|file| runs(file));
    }
    std::env::split_paths(path).map(|folder| folder.join(name)).find(|file| runs(file))
}

/// What there is to see when a command does not start.
struct Look {
    argv0: OsString,
    cwd: Option<PathBuf>,
    path: Option<OsString>,
}

impl Look {
    /// The system says "not found" for a program, its interpreter and a folder alike.
    fn why_not(&self, source: io::Error) -> CommandError {
        let program = self.argv0.to_string_lossy().into_owned();
        if let Some(cwd) = self.cwd.as_ref().filter(|cwd| !cwd.is_dir()) {
            return CommandError::NoFolder { program, cwd: cwd.clone() };
        }
        let has_slash = self.argv0.as_encoded_bytes().contains(&b'/');
        let path = self.path.clone().unwrap_or_default();
        let file = match (has_slash, &self.cwd) {
            (true, Some(cwd)) => Some(cwd.join(&self.argv0)),
            (true, None) => Some(PathBuf::from(&self.argv0)),
            (false, _) => find_program(&self.argv0, &path),
        };
        match (source.kind(), file) {
            (io::ErrorKind::NotFound, Some(file)) if file.exists() => CommandError::NoInterpreter { program },
            (io::ErrorKind::NotFound, _) if has_slash => CommandError::NoFile { program },
            (io::ErrorKind::NotFound, _) => {
                CommandError::NotFound { program, searched: path.to_string_lossy().into_owned() }
            }
            (io::ErrorKind::PermissionDenied, file) => match file {
                Some(file) if access(&file, AccessFlags::X_OK).is_ok() && file.is_file() => {
                    CommandError::System { program, source }
                }
                _ => CommandError::NotExecutable { program },
            },
            _ if source.raw_os_error() == Some(libc::ENOEXEC) => CommandError::NotExecutable { program },
            _ => CommandError::System { program, source },
        }
    }
}
