//! How long one attempt may take.

use std::time::Duration;

use futures_util::TryFutureExt as _;
use tokio::time::{Instant, timeout_at};

use super::settings::Settings;
use crate::lua::error::LibError;

/// As good as no limit.
const AGES: Duration = Duration::from_secs(100 * 365 * 86_400);

/// The time of one attempt, from its start.
#[derive(Clone, Copy)]
pub(super) struct Clock {
    end: Option<(Instant, Duration)>,
    read: Duration,
}

impl Clock {
    /// Begins now. `usual` holds where the settings say nothing.
    pub fn start(settings: &Settings, usual: Option<Duration>) -> Self {
        let total = settings.timeout.or(usual);
        let end = total.and_then(|total| Some((Instant::now().checked_add(total)?, total)));
        Self { end, read: settings.read_timeout }
    }

    /// Waits for the other side's next sign of life.
    ///
    /// # Errors
    /// `timeout`.
    // no async function: it would hold `sign` twice, as its argument and as what it awaits
    pub fn wait<F: Future>(&self, sign: F) -> impl Future<Output = Result<F::Output, LibError>> + use<F> {
        let now = Instant::now();
        let quiet = now.checked_add(self.read).map(|at| (at, self.read));
        let (at, time) = match (self.end, quiet) {
            (Some(end), Some(quiet)) => {
                if end.0 <= quiet.0 {
                    end
                } else {
                    quiet
                }
            }
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => (now + AGES, AGES),
        };
        timeout_at(at, sign).map_err(move |_| LibError::timeout(format!("no reply within {time:?}")))
    }
}
