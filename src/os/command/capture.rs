//! The start of a stream, kept while all of it is read.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};

use crate::os::socket::set_nonblocking;

/// The largest pipe that a user may make (`/proc/sys/fs/pipe-max-size`): more than this is never waiting in one.
pub const LARGEST_PIPE: usize = 1 << 20;

/// What was kept.
#[derive(Debug, Default)]
pub(super) struct Kept {
    pub bytes: Vec<u8>,
    pub truncated: bool,
}

/// The reading end of a command's output.
#[derive(Debug)]
pub(super) struct Capture<R> {
    /// `None` after its end.
    pipe: Option<R>,
    limit: usize,
    kept: Kept,
}

impl<R: Read + AsFd> Capture<R> {
    pub(super) fn new(pipe: R, limit: usize) -> io::Result<Self> {
        set_nonblocking(&pipe, true)?;
        Ok(Self { pipe: Some(pipe), limit, kept: Kept::default() })
    }

    /// To poll, until the end.
    pub(super) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.pipe.as_ref().map(AsFd::as_fd)
    }

    /// Reads what is there, about a pipe's content at most: a writer that never pauses must not keep us here.
    pub(super) fn read_ready(&mut self) -> io::Result<()> {
        let mut buffer = [0; 16 * 1024];
        let mut seen = 0;
        while let Some(pipe) = &mut self.pipe
            && seen < LARGEST_PIPE
        {
            match pipe.read(&mut buffer) {
                Ok(0) => self.pipe = None,
                Ok(count) => {
                    seen += count;
                    self.keep(&buffer[..count]);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    pub(super) fn take(&mut self) -> Kept {
        std::mem::take(&mut self.kept)
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = self.limit - self.kept.bytes.len();
        self.kept.bytes.extend_from_slice(&bytes[..bytes.len().min(room)]);
        self.kept.truncated |= bytes.len() > room;
    }
}
