//! How a group becomes rows, inside of the transaction that its writer has begun.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::database::{Database, signed, unsigned};
use super::error::JournalError;
use super::packed;
use super::record::{EndKind, EndedPosition, EndedTask, FailedTask, Group};
use super::rows::{now_ms, read_task, write_failed, write_state, write_task};
use crate::model::handling::{Cancel, Saved};
use crate::model::{Seq, Task, TaskId, Tried};

/// What was put in a transaction so far.
#[derive(Clone, Copy, Default)]
pub(super) struct PutCounts {
    pub pending: u64,
    pub last_seq: u64,
}

/// What the ends of a group add to the counters.
#[derive(Default)]
struct EndCounts {
    done: u64,
    skipped: u64,
    failed: u64,
}

/// What the tables of waiting tasks have gained and lost.
#[derive(Default)]
pub(super) struct QueueCounts {
    put: u64,
    gone: u64,
}

const STATE: &str = "UPDATE state SET \
    done = done + ?1, skipped = skipped + ?2, failed = failed + ?3, \
    packed = packed + ?4, keyed = keyed + ?5, pending = pending + ?6, last_seq = max(last_seq, ?7), \
    started = max(started, ?8), known = coalesce(?9, known), more = coalesce(?10, more), given = coalesce(?11, given), \
    output_position = coalesce(?12, output_position), output_rows = coalesce(?13, output_rows), \
    elapsed = max(elapsed, ?14), updated_ms = ?15, complete = ?16, stopped = ?17, finish = ?18";

/// Writes everything that `group` says; `parts` is what was put in this transaction before.
pub(super) fn write_group(
    database: &Database,
    session: u64,
    group: &Group,
    parts: PutCounts,
) -> Result<(), JournalError> {
    let queue = write_queue(database, session, group)?;
    let mut ends = EndCounts::default();
    group.positions.iter().for_each(|ended| ends.add(ended.kind));
    group.ended.iter().for_each(|ended| ends.add(ended.kind));
    let packed = database.run(|connection| {
        write_failures(connection, &group.failed)?;
        write_tried(connection, &group.tried, &group.tried_ended)?;
        write_saved(connection, &group.saved, &group.saved_ended)?;
        if let Some(meta) = &group.meta {
            connection
                .prepare_cached("INSERT OR REPLACE INTO meta (number, value) VALUES (2, ?1)")?
                .execute([meta])?;
        }
        write_positions(connection, &group.positions)
    })?;
    let places =
        group.puts.iter().map(|(seq, _)| *seq).chain(group.ended.iter().filter_map(|ended| ended.seq));
    let last_seq = places.map(Seq::number).fold(parts.last_seq, u64::max);
    let keyed = group.ended.iter().filter(|ended| ended.seq.is_none()).count();
    database.run(|connection| {
        let end = group.end.as_ref();
        connection.prepare_cached(STATE)?.execute(params![
            signed(ends.done),
            signed(ends.skipped),
            signed(ends.failed),
            signed(packed),
            signed(keyed as u64),
            signed(queue.put + parts.pending) - signed(queue.gone),
            signed(last_seq),
            group.started,
            group.known.map(|(known, _)| signed(known)),
            group.known.map(|(_, more)| more),
            group.given.map(signed),
            group.output.map(|mark| signed(mark.position)),
            group.output.map(|mark| signed(mark.rows)),
            signed(group.elapsed_ns),
            signed(now_ms()),
            end.is_some_and(|end| end.complete),
            end.and_then(|end| end.stopped.as_deref()),
            end.and_then(|end| end.finish.as_deref()),
        ])
    })?;
    Ok(())
}

/// Writes puts and keys, and takes away the waiting tasks that have ended.
pub(super) fn write_queue(
    database: &Database,
    session: u64,
    group: &Group,
) -> Result<QueueCounts, JournalError> {
    let mut ended: Vec<Seq> = group.ended.iter().filter_map(|ended| ended.seq).collect();
    ended.sort_unstable();
    let put = write_puts_and_cancels(database, session, group, &ended)?;
    let gone = database.run(|connection| {
        let mut gone = write_ended_keys(connection, session, &group.ended)?;
        // those that were put in this group have no row
        let first_put = group.puts.first().map(|(seq, _)| *seq);
        let mut delete = connection.prepare_cached("DELETE FROM queue WHERE seq = ?1")?;
        for seq in ended {
            if first_put.is_none_or(|first| seq < first) {
                gone += delete.execute([signed(seq.number())])? as u64;
            }
        }
        Ok(gone)
    })?;
    Ok(QueueCounts { put, gone })
}

