//! Signals as things to read, and endings by signal.
//!
//! The coordinator blocks the signals that ask it something in its first thread, before there is another, and reads them
//! from a descriptor. Blocking is inherited by threads, and by forked children: `reset_for_child` undoes it there.
#![expect(unsafe_code, reason = "sigaction can install handlers; here it only sets the default or SIG_IGN")]

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::str::FromStr as _;

use nix::libc;
use nix::sys::signal::{
    SaFlags, SigAction, SigHandler, SigSet, SigmaskHow, Signal as Number, pthread_sigmask, raise, sigaction,
};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use super::clock;

/// A signal that asks the coordinator something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Signal {
    /// SIGINT: Ctrl-C.
    Interrupt,
    /// SIGTERM: an orderly stop.
    Terminate,
    /// SIGHUP: the terminal is gone.
    Hangup,
    /// SIGQUIT: Ctrl-\.
    Quit,
    /// SIGUSR1: tell how it goes.
    Status,
    /// SIGTSTP: Ctrl-Z.
    Suspend,
}

impl Signal {
    const ALL: [Self; 6] =
        [Self::Interrupt, Self::Terminate, Self::Hangup, Self::Quit, Self::Status, Self::Suspend];

    fn native(self) -> Number {
        match self {
            Self::Interrupt => Number::SIGINT,
            Self::Terminate => Number::SIGTERM,
            Self::Hangup => Number::SIGHUP,
            Self::Quit => Number::SIGQUIT,
            Self::Status => Number::SIGUSR1,
            Self::Suspend => Number::SIGTSTP,
        }
    }

    /// The number, as in signal(7); a process that ends because of it exits with 128 more.
    pub fn number(self) -> i32 {
        self.native() as i32
    }
}

/// The blocked signals of this process, to be read.
#[derive(Debug)]
pub struct Signals(SignalFd);

impl Signals {
    /// Blocks them in this thread and all that it starts from now on. Call it before the first thread. SIGTSTP stays
    /// ignored when it is: a shell without job control could not continue what has stopped.
    pub fn block() -> io::Result<Self> {
        let read = |signal: &Signal| *signal != Signal::Suspend || !is_ignored(signal.native());
        let set: SigSet = Signal::ALL.into_iter().filter(read).map(Signal::native).collect();
        set.thread_block()?;
        Self::of(&set)
    }

    /// The same for these alone; those that are ignored stay so.
    pub fn block_only(signals: &[Signal]) -> io::Result<Self> {
        let set: SigSet =
            signals.iter().map(|signal| signal.native()).filter(|one| !is_ignored(*one)).collect();
        set.thread_block()?;
        Self::of(&set)
    }

