//! Shell commands of scripts (`os.execute`, `io.popen`), with which the script may go on to talk.
//!
//! As every command they lead a process group. The leader is not reaped before [`Shell::end`], so that the number of the
//! group stays its own, and all that it left behind can be killed then.
#![expect(
    unsafe_code,
    reason = "a C stream with functions of our own behind it, as Lua's files are C streams"
)]

use std::ffi::{OsStr, c_char, c_int, c_void};
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::{Command as StdCommand, Stdio};
use std::ptr::NonNull;
use std::sync::Arc;

use nix::errno::Errno;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;

use super::run::{Leader, follow_parent};
use crate::os::pidfd::PidFd;
use crate::os::process;
use crate::os::socket::set_nonblocking;

/// Which end of a pipe the script holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Talk {
    /// None: the command has no input, and its output goes where this process's goes.
    None,
    /// The script reads what the command writes.
    Read,
    /// The script writes what the command reads.
    Write,
}

/// Asked when a signal comes: whether to go on waiting.
pub type GoOn = fn() -> bool;

/// A started command. Dropped, it is killed with its group and reaped.
#[derive(Debug)]
pub struct Shell {
    leader: Leader,
    handle: Arc<PidFd>,
}

/// A C stream (`FILE *`) to or from a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream(NonNull<c_void>);

impl Shell {
    /// Starts `/bin/sh -c text`, and opens the stream unless there is nothing to say.
    ///
    /// # Errors
    /// Those of the system.
    pub fn start(text: &OsStr, talk: Talk, go_on: GoOn) -> io::Result<(Self, Option<Stream>)> {
        let mut native = StdCommand::new("/bin/sh");
        native.arg("-c").arg(text).process_group(0);
        native.stdin(if talk == Talk::Write { Stdio::piped() } else { Stdio::null() });
        native.stdout(if talk == Talk::Read { Stdio::piped() } else { Stdio::inherit() });
        follow_parent(&mut native);
        let spawning = process::begin_spawn();
        let mut child = native.spawn()?;
        let pid = i32::try_from(child.id()).map_err(io::Error::other)?;
        let leader = Leader::of(spawning.born(pid));
        let handle = Arc::new(PidFd::open(pid)?);
        let pipe = match talk {
            Talk::None => None,
            Talk::Read => child.stdout.take().map(OwnedFd::from),
            Talk::Write => child.stdin.take().map(OwnedFd::from),
        };
        let stream = match pipe {
            Some(pipe) => Some(stream(Cookie { pipe, handle: Arc::clone(&handle), go_on }, talk)?),
            None => None,
        };
        Ok((Shell { leader, handle }, stream))
    }

    /// Waits for the command itself, not for what it left behind; its status as wait(2) gives it, or `None` when
    /// `go_on` said no: it has been asked to end then.
    ///
    /// # Errors
    /// Those of the system.
    pub fn wait(&self, go_on: GoOn) -> io::Result<Option<i32>> {
        loop {
            let mut fds = [PollFd::new(self.handle.as_fd(), PollFlags::POLLIN)];
            match poll(&mut fds, PollTimeout::NONE) {
                Ok(_) => break,
                Err(Errno::EINTR) if go_on() => {}
                Err(Errno::EINTR) => {
                    self.leader.signal_group(Signal::SIGTERM);
                    return Ok(None);
                }
                Err(error) => return Err(error.into()),
            }
        }
        let Some(pid) = self.leader.pid() else { return Err(Errno::ECHILD.into()) };
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
        Ok(Some(match waitid(Id::Pid(Pid::from_raw(pid)), flags)? {
            WaitStatus::Exited(_, code) => code << 8,
            WaitStatus::Signaled(_, signal, _) => signal as i32,
            _ => 0,
        }))
    }

    /// Readable when the command itself has ended.
    pub fn handle(&self) -> Arc<PidFd> {
        Arc::clone(&self.handle)
    }

    /// Kills what is left of its group.
    pub fn end(self) {
        drop(self);
    }
}

impl Stream {
    /// The address, as C code has it.
    pub fn as_ptr(self) -> *mut c_void {
        self.0.as_ptr()
    }

    /// What C code has.
    pub fn from_ptr(file: *mut c_void) -> Option<Self> {
        NonNull::new(file).map(Stream)
    }

    /// Writes what is buffered and closes it. Nobody may use it any more.
    pub fn close(self) {
        // SAFETY: made by `fopencookie`, and closed once, by the function that Lua calls once
        unsafe { libc::fclose(self.as_ptr().cast()) };
    }
}

/// What C streams are written to before a command starts that might write to the same files (as `popen` of Lua does).
pub fn flush_streams() {
    // SAFETY: null stands for all of them
    unsafe { libc::fflush(std::ptr::null_mut()) };
}

