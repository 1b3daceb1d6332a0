//! Which waits may be over: those whose wakers were called, and no others are polled.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Wake, Waker};

/// Numbers of coroutines whose waits are to be polled, and who polls them.
#[derive(Default)]
pub(super) struct Woken(Mutex<State>);

#[derive(Default)]
struct State {
    numbers: Vec<usize>,
    poller: Option<Waker>,
}

/// The waker of one number.
pub(super) struct Sleeper {
    number: usize,
    is_listed: AtomicBool,
    woken: Arc<Woken>,
}

impl Woken {
    /// Those that were woken since; from now on the context is woken for new ones.
    pub fn take(&self, cx: &Context<'_>) -> Vec<usize> {
        let mut state = self.lock();
        if !state.poller.as_ref().is_some_and(|poller| poller.will_wake(cx.waker())) {
            state.poller = Some(cx.waker().clone());
        }
        std::mem::take(&mut state.numbers)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sleeper {
    pub fn new(number: usize, woken: &Arc<Woken>) -> Arc<Self> {
        Arc::new(Sleeper { number, is_listed: AtomicBool::new(false), woken: Arc::clone(woken) })
    }

    /// The waker, for a poll that happens now; from now on the number is listed again when it is woken.
    pub fn waker(self: &Arc<Self>) -> Waker {
        self.is_listed.store(false, Ordering::Release);
        Waker::from(Arc::clone(self))
    }

    /// The number is to be polled; the thread that polls is this one, and awake.
    pub fn wake_here(&self) {
        if !self.is_listed.swap(true, Ordering::AcqRel) {
            self.woken.lock().numbers.push(self.number);
        }
    }
}

impl Wake for Sleeper {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.is_listed.swap(true, Ordering::AcqRel) {
            return;
        }
        let mut state = self.woken.lock();
        state.numbers.push(self.number);
        // one call a poll is enough: whoever polls takes all
        let poller = if state.numbers.len() == 1 { state.poller.clone() } else { None };
        drop(state);
        if let Some(poller) = poller {
            poller.wake();
        }
    }
}
