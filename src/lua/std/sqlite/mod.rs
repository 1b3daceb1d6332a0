//! `mpms.sqlite`: databases in a file.
//!
//! A call waits for its turn at the connection (`gate`), then works on it, on the pool where others could run meanwhile
//! (`database`). Values cross as flat lists of cells (`cells`).

use std::rc::Rc;

use mlua::{Function, Lua, LuaString, Table, UserDataRef, Value};

use super::batches::{Filled, Gives, steps};
use super::path;
use crate::lua::error::LibError;
use crate::lua::module::{Methods, Module, global_function, object};
use crate::lua::options::Options;
use crate::lua::{outside, pool};

mod cells;
mod database;
mod error;
mod gate;
mod hold;
mod params;
mod parts;
mod patience;
mod work;

use cells::{Cells, Layout, Rows};
use database::{Asked, Database};
use params::Params;
use work::{Group, Query};

/// Rows that a loop takes at once, and their bytes.
const BATCH: (usize, usize) = (256, 1 << 20);

pub(super) fn module(lua: &Lua) -> mlua::Result<Table> {
    databases(lua)?;
    Module::new(lua, "mpms.sqlite")
        .waiting("open(path, options)", |lua, (name, options): (LuaString, Option<Table>)| {
            let lua = lua.clone();
            let asked = Asked::read(path::of(&name), options);
            async move {
                let asked = asked?;
                let (asked, handle) = pool::run(&lua, move |stop| {
                    let handle = asked.open(stop)?;
                    Ok((asked, handle))
                })
                .await?;
                let shared = Rc::new(asked.shared(handle));
                Ok(object(&lua, Database { shared, pass: None })?)
            }
        })
        .build()
}

type Statement = (UserDataRef<Database>, LuaString, Option<Table>);
type Asking = (UserDataRef<Database>, LuaString, Option<Table>, Option<Table>);

fn databases(lua: &Lua) -> mlua::Result<()> {
    let methods =
        Methods::new(lua, "sqlite.Database")
            .waiting("exec(sql, params)", |lua, (database, sql, params): Statement| {
                let asked = text(&sql).and_then(|sql| Ok((sql, Params::read(lua, params.as_ref())?)));
                let turn = database.turn(lua);
                async move {
                    let (sql, params) = asked?;
                    turn.call(move |parts, _, stop| work::exec(parts, &sql, &params, stop)).await
                }
            })
            .waiting("script(sql)", |lua, (database, sql): (UserDataRef<Database>, LuaString)| {
                let sql = text(&sql);
                let turn = database.turn(lua);
                async move {
                    let sql = sql?;
                    turn.call(move |parts, _, stop| work::script(parts, &sql, stop)).await
                }
            })
            .waiting(
                "insert(table, rows, options)",
                |lua,
                 (database, table, rows, options): (
                    UserDataRef<Database>,
                    LuaString,
                    Table,
                    Option<Table>,
                )| {
                    let asked = Insert::read(&table, &rows, options);
                    let turn = database.turn(lua);
                    async move {
                        let asked = asked?;
                        let done = turn.call(move |parts, patience, stop| {
                            work::insert(parts, &asked.table, asked.or, &asked.groups, patience, stop)
                        });
                        done.await
                    }
                },
            )
            .waiting(
                "backup(path, options)",
                |lua, (database, name, options): (UserDataRef<Database>, LuaString, Option<Table>)| {
                    let path = path::of(&name);
                    let mut options = Options::new(options);
                    let asked = options.bool("overwrite").and_then(|overwrite| {
                        options.finish()?;
                        Ok(overwrite.unwrap_or(false))
                    });
                    let turn = database.turn(lua);
                    async move {
                        let overwrite = asked?;
                        let done = turn.call(move |parts, patience, stop| {
                            work::backup(parts, &path, overwrite, patience, stop)
                        });
                        done.await
                    }
                },
            )
            .waiting("close()", |lua, database: UserDataRef<Database>| database.close(lua));
    let (tx, rows) = in_lua(lua)?;
    queries(methods).value("tx", tx).value("rows", rows).userdata::<Database>()
}

