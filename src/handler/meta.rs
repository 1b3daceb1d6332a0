//! `meta` in the handler's state: the shared table, and what it knows of the task at hand.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use mlua::{Function, LuaString, Table, Value};

use crate::lua::call::Held;
use crate::lua::error::LibError;
use crate::lua::module::global_function;
use crate::lua::state::{State, decoded_list};
use crate::lua::{port, put};
use crate::model::task::TaskOptions;
use crate::model::{self, Delivery, Payload, Task, TaskId};

/// Names that `meta` answers from the task at hand; a manifest cannot use them.
pub const RESERVED: [&str; 7] = ["task", "task_id", "attempt", "worker", "duration", "self", "mpmt"];

/// The delivery that is being handled, and what its call leaves.
#[derive(Default)]
pub struct AtHand {
    delivery: RefCell<Option<Delivery>>,
    puts: RefCell<Vec<Task>>,
    rows: RefCell<Vec<Payload>>,
    next_options: RefCell<Option<TaskOptions>>,
    closed: Cell<bool>,
}

impl AtHand {
    /// A delivery begins or ends.
    pub fn set(&self, delivery: Option<Delivery>) {
        *self.delivery.borrow_mut() = delivery;
    }

    /// The delivery, if there is one.
    pub fn with<R>(&self, body: impl FnOnce(&Delivery) -> R) -> Option<R> {
        self.delivery.borrow().as_ref().map(body)
    }

    /// What was put since the last time; ids are still to be given.
    pub fn take_puts(&self) -> Vec<Task> {
        self.puts.take()
    }

    /// What was emitted since the last time.
    pub fn take_rows(&self) -> Vec<Payload> {
        self.rows.take()
    }

    /// No task can be put any more.
    pub fn close(&self) {
        self.closed.set(true);
    }

    fn put(&self, args: &[u8]) -> Result<(), String> {
        if self.closed.get() {
            return Err("put: the run is complete, `finish` cannot add tasks".into());
        }
        let options = self.next_options.take().map(Box::new);
        self.puts.borrow_mut().push(Task { id: TaskId::ROOT, args: Payload::copy_from(args), options });
        Ok(())
    }

    fn emit(&self, row: &[u8]) -> Result<(), String> {
        if self.closed.get() {
            return Err("emit: the run is complete, `finish` cannot add rows".into());
        }
        self.rows.borrow_mut().push(Payload::copy_from(row));
        Ok(())
    }
}

/// Makes `meta` and the global `emit`.
///
/// # Errors
/// When Lua has no memory left.
pub fn install(state: &State, first: &model::Value, at_hand: &Rc<AtHand>) -> mlua::Result<Held> {
    let lua = state.lua();
    let put = port::arguments(&state.bridge, {
        let at_hand = Rc::clone(at_hand);
        Box::new(move |args| at_hand.put(args))
    })?;
    let put_with = put::with_options(state, &put, {
        let at_hand = Rc::clone(at_hand);
        move |options| *at_hand.next_options.borrow_mut() = Some(options)
    })?;
    let emit = port::row(&state.bridge, {
        let at_hand = Rc::clone(at_hand);
        Box::new(move |row| at_hand.emit(row))
    })?;
    lua.globals().raw_set("emit", emit)?;
    let object: Table = state.prelude("putter")?.call((put, put_with))?;
    let reserved = lua.create_table()?;
    for name in RESERVED {
        reserved.raw_set(name, true)?;
    }
    let read = reader(state, at_hand)?;
    let meta: Table = state.prelude("with_task")?.call((state.value(first)?, read, reserved, object))?;
    state.hold(meta)
}

/// Reads `meta.task` and the other fields of the task at hand; nil for every other name.
fn reader(state: &State, at_hand: &Rc<AtHand>) -> mlua::Result<Function> {
    let at_hand = Rc::clone(at_hand);
    global_function(state.lua(), "meta(field)", move |lua, field: Value| {
        let Value::String(field) = field else { return Ok(Value::Nil) };
        let read = at_hand.with(|delivery| read(lua, delivery, &field));
        read.unwrap_or(Ok(Value::Nil)).map_err(|error| LibError::invalid(error.to_string()))
    })
}

fn read(lua: &mlua::Lua, delivery: &Delivery, field: &LuaString) -> mlua::Result<Value> {
    Ok(match field.as_bytes().as_ref() {
        b"task" => Value::Table(decoded_list(lua, &delivery.args)?),
        b"task_id" => Value::String(lua.create_string(delivery.id.to_string())?),
        b"attempt" => Value::Integer(i64::from(delivery.attempt)),
        b"worker" => Value::Integer(i64::from(delivery.worker)),
        b"duration" => Value::Number(delivery.elapsed_ns as f64 / 1e9),
        _ => Value::Nil,
    })
}
