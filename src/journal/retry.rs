//! Giving failed tasks another chance.

use rusqlite::params;

use super::database::{signed, unsigned};
use super::error::JournalError;
use super::past::{Past, State, read_pending};
use super::rows::{now_ms, read_failed, write_task};
use super::writer::Durable;
use crate::model::task::{TaskOptions, key_hash};
use crate::model::{Seq, Task};

/// Moves all rows of `failed` to `queue`. They keep identity, arguments and key; what is known of their positions and
/// keys stays, so that the source does not give them again.
pub(super) fn retry_failed(durable: &mut Durable, past: &mut Past) -> Result<u64, JournalError> {
    let database = &durable.database;
    let before = State::read(database)?;
    let mut last_seq = before.last_seq;
    let mut wrong = None;
    let moved = database.run(|connection| {
        let mut select = connection.prepare_cached("SELECT number, task FROM failed ORDER BY number")?;
        let mut insert =
            connection.prepare_cached("INSERT INTO queue (seq, priority, task) VALUES (?1, 0, ?2)")?;
        // by it the task is found again when its key is cancelled
        let mut moved_key = connection.prepare_cached("UPDATE keys SET seq = ?2 WHERE hash = ?1")?;
        let mut rows = select.query([])?;
        let mut blob = Vec::new();
        let mut moved = 0;
        while let Some(row) = rows.next()? {
            let number = unsigned(row, 0)?;
            let Some(seq) = Seq::new(last_seq + 1) else { break };
            match read_failed(row.get_ref(1)?.as_blob()?, number) {
                Err(what) => {
                    wrong = Some(format!("failed task {number}: {what}"));
                    break;
                }
                Ok(failed) => {
                    let options = failed
                        .key
                        .map(|key| Box::new(TaskOptions { key: Some(key), ..TaskOptions::default() }));
                    let task = Task { id: failed.id, args: failed.args, options };
                    write_task(&mut blob, seq, &task, now_ms());
                    insert.execute(params![signed(seq.number()), blob])?;
                    if let Some(key) = task.key() {
                        let hash = key_hash(key).to_be_bytes();
                        moved_key.execute(params![hash.as_slice(), signed(seq.number())])?;
                    }
                }
            }
            last_seq = seq.number();
            moved += 1;
        }
        drop(rows);
        connection.execute("DELETE FROM failed", [])?;
        connection
            .prepare_cached(
                "UPDATE state SET failed = max(failed - ?1, 0), pending = pending + ?1, last_seq = ?2",
            )?
            .execute(params![signed(moved), signed(last_seq)])?;
        Ok(moved)
    })?;
    if let Some(what) = wrong {
        return Err(database.damaged(what));
    }
    past.failed = before.failed.saturating_sub(moved);
    past.last_seq = last_seq;
    past.pending = read_pending(database, before.pending + moved)?;
    past.complete = false;
    Ok(moved)
}
