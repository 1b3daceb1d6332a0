//! What earlier sessions of a run have left.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use rusqlite::types::FromSql;
use rusqlite::{Connection, OptionalExtension as _, Row, ToSql, params};

use super::begin::{Begin, Text};
use super::database::{Database, signed, unsigned};
use super::error::JournalError;
use super::known::Known;
use super::record::OutputMark;
use super::rows::read_state;
use crate::model::handling::StoredPuts;
use crate::model::{Seq, TaskId, Tried};

/// Everything that a resume begins with.
pub struct Past {
    /// With what the first session began; texts as kept last.
    pub begin: Begin,
    /// Tasks that ended well, those that were skipped included.
    pub done: u64,
    /// Of them, those that said that there was nothing to do.
    pub skipped: u64,
    /// Tasks that failed for good and are not tried again.
    pub failed: u64,
    /// Nanoseconds of all sessions.
    pub elapsed_ns: u64,
    /// Sessions before this one, from 1.
    pub sessions: u64,
    /// The place of the last task that was put; 0 before the first.
    pub last_seq: u64,
    /// What `start` did is kept.
    pub started: bool,
    /// The encoded `meta` of the last group that changed it; none when none did.
    pub meta: Option<Vec<u8>>,
    /// How many tasks the source gives in all; none when it did not come to its end.
    pub given: Option<u64>,
    /// As `Counts::known`, when it was told last.
    pub known_count: u64,
    /// Where the output stands.
    pub output: Option<OutputMark>,
    /// What happened to tasks that have not ended.
    pub tried: Vec<(TaskId, Tried)>,
    /// What these have saved.
    pub saved: Vec<(TaskId, Arc<[u8]>)>,
    /// Tasks that wait in the journal, one entry a priority, the highest first.
    pub pending: Vec<StoredPuts>,
    /// What the source need not give again.
    pub known: Known,
    /// The last session came to its end, `finish` included.
    pub complete: bool,
    /// What `finish` returned then, as text.
    pub finish: Option<String>,
    /// When the run was made, in milliseconds since 1970.
    pub created_ms: i64,
}

/// The row of counters.
pub(super) struct State {
    pub session: u64,
    pub started: bool,
    pub complete: bool,
    pub stopped: Option<String>,
    pub finish: Option<String>,
    pub done: u64,
    pub skipped: u64,
    pub failed: u64,
    pub known: u64,
    pub more: bool,
    pub given: Option<u64>,
    pub packed: u64,
    pub keyed: u64,
    pub pending: u64,
    pub last_seq: u64,
    pub output: Option<OutputMark>,
    pub elapsed_ns: u64,
    pub updated_ms: i64,
}

const SELECT_STATE: &str = "SELECT session, started, complete, stopped, finish, done, skipped, failed, known, more, \
    given, packed, keyed, pending, last_seq, output_position, output_rows, elapsed_before + elapsed, updated_ms FROM state";

/// In place of what has the same name.
pub(super) const INSERT_TEXT: &str =
    "INSERT INTO texts (name, text) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET text = excluded.text";

impl State {
    pub fn read(database: &Database) -> Result<Self, JournalError> {
        database.row(SELECT_STATE, |row| {
            let maybe = |column| match row.get_ref(column)? {
                rusqlite::types::ValueRef::Null => Ok(None),
                _ => unsigned(row, column).map(Some),
            };
            Ok(State {
                session: unsigned(row, 0)?,
                started: row.get(1)?,
                complete: row.get(2)?,
                stopped: row.get(3)?,
                finish: row.get(4)?,
                done: unsigned(row, 5)?,
                skipped: unsigned(row, 6)?,
                failed: unsigned(row, 7)?,
                known: unsigned(row, 8)?,
                more: row.get(9)?,
                given: maybe(10)?,
                packed: unsigned(row, 11)?,
                keyed: unsigned(row, 12)?,
                pending: unsigned(row, 13)?,
                last_seq: unsigned(row, 14)?,
                output: match (maybe(15)?, maybe(16)?) {
                    (Some(position), Some(rows)) => Some(OutputMark { position, rows }),
                    _ => None,
                },
                elapsed_ns: unsigned(row, 17)?,
                updated_ms: row.get(18)?,
            })
        })
    }
}

