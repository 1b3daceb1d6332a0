//! `sqlite`: rows in the table `results` of a SQLite file, one transaction a group.
//!
//! Columns have no types, so that every value stays what it is: integers, floats, text, bytes that are no UTF-8 as
//! blobs, booleans as 0 and 1, tables as JSON text. NaN becomes NULL, as SQLite has no NaN. Rows without names get the
//! columns `c1`, `c2`, …. The rowid of a row tells whether it was committed.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension as _};

use crate::journal::record::OutputMark;
use crate::output::columns::{Columns, Origin, Shape};
use crate::output::csv::listed;
use crate::output::target::Begin;
use crate::output::{OutputError, RowError};
use crate::plan::{OutputMode, OutputPlan, OutputTarget};
use crate::wire::json;
use crate::wire::json::token::{self, Token};

/// How long a reader may keep us from writing.
const PATIENCE: Duration = if cfg!(test) { Duration::from_millis(100) } else { Duration::from_secs(5) };

/// An open database.
pub struct Sqlite {
    connection: Connection,
    name: String,
    shape: Shape,
    /// None: the table is still to be made.
    insert: Option<String>,
    /// The transaction of a group is open.
    is_open: bool,
    /// The largest rowid.
    last: u64,
}

impl Sqlite {
    /// # Errors
    /// As [`Sink::open`](super::Sink::open).
    pub fn open(plan: &OutputPlan, begin: Begin) -> Result<Self, OutputError> {
        let name = plan.name.clone();
        let unopened = |source| OutputError::Open { path: name.clone(), source };
        let OutputTarget::File(path) = &plan.target else {
            let why = "a SQLite database needs a file of its own";
            return Err(unopened(io::Error::new(ErrorKind::InvalidInput, why)));
        };
        prepare_file(path, plan, begin)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let opened = Connection::open_with_flags(path, flags).and_then(|connection| {
            connection.busy_timeout(PATIENCE)?;
            connection.pragma_update(None, "synchronous", "FULL")?;
            Ok(connection)
        });
        let connection = opened.map_err(|error| self::refused(&name, &error, unopened))?;
        let mut sqlite = Sqlite {
            connection,
            name: name.clone(),
            shape: Shape::Open,
            insert: None,
            is_open: false,
            last: 0,
        };
        let fields = plan.fields.as_deref().map(Columns::of_fields);
        let found = sqlite.columns().map_err(|error| self::refused(&name, &error, unopened))?;
        let columns = found.map_err(|NotTable| OutputError::NotTable { path: name.clone() })?;
        let columns = sqlite.take_up(plan, begin, columns)?;
        sqlite.shape = match (fields, columns) {
            (Some(fields), Some(found)) if fields.names != found => {
                let (found, fields) = (listed(&found), listed(&fields.names));
                return Err(OutputError::Table { path: name, found, fields });
            }
            (Some(fields), found) => {
                sqlite.insert = found.map(|found| insert(&found));
                Shape::Named(fields)
            }
            (None, Some(found)) => {
                sqlite.insert = Some(insert(&found));
                Shape::Named(Columns::new(found, Origin::Header))
            }
            (None, None) => Shape::Open,
        };
        Ok(sqlite)
    }

    /// Deletes what no commit knows of, and finds the last row. Gives the columns of the table, if it stays.
    fn take_up(
        &mut self,
        plan: &OutputPlan,
        begin: Begin,
        columns: Option<Vec<Vec<u8>>>,
    ) -> Result<Option<Vec<Vec<u8>>>, OutputError> {
        let name = self.name.clone();
        let unopened = |source| OutputError::Open { path: name.clone(), source };
        let changed = |what| OutputError::Changed { path: name.clone(), what };
        let mark = match begin {
            Begin::Again(Some(mark)) => mark,
            Begin::New | Begin::Again(None) => OutputMark::default(),
        };
        let Some(columns) = columns else {
            let is_missing = mark.rows > 0 || mark.position > 0;
            return if is_missing { Err(changed("has lost its table `results`")) } else { Ok(None) };
        };
        let done = (|| {
            if matches!(begin, Begin::Again(Some(_))) && mark.rows == 0 && plan.mode != OutputMode::Append {
                self.connection.execute("DROP TABLE results", ())?;
                return Ok(None);
            }
            let rowid = rowid(&columns);
            let last = format!("SELECT coalesce(max({rowid}), 0) FROM results");
            let last: i64 = self.connection.query_row(&last, (), |row| row.get(0))?;
            self.last = u64::try_from(last).unwrap_or(0);
            if matches!(begin, Begin::Again(Some(_))) && self.last > mark.position {
                let delete = format!("DELETE FROM results WHERE {rowid} > ?1");
                self.connection.execute(&delete, (mark.position.cast_signed(),))?;
                self.last = mark.position;
            }
            Ok(Some(columns))
        })();
        let columns = done.map_err(|error: rusqlite::Error| refused(&name, &error, unopened))?;
        if self.last < mark.position {
            return Err(changed("has lost rows of its table `results`"));
        }
        Ok(columns)
    }

