//! Where library calls wait: one current-thread runtime a thread, made when the thread first waits.

use std::cell::OnceCell;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

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

    /// Waits for one of them, whoever it is meant for.
    pub(in crate::lua) async fn woken(&self) {
        self.wake.notified().await;
    }

    pub(in crate::lua) fn is_raised(&self) -> bool {
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
    INTERRUPT.with(|interrupt| {
        let mut future = pin!(future);
        match at_once(interrupt, future.as_mut()) {
            Ok(Poll::Pending) => block_on_all(unless_interrupted(interrupt, future))?,
            Ok(Poll::Ready(output)) => Ok(output),
            Err(error) => Err(error),
        }
    })
}

/// Most calls have nothing to wait for when nothing else runs, and the runtime's own loop takes longer than they do.
fn at_once<F: Future>(interrupt: &Interrupt, future: Pin<&mut F>) -> Result<Poll<F::Output>, LibError> {
    must_be_outside()?;
    if interrupt.is_raised() {
        return Err(cancelled());
    }
    with_runtime(|runtime| {
        let _guard = runtime.enter();
        Ok(future.poll(&mut Context::from_waker(Waker::noop())))
    })?
}

/// One turn of a loop of the thread's own: waits for `future`, which polls others that will be polled again in a later
/// turn. No interrupt ends it.
///
/// # Errors
/// As [`block_on`], but for the interrupt.
pub fn block_on_turn<F: Future>(future: F) -> Result<F::Output, LibError> {
    block_on_all(async {
        // a future that has used up its share would be woken later in this turn, which may be over by then
        let output = tokio::task::coop::unconstrained(future).await;
        // the same for one that yields by itself; and timers and sockets are looked at in each turn
        tokio::task::yield_now().await;
        output
    })
}

fn block_on_all<F: Future>(future: F) -> Result<F::Output, LibError> {
    must_be_outside()?;
    with_runtime(|runtime| runtime.block_on(future))
}

fn must_be_outside() -> Result<(), LibError> {
    match Handle::try_current() {
        Ok(_) => Err(LibError::new("busy", "a call that waits cannot start inside another one")),
        Err(_) => Ok(()),
    }
}

/// Drops what may need the thread's runtime for it.
pub fn drop_within<T>(value: T) {
    // without a runtime there is nothing that needs it
    let _ = with_runtime(|runtime| {
        let _guard = runtime.enter();
        drop(value);
    });
}

fn with_runtime<R>(body: impl FnOnce(&Runtime) -> R) -> Result<R, LibError> {
    RUNTIME.with(|cell| {
        let runtime = match cell.get() {
            Some(runtime) => runtime,
            None => {
                let made = Builder::new_current_thread().enable_all().build()?;
                cell.get_or_init(|| made)
            }
        };
        Ok(body(runtime))
    })
}

/// What a call says that was stopped while it waited.
pub fn cancelled() -> LibError {
    LibError::new("cancelled", "the task was stopped while it waited")
}

async fn unless_interrupted<F: Future>(interrupt: &Interrupt, future: F) -> Result<F::Output, LibError> {
    let mut future = pin!(future);
    let mut woken = pin!(interrupt.wake.notified());
    std::future::poll_fn(|cx| {
        if interrupt.is_raised() {
            return Poll::Ready(Err(cancelled()));
        }
        if let Poll::Ready(output) = future.as_mut().poll(cx) {
            return Poll::Ready(Ok(output));
        }
        // A permit left over from an interrupt that was cleared meanwhile must not end the waiting.
        while woken.as_mut().poll(cx).is_ready() {
            if interrupt.is_raised() {
                return Poll::Ready(Err(cancelled()));
            }
            woken.set(interrupt.wake.notified());
        }
        Poll::Pending
    })
    .await
}
