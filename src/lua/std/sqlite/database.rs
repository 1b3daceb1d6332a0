//! An open database: calls go to its connection one after the other.

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mlua::{Lua, Table};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::error;
use super::gate::{Entry, Gate, Key};
use super::parts::Parts;
use super::patience::Patience;
use crate::lua::error::LibError;
use crate::lua::options::Options;
use crate::lua::pool::{self, Stop};
use crate::os::fork;

/// Statements that stay prepared.
const PREPARED: usize = 64;

/// How to open.
pub(super) struct Asked {
    path: PathBuf,
    readonly: bool,
    /// Said by the script, or the default.
    wal: Option<bool>,
    timeout: Duration,
    foreign_keys: bool,
}

impl Asked {
    pub fn read(path: PathBuf, options: Option<Table>) -> Result<Self, LibError> {
        let mut options = Options::new(options);
        let asked = Self {
            path,
            readonly: options.bool("readonly")?.unwrap_or(false),
            wal: options.bool("wal")?,
            timeout: options.duration("busy_timeout")?.unwrap_or(Duration::from_secs(5)),
            foreign_keys: options.bool("foreign_keys")?.unwrap_or(true),
        };
        options.finish()?;
        if asked.path.as_os_str().is_empty() {
            return Err(LibError::invalid("the path is empty; `:memory:` keeps nothing on the disk"));
        }
        Ok(asked)
    }

    fn in_memory(&self) -> bool {
        self.path == Path::new(":memory:")
    }

    /// Opens it, for any thread.
    pub fn open(&self, stop: &Stop) -> Result<Handle, LibError> {
        stop.check()?;
        self.connect(stop).map_err(|error| error::at(error, &self.path, self.readonly))
    }

    fn connect(&self, stop: &Stop) -> Result<Handle, LibError> {
        let wrong = |reason: rusqlite::Error| error::of(&reason);
        // a name as `file:x?mode=rw` is a name; SQLite would take it for a URI
        let path = match self.in_memory() {
            true => self.path.clone(),
            false => std::path::absolute(&self.path).map_err(LibError::from)?,
        };
        let access = match self.readonly {
            true => OpenFlags::SQLITE_OPEN_READ_ONLY,
            false => OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
        };
        let mut connection =
            Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(wrong)?;
        let patience = Patience::install(self.timeout, &mut connection).map_err(wrong)?;
        let asked = patience.begin(stop);
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true).map_err(wrong)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false).map_err(wrong)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, self.foreign_keys).map_err(wrong)?;
        connection.set_prepared_statement_cache_capacity(PREPARED);
        self.set_mode(&connection, &patience)?;
        drop(asked);
        Ok(Handle { parts: Some(Parts::new(connection)), patience, process: fork::generation() })
    }

    /// Reads the head of the file, so that what is no database is found here; and sets the journal's mode.
    fn set_mode(&self, connection: &Connection, patience: &Patience) -> Result<(), LibError> {
        let ask =
            |sql: &str| patience.insist(|| connection.query_row(sql, (), |row| row.get::<_, String>(0)));
        patience
            .insist(|| connection.query_row("SELECT count(*) FROM sqlite_schema", (), |_| Ok(())))
            .map_err(|reason| error::of(&reason))?;
        if self.readonly || self.in_memory() || self.wal == Some(false) {
            return Ok(());
        }
        let mode = ask("PRAGMA journal_mode").map_err(|reason| error::of(&reason))?;
        if mode == "wal" {
            return Ok(());
        }
        let mode = ask("PRAGMA journal_mode = wal").map_err(|reason| error::of(&reason))?;
        match mode == "wal" || self.wal.is_none() {
            true => Ok(()),
            false => Err(LibError::invalid(format!(
                "the file cannot have a write-ahead log: it stays at `{mode}`"
            ))),
        }
    }

    /// The object of an open one.
    pub fn shared(self, handle: Handle) -> Shared {
        Shared {
            patience: self.timeout,
            handle: Arc::new(Mutex::new(handle)),
            gate: Gate::default(),
            gone: Arc::default(),
            path: self.path,
            readonly: self.readonly,
        }
    }
}

