//! Ctrl-C and SIGTERM while a script runs: the first ends the script where it is, so that it leaves nothing behind; the
//! second ends the process.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use crate::lua::watchdog::Stopper;
use crate::os::poll::{Interest, until_ready};
use crate::os::signals::{Signal, Signals, raise_default};

/// The thread that waits for signals.
pub struct Stops {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    stopper: Mutex<Option<Stopper>>,
    came: Mutex<Option<Signal>>,
}

impl Stops {
    /// Begins to wait. To be called before there is another thread.
    pub fn begin() -> io::Result<Self> {
        let signals = Signals::block_only(&[Signal::Interrupt, Signal::Terminate])?;
        let shared = Arc::<Shared>::default();
        let waiting = Arc::clone(&shared);
        std::thread::Builder::new().name("signals".into()).spawn(move || {
            while until_ready(&signals, Interest::Read, None).is_ok() {
                while let Some(signal) = signals.next() {
                    waiting.stop(signal);
                }
            }
        })?;
        Ok(Stops { shared })
    }

    /// A signal ends the script of this thread from now on.
    pub fn watch(&self, stopper: Stopper) {
        *self.shared.stopper.lock().unwrap_or_else(PoisonError::into_inner) = Some(stopper);
    }

    /// The signal that has come since it was last asked.
    pub fn came(&self) -> Option<Signal> {
        self.shared.came.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Shared {
    fn stop(&self, signal: Signal) {
        let again = self.came.lock().unwrap_or_else(PoisonError::into_inner).replace(signal).is_some();
        match *self.stopper.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(stopper) if !again => stopper.stop(),
            _ => raise_default(signal),
        }
    }
}
