//! The first moments of a forked worker: from a copy of the keeper to a process that has only what is its own.
#![expect(unsafe_code, reason = "moves and closes descriptors by number")]

use std::convert::Infallible;
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};
use std::panic::{AssertUnwindSafe, catch_unwind};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::unistd::{Pid, dup2_stderr, dup2_stdin, dup2_stdout, getppid, setpgid};

use crate::os::exit::exit_now;
use crate::os::slots::Slots;
use crate::os::socket::Socket;
use crate::os::{limits, signals, title};

/// The variable that what a worker starts has in its environment: `<pid of the keeper>.<id of the worker>`. By it the
/// keeper knows whose orphan a process is.
pub const WORKER_MARK: &str = "MPMS_WORKER";

/// The worker's socket, right after its standard descriptors; all from 4 on are closed.
const SOCKET: RawFd = 3;

/// All that a worker has, beside its standard input (empty), output and error (both to the coordinator).
#[derive(Debug)]
pub struct WorkerSeat {
    /// The number that the coordinator gave it.
    pub id: u32,
    /// To the coordinator.
    pub socket: Socket,
    /// One for each thread.
    pub slots: Slots,
}

/// What the keeper has prepared for a worker.
pub(super) struct Seating<'a> {
    pub id: u32,
    pub title: &'a str,
    pub keeper: i32,
    pub socket: Socket,
    pub slots: Slots,
    pub null: BorrowedFd<'a>,
    pub output: BorrowedFd<'a>,
}

/// The value of [`WORKER_MARK`].
pub(super) fn mark(keeper: i32, worker: u32) -> String {
    format!("{keeper}.{worker}")
}

/// Runs a worker in the child of a fork. Nothing of the keeper is dropped: its descriptors are no longer there.
pub(super) fn take_seat(seating: Seating<'_>, run_worker: fn(WorkerSeat) -> !) -> ! {
    let result =
        catch_unwind(AssertUnwindSafe(|| -> io::Result<Infallible> { run_worker(seating.settle()?) }));
    match result {
        Ok(Ok(never)) => match never {},
        Ok(Err(error)) => {
            let _ =
                nix::unistd::write(io::stderr(), format!("cannot set up the worker: {error}\n").as_bytes());
            exit_now(1)
        }
        // The panic hook has told it.
        Err(_) => exit_now(101),
    }
}

impl Seating<'_> {
    fn settle(self) -> io::Result<WorkerSeat> {
        signals::reset_for_child()?;
        // The keeper does the same, so that the group is there whoever comes first.
        setpgid(Pid::from_raw(0), Pid::from_raw(0))?;
        self.follow_the_keeper()?;
        dup2_stdin(self.null)?;
        dup2_stdout(self.output)?;
        dup2_stderr(self.output)?;
        let socket = keep_only(self.socket)?;
        limits::no_core_files()?;
        title::set(self.title)?;
        // SAFETY: no other thread could read the environment meanwhile.
        unsafe { std::env::set_var(WORKER_MARK, mark(self.keeper, self.id)) };
        Ok(WorkerSeat { id: self.id, socket, slots: self.slots })
    }

    fn follow_the_keeper(&self) -> io::Result<()> {
        prctl::set_pdeathsig(Signal::SIGKILL)?;
        // It may have died before the call.
        if getppid().as_raw() != self.keeper {
            exit_now(1);
        }
        Ok(())
    }
}

/// Moves the socket to its place, closed on `exec`, and closes every descriptor after it.
fn keep_only(socket: Socket) -> io::Result<Socket> {
    // Whatever has the number 3 now is overwritten, so the socket is first copied out of the way; if it is the socket
    // itself, dup3 refuses equal numbers.
    let high = fcntl(socket.as_fd(), FcntlArg::F_DUPFD_CLOEXEC(SOCKET + 1))?;
    // SAFETY: from here on nothing uses a descriptor of the keeper any more; those who own one are never dropped.
    unsafe {
        Errno::result(libc::dup3(high.as_raw_fd(), SOCKET, libc::O_CLOEXEC))?;
        Errno::result(libc::close_range(u32::try_from(SOCKET + 1).expect("small"), u32::MAX, 0))?;
    }
    std::mem::forget(socket);
    // SAFETY: the copy that dup3 made belongs to nobody else.
    Ok(Socket::from(unsafe { OwnedFd::from_raw_fd(SOCKET) }))
}
