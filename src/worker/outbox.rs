//! What the process has to say, collected so that many outcomes leave in one system call.
//!
//! An outcome leaves when its thread has nothing else to do, when the frame is full, when the last write is
//! 200 µs ago, and at the latest after a millisecond, by the reading thread.

use std::borrow::Cow;
use std::io;
use std::mem;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::model::outcome::Effects;
use crate::model::{Failure, Handle};
use crate::os::clock::monotonic_ns;
use crate::os::socket::Socket;
use crate::os::wake::Waker;
use crate::wire::frame;
use crate::wire::from_worker::{self, Line, Progress};

/// A thread that goes on with the next task writes after this time.
const EVERY_NS: u64 = 200_000;
/// Lines that come faster than the coordinator reads wait here up to this size; then their threads do.
const MOST_BYTES: usize = 1 << 20;
/// Bytes of states that leave at once in [`SAVES_NS`], each counted with 4 KiB more: a dozen of small ones, or one large one.
/// Of a task that saves more often the newest waits until that time is over.
const SAVES_BYTES: usize = 64 << 10;
const SAVE_BYTES: usize = 4 << 10;
const SAVES_NS: u64 = 10_000_000;
/// Of the words of a task, no more crosses at once: a frame has a limit, and breaking it is the end of the process.
const LONGEST_TEXT: usize = 64 << 10;

/// Messages on their way out.
pub struct Outbox {
    socket: Arc<Socket>,
    reader: Waker,
    pending: AtomicBool,
    collected: Mutex<Collected>,
    /// Held while writing; with it, the buffer that the next one fills.
    spare: Mutex<Vec<u8>>,
}

#[derive(Default)]
struct Collected {
    bytes: Vec<u8>,
    /// Where the frame of outcomes begins that is still open.
    open: Option<usize>,
    written_ns: u64,
    /// Of each task whose state has to wait, the newest one.
    states: Vec<(Handle, Vec<u8>)>,
    /// When the time began in which so many bytes of states have left.
    states_ns: u64,
    states_bytes: usize,
}

impl Collected {
    fn outcomes(&mut self) -> &mut Vec<u8> {
        if !self.states.is_empty() {
            self.put_states();
        }
        // other threads may push while one writes: two large results would be too much for a frame
        if self.open.is_some_and(|at| self.bytes.len() - at >= frame::FULL) {
            self.closed();
        }
        if self.open.is_none() {
            self.open = Some(frame::begin(&mut self.bytes, from_worker::OUTCOMES));
        }
        &mut self.bytes
    }

    fn closed(&mut self) -> &mut Vec<u8> {
        if let Some(at) = self.open.take() {
            frame::end(&mut self.bytes, at);
        }
        &mut self.bytes
    }

    /// A state must be out before the outcome of its task.
    #[cold]
    fn put_states(&mut self) {
        self.closed();
        for (task, state) in mem::take(&mut self.states) {
            self.put_state(task, &state);
        }
    }

    fn put_state(&mut self, task: Handle, state: &[u8]) {
        self.states_bytes += state.len() + SAVE_BYTES;
        from_worker::put_saved(self.closed(), task, state);
    }

    /// Whether another state may leave now.
    fn may_send_state(&mut self, now_ns: u64) -> bool {
        if now_ns.saturating_sub(self.states_ns) >= SAVES_NS {
            (self.states_ns, self.states_bytes) = (now_ns, 0);
        }
        self.states_bytes < SAVES_BYTES
    }
}

impl Outbox {
    /// One that writes to `socket`; `reader` wakes the thread that cares for what lingers.
    pub fn new(socket: Arc<Socket>, reader: Waker) -> Self {
        Outbox {
            socket,
            reader,
            pending: AtomicBool::new(false),
            collected: Mutex::default(),
            spare: Mutex::default(),
        }
    }

    /// The attempt returned.
    ///
    /// # Errors
    /// When the coordinator is gone.
    #[inline]
    pub fn push_done(
        &self,
        handle: Handle,
        elapsed_ns: u64,
        now_ns: u64,
        values: &[u8],
        effects: Option<&Effects>,
    ) -> io::Result<()> {
        let mut collected = self.lock();
        from_worker::put_done(collected.outcomes(), handle.bits(), elapsed_ns, values, effects);
        self.pushed(collected, now_ns)
    }

    /// The attempt had nothing to do.
    ///
    /// # Errors
    /// When the coordinator is gone.
    pub fn push_skipped(&self, handle: Handle, elapsed_ns: u64, now_ns: u64, reason: &str) -> io::Result<()> {
        let mut collected = self.lock();
        from_worker::put_skipped(collected.outcomes(), handle.bits(), elapsed_ns, reason);
        self.pushed(collected, now_ns)
    }

    /// The attempt failed.
    ///
    /// # Errors
    /// When the coordinator is gone.
    pub fn push_failed(
        &self,
        handle: Handle,
        elapsed_ns: u64,
        now_ns: u64,
        failure: &Failure,
    ) -> io::Result<()> {
        let mut collected = self.lock();
        from_worker::put_failed(collected.outcomes(), handle.bits(), elapsed_ns, &shortened(failure));
        self.pushed(collected, now_ns)
    }

    /// A line, which need not be written at once.
    pub fn push_line(&self, mut line: Line) {
        cut(&mut line.text);
        for (name, text) in &mut line.fields {
            cut(name);
            cut(text);
        }
        self.push_words(|out| from_worker::put_line(out, &line));
    }

