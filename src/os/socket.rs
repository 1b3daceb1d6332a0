//! Unix sockets between the processes of a run.
#![expect(unsafe_code, reason = "nix's recvmsg leaks the descriptors of a message whose list was cut")]

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::libc;
use nix::sys::socket::{
    AddressFamily, ControlMessage, MsgFlags, Shutdown, SockFlag, SockType, sendmsg, shutdown, socketpair,
};

use super::poll::{Interest, until_ready};

/// Most descriptors in one message (the kernel allows 253).
pub const MOST_FDS: usize = 8;

/// One end of a pair of connected unix sockets, closed on `exec`. A signal during a call never shows.
#[derive(Debug)]
pub struct Socket(OwnedFd);

impl Socket {
    /// Two ends of a stream of bytes.
    pub fn pair() -> io::Result<(Self, Self)> {
        Self::pair_of(SockType::Stream)
    }

    /// Two ends of a sequence of records: each [`send_with_fds`](Self::send_with_fds) arrives as one whole
    /// [`recv_with_fds`](Self::recv_with_fds).
    pub(super) fn pair_of_records() -> io::Result<(Self, Self)> {
        Self::pair_of(SockType::SeqPacket)
    }

    fn pair_of(kind: SockType) -> io::Result<(Self, Self)> {
        let (one, other) = socketpair(AddressFamily::Unix, kind, None, SockFlag::SOCK_CLOEXEC)?;
        Ok((Self(one), Self(other)))
    }