    fn of(set: &SigSet) -> io::Result<Self> {
        Ok(Self(SignalFd::with_flags(set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?))
    }

    /// The next signal that has come, if any. Two of a kind may come as one.
    pub fn next(&self) -> Option<Signal> {
        let info = self.0.read_signal().ok().flatten()?;
        Signal::ALL.into_iter().find(|signal| u32::try_from(signal.number()).ok() == Some(info.ssi_signo))
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Blocks SIGCHLD and makes it readable: the keeper's notice of deaths.
#[derive(Debug)]
pub(super) struct ChildSignal(Signals);

impl ChildSignal {
    pub(super) fn block() -> io::Result<Self> {
        let set: SigSet = [Number::SIGCHLD].into_iter().collect();
        // A handler set to SIG_IGN survives exec, and would let the kernel reap our children before we do.
        set_action(Number::SIGCHLD, SigHandler::SigDfl)?;
        set.thread_block()?;
        Ok(Self(Signals::of(&set)?))
    }

    /// Forgets the notices so far. Reap after it, never before: a death in between makes a new notice.
    pub(super) fn clear(&self) {
        while let Ok(Some(_)) = self.0.0.read_signal() {}
    }
}

impl AsFd for ChildSignal {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Writing to a closed pipe is an error to handle, not a death. Rust's runtime does the same before `main`.
pub fn ignore_sigpipe() -> io::Result<()> {
    Ok(set_action(Number::SIGPIPE, SigHandler::SigIgn)?)
}

/// Who writes to standard output when nobody reads it any more ends, as programs do that do not ask. Other closed pipes
/// are errors to handle.
pub fn end_with_stdout() -> io::Result<()> {
    extern "C" fn broken(_: libc::c_int) {
        let errno = nix::errno::Errno::last_raw();
        let mut stdout = libc::pollfd { fd: libc::STDOUT_FILENO, events: libc::POLLOUT, revents: 0 };
        // SAFETY: `poll` and `_exit` are fit for signal handlers; the list has one entry
        unsafe {
            if libc::poll(&raw mut stdout, 1, 0) == 1 && stdout.revents & libc::POLLERR != 0 {
                libc::_exit(128 + libc::SIGPIPE);
            }
        }
        nix::errno::Errno::set_raw(errno);
    }
    let action = SigAction::new(SigHandler::Handler(broken), SaFlags::empty(), SigSet::empty());
    // SAFETY: the handler does nothing that a signal's context forbids
    Ok(unsafe { sigaction(Number::SIGPIPE, &action) }.map(drop)?)
}

/// What a terminal or a service manager sends to the whole group is for the coordinator to answer, not for the keeper.
pub(super) fn ignore_terminal() -> io::Result<()> {
    let signals = [Number::SIGINT, Number::SIGTERM, Number::SIGHUP, Number::SIGQUIT, Number::SIGUSR1];
    for signal in signals.into_iter().chain([Number::SIGTSTP, Number::SIGTTOU, Number::SIGTTIN]) {
        set_action(signal, SigHandler::SigIgn)?;
    }
    Ok(())
}

/// In a forked child: every signal does its default again and none is blocked. SIGPIPE stays ignored, as in every Rust
/// program.
pub(super) fn reset_for_child() -> io::Result<()> {
    for signal in 1..=libc::SIGRTMAX() {
        // SAFETY: no function is installed. SIGKILL, SIGSTOP and the two of libc itself refuse, which is right.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    ignore_sigpipe()?;
    unblock_all()
}

/// Unblocks every signal in this thread.
pub fn unblock_all() -> io::Result<()> {
    Ok(pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)?)
}

/// Ends this process by `signal`, so that whoever waits for it sees that it was one (a shell stops its loop only then).
/// Nothing is flushed, no destructor runs. Should the signal not end it, the process exits with 128 + its number.
pub fn raise_default(signal: Signal) -> ! {
    let _ = set_action(signal.native(), SigHandler::SigDfl);
    let _ = unblock_all();
    let _ = raise(signal.native());
    super::exit::exit_now(128 + signal.number())
}

/// Stops this process as Ctrl-Z stops any other, and comes back when it is continued. Its clock stands meanwhile.
///
/// With SIGTSTP and not with SIGSTOP: the kernel drops the former where no shell could continue the process.
pub fn suspend() -> io::Result<()> {
    clock::freeze();
    let set: SigSet = [Number::SIGTSTP].into_iter().collect();
    // the signal is this thread's, so it stops before `raise` or `thread_unblock` returns
    let stopped =
        raise(Number::SIGTSTP).and_then(|()| set.thread_unblock()).and_then(|()| set.thread_block());
    clock::thaw();
    Ok(stopped?)
}

/// `SIGKILL` for 9; `signal 34` for one without a name.
pub fn name(number: i32) -> String {
    Number::try_from(number).map_or_else(|_| format!("signal {number}"), |signal| signal.as_str().to_owned())
}

/// 9 for `SIGKILL` and for `KILL`.
pub fn number(name: &str) -> Option<i32> {
    let full = if name.starts_with("SIG") { name.to_owned() } else { format!("SIG{name}") };
    Number::from_str(&full).ok().map(|signal| signal as i32)
}

fn is_ignored(signal: Number) -> bool {
    let mut action = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: without a new action the call only fills the old one, and zeros are a valid one.
    let action = unsafe {
        libc::sigaction(signal as libc::c_int, std::ptr::null(), action.as_mut_ptr());
        action.assume_init()
    };
    action.sa_sigaction == libc::SIG_IGN
}

fn set_action(signal: Number, handler: SigHandler) -> nix::Result<()> {
    debug_assert!(matches!(handler, SigHandler::SigDfl | SigHandler::SigIgn));
    let action = SigAction::new(handler, SaFlags::empty(), SigSet::empty());
    // SAFETY: no function is installed, so nothing of ours runs in a signal's context.
    unsafe { sigaction(signal, &action) }.map(drop)
}

#[cfg(test)]
mod tests {
    use super::{Signal, Signals, name, number};
    use crate::os::poll::{Interest, until_ready};

    #[test]
    fn a_blocked_signal_is_read_and_not_deadly() {
        std::thread::spawn(|| {
            let signals = Signals::block().expect("block");
            assert_eq!(signals.next(), None);
            // Thread-directed, since the other threads of the test program do not block it.
            nix::sys::signal::raise(nix::sys::signal::Signal::SIGUSR1).expect("raise");
            assert!(until_ready(&signals, Interest::Read, None).expect("poll"));
            assert_eq!(signals.next(), Some(Signal::Status));
            assert_eq!(signals.next(), None);
        })
        .join()
        .expect("thread");
    }

    #[test]
    fn signals_have_their_names() {
        assert_eq!(name(9), "SIGKILL");
        assert_eq!(name(40), "signal 40");
        assert_eq!((number("SIGKILL"), number("KILL"), number("SIGNONE")), (Some(9), Some(9), None));
    }
}
