//! The C streams by which scripts talk with commands (`io.popen`).
#![expect(
    unsafe_code,
    reason = "a C stream with functions of our own behind it, as Lua's files are C streams"
)]

use std::ffi::{c_char, c_int, c_void};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::ptr::NonNull;

use nix::errno::Errno;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::child::Child;
use crate::os::socket::set_nonblocking;

/// Asked when a signal comes: whether to go on waiting.
pub type GoOn = fn() -> bool;

/// A C stream (`FILE *`) to or from a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream(NonNull<c_void>);

impl Stream {
    /// To read what the command writes, or to write what it reads, as long as it lives: whoever else holds the other end
    /// of `pipe` is not waited for.
    ///
    /// # Errors
    /// Those of the system.
    pub fn open(pipe: File, child: &Child, reads: bool, go_on: GoOn) -> io::Result<Self> {
        set_nonblocking(&pipe, true)?;
        let cookie = Box::into_raw(Box::new(Cookie { pipe, death: child.death()?, go_on }));
        let functions = Functions { read: Some(read), write: Some(write), seek: None, close: Some(close) };
        let mode = if reads { c"r" } else { c"w" };
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
    pipe: File,
    death: OwnedFd,
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
            [PollFd::new(self.pipe.as_fd(), flags), PollFd::new(self.death.as_fd(), PollFlags::POLLIN)];
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