struct Cookie {
    /// Does not block.
    pipe: OwnedFd,
    handle: Arc<PidFd>,
    go_on: GoOn,
}

/// fopencookie(3), in glibc and musl.
#[repr(C)]
struct Functions {
    read: Option<unsafe extern "C" fn(*mut c_void, *mut c_char, libc::size_t) -> libc::ssize_t>,
    write: Option<unsafe extern "C" fn(*mut c_void, *const c_char, libc::size_t) -> libc::ssize_t>,
    seek: Option<unsafe extern "C" fn(*mut c_void, *mut libc::off64_t, c_int) -> c_int>,
    close: Option<unsafe extern "C" fn(*mut c_void) -> c_int>,
}

unsafe extern "C" {
    fn fopencookie(cookie: *mut c_void, mode: *const c_char, functions: Functions) -> *mut c_void;
}

fn stream(cookie: Cookie, talk: Talk) -> io::Result<Stream> {
    set_nonblocking(&cookie.pipe, true)?;
    let functions = Functions { read: Some(read), write: Some(write), seek: None, close: Some(close) };
    let mode = if talk == Talk::Read { c"r" } else { c"w" };
    let cookie = Box::into_raw(Box::new(cookie));
    // SAFETY: the cookie lives until `close`; the functions are those of its type
    let file = unsafe { fopencookie(cookie.cast(), mode.as_ptr(), functions) };
    match Stream::from_ptr(file) {
        Some(stream) => Ok(stream),
        None => {
            let error = io::Error::last_os_error();
            // SAFETY: no stream has it
            drop(unsafe { Box::from_raw(cookie) });
            Err(error)
        }
    }
}

/// Reads until the command itself has ended and the pipe is empty, whoever else holds the other end.
///
/// # Safety
/// Called by the C library with a [`Cookie`] and a buffer of that size.
unsafe extern "C" fn read(cookie: *mut c_void, buffer: *mut c_char, size: libc::size_t) -> libc::ssize_t {
    // SAFETY: the caller's promise
    let cookie = unsafe { &*cookie.cast::<Cookie>() };
    let mut ended = false;
    loop {
        // SAFETY: the caller's promise
        let count = unsafe { libc::read(cookie.pipe.as_raw_fd(), buffer.cast(), size) };
        match Errno::result(count) {
            Ok(count) => return count,
            Err(Errno::EAGAIN) if ended => return 0,
            Err(Errno::EAGAIN) => match cookie.wait(PollFlags::POLLIN) {
                Some(dead) => ended = dead,
                None => return -1,
            },
            Err(Errno::EINTR) => {}
            Err(_) => return -1,
        }
    }
}

/// Writes as long as the command itself lives.
///
/// # Safety
/// As [`read`].
unsafe extern "C" fn write(cookie: *mut c_void, bytes: *const c_char, size: libc::size_t) -> libc::ssize_t {
    // SAFETY: the caller's promise
    let cookie = unsafe { &*cookie.cast::<Cookie>() };
    loop {
        // SAFETY: the caller's promise
        let count = unsafe { libc::write(cookie.pipe.as_raw_fd(), bytes.cast(), size) };
        match Errno::result(count) {
            Ok(count) => return count,
            Err(Errno::EAGAIN) => match cookie.wait(PollFlags::POLLOUT) {
                Some(false) => {}
                Some(true) => {
                    Errno::set(Errno::EPIPE);
                    return 0;
                }
                None => return 0,
            },
            Err(Errno::EINTR) => {}
            // a stream's write tells an error by 0
            Err(_) => return 0,
        }
    }
}

/// # Safety
/// Called by the C library, once.
unsafe extern "C" fn close(cookie: *mut c_void) -> c_int {
    // SAFETY: the caller's promise
    drop(unsafe { Box::from_raw(cookie.cast::<Cookie>()) });
    0
}

impl Cookie {
    /// Waits for the pipe or the end of the command; whether the latter came. `None`, with errno, when it must not wait
    /// any longer.
    fn wait(&self, flags: PollFlags) -> Option<bool> {
        let mut fds =
            [PollFd::new(self.pipe.as_fd(), flags), PollFd::new(self.handle.as_fd(), PollFlags::POLLIN)];
        loop {
            match poll(&mut fds, PollTimeout::NONE) {
                Ok(_) => return Some(fds[0].any() != Some(true) && fds[1].any() == Some(true)),
                Err(Errno::EINTR) if (self.go_on)() => {}
                Err(error) => {
                    Errno::set(if error == Errno::EINTR { Errno::ECANCELED } else { error });
                    return None;
                }
            }
        }
    }
}
