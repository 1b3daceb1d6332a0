//! Tasks that wait in the process. Every thread pulls one at a time, so that a long task holds back no other.

use std::collections::VecDeque;
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::lua::std::runtime::Interrupt;
use crate::model::Handle;
use crate::wire::to_worker;

/// The queue of one process.
#[derive(Default)]
pub struct Queue {
    state: Mutex<State>,
    filled: Condvar,
}

/// Wakes a thread that waits for other things too.
pub type Wake = Arc<Interrupt>;

#[derive(Default)]
struct State {
    /// Threads that wait for tasks and for other things.
    sleepers: Vec<Wake>,
    frames: VecDeque<Frame>,
    closed: bool,
    waiting: usize,
}

/// The body of a frame of tasks, read up to `at`.
struct Frame {
    bytes: Vec<u8>,
    at: usize,
}

/// What a thread finds.
pub enum Taken {
    /// A task, copied into the thread's buffer.
    Task,
    /// None at the moment.
    Empty,
    /// None, and none will come.
    Closed,
}

impl Queue {
    /// Adds the tasks of a frame.
    pub fn push(&self, body: &[u8]) {
        let mut state = self.lock();
        state.frames.push_back(Frame { bytes: body.to_vec(), at: 0 });
        match state.waiting {
            0 => {}
            1 => self.filled.notify_one(),
            _ => self.filled.notify_all(),
        }
        let sleepers = mem::take(&mut state.sleepers);
        drop(state);
        sleepers.iter().for_each(|one| one.wake());
    }

    /// As [`take`](Self::take); when there is none, `wake` is woken once when there may be.
    pub fn take_or_wake(&self, record: &mut Vec<u8>, wake: &Wake) -> Taken {
        let mut state = self.lock();
        let taken = take_from(&mut state, record);
        if matches!(taken, Taken::Empty) && !state.sleepers.iter().any(|one| Arc::ptr_eq(one, wake)) {
            state.sleepers.push(Arc::clone(wake));
        }
        taken
    }

    /// Copies the next task's record into `record`.
    pub fn take(&self, record: &mut Vec<u8>) -> Taken {
        take_from(&mut self.lock(), record)
    }

    /// The same, but waits for one.
    pub fn wait(&self, record: &mut Vec<u8>) -> Taken {
        let mut state = self.lock();
        loop {
            match take_from(&mut state, record) {
                Taken::Empty => {}
                found => return found,
            }
            state.waiting += 1;
            state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.waiting -= 1;
        }
    }

    /// Takes out every task that no thread has begun.
    pub fn recall(&self) -> Vec<Handle> {
        let mut handles = Vec::new();
        for frame in self.lock().frames.drain(..) {
            let mut at = frame.at;
            while let Ok(task) = to_worker::take_task(&frame.bytes, &mut at) {
                handles.push(task.handle);
            }
        }
        handles
    }

    /// No task will be pushed any more.
    pub fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        let sleepers = mem::take(&mut state.sleepers);
        drop(state);
        self.filled.notify_all();
        sleepers.iter().for_each(|one| one.wake());
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn take_from(state: &mut State, record: &mut Vec<u8>) -> Taken {
    while let Some(frame) = state.frames.front_mut() {
        let start = frame.at;
        // the bytes are our own coordinator's; a frame that cannot be read ends here and its tasks count as never started
        if start < frame.bytes.len() && to_worker::take_task(&frame.bytes, &mut frame.at).is_ok() {
            record.clear();
            record.extend_from_slice(&frame.bytes[start..frame.at]);
            return Taken::Task;
        }
        state.frames.pop_front();
    }
    if state.closed { Taken::Closed } else { Taken::Empty }
}
