//! The keeper's side: one loop over its coordinator's requests and its children's deaths.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::process::ExitStatusExt as _;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::sys::socket::{getsockopt, sockopt};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::{Pid, dup2_stdin, getppid, setpgid};

use super::protocol::{Record, Report, Request, receive};
use super::seat::{Seating, WORKER_MARK, WorkerSeat, mark, take_seat};
use crate::os::exit::exit_now;
use crate::os::fork::{Forked, fork};
use crate::os::pidfd::PidFd;
use crate::os::poll::{Interest, Poller};
use crate::os::signals::{self, ChildSignal};
use crate::os::slots::Slots;
use crate::os::socket::{Socket, set_nonblocking};
use crate::os::usage::{Reaped, try_reap};
use crate::os::{limits, process, title};

const CONTROL: u64 = 0;
const CHILDREN: u64 = 1;
const COORDINATOR: u64 = 2;

/// The user has too many descriptors under way in sockets (`ETOOMANYREFS`): nothing tells when there are fewer.
const PAUSE: Duration = Duration::from_millis(20);

/// Whether to go on, or to end because the coordinator is gone.
#[derive(PartialEq, Eq)]
enum Next {
    Go,
    End,
}

/// Acts as the keeper of the coordinator that started this process, with its socket as standard input, until the
/// coordinator is gone. Call it first of all, in a process with one thread. `run_worker` runs in each forked worker.
pub fn serve(run_worker: fn(WorkerSeat) -> !) -> ! {
    let result = Keeper::start(run_worker).and_then(|mut keeper| keeper.run());
    // Whatever ended it: no child may stay.
    match result.and(process::end_children(|_| false)) {
        Ok(()) => exit_now(0),
        Err(error) => {
            let _ = writeln!(io::stderr(), "mpms: keeper: {error}");
            exit_now(1)
        }
    }
}

struct Keeper {
    pid: i32,
    run_worker: fn(WorkerSeat) -> !,
    control: Socket,
    children: ChildSignal,
    /// Kept open for the poller.
    _coordinator: PidFd,
    null: File,
    poller: Poller,
    /// Living workers: id by pid.
    workers: BTreeMap<i32, u32>,
    /// Reports for which the socket had no room yet.
    outbox: VecDeque<Record>,
    /// Orphans were killed whose own children may still come.
    sweeping: bool,
}

impl Keeper {
    fn start(run_worker: fn(WorkerSeat) -> !) -> io::Result<Self> {
        signals::ignore_terminal()?;
        // A keeper that somebody has stopped must go on when the coordinator dies; one that runs does not notice.
        prctl::set_pdeathsig(Signal::SIGCONT)?;
        let children = ChildSignal::block()?;
        process::adopt_orphans()?;
        limits::raise_open_files()?;
        title::set("mpms: keeper")?;
        let control = Socket::from(io::stdin().as_fd().try_clone_to_owned()?);
        control.set_nonblocking(true)?;
        let null = File::open("/dev/null")?;
        dup2_stdin(&null)?;
        let coordinator = coordinator_of(&control)?;
        let poller = Poller::new()?;
        poller.add(control.as_fd(), CONTROL, Interest::Read)?;
        poller.add(children.as_fd(), CHILDREN, Interest::Read)?;
        poller.add(coordinator.as_fd(), COORDINATOR, Interest::Read)?;
        let pid = i32::try_from(std::process::id()).map_err(io::Error::other)?;
        let (workers, outbox) = (BTreeMap::new(), VecDeque::new());
        Ok(Self {
            pid,
            run_worker,
            control,
            children,
            _coordinator: coordinator,
            null,
            poller,
            workers,
            outbox,
            sweeping: false,
        })
    }

    fn run(&mut self) -> io::Result<()> {
        let mut ready = Vec::new();
        let mut pause = None;
        loop {
            self.poller.wait(&mut ready, pause)?;
            for event in &ready {
                let next = match event.token {
                    CONTROL if event.hangup => Next::End,
                    CONTROL => self.answer_requests()?,
                    CHILDREN => self.reap().map(|()| Next::Go)?,
                    _ => Next::End,
                };
                if next == Next::End {
                    return Ok(());
                }
            }
            pause = self.flush()?;
        }
    }