/// A key that is cancelled is known to what is put after it, and marks what was put before.
fn write_puts_and_cancels(
    database: &Database,
    session: u64,
    group: &Group,
    ended: &[Seq],
) -> Result<u64, JournalError> {
    let (mut put, mut rest) = (0, &group.puts[..]);
    for Cancel { key, after } in &group.cancels {
        let before;
        (before, rest) = rest.split_at(rest.partition_point(|(seq, _)| seq.number() <= *after));
        put += write_puts(database, session, before, ended, &mut Vec::new())?;
        write_cancel(database, session, *key)?;
    }
    Ok(put + write_puts(database, session, rest, ended, &mut Vec::new())?)
}

/// A task that waits here with this key is marked, so that it ends without a start once it is fetched.
fn write_cancel(database: &Database, session: u64, key: u128) -> Result<(), JournalError> {
    let hash = key.to_be_bytes();
    let wrong = database.run(|connection| {
        let mut insert = connection.prepare_cached(
            "INSERT INTO keys (hash, session, seq) VALUES (?1, ?2, NULL) ON CONFLICT DO NOTHING",
        )?;
        if insert.execute(params![hash.as_slice(), signed(session)])? > 0 {
            return Ok(None);
        }
        let mut find = connection.prepare_cached(
            "SELECT queue.seq, priority, task FROM keys JOIN queue ON queue.seq = keys.seq WHERE hash = ?1",
        )?;
        let found = find.query_row([hash.as_slice()], |row| {
            let seq = Seq::new(unsigned(row, 0)?).ok_or(rusqlite::Error::IntegralValueOutOfRange(0, 0))?;
            let task = read_task(row.get_ref(2)?.as_blob()?, seq, row.get(1)?, now_ms());
            Ok((seq, task))
        });
        let (seq, mut task) = match found.optional()? {
            None => return Ok(None),
            Some((seq, Err(what))) => return Ok(Some(format!("waiting task {}: {what}", seq.number()))),
            Some((seq, Ok(task))) => (seq, task),
        };
        let options = task.options.get_or_insert_default();
        (options.cancelled, options.delay_ns) = (true, 0);
        let mut blob = Vec::new();
        write_task(&mut blob, seq, &task, now_ms());
        let mut mark = connection.prepare_cached("UPDATE queue SET task = ?2 WHERE seq = ?1")?;
        mark.execute(params![signed(seq.number()), blob])?;
        Ok(None)
    })?;
    wrong.map_or(Ok(()), |what| Err(database.damaged(what)))
}

/// Writes tasks that were put and are not among `ended`, which is sorted. Of those with the same key the first is
/// written, and the others are named in `dropped`. Gives how many rows there are more.
pub(super) fn write_puts(
    database: &Database,
    session: u64,
    puts: &[(Seq, Task)],
    ended: &[Seq],
    dropped: &mut Vec<Seq>,
) -> Result<u64, JournalError> {
    if puts.is_empty() {
        return Ok(0);
    }
    database.run(|connection| {
        let mut insert_key = connection.prepare_cached(
            "INSERT INTO keys (hash, session, seq) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
        )?;
        let mut insert =
            connection.prepare_cached("INSERT INTO queue (seq, priority, task) VALUES (?1, ?2, ?3)")?;
        let now_ms = now_ms();
        let mut blob = Vec::new();
        let mut written = 0;
        for (seq, task) in puts {
            let number = signed(seq.number());
            if let Some(key) = task.key() {
                let hash = super::record::key_hash(key).to_be_bytes();
                if insert_key.execute(params![hash.as_slice(), signed(session), number])? == 0 {
                    dropped.push(*seq);
                    continue;
                }
            }
            if ended.binary_search(seq).is_ok() {
                continue;
            }
            write_task(&mut blob, *seq, task, now_ms);
            let priority = task.options.as_ref().map_or(0, |options| options.priority);
            insert.execute(params![number, priority, blob.as_slice()])?;
            written += 1;
        }
        Ok(written)
    })
}