    /// A file came in by `require`.
    pub fn push_loaded(&self, path: &Path, hash: u128) {
        from_worker::put_loaded(self.lock().closed(), path, hash);
        self.pending.store(true, Ordering::Relaxed);
        self.nudge();
    }

    /// The process wants to be replaced.
    pub fn push_retire(&self, reason: &str) {
        from_worker::put_retire(self.lock().closed(), reason);
        self.pending.store(true, Ordering::Relaxed);
        self.nudge();
    }

    /// What a task saved. It leaves at once, or within 10 ms when the process has just sent many states, or a large one.
    ///
    /// # Errors
    /// When the coordinator is gone.
    pub fn push_state(&self, task: Handle, state: &[u8]) -> io::Result<()> {
        let now_ns = monotonic_ns();
        let mut collected = self.lock();
        collected.states.retain(|(other, _)| *other != task);
        if !collected.may_send_state(now_ns) {
            collected.states.push((task, state.to_vec()));
            drop(collected);
            self.pending.store(true, Ordering::Relaxed);
            self.nudge();
            return Ok(());
        }
        collected.put_states();
        collected.put_state(task, state);
        drop(collected);
        self.flush()
    }

    /// A task uses its folder.
    pub fn push_housed(&self, task: Handle) {
        from_worker::put_housed(self.lock().closed(), task);
        self.pending.store(true, Ordering::Relaxed);
        self.nudge();
    }

    /// How far a task is.
    pub fn push_progress(&self, mut progress: Progress) {
        progress.message.as_mut().map(cut);
        self.push_words(|out| from_worker::put_progress(out, &progress));
    }

    fn push_words(&self, put: impl FnOnce(&mut Vec<u8>)) {
        let mut collected = self.lock();
        let out = collected.closed();
        put(out);
        let is_full = out.len() >= MOST_BYTES;
        drop(collected);
        self.pending.store(true, Ordering::Relaxed);
        if is_full {
            // that the coordinator is gone is seen by whoever pushes the outcome
            let _ = self.flush();
        } else {
            self.nudge();
        }
    }

    /// The answer to a recall, at once.
    ///
    /// # Errors
    /// When the coordinator is gone.
    pub fn push_returned(&self, handles: &[Handle]) -> io::Result<()> {
        super::put_handles(self.lock().closed(), handles);
        self.flush()
    }

    /// The process cannot work; at once.
    ///
    /// # Errors
    /// When the coordinator is gone.
    pub fn push_broken(&self, failure: &Failure) -> io::Result<()> {
        from_worker::put_broken(self.lock().closed(), &shortened(failure));
        self.flush()
    }

    /// Whether something waits.
    pub fn has_pending(&self) -> bool {
        self.pending.load(Ordering::Relaxed)
    }

    /// The thread goes on with another task: someone else must see to it that what waits leaves in time.
    #[inline]
    pub fn nudge(&self) {
        if self.has_pending() {
            self.reader.wake();
        }
    }

    /// Writes all that was collected; waits when the coordinator does not read.
    ///
    /// # Errors
    /// When the coordinator is gone.
    pub fn flush(&self) -> io::Result<()> {
        // also keeps the order of writes the order of collecting
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        {
            let mut collected = self.lock();
            collected.closed();
            collected.written_ns = monotonic_ns();
            let now_ns = collected.written_ns;
            if !collected.states.is_empty() && collected.may_send_state(now_ns) {
                collected.put_states();
            }
            self.pending.store(!collected.states.is_empty(), Ordering::Relaxed);
            mem::swap(&mut collected.bytes, &mut spare);
        }
        let result = if spare.is_empty() { Ok(()) } else { self.socket.write_all(&spare) };
        spare.clear();
        if spare.capacity() > 8 * frame::FULL {
            *spare = Vec::new();
        }
        result
    }

    /// Writes what was collected if the last write is that long ago.
    ///
    /// # Errors
    /// When the coordinator is gone.
    pub fn flush_older_than(&self, age: Duration, now_ns: u64) -> io::Result<()> {
        let written_ns = self.lock().written_ns;
        if self.has_pending() && u128::from(now_ns.saturating_sub(written_ns)) >= age.as_nanos() {
            return self.flush();
        }
        Ok(())
    }

    #[inline]
    fn pushed(&self, collected: MutexGuard<'_, Collected>, now_ns: u64) -> io::Result<()> {
        let due =
            collected.bytes.len() >= frame::FULL || now_ns.saturating_sub(collected.written_ns) >= EVERY_NS;
        drop(collected);
        if due {
            return self.flush();
        }
        self.pending.store(true, Ordering::Relaxed);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Collected> {
        self.collected.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A failure whose texts fit into a frame.
fn shortened(failure: &Failure) -> Cow<'_, Failure> {
    let traceback = failure.traceback.as_deref().unwrap_or_default();
    if [failure.code.as_str(), &failure.message, traceback].iter().all(|text| text.len() <= LONGEST_TEXT) {
        return Cow::Borrowed(failure);
    }
    let mut failure = failure.clone();
    cut(&mut failure.code);
    cut(&mut failure.message);
    failure.traceback.as_mut().map(cut);
    Cow::Owned(failure)
}

fn cut(text: &mut String) {
    if text.len() > LONGEST_TEXT {
        let whole = text.len();
        text.truncate(text.floor_char_boundary(LONGEST_TEXT));
        text.push_str(&format!("… ({whole} bytes)"));
        text.shrink_to_fit();
    }
}
