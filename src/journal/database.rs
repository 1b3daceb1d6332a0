//! A connection to the file of a journal, and the name of that file in its errors.

use std::fs::File;
use std::path::{Path, PathBuf};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, MAIN_DB, OpenFlags, Row};

use super::error::JournalError;
use super::schema::{APPLICATION_ID, TOUCH, TOUCH_2, VERSION};

/// In the folder of a run.
pub(super) const NAME: &str = "journal.db";

/// Smaller than the smallest page: no database. SQLite would take an empty file for a new one and remove its log.
const SMALLEST: u64 = 512;

/// Up to this size all pages are looked at before a run goes on; 10 ms or so.
const QUICK_TO_CHECK: u64 = 8 << 20;

pub(super) struct Database {
    pub connection: Connection,
    pub path: PathBuf,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    Write,
    Read,
    /// Where not even the index of the log can be made: the file as it lies there.
    Frozen,
}

/// KiB of pages that a connection may hold.
const WRITE_CACHE: i64 = 4096;
const READ_CACHE: i64 = 1024;

impl Database {
    /// Opens a file that is there. Looks at nothing in it but its head.
    pub fn open(path: &Path, access: Access) -> Result<Self, JournalError> {
        let size = path.metadata().map_err(|source| JournalError::file(path, "open", source))?.len();
        // a piece of a page is left where a move of the log into the file was cut off; then the log is still there
        if size < SMALLEST || size % SMALLEST != 0 && !has_log(path) {
            return Err(JournalError::damaged(path, format!("it has {size} bytes")));
        }
        let connection = connect(path, access).map_err(|source| JournalError::database(path, source))?;
        let this = Database { connection, path: path.to_owned() };
        this.run(|connection| {
            // a process that is killed leaves the log; nobody but a good end may move it into the file
            connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
            connection.busy_timeout(std::time::Duration::from_secs(5))?;
            let cache = if access == Access::Write { WRITE_CACHE } else { READ_CACHE };
            connection.execute_batch(&format!(
                "PRAGMA cache_size = -{cache}; PRAGMA temp_store = MEMORY; PRAGMA mmap_size = 0;"
            ))?;
            connection.set_prepared_statement_cache_capacity(32);
            Ok(())
        })?;
        if access == Access::Write && this.run(|connection| connection.is_readonly(MAIN_DB))? {
            return Err(JournalError::ReadOnly { path: this.path });
        }
        Ok(this)
    }

    /// The version of its format.
    pub fn version(&self) -> Result<i32, JournalError> {
        self.run(|connection| connection.pragma_query_value(None, "user_version", |row| row.get(0)))
    }

    /// Is it a journal, and one that this program can read?
    pub fn check(&self) -> Result<(), JournalError> {
        let head = |name: &str| {
            self.run(|connection| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0)))
        };
        let found = head("application_id")?;
        if found != APPLICATION_ID {
            return Err(JournalError::Foreign { path: self.path.clone(), found });
        }
        let found = self.version()?;
        if found > VERSION {
            return Err(JournalError::Newer { path: self.path.clone(), found, known: VERSION });
        }
        if found < 1 {
            return Err(self.damaged(format!("it says that it has format {found}")));
        }
        for statement in TOUCH.iter().chain((found > 1).then_some(&TOUCH_2)) {
            self.run(|connection| connection.prepare(statement)?.query([])?.next().map(drop))?;
        }
        Ok(())
    }

    /// Looks at every page, when these are few.
    pub fn check_pages(&self) -> Result<(), JournalError> {
        if self.path.metadata().is_ok_and(|file| file.len() > QUICK_TO_CHECK) {
            return Ok(());
        }
        let found: String =
            self.run(|connection| connection.pragma_query_value(None, "quick_check", |row| row.get(0)))?;
        if found == "ok" { Ok(()) } else { Err(self.damaged(found.lines().next().unwrap_or_default())) }
    }

    /// Whatever the database says, with the name of the file.
    pub fn run<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, JournalError> {
        work(&self.connection).map_err(|source| JournalError::database(&self.path, source))
    }

    /// A statement without parameters or rows.
    pub fn execute(&self, statement: &str) -> Result<(), JournalError> {
        self.run(|connection| connection.prepare_cached(statement)?.execute([]).map(drop))
    }

    /// The only row of a query that always has one.
    pub fn row<T>(
        &self,
        query: &str,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, JournalError> {
        self.run(|connection| connection.prepare_cached(query)?.query_row([], read))
    }

    pub fn damaged(&self, what: impl Into<String>) -> JournalError {
        JournalError::damaged(&self.path, what)
    }
}

fn connect(path: &Path, access: Access) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_NO_MUTEX;
    match access {
        Access::Write => Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_READ_WRITE),
        Access::Read => Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_READ_ONLY),
        Access::Frozen => Connection::open_with_flags(
            frozen(path),
            flags | OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI,
        ),
    }
}

/// Whether there may be something in the log that is not in the file.
pub(super) fn has_log(path: &Path) -> bool {
    log_of(path).metadata().is_ok_and(|log| log.len() > 0)
}

fn log_of(path: &Path) -> PathBuf {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    log.into()
}

/// Brings the log of a session that was killed to the disk, before anybody is told what is in it: SQLite takes what was
/// written and not synced for committed, and a power cut could still take it away.
pub(super) fn sync_log(path: &Path) -> Result<(), JournalError> {
    if !has_log(path) {
        return Ok(());
    }
    let log = log_of(path);
    File::open(&log)
        .and_then(|file| file.sync_all())
        .map_err(|source| JournalError::file(&log, "sync", source))
}

/// The path as a URI that says that nobody changes the file.
fn frozen(path: &Path) -> String {
    use std::fmt::Write as _;
    let mut uri = "file:".to_owned();
    for byte in path.as_os_str().as_encoded_bytes() {
        if byte.is_ascii_alphanumeric() || b"/._-".contains(byte) {
            uri.push(char::from(*byte));
        } else {
            let _ = write!(uri, "%{byte:02x}");
        }
    }
    uri + "?immutable=1"
}

/// Numbers are kept as the 64 bits that SQLite has; those here never come near the sign.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A count or a place, as it was written.
pub(super) fn unsigned(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let number: i64 = row.get(column)?;
    u64::try_from(number).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, number))
}
