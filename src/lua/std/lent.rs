//! Things that one call at a time may use, also while it waits: they are taken out and put back when the call ends,
//! however it ends. No borrow is held meanwhile, so others may ask, and are told.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};

use crate::lua::error::LibError;

enum Place<T> {
    Here(T),
    Lent,
    Closed,
}

/// Holds one thing.
pub(super) struct Slot<T> {
    /// For errors: `the socket`.
    name: &'static str,
    place: RefCell<Place<T>>,
}

impl<T> Slot<T> {
    /// `name` is what errors call it.
    pub fn new(name: &'static str, value: T) -> Self {
        Self { name, place: RefCell::new(Place::Here(value)) }
    }

    /// The thing itself, until the result is dropped.
    ///
    /// # Errors
    /// `busy` while another call has it; `invalid` when it is closed.
    pub fn lend(&self) -> Result<Lent<'_, T>, LibError> {
        match self.place.replace(Place::Lent) {
            Place::Here(value) => Ok(Lent { slot: self, value: Some(value) }),
            Place::Lent => {
                Err(LibError::new("busy", format!("{} is in use by a call that has not returned", self.name)))
            }
            Place::Closed => {
                self.place.replace(Place::Closed);
                Err(LibError::invalid(format!("{} is closed", self.name)))
            }
        }
    }

    /// Takes it away for good; what is lent goes when it comes back.
    pub fn close(&self) -> Option<T> {
        match self.place.replace(Place::Closed) {
            Place::Here(value) => Some(value),
            Place::Lent | Place::Closed => None,
        }
    }

    /// Whether it was closed.
    pub fn is_closed(&self) -> bool {
        matches!(*self.place.borrow(), Place::Closed)
    }
}

/// A thing that is in use.
pub(super) struct Lent<'a, T> {
    slot: &'a Slot<T>,
    value: Option<T>,
}

impl<T> Deref for Lent<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.value.as_ref().expect("only the drop takes it out")
    }
}

impl<T> DerefMut for Lent<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.value.as_mut().expect("only the drop takes it out")
    }
}

impl<T> Drop for Lent<'_, T> {
    fn drop(&mut self) {
        let mut place = self.slot.place.borrow_mut();
        if let (Place::Lent, Some(value)) = (&*place, self.value.take()) {
            *place = Place::Here(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Slot;

    #[test]
    fn one_call_at_a_time_has_it() {
        let slot = Slot::new("the thing", 1);
        let mut lent = slot.lend().expect("free");
        *lent += 1;
        let error = slot.lend().err().expect("lent");
        assert_eq!(
            (error.code(), error.message()),
            ("busy", "the thing is in use by a call that has not returned")
        );
        drop(lent);
        assert_eq!(*slot.lend().expect("free again"), 2);
        let lent = slot.lend().expect("free");
        assert_eq!((slot.close(), slot.is_closed()), (None, true));
        drop(lent);
        assert_eq!(slot.lend().err().expect("closed").message(), "the thing is closed");
        assert_eq!(Slot::new("x", 3).close(), Some(3));
    }
}
