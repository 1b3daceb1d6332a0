//! Things that happen alike are shown a few times, then counted.

use std::collections::HashMap;

/// How often a thing is shown before it is only counted.
pub(super) const SHOWN: u64 = 3;
/// Different things that are told apart; what comes later is counted as one.
const KINDS: usize = 200;

/// Equal things with one example each.
#[derive(Debug)]
pub(super) struct Groups<T> {
    place: HashMap<String, usize>,
    all: Vec<Group<T>>,
    others: u64,
}

/// Things that are equal.
#[derive(Debug)]
pub(super) struct Group<T> {
    pub(super) example: T,
    pub(super) count: u64,
}

impl<T> Groups<T> {
    pub(super) fn new() -> Self {
        Groups { place: HashMap::new(), all: Vec::new(), others: 0 }
    }

    /// Counts one more; the how-manieth of its kind it is. Too many kinds count as never shown.
    pub(super) fn add(&mut self, kind: String, example: impl FnOnce() -> T) -> u64 {
        if let Some(&place) = self.place.get(&kind) {
            self.all[place].count += 1;
            return self.all[place].count;
        }
        if self.all.len() >= KINDS {
            self.others += 1;
            return u64::MAX;
        }
        self.place.insert(kind, self.all.len());
        self.all.push(Group { example: example(), count: 1 });
        1
    }

    /// How many are told apart so far.
    pub(super) fn kinds(&self) -> usize {
        self.all.len()
    }

    /// The most frequent ones first.
    pub(super) fn by_count(&self) -> Vec<&Group<T>> {
        let mut groups: Vec<_> = self.all.iter().collect();
        groups.sort_by_key(|group| std::cmp::Reverse(group.count));
        groups
    }

    /// How many were of a kind beyond those told apart.
    pub(super) fn others(&self) -> u64 {
        self.others
    }
}

/// A text in which numbers do not count: each row of digits becomes `#`.
pub(super) fn without_numbers(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if !c.is_ascii_digit() {
            out.push(c);
        } else if !out.ends_with('#') {
            out.push('#');
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_things_are_one_group_and_kinds_are_bounded() {
        let mut groups = Groups::new();
        for n in 0..481 {
            let kind = without_numbers(&format!("timeout after {n}s"));
            assert_eq!(groups.add(kind, || n), n + 1);
        }
        for n in 0..5_000 {
            groups.add("x".repeat(n), || 0);
        }
        let sorted = groups.by_count();
        assert_eq!((sorted[0].count, sorted[0].example), (481, 0));
        assert_eq!(sorted.len(), KINDS);
        assert_eq!(groups.others(), 5_001 - KINDS as u64);
    }
}
