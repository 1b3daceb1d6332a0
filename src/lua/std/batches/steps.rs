//! The function that goes through batches, from one coroutine or from several.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use mlua::{Function, IntoLuaMulti, Lua, MultiValue, Value};
use tokio::sync::{Mutex, MutexGuard};

use super::Gives;
use crate::lua::error::LibError;
use crate::lua::module::waiting_iterator;
use crate::lua::scheduler::Scheduler;

/// Items as Lua has them, at least one.
pub(in crate::lua::std) struct Filled {
    /// A list.
    pub values: Value,
    /// Of them; of pairs it is two an item.
    pub count: usize,
    /// For [`Gives::With`].
    pub with: Value,
}

/// Who reads, and what was read.
#[derive(Default)]
struct Turns {
    /// Of the call that reads on.
    turn: Mutex<()>,
    /// Read, and not at its coroutine yet; another one that comes before takes it.
    ready: RefCell<Option<Filled>>,
    /// How often one was read or taken.
    moves: Cell<u64>,
    /// Values in those that were taken.
    before: Cell<usize>,
    is_over: Cell<bool>,
}

impl Turns {
    /// Waits while another call reads, where that one goes on meanwhile.
    async fn turn(&self, others_run: bool) -> Result<MutexGuard<'_, ()>, LibError> {
        match self.turn.try_lock() {
            Ok(turn) => Ok(turn),
            Err(_) if others_run => Ok(self.turn.lock().await),
            Err(_) => Err(LibError::new("busy", "the iterator is in use by a call that has not returned")),
        }
    }

    /// Whether there is something to see for a call that came after so many moves, when all that was taken was used.
    fn has_news(&self, since: u64) -> bool {
        self.is_over.get() || self.moves.get() != since || self.ready.borrow().is_some()
    }

    fn put(&self, filled: Option<Filled>) {
        self.moves.set(self.moves.get() + 1);
        self.is_over.set(filled.is_none());
        self.ready.replace(filled);
    }

    fn take(&self) -> Option<Filled> {
        let filled = self.ready.take()?;
        self.moves.set(self.moves.get() + 1);
        Some(filled)
    }
}

/// The results of a wait, which are looked for in the coroutine that waited: nothing when another one has taken them.
struct News(Rc<Turns>);

impl IntoLuaMulti for News {
    fn into_lua_multi(self, lua: &Lua) -> mlua::Result<MultiValue> {
        let turns = &self.0;
        match turns.take() {
            Some(Filled { values, count, with }) => {
                let before = turns.before.replace(turns.before.get() + count);
                (values, count, before, with).into_lua_multi(lua)
            }
            None if turns.is_over.get() => false.into_lua_multi(lua),
            None => ().into_lua_multi(lua),
        }
    }
}

/// The function for the generic `for`. `fill` waits for the next items, none at the end; one call of it runs at a time.
/// `op` is what errors name.
///
/// # Errors
/// When Lua has no memory left.
pub(in crate::lua::std) fn steps<F>(
    lua: &Lua,
    op: &'static str,
    gives: Gives,
    fill: impl Fn(&Lua) -> F + 'static,
) -> mlua::Result<Function>
where
    F: Future<Output = Result<Option<Filled>, LibError>> + 'static,
{
    let (turns, fill) = (Rc::<Turns>::default(), Rc::new(fill));
    let refill = waiting_iterator(lua, op, move |lua| {
        let (since, others_run) = (turns.moves.get(), Scheduler::of(lua).others_run());
        let (lua, turns, fill) = (lua.clone(), Rc::clone(&turns), Rc::clone(&fill));
        async move {
            let turn = turns.turn(others_run).await?;
            if !turns.has_news(since) {
                turns.put(fill(&lua).await?);
            }
            drop(turn);
            Ok(News(turns))
        }
    })?;
    let gives = match gives {
        Gives::Value => "value",
        Gives::Numbered => "number",
        Gives::Pair => "pair",
        Gives::With => "with",
    };
    lua.load(include_str!("steps.lua")).set_name("=mpms").call((refill, gives))
}
