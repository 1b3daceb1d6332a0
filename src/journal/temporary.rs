//! The file of a journal that is thrown away: made at the first need, without a name, without syncs.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, OpenFlags};

use super::database::{self, Database};
use super::error::JournalError;
use super::schema::TABLES;

/// What writer and reader of one journal share: the reader's connection on its way.
#[derive(Clone, Default)]
pub(super) struct Temporary(Arc<Mutex<Option<Database>>>);

impl Temporary {
    /// Makes the file; gives the connection that writes.
    pub fn make(&self) -> Result<Database, JournalError> {
        let place = place();
        let folder = tempfile::Builder::new()
            .prefix("mpms-")
            .tempdir_in(&place)
            .map_err(|source| JournalError::file(&place, "make a folder in", source))?;
        let path = folder.path().join(database::NAME);
        let failed = |source| JournalError::database(&path, source);
        let writer = connect(
            &path,
            &format!("PRAGMA journal_mode = WAL; PRAGMA cache_size = -4096; BEGIN; {TABLES} COMMIT"),
        )
        .map_err(failed)?;
        let reader =
            connect(&path, "PRAGMA cache_size = -1024; SELECT count(*) FROM queue").map_err(failed)?;
        // all files are open now: file, log and index of the log; they need no names any more
        folder.close().map_err(|source| JournalError::file(&place, "remove a folder in", source))?;
        let reader = Database { connection: reader, path: place.clone() };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(reader);
        Ok(Database { connection: writer, path: place })
    }

    /// The connection that reads; none as long as nothing was written, and only once.
    pub fn take_reader(&self) -> Option<Database> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

fn connect(path: &Path, first: &str) -> rusqlite::Result<Connection> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    connection.set_prepared_statement_cache_capacity(32);
    connection
        .execute_batch("PRAGMA synchronous = OFF; PRAGMA temp_store = MEMORY; PRAGMA mmap_size = 0;")?;
    connection.execute_batch(first)?;
    Ok(connection)
}

/// `/var/tmp` is meant for large files; `/tmp` is memory on many systems.
fn place() -> PathBuf {
    let large = Path::new("/var/tmp");
    if std::env::var_os("TMPDIR").is_none() && large.is_dir() {
        large.to_owned()
    } else {
        std::env::temp_dir()
    }
}
