//! Iterators over what is read in batches: one wait a batch, and plain Lua for each item of it.

use mlua::{Function, Lua, Table, Value};

use crate::lua::error::LibError;
use crate::lua::module::waiting_iterator;

/// Some items, in order.
pub(super) struct Batch {
    /// The items; not empty.
    pub items: Table,
    /// How many.
    pub count: usize,
    /// What the iterator gives beside each of them.
    pub beside: Value,
}

/// An iterator over the items that `fetch` brings, until it brings none. Several coroutines may share it: each item goes
/// to one of them. `op` is what errors name.
///
/// # Errors
/// When Lua has no memory left.
pub(super) fn iterator<F>(
    lua: &Lua,
    op: &'static str,
    fetch: impl Fn(&Lua) -> F + 'static,
) -> mlua::Result<Function>
where
    F: Future<Output = Result<Option<Batch>, LibError>> + 'static,
{
    let fetch = waiting_iterator(lua, op, move |lua| {
        let fetching = fetch(lua);
        async move {
            Ok(match fetching.await? {
                Some(batch) => (Value::Table(batch.items), batch.count, batch.beside),
                None => (Value::Nil, 0, Value::Nil),
            })
        }
    })?;
    lua.load(include_str!("batches.lua")).set_name("=mpms").call(fetch)
}
