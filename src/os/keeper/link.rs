//! The coordinator's side: its handle to the keeper, and to each worker.

use std::collections::{BTreeSet, VecDeque};
use std::ffi::OsString;
use std::io::{self, PipeReader};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use nix::errno::Errno;

use super::KEEPER_ARGUMENT;
use super::death::Death;
use super::protocol::{Record, Report, Request, STARTED_FDS, receive};
use crate::os::pidfd::PidFd;
use crate::os::process::{self, OwnChild};
use crate::os::slots::Slots;
use crate::os::socket::Socket;
use crate::os::title;
use crate::os::usage::{Usage, reap};

/// Longer than the keeper itself waits for the last of its children.
const PATIENCE: Duration = Duration::from_secs(12);

/// How to start the keeper.
#[derive(Clone, Debug)]
pub struct KeeperOptions {
    /// The program; this one unless said.
    pub program: PathBuf,
    /// Its arguments; together they are as long as the longest title that a worker can show.
    pub arguments: Vec<OsString>,
    /// Added to the environment, for the keeper and all workers.
    pub env: Vec<(OsString, OsString)>,
}

impl Default for KeeperOptions {
    fn default() -> Self {
        let arguments = vec![KEEPER_ARGUMENT.into(), title::padding().into()];
        Self { program: "/proc/self/exe".into(), arguments, env: Vec::new() }
    }
}

/// What the keeper tells.
#[derive(Debug)]
pub enum KeeperReport {
    /// The worker is there.
    Started(WorkerProcess),
    /// It could not be started: too many processes or descriptors, no memory, an impossible number of slots.
    ForkFailed {
        /// As in the request.
        id: u32,
        /// What the system said.
        error: io::Error,
    },
    /// A worker has died; what it left behind is killed. Comes after its `Started`, once for each.
    Died {
        /// As in the request.
        id: u32,
        /// Its pid, which may be used again from now on.
        pid: i32,
        /// How.
        death: Death,
        /// What it used, with the commands that it waited for.
        usage: Usage,
    },
    /// The keeper itself has died; said once, and nothing comes after it. Its workers are dying: call
    /// [`kill_orphans`](process::kill_orphans), then start another keeper. No `Died` tells of them.
    Gone {
        /// How.
        death: Death,
    },
}

/// A worker, as the coordinator holds it.
#[derive(Debug)]
pub struct WorkerProcess {
    /// As in the request.
    pub id: u32,
    /// Its number, for people; use `pidfd` for all else.
    pub pid: i32,
    /// Readable when it has died.
    pub pidfd: PidFd,
    /// To the worker; blocking unless set otherwise.
    pub socket: Socket,
    /// What its threads run. Still true after its death.
    pub slots: Slots,
    /// Its standard output and error, non-blocking. The end comes when everyone who inherited it is gone.
    pub output: PipeReader,
}

impl WorkerProcess {
    /// Kills it and its process group at once. The keeper sees to the rest, and reports the death.
    pub fn kill(&self) -> io::Result<()> {
        self.pidfd.kill()
    }
}

/// The coordinator's end of a running keeper. Dropped, it ends the keeper and all workers.
///
/// No call waits for the keeper, except the end. The descriptor polls readable when [`receive`](Self::receive) has something.
#[derive(Debug)]
pub struct KeeperLink {
    /// `None` once the keeper was told to end.
    control: Option<Socket>,
    /// `None` once it is reaped.
    child: Option<OwnChild>,
    /// Requests for which the socket had no room yet. Each of those in the socket will be answered, and with the answer
    /// `receive` is called, which sends the next.
    waiting: VecDeque<Record>,
    /// Workers that started but whose descriptors could not be taken: nobody hears of them again.
    dropped: BTreeSet<u32>,
}

impl KeeperLink {
    /// Starts a keeper. From now on this process adopts the orphans of its descendants.
    pub fn start(options: &KeeperOptions) -> io::Result<Self> {
        process::adopt_orphans()?;
        let (control, theirs) = Socket::pair_of_records()?;
        control.set_nonblocking(true)?;
        let mut command = Command::new(&options.program);
        command.args(&options.arguments).envs(options.env.iter().map(|(name, value)| (name, value)));
        command.process_group(0).stdin(OwnedFd::from(theirs)).stdout(Stdio::null());
        let spawning = process::begin_spawn();
        let child = command.spawn()?;
        let child = spawning.born(i32::try_from(child.id()).map_err(io::Error::other)?);
        Ok(Self {
            control: Some(control),
            child: Some(child),
            waiting: VecDeque::new(),
            dropped: BTreeSet::new(),
        })
    }

