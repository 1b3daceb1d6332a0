#![expect(
    unsafe_code,
    reason = "what runs between clone and exec, for what a command must not change itself later"
)]
//! The birth of a command's process.
//!
//! The child borrows the memory of this process until it has become the command, as with vfork(2), and the calling thread
//! stands still meanwhile: a copy of the memory, or of its page tables alone, takes milliseconds where much is in use.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString, OsStr, OsString};
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd, RawFd};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::ptr;

use nix::errno::Errno;
use nix::libc::{self, c_char, c_int};
use nix::sched::{CloneFlags, clone};
use nix::sys::signal::{SigSet, SigmaskHow, pthread_sigmask};

use super::start::Start;
use crate::os::keeper::WORKER_MARK;
use crate::os::usage::reap;

/// Bytes of the stack on which the child runs until it has become the command: it calls the system and nothing else.
const STACK: usize = 64 << 10;
/// Where a program is looked for when there is no `PATH`, as execvp(3) does.
const PATH_OF_THE_SYSTEM: &str = "/bin:/usr/bin";
/// What a child exits with that could not become the command.
const NOT_STARTED: isize = 127;

/// What becomes one of the standard streams of a command.
pub(super) enum Source {
    /// That of this process.
    Inherit,
    /// This.
    Fd(OwnedFd),
    /// Of standard error: wherever standard output goes.
    Merge,
}

/// All that the child needs, in the form in which the system takes it.
pub(super) struct Birth {
    /// Files to try, in their order.
    files: Vec<CString>,
    argv: Vec<CString>,
    env: Vec<CString>,
    cwd: Option<CString>,
    nice: i32,
    memory: Option<u64>,
}

impl Birth {
    /// # Errors
    /// `InvalidInput` when there is a zero byte in one of the texts.
    pub fn new(start: &Start) -> io::Result<Self> {
        let text = |text: &OsStr| CString::new(text.as_bytes()).map_err(io::Error::from);
        let program = &start.argv[0];
        let first = text(start.shown.as_deref().unwrap_or(program))?;
        let others = start.argv[1..].iter().map(|argument| text(argument));
        Ok(Birth {
            files: files_of(program, start.path().as_deref())?,
            argv: std::iter::once(Ok(first)).chain(others).collect::<io::Result<_>>()?,
            env: environment(start)?,
            cwd: start.cwd.as_ref().map(|cwd| text(cwd.as_os_str())).transpose()?,
            nice: start.nice,
            memory: start.memory,
        })
    }

    /// Starts the process; its number. Nobody has waited for it.
    ///
    /// # Errors
    /// Those of the system, also those of the child until it has become the command.
    pub fn start(&self, streams: &[Source; 3]) -> io::Result<i32> {
        let streams = streams.each_ref().map(number);
        // for a file without an interpreter line: the shell, the file, and the arguments behind the first
        let mut argv: Vec<*const c_char> = Vec::with_capacity(self.argv.len() + 2);
        argv.push(SHELL.as_ptr());
        argv.extend(pointers(&self.argv));
        let env: Vec<*const c_char> = pointers(&self.env).collect();
        let parent = nix::unistd::getpid().as_raw();
        let mut failure = None;
        let mut stack = vec![0; STACK];
        let child = || {
            // SAFETY: this is the child, and its memory lives until it is gone
            failure = Some(unsafe { self.become_it(parent, streams, &mut argv, &env) });
            NOT_STARTED
        };
        // no function of a signal may run in the child, with the memory of this process
        let mut before = SigSet::empty();
        pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::all()), Some(&mut before))?;
        let flags = CloneFlags::CLONE_VM | CloneFlags::CLONE_VFORK;
        // SAFETY: this thread goes on only when the child has another memory or is gone; the child uses nothing of this
        // process but what it has been given, and its stack is large enough for that
        let born = unsafe { clone(Box::new(child), &mut stack, flags, Some(libc::SIGCHLD)) };
        pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&before), None)?;
        let pid = born?.as_raw();
        match failure {
            None => Ok(pid),
            Some(errno) => {
                reap(pid)?;
                Err(errno.into())
            }
        }
    }

    /// What the child does: calls of the system, and no allocation, lock or panic. Comes back only when one fails.
    ///
    /// # Safety
    /// The process shares its memory with one that waits; `argv` and `env` end with null.
    unsafe fn become_it(
        &self,
        parent: c_int,
        streams: [Option<RawFd>; 3],
        argv: &mut [*const c_char],
        env: &[*const c_char],
    ) -> Errno {
        // SAFETY: the caller's promise
        unsafe {
            match self.prepare(parent, streams) {
                Ok(()) => self.exec(argv, env),
                Err(errno) => errno,
            }
        }
    }

    /// # Safety
    /// As [`become_it`](Self::become_it).
    unsafe fn prepare(&self, parent: c_int, streams: [Option<RawFd>; 3]) -> Result<(), Errno> {
        // SAFETY: calls with numbers and with texts that live
        unsafe {
            for (target, source) in (0..).zip(streams) {
                if let Some(source) = source {
                    done(libc::dup2(source, target))?;
                }
            }
            done(libc::setpgid(0, 0))?;
            if let Some(cwd) = &self.cwd {
                done(libc::chdir(cwd.as_ptr()))?;
            }
            done(libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL))?;
            // the parent may have died before the call
            if libc::getppid() != parent {
                return Err(Errno::ESRCH);
            }
            if self.nice != 0 {
                // -1 is also a niceness, so the error is asked for
                Errno::clear();
                if libc::nice(self.nice) == -1 && Errno::last_raw() != 0 {
                    return Err(Errno::last());
                }
            }
            if let Some(bytes) = self.memory {
                let limit = libc::rlimit { rlim_cur: bytes, rlim_max: bytes };
                done(libc::setrlimit(libc::RLIMIT_AS, &raw const limit))?;
            }
            default_signals()
        }
    }

    /// As execvpe(3).
    ///
    /// # Safety
    /// As [`become_it`](Self::become_it).
    unsafe fn exec(&self, argv: &mut [*const c_char], env: &[*const c_char]) -> Errno {
        let mut error = Errno::ENOENT;
        for file in &self.files {
            // SAFETY: the caller's promise
            unsafe { libc::execve(file.as_ptr(), argv[1..].as_ptr(), env.as_ptr()) };
            match Errno::last() {
                Errno::ENOEXEC => {
                    argv[1] = file.as_ptr();
                    // SAFETY: the caller's promise
                    unsafe { libc::execve(SHELL.as_ptr(), argv.as_ptr(), env.as_ptr()) };
                    return Errno::last();
                }
                // another may be found, but if not, this is what there is to say
                Errno::EACCES => error = Errno::EACCES,
                Errno::ENOENT | Errno::ENOTDIR | Errno::ESTALE | Errno::ENODEV | Errno::ETIMEDOUT => {}
                other => return other,
            }
        }
        error
    }
}

