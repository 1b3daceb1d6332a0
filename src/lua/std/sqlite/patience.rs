//! How long a call waits for others, and when it gives up.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode};

use crate::lua::pool::Stop;

/// Steps of SQLite's machine between two looks at the stop: 10 µs or so.
const STEPS: i32 = 1000;

/// What SQLite asks while it works.
pub(super) struct Patience {
    /// Of the call that runs.
    stop: Mutex<Option<Stop>>,
    /// For a lock that another process or connection has.
    pub timeout: Duration,
}

impl Patience {
    /// SQLite asks this from now on.
    pub fn install(timeout: Duration, connection: &mut Connection) -> rusqlite::Result<Arc<Self>> {
        let this = Arc::new(Self { stop: Mutex::default(), timeout });
        let asked = Arc::clone(&this);
        connection.progress_handler(STEPS, Some(move || asked.is_stopped()))?;
        let asked = Arc::clone(&this);
        let mut since = Instant::now();
        connection.busy_handler(Some(move |count| {
            if count == 0 {
                since = Instant::now();
            }
            asked.goes_on(since, count)
        }))?;
        Ok(this)
    }

    pub fn begin(self: &Arc<Self>, stop: &Stop) -> Asked {
        *self.stop.lock().unwrap_or_else(PoisonError::into_inner) = Some(stop.clone());
        Asked(Arc::clone(self))
    }

    pub fn is_stopped(&self) -> bool {
        let stop = self.stop.lock().unwrap_or_else(PoisonError::into_inner);
        stop.as_ref().is_some_and(|stop| stop.check().is_err())
    }

    /// Sleeps a bit, unless the time is over.
    fn goes_on(&self, since: Instant, count: i32) -> bool {
        let left = self.timeout.saturating_sub(since.elapsed());
        if left.is_zero() || self.is_stopped() {
            return false;
        }
        let pause = Duration::from_millis(if count < 10 { 1 } else { 10 });
        std::thread::sleep(pause.min(left));
        true
    }

    /// Repeats what is refused as busy without a question to the busy handler, as SQLite does where it sees a deadlock.
    pub fn insist<T>(&self, mut work: impl FnMut() -> rusqlite::Result<T>) -> rusqlite::Result<T> {
        let since = Instant::now();
        let mut count = 0;
        loop {
            match work() {
                Err(error)
                    if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
                        && self.goes_on(since, count) =>
                {
                    count += 1;
                }
                done => return done,
            }
        }
    }
}

/// A call that can be stopped, while this is there.
pub(super) struct Asked(Arc<Patience>);

impl Drop for Asked {
    fn drop(&mut self) {
        *self.0.stop.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
