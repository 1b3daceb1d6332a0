//! What each thread of a worker runs, in memory that outlives the worker.
//!
//! Each thread writes the attempt that it starts into its slot before it calls the script. When the process dies, however
//! it dies, the coordinator reads from its own mapping which attempts were running.
#![expect(unsafe_code, reason = "a shared mapping, seen as an array of atomics")]

use std::io;
use std::num::NonZero;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;
use std::slice;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};
use nix::sys::stat::fstat;
use nix::unistd::ftruncate;

use super::clock::{self, Pauses};

/// More threads than any machine runs: 64 MiB of slots.
const MOST_SLOTS: u32 = 1 << 20;

const ALLOCATION_FAILED: u32 = 1;

/// What one thread (or coroutine) runs. A cache line each, so that threads do not slow each other down.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct Slot {
    /// 0: idle.
    handle: AtomicU64,
    started_ns: AtomicU64,
    /// The handle of an attempt that is over its time.
    over: AtomicU64,
    /// Since when the coroutine computes whose slot this is; 0: it waits, or it is no coroutine's.
    computes_since_ns: AtomicU64,
    flags: AtomicU32,
}

/// The attempt that a slot says is running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Running {
    /// The handle given to [`Slot::begin`].
    pub handle: u64,
    /// Its start, by [`monotonic_ns`](super::clock::monotonic_ns).
    pub started_ns: u64,
}

impl Slot {
    /// One of this process alone, outside of any mapping.
    pub const fn idle() -> Self {
        Slot {
            handle: AtomicU64::new(0),
            started_ns: AtomicU64::new(0),
            over: AtomicU64::new(0),
            computes_since_ns: AtomicU64::new(0),
            flags: AtomicU32::new(0),
        }
    }

    /// The handle of what runs, 0 when idle: what the owner of the slot asks for. One plain load on x86.
    pub fn handle(&self) -> u64 {
        self.handle.load(Ordering::Relaxed)
    }

    /// An attempt starts. `handle` is not 0, and no two attempts of one worker have the same. Three plain stores on x86.
    pub fn begin(&self, handle: u64, now_ns: u64) {
        debug_assert!(handle != 0, "0 means idle");
        self.flags.store(0, Ordering::Relaxed);
        // Release: whoever sees the new time also sees that the former attempt has ended.
        self.started_ns.store(now_ns, Ordering::Release);
        self.handle.store(handle, Ordering::Release);
    }

    /// The attempt has ended. One plain store on x86.
    pub fn end(&self) {
        self.handle.store(0, Ordering::Release);
    }

    /// What runs, if anything. Never mixes two attempts, also when the thread goes on meanwhile.
    pub fn running(&self) -> Option<Running> {
        loop {
            let handle = self.handle.load(Ordering::Acquire);
            if handle == 0 {
                return None;
            }
            let started_ns = self.started_ns.load(Ordering::Acquire);
            if self.handle.load(Ordering::Acquire) == handle {
                return Some(Running { handle, started_ns });
            }
        }
    }

    /// Says that the attempt is over its time; nothing happens to another one that has begun meanwhile.
    pub fn set_over(&self, handle: u64) {
        self.over.store(handle, Ordering::Release);
    }

    /// Whether what runs was said to be over its time. Safe to call in a signal handler of the owner's thread.
    pub fn is_over(&self) -> bool {
        let handle = self.handle();
        handle != 0 && self.over.load(Ordering::Acquire) == handle
    }

    /// The coroutine goes on at this time.
    pub fn computes(&self, now_ns: u64) {
        self.computes_since_ns.store(now_ns, Ordering::Relaxed);
    }

    /// The coroutine waits, or has ended.
    pub fn waits(&self) {
        self.computes_since_ns.store(0, Ordering::Relaxed);
    }

    /// Since when the coroutine computes, if it does: the others of its thread wait for that long.
    pub fn computes_since(&self) -> Option<u64> {
        Some(self.computes_since_ns.load(Ordering::Relaxed)).filter(|since| *since != 0)
    }

    /// Says that the system refused memory to this attempt. Safe to call in an allocator and in a signal handler.
    pub fn set_allocation_failed(&self) {
        self.flags.fetch_or(ALLOCATION_FAILED, Ordering::Relaxed);
    }

    /// Whether memory was refused since the last [`begin`](Self::begin).
    pub fn allocation_failed(&self) -> bool {
        self.flags.load(Ordering::Relaxed) & ALLOCATION_FAILED != 0
    }
}

/// A shared mapping of slots, with the clock of the run before them.
#[derive(Debug)]
pub struct Slots {
    pauses: NonNull<Pauses>,
    first: NonNull<Slot>,
    count: usize,
}

// SAFETY: the mapping is memory like any other, and `Slot` is made of atomics.
unsafe impl Send for Slots {}
// SAFETY: as above.
unsafe impl Sync for Slots {}

impl Slots {
    /// New idle slots, and the descriptor by which another process can map them. Errors with `EINVAL` when there are none or
    /// more than a million.
    pub fn create(count: u32) -> io::Result<(Self, OwnedFd)> {
        let bytes = size_of_slots(count)?;
        let fd = memfd_create("mpms-slots", MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING)?;
        ftruncate(&fd, i64::try_from(bytes.get()).expect("at most 64 MiB"))?;
        // A worker that cuts the file would make the coordinator's next look a SIGBUS.
        fcntl(
            &fd,
            FcntlArg::F_ADD_SEALS(SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SEAL),
        )?;
        Ok((Self::map(fd.as_fd(), count)?, fd))
    }

