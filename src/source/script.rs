//! The `tasks` role: a generator in Lua, on a thread and a state of its own.

use std::cell::RefCell;
use std::rc::Rc;

use crate::lua::call;
use crate::lua::role::{Outlet, generator};
use crate::lua::script;
use crate::lua::state::{Around, State};
use crate::lua::watchdog;
use crate::model::job::{Job, Script};
use crate::model::task::TaskOptions;
use crate::model::{Failure, Payload, Task, TaskId};
use crate::os::clock::monotonic_ns;
use crate::plan::{KeyField, TasksPlan};
use crate::source::key_of;

/// Takes a task; false when no more are wanted.
pub type Take = Box<dyn FnMut(Task) -> bool>;

/// Runs the `tasks` role to its end. Returns how many tasks it put.
///
/// # Errors
/// What it raised, or a task without the key that the manifest asks for.
pub fn generate(
    plan: &TasksPlan,
    script: &Script,
    job: &Job,
    around: &Around,
    take: Take,
) -> Result<u64, Failure> {
    let memory = call::unavailable;
    let state = State::new(job, script, "tasks", around).map_err(memory)?;
    state.random.borrow_mut().seed(job.seed, u128::MAX - 1);
    let roles = script::load_within(plan.timeout_ns, &state, script, "tasks")?;
    let tasks = roles
        .get("tasks")
        .ok_or_else(|| Failure::new("role", format!("{} has no role `tasks`", script.name)))?;
    let puts = Rc::new(Puts {
        position: 0.into(),
        key: plan.key.clone(),
        skip: plan.skip,
        last: plan.limit.map(|limit| plan.skip.saturating_add(limit)),
        take: RefCell::new(take),
        ended: false.into(),
        calls: watchdog::Calls::new(&state.bridge, plan.timeout_ns),
    });
    let call = generator::bind(&state, tasks, &job.meta, &puts).map_err(memory)?;
    puts.calls.begin(monotonic_ns());
    let ended = state.bridge.call_for_effect(call, None, &[]).map_err(watchdog::as_timeout);
    puts.calls.end();
    match ended {
        // the error that ended the generator was our own way to end it
        Err(_) if puts.ended.get() => Ok(puts.position.get()),
        Err(failure) => Err(failure),
        Ok(()) => Ok(puts.position.get()),
    }
}

struct Puts {
    position: std::cell::Cell<u64>,
    key: Option<KeyField>,
    skip: u64,
    last: Option<u64>,
    take: RefCell<Take>,
    ended: std::cell::Cell<bool>,
    /// From one put to the next.
    calls: watchdog::Calls,
}

impl Outlet for Puts {
    fn put(&self, args: &[u8], options: Option<TaskOptions>) -> Result<(), String> {
        let position = self.position.get() + 1;
        if self.last.is_some_and(|last| position > last) {
            self.ended.set(true);
            return Err("put: the limit of tasks is reached".into());
        }
        self.position.set(position);
        if position <= self.skip {
            return Ok(());
        }
        let options = match (&self.key, options) {
            (Some(field), None) => {
                Some(TaskOptions { key: Some(self.key(args, field)?), ..TaskOptions::default() })
            }
            (Some(field), Some(options)) if options.key.is_none() => {
                Some(TaskOptions { key: Some(self.key(args, field)?), ..options })
            }
            (_, options) => options,
        };
        let task =
            Task { id: TaskId::at(position), args: Payload::copy_from(args), options: options.map(Box::new) };
        // it waits there as long as the queue is full
        self.calls.end();
        let taken = (self.take.borrow_mut())(task);
        self.calls.begin(monotonic_ns());
        if taken {
            Ok(())
        } else {
            self.ended.set(true);
            Err("put: the run takes no more tasks".into())
        }
    }

    fn emit(&self, _row: &[u8]) -> Result<(), String> {
        Err("emit: rows come from the worker and the handler, not from `tasks`".into())
    }
}

impl Puts {
    fn key(&self, args: &[u8], field: &KeyField) -> Result<Box<[u8]>, String> {
        key_of(args, field).map_err(|error| format!("put: task {}: {error}", self.position.get()))
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::time::Duration;

    use super::{Take, generate};
    use crate::lua::frozen::Frozen;
    use crate::lua::state::Around;
    use crate::lua::std::log::Sinks;
    use crate::model::{Failure, Value};
    use crate::plan::{Job, Script, Source, TasksPlan};

    fn generated(code: &str, take: Take) -> Result<u64, Failure> {
        let job = Job {
            name: "test".into(),
            description: String::new(),
            manifest: PathBuf::from("/test.toml"),
            dir: PathBuf::from("/"),
            seed: 0,
            params: Value::Map(Vec::new()),
            meta: Value::Map(Vec::new()),
            env: Vec::new(),
            lua_path: None,
        };
        let script =
            Script { name: "test.lua".into(), dir: PathBuf::from("/"), text: code.as_bytes().into() };
        let source = Source::Script(script.clone());
        let plan =
            TasksPlan { source, key: None, shuffle: false, skip: 0, limit: None, timeout_ns: 50_000_000 };
        let around = Around { logs: Sinks::none(), frozen: Frozen::new(&[], |_, _| {}) };
        generate(&plan, &script, &job, &around, take)
    }

    #[test]
    fn a_generator_that_puts_nothing_for_too_long_ends() {
        let code = "return { tasks = function(put) put(1) while true do pcall(error) end end }";
        let failure = generated(code, Box::new(|_| true)).expect_err("ends");
        assert_eq!((failure.code.as_str(), failure.message.as_str()), ("timeout", "timeout after 50ms"));
    }

    #[test]
    fn time_in_a_full_queue_and_time_over_many_puts_do_not_count() {
        let code = "return { tasks = function(put) for i = 1, 8 do sleep(0.01) put(i) end end }";
        let waits: Take = Box::new(|_| {
            std::thread::sleep(Duration::from_millis(70));
            true
        });
        assert_eq!(generated(code, waits), Ok(8));
    }
}
