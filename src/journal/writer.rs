//! Keeping: one group, one transaction.

use std::mem;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use rusqlite::hooks::Wal;
use rusqlite::wal::CheckpointMode;
use rusqlite::{ErrorCode, MAIN_DB};

use super::database::Database;
use super::error::JournalError;
use super::first_sync::{FirstSync, Held};
use super::group::{PutCounts, write_group, write_puts, write_queue};
use super::home::mark_complete;
use super::lock::Lock;
use super::record::Group;
use super::schema::FROM_VERSION_1;
use super::temporary::Temporary;
use crate::model::{Seq, Task};

/// Pages in the log from which on it is moved into the file: 4 MiB.
const LONG_LOG: i32 = 1000;

/// The half that keeps. When something goes wrong it says so, writes nothing any more, and says the same again; what was
/// kept before stays. Dropped without [`close`](Self::close) it leaves the log as it is, for the next session.
pub struct Writer {
    store: Store,
    /// Why nothing is written any more.
    dead: Option<JournalError>,
    /// What the open transaction has put; none when there is none.
    open: Option<PutCounts>,
}

enum Store {
    Durable(Durable),
    Temporary(Temporary),
    Scratch(Database),
    /// After an error: its files stay open, since to close them would write.
    Left,
}

/// The file of a run, with the right to write it.
pub(super) struct Durable {
    pub database: Database,
    _lock: Lock,
    /// From 1.
    session: u64,
    /// The counters do not know of this session yet.
    is_new: bool,
    /// Pages in the log after the last commit.
    log_pages: Arc<AtomicI32>,
    /// What the first commit waits for.
    first_sync: Option<FirstSync>,
    /// The last group said that the run is complete.
    is_complete: bool,
    /// Closed after the connection.
    _held: Option<Held>,
}

impl Durable {
    pub fn new(database: Database, lock: Lock, session: u64, is_new: bool) -> Self {
        Durable {
            database,
            _lock: lock,
            session,
            is_new,
            log_pages: Arc::default(),
            first_sync: None,
            is_complete: false,
            _held: None,
        }
    }

    /// For a run that is not on the disk yet.
    pub fn set_first_sync(&mut self, first_sync: FirstSync, held: Held) {
        self.first_sync = Some(first_sync);
        self._held = Some(held);
    }

    pub fn path(&self) -> &Path {
        &self.database.path
    }

    /// Counts this session, once; in a transaction.
    fn begin_session(&mut self) -> Result<(), JournalError> {
        if mem::take(&mut self.is_new) {
            mark_complete(self.path(), false);
            if self.database.version()? == 1 {
                self.database.run(|connection| connection.execute_batch(FROM_VERSION_1))?;
            }
            self.database.execute(
                "UPDATE state SET session = session + 1, complete = 0, stopped = NULL, finish = NULL, \
                 elapsed_before = elapsed_before + elapsed, elapsed = 0",
            )?;
        }
        Ok(())
    }

    /// What is committed counts from here on.
    fn commit(&mut self) -> Result<(), JournalError> {
        self.database.execute("COMMIT")?;
        self.first_sync.take().map_or(Ok(()), FirstSync::finish)
    }

    fn tidy(&mut self) -> Result<(), JournalError> {
        self.first_sync.take().map_or(Ok(()), FirstSync::finish)?;
        self.database.run(|connection| {
            // someone who looks at the run may be in the way; the log then stays, and does no harm
            connection.busy_timeout(Duration::from_millis(100))?;
            match connection.wal_checkpoint_v2(Some(MAIN_DB), CheckpointMode::TRUNCATE) {
                Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => Ok(()),
                other => other.map(drop),
            }
        })
    }

    /// A failed sync of the file is no reason to try it once more: the caller gives up.
    fn shorten_log(&self) -> Result<(), JournalError> {
        if self.log_pages.load(Ordering::Relaxed) < LONG_LOG {
            return Ok(());
        }
        self.database
            .run(|connection| connection.wal_checkpoint_v2(Some(MAIN_DB), CheckpointMode::PASSIVE))
            .map(drop)
    }
}

impl Writer {
    pub(super) fn durable(mut durable: Durable) -> Result<Self, JournalError> {
        let pages = Arc::clone(&durable.log_pages);
        let hook = move |_: &mut Wal, count: i32| {
            pages.store(count, Ordering::Relaxed);
            Ok(())
        };
        let hooked = durable.database.connection.wal_hook(Some(hook));
        hooked.map_err(|source| JournalError::database(&durable.database.path, source))?;
        Ok(Writer { store: Store::Durable(durable), dead: None, open: None })
    }

    pub(super) fn scratch(temporary: Temporary) -> Self {
        Writer { store: Store::Temporary(temporary), dead: None, open: None }
    }

    /// Whether what is committed outlives the process; not so for scratch, which keeps only waiting tasks and keys.
    pub fn is_durable(&self) -> bool {
        !matches!(self.store, Store::Temporary(_) | Store::Scratch(_))
    }

