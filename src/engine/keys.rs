//! Which keys are known, so that a second task with the same key is dropped.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};

use xxhash_rust::xxh3::xxh3_128;

/// 16 bytes a key, whatever its length; two of 10^10 keys collide with a chance below 10^-18.
#[derive(Debug, Default)]
pub(super) struct Keys {
    seen: HashSet<u128, BuildHasherDefault<AlreadyHashed>>,
}

impl Keys {
    /// Remembers `key`; false when it was known.
    pub(super) fn insert(&mut self, key: &[u8]) -> bool {
        self.seen.insert(xxh3_128(key))
    }
}

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
