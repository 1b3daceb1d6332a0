//! Keys that only the engine knows: of tasks whose key the journal does not have yet.
//!
//! The key of a generated task is kept with its end, that of a put with the put. Until that is committed it is here; from
//! then on the store knows it, and is asked before a task comes in. Ask it and hand its answer over with no
//! `Input::Committed` in between: then no key is unknown to both.

use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};

use crate::model::task::key_hash;

/// 16 bytes a key, whatever its length.
#[derive(Debug, Default)]
pub(super) struct Keys {
    in_flight: HashSet<u128, BuildHasherDefault<AlreadyHashed>>,
    /// Of puts, by place.
    puts: VecDeque<(u64, u128)>,
    /// Of other tasks that are delivered, in that order.
    ends: VecDeque<u128>,
}

impl Keys {
    /// Takes in the key of a task, `seq` being its place if it was put; false when it is in flight.
    pub(super) fn insert(&mut self, key: &[u8], seq: Option<u64>) -> bool {
        let hash = key_hash(key);
        let new = self.in_flight.insert(hash);
        if let Some(seq) = seq.filter(|_| new) {
            self.puts.push_back((seq, hash));
        }
        new
    }

    pub(super) fn contains(&self, key: &[u8]) -> bool {
        !self.in_flight.is_empty() && self.in_flight.contains(&key_hash(key))
    }

    /// A task that was not put is delivered.
    pub(super) fn end(&mut self, key: &[u8]) {
        self.ends.push_back(key_hash(key));
    }

    /// So many of these ends are committed, and all puts up to a place.
    pub(super) fn commit(&mut self, ends: u64, seq: u64) {
        for _ in 0..ends {
            let Some(hash) = self.ends.pop_front() else { break };
            self.in_flight.remove(&hash);
        }
        while let Some((_, hash)) = self.puts.pop_front_if(|(place, _)| *place <= seq) {
            self.in_flight.remove(&hash);
        }
        if self.in_flight.is_empty() && self.in_flight.capacity() > LARGE {
            self.in_flight.shrink_to(LARGE);
        }
    }
}

/// Keys for which memory is kept when there are none.
const LARGE: usize = 1 << 16;

/// The members are hashes.
#[derive(Debug, Default)]
pub(super) struct AlreadyHashed(u64);

impl Hasher for AlreadyHashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        // never reached: u128 hashes by write_u128
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u128(&mut self, hash: u128) {
        #[expect(clippy::cast_possible_truncation, reason = "half of a hash is a hash")]
        let half = hash as u64;
        self.0 = half;
    }
}