fn queries(methods: Methods<'_>) -> Methods<'_> {
    methods
        .waiting("query(sql, params, options)", |lua, (database, sql, params, options): Asking| {
            let found = query(lua, &database, read_query(lua, &sql, params, options), usize::MAX);
            let lua = lua.clone();
            async move {
                let rows = found.await?;
                Ok((rows.value(&lua)?, rows.columns(&lua)?))
            }
        })
        .waiting("one(sql, params, options)", |lua, (database, sql, params, options): Asking| {
            let asked = read_query(lua, &sql, params, options).map(|asked| Query {
                layout: if asked.layout == Layout::Lists { Layout::FirstList } else { Layout::First },
                ..asked
            });
            let found = query(lua, &database, asked, 1);
            let lua = lua.clone();
            async move {
                let rows = found.await?;
                Ok((rows.value(&lua)?, rows.columns(&lua)?))
            }
        })
        .waiting("scalar(sql, params)", |lua, (database, sql, params): Statement| {
            let asked = read_query(lua, &sql, params, None);
            let found =
                query(lua, &database, asked.map(|asked| Query { layout: Layout::Scalar, ..asked }), 1);
            let lua = lua.clone();
            async move { found.await?.value(&lua) }
        })
}

/// `most` rows of a query.
fn query(
    lua: &Lua,
    database: &Database,
    asked: Result<Query, LibError>,
    most: usize,
) -> impl Future<Output = Result<Rows, LibError>> + 'static + use<> {
    let asked = asked.and_then(|asked| Ok((asked, outside::room(lua, 1 << 20)?)));
    let turn = database.turn(lua);
    async move {
        let (asked, room) = asked?;
        turn.call(move |parts, _, stop| work::query(parts, &asked, most, room, stop)).await
    }
}

fn read_query(
    lua: &Lua,
    sql: &LuaString,
    params: Option<Table>,
    options: Option<Table>,
) -> Result<Query, LibError> {
    let mut options = Options::new(options);
    let list = options.bool("list")?.unwrap_or(false);
    options.finish()?;
    let layout = if list { Layout::Lists } else { Layout::Named };
    Ok(Query { sql: text(sql)?, params: Params::read(lua, params.as_ref())?, layout })
}

fn text(sql: &LuaString) -> Result<String, LibError> {
    let text = sql
        .to_str()
        .map_err(|_| LibError::invalid("the statement is not UTF-8: pass bytes as parameters"))?;
    match text.contains('\0') {
        // SQLite would take it for the end
        true => Err(LibError::invalid("the statement has a zero byte: pass bytes as parameters")),
        false => Ok(text.to_owned()),
    }
}

/// What `insert` was asked for.
struct Insert {
    table: String,
    or: Option<&'static str>,
    groups: Vec<Group>,
}

impl Insert {
    fn read(table: &LuaString, rows: &Table, options: Option<Table>) -> Result<Self, LibError> {
        let table = text(table)?;
        let mut options = Options::new(options);
        let or = options.word("or", &["ignore", "replace"])?;
        options.finish()?;
        let mut groups: Vec<Group> = Vec::new();
        let first: Value = rows.raw_get(1)?;
        if first.is_nil() {
            // an empty list of rows; a row has a column at least
            if !rows.is_empty() {
                add_row(&mut groups, rows).map_err(|error| in_row(None, &error))?;
            }
            return Ok(Self { table, or, groups });
        }
        for index in 1..=rows.raw_len() {
            let row: Value = rows.raw_get(index)?;
            let Value::Table(row) = row else {
                let got = row.type_name();
                return Err(LibError::invalid(format!("row {index} must be a table of columns, got {got}")));
            };
            add_row(&mut groups, &row).map_err(|error| in_row(Some(index), &error))?;
        }
        Ok(Self { table, or, groups })
    }
}

fn in_row(index: Option<usize>, error: &LibError) -> LibError {
    match index {
        Some(index) => LibError::invalid(format!("row {index}: {}", error.message())),
        None => LibError::invalid(error.message()),
    }
}

