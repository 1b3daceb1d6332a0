//! How a command is started: the one place where this program makes a process out of an argument list.
#![expect(unsafe_code, reason = "fcntl gives a copy of a descriptor as a number")]

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};

use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use nix::unistd::{AccessFlags, access};

use super::CommandError;
use super::child::Child;
use super::spawn::{Birth, Source};
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

impl Plug {
    /// Only standard error goes with another.
    fn not_merged(self) -> Self {
        if matches!(self, Plug::Merge) { Plug::Null } else { self }
    }
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

    /// `PATH` as the command has it.
    pub(super) fn path(&self) -> Option<OsString> {
        match self.env.iter().rev().find(|(name, _)| name == "PATH") {
            Some((_, value)) => value.clone(),
            None if self.clear_env => None,
            None => std::env::var_os("PATH"),
        }
    }

    fn spawn(self) -> io::Result<Started> {
        let birth = Birth::new(&self)?;
        let (stdin, to_stdin) = plug(self.stdin.not_merged(), Way::In)?;
        let (stdout, from_stdout) = plug(self.stdout.not_merged(), Way::Out)?;
        let (stderr, from_stderr) = plug(self.stderr, Way::Out)?;
        let spawning = process::begin_spawn();
        let own = spawning.born(birth.start(&[stdin, stdout, stderr])?);
        Ok(Started { child: Child::of(own)?, stdin: to_stdin, stdout: from_stdout, stderr: from_stderr })
    }
}

/// Where data goes, as the command sees it.
#[derive(Clone, Copy)]
enum Way {
    In,
    Out,
}

/// What the command gets, and our end of it.
fn plug(plug: Plug, way: Way) -> io::Result<(Source, Option<File>)> {
    let (theirs, ours): (OwnedFd, _) = match plug {
        Plug::Inherit => return Ok((Source::Inherit, None)),
        Plug::Merge => return Ok((Source::Merge, None)),
        Plug::Null => {
            let mut options = File::options();
            let options = match way {
                Way::In => options.read(true),
                Way::Out => options.write(true),
            };
            (options.open("/dev/null")?.into(), None)
        }
        Plug::Pipe => {
            let (reader, writer) = io::pipe()?;
            let (reader, writer) = (OwnedFd::from(reader), OwnedFd::from(writer));
            match way {
                Way::In => (reader, Some(File::from(writer))),
                Way::Out => (writer, Some(File::from(reader))),
            }
        }
        Plug::File(file) => (file.into(), None),
        Plug::Fd(fd) => (fd, None),
    };
    Ok((Source::Fd(above_standard(theirs)?), ours))
}

/// One that none of the standard streams replaces before it is used itself.
fn above_standard(fd: OwnedFd) -> io::Result<OwnedFd> {
    if fd.as_raw_fd() > libc::STDERR_FILENO {
        return Ok(fd);
    }
    let copy = fcntl(&fd, FcntlArg::F_DUPFD_CLOEXEC(libc::STDERR_FILENO + 1))?;
    // SAFETY: it was made just now, and nobody else has it
    Ok(unsafe { OwnedFd::from_raw_fd(copy) })
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
