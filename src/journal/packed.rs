//! Generated tasks that have ended, five bytes each: most tasks of most runs.
//!
//! A version, the count, for each the distance to the one before and how it ended (a varint: twice shifted distance,
//! two bits), for each the hash of its arguments (four bytes, little endian), a check sum over all of it.

use xxhash_rust::xxh3::xxh3_64;

use super::record::{EndKind, EndedPosition};
use crate::wire::varint;

const VERSION: u8 = 1;

/// Entries of one blob, at most.
pub(super) const MOST: usize = 1 << 16;

/// Packs what is in ascending order, without two of the same position.
pub(super) fn pack(sorted: &[EndedPosition]) -> Vec<u8> {
    let mut out = Vec::with_capacity(16 + 6 * sorted.len());
    out.push(VERSION);
    varint::put(&mut out, sorted.len() as u64);
    let mut last = 0;
    for ended in sorted {
        varint::put(&mut out, (ended.position - last) << 2 | ended.kind as u64);
        last = ended.position;
    }
    for ended in sorted {
        out.extend_from_slice(&ended.hash.to_le_bytes());
    }
    let sum = check_sum(&out);
    out.extend_from_slice(&sum);
    out
}

/// Gives each to `each`; or says what is wrong.
pub(super) fn unpack(bytes: &[u8], mut each: impl FnMut(EndedPosition)) -> Result<u64, &'static str> {
    let (bytes, sum) = bytes.split_last_chunk::<4>().ok_or("too short")?;
    if check_sum(bytes) != *sum {
        return Err("the check sum is wrong");
    }
    if bytes.first() != Some(&VERSION) {
        return Err("the version is not known");
    }
    let mut at = 1;
    let count = varint::take(bytes, &mut at).map_err(|_| "the count is cut")?;
    let hashes_length =
        usize::try_from(count).ok().and_then(|count| count.checked_mul(4)).ok_or("the count is absurd")?;
    let split = bytes.len().checked_sub(hashes_length).filter(|split| *split >= at).ok_or("too short")?;
    let (front, hashes) = bytes.split_at(split);
    let mut position = 0u64;
    for hash in hashes.chunks_exact(4) {
        let number = varint::take(front, &mut at).map_err(|_| "a position is cut")?;
        position = position.checked_add(number >> 2).ok_or("a position is absurd")?;
        let kind = match number & 3 {
            0 => EndKind::Done,
            1 => EndKind::Skipped,
            2 => EndKind::Failed,
            _ => return Err("an end is unknown"),
        };
        let hash = u32::from_le_bytes([hash[0], hash[1], hash[2], hash[3]]);
        each(EndedPosition { position, hash, kind });
    }
    if at == front.len() { Ok(count) } else { Err("there is more than was counted") }
}

fn check_sum(bytes: &[u8]) -> [u8; 4] {
    (xxh3_64(bytes) as u32).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{pack, unpack};
    use crate::journal::record::{EndKind, EndedPosition};

    fn entries() -> impl Strategy<Value = Vec<EndedPosition>> {
        let kind = prop_oneof![Just(EndKind::Done), Just(EndKind::Skipped), Just(EndKind::Failed)];
        let one = (prop_oneof![1u64..1000, 1u64..1 << 60], any::<u32>(), kind);
        prop::collection::btree_map(1u64..1 << 60, one, 0..200).prop_map(|all| {
            all.into_iter()
                .map(|(position, (_, hash, kind))| EndedPosition { position, hash, kind })
                .collect()
        })
    }

    proptest! {
        #[test]
        fn what_is_packed_comes_out_again(entries in entries()) {
            let mut seen = Vec::new();
            let count = unpack(&pack(&entries), |ended| seen.push(ended));
            prop_assert_eq!(count, Ok(entries.len() as u64));
            prop_assert_eq!(seen, entries);
        }

        #[test]
        fn no_flipped_bit_and_no_cut_goes_unnoticed(entries in entries(), at in any::<prop::sample::Index>(), bit in 0u32..8) {
            let mut bytes = pack(&entries);
            let at = at.index(bytes.len());
            let cut = unpack(&bytes[..at], |_| {});
            prop_assert!(cut.is_err());
            bytes[at] ^= 1u8 << bit;
            let flipped = unpack(&bytes, |_| {});
            prop_assert!(flipped.is_err());
        }
    }

    #[test]
    fn neighbours_take_five_bytes_each() {
        let entries: Vec<_> =
            (1..=1000).map(|position| EndedPosition { position, hash: 7, kind: EndKind::Done }).collect();
        assert_eq!(pack(&entries).len(), 5 * 1000 + 1 + 2 + 4);
    }
}
