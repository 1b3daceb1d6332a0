//! A bounded buffer from one thread to another that polls.
//!
//! A channel of single tasks costs an operation a task, and a channel of batches would hold back a started batch
//! while its producer does something slow. Here the consumer takes whatever is there, in one swap.

use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::wake::Waker;

/// The buffer; clones are the same one.
#[derive(Debug)]
pub struct Handoff<T, E>(Arc<Shared<T, E>>);

impl<T, E> Clone for Handoff<T, E> {
    fn clone(&self) -> Self {
        Handoff(Arc::clone(&self.0))
    }
}

#[derive(Debug)]
struct Shared<T, E> {
    state: Mutex<State<T, E>>,
    room: Condvar,
    capacity: usize,
    hungry: AtomicBool,
    consumer: Waker,
}

#[derive(Debug)]
struct State<T, E> {
    items: Vec<T>,
    end: Option<E>,
    closed: bool,
}

/// The consumer takes nothing any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed;

impl<T, E> Handoff<T, E> {
    /// An empty one; a producer waits while `capacity` items or more are in it. `consumer` is woken only when it
    /// said that it is hungry.
    pub fn new(capacity: usize, consumer: Waker) -> Self {
        let state = Mutex::new(State { items: Vec::new(), end: None, closed: false });
        let hungry = AtomicBool::new(false);
        Handoff(Arc::new(Shared { state, room: Condvar::new(), capacity, hungry, consumer }))
    }

    /// Adds one item, when there is room.
    ///
    /// # Errors
    /// When the consumer takes nothing any more.
    #[inline]
    pub fn push(&self, item: T) -> Result<(), Closed> {
        self.room()?.items.push(item);
        self.wake();
        Ok(())
    }

    /// Moves all of `items` in, when there is room; the buffer may exceed its capacity by one batch.
    ///
    /// # Errors
    /// When the consumer takes nothing any more.
    pub fn append(&self, items: &mut Vec<T>) -> Result<(), Closed> {
        self.room()?.items.append(items);
        self.wake();
        Ok(())
    }

    /// Says that nothing follows, and how it ended.
    pub fn end(&self, end: E) {
        self.lock().end = Some(end);
        self.wake();
    }

    /// Takes all that is there, and the end when nothing follows. When it finds nothing, the consumer is hungry: the next
    /// push wakes it.
    pub fn take(&self) -> (Vec<T>, Option<E>) {
        let mut state = self.lock();
        let items = mem::take(&mut state.items);
        let end = state.end.take();
        if items.is_empty() && end.is_none() {
            self.0.hungry.store(true, Ordering::SeqCst);
        } else {
            self.0.room.notify_all();
        }
        (items, end)
    }

    /// Whether a `take` would find something. Says hungry when it would not.
    pub fn has_some(&self) -> bool {
        let state = self.lock();
        let some = !state.items.is_empty() || state.end.is_some();
        if !some {
            self.0.hungry.store(true, Ordering::SeqCst);
        }
        some
    }

    /// Nothing will be taken any more: a producer that waits for room hears it.
    pub fn close(&self) {
        self.lock().closed = true;
        self.0.room.notify_all();
    }

    fn room(&self) -> Result<MutexGuard<'_, State<T, E>>, Closed> {
        let mut state = self.lock();
        while state.items.len() >= self.0.capacity && !state.closed {
            state = self.0.room.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.closed { Err(Closed) } else { Ok(state) }
    }

    #[inline]
    fn wake(&self) {
        if self.0.hungry.load(Ordering::SeqCst) && self.0.hungry.swap(false, Ordering::SeqCst) {
            self.0.consumer.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<T, E>> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::wake::wake_pair;

    #[test]
    fn a_million_items_arrive_in_order_through_a_small_buffer() {
        let (waker, mut wake) = wake_pair().expect("eventfd");
        let handoff = Handoff::<u32, ()>::new(64, waker);
        let producer = handoff.clone();
        let thread = std::thread::spawn(move || {
            for number in 0..1_000_000 {
                producer.push(number).expect("open");
            }
            producer.end(());
        });
        let mut expected = 0;
        loop {
            let (items, end) = handoff.take();
            for item in items {
                assert_eq!(item, expected);
                expected += 1;
            }
            if end.is_some() {
                break;
            }
            wake.sleep_unless(|| handoff.has_some(), None).expect("poll");
        }
        assert_eq!(expected, 1_000_000);
        thread.join().expect("no panic");
    }

    #[test]
    fn a_producer_that_waits_for_room_hears_that_it_is_closed() {
        let (waker, _wake) = wake_pair().expect("eventfd");
        let handoff = Handoff::<u32, ()>::new(1, waker);
        handoff.push(1).expect("room");
        let producer = handoff.clone();
        let thread = std::thread::spawn(move || producer.push(2));
        handoff.close();
        assert_eq!(thread.join().expect("no panic"), Err(Closed));
    }
}
