//! A seeded order of positions.

use std::collections::HashMap;

use rand_pcg::Pcg64;
use rand_pcg::rand_core::Rng;

/// The stream of random numbers that belongs to shuffles alone.
const STREAM: u128 = 0x7368_7566_666c_6500;

/// Fisher–Yates, one draw at a time: only positions that a draw has moved are kept, so that a sample of a huge
/// source costs what the sample costs, and a whole shuffle about 40 bytes a task.
pub struct Shuffle {
    random: Pcg64,
    moved: HashMap<u64, u64>,
    next: u64,
    length: u64,
}

impl Shuffle {
    /// Of the positions `0..length`; the same seed gives the same order on every machine.
    pub fn new(length: u64, seed: i64) -> Self {
        let random = Pcg64::new(u128::from(seed.cast_unsigned()), STREAM);
        Shuffle { random, moved: HashMap::new(), next: 0, length }
    }

    /// The next position; to be called at most `length` times.
    pub fn draw(&mut self) -> u64 {
        let left = self.length - self.next;
        // Lemire's multiplication without the rejection: the bias is left / 2^64
        let from = self.next + ((u128::from(self.random.next_u64()) * u128::from(left)) >> 64) as u64;
        let last = self.moved.remove(&self.next).unwrap_or(self.next);
        let drawn = if from == self.next { last } else { self.moved.insert(from, last).unwrap_or(from) };
        self.next += 1;
        drawn
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_position_is_drawn_once(length in 1u64..500, seed in any::<i64>()) {
            let mut shuffle = Shuffle::new(length, seed);
            let mut drawn: Vec<_> = (0..length).map(|_| shuffle.draw()).collect();
            prop_assert!(shuffle.moved.is_empty());
            drawn.sort_unstable();
            prop_assert_eq!(drawn, (0..length).collect::<Vec<_>>());
        }
    }

    #[test]
    fn the_order_of_a_seed_never_changes() {
        let order = |seed| {
            let mut shuffle = Shuffle::new(10, seed);
            (0..10).map(|_| shuffle.draw()).collect::<Vec<_>>()
        };
        assert_eq!(order(0), order(0));
        assert_ne!(order(0), order(1));
        assert_ne!(order(1), order(-1));
    }

    #[test]
    fn all_orders_of_three_are_about_as_frequent() {
        let mut counts = HashMap::new();
        for seed in 0..6000 {
            let mut shuffle = Shuffle::new(3, seed);
            *counts.entry([shuffle.draw(), shuffle.draw(), shuffle.draw()]).or_insert(0) += 1;
        }
        assert_eq!(counts.len(), 6);
        assert!(counts.values().all(|&count| (800..1200).contains(&count)), "{counts:?}");
    }

    #[test]
    fn a_sample_of_a_huge_source_is_cheap() {
        let mut shuffle = Shuffle::new(u64::MAX - 1, 5);
        let drawn: std::collections::HashSet<_> = (0..1000).map(|_| shuffle.draw()).collect();
        assert_eq!(drawn.len(), 1000);
        assert!(shuffle.moved.len() <= 1000);
    }
}
