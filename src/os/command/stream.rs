//! The C streams by which scripts talk with commands (`io.popen`).
#![expect(
    unsafe_code,
    reason = "a C stream with functions of our own behind it, as Lua's files are C streams"
)]

use std::cell::RefCell;
use std::ffi::{c_char, c_int, c_void};
use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::ptr::NonNull;
use std::rc::Rc;
use std::slice;

use nix::errno::Errno;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::child::Child;
use crate::os::socket::set_nonblocking;

/// Read ahead at once.
const LARGEST_READ: usize = 16 << 10;

/// Asked when a signal comes: whether to go on waiting.
pub type GoOn = fn() -> bool;

/// A C stream (`FILE *`) to or from a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream(NonNull<c_void>);

impl Stream {
    /// To read what the command writes, or to write what it reads, as long as it lives: whoever else holds the other end
    /// of `pipe` is not waited for. The pipe is there as long as the stream is.
    ///
    /// # Errors
    /// Those of the system.
    pub fn open(pipe: File, child: &Child, reads: bool, go_on: GoOn) -> io::Result<(Self, Rc<Pipe>)> {
        set_nonblocking(&pipe, true)?;
        let pipe = Rc::new(Pipe { file: pipe, death: child.death()?, go_on, ahead: RefCell::default() });
        let cookie = Rc::into_raw(Rc::clone(&pipe));
        let functions = Functions { read: Some(read), write: Some(write), seek: None, close: Some(close) };
        let mode = if reads { c"r" } else { c"w" };
        // SAFETY: the cookie lives until `close`; the functions are those of its type
        let file = unsafe { fopencookie(cookie.cast_mut().cast(), mode.as_ptr(), functions) };
        match Stream::from_ptr(file) {
            Some(stream) => Ok((stream, pipe)),
            None => {
                let error = io::Error::last_os_error();
                // SAFETY: no stream has it
                drop(unsafe { Rc::from_raw(cookie) });
                Err(error)
            }
        }
    }

