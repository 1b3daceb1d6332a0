//! The allocator of the whole program: the system's, which says so when it is refused memory.
//!
//! A refusal ends the process soon. The note in the slot of the thread is how the coordinator knows why.
#![expect(unsafe_code, reason = "an allocator")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use super::slots::Slot;

struct Noting;

#[global_allocator]
static ALLOCATOR: Noting = Noting;

thread_local! {
    static BLAMED: Cell<Option<&'static Slot>> = const { Cell::new(None) };
}

/// From now on a refusal on this thread is noted in `slot`.
pub fn blame(slot: &'static Slot) {
    BLAMED.set(Some(slot));
}

#[inline]
fn noted(memory: *mut u8) -> *mut u8 {
    if memory.is_null() {
        note();
    }
    memory
}

#[cold]
fn note() {
    // a thread that is about to end has no slot any more
    let _ = BLAMED.try_with(|blamed| blamed.get().map(Slot::set_allocation_failed));
}

// SAFETY: all calls go to the system's allocator as they are
unsafe impl GlobalAlloc for Noting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise
        noted(unsafe { System.alloc(layout) })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise
        noted(unsafe { System.alloc_zeroed(layout) })
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller's promise
        noted(unsafe { System.realloc(memory, layout, size) })
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise
        unsafe { System.dealloc(memory, layout) }
    }
}
