//! Writers to standard output and error that hold no lock of the standard library while they wait.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, SendTimeoutError, Sender, bounded, select};

/// Pieces that may wait to be written; with pieces of 64 KiB at most, 16 MiB.
const WAITING: usize = 256;
const PIECE: usize = 64 * 1024;

enum Piece {
    Bytes(Vec<u8>),
    /// Answered when all before it is written.
    Written(Sender<()>),
}

/// Writes at once, and waits as long as that takes.
pub(super) struct Direct(File);

impl Direct {
    /// Writes to a duplicate of `target`.
    pub(super) fn new(target: impl AsFd) -> io::Result<Self> {
        Ok(Direct(duplicate(target)?))
    }
}

impl Write for Direct {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        write_all(&mut self.0, bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The writing thread ended without a word, or its word was taken before.
fn gone() -> io::Error {
    io::ErrorKind::BrokenPipe.into()
}

fn duplicate(target: impl AsFd) -> io::Result<File> {
    Ok(File::from(target.as_fd().try_clone_to_owned()?))
}

/// Cannot block its caller for ever: a thread of its own writes to the descriptor.
/// Once the reader has taken nothing for `patience` while
/// the queue is full, or at [`flush`](Write::flush), writing fails with `TimedOut`.
pub(super) struct Pump {
    queue: Sender<Piece>,
    ended: Receiver<io::Error>,
    patience: Duration,
}

impl Pump {
    /// Writes to a duplicate of `target`.
    pub(super) fn new(target: impl AsFd, patience: Duration) -> io::Result<Self> {
        let mut file = duplicate(target)?;
        let (queue, pieces) = bounded(WAITING);
        let (tell, ended) = bounded(1);
        thread::Builder::new().name("report pump".into()).spawn(move || {
            for piece in pieces {
                match piece {
                    Piece::Bytes(bytes) => {
                        if let Err(error) = write_all(&mut file, &bytes) {
                            // The pump is gone when nobody asks how it ended.
                            let _ = tell.send(error);
                            return;
                        }
                    }
                    Piece::Written(answer) => drop(answer.send(())),
                }
            }
        })?;
        Ok(Pump { queue, ended, patience })
    }

    fn push(&self, piece: Piece) -> io::Result<()> {
        self.queue.send_timeout(piece, self.patience).map_err(|error| match error {
            SendTimeoutError::Timeout(_) => self.stuck(),
            SendTimeoutError::Disconnected(_) => self.why(),
        })
    }

    fn stuck(&self) -> io::Error {
        let message = format!("nothing was read from it for {}s", self.patience.as_secs_f64());
        io::Error::new(io::ErrorKind::TimedOut, message)
    }

    fn why(&self) -> io::Error {
        self.ended.recv().unwrap_or_else(|_| gone())
    }
}

impl Write for Pump {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let piece = &bytes[..bytes.len().min(PIECE)];
        self.push(Piece::Bytes(piece.to_vec()))?;
        Ok(piece.len())
    }

    /// Waits until all is written; as long as the reader takes something, without limit.
    fn flush(&mut self) -> io::Result<()> {
        let (answer, written) = bounded(1);
        self.push(Piece::Written(answer))?;
        let mut left = self.queue.len();
        loop {
            select! {
                recv(written) -> answer => return answer.map_err(|_| self.why()),
                recv(self.ended) -> error => return Err(error.unwrap_or_else(|_| gone())),
                default(self.patience) => {
                    let now = self.queue.len();
                    if now >= left {
                        return Err(self.stuck());
                    }
                    left = now;
                }
            }
        }
    }
}

/// As `write_all`, but waits where the descriptor is non-blocking: another program that shares it may
/// have made it so.
fn write_all(file: &mut File, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => bytes = &bytes[count..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                thread::sleep(Duration::from_millis(5));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    const LONG: Duration = Duration::from_secs(30);
    const SHORT: Duration = Duration::from_millis(20);

    #[test]
    fn what_is_written_arrives_and_flush_waits_for_it() {
        let (mut read, write) = io::pipe().expect("a pipe");
        let mut pump = Pump::new(&write, LONG).expect("a pump");
        drop(write);
        pump.write_all(b"one\ntwo\n").expect("written");
        pump.flush().expect("flushed");
        drop(pump);
        let mut text = String::new();
        read.read_to_string(&mut text).expect("read");
        assert_eq!(text, "one\ntwo\n");
    }

    #[test]
    fn a_reader_that_left_is_a_broken_pipe() {
        let (read, write) = io::pipe().expect("a pipe");
        let mut pump = Pump::new(&write, LONG).expect("a pump");
        drop(read);
        pump.write_all(b"x").expect("queued");
        assert_eq!(pump.flush().expect_err("nobody reads").kind(), io::ErrorKind::BrokenPipe);
    }

    #[test]
    fn a_reader_that_never_reads_costs_the_patience_and_no_more() {
        let (_read, write) = io::pipe().expect("a pipe");
        let mut pump = Pump::new(&write, SHORT).expect("a pump");
        let error = loop {
            if let Err(error) = pump.write_all(&[b'x'; 8192]) {
                break error;
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
