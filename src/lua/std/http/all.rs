//! `http.all`: many requests, so many at once.

use std::rc::Rc;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use mlua::{Lua, Table, Value};

use super::request::{Session, Target};
use super::response;
use crate::lua::error::LibError;
use crate::lua::options::Options;

const USUAL: usize = 8;
const MOST: usize = 10_000;

/// Requests in their order, and how they are made.
pub(super) struct Batch {
    targets: Vec<Target>,
    concurrency: usize,
    /// The first failure ends the others; else it stands in its place.
    raise: bool,
}

impl Batch {
    /// A list of addresses and of tables as `http.request` takes them. Its other options hold for all of them.
    ///
    /// # Errors
    /// On wrong addresses and options.
    pub fn read(lua: &Lua, session: &Rc<Session>, asked: &Table) -> Result<Self, LibError> {
        let list = asked.sequence_values::<Value>().collect::<mlua::Result<Vec<_>>>()?;
        let others = lua.create_table()?;
        asked.for_each(|key: Value, value: Value| match key {
            Value::Integer(index) if (1..=list.len() as i64).contains(&index) => Ok(()),
            key => others.raw_set(key, value),
        })?;
        let mut options = Options::new(Some(others));
        let settings = session.settings.for_request(&mut options)?;
        let concurrency = options.count("concurrency")?.unwrap_or(USUAL);
        options.finish()?;
        if !(1..=MOST).contains(&concurrency) {
            return Err(LibError::invalid(format!("option `concurrency` must be 1 to {MOST}")));
        }
        let targets = list.into_iter().enumerate().map(|(index, one)| {
            let table = match one {
                Value::Table(table) => table,
                Value::String(url) => {
                    let table = lua.create_table()?;
                    table.raw_set("url", url)?;
                    table
                }
                other => {
                    let (at, got) = (index + 1, other.type_name());
                    return Err(LibError::invalid(format!(
                        "request {at} must be a table or an address, got {got}"
                    )));
                }
            };
            Target::from_table(lua, session, &settings, table)
        });
        Ok(Self { targets: targets.collect::<Result<_, _>>()?, concurrency, raise: settings.raise })
    }
}

/// The replies, in the order of the requests.
///
/// # Errors
/// The first one of a request, unless `raise` is off; the other requests are given up then.
pub(super) async fn run(lua: &Lua, batch: Batch) -> Result<Table, LibError> {
    let mut results = vec![Value::Nil; batch.targets.len()];
    let mut waiting = batch.targets.into_iter().enumerate();
    let mut running = FuturesUnordered::new();
    loop {
        while running.len() < batch.concurrency
            && let Some((index, target)) = waiting.next()
        {
            running.push(async move {
                let reply = response::fetch(lua, &target).await;
                (index, reply.map_err(|error| error.url(target.shown_url())))
            });
        }
        match running.next().await {
            None => break,
            Some((index, Ok(reply))) => results[index] = Value::Table(reply),
            Some((_, Err(error))) if batch.raise => return Err(error),
            Some((index, Err(error))) => results[index] = error.op("http.all").into_value(lua)?,
        }
    }
    Ok(lua.create_sequence_from(results)?)
}