    /// Whether calls return `WouldBlock` instead of waiting. Each end has its own setting.
    pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        set_nonblocking(&self.0, nonblocking)
    }

    /// Reads what is there, up to the size of `buffer`; 0 at the end of the stream.
    pub fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        retry(|| nix::unistd::read(&self.0, buffer))
    }

    /// Writes as much as there is room for. A closed peer is `BrokenPipe`, never a signal.
    pub fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    /// Writes as much of several pieces as there is room for, in one call. At most 1024 pieces (`IOV_MAX`).
    pub fn write_vectored(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        self.send(pieces, &[])
    }

    /// Writes all of it, and waits for room also when the socket is non-blocking.
    pub fn write_all(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.write(bytes) {
                Ok(count) => bytes = &bytes[count..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    until_ready(&self.0, Interest::Write, None)?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Sends bytes and copies of descriptors, at most [`MOST_FDS`]. On a stream the descriptors arrive with the first of the
    /// bytes.
    pub fn send_with_fds(&self, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<usize> {
        debug_assert!(fds.len() <= MOST_FDS);
        self.send(&[IoSlice::new(bytes)], fds)
    }

    /// Receives bytes and the descriptors that came with them; 0 bytes at the end. Descriptors are closed on `exec`.
    ///
    /// Fewer descriptors than were sent arrive when this process has too many open. A record that does not fit into
    /// `buffer` is `EMSGSIZE`, and lost.
    pub fn recv_with_fds(&self, buffer: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
        let (count, fds, flags) = retry(|| receive(self.0.as_raw_fd(), buffer))?;
        if flags & libc::MSG_TRUNC != 0 {
            return Err(io::Error::from(Errno::EMSGSIZE));
        }
        Ok((count, fds))
    }

    /// Says that nothing more will be written: the other side reads the end. Reading goes on.
    pub fn shutdown_write(&self) -> io::Result<()> {
        Ok(shutdown(self.0.as_raw_fd(), Shutdown::Write)?)
    }

    fn send(&self, pieces: &[IoSlice<'_>], fds: &[BorrowedFd<'_>]) -> io::Result<usize> {
        let raw: Vec<RawFd> = fds.iter().map(|fd| fd.as_raw_fd()).collect();
        let rights = [ControlMessage::ScmRights(&raw)];
        let rights: &[ControlMessage<'_>] = if raw.is_empty() { &[] } else { &rights };
        retry(|| sendmsg::<()>(self.0.as_raw_fd(), pieces, rights, MsgFlags::MSG_NOSIGNAL, None))
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl From<OwnedFd> for Socket {
    fn from(fd: OwnedFd) -> Self {
        Self(fd)
    }
}

impl From<Socket> for OwnedFd {
    fn from(socket: Socket) -> Self {
        socket.0
    }
}

/// Sets or clears `O_NONBLOCK`. It belongs to the open file, so every copy of the descriptor changes with it.
pub fn set_nonblocking(fd: impl AsFd, nonblocking: bool) -> io::Result<()> {
    let fd = fd.as_fd();
    let mut flags = OFlag::from_bits_retain(fcntl(fd, FcntlArg::F_GETFL)?);
    flags.set(OFlag::O_NONBLOCK, nonblocking);
    fcntl(fd, FcntlArg::F_SETFL(flags))?;
    Ok(())
}

/// Room for the control message, aligned as its header wants.
#[repr(align(8))]
struct ControlSpace([MaybeUninit<u8>; 256]);

/// recvmsg(2): bytes, descriptors, flags.
fn receive(socket: RawFd, buffer: &mut [u8]) -> nix::Result<(usize, Vec<OwnedFd>, libc::c_int)> {
    let mut piece = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    let mut space = ControlSpace([const { MaybeUninit::uninit() }; 256]);
    // SAFETY: all fields of `msghdr` are integers and pointers, for which zero is valid.
    let mut header: libc::msghdr = unsafe { MaybeUninit::zeroed().assume_init() };
    header.msg_iov = &raw mut piece;
    header.msg_iovlen = 1;
    header.msg_control = space.0.as_mut_ptr().cast();
    header.msg_controllen = size_of_val(&space.0) as _;
    // SAFETY: the header points to `piece` (and through it to `buffer`) and to `space`, with their true sizes; all of them
    // live until the end of this function.
    let count = Errno::result(unsafe { libc::recvmsg(socket, &raw mut header, libc::MSG_CMSG_CLOEXEC) })?;
    // SAFETY: the kernel has filled `header` and the control messages that it describes.
    let fds = unsafe { take_fds(&header) };
    Ok((usize::try_from(count).expect("a count that is no error"), fds, header.msg_flags))
}

/// Owns every descriptor of a received message.
///
/// # Safety
///
/// `header` was filled by recvmsg(2), its control buffer still lives, and this is called once for it.
unsafe fn take_fds(header: &libc::msghdr) -> Vec<OwnedFd> {
    let mut fds = Vec::new();
    // SAFETY: `header` is as the caller promises, so the CMSG macros stay inside the control buffer; each descriptor in an
    // SCM_RIGHTS message is new and owned by nobody. `read_unaligned`, since the payload has no promised alignment.
    unsafe {
        let mut message = libc::CMSG_FIRSTHDR(header);
        while !message.is_null() {
            if ((*message).cmsg_level, (*message).cmsg_type) == (libc::SOL_SOCKET, libc::SCM_RIGHTS) {
                let data = libc::CMSG_DATA(message);
                let bytes = (*message).cmsg_len as usize - (data as usize - message as usize);
                let first = data.cast::<RawFd>();
                let all = (0..bytes / size_of::<RawFd>()).map(|index| first.add(index).read_unaligned());
                fds.extend(all.map(|fd| OwnedFd::from_raw_fd(fd)));
            }
            message = libc::CMSG_NXTHDR(header, message);
        }
    }
    fds
}

fn retry<T>(mut call: impl FnMut() -> nix::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(Errno::EINTR) => {}
            other => return Ok(other?),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Read as _, Write as _};
    use std::os::fd::AsFd as _;

    use super::Socket;

    #[test]
    fn a_closed_peer_is_an_error_for_the_writer_and_an_end_for_the_reader() {
        let (one, other) = Socket::pair().expect("pair");
        one.write_all(b"last").expect("write");
        drop(one);
        let mut buffer = [0; 8];
        assert_eq!(other.read(&mut buffer).expect("read"), 4);
        assert_eq!(other.read(&mut buffer).expect("read"), 0);
        assert_eq!(other.write(b"x").expect_err("closed").kind(), ErrorKind::BrokenPipe);
    }

    #[test]
    fn write_all_waits_for_room_on_a_nonblocking_socket() {
        let (one, other) = Socket::pair().expect("pair");
        one.set_nonblocking(true).expect("flag");
        let bytes: Vec<u8> = (0..4_000_000_u32).map(|n| n.to_le_bytes()[1]).collect();
        let sent = bytes.clone();
        let writer = std::thread::spawn(move || one.write_all(&sent));
        let mut got = Vec::new();
        let mut buffer = [0; 65536];
        while let count @ 1.. = other.read(&mut buffer).expect("read") {
            got.extend_from_slice(&buffer[..count]);
        }
        writer.join().expect("thread").expect("write");
        assert!(got == bytes);
    }

    #[test]
    fn an_empty_nonblocking_socket_would_block() {
        let (one, _other) = Socket::pair().expect("pair");
        one.set_nonblocking(true).expect("flag");
        assert_eq!(one.read(&mut [0; 8]).expect_err("empty").kind(), ErrorKind::WouldBlock);
    }

    #[test]
    fn descriptors_travel_and_stay_closed_on_exec() {
        let (one, other) = Socket::pair_of_records().expect("pair");
        let (mut reader, writer) = std::io::pipe().expect("pipe");
        one.send_with_fds(b"here", &[writer.as_fd(), one.as_fd()]).expect("send");
        one.send_with_fds(b"next", &[]).expect("send");
        drop(writer);
        let mut buffer = [0; 64];
        let (count, mut fds) = other.recv_with_fds(&mut buffer).expect("receive");
        assert_eq!((&buffer[..count], fds.len()), (&b"here"[..], 2));
        let mut copy = std::io::PipeWriter::from(fds.swap_remove(0));
        let flags = nix::fcntl::fcntl(&copy, nix::fcntl::FcntlArg::F_GETFD).expect("flags");
        assert_eq!(flags, nix::libc::FD_CLOEXEC);
        copy.write_all(b"through").expect("write");
        drop((copy, fds));
        let mut text = String::new();
        reader.read_to_string(&mut text).expect("read");
        assert_eq!(text, "through");
        assert_eq!(other.recv_with_fds(&mut buffer).expect("receive").0, 4);
    }

    #[test]
    fn a_record_that_is_too_long_is_an_error_and_not_half_a_record() {
        let (one, other) = Socket::pair_of_records().expect("pair");
        one.send_with_fds(b"too long", &[]).expect("send");
        one.send_with_fds(b"ok", &[]).expect("send");
        let mut buffer = [0; 4];
        assert!(other.recv_with_fds(&mut buffer).is_err());
        assert_eq!(other.recv_with_fds(&mut buffer).expect("receive").0, 2);
    }
}