    /// The columns of the table; none when there is none.
    fn columns(&self) -> rusqlite::Result<Result<Option<Vec<Vec<u8>>>, NotTable>> {
        let list = "SELECT type = 'table' AND NOT wr FROM pragma_table_list('results') WHERE schema = 'main'";
        match self.connection.query_row(list, (), |row| row.get(0)).optional()? {
            None => return Ok(Ok(None)),
            Some(false) => return Ok(Err(NotTable)),
            Some(true) => {}
        }
        let mut statement = self.connection.prepare("SELECT name FROM pragma_table_info('results')")?;
        let names = statement.query_map((), |row| row.get::<_, String>(0).map(String::into_bytes))?;
        names.collect::<rusqlite::Result<Vec<_>>>().map(|names| Ok(Some(names)))
    }

    /// # Errors
    /// When the row does not fit (nothing of it is kept then), or the database refuses it. `row` is its number.
    pub fn add(&mut self, bytes: &[u8], row: u64) -> Result<(), OutputError> {
        let name = self.name.clone();
        let unfit = |source| OutputError::Row { path: name.clone(), row, source };
        if self.insert.is_none() {
            self.shape.settle(bytes).map_err(unfit)?;
            self.must_differ().map_err(unfit)?;
        }
        let cells = self.shape.place(bytes).map_err(|error| match error {
            RowError::Unknown(name) => unfit(RowError::NoColumn(name)),
            other => unfit(other),
        })?;
        let cells = cells.into_iter().map(|cell| cell.map_or(Ok(NULL), converted));
        let cells = cells.collect::<Result<Vec<_>, _>>().map_err(unfit)?;
        self.insert_cells(&cells).map_err(|error| self.unwritten(&error, row))
    }

    fn insert_cells(&mut self, cells: &[ToSqlOutput<'_>]) -> rusqlite::Result<()> {
        if !self.is_open {
            self.connection.execute_batch("BEGIN IMMEDIATE")?;
            self.is_open = true;
        }
        let insert = match &self.insert {
            Some(insert) => insert,
            None => {
                let names = self.names();
                let quoted: Vec<_> = names.iter().map(|name| quoted(name)).collect();
                self.connection.execute(&format!("CREATE TABLE results ({})", quoted.join(", ")), ())?;
                self.insert.insert(insert(&names))
            }
        };
        let mut statement = self.connection.prepare_cached(insert)?;
        for (index, cell) in cells.iter().enumerate() {
            statement.raw_bind_parameter(index + 1, cell)?;
        }
        statement.raw_execute()?;
        drop(statement);
        self.last = self.connection.last_insert_rowid().cast_unsigned();
        Ok(())
    }

    /// Ends the transaction of the group: its rows are on the disk. Returns the largest rowid.
    ///
    /// # Errors
    /// When the database refuses. `row` is the number of the last row.
    pub fn commit(&mut self, row: u64) -> Result<u64, OutputError> {
        if self.is_open {
            self.connection.execute_batch("COMMIT").map_err(|error| self.unwritten(&error, row))?;
            self.is_open = false;
        }
        Ok(self.last)
    }

    /// The same, and closes the file.
    ///
    /// # Errors
    /// As [`Sqlite::commit`].
    pub fn finish(mut self, row: u64) -> Result<(), OutputError> {
        self.commit(row)?;
        let name = self.name;
        self.connection.close().map_err(|(_, error)| unwritten(&name, &error, row))
    }

    fn names(&self) -> Vec<Vec<u8>> {
        match &self.shape {
            Shape::Named(columns) => columns.names.clone(),
            Shape::Unnamed(count) => (1..=*count).map(|n| format!("c{n}").into_bytes()).collect(),
            Shape::Open => Vec::new(),
        }
    }

    /// SQLite knows no case in names.
    fn must_differ(&self) -> Result<(), RowError> {
        let names: Vec<_> =
            self.names().iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect();
        for (index, name) in names.iter().enumerate() {
            if let Some(first) = names[..index].iter().find(|first| first.eq_ignore_ascii_case(name)) {
                return Err(RowError::Twice(first.clone(), name.clone()));
            }
        }
        Ok(())
    }

    fn unwritten(&self, error: &rusqlite::Error, row: u64) -> OutputError {
        unwritten(&self.name, error, row)
    }
}

/// `results` is a view, or a table without rowids.
struct NotTable;

/// The file as the mode has it: SQLite itself opens it then.
fn prepare_file(path: &Path, plan: &OutputPlan, begin: Begin) -> Result<(), OutputError> {
    let name = || plan.name.clone();
    let unopened = |source| OutputError::Open { path: name(), source };
    let found = path.metadata().ok();
    if found.as_ref().is_some_and(|found| !found.is_file()) {
        let why = "a SQLite database needs a regular file";
        return Err(unopened(io::Error::new(ErrorKind::InvalidInput, why)));
    }
    if let Begin::Again(Some(_)) = begin {
        let missing = || OutputError::Changed { path: name(), what: "is missing" };
        return found.map(drop).ok_or_else(missing);
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(unopened)?;
    }
    let is_ours = matches!(begin, Begin::Again(_)) && found.is_some_and(|found| found.len() == 0);
    let mut options = OpenOptions::new();
    match plan.mode {
        OutputMode::Append => options.append(true).create(true),
        OutputMode::Error if !is_ours => options.write(true).create_new(true),
        OutputMode::Error => options.write(true),
        OutputMode::Overwrite => {
            must_be_free(path, plan)?;
            // a journal left by a crash would be played back into the new file
            for suffix in ["-journal", "-wal", "-shm"] {
                let mut side = path.as_os_str().to_owned();
                side.push(suffix);
                match fs::remove_file(PathBuf::from(side)) {
                    Err(error) if error.kind() != ErrorKind::NotFound => return Err(unopened(error)),
                    _ => {}
                }
            }
            options.write(true).create(true).truncate(true)
        }
    };
    let file = options.open(path).map_err(|source| match source.kind() {
        ErrorKind::AlreadyExists => OutputError::Exists { path: name() },
        _ => unopened(source),
    })?;
    let folder = path.parent().map(fs::File::open).transpose();
    folder.and_then(|folder| folder.map_or(Ok(()), |folder| folder.sync_all())).map_err(unopened)?;
    drop(file);
    Ok(())
}

/// A database that is about to be emptied is in nobody's hands.
fn must_be_free(path: &Path, plan: &OutputPlan) -> Result<(), OutputError> {
    let Ok(connection) = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE) else {
        return Ok(());
    };
    match connection
        .busy_timeout(PATIENCE)
        .and_then(|()| connection.execute_batch("BEGIN EXCLUSIVE; ROLLBACK"))
    {
        Err(error) if is_busy(&error) => Err(OutputError::Locked { path: plan.name.clone() }),
        _ => Ok(()),
    }
}

fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

fn refused(name: &str, error: &rusqlite::Error, or: impl FnOnce(io::Error) -> OutputError) -> OutputError {
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => OutputError::NotDatabase { path: name.to_owned() },
        _ if is_busy(error) => OutputError::Locked { path: name.to_owned() },
        _ => or(io::Error::other(error.to_string())),
    }
}

fn unwritten(name: &str, error: &rusqlite::Error, row: u64) -> OutputError {
    refused(name, error, |source| OutputError::Write { path: name.to_owned(), row, source })
}

const NULL: ToSqlOutput<'static> = ToSqlOutput::Borrowed(ValueRef::Null);

/// A value as SQLite keeps it.
fn converted(value: &[u8]) -> Result<ToSqlOutput<'_>, RowError> {
    Ok(ToSqlOutput::Borrowed(match token::take(value, &mut 0)? {
        Token::Nil => ValueRef::Null,
        Token::Bool(flag) => ValueRef::Integer(i64::from(flag)),
        Token::Int(number) => ValueRef::Integer(number),
        Token::Float(number) => ValueRef::Real(number),
        Token::Bytes(text) if std::str::from_utf8(text).is_ok() => ValueRef::Text(text),
        Token::Bytes(bytes) => ValueRef::Blob(bytes),
        Token::Array(_) | Token::Table(..) => {
            let mut text = Vec::new();
            json::append(&mut text, value, &mut 0)?;
            let text = String::from_utf8_lossy(&text).into_owned();
            return Ok(ToSqlOutput::Owned(Value::Text(text)));
        }
    }))
}

/// A name by which a table with these columns knows its rowid.
fn rowid(columns: &[Vec<u8>]) -> &'static str {
    let taken = |alias: &str| columns.iter().any(|column| column.eq_ignore_ascii_case(alias.as_bytes()));
    ["rowid", "_rowid_", "oid"].into_iter().find(|alias| !taken(alias)).unwrap_or("rowid")
}

fn insert(names: &[Vec<u8>]) -> String {
    let columns: Vec<_> = names.iter().map(|name| quoted(name)).collect();
    let places: Vec<_> = (1..=names.len()).map(|n| format!("?{n}")).collect();
    format!("INSERT INTO results ({}) VALUES ({})", columns.join(", "), places.join(", "))
}

fn quoted(name: &[u8]) -> String {
    format!("\"{}\"", String::from_utf8_lossy(name).replace('"', "\"\""))
}