    /// Keeps a group with all parts since the last commit: when it returns, it is on the disk, and readers see it.
    ///
    /// # Errors
    /// When it is not kept for sure. Nothing is written from then on, and each later call says the same.
    pub fn commit(&mut self, group: &Group) -> Result<(), JournalError> {
        self.attempt(|this| {
            let open = this.open;
            match &mut this.store {
                Store::Durable(durable) => {
                    if open.is_none() {
                        durable.database.execute("BEGIN IMMEDIATE")?;
                    }
                    durable.begin_session()?;
                    write_group(&durable.database, durable.session, group, open.unwrap_or_default())?;
                    durable.commit()?;
                    durable.is_complete = group.end.as_ref().is_some_and(|end| end.complete);
                    this.open = None;
                    durable.shorten_log()
                }
                Store::Temporary(_) | Store::Scratch(_) => {
                    let has_keys = group.ended.iter().any(|ended| ended.seq.is_some() || ended.key.is_some());
                    if open.is_none() && group.puts.is_empty() && group.cancels.is_empty() && !has_keys {
                        return Ok(());
                    }
                    let database = this.store.scratch()?;
                    if open.is_none() {
                        database.execute("BEGIN IMMEDIATE")?;
                    }
                    write_queue(database, 1, group)?;
                    database.execute("COMMIT")?;
                    this.open = None;
                    Ok(())
                }
                Store::Left => Ok(()),
            }
        })
    }

    /// Puts tasks into the transaction that the next commit ends, for a call that puts more than memory should hold.
    /// Gives the places of those that are not kept since a task with their key is known.
    ///
    /// # Errors
    /// As [`commit`](Self::commit).
    pub fn part(&mut self, puts: &[(Seq, Task)]) -> Result<Vec<Seq>, JournalError> {
        self.attempt(|this| {
            let is_first = this.open.is_none();
            let (database, session) = match &mut this.store {
                Store::Durable(durable) => (&durable.database, durable.session),
                Store::Left => return Ok(Vec::new()),
                store => (store.scratch()?, 1),
            };
            if is_first {
                database.execute("BEGIN IMMEDIATE")?;
            }
            let counts = this.open.get_or_insert_default();
            let mut dropped = Vec::new();
            counts.pending += write_puts(database, session, puts, &[], &mut dropped)?;
            counts.last_seq = puts.iter().map(|(seq, _)| seq.number()).fold(counts.last_seq, u64::max);
            Ok(dropped)
        })
    }

    /// Takes back all parts since the last commit: the call that put them has failed.
    ///
    /// # Errors
    /// As [`commit`](Self::commit).
    pub fn abandon(&mut self) -> Result<(), JournalError> {
        self.attempt(|this| match (this.open.take(), &this.store) {
            (Some(_), Store::Durable(Durable { database, .. }) | Store::Scratch(database)) => {
                database.execute("ROLLBACK")
            }
            _ => Ok(()),
        })
    }

    /// Tidies up after a good end: moves the log into the file, as far as readers allow it, and gives the run free.
    ///
    /// # Errors
    /// When the file cannot be written; all that was committed is kept nevertheless, in the log.
    pub fn close(mut self) -> Result<(), JournalError> {
        self.abandon()?;
        self.attempt(|this| match &mut this.store {
            Store::Durable(durable) => {
                durable.tidy()?;
                if durable.is_complete {
                    mark_complete(durable.path(), true);
                }
                Ok(())
            }
            _ => Ok(()),
        })
    }

    /// A transaction that belongs to no group.
    pub(super) fn session<T>(
        &mut self,
        work: impl FnOnce(&mut Durable) -> Result<T, JournalError>,
    ) -> Result<T, JournalError>
    where
        T: Default,
    {
        self.attempt(|this| {
            let Store::Durable(durable) = &mut this.store else { return Ok(T::default()) };
            durable.database.execute("BEGIN IMMEDIATE")?;
            durable.begin_session()?;
            let result = work(durable)?;
            durable.commit()?;
            Ok(result)
        })
    }

    fn attempt<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, JournalError>,
    ) -> Result<T, JournalError> {
        if let Some(error) = &self.dead {
            return Err(error.clone());
        }
        work(self).inspect_err(|error| {
            self.dead = Some(error.clone());
            // Neither the files are closed nor the lock is given back: the open transaction holds the database until
            // the process ends.
            mem::forget(mem::replace(&mut self.store, Store::Left));
        })
    }
}

impl Store {
    /// The temporary file, made now if it is not there.
    fn scratch(&mut self) -> Result<&Database, JournalError> {
        if let Store::Temporary(temporary) = self {
            *self = Store::Scratch(temporary.make()?);
        }
        match self {
            Store::Scratch(database) | Store::Durable(Durable { database, .. }) => Ok(database),
            Store::Temporary(_) | Store::Left => unreachable!("made above, and nobody asks after an error"),
        }
    }
}
