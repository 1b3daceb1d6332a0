//! Where library calls wait: one current-thread runtime a thread, made when the thread first waits.

use std::cell::OnceCell;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::Notify;

use crate::lua::error::LibError;
use crate::lua::watchdog;

thread_local! {
    static RUNTIME: OnceCell<Runtime> = const { OnceCell::new() };
    static INTERRUPT: Arc<Interrupt> = Arc::default();
}

/// Ends the waiting call of a thread from another thread, as the watchdog does when a task is over its time.
#[derive(Debug, Default)]
pub struct Interrupt {
    raised: AtomicBool,
    wake: Notify,
}

impl Interrupt {
    /// The running or next waiting call of the thread raises `cancelled`, and each one after it, until
    /// [`clear`](Self::clear).
    pub fn raise(&self) {
        self.raised.store(true, Ordering::Release);
        self.wake.notify_one();
    }

    /// The waiting call of the thread asks again whether it may go on waiting.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    fn is_raised(&self) -> bool {
        self.raised.load(Ordering::Acquire) || watchdog::is_over()
    }

    /// Waiting is allowed again.
    pub fn clear(&self) {
        self.raised.store(false, Ordering::Release);
    }
}

/// The interrupt of this thread; hand it to whoever may stop the thread.
pub fn interrupt() -> Arc<Interrupt> {
    INTERRUPT.with(Arc::clone)
}

/// Waits for `future` on the thread's own runtime.
///
/// # Errors
/// `cancelled` when the thread was interrupted; an error of the system when there is no runtime to be had; `busy`
/// inside another waiting call.
pub fn block_on<F: Future>(future: F) -> Result<F::Output, LibError> {
    if Handle::try_current().is_ok() {
        return Err(LibError::new("busy", "a call that waits cannot start inside another one"));
    }
    RUNTIME.with(|cell| {
        let runtime = match cell.get() {
            Some(runtime) => runtime,
            None => {
                let made = Builder::new_current_thread().enable_all().build()?;
                cell.get_or_init(|| made)
            }
        };
        INTERRUPT.with(|interrupt| runtime.block_on(unless_interrupted(interrupt, future)))
    })
}

async fn unless_interrupted<F: Future>(interrupt: &Interrupt, future: F) -> Result<F::Output, LibError> {
    let mut future = pin!(future);
    let mut woken = pin!(interrupt.wake.notified());
    std::future::poll_fn(|cx| {
        if interrupt.is_raised() {
            return Poll::Ready(Err(LibError::new("cancelled", "the task was stopped while it waited")));
        }
        if let Poll::Ready(output) = future.as_mut().poll(cx) {
            return Poll::Ready(Ok(output));
        }
        // A permit left over from an interrupt that was cleared meanwhile must not end the waiting.
        while woken.as_mut().poll(cx).is_ready() {
            if interrupt.is_raised() {
                return Poll::Ready(Err(LibError::new("cancelled", "the task was stopped while it waited")));
            }
            woken.set(interrupt.wake.notified());
        }
        Poll::Pending
    })
    .await
}
