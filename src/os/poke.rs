//! Waking one thread out of whatever it does: a signal that only it gets.
//!
//! A poked thread leaves a system call that waits (`EINTR`, the handler is set without `SA_RESTART`) and runs the
//! process's one action, in the context of a signal.
#![expect(unsafe_code, reason = "a signal handler, and tgkill, which nix does not have")]

use std::io;
use std::sync::OnceLock;

use nix::errno::Errno;
use nix::libc;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

/// Not used otherwise in coordinator and workers; what they start gets its default back on `exec`.
const POKE: Signal = Signal::SIGUSR2;

static ACTION: OnceLock<fn()> = OnceLock::new();

/// A thread of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thread(libc::pid_t);

impl Thread {
    /// The calling one.
    pub fn current() -> Self {
        Thread(nix::unistd::gettid().as_raw())
    }

    /// Sends the signal. A thread that has ended is not told; should another have its number by now, that one's action
    /// runs, which therefore has to look whether it was meant.
    pub fn poke(self) {
        // SAFETY: a system call with three numbers
        let _ = unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), self.0, POKE as libc::c_int) };
    }
}

/// What every poked thread of this process does, from now on. It runs in a signal handler: no locks, no memory from an
/// allocator, no panic. Only the first action counts.
///
/// # Errors
/// When the system refuses the handler.
pub fn on_poke(action: fn()) -> io::Result<()> {
    ACTION.get_or_init(|| action);
    let handler = SigAction::new(SigHandler::Handler(poked), SaFlags::empty(), SigSet::empty());
    // SAFETY: the handler reads one static that is set already, keeps errno, and calls what was promised to be fit for it
    unsafe { sigaction(POKE, &handler) }?;
    Ok(())
}

extern "C" fn poked(_: libc::c_int) {
    let errno = Errno::last_raw();
    if let Some(action) = ACTION.get() {
        action();
    }
    Errno::set_raw(errno);
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::sync::mpsc;

    use super::{Thread, on_poke};

    #[test]
    fn a_wait_of_the_poked_thread_ends_and_nobody_elses() {
        static SEEN: AtomicU32 = AtomicU32::new(0);
        // another test of this program may have been first; its action looks whether it was meant
        on_poke(|| {
            SEEN.fetch_add(1, Ordering::Relaxed);
        })
        .expect("a handler");
        let (tell, told) = mpsc::channel();
        let (reader, _writer) = std::io::pipe().expect("pipe");
        let waiting = std::thread::spawn(move || {
            tell.send(Thread::current()).expect("sent");
            let error = nix::unistd::read(&reader, &mut [0; 1]).expect_err("nothing to read");
            assert_eq!(error, nix::errno::Errno::EINTR);
        });
        let thread = told.recv().expect("told");
        while !waiting.is_finished() {
            thread.poke();
            std::thread::yield_now();
        }
        waiting.join().expect("interrupted");
    }
}
