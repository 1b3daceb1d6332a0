//! What is done on a connection, on any thread.

use std::path::Path;
use std::rc::Rc;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{CachedStatement, Connection};

use super::cells::{Cells, Layout, Reading, Rows};
use super::error;
use super::params::Params;
use super::parts::{Parts, must_be_some};
use super::patience::Patience;
use crate::lua::error::LibError;
use crate::lua::pool::Stop;
use crate::lua::std::fs;

/// Rows between two looks at the stop.
const TURN: usize = 1024;
/// Pages of a backup between two looks.
const PAGES: i32 = 256;

fn wrong(reason: rusqlite::Error) -> LibError {
    error::of(&reason)
}

/// What a statement has changed: rows, and the last rowid of the connection.
pub(super) type Changed = (u64, i64);

fn prepared<'a>(connection: &'a Connection, sql: &str) -> Result<CachedStatement<'a>, LibError> {
    let statement = connection.prepare_cached(sql).map_err(|reason| error::of_text(&reason))?;
    must_be_some(&statement)?;
    Ok(statement)
}

fn changed_since(connection: &Connection, total: u64) -> Changed {
    // the count of the last statement that changed something stays
    let rows = if connection.total_changes() == total { 0 } else { connection.changes() };
    (rows, connection.last_insert_rowid())
}

/// Runs a statement to its end; rows that it gives are dropped.
pub(super) fn exec(parts: &mut Parts, sql: &str, params: &Params, stop: &Stop) -> Result<Changed, LibError> {
    let connection = Rc::clone(&parts.connection);
    let mut statement = prepared(&connection, sql)?;
    params.bind(&mut statement)?;
    if !statement.readonly() {
        parts.settle(stop)?;
    }
    let total = connection.total_changes();
    let mut rows = statement.raw_query();
    while rows.next().map_err(wrong)?.is_some() {}
    drop(rows);
    Ok(changed_since(&connection, total))
}

/// Runs statements one after the other.
pub(super) fn script(parts: &mut Parts, sql: &str, stop: &Stop) -> Result<(), LibError> {
    parts.settle(stop)?;
    parts.connection.execute_batch(sql).map_err(|reason| error::of_text(&reason))
}

/// A query.
pub(super) struct Query {
    pub sql: String,
    pub params: Params,
    pub layout: Layout,
}

/// The rows of a query, `most` of them, and not more than `room` bytes.
pub(super) fn query(
    parts: &mut Parts,
    asked: &Query,
    most: usize,
    room: usize,
    stop: &Stop,
) -> Result<Rows, LibError> {
    let connection = Rc::clone(&parts.connection);
    let mut statement = prepared(&connection, &asked.sql)?;
    asked.params.bind(&mut statement)?;
    let is_read = statement.readonly();
    if !is_read {
        parts.settle(stop)?;
    }
    let columns = parts.columns.of(&statement);
    let mut rows = statement.raw_query();
    let mut row = rows.next().map_err(wrong)?;
    // the statement may have been prepared anew just now, for a table that has changed
    let columns = row.map_or(columns, |row| parts.columns.of(row.as_ref()));
    let mut read = Reading::new(columns, asked.layout);
    while let Some(one) = row {
        if read.count < most {
            read.add(one)?;
        }
        // one that writes must run to its end
        if read.count == most && is_read {
            break;
        }
        if read.weight() > room {
            return Err(LibError::new("memory", "not enough memory for the rows: read them with db:rows"));
        }
        if read.count.is_multiple_of(TURN) {
            stop.check()?;
        }
        row = rows.next().map_err(wrong)?;
    }
    read.finish()
}

/// Rows with the same columns.
pub(super) struct Group {
    /// Sorted.
    pub columns: Vec<String>,
    /// Row by row.
    pub cells: Cells,
    pub rows: usize,
}

/// `INSERT`, with what comes after it.
fn insert_text(table: &str, or: Option<&str>, columns: &[String]) -> String {
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    let head = match or {
        Some(or) => format!("INSERT OR {} INTO {}", or.to_uppercase(), quoted(table)),
        None => format!("INSERT INTO {}", quoted(table)),
    };
    if columns.is_empty() {
        return head + " DEFAULT VALUES";
    }
    let names: Vec<_> = columns.iter().map(|name| quoted(name)).collect();
    let places = vec!["?"; columns.len()];
    format!("{head} ({}) VALUES ({})", names.join(", "), places.join(", "))
}

