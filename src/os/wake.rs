//! Waking a thread that waits in a [`Poller`], for one atomic read when it does not.
//!
//! The sleeping side owns the [`WakeReceiver`], everyone else a clone of the [`Waker`]. The order of steps is the whole
//! protocol:
//!
//! | sleeper | waker |
//! |---|---|
//! | 1. `asleep = true` ([`WakeReceiver::prepare_sleep`]) | 1. put work into the queue |
//! | 2. fence | 2. fence ([`Waker::wake`]) |
//! | 3. look at the queues once more; if there is work, do not sleep | 3. read `asleep`; if true, take it and write the eventfd |
//! | 4. poll | |
//!
//! Both fences are `SeqCst`, so they have an order. If the waker's comes first, the sleeper's step 3 sees the work; if the
//! sleeper's comes first, the waker's step 3 sees `asleep`. No wake-up can be lost, whatever the queue is made of.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::eventfd::{EfdFlags, EventFd};

use super::poll::{Interest, Poller, until_ready};

#[derive(Debug)]
struct Shared {
    asleep: AtomicBool,
    event: EventFd,
}

/// Wakes the owner of the [`WakeReceiver`]. Clones wake the same one.
#[derive(Clone, Debug)]
pub struct Waker(Arc<Shared>);

/// The sleeping side.
#[derive(Debug)]
pub struct WakeReceiver {
    shared: Arc<Shared>,
    /// Wake-ups that were claimed but not yet read from the eventfd: a waker may be between its two steps.
    owed: u64,
}

/// A pair of both sides.
pub fn wake_pair() -> io::Result<(Waker, WakeReceiver)> {
    let event = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
    let shared = Arc::new(Shared { asleep: AtomicBool::new(false), event });
    Ok((Waker(Arc::clone(&shared)), WakeReceiver { shared, owed: 0 }))
}

impl Waker {
    /// Wakes the other side if it sleeps or is about to. Call it after the work was queued.
    pub fn wake(&self) {
        fence(Ordering::SeqCst);
        if self.0.asleep.load(Ordering::Relaxed) && self.0.asleep.swap(false, Ordering::Relaxed) {
            // One write a claim; the counter would have to reach 2^64 - 1 for this to fail.
            let _ = self.0.event.write(1);
        }
    }
}

impl WakeReceiver {
    /// Adds the eventfd to a poller. Its readiness only means "awake": [`Sleep`] takes care of it when it is dropped.
    pub fn register(&self, poller: &Poller, token: u64) -> io::Result<()> {
        poller.add(self.as_fd(), token, Interest::Read)
    }

    /// Says that this side is about to sleep. Look at every queue once more after this call, then poll (or do not), then
    /// drop what it returned.
    #[must_use = "dropping it says that this side is awake"]
    pub fn prepare_sleep(&mut self) -> Sleep<'_> {
        self.shared.asleep.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        Sleep(self)
    }

    /// The whole protocol for a thread that waits for nothing else: sleeps until woken or until `timeout` is over, unless
    /// `has_work` says, after the announcement, that there is something to do.
    pub fn sleep_unless(
        &mut self,
        has_work: impl FnOnce() -> bool,
        timeout: Option<Duration>,
    ) -> io::Result<()> {
        let sleep = self.prepare_sleep();
        if !has_work() {
            until_ready(sleep.0.as_fd(), Interest::Read, timeout)?;
        }
        Ok(())
    }

    fn woke(&mut self) {
        if !self.shared.asleep.swap(false, Ordering::Relaxed) {
            self.owed += 1;
        }
        while self.owed > 0 {
            match self.shared.event.read() {
                Ok(count) => self.owed = self.owed.saturating_sub(count),
                Err(Errno::EINTR) => {}
                // The waker that claimed has not written yet. Its write will end a later sleep early, once.
                Err(_) => break,
            }
        }
    }
}

impl AsFd for WakeReceiver {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.shared.event.as_fd()
    }
}

/// This side is asleep, or about to be, as long as this lives.
#[derive(Debug)]
pub struct Sleep<'a>(&'a mut WakeReceiver);

impl Drop for Sleep<'_> {
    fn drop(&mut self) {
        self.0.woke();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::{Duration, Instant};

    use super::wake_pair;
    use crate::os::poll::{Interest, until_ready};

    /// Long enough that only a lost wake-up can reach it.
    const LOST: Duration = Duration::from_secs(20);

    #[test]
    fn no_wake_up_is_lost_in_half_a_million_hand_overs() {
        const ROUNDS: u64 = 250_000;
        let (to_b, mut at_b) = wake_pair().expect("eventfd");
        let (to_a, mut at_a) = wake_pair().expect("eventfd");
        let (ping, pong) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let (b_ping, b_pong) = (Arc::clone(&ping), Arc::clone(&pong));
        let other = std::thread::spawn(move || {
            for round in 1..=ROUNDS {
                while b_ping.load(Ordering::Relaxed) < round {
                    at_b.sleep_unless(|| b_ping.load(Ordering::Relaxed) >= round, Some(LOST)).expect("sleep");
                }
                b_pong.store(round, Ordering::Relaxed);
                to_a.wake();
            }
        });
        let start = Instant::now();
        for round in 1..=ROUNDS {
            ping.store(round, Ordering::Relaxed);
            to_b.wake();
            while pong.load(Ordering::Relaxed) < round {
                at_a.sleep_unless(|| pong.load(Ordering::Relaxed) >= round, Some(LOST)).expect("sleep");
            }
        }
        other.join().expect("the other thread");
        assert!(start.elapsed() < LOST, "a wake-up was lost");
    }

    #[test]
    fn many_wakers_cost_one_write_a_sleep() {
        let (waker, mut receiver) = wake_pair().expect("eventfd");
        waker.wake();
        assert!(!until_ready(&receiver, Interest::Read, Some(Duration::ZERO)).expect("poll"), "nobody slept");
        let sleep = receiver.prepare_sleep();
        for _ in 0..1000 {
            waker.wake();
        }
        drop(sleep);
        assert!(!until_ready(&receiver, Interest::Read, Some(Duration::ZERO)).expect("poll"), "it was read");
        assert_eq!(receiver.owed, 0);
    }
}
