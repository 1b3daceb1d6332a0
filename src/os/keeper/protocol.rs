//! What coordinator and keeper say to each other: one JSON value a record, with descriptors beside it.
//!
//! There are a few of these for each worker's life, so plain text costs nothing and reads well in `strace`.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::os::socket::Socket;

/// Longest record; titles are cut to stay far below it.
const LONGEST: usize = 16 * 1024;
const LONGEST_TITLE: usize = 1000;

/// Asked by the coordinator.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Request {
    /// Fork a worker with so many slots. Answered by `Started` or `ForkFailed`.
    Fork { id: u32, slots: u32, title: String },
    /// Kill it with its process group. No answer but its `Died`.
    Kill { id: u32 },
}

/// Told by the keeper.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Report {
    /// With the descriptors: socket, slots, output, pidfd.
    Started { id: u32, pid: i32, slots: u32 },
    /// Why, as a number of errno(3).
    ForkFailed { id: u32, errno: i32 },
    /// The status of wait(2), and what it used.
    Died { id: u32, pid: i32, status: i32, user_us: u64, system_us: u64, max_rss_bytes: u64 },
}

/// Number of descriptors that come with [`Report::Started`].
pub(super) const STARTED_FDS: usize = 4;

impl Request {
    /// A fork request, its title cut to what a record can hold.
    pub(super) fn fork(id: u32, slots: u32, title: &str) -> Self {
        Self::Fork { id, slots, title: title[..title.floor_char_boundary(LONGEST_TITLE)].to_owned() }
    }
}

/// A message on its way.
#[derive(Debug)]
pub(super) struct Record {
    bytes: Vec<u8>,
    fds: Vec<OwnedFd>,
}

impl Record {
    pub(super) fn new(message: &impl Serialize, fds: Vec<OwnedFd>) -> Self {
        Self { bytes: serde_json::to_vec(message).expect("numbers and strings can be written"), fds }
    }

    /// Sends it whole, or not at all.
    pub(super) fn send(&self, socket: &Socket) -> io::Result<()> {
        let fds: Vec<_> = self.fds.iter().map(OwnedFd::as_fd).collect();
        socket.send_with_fds(&self.bytes, &fds).map(drop)
    }
}

/// Receives the next message; `Ok(None)` at the end.
pub(super) fn receive<M: DeserializeOwned>(socket: &Socket) -> io::Result<Option<(M, Vec<OwnedFd>)>> {
    let mut buffer = [0; LONGEST];
    let (count, fds) = loop {
        match socket.recv_with_fds(&mut buffer) {
            // Told once when the other side died with unread records; what it sent before is still to be read.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {}
            other => break other?,
        }
    };
    if count == 0 {
        return Ok(None);
    }
    Ok(Some((serde_json::from_slice(&buffer[..count])?, fds)))
}

#[cfg(test)]
mod tests {
    use std::os::fd::OwnedFd;

    use super::{Record, Report, Request, receive};
    use crate::os::socket::Socket;

    #[test]
    fn messages_arrive_as_they_were_sent_and_outlive_the_sender() {
        let (one, other) = Socket::pair_of_records().expect("pair");
        let (reader, _writer) = std::io::pipe().expect("pipe");
        let died =
            Report::Died { id: 1, pid: 2, status: 9, user_us: u64::MAX, system_us: 0, max_rss_bytes: 3 };
        Record::new(&Report::Started { id: 1, pid: 2, slots: 3 }, vec![OwnedFd::from(reader)])
            .send(&one)
            .expect("send");
        Record::new(&died, Vec::new()).send(&one).expect("send");
        Record::new(&Request::Kill { id: 9 }, Vec::new()).send(&other).expect("unread");
        drop(one);
        let (report, fds) = receive::<Report>(&other).expect("receive").expect("a message");
        assert_eq!((report, fds.len()), (Report::Started { id: 1, pid: 2, slots: 3 }, 1));
        assert_eq!(receive::<Report>(&other).expect("receive").expect("a message").0, died);
        assert!(receive::<Report>(&other).expect("the end").is_none());
    }

    #[test]
    fn an_absurd_title_is_cut_and_fits() {
        let (one, other) = Socket::pair_of_records().expect("pair");
        Record::new(&Request::fork(1, 1, &"\u{1}é".repeat(100_000)), Vec::new()).send(&one).expect("send");
        assert!(receive::<Request>(&other).expect("receive").is_some());
    }
}
