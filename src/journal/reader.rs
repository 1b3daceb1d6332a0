//! Asking the journal while the run goes on: keys, and waiting tasks that memory does not hold.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, params};

use super::database::{Access, Database, signed, unsigned};
use super::error::JournalError;
use super::first_sync::Held;
use super::rows::{now_ms, read_task};
use super::temporary::Temporary;
use crate::model::{Seq, Task};

/// Bytes of tasks that one call gives, about.
const MOST_BYTES: usize = 16 << 20;

const FETCH_PLAIN: &str =
    "SELECT seq, task FROM queue WHERE priority = 0 AND seq > ?2 AND seq <= ?3 AND ?1 = 0 ORDER BY seq";
const FETCH: &str = "SELECT seq, task FROM queue INDEXED BY queue_priority \
     WHERE priority <> 0 AND priority = ?1 AND seq > ?2 AND seq <= ?3 ORDER BY seq";

/// Reads what is committed, on a connection of its own, which it opens when it is first asked.
pub struct Reader {
    from: From,
    /// Closed after the connection.
    _held: Option<Held>,
}

enum From {
    File(PathBuf),
    Open(Database),
    Temporary(Temporary),
}

impl Reader {
    pub(super) fn of(path: &Path, held: Option<Held>) -> Self {
        Reader { from: From::File(path.to_owned()), _held: held }
    }

    pub(super) fn scratch(temporary: Temporary) -> Self {
        Reader { from: From::Temporary(temporary), _held: None }
    }

    /// Says for each of `keys`, in this order, whether another task with it has ended or was put; with the place of the
    /// task that is asked for, if it was put: its own key may be kept by now. `known` is emptied first.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn known(&mut self, keys: &[(u128, Option<Seq>)], known: &mut Vec<bool>) -> Result<(), JournalError> {
        known.clear();
        let Some(database) = self.database()? else {
            known.resize(keys.len(), false);
            return Ok(());
        };
        database.run(|connection| {
            let mut find =
                connection.prepare_cached("SELECT 1 FROM keys WHERE hash = ?1 AND seq IS NOT ?2")?;
            for (key, seq) in keys {
                // a key that came with an end has no place: it is nobody's own
                let own = seq.map_or(-1, |seq| signed(seq.number()));
                known.push(find.exists(params![key.to_be_bytes().as_slice(), own])?);
            }
            Ok(())
        })
    }

    /// Appends waiting tasks of one priority to `out`, in the order of their places: those behind `after` and up to
    /// `until`, at most `at_most` and about 16 MiB, but at least one if there is one. What is given is not remembered:
    /// the next call goes on behind the last place. There may be fewer than were put, since a task whose key was known
    /// is not kept.
    ///
    /// # Errors
    /// When the journal cannot be read or is damaged.
    pub fn fetch(
        &mut self,
        priority: i32,
        after: u64,
        until: u64,
        at_most: usize,
        out: &mut Vec<(Seq, Task)>,
    ) -> Result<(), JournalError> {
        let Some(database) = self.database()? else { return Ok(()) };
        let wrong = database.run(|connection| fetch(connection, priority, after, until, at_most, out))?;
        wrong.map_or(Ok(()), |what| Err(database.damaged(what)))
    }

    fn database(&mut self) -> Result<Option<&Database>, JournalError> {
        match &self.from {
            From::Open(_) => {}
            From::File(path) => self.from = From::Open(Database::open(path, Access::Read)?),
            From::Temporary(temporary) => match temporary.take_reader() {
                Some(database) => self.from = From::Open(database),
                None => return Ok(None),
            },
        }
        let From::Open(database) = &self.from else { return Ok(None) };
        Ok(Some(database))
    }
}

/// Says what is wrong with a row, if something is.
fn fetch(
    connection: &Connection,
    priority: i32,
    after: u64,
    until: u64,
    at_most: usize,
    out: &mut Vec<(Seq, Task)>,
) -> rusqlite::Result<Option<String>> {
    let mut select = connection.prepare_cached(if priority == 0 { FETCH_PLAIN } else { FETCH })?;
    let mut rows = select.query(params![priority, signed(after), signed(until)])?;
    let now_ms = now_ms();
    let mut bytes = 0;
    for _ in 0..at_most {
        let Some(row) = rows.next()? else { break };
        let number = unsigned(row, 0)?;
        let blob = row.get_ref(1)?.as_blob()?;
        let task = Seq::new(number)
            .ok_or_else(|| "it has no place".to_owned())
            .and_then(|seq| Ok((seq, read_task(blob, seq, priority, now_ms)?)));
        match task {
            Ok(task) => out.push(task),
            Err(what) => return Ok(Some(format!("waiting task {number}: {what}"))),
        }
        bytes += blob.len();
        if bytes >= MOST_BYTES {
            break;
        }
    }
    Ok(None)
}