/// Inserts all of them or none; each group has one statement. `inside`: a transaction is open.
pub(super) fn insert(
    parts: &mut Parts,
    table: &str,
    or: Option<&str>,
    groups: &[Group],
    patience: &Patience,
    stop: &Stop,
) -> Result<Changed, LibError> {
    parts.settle(stop)?;
    let connection = &*parts.connection;
    let (begin, end, undo) = match connection.is_autocommit() {
        true => ("BEGIN IMMEDIATE", "COMMIT", "ROLLBACK"),
        false => {
            ("SAVEPOINT mpms_insert", "RELEASE mpms_insert", "ROLLBACK TO mpms_insert; RELEASE mpms_insert")
        }
    };
    patience.insist(|| connection.execute_batch(begin)).map_err(wrong)?;
    let done = insert_groups(connection, table, or, groups, stop).and_then(|rows| {
        patience.insist(|| connection.execute_batch(end)).map_err(wrong)?;
        Ok((rows, connection.last_insert_rowid()))
    });
    if done.is_err() && !connection.is_autocommit() {
        // the error of the insert says more than one of this
        let _ = connection.execute_batch(undo);
    }
    done
}

fn insert_groups(
    connection: &Connection,
    table: &str,
    or: Option<&str>,
    groups: &[Group],
    stop: &Stop,
) -> Result<u64, LibError> {
    let mut changed = 0;
    for group in groups {
        let mut statement = prepared(connection, &insert_text(table, or, &group.columns))?;
        let width = group.columns.len();
        for row in 0..group.rows {
            if row.is_multiple_of(TURN) {
                stop.check()?;
            }
            for column in 0..width {
                group.cells.bind(row * width + column, &mut statement, column + 1).map_err(wrong)?;
            }
            changed += statement.raw_execute().map_err(wrong)? as u64;
        }
    }
    Ok(changed)
}

/// Copies the database into a new file, which is there whole or not at all.
pub(super) fn backup(
    parts: &Parts,
    path: &Path,
    overwrite: bool,
    patience: &Patience,
    stop: &Stop,
) -> Result<u64, LibError> {
    if !overwrite && path.symlink_metadata().is_ok() {
        return Err(
            LibError::new("exists", "is there already: pass overwrite = true to replace it").path(path)
        );
    }
    let file = fs::temporary_beside(path).map_err(|error| LibError::file(&error, path))?;
    let place = std::path::absolute(file.path()).map_err(LibError::from)?;
    let mut copy = Connection::open(&place).map_err(wrong)?;
    copy_pages(&parts.connection, &mut copy, patience, stop).map_err(|error| error.path(path))?;
    // one file, without a log beside it
    copy.query_row("PRAGMA journal_mode = delete", (), |_| Ok(())).map_err(wrong)?;
    copy.close().map_err(|(_, reason)| wrong(reason))?;
    let written = || {
        file.as_file().sync_all()?;
        let size = file.as_file().metadata()?.len();
        Ok::<u64, std::io::Error>(size)
    };
    let size = written().map_err(|error| LibError::file(&error, path))?;
    file.persist(path).map_err(|error| LibError::file(&error.error, path))?;
    Ok(size)
}

fn copy_pages(
    from: &Connection,
    to: &mut Connection,
    patience: &Patience,
    stop: &Stop,
) -> Result<(), LibError> {
    let backup = Backup::new(from, to).map_err(wrong)?;
    let started = std::time::Instant::now();
    loop {
        stop.check()?;
        match backup.step(PAGES).map_err(wrong)? {
            StepResult::Done => return Ok(()),
            StepResult::More => {}
            _ if started.elapsed() > patience.timeout => {
                return Err(LibError::new("busy", "another process writes to the database").retryable(true));
            }
            _ => std::thread::sleep(std::time::Duration::from_millis(10)),
        }
    }
}