    /// Takes requests as long as their answers find room: the rest waits in the socket, not here.
    fn answer_requests(&mut self) -> io::Result<Next> {
        while self.outbox.is_empty() {
            match receive(&self.control) {
                Ok(Some((request, _))) => self.answer(request),
                Ok(None) => return Ok(Next::End),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
            self.flush()?;
        }
        Ok(Next::Go)
    }

    fn answer(&mut self, request: Request) {
        match request {
            Request::Fork { id, slots, title } => {
                let record = self.start_worker(id, slots, &title).unwrap_or_else(|error| {
                    let errno = error.raw_os_error().unwrap_or(Errno::EIO as i32);
                    Record::new(&Report::ForkFailed { id, errno }, Vec::new())
                });
                self.outbox.push_back(record);
            }
            Request::Kill { id } => {
                if let Some((pid, _)) = self.workers.iter().find(|(_, worker)| **worker == id) {
                    process::signal_group(*pid, Signal::SIGKILL);
                    process::kill_child(*pid);
                }
            }
        }
    }

    fn start_worker(&mut self, id: u32, slots: u32, title: &str) -> io::Result<Record> {
        let (socket, theirs) = Socket::pair()?;
        let (shared, memory) = Slots::create(slots)?;
        let (output, writer) = io::pipe()?;
        set_nonblocking(&output, true)?;
        let pid = match fork()? {
            Forked::Parent(pid) => pid,
            Forked::Child => {
                let (null, output) = (self.null.as_fd(), writer.as_fd());
                let seating =
                    Seating { id, title, keeper: self.pid, socket: theirs, slots: shared, null, output };
                take_seat(seating, self.run_worker)
            }
        };
        let _ = setpgid(Pid::from_raw(pid), Pid::from_raw(pid));
        // From here on it is a child like any other: without a handle it is killed, and reaped as an orphan.
        let handle = PidFd::open(pid).inspect_err(|_| _ = process::kill_child(pid))?;
        self.workers.insert(pid, id);
        let fds = vec![OwnedFd::from(socket), memory, OwnedFd::from(output), OwnedFd::from(handle)];
        Ok(Record::new(&Report::Started { id, pid, slots }, fds))
    }

    /// Reaps whoever has died. What a worker leaves behind is killed before its death is told, so that a task which runs
    /// again does not meet its own leftovers.
    fn reap(&mut self) -> io::Result<()> {
        self.children.clear();
        let mut deaths = Vec::new();
        while let Some(pid) = next_dead()? {
            let worker = self.workers.remove(&pid);
            if worker.is_some() {
                // Before it is reaped: then the number of the group might become somebody else's.
                process::signal_group(pid, Signal::SIGKILL);
                self.sweeping = true;
            }
            let reaped = try_reap(pid)?;
            deaths.extend(worker.zip(reaped));
        }
        if self.sweeping {
            // Each that is killed here makes another SIGCHLD, and its own children are looked for then.
            self.sweeping = self.kill_leftovers()? > 0;
        }
        self.outbox
            .extend(deaths.into_iter().map(|(id, reaped)| Record::new(&died(id, &reaped), Vec::new())));
        Ok(())
    }

    /// Kills the adopted orphans of workers that are gone. One that hides whose it is counts as theirs.
    fn kill_leftovers(&self) -> io::Result<usize> {
        let living: Vec<String> = self.workers.values().map(|id| mark(self.pid, *id)).collect();
        let mut killed = 0;
        for child in process::children()? {
            let spared = child.zombie
                || self.workers.contains_key(&child.pid)
                || process::environment_of(child.pid, WORKER_MARK).is_some_and(|mark| living.contains(&mark));
            if !spared && process::kill_child(child.pid) {
                killed += 1;
            }
        }
        Ok(killed)
    }

    /// Sends what waits, and says how long to wait for more room when nothing else will tell.
    fn flush(&mut self) -> io::Result<Option<Duration>> {
        while let Some(record) = self.outbox.front() {
            match record.send(&self.control) {
                Ok(()) => drop(self.outbox.pop_front()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.listen(Interest::Write)?;
                    return Ok(None);
                }
                Err(error) if error.raw_os_error() == Some(Errno::ETOOMANYREFS as i32) => {
                    self.listen(Interest::HangupOnly)?;
                    return Ok(Some(PAUSE));
                }
                // The coordinator is gone, which the next wait tells.
                Err(_) => self.outbox.clear(),
            }
        }
        self.listen(Interest::Read)?;
        Ok(None)
    }

    fn listen(&self, interest: Interest) -> io::Result<()> {
        self.poller.modify(self.control.as_fd(), CONTROL, interest)
    }
}

/// A handle to the process at the other end of the socket, which is the parent of this one.
fn coordinator_of(control: &Socket) -> io::Result<PidFd> {
    let peer = getsockopt(&control.as_fd(), sockopt::PeerCredentials)?.pid();
    let handle = PidFd::open(peer)?;
    if getppid().as_raw() != peer {
        // It died, and the handle may be to another process with its number.
        return Err(io::Error::new(
            io::ErrorKind::NotFound,
            "the coordinator that started this keeper is gone",
        ));
    }
    Ok(handle)
}

/// A child that has died, left as a zombie.
fn next_dead() -> io::Result<Option<i32>> {
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    match waitid(Id::All, flags) {
        Ok(status) => Ok(status.pid().map(Pid::as_raw)),
        Err(Errno::ECHILD) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn died(id: u32, reaped: &Reaped) -> Report {
    let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    Report::Died {
        id,
        pid: reaped.pid,
        status: reaped.status.into_raw(),
        user_us: micros(reaped.usage.user),
        system_us: micros(reaped.usage.system),
        max_rss_bytes: reaped.usage.max_rss_bytes,
    }
}
