#![expect(
    unsafe_code,
    reason = "tokio asks for a promise that a descriptor stays the same while it is registered"
)]
//! Descriptors that are waited for on the thread's runtime.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// An end of a pipe, which does not block.
pub(super) fn pipe(file: File, interest: Interest) -> io::Result<AsyncFd<File>> {
    // SAFETY: a file has one descriptor as long as it lives, and is not taken out of the registration
    Ok(unsafe { AsyncFd::register_with_interest(file, interest) }?)
}

/// A descriptor that becomes readable once.
pub(super) fn event(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: as above
    Ok(unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) }?)
}
