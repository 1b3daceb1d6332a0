//! The one place where scripts' clocks are read, and where a test sets them.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use mlua::Lua;

/// What [`Instant`]s of this process are counted from; only differences mean something.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

pub(super) fn begin() {
    LazyLock::force(&START);
}

/// The clocks of a state: those of the system, unless a test has set them.
#[derive(Default)]
pub struct Clock {
    set: Cell<Option<Set>>,
}

#[derive(Clone, Copy)]
struct Set {
    unix_ns: i128,
    mono: Duration,
}

/// The clock of the state, from which `time.now`, `time.mono` and `sleep` take the time.
pub fn clock(lua: &Lua) -> Rc<Clock> {
    if let Some(clock) = lua.app_data_ref::<Rc<Clock>>() {
        return Rc::clone(&clock);
    }
    let clock = Rc::<Clock>::default();
    lua.set_app_data(Rc::clone(&clock));
    clock
}

impl Clock {
    /// Nanoseconds since 1970.
    pub fn unix_ns(&self) -> i128 {
        match self.set.get() {
            Some(set) => set.unix_ns,
            None => match SystemTime::now().duration_since(UNIX_EPOCH) {
                Ok(after) => after.as_nanos().cast_signed(),
                Err(before) => -before.duration().as_nanos().cast_signed(),
            },
        }
    }

    /// Since the process looked at its clock first.
    pub fn mono(&self) -> Duration {
        self.set.get().map_or_else(|| START.elapsed(), |set| set.mono)
    }

    /// Stops the clocks at this time; a sleep moves them on and does not wait. None: the system's again.
    pub fn set(&self, unix_ns: Option<i128>) {
        let mono = self.mono();
        self.set.set(unix_ns.map(|unix_ns| Set { unix_ns, mono }));
    }

    /// Moves clocks that were set on.
    pub fn advance(&self, by: Duration) {
        if let Some(Set { unix_ns, mono }) = self.set.get() {
            let unix_ns = unix_ns.saturating_add_unsigned(by.as_nanos());
            self.set.set(Some(Set { unix_ns, mono: mono.saturating_add(by) }));
        }
    }

    /// Waits so long; where the clock is set, until the other coroutines have had a turn.
    pub async fn sleep(self: Rc<Self>, duration: Duration) {
        if self.set.get().is_none() {
            return tokio::time::sleep(duration).await;
        }
        self.advance(duration);
        tokio::task::yield_now().await;
    }
}
