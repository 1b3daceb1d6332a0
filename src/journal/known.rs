//! Which generated tasks need not run again.

use std::collections::BTreeMap;
use std::path::PathBuf;

use rusqlite::params;

use super::database::{Access, Database, signed, unsigned};
use super::error::JournalError;
use super::packed;
use super::past::State;
use super::record::{args_hash, key_hash};
use crate::model::Task;

/// Positions that lie side by side: 16 KiB of hashes.
const CHUNK: usize = 4096;

/// What the source asks on a resume, for each task that it gives. Four bytes of memory for each position that has ended;
/// keys are looked up in the journal.
pub struct Known {
    /// By position / [`CHUNK`]: hashes of the arguments; 0 has not ended.
    chunks: BTreeMap<u64, Box<[u32; CHUNK]>>,
    positions: u64,
    /// Generated tasks with keys that have ended.
    keyed: u64,
    /// Of the positions, those that the source has given now.
    given_again: u64,
    /// What this session adds is none of our business: the engine drops it, and counts it.
    session: u64,
    keys: Keys,
}

enum Keys {
    File(PathBuf),
    Open(Database),
}

/// What a task that the source gives is to the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// It has not ended.
    New,
    /// It has ended, or a task with its key was put, in an earlier session.
    Ended,
    /// One with other arguments has ended at its position: the list has changed.
    Changed,
}

/// 0 is taken; the hash that would be it shares 1.
fn nonzero(hash: u32) -> u32 {
    hash.max(1)
}

impl Known {
    pub(super) fn load(database: &Database, state: &State) -> Result<Self, JournalError> {
        let mut known = Known {
            chunks: BTreeMap::new(),
            positions: 0,
            keyed: state.keyed,
            given_again: 0,
            session: state.session + 1,
            keys: Keys::File(database.path.clone()),
        };
        let mut packed = 0;
        let mut number = 0;
        let wrong = database.run(|connection| {
            let mut select = connection.prepare("SELECT number, positions FROM ended ORDER BY number")?;
            let mut rows = select.query([])?;
            while let Some(row) = rows.next()? {
                number += 1;
                if unsigned(row, 0)? != number {
                    return Ok(Some(format!("ended tasks, part {number}: it is missing")));
                }
                match known.add(row.get_ref(1)?.as_blob()?) {
                    Ok(count) => packed += count,
                    Err(what) => return Ok(Some(format!("ended tasks, part {number}: {what}"))),
                }
            }
            Ok(None)
        })?;
        if let Some(what) = wrong {
            return Err(database.damaged(what));
        }
        if packed != state.packed {
            return Err(
                database.damaged(format!("{} tasks should have ended, and it has {packed}", state.packed))
            );
        }
        Ok(known)
    }

    fn add(&mut self, blob: &[u8]) -> Result<u64, &'static str> {
        let mut place = u64::MAX;
        let mut chunk: Option<Box<[u32; CHUNK]>> = None;
        let chunks = &mut self.chunks;
        let positions = &mut self.positions;
        let count = packed::unpack(blob, |ended| {
            let wanted = ended.position / CHUNK as u64;
            if wanted != place {
                if let Some(full) = chunk.take() {
                    chunks.insert(place, full);
                }
                place = wanted;
            }
            let chunk = chunk.get_or_insert_with(|| chunks.remove(&place).unwrap_or_else(empty_chunk));
            let entry = &mut chunk[(ended.position % CHUNK as u64) as usize];
            *positions += u64::from(*entry == 0);
            *entry = nonzero(ended.hash);
        });
        if let Some(full) = chunk {
            chunks.insert(place, full);
        }
        count
    }

    /// What `task`, which the source gives, is to earlier sessions. A task with a key is known by that, any other by its
    /// position and its arguments.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn check(&mut self, task: &Task) -> Result<Seen, JournalError> {
        if let Some(key) = task.key() {
            return self.check_key(key_hash(key));
        }
        let Some(position) = task.id.position() else { return Ok(Seen::New) };
        let hash = self.hash_at(position);
        if hash == 0 {
            return Ok(Seen::New);
        }
        self.given_again += 1;
        Ok(if hash == nonzero(args_hash(&task.args)) { Seen::Ended } else { Seen::Changed })
    }

    fn hash_at(&self, position: u64) -> u32 {
        let chunk = self.chunks.get(&(position / CHUNK as u64));
        chunk.map_or(0, |chunk| chunk[(position % CHUNK as u64) as usize])
    }

    fn check_key(&mut self, key: u128) -> Result<Seen, JournalError> {
        if let Keys::File(path) = &self.keys {
            self.keys = Keys::Open(Database::open(path, Access::Read)?);
        }
        let Keys::Open(database) = &self.keys else { return Ok(Seen::New) };
        let is_known = database.run(|connection| {
            connection
                .prepare_cached("SELECT 1 FROM keys WHERE hash = ?1 AND session < ?2")?
                .exists(params![key.to_be_bytes().as_slice(), signed(self.session)])
        })?;
        Ok(if is_known { Seen::Ended } else { Seen::New })
    }

    /// Generated tasks that have ended in earlier sessions.
    pub fn ended(&self) -> u64 {
        self.positions + self.keyed
    }

    /// After the source has ended: tasks without keys that ended in earlier sessions and that it did not give now. The
    /// list got shorter.
    pub fn never_given(&self) -> u64 {
        self.positions.saturating_sub(self.given_again)
    }

    /// Whether all of the `given` tasks that the source gives in all have ended, so that it need not run. With duplicate
    /// keys it is never sure.
    pub fn is_complete(&self, given: u64) -> bool {
        self.positions_up_to(given) + self.keyed >= given
    }

    fn positions_up_to(&self, given: u64) -> u64 {
        let count = |chunk: &[u32]| chunk.iter().filter(|hash| **hash != 0).count() as u64;
        let (last, rest) = (given / CHUNK as u64, (given % CHUNK as u64) as usize);
        let whole: u64 = self.chunks.range(..last).map(|(_, chunk)| count(&chunk[..])).sum();
        whole + self.chunks.get(&last).map_or(0, |chunk| count(&chunk[..=rest]))
    }
}

fn empty_chunk() -> Box<[u32; CHUNK]> {
    Box::new([0; CHUNK])
}