const SHELL: &CStr = c"/bin/sh";

fn done(result: c_int) -> Result<(), Errno> {
    Errno::result(result).map(drop)
}

fn pointers(texts: &[CString]) -> impl Iterator<Item = *const c_char> {
    texts.iter().map(|text| text.as_ptr()).chain(std::iter::once(ptr::null()))
}

fn number(source: &Source) -> Option<RawFd> {
    match source {
        Source::Inherit => None,
        Source::Fd(fd) => Some(fd.as_raw_fd()),
        Source::Merge => Some(libc::STDOUT_FILENO),
    }
}

/// No signal has a function of this process any more, none is blocked, and the broken pipe, which this program ignores,
/// ends the command.
///
/// # Safety
/// Called in the child.
unsafe fn default_signals() -> Result<(), Errno> {
    // SAFETY: zeros are a valid action, the default one, and a valid set
    unsafe {
        let default: libc::sigaction = std::mem::zeroed();
        let mut action = default;
        for signal in 1..=libc::SIGRTMAX() {
            // the two that the C library has for itself are refused, and are none of ours
            let is_known = libc::sigaction(signal, ptr::null(), &raw mut action) == 0;
            let is_ours = !matches!(action.sa_sigaction, libc::SIG_DFL | libc::SIG_IGN);
            if is_known && (is_ours || signal == libc::SIGPIPE) {
                done(libc::sigaction(signal, &raw const default, ptr::null_mut()))?;
            }
        }
        let mut none: libc::sigset_t = std::mem::zeroed();
        done(libc::sigemptyset(&raw mut none))?;
        match libc::pthread_sigmask(libc::SIG_SETMASK, &raw const none, ptr::null_mut()) {
            0 => Ok(()),
            number => Err(Errno::from_raw(number)),
        }
    }
}

/// Where the program may be.
fn files_of(program: &OsStr, path: Option<&OsStr>) -> io::Result<Vec<CString>> {
    if program.is_empty() {
        return Ok(Vec::new());
    }
    if program.as_bytes().contains(&b'/') {
        return Ok(vec![CString::new(program.as_bytes())?]);
    }
    let folders = path.unwrap_or(OsStr::new(PATH_OF_THE_SYSTEM)).as_bytes().split(|byte| *byte == b':');
    let file = |folder: &[u8]| match folder {
        [] => CString::new(program.as_bytes()),
        _ => CString::new([folder, b"/", program.as_bytes()].concat()),
    };
    folders.map(|folder| file(folder).map_err(io::Error::from)).collect()
}

fn environment(start: &Start) -> io::Result<Vec<CString>> {
    let mut all: BTreeMap<OsString, OsString> = match start.clear_env {
        false => std::env::vars_os().collect(),
        // The mark stays: by it the keeper knows a daemon of a worker that is gone.
        true => std::env::var_os(WORKER_MARK).map(|mark| (WORKER_MARK.into(), mark)).into_iter().collect(),
    };
    for (name, value) in &start.env {
        match value {
            Some(value) => all.insert(name.clone(), value.clone()),
            None => all.remove(name),
        };
    }
    let line = |(name, value): (OsString, OsString)| {
        let mut line = name.into_vec();
        line.push(b'=');
        line.extend_from_slice(value.as_bytes());
        Ok(CString::new(line)?)
    };
    all.into_iter().map(line).collect()
}