    /// The keeper's pid, while it is there.
    pub fn pid(&self) -> Option<i32> {
        self.child.as_ref().map(OwnChild::pid)
    }

    /// To poll for reading; `None` after the keeper has gone.
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.control.as_ref().map(Socket::as_fd)
    }

    /// Asks for a worker with `slots` slots, at least 1, under a title such as `mpms: crawl worker 1`. `worker_id` must
    /// not be in use. Answered by `Started` or `ForkFailed`, unless the keeper goes.
    pub fn request_fork(&mut self, worker_id: u32, slots: u32, title: &str) -> io::Result<()> {
        self.request(&Request::fork(worker_id, slots, title))
    }

    /// Asks to kill a worker and its process group. One that is dead already is no error.
    pub fn request_kill(&mut self, worker_id: u32) -> io::Result<()> {
        self.request(&Request::Kill { id: worker_id })
    }

    /// The next report, if there is one; never waits.
    pub fn receive(&mut self) -> io::Result<Option<KeeperReport>> {
        self.flush()?;
        while let Some(control) = &self.control {
            match receive(control) {
                Ok(Some((report, fds))) => {
                    if let Some(report) = self.understand(report, fds)? {
                        return Ok(Some(report));
                    }
                }
                Ok(None) => {
                    return self.end().map(|death| death.map(|death| KeeperReport::Gone { death }));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// Ends the keeper with everything below it, and waits for that: usually some milliseconds, 12 s at most, after which
    /// it is killed and its orphans with it.
    pub fn shutdown(mut self) -> io::Result<()> {
        self.end().map(drop)
    }

    fn request(&mut self, request: &Request) -> io::Result<()> {
        self.waiting.push_back(Record::new(request, Vec::new()));
        self.flush()
    }

    fn flush(&mut self) -> io::Result<()> {
        let Some(control) = &self.control else {
            return Ok(());
        };
        while let Some(record) = self.waiting.front() {
            match record.send(control) {
                Ok(()) => drop(self.waiting.pop_front()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // It has died; `receive` gives what it said before, and then that it is gone.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => self.waiting.clear(),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn understand(&mut self, report: Report, fds: Vec<OwnedFd>) -> io::Result<Option<KeeperReport>> {
        Ok(match report {
            Report::Started { id, pid, slots } => Some(match worker_process(id, pid, slots, fds) {
                Ok(worker) => KeeperReport::Started(worker),
                Err(error) => {
                    self.dropped.insert(id);
                    self.request_kill(id)?;
                    KeeperReport::ForkFailed { id, error }
                }
            }),
            Report::ForkFailed { id, errno } => {
                Some(KeeperReport::ForkFailed { id, error: io::Error::from_raw_os_error(errno) })
            }
            Report::Died { id, .. } if self.dropped.remove(&id) => None,
            Report::Died { id, pid, status, user_us, system_us, max_rss_bytes } => {
                let (user, system) = (Duration::from_micros(user_us), Duration::from_micros(system_us));
                let usage = Usage { user, system, max_rss_bytes };
                Some(KeeperReport::Died { id, pid, death: Death::from(ExitStatus::from_raw(status)), usage })
            }
        })
    }

    /// Closes the socket, waits for the keeper and reaps it; `None` when that was done before.
    fn end(&mut self) -> io::Result<Option<Death>> {
        self.control = None;
        let Some(child) = self.child.take() else {
            return Ok(None);
        };
        let handle = PidFd::open(child.pid())?;
        if handle.wait(Some(PATIENCE))? {
            return Ok(Some(Death::from(reap(child.pid())?.status)));
        }
        handle.kill()?;
        let death = Death::from(reap(child.pid())?.status);
        drop(child);
        process::kill_orphans()?;
        Ok(Some(death))
    }
}

impl Drop for KeeperLink {
    fn drop(&mut self) {
        let _ = self.end();
    }
}

/// Takes the descriptors of a `Started`, in the order of [`Report::Started`].
fn worker_process(id: u32, pid: i32, slots: u32, fds: Vec<OwnedFd>) -> io::Result<WorkerProcess> {
    let fds: [OwnedFd; STARTED_FDS] = fds.try_into().map_err(|_| io::Error::from(Errno::EMFILE))?;
    let [socket, memory, output, pidfd] = fds;
    let slots = Slots::map(memory.as_fd(), slots)?;
    Ok(WorkerProcess { id, pid, pidfd: pidfd.into(), socket: socket.into(), slots, output: output.into() })
}