    /// What the stream has read and C code has not.
    ///
    /// # Safety
    /// It is open, for reading, and C code does nothing with it as long as the result lives.
    pub unsafe fn unread<'a>(self) -> &'a [u8] {
        // SAFETY: a stream begins so; the two pointers are null, or into its buffer
        unsafe {
            let Head { next, end, .. } = *self.0.as_ptr().cast::<Head>();
            if next.is_null() { &[] } else { slice::from_raw_parts(next, end.offset_from_unsigned(next)) }
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

/// How a `FILE` begins, in glibc (where old programs read it by macros) and in musl.
#[repr(C)]
struct Head {
    flags: c_int,
    next: *const u8,
    end: *const u8,
}

/// What a stream reads from or writes to.
pub struct Pipe {
    /// Does not block.
    file: File,
    death: OwnedFd,
    go_on: GoOn,
    ahead: RefCell<Ahead>,
}

/// What was read before the stream asked for it.
#[derive(Default)]
struct Ahead {
    bytes: Vec<u8>,
    /// What the stream has taken of them.
    start: usize,
    is_over: bool,
}

impl Pipe {
    /// A descriptor to wait for it.
    ///
    /// # Errors
    /// When there are too many.
    pub fn handle(&self) -> io::Result<File> {
        self.file.try_clone()
    }

    /// Blocks until there is something to be read, or the command itself has ended; false when it must not wait any longer.
    pub fn wait_for_data(&self) -> bool {
        self.wait(PollFlags::POLLIN).is_some()
    }

    /// Reads what is there, as far as it waits in the pipe. At the end of the command, or of the pipe, nothing more comes.
    ///
    /// # Errors
    /// Those of the system.
    pub fn read_ahead(&self) -> io::Result<()> {
        let mut ahead = self.ahead.borrow_mut();
        let mut chunk = [0; LARGEST_READ];
        // in this order: what it wrote at last must be seen
        let has_died = self.has_died();
        match (&self.file).read(&mut chunk) {
            Ok(0) => ahead.is_over = true,
            Ok(count) => {
                let start = std::mem::take(&mut ahead.start);
                ahead.bytes.drain(..start);
                ahead.bytes.extend_from_slice(&chunk[..count]);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => ahead.is_over = has_died,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Looks at what was read ahead, and whether that is all there is.
    pub fn with_ahead<T>(&self, look: impl FnOnce(&[u8], bool) -> T) -> T {
        let ahead = self.ahead.borrow();
        look(&ahead.bytes[ahead.start..], ahead.is_over)
    }

    /// Gives away what was read ahead, at most so much; how much that is.
    fn take(&self, most: usize, give: impl FnOnce(&[u8])) -> usize {
        let mut ahead = self.ahead.borrow_mut();
        let start = ahead.start;
        let count = most.min(ahead.bytes.len() - start);
        give(&ahead.bytes[start..start + count]);
        ahead.start += count;
        if ahead.start == ahead.bytes.len() {
            *ahead = Ahead { is_over: ahead.is_over, ..Ahead::default() };
        }
        count
    }

    fn has_died(&self) -> bool {
        let mut fds = [PollFd::new(self.death.as_fd(), PollFlags::POLLIN)];
        poll(&mut fds, PollTimeout::ZERO).is_ok() && fds[0].any() == Some(true)
    }
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
/// Called by the C library with a [`Pipe`] and a buffer of that size.
unsafe extern "C" fn read(cookie: *mut c_void, buffer: *mut c_char, size: libc::size_t) -> libc::ssize_t {
    // SAFETY: the caller's promise
    let cookie = unsafe { &*cookie.cast::<Pipe>() };
    let taken = cookie.take(size, |bytes| {
        // SAFETY: the caller's promise; the bytes are not of the buffer
        unsafe { buffer.copy_from_nonoverlapping(bytes.as_ptr().cast(), bytes.len()) }
    });
    if taken > 0 {
        return taken.cast_signed();
    }
    let mut ended = false;
    loop {
        // SAFETY: the caller's promise
        let count = unsafe { libc::read(cookie.file.as_raw_fd(), buffer.cast(), size) };
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
    let cookie = unsafe { &*cookie.cast::<Pipe>() };
    loop {
        // SAFETY: the caller's promise
        let count = unsafe { libc::write(cookie.file.as_raw_fd(), bytes.cast(), size) };
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
    drop(unsafe { Rc::from_raw(cookie.cast::<Pipe>()) });
    0
}

impl Pipe {
    /// Waits for the pipe or the end of the command; whether the latter came. `None`, with errno, when it must not wait
    /// any longer.
    fn wait(&self, flags: PollFlags) -> Option<bool> {
        let mut fds =
            [PollFd::new(self.file.as_fd(), flags), PollFd::new(self.death.as_fd(), PollFlags::POLLIN)];
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

#[cfg(test)]
mod tests {
    use std::ffi::c_int;
    use std::time::Duration;

    use nix::libc;

    use super::{Pipe, Stream};
    use crate::os::command::{Plug, Start, Started};

    fn get(stream: Stream) -> Option<u8> {
        // SAFETY: it is open
        u8::try_from(unsafe { libc::fgetc(stream.as_ptr().cast()) }).ok()
    }

    fn unread(stream: Stream) -> Vec<u8> {
        // SAFETY: it is open, for reading, and nothing else has it
        unsafe { stream.unread() }.to_vec()
    }

    fn ahead(pipe: &Pipe) -> (Vec<u8>, bool) {
        pipe.with_ahead(|bytes, is_over| (bytes.to_vec(), is_over))
    }

    #[test]
    fn what_was_read_ahead_comes_first_and_what_the_stream_has_is_seen() {
        let mut start = Start::new(["sh", "-c", "printf 'abc\\ndef'; read x; printf ghi"]);
        (start.stdin, start.stdout) = (Plug::Pipe, Plug::Pipe);
        let Started { child, stdin, stdout, .. } = start.start().expect("started");
        let (stream, pipe) = Stream::open(stdout.expect("a pipe"), &child, true, || true).expect("a stream");
        assert!(unread(stream).is_empty());
        while ahead(&pipe).0.len() < 7 {
            pipe.read_ahead().expect("a pipe");
            std::thread::sleep(Duration::from_millis(1));
        }
        pipe.read_ahead().expect("nothing is there, and that is no error");
        assert_eq!(ahead(&pipe), (b"abc\ndef".to_vec(), false));
        assert_eq!(get(stream), Some(b'a'));
        assert_eq!((unread(stream), ahead(&pipe).0), (b"bc\ndef".to_vec(), Vec::new()));
        // SAFETY: it is open
        unsafe { libc::ungetc(c_int::from(b'a'), stream.as_ptr().cast()) };
        assert_eq!(unread(stream), b"abc\ndef");
        for byte in b"abc\ndef" {
            assert_eq!(get(stream), Some(*byte));
        }
        assert!(unread(stream).is_empty());
        drop(stdin);
        while !ahead(&pipe).1 {
            pipe.read_ahead().expect("a pipe");
            std::thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(ahead(&pipe), (b"ghi".to_vec(), true));
        assert_eq!((get(stream), unread(stream)), (Some(b'g'), b"hi".to_vec()));
        assert_eq!((get(stream), get(stream), get(stream)), (Some(b'h'), Some(b'i'), None));
        stream.close();
        child.end().expect("ended");
    }
}
