//! The clock of the scripts: the system's, or in a spec one that stands still until somebody waits.

use std::collections::BTreeSet;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// What `mono` counts from; only differences mean something.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Of the whole process: the scripts that a spec plays have threads of their own, and the same time.
static SET: Mutex<Option<Set>> = Mutex::new(None);

/// A clock that was set.
#[derive(Clone, Debug)]
pub struct Set {
    /// Since 1970.
    now: Duration,
    /// Since the clock was first set, plus what the system's said then.
    mono: Duration,
    /// Who waits, and until when.
    waiting: BTreeSet<(Duration, u64)>,
    next: u64,
}

/// Turns that others get before the time of the one that waits shortest has come.
const TURNS: u32 = 8;

/// Seconds since 1970.
pub fn now() -> f64 {
    if let Some(set) = &*lock() {
        return set.now.as_secs_f64();
    }
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or_else(|before| -before.duration().as_secs_f64(), |after| after.as_secs_f64())
}

/// Seconds of a clock that never goes back.
pub fn mono() -> f64 {
    lock().as_ref().map_or_else(|| START.elapsed(), |set| set.mono).as_secs_f64()
}

/// Waits. On a clock that was set, the time has come when nobody waits for less.
pub async fn sleep(duration: Duration) {
    match Wait::begin(duration) {
        None => tokio::time::sleep(duration).await,
        Some(wait) => wait.until_first().await,
    }
}

/// Sets the clock to a time since 1970, or gives back the system's. What waits goes on waiting for its time.
pub fn set(to: Option<Duration>) {
    let mut set = lock();
    match (to, &mut *set) {
        (None, _) => *set = None,
        (Some(now), Some(set)) => {
            set.mono += now.saturating_sub(set.now);
            set.now = now;
        }
        (Some(now), none) => {
            *none = Some(Set { now, mono: START.elapsed(), waiting: BTreeSet::new(), next: 0 });
        }
    }
}

/// The clock as it is, to be given back later.
pub fn take() -> Option<Set> {
    lock().clone()
}

/// Gives back what [`take`] has given.
pub fn give(old: Option<Set>) {
    let old = old.map(|old| Set { waiting: BTreeSet::new(), ..old });
    *lock() = old;
}

fn lock() -> MutexGuard<'static, Option<Set>> {
    LazyLock::force(&START);
    SET.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A wait on a clock that was set. It is forgotten with the wait.
struct Wait((Duration, u64));

impl Wait {
    fn begin(duration: Duration) -> Option<Self> {
        let mut set = lock();
        let set = set.as_mut()?;
        set.next += 1;
        let key = (set.mono.saturating_add(duration), set.next);
        set.waiting.insert(key);
        Some(Wait(key))
    }

    async fn until_first(self) {
        let mut turns = 0;
        loop {
            tokio::task::yield_now().await;
            turns += 1;
            if self.is_over(turns > TURNS) {
                return;
            }
            if turns > TURNS {
                // others wait for less, perhaps for something outside
                tokio::time::sleep(Duration::from_micros(50)).await;
            }
        }
    }

    /// Whether its time has come; if `moves`, the clock goes on to it when nobody waits for less.
    fn is_over(&self, moves: bool) -> bool {
        let mut set = lock();
        let Some(set) = set.as_mut() else { return true };
        let until = self.0.0;
        if until > set.mono && moves && set.waiting.first().is_none_or(|first| *first >= self.0) {
            set.now += until - set.mono;
            set.mono = until;
        }
        until <= set.mono
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        if let Some(set) = lock().as_mut() {
            set.waiting.remove(&self.0);
        }
    }
}
