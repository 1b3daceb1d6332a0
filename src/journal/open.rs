//! How a journal comes to be: made, taken up again, or for throwing away.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, OpenFlags, params};

use super::begin::{Begin, Text};
use super::database::{self, Access, Database};
use super::disk::Disk;
use super::error::JournalError;
use super::first_sync::{self, FirstSync, Held};
use super::home::{self, Home, RunDir};
use super::known::Known;
use super::lock::Lock;
use super::past::{self, Past};
use super::reader::Reader;
use super::retry;
use super::rows::now_ms;
use super::schema::{APPLICATION_ID, TABLES, VERSION};
use super::temporary::Temporary;
use super::writer::{Durable, Writer};

/// The journal of one run, before the run begins.
pub struct Journal {
    writer: Writer,
    reader: Reader,
    id: Option<String>,
}

/// Makes a run in `home` with a new id. It is on its way to the disk when this returns; the first commit waits for it.
///
/// # Errors
/// When the disk is a network's, read-only or full. Nothing is left behind then.
pub fn create(home: &Home, begin: &Begin, disk: &Disk) -> Result<Journal, JournalError> {
    let there = home.path().ancestors().find(|folder| folder.is_dir());
    if let Some(folder) = there {
        disk.check(folder)?;
    }
    let changed = home.make()?;
    let run = home.claim()?;
    fill(&run, begin, &changed).inspect_err(|_| {
        // best effort: what is left is no run
        let _ = home::remove_locked(&run);
    })
}

fn fill(run: &RunDir, begin: &Begin, changed: &[PathBuf]) -> Result<Journal, JournalError> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let lock = Lock::take(&run.path, &run.id, Some(now.as_nanos()))?;
    first_sync::mark(&run.path)?;
    let path = run.path.join(database::NAME);
    // under another name until it is whole: who is killed meanwhile leaves no half of a journal
    let new = run.path.join("new.db");
    write_begin(&new, begin).map_err(|source| JournalError::database(&new, source))?;
    fs::rename(&new, &path).map_err(|source| JournalError::file(&path, "make", source))?;
    let (first_sync, held) = FirstSync::begin(&run.path, changed)?;
    let database = open_to_write(&path)?;
    let mut durable = Durable::new(database, lock, 1, false);
    durable.set_first_sync(first_sync, Arc::clone(&held));
    Journal::of(run, durable, Some(held))
}

/// A whole database in one file, without syncs and without a log; those are for what comes later.
fn write_begin(path: &Path, begin: &Begin) -> rusqlite::Result<()> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.execute_batch(&format!(
        "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA application_id = {APPLICATION_ID}; \
         PRAGMA user_version = {VERSION}; BEGIN; {TABLES}"
    ))?;
    past::write_begin(&connection, begin, now_ms())?;
    connection.execute_batch("COMMIT; PRAGMA journal_mode = WAL")?;
    connection.close().map_err(|(_, error)| error)
}

/// Takes up a run. Nothing in it changes before the first commit, but the process has it from now on.
///
/// # Errors
/// When a process works on it, when its format is newer, when it is damaged.
pub fn reopen(run: &RunDir, disk: &Disk) -> Result<(Journal, Past), JournalError> {
    disk.check(&run.path)?;
    let path = run.path.join(database::NAME);
    if !path.exists() {
        return Err(JournalError::damaged(&path, "there is no such file"));
    }
    let lock = Lock::take(&run.path, &run.id, None)?;
    // who made it was killed before it was on the disk
    let first_sync = if first_sync::is_marked(&run.path) {
        let above: Vec<PathBuf> = run.path.ancestors().skip(1).take(3).map(Path::to_owned).collect();
        Some(FirstSync::begin(&run.path, &above)?)
    } else {
        None
    };
    let database = open_to_write(&path)?;
    database.check_pages()?;
    let past = past::load(&database)?;
    let mut durable = Durable::new(database, lock, past.sessions + 1, true);
    let held = first_sync.map(|(first_sync, held)| {
        durable.set_first_sync(first_sync, Arc::clone(&held));
        held
    });
    Ok((Journal::of(run, durable, held)?, past))
}

/// A journal without promises, for `--no-journal`: waiting tasks and keys in a file that is made at the first need and
/// has no name; gone with the process.
pub fn scratch() -> Journal {
    let temporary = Temporary::default();
    Journal { writer: Writer::scratch(temporary.clone()), reader: Reader::scratch(temporary), id: None }
}

fn open_to_write(path: &Path) -> Result<Database, JournalError> {
    let database = Database::open(path, Access::Write)?;
    database.check()?;
    let mode: String =
        database.run(|connection| connection.pragma_query_value(None, "journal_mode", |row| row.get(0)))?;
    if mode != "wal" {
        return Err(database.damaged(format!("its log is of the kind `{mode}`")));
    }
    // The writer moves the log into the file itself, since what fails there must not be passed over.
    database.run(|connection| {
        connection.execute_batch(
            "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0; PRAGMA journal_size_limit = 16777216;",
        )
    })?;
    Ok(database)
}

impl Journal {
    fn of(run: &RunDir, durable: Durable, held: Option<Held>) -> Result<Self, JournalError> {
        let reader = Reader::of(durable.path(), held);
        Ok(Journal { writer: Writer::durable(durable)?, reader, id: Some(run.id.clone()) })
    }

    /// Of the run; none for scratch.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// Puts the tasks that failed into the queue again, with new places behind all others, and says how many. `past`
    /// follows.
    ///
    /// # Errors
    /// As a commit: all of it, or nothing.
    pub fn retry_failed(&mut self, past: &mut Past) -> Result<u64, JournalError> {
        self.writer.session(|durable| retry::retry_failed(durable, past))
    }

    /// Keeps files as they are now, in place of what was kept under their names.
    ///
    /// # Errors
    /// As a commit.
    pub fn add_texts(&mut self, texts: &[Text]) -> Result<(), JournalError> {
        self.writer.session(|durable| {
            durable.database.run(|connection| {
                let mut insert = connection.prepare_cached(past::INSERT_TEXT)?;
                texts.iter().try_for_each(|text| insert.execute(params![text.name, text.text]).map(drop))
            })
        })
    }

    /// One half for the thread that commits, one for the engine.
    pub fn split(self) -> (Writer, Reader) {
        (self.writer, self.reader)
    }
}

// what a resume gives to its source goes to another thread, as the halves do
const _: () = {
    const fn moves<T: Send>() {}
    moves::<Writer>();
    moves::<Reader>();
    moves::<Known>();
    moves::<Past>();
};
