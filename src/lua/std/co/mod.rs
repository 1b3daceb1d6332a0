//! `mpms.co`: coroutines within a task, which run beside each other as long as they wait.
//!
//! What they are made of is in [`crate::lua::scheduler`]; what scripts call is in `co.lua`, over a group of coroutines
//! that is waited for together.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use mlua::{Function, Lua, MultiValue, Table, UserDataRef, Value};
use tokio::sync::Notify;

use super::time::sleep;
use crate::lua::error::LibError;
use crate::lua::module::{Methods, Module, complainer, global_function, object, plain_pcall};
use crate::lua::options;
use crate::lua::scheduler::{Child, Scheduler, Then};

mod channel;

/// What `co.spawn` gives.
struct Handle(Rc<Child>);

/// Coroutines that are waited for together. Their numbers count from 1.
#[derive(Default)]
struct Group {
    children: RefCell<Vec<Rc<Child>>>,
    over: Cell<usize>,
    first_over: Cell<Option<usize>>,
    first_failed: Cell<Option<usize>>,
    changed: Notify,
}

/// What the group was waited for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Until {
    /// All have ended, or one has failed.
    All,
    /// One has ended.
    First,
    /// All have ended, however.
    Over,
}

impl Group {
    fn spawn(self: &Rc<Self>, lua: &Lua, f: &Function, arguments: MultiValue) -> Result<Rc<Child>, LibError> {
        let number = self.children.borrow().len() + 1;
        let group = Rc::clone(self);
        let child = spawn(lua, f, arguments, Some(Box::new(move |child| group.has_ended(number, child))))?;
        child.set_awaited();
        self.children.borrow_mut().push(Rc::clone(&child));
        Ok(child)
    }

    fn has_ended(&self, number: usize, child: &Child) {
        self.over.set(self.over.get() + 1);
        self.first_over.set(self.first_over.get().or(Some(number)));
        if child.has_failed() {
            self.first_failed.set(self.first_failed.get().or(Some(number)));
        }
        self.changed.notify_waiters();
    }

    /// The number of the one that decides, or 0 when all have ended.
    async fn until(&self, until: Until) -> usize {
        loop {
            let changed = self.changed.notified();
            let decides = match until {
                Until::All => self.first_failed.get(),
                Until::First => self.first_over.get(),
                Until::Over => None,
            };
            let all = self.over.get() == self.children.borrow().len();
            if let Some(number) = decides.or(all.then_some(0)) {
                return number;
            }
            changed.await;
        }
    }
}

pub(super) fn module(lua: &Lua) -> mlua::Result<Table> {
    handles(lua)?;
    groups(lua)?;
    channel::register(lua)?;
    let make = lua.create_function(|lua, ()| object(lua, Rc::<Group>::default()))?;
    let wrong = complainer(lua)?;
    let timed_out = global_function(lua, "co.timeout", |_, duration: Value| -> Result<(), LibError> {
        let limit = super::time::human(duration_of(&duration)?);
        Err(LibError::timeout(format!("timeout after {limit}")))
    })?;
    let seconds =
        global_function(lua, "co.timeout", |_, duration: Value| Ok(duration_of(&duration)?.as_secs_f64()))?;
    let functions: Table =
        lua.load(include_str!("co.lua")).set_name("=mpms").call((make, wrong, timed_out, seconds))?;
    let mut module = Module::new(lua, "mpms.co")
        .function("spawn(f, ...)", |lua, (f, arguments): (Function, MultiValue)| {
            Ok(object(lua, Handle(spawn(lua, &f, arguments, None)?))?)
        })
        .function("channel(size)", |lua, size: Option<Value>| channel::make(lua, size))
        .waiting("sleep(duration)", sleep);
    for name in ["all", "map", "race", "scope", "timeout"] {
        module = module.value(name, functions.raw_get::<Function>(name)?);
    }
    module.build()
}

fn spawn(lua: &Lua, f: &Function, arguments: MultiValue, then: Option<Then>) -> Result<Rc<Child>, LibError> {
    let pcall = plain_pcall(lua)?;
    Ok(Scheduler::of(lua).spawn(lua, &pcall, f, arguments, then)?)
}

fn duration_of(value: &Value) -> Result<Duration, LibError> {
    options::duration(value).map_err(|error| LibError::invalid(format!("argument 1 {}", error.message())))
}

fn handles(lua: &Lua) -> mlua::Result<()> {
    Methods::new(lua, "co.Handle")
        .waiting("await()", |lua, handle: UserDataRef<Handle>| {
            let child = Rc::clone(&handle.0);
            let is_itself = Scheduler::of(lua).runs(&child);
            child.set_awaited();
            async move {
                if is_itself {
                    return Err(LibError::new("busy", "a coroutine cannot wait for itself"));
                }
                child.until_over().await;
                child.outcome()
            }
        })
        .method("cancel()", |lua, handle: UserDataRef<Handle>| {
            Scheduler::of(lua).cancel(&handle.0);
            Ok(())
        })
        .method("status()", |_, handle: UserDataRef<Handle>| Ok(handle.0.status()))
        .userdata::<Handle>()
}

fn groups(lua: &Lua) -> mlua::Result<()> {
    type Call = (UserDataRef<Rc<Group>>, Option<Value>);
    fn waits(until: Until) -> impl Fn(&Lua, Call) -> WaitForGroup + 'static {
        move |_, (group, limit)| {
            let (group, limit) = (Rc::clone(&group), limit.as_ref().map(duration_of).transpose());
            Box::pin(async move {
                match limit? {
                    None => Ok(Some(group.until(until).await)),
                    Some(limit) => Ok(tokio::time::timeout(limit, group.until(until)).await.ok()),
                }
            })
        }
    }
    Methods::new(lua, "co.Group")
        .method("spawn(f, ...)", |lua, call: (UserDataRef<Rc<Group>>, Function, MultiValue)| {
            let (group, f, arguments) = call;
            Ok(object(lua, Handle(group.spawn(lua, &f, arguments)?))?)
        })
        .waiting("all(limit)", waits(Until::All))
        .waiting("first(limit)", waits(Until::First))
        .waiting("over(limit)", waits(Until::Over))
        .method("outcome(number)", |_, (group, number): (UserDataRef<Rc<Group>>, usize)| {
            let child = number.checked_sub(1).and_then(|at| group.children.borrow().get(at).cloned());
            child.ok_or_else(|| LibError::invalid("no such coroutine"))?.outcome()
        })
        .method("cancel()", |lua, group: UserDataRef<Rc<Group>>| {
            let children = group.children.borrow().clone();
            let scheduler = Scheduler::of(lua);
            children.iter().for_each(|child| scheduler.cancel(child));
            Ok(())
        })
        .userdata::<Rc<Group>>()
}

type WaitForGroup = std::pin::Pin<Box<dyn Future<Output = Result<Option<usize>, LibError>>>>;
