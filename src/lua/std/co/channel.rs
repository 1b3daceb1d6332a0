//! `co.channel`: values from one coroutine to another, in their order.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use mlua::{AnyUserData, IntoLuaMulti, Lua, MultiValue, UserDataRef, Value};
use tokio::sync::Notify;

use super::duration_of;
use crate::lua::error::LibError;
use crate::lua::module::{Methods, object, waiting_function};

/// Values that may wait in a channel at most.
const MOST: i64 = 1_000_000;

struct Channel {
    size: usize,
    values: RefCell<VecDeque<Value>>,
    is_closed: Cell<bool>,
    /// A value came, or none will.
    filled: Notify,
    /// A value was taken, or none will be.
    emptied: Notify,
}

impl Channel {
    async fn put(&self, value: Value) -> Result<(), LibError> {
        loop {
            let emptied = self.emptied.notified();
            if self.is_closed.get() {
                return Err(LibError::new("closed", "the channel is closed"));
            }
            if self.values.borrow().len() < self.size {
                self.values.borrow_mut().push_back(value);
                self.filled.notify_waiters();
                return Ok(());
            }
            emptied.await;
        }
    }

    /// Nil when the channel is closed and nothing is left in it.
    async fn get(&self) -> Value {
        loop {
            let filled = self.filled.notified();
            let value = self.values.borrow_mut().pop_front();
            if let Some(value) = value {
                self.emptied.notify_waiters();
                return value;
            }
            if self.is_closed.get() {
                return Value::Nil;
            }
            filled.await;
        }
    }
}

pub(super) fn make(lua: &Lua, size: Option<Value>) -> Result<AnyUserData, LibError> {
    let size = match size {
        None => 1,
        Some(Value::Integer(size)) if (1..=MOST).contains(&size) => size as usize,
        Some(_) => {
            return Err(LibError::invalid(format!("argument 1 (size) must be an integer from 1 to {MOST}")));
        }
    };
    let channel = Channel {
        size,
        values: RefCell::default(),
        is_closed: Cell::default(),
        filled: Notify::new(),
        emptied: Notify::new(),
    };
    Ok(object(lua, Rc::new(channel))?)
}

/// What `get` gives.
enum Got {
    Value(Value),
    /// In time.
    Nothing,
}

impl IntoLuaMulti for Got {
    fn into_lua_multi(self, lua: &Lua) -> mlua::Result<MultiValue> {
        match self {
            Got::Value(value) => value.into_lua_multi(lua),
            Got::Nothing => (Value::Nil, "timeout").into_lua_multi(lua),
        }
    }
}

type This = UserDataRef<Rc<Channel>>;

pub(super) fn register(lua: &Lua) -> mlua::Result<()> {
    Methods::new(lua, "co.Channel")
        .waiting("put(value)", |_, (channel, value): (This, Value)| {
            let channel = Rc::clone(&channel);
            async move {
                if value.is_nil() {
                    return Err(LibError::invalid("argument 1 (value) must not be nil: that is the end"));
                }
                channel.put(value).await
            }
        })
        .waiting("get(timeout)", |_, (channel, limit): (This, Option<Value>)| {
            let (channel, limit) = (Rc::clone(&channel), limit.as_ref().map(duration_of).transpose());
            async move {
                let Some(limit) = limit? else { return Ok(Got::Value(channel.get().await)) };
                let got = tokio::time::timeout(limit, channel.get()).await;
                Ok(got.map_or(Got::Nothing, Got::Value))
            }
        })
        .method("close()", |_, channel: This| {
            channel.is_closed.set(true);
            channel.filled.notify_waiters();
            channel.emptied.notify_waiters();
            Ok(())
        })
        .method("size()", |_, channel: This| Ok(channel.values.borrow().len()))
        .method("values()", |lua, channel: This| {
            let channel = Rc::clone(&channel);
            Ok(waiting_function(lua, "channel.values()", move |_, _: MultiValue| {
                let channel = Rc::clone(&channel);
                async move { Ok(channel.get().await) }
            })?)
        })
        .userdata::<Rc<Channel>>()
}