/// What a call has to do with transactions.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Nothing: it is one by itself.
    Alone,
    /// It is a part of the open one.
    Inside,
    Begins,
    Ends,
}

/// A connection, on whichever thread works with it.
pub(super) struct Handle {
    /// None: closed.
    parts: Option<Parts>,
    patience: Arc<Patience>,
    /// In which it was opened.
    process: u32,
}

impl Handle {
    fn with<T>(
        &mut self,
        stop: &Stop,
        mode: Mode,
        work: impl FnOnce(&mut Parts, &Patience, &Stop) -> Result<T, LibError>,
    ) -> Result<T, LibError> {
        self.must_be_ours()?;
        let Some(parts) = &mut self.parts else { return Err(closed()) };
        let _asked = self.patience.begin(stop);
        stop.check()?;
        let was_open = !parts.connection.is_autocommit();
        match mode {
            Mode::Inside | Mode::Ends if !was_open => return Err(lost()),
            // left by a call that nobody waited for
            Mode::Alone | Mode::Begins if was_open => rollback(parts),
            _ => {}
        }
        let done = work(parts, &self.patience, stop);
        let is_open = !parts.connection.is_autocommit();
        match mode {
            Mode::Alone if is_open => {
                rollback(parts);
                done?;
                Err(LibError::invalid("it leaves a transaction open, which was rolled back: use db:tx(fn)"))
            }
            Mode::Inside if !is_open && done.is_ok() => {
                Err(LibError::invalid("it ended the transaction of db:tx, which does that by itself"))
            }
            _ => done,
        }
    }

    fn must_be_ours(&self) -> Result<(), LibError> {
        match self.process == fork::generation() {
            true => Ok(()),
            false => {
                Err(LibError::invalid("the database was opened in another process: open it in this one"))
            }
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if self.must_be_ours().is_err()
            && let Some(parts) = self.parts.take()
        {
            parts.forget();
        }
    }
}

fn closed() -> LibError {
    LibError::invalid("the database is closed")
}

fn lost() -> LibError {
    LibError::invalid(
        "the transaction is over already: SQLite has rolled it back after an error, so nothing more may be done in it",
    )
}

pub(super) fn rollback(parts: &Parts) {
    // a transaction that SQLite has ended by itself is none
    let _ = parts.connection.execute_batch("ROLLBACK");
}

/// What the objects of one database share.
pub(super) struct Shared {
    handle: Arc<Mutex<Handle>>,
    pub gate: Gate,
    /// Cursors that were closed while the connection was in use.
    gone: Arc<Mutex<Vec<u64>>>,
    pub patience: Duration,
    pub path: PathBuf,
    readonly: bool,
}

/// A call that is about to be made.
pub(super) struct Turn {
    entry: Result<Entry, LibError>,
    lua: Lua,
    database: Database,
}

impl Turn {
    /// Does `work` on the connection when it is this call's turn.
    ///
    /// # Errors
    /// Those of `work`, with the path; `busy`.
    pub async fn call<T, W>(self, work: W) -> Result<T, LibError>
    where
        T: Send + 'static,
        W: FnOnce(&mut Parts, &Patience, &Stop) -> Result<T, LibError> + Send + 'static,
    {
        let shared = &self.database.shared;
        let key = match self.entry? {
            Entry::Inside => None,
            Entry::Waits => {
                let entering = shared.gate.enter(shared.patience);
                Some(entering.await.map_err(|error| shared.named(error))?)
            }
        };
        let mode = if key.is_none() { Mode::Inside } else { Mode::Alone };
        self.database.run(&self.lua, mode, key, work).await
    }
}

/// What scripts hold: a database, or what a transaction gives its function.
#[derive(Clone)]
pub(super) struct Database {
    pub shared: Rc<Shared>,
    pub pass: Option<u64>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// The error with the path of the file.
    pub fn named(&self, error: LibError) -> LibError {
        error::at(error, &self.path, self.readonly)
    }

