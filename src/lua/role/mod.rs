//! What scripts see in each role besides the library: `put`, `emit`, `task`, `meta`.
//!
//! Who carries a role out (worker, handler, source) gives an [`Outlet`] and, where there is a task, its [`Facts`].

pub mod generator;
pub mod handler;
pub mod worker;

use std::cell::RefCell;
use std::rc::Rc;

use mlua::{Function, Lua, Value};

use super::put;
use super::state::{State, decoded_list};
use crate::lua::port;
use crate::model::TaskId;
use crate::model::task::TaskOptions;

/// Where puts and rows of a state go. A refusal is a sentence that the script sees as an error.
pub trait Outlet {
    /// A task: its encoded arguments, and the options of `put_with`.
    ///
    /// # Errors
    /// When none can be put now.
    fn put(&self, args: &[u8], options: Option<TaskOptions>) -> Result<(), String>;

    /// One encoded row.
    ///
    /// # Errors
    /// When none can be emitted now.
    fn emit(&self, row: &[u8]) -> Result<(), String>;
}

/// What is known of the task at hand.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// Its identity.
    pub id: TaskId,
    /// Its key, when it has one.
    pub key: Option<&'a [u8]>,
    /// The encoded argument list.
    pub args: &'a [u8],
    /// From 1.
    pub attempt: u32,
    /// The worker process.
    pub worker: u32,
    /// Wall time of the attempt, 0 while it runs.
    pub elapsed_ns: u64,
}

/// Who knows the task at hand.
pub trait AtHand: Outlet {
    /// Gives its facts to `read`; does nothing when there is none.
    fn read(&self, read: &mut dyn FnMut(&Facts<'_>));
}

/// `put` and `put_with` of a state.
fn put_functions<O: Outlet + ?Sized + 'static>(
    state: &State,
    outlet: &Rc<O>,
) -> mlua::Result<(Function, Function)> {
    let next = Rc::new(RefCell::new(None));
    let put = port::arguments(&state.bridge, {
        let (outlet, next) = (Rc::clone(outlet), Rc::clone(&next));
        Box::new(move |args| outlet.put(args, next.take()))
    })?;
    let put_with = put::with_options(state, &put, move |options| {
        next.replace(Some(options));
    })?;
    Ok((put, put_with))
}

/// Sets the global `emit` of a state.
fn set_emit<O: Outlet + ?Sized + 'static>(state: &State, outlet: &Rc<O>) -> mlua::Result<()> {
    let outlet = Rc::clone(outlet);
    let emit = port::row(&state.bridge, Box::new(move |row| outlet.emit(row)))?;
    state.lua().globals().raw_set("emit", emit)
}

/// A fact as a Lua value; `None` for a name that is none of them.
fn fact(lua: &Lua, facts: &Facts<'_>, name: Fact) -> mlua::Result<Value> {
    Ok(match name {
        Fact::Id => Value::String(lua.create_string(facts.id.to_string())?),
        Fact::Key => {
            facts.key.map(|key| lua.create_string(key)).transpose()?.map_or(Value::Nil, Value::String)
        }
        Fact::Args => Value::Table(decoded_list(lua, facts.args)?),
        Fact::Attempt => Value::Integer(i64::from(facts.attempt)),
        Fact::Worker => Value::Integer(i64::from(facts.worker)),
        Fact::Duration => Value::Number(facts.elapsed_ns as f64 / 1e9),
    })
}

/// Which fact.
#[derive(Clone, Copy, Debug)]
enum Fact {
    Id,
    Key,
    Args,
    Attempt,
    Worker,
    Duration,
}