/// Rows that follow each other and have the same columns are one group.
fn add_row(groups: &mut Vec<Group>, row: &Table) -> Result<(), LibError> {
    if let Some(group) = groups.last_mut()
        && add_alike(group, row)?
    {
        return Ok(());
    }
    let mut columns = Vec::new();
    row.for_each(|key: Value, _: Value| {
        let name = key.as_string().and_then(|name| Some(name.to_str().ok()?.to_owned()));
        columns.push(
            name.ok_or_else(|| {
                mlua::Error::external(LibError::invalid("its keys must be names of columns"))
            })?,
        );
        Ok(())
    })?;
    columns.sort_unstable();
    let mut group = Group { columns, cells: Cells::default(), rows: 0 };
    add_alike(&mut group, row)?;
    groups.push(group);
    Ok(())
}

/// Adds the row if it has the columns of the group and no other.
fn add_alike(group: &mut Group, row: &Table) -> Result<bool, LibError> {
    let count = row.pairs::<Value, Value>().count();
    if count != group.columns.len() {
        return Ok(false);
    }
    let values = group.columns.iter().map(|name| row.raw_get::<Value>(name.as_str()));
    let values = values.collect::<mlua::Result<Vec<_>>>()?;
    if values.iter().any(Value::is_nil) {
        return Ok(false);
    }
    for (name, value) in group.columns.iter().zip(&values) {
        let pushed = group.cells.push_lua(value);
        pushed.map_err(|error| LibError::invalid(format!("column `{name}` {}", error.message())))?;
    }
    group.rows += 1;
    Ok(true)
}

/// A query that is read in batches. Dropped, it is over.
struct Cursor {
    database: Database,
    number: u64,
}

impl Cursor {
    fn close(&self) {
        self.database.shared.close_cursor(self.number);
    }
}

impl Drop for Cursor {
    fn drop(&mut self) {
        self.close();
    }
}

/// `tx` and `rows`, which are made in Lua.
fn in_lua(lua: &Lua) -> mlua::Result<(Function, Function)> {
    Methods::new(lua, "sqlite.Cursor")
        .method("close()", |_, cursor: UserDataRef<Rc<Cursor>>| {
            cursor.close();
            Ok(())
        })
        .userdata::<Rc<Cursor>>()?;
    let hidden: Table = Methods::new(lua, "sqlite.Database")
        .waiting("rows(sql, params, options)", |lua, (database, sql, params, options): Asking| {
            let asked = read_query(lua, &sql, params, options);
            let (lua, database, turn) = (lua.clone(), database.clone(), database.turn(lua));
            async move {
                let Query { sql, params, layout } = asked?;
                let number = turn.call(move |parts, _, stop| parts.open(&sql, &params, layout, stop)).await?;
                Ok(object(&lua, Rc::new(Cursor { database, number }))?)
            }
        })
        .metatable()?
        .raw_get("__index")?;
    let (begin, commit) = hold::functions(lua)?;
    let steps_of = lua.create_function(|lua, cursor: UserDataRef<Rc<Cursor>>| rows_of(lua, &cursor))?;
    let wrong = global_function(lua, "sqlite.Database:tx", |_, message: String| -> Result<(), LibError> {
        Err(LibError::invalid(message))
    })?;
    let kind: Value = lua.globals().raw_get("type")?;
    lua.load(include_str!("sqlite.lua")).set_name("=mpms").call((
        begin,
        commit,
        hidden.raw_get::<Function>("rows")?,
        steps_of,
        kind,
        wrong,
    ))
}

/// The function that goes through the rows of a cursor; the names of the columns come with each.
fn rows_of(lua: &Lua, cursor: &Rc<Cursor>) -> mlua::Result<Function> {
    let cursor = Rc::clone(cursor);
    steps(lua, "sqlite.Database:rows", Gives::With, move |lua| {
        let (lua, number) = (lua.clone(), cursor.number);
        let read =
            cursor.database.turn(&lua).call(move |parts, _, stop| parts.read(number, BATCH.0, BATCH.1, stop));
        async move {
            let Some(rows) = read.await? else { return Ok(None) };
            let with = Value::Table(rows.columns(&lua)?);
            Ok(Some(Filled { values: rows.value(&lua)?, count: rows.count, with }))
        }
    })
}

#[cfg(test)]
mod tests;
