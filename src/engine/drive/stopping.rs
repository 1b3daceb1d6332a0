//! Signals, and how long the handler may take once the run is stopped hard.

use crate::model::StopCause;
use crate::os::signals::Signal;

/// From the second signal on, the handler has this long to come to a boundary.
const HANDLER_NS: u64 = 1_500_000_000;

#[derive(Debug, Default)]
pub(super) struct Stopping {
    signals: u32,
    hard_ns: Option<u64>,
}

impl Stopping {
    /// What the signal asks for, if it is one that stops.
    pub fn signalled(&mut self, signal: Signal, now_ns: u64) -> Option<StopCause> {
        if matches!(signal, Signal::Status | Signal::Suspend) {
            return None;
        }
        self.signals += 1;
        if self.signals == 2 || signal == Signal::Quit {
            self.hard_ns.get_or_insert(now_ns);
        }
        Some(StopCause::Signal(signal.number()))
    }

    /// Whether the handler is not waited for any longer.
    pub fn handler_is_overdue(&self, now_ns: u64) -> bool {
        self.next_ns().is_some_and(|due| due <= now_ns)
    }

    /// When that is.
    pub fn next_ns(&self) -> Option<u64> {
        self.hard_ns.map(|since| since + HANDLER_NS)
    }
}
