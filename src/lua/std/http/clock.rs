//! How long one attempt may take.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::settings::Settings;
use crate::lua::error::LibError;

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

    /// The longest that it waits for a reply.
    pub fn limit(&self) -> Duration {
        self.end.map_or(self.read, |(_, total)| total.min(self.read))
    }

    /// Waits for the other side's next sign of life.
    ///
    /// # Errors
    /// `timeout`.
    pub async fn wait<F: Future>(&self, sign: F) -> Result<F::Output, LibError> {
        let late = |time: Duration| LibError::timeout(format!("no reply within {time:?}"));
        let quiet = Instant::now().checked_add(self.read);
        match (self.end, quiet) {
            (Some((end, total)), Some(quiet)) if end <= quiet => {
                timeout_at(end, sign).await.map_err(|_| late(total))
            }
            (_, Some(quiet)) => timeout_at(quiet, sign).await.map_err(|_| late(self.read)),
            (Some((end, total)), None) => timeout_at(end, sign).await.map_err(|_| late(total)),
            (None, None) => Ok(sign.await),
        }
    }
}
