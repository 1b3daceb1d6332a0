//! The `tasks` role: a generator in Lua, on a thread and a state of its own.

use std::cell::RefCell;
use std::rc::Rc;

use crate::lua::call::Bridge;
use crate::lua::script;
use crate::lua::state::{LogSink, State};
use crate::lua::{port, put};
use crate::model::job::{Job, Script};
use crate::model::task::TaskOptions;
use crate::model::{Failure, Payload, Task, TaskId};
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
    log: LogSink,
    take: Take,
) -> Result<u64, Failure> {
    let memory = |error: mlua::Error| Failure::new("memory", error.to_string());
    let state = State::new(job, script, "tasks", log).map_err(memory)?;
    state.random.borrow_mut().seed(job.seed, u128::MAX - 1);
    let roles = script::load(&state, script, "tasks")?;
    let tasks = roles
        .get("tasks")
        .ok_or_else(|| Failure::new("role", format!("{} has no role `tasks`", script.name)))?;
    let puts = Rc::new(Puts {
        position: 0.into(),
        next_options: RefCell::default(),
        key: plan.key.clone(),
        skip: plan.skip,
        last: plan.limit.map(|limit| plan.skip.saturating_add(limit)),
        take: RefCell::new(take),
        ended: false.into(),
    });
    let call = install(&state, &state.bridge, job, tasks, &puts).map_err(memory)?;
    match state.bridge.call_for_effect(call, None, &[]) {
        // the error that ended the generator was our own way to end it
        Err(_) if puts.ended.get() => Ok(puts.position.get()),
        Err(failure) => Err(failure),
        Ok(()) => Ok(puts.position.get()),
    }
}

struct Puts {
    position: std::cell::Cell<u64>,
    next_options: RefCell<Option<TaskOptions>>,
    key: Option<KeyField>,
    skip: u64,
    last: Option<u64>,
    take: RefCell<Take>,
    ended: std::cell::Cell<bool>,
}

impl Puts {
    fn put(&self, args: &[u8]) -> Result<(), String> {
        let options = self.next_options.take();
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
        if (self.take.borrow_mut())(task) {
            Ok(())
        } else {
            self.ended.set(true);
            Err("put: the run takes no more tasks".into())
        }
    }

    fn key(&self, args: &[u8], field: &KeyField) -> Result<Box<[u8]>, String> {
        key_of(args, field).map_err(|error| format!("put: task {}: {error}", self.position.get()))
    }
}

fn install(
    state: &State,
    bridge: &Bridge,
    job: &Job,
    tasks: crate::lua::call::Held,
    puts: &Rc<Puts>,
) -> mlua::Result<crate::lua::call::Held> {
    let put = port::arguments(bridge, {
        let puts = Rc::clone(puts);
        Box::new(move |args| puts.put(args))
    })?;
    let put_with = put::with_options(state, &put, {
        let puts = Rc::clone(puts);
        move |options| *puts.next_options.borrow_mut() = Some(options)
    })?;
    state.lua().globals().raw_set("put_with", put_with)?;
    let meta = state.read_only(&job.meta, "meta")?;
    let bound: mlua::Function = state.prelude("bind")?.call((bridge.value(tasks)?, put, meta))?;
    state.hold(bound)
}