/// The first rows of a new journal.
pub(super) fn write_begin(connection: &Connection, begin: &Begin, now_ms: u64) -> rusqlite::Result<()> {
    let mut insert = connection.prepare("INSERT INTO about (name, value) VALUES (?1, ?2)")?;
    let about: [(&str, &dyn ToSql); 10] = [
        ("job", &begin.job),
        ("description", &begin.description),
        ("manifest", &begin.manifest.as_os_str().as_bytes()),
        ("seed", &begin.seed),
        ("params", &begin.params),
        ("settings", &begin.settings),
        ("output", &begin.output),
        ("keyed", &begin.keyed),
        ("command", &begin.command),
        ("created_ms", &signed(now_ms)),
    ];
    for (name, value) in about {
        insert.execute(params![name, value])?;
    }
    let mut insert = connection.prepare(INSERT_TEXT)?;
    for text in &begin.texts {
        insert.execute(params![text.name, text.text])?;
    }
    connection.execute("INSERT INTO meta (number, value) VALUES (1, ?1)", [&begin.meta])?;
    connection.execute(
        "INSERT INTO state (one, session, started, complete, done, skipped, failed, known, more, packed, keyed, \
         pending, last_seq, elapsed_before, elapsed, updated_ms) VALUES (1, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, ?1)",
        [signed(now_ms)],
    )?;
    Ok(())
}

/// With what the run began; with `with_texts` also the files.
pub(super) fn read_begin(database: &Database, with_texts: bool) -> Result<Begin, JournalError> {
    let texts = if with_texts {
        rows(database, "SELECT name, text FROM texts ORDER BY number", |row| {
            Ok(Text { name: row.get(0)?, text: row.get(1)? })
        })?
    } else {
        Vec::new()
    };
    let manifest: Vec<u8> = about(database, "manifest")?;
    Ok(Begin {
        job: about(database, "job")?,
        description: about(database, "description")?,
        manifest: PathBuf::from(OsStr::from_bytes(&manifest)),
        seed: about(database, "seed")?,
        params: about(database, "params")?,
        meta: read_meta(database, 1)?.ok_or_else(|| database.damaged("the first state is missing"))?,
        settings: about(database, "settings")?,
        texts,
        output: about(database, "output")?,
        keyed: about(database, "keyed")?,
        command: about(database, "command")?,
    })
}

/// 1: the first one, 2: the last one.
pub(super) fn read_meta(database: &Database, number: i64) -> Result<Option<Vec<u8>>, JournalError> {
    database.run(|connection| {
        let mut select = connection.prepare_cached("SELECT value FROM meta WHERE number = ?1")?;
        select.query_row([number], |row| row.get(0)).optional()
    })
}

pub(super) fn created_ms(database: &Database) -> Result<i64, JournalError> {
    about(database, "created_ms")
}

fn about<T: FromSql>(database: &Database, name: &str) -> Result<T, JournalError> {
    let found = database.run(|connection| {
        let mut select = connection.prepare_cached("SELECT value FROM about WHERE name = ?1")?;
        select.query_row([name], |row| row.get(0)).optional()
    })?;
    found.ok_or_else(|| database.damaged(format!("it does not say its `{name}`")))
}

/// Reads what a resume needs, in one transaction.
pub(super) fn load(database: &Database) -> Result<Past, JournalError> {
    database.execute("BEGIN")?;
    let past = load_here(database)?;
    database.execute("COMMIT")?;
    Ok(past)
}