    /// Maps the slots behind a descriptor; it may be closed afterwards. Errors with `EINVAL` when it has no room for `count`.
    pub fn map(fd: BorrowedFd<'_>, count: u32) -> io::Result<Self> {
        let bytes = size_of_slots(count)?;
        let room = usize::try_from(fstat(fd)?.st_size).unwrap_or(0);
        if room < bytes.get() {
            return Err(io::Error::from(Errno::EINVAL));
        }
        let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a new mapping at an address that the kernel chooses touches nothing that exists.
        let first = unsafe { mmap(None, bytes, access, MapFlags::MAP_SHARED, fd, 0)? };
        let pauses: NonNull<Pauses> = first.cast();
        // SAFETY: the mapping has room for what `size_of_slots` counts, thus for more than this.
        let first = unsafe { pauses.add(1) }.cast();
        Ok(Self { pauses, first, count: usize::try_from(count).expect("at most 2^20") })
    }

    /// Tells the process on the other side for how long the run was paused. It is stopped, or has not begun.
    pub fn tell_pauses(&self) {
        // SAFETY: mapped as long as `self`, aligned as a page is, and made of atomics.
        unsafe { self.pauses.as_ref() }.set_to_own();
    }

    /// The slot of thread `index`, which is below [`len`](Self::len).
    pub fn slot(&self, index: usize) -> &Slot {
        &self.as_slice()[index]
    }

    /// Number of slots, at least 1.
    #[expect(clippy::len_without_is_empty, reason = "it is never empty")]
    pub fn len(&self) -> usize {
        self.count
    }

    /// All slots, in order.
    pub fn iter(&self) -> slice::Iter<'_, Slot> {
        self.as_slice().iter()
    }

    /// Keeps the mapping for as long as the process lives, for threads and hooks that never end before it. The clock of
    /// this process is from now on the one that the other side tells.
    pub fn leak(self) -> &'static [Slot] {
        // SAFETY: mapped as long as the process lives, since `Drop` does not run; made of atomics.
        clock::follow(unsafe { self.pauses.as_ref() });
        // SAFETY: as in `as_slice`; the mapping is never removed, since `Drop` does not run.
        let slots = unsafe { slice::from_raw_parts(self.first.as_ptr(), self.count) };
        std::mem::forget(self);
        slots
    }

    fn as_slice(&self) -> &[Slot] {
        // SAFETY: the mapping is page-aligned, `count` slots long (checked against the file, which is sealed), and lives as long
        // as `self`. Every bit pattern is a valid `Slot`, and other processes change it through atomics only.
        unsafe { slice::from_raw_parts(self.first.as_ptr(), self.count) }
    }
}

impl<'a> IntoIterator for &'a Slots {
    type Item = &'a Slot;
    type IntoIter = slice::Iter<'a, Slot>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl Drop for Slots {
    fn drop(&mut self) {
        // SAFETY: the range is the one that `map` got, and no reference into it outlives `self`.
        let _ = unsafe { munmap(self.pauses.cast(), size_of::<Pauses>() + self.count * size_of::<Slot>()) };
    }
}

fn size_of_slots(count: u32) -> io::Result<NonZero<usize>> {
    let count = usize::try_from(count.min(MOST_SLOTS + 1)).expect("at most 2^20 + 1");
    let valid = NonZero::new(count).filter(|count| count.get() <= MOST_SLOTS as usize);
    let slots = valid.and_then(|count| count.checked_mul(NonZero::new(size_of::<Slot>())?));
    let bytes = slots.and_then(|slots| slots.checked_add(size_of::<Pauses>()));
    bytes.ok_or_else(|| io::Error::from(Errno::EINVAL))
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd as _;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::{Running, Slot, Slots};

    #[test]
    fn what_one_mapping_begins_the_other_sees_running() {
        let (here, fd) = Slots::create(3).expect("create");
        let there = Slots::map(fd.as_fd(), 3).expect("map");
        drop(fd);
        assert!(there.iter().all(|slot| slot.running().is_none()));
        here.slot(2).begin(77, 1234);
        here.slot(2).set_allocation_failed();
        assert_eq!(there.slot(2).running(), Some(Running { handle: 77, started_ns: 1234 }));
        assert!(there.slot(2).allocation_failed() && !there.slot(1).allocation_failed());
        here.slot(2).end();
        assert_eq!(there.slot(2).running(), None);
        here.slot(2).begin(78, 1235);
        assert!(!there.slot(2).allocation_failed());
    }

    #[test]
    fn absurd_counts_and_short_files_are_refused() {
        assert!(Slots::create(0).is_err());
        assert!(Slots::create(u32::MAX).is_err());
        let (_slots, fd) = Slots::create(1).expect("create");
        assert!(Slots::map(fd.as_fd(), 2).is_err(), "room for one");
        assert!(nix::unistd::ftruncate(&fd, 0).is_err(), "the size is sealed");
    }

    #[test]
    fn a_slot_is_one_cache_line() {
        assert_eq!((size_of::<Slot>(), align_of::<Slot>()), (64, 64));
    }

    #[test]
    fn a_reader_never_sees_the_handle_of_one_attempt_with_the_time_of_another() {
        let (slots, _fd) = Slots::create(1).expect("create");
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for handle in 1..2_000_000 {
                    slots.slot(0).begin(handle, handle * 10);
                    slots.slot(0).end();
                }
                stop.store(true, Ordering::Relaxed);
            });
            while !stop.load(Ordering::Relaxed) {
                if let Some(Running { handle, started_ns }) = slots.slot(0).running() {
                    assert_eq!(started_ns, handle * 10);
                }
            }
        });
    }
}