/// Keeps the keys of tasks that ended. Where another waiting task was put with the same key, the engine has dropped
/// that one, and it goes; gives how many went.
fn write_ended_keys(connection: &Connection, session: u64, ended: &[EndedTask]) -> rusqlite::Result<u64> {
    let mut keys: Vec<(u128, Option<Seq>)> =
        ended.iter().filter_map(|ended| Some((ended.key?, ended.seq))).collect();
    // neighbours in the tree one after the other
    keys.sort_unstable();
    let mut insert = connection.prepare_cached(
        "INSERT INTO keys (hash, session, seq) VALUES (?1, ?2, NULL) ON CONFLICT DO NOTHING",
    )?;
    let mut find = connection.prepare_cached("SELECT seq FROM keys WHERE hash = ?1")?;
    let mut delete = connection.prepare_cached("DELETE FROM queue WHERE seq = ?1")?;
    let mut gone = 0;
    for (key, seq) in keys {
        let hash = key.to_be_bytes();
        if insert.execute(params![hash.as_slice(), signed(session)])? > 0 {
            continue;
        }
        let holder =
            find.query_row([hash.as_slice()], |row| row.get::<_, Option<i64>>(0)).optional()?.flatten();
        if let Some(holder) = holder.filter(|holder| Some(*holder) != seq.map(|seq| signed(seq.number()))) {
            gone += delete.execute([holder])? as u64;
        }
    }
    Ok(gone)
}

/// Gives how many positions were packed.
fn write_positions(connection: &Connection, positions: &[EndedPosition]) -> rusqlite::Result<u64> {
    if positions.is_empty() {
        return Ok(0);
    }
    let mut sorted = positions.to_vec();
    sorted.sort_by_key(|ended| ended.position);
    sorted.dedup_by_key(|ended| ended.position);
    let mut insert = connection.prepare_cached("INSERT INTO ended (positions) VALUES (?1)")?;
    for some in sorted.chunks(packed::MOST) {
        insert.execute([packed::pack(some)])?;
    }
    Ok(sorted.len() as u64)
}

fn write_failures(connection: &Connection, failed: &[FailedTask]) -> rusqlite::Result<()> {
    if failed.is_empty() {
        return Ok(());
    }
    let mut number = connection
        .prepare_cached("SELECT coalesce(max(number), 0) FROM failed")?
        .query_row([], |row| unsigned(row, 0))?;
    let mut insert = connection.prepare_cached("INSERT INTO failed (number, task) VALUES (?1, ?2)")?;
    let mut blob = Vec::new();
    for task in failed {
        number += 1;
        write_failed(&mut blob, number, task);
        insert.execute(params![signed(number), blob])?;
    }
    Ok(())
}

/// A task that ended in the same group is not remembered.
fn write_tried(connection: &Connection, tried: &[(TaskId, Tried)], ended: &[TaskId]) -> rusqlite::Result<()> {
    let mut insert = connection.prepare_cached(
        "INSERT OR REPLACE INTO tried (id, starts, failures, crashes, doubtful_crashes) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    for (id, tried) in tried {
        insert.execute(params![
            id.bits().to_be_bytes().as_slice(),
            tried.starts,
            tried.failures,
            tried.crashes,
            tried.doubtful_crashes
        ])?;
    }
    let mut delete = connection.prepare_cached("DELETE FROM tried WHERE id = ?1")?;
    for id in ended {
        delete.execute([id.bits().to_be_bytes().as_slice()])?;
    }
    Ok(())
}

/// What a task saved goes with its end.
fn write_saved(connection: &Connection, saved: &[Saved], ended: &[TaskId]) -> rusqlite::Result<()> {
    if saved.is_empty() && ended.is_empty() {
        return Ok(());
    }
    let mut insert = connection.prepare_cached("INSERT OR REPLACE INTO saved (id, state) VALUES (?1, ?2)")?;
    let mut delete = connection.prepare_cached("DELETE FROM saved WHERE id = ?1")?;
    let mut blob = Vec::new();
    for (id, state) in saved {
        let key = id.bits().to_be_bytes();
        match state {
            Some(state) => {
                write_state(&mut blob, *id, state);
                insert.execute(params![key.as_slice(), blob])?;
            }
            None => {
                delete.execute([key.as_slice()])?;
            }
        }
    }
    for id in ended {
        delete.execute([id.bits().to_be_bytes().as_slice()])?;
    }
    Ok(())
}

impl EndCounts {
    /// As `Counts`: what was skipped is done too.
    fn add(&mut self, kind: EndKind) {
        match kind {
            EndKind::Done => self.done += 1,
            EndKind::Skipped => {
                self.done += 1;
                self.skipped += 1;
            }
            EndKind::Failed => self.failed += 1,
        }
    }
}