    /// Does `work` at once, in the transaction; what it says is of no interest.
    pub fn at_once(&self, work: impl FnOnce(&Parts)) {
        let handle = locked(&self.handle);
        if handle.must_be_ours().is_ok()
            && let Some(parts) = &handle.parts
        {
            work(parts);
        }
    }

    /// Closes a cursor now, or with the next call when a call runs.
    pub fn close_cursor(&self, number: u64) {
        match self.handle.try_lock() {
            Ok(mut handle) if handle.must_be_ours().is_ok() => {
                if let Some(parts) = &mut handle.parts {
                    parts.close(number);
                }
            }
            _ => locked(&self.gone).push(number),
        }
    }
}

impl Database {
    /// A call of the coroutine that runs; to be made before anything is waited for.
    pub fn turn(&self, lua: &Lua) -> Turn {
        Turn { entry: self.shared.gate.entry(lua, self.pass), lua: lua.clone(), database: self.clone() }
    }

    /// Does `work` now; the key is given back when it has ended, however the wait for it ends.
    pub fn run<T, W>(
        &self,
        lua: &Lua,
        mode: Mode,
        key: Option<Key>,
        work: W,
    ) -> impl Future<Output = Result<T, LibError>> + 'static + use<T, W>
    where
        T: Send + 'static,
        W: FnOnce(&mut Parts, &Patience, &Stop) -> Result<T, LibError> + Send + 'static,
    {
        let shared = Rc::clone(&self.shared);
        let (handle, gone) = (Arc::clone(&shared.handle), Arc::clone(&shared.gone));
        let done = pool::run(lua, move |stop| {
            let done = locked(&handle).with(stop, mode, |parts, patience, stop| {
                locked(&gone).drain(..).for_each(|number| parts.close(number));
                work(parts, patience, stop)
            });
            drop(key);
            done
        });
        async move { done.await.map_err(|error| shared.named(error)) }
    }

    /// Closes it when the calls before have returned.
    pub fn close(&self, lua: &Lua) -> impl Future<Output = Result<(), LibError>> + 'static + use<> {
        let (lua, shared) = (lua.clone(), Rc::clone(&self.shared));
        let entry = match self.pass {
            None => shared.gate.entry(&lua, None),
            Some(_) => Ok(Entry::Inside),
        };
        async move {
            if let Entry::Inside = entry? {
                return Err(LibError::invalid("a transaction is open: it ends with the function of db:tx"));
            }
            let key = shared.gate.enter(shared.patience).await?;
            let handle = Arc::clone(&shared.handle);
            let done = pool::run(&lua, move |_| {
                let mut handle = locked(&handle);
                let _key = key;
                handle.must_be_ours()?;
                match handle.parts.take() {
                    Some(parts) => parts.close_all().map_err(|reason| error::of(&reason)),
                    None => Ok(()),
                }
            });
            done.await.map_err(|error| shared.named(error))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Asked, Mode};
    use crate::lua::pool::Stop;

    #[test]
    fn a_database_of_another_process_is_neither_used_nor_closed() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.db");
        let asked = Asked::read(path.clone(), None).expect("no options");
        let stop = Stop::Dropped(Arc::default());
        let mut handle = asked.open(&stop).expect("opened");
        let write = |parts: &mut super::Parts, _: &super::Patience, _: &Stop| {
            parts
                .connection
                .execute_batch("CREATE TABLE IF NOT EXISTS t (a)")
                .map_err(|error| super::error::of(&error))
        };
        handle.with(&stop, Mode::Alone, write).expect("ours");
        // as a child of a fork finds it
        handle.process += 1;
        let error = handle.with(&stop, Mode::Alone, write).expect_err("not ours");
        assert_eq!(error.message(), "the database was opened in another process: open it in this one");
        drop(handle);
        let log = folder.path().join("a.db-wal");
        assert!(
            log.metadata().is_ok_and(|log| log.len() > 0),
            "a close would have moved the log into the file"
        );
    }
}
