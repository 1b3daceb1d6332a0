//! Tasks in memory, named by handles that are never used twice.

use crate::model::Handle;

/// Values in slots; a freed slot is used again under another generation, so memory follows the largest number of
/// values at one time, not the number ever stored.
#[derive(Debug)]
pub(super) struct Slab<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
    len: usize,
}

#[derive(Debug)]
struct Slot<T> {
    generation: u32,
    value: Option<T>,
}

impl<T> Slab<T> {
    pub(super) fn new() -> Self {
        Slab { slots: Vec::new(), free: Vec::new(), len: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) fn insert(&mut self, value: T) -> Handle {
        self.len += 1;
        if let Some(index) = self.free.pop() {
            let slot = &mut self.slots[index as usize];
            slot.value = Some(value);
            return handle(index, slot.generation);
        }
        let index = u32::try_from(self.slots.len()).expect("memory ends before 2^32 tasks of 100 bytes");
        self.slots.push(Slot { generation: 1, value: Some(value) });
        handle(index, 1)
    }

    #[inline]
    pub(super) fn get(&self, handle: Handle) -> Option<&T> {
        let (index, generation) = parts(handle);
        self.slots.get(index).filter(|slot| slot.generation == generation)?.value.as_ref()
    }

    #[inline]
    pub(super) fn get_mut(&mut self, handle: Handle) -> Option<&mut T> {
        let (index, generation) = parts(handle);
        self.slots.get_mut(index).filter(|slot| slot.generation == generation)?.value.as_mut()
    }

    #[inline]
    pub(super) fn remove(&mut self, handle: Handle) -> Option<T> {
        let (index, generation) = parts(handle);
        let slot = self.slots.get_mut(index).filter(|slot| slot.generation == generation)?;
        let value = slot.value.take()?;
        self.len -= 1;
        // A slot whose generations are used up is retired: no handle ever returns.
        if let Some(next) = generation.checked_add(1) {
            slot.generation = next;
            #[expect(clippy::cast_possible_truncation, reason = "handles hold 32 bits of index")]
            self.free.push(index as u32);
        }
        Some(value)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Handle, &T)> {
        let named = |(index, slot): (usize, &'_ Slot<T>)| {
            let index = u32::try_from(index).expect("memory ends before 2^32 tasks of 100 bytes");
            handle(index, slot.generation)
        };
        self.slots.iter().enumerate().filter_map(move |slot| Some((named(slot), slot.1.value.as_ref()?)))
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &T> {
        self.slots.iter().filter_map(|slot| slot.value.as_ref())
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.slots.len()
    }
}

fn handle(index: u32, generation: u32) -> Handle {
    Handle::new(u64::from(generation) << 32 | u64::from(index)).expect("generations start at 1")
}

fn parts(handle: Handle) -> (usize, u32) {
    let bits = handle.bits();
    #[expect(clippy::cast_possible_truncation, reason = "the two halves")]
    (bits as u32 as usize, (bits >> 32) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_handle_never_names_a_new_value() {
        let mut slab = Slab::new();
        let first = slab.insert('a');
        assert_eq!(slab.remove(first), Some('a'));
        let second = slab.insert('b');
        assert_eq!((slab.capacity(), slab.len()), (1, 1));
        assert_ne!(first, second);
        assert_eq!(slab.get(first), None);
        assert_eq!(slab.remove(first), None);
        assert_eq!(slab.get(second), Some(&'b'));
    }

    #[test]
    fn a_slot_with_no_generation_left_is_retired() {
        let mut slab = Slab::new();
        slab.insert('a');
        slab.slots[0].generation = u32::MAX;
        let last = handle(0, u32::MAX);
        assert_eq!(slab.remove(last), Some('a'));
        slab.insert('b');
        assert_eq!((slab.capacity(), slab.get(last)), (2, None));
    }

    #[test]
    fn foreign_handles_name_nothing() {
        let mut slab = Slab::new();
        slab.insert('a');
        for bits in [1, u64::MAX, 1 << 32 | 7, 2 << 32] {
            assert_eq!(slab.get(Handle::new(bits).expect("not 0")), None);
        }
    }
}
