//! Work without Lua that takes long: disks, databases, compression. Where other coroutines could run meanwhile it goes to
//! the blocking pool of the thread's runtime; where there is none it is done at once, which costs nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mlua::{Lua, LuaString};

use super::error::LibError;
use super::scheduler::Scheduler;
use super::std::runtime::{self, Interrupt};

/// Tells work that nobody waits for it any more. Long work asks now and then.
#[derive(Clone)]
pub enum Stop {
    /// Of work on the pool.
    Dropped(Arc<AtomicBool>),
    /// Of work on the thread itself.
    Interrupted(Arc<Interrupt>),
}

impl Stop {
    /// Goes on, or not.
    ///
    /// # Errors
    /// `cancelled` when the task is over.
    pub fn check(&self) -> Result<(), LibError> {
        let over = match self {
            Self::Dropped(flag) => flag.load(Ordering::Relaxed),
            Self::Interrupted(interrupt) => interrupt.is_raised(),
        };
        if over { Err(runtime::cancelled()) } else { Ok(()) }
    }
}

/// Raises the flag when the wait ends, however it ends.
struct Guard(Arc<AtomicBool>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The result of `work`, for a function that waits. On the pool, work that is not waited for any more runs on until it
/// asks its [`Stop`].
pub fn run<T, W>(lua: &Lua, work: W) -> impl Future<Output = Result<T, LibError>> + 'static + use<T, W>
where
    T: Send + 'static,
    W: FnOnce(&Stop) -> Result<T, LibError> + Send + 'static,
{
    let alone = Scheduler::of(lua).is_alone();
    async move {
        if alone {
            return work(&Stop::Interrupted(runtime::interrupt()));
        }
        let guard = Guard(Arc::default());
        let stop = Stop::Dropped(Arc::clone(&guard.0));
        let done = tokio::task::spawn_blocking(move || work(&stop).map_err(LibError::carry)).await;
        Ok(done.map_err(|error| LibError::new("lua_error", format!("the work ended early: {error}")))??)
    }
}

/// The same for work on the bytes of a string, which are copied only where the work goes to the pool.
pub fn run_on<T, W>(
    lua: &Lua,
    bytes: LuaString,
    work: W,
) -> impl Future<Output = Result<T, LibError>> + 'static + use<T, W>
where
    T: Send + 'static,
    W: FnOnce(&[u8], &Stop) -> Result<T, LibError> + Send + 'static,
{
    let lua = lua.clone();
    async move {
        if Scheduler::of(&lua).is_alone() {
            return work(&bytes.as_bytes(), &Stop::Interrupted(runtime::interrupt()));
        }
        let copy = bytes.as_bytes().to_vec();
        run(&lua, move |stop| work(&copy, stop)).await
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mlua::Lua;

    use crate::lua::error::LibError;
    use crate::lua::module::waiting_function;
    use crate::lua::std::testing::{fails, run, state};

    /// `work(ms)` computes on the pool for that long and gives the name of its thread's kind.
    fn with_work(lua: &Lua) {
        let here = std::thread::current().id();
        let work = waiting_function(lua, "work(ms)", move |lua, ms: u64| {
            super::run(lua, move |stop| {
                for _ in 0..ms {
                    stop.check()?;
                    std::thread::sleep(Duration::from_millis(1));
                }
                match ms {
                    0 => Err(LibError::invalid("no work")),
                    _ => Ok(if std::thread::current().id() == here { "here" } else { "pool" }),
                }
            })
        });
        lua.globals().set("work", work.expect("a function")).expect("a global");
    }

    #[test]
    fn work_runs_here_when_alone_and_beside_others_on_the_pool() {
        let lua = state();
        with_work(&lua);
        assert_eq!(run::<String>(&lua, "return work(1)"), "here");
        let both: (String, bool) = run(
            &lua,
            "local order = {} \
             local a, b = mpms.co.spawn(function() local where = work(200) order[#order + 1] = 'a' return where end), \
               mpms.co.spawn(function() sleep(0.01) order[#order + 1] = 'b' end) \
             local where = a:await() b:await() \
             return where, order[1] == 'b'",
        );
        assert_eq!(both, ("pool".to_owned(), true));
    }

    #[test]
    fn errors_come_over_and_a_wait_that_ends_stops_the_work() {
        let lua = state();
        with_work(&lua);
        assert_eq!(fails(&lua, "work(0)").message, "work: no work");
        assert_eq!(fails(&lua, "mpms.co.all { function() work(0) end }").code, "invalid");
        let e = fails(&lua, "mpms.co.timeout(0.02, work, 60000)");
        assert_eq!(e.code, "timeout");
    }
}