fn load_here(database: &Database) -> Result<Past, JournalError> {
    let state = State::read(database)?;
    Ok(Past {
        begin: read_begin(database, true)?,
        done: state.done,
        skipped: state.skipped,
        failed: state.failed,
        elapsed_ns: state.elapsed_ns,
        sessions: state.session,
        last_seq: state.last_seq,
        started: state.started,
        meta: read_meta(database, 2)?,
        given: state.given,
        known_count: state.known,
        output: state.output,
        tried: read_tried(database)?,
        saved: read_saved(database)?,
        pending: read_pending(database, state.pending)?,
        known: Known::load(database, &state)?,
        complete: state.complete,
        finish: state.finish,
        created_ms: created_ms(database)?,
    })
}

fn read_tried(database: &Database) -> Result<Vec<(TaskId, Tried)>, JournalError> {
    rows(database, "SELECT id, starts, failures, crashes, doubtful_crashes FROM tried", |row| {
        let id: [u8; 16] = row.get(0)?;
        let tried = Tried {
            starts: row.get(1)?,
            failures: row.get(2)?,
            crashes: row.get(3)?,
            doubtful_crashes: row.get(4)?,
        };
        Ok((TaskId::from_bits(u128::from_be_bytes(id)), tried))
    })
}

fn read_saved(database: &Database) -> Result<Vec<(TaskId, Arc<[u8]>)>, JournalError> {
    if database.version()? == 1 {
        return Ok(Vec::new());
    }
    let found = rows(database, "SELECT id, state FROM saved ORDER BY id", |row| {
        let id: [u8; 16] = row.get(0)?;
        let id = TaskId::from_bits(u128::from_be_bytes(id));
        Ok((id, read_state(row.get_ref(1)?.as_blob()?, id).map(Arc::from)))
    })?;
    let whole = |(id, state): (TaskId, Result<Arc<[u8]>, String>)| match state {
        Ok(state) => Ok((id, state)),
        Err(what) => Err(database.damaged(format!("what task {id} saved: {what}"))),
    };
    found.into_iter().map(whole).collect()
}

/// Counts only what has a priority; most tasks have none, and to count these would read all of them.
pub(super) fn read_pending(database: &Database, all: u64) -> Result<Vec<StoredPuts>, JournalError> {
    let mut pending = rows(
        database,
        "SELECT priority, min(seq), max(seq), count(*) FROM queue INDEXED BY queue_priority \
         WHERE priority <> 0 GROUP BY priority",
        |row| read_stored(row, row.get(0)?, unsigned(row, 3)?),
    )?;
    let with_priority: u64 = pending.iter().map(|stored| stored.count).sum();
    let wrong = || database.damaged(format!("{all} tasks should wait, and it has others"));
    let plain = all.checked_sub(with_priority).ok_or_else(wrong)?;
    if plain > 0 {
        // each from its end of the table
        let found = database.row(
            "SELECT 0, (SELECT seq FROM queue WHERE priority = 0 ORDER BY seq LIMIT 1), \
             (SELECT seq FROM queue WHERE priority = 0 ORDER BY seq DESC LIMIT 1)",
            |row| Ok(read_stored(row, 0, plain).ok()),
        )?;
        pending.push(found.ok_or_else(wrong)?);
    }
    pending.sort_by_key(|stored| std::cmp::Reverse(stored.priority));
    Ok(pending)
}

fn read_stored(row: &Row<'_>, priority: i32, count: u64) -> rusqlite::Result<StoredPuts> {
    let seq = |column| {
        let number = unsigned(row, column)?;
        Seq::new(number).ok_or(rusqlite::Error::IntegralValueOutOfRange(column, 0))
    };
    Ok(StoredPuts { priority, first: seq(1)?, last: seq(2)?, count })
}

/// All rows of a query.
pub(super) fn rows<T>(
    database: &Database,
    query: &str,
    mut read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>, JournalError> {
    database.run(|connection| connection.prepare_cached(query)?.query_map([], |row| read(row))?.collect())
}
