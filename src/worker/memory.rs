//! The limit of memory: of the process, and the share of each Lua state, which trips first.
//!
//! Lua recovers from a refusal of its own limit and the task fails; one by the system ends the process. So the shares
//! together stay below `memory`, and the system's limit lies above it by what the process needs besides.

use crate::lua::state::State;
use crate::os::{limits, memory};
use crate::wire::to_worker::{Bounds, Setup};

/// Of the process for itself: results on their way, the library.
const LEAST_RESERVE: u64 = 2 << 20;
const MOST_RESERVE: u64 = 64 << 20;
/// A state with the library and a small script needs less.
const LEAST_SHARE: u64 = 1 << 20;
/// A thread's stack and what the allocator keeps for it.
const A_THREAD: u64 = 4 << 20;
/// What the process maps besides.
const BESIDES: u64 = 32 << 20;

/// Limits this process, before it has threads.
pub fn limit_process(bounds: &Bounds, threads: u32) {
    if bounds.memory != u64::MAX {
        let now = memory::data_self().unwrap_or(0);
        let more = now.saturating_add(u64::from(threads) * A_THREAD).saturating_add(BESIDES);
        // without it the limits of the states remain
        let _ = limits::limit_data(bounds.memory.saturating_add(more));
    }
}

/// Gives a state its share.
pub fn limit_state(state: &State, setup: &Setup) {
    let Bounds { memory, .. } = setup.bounds;
    if memory == u64::MAX {
        return;
    }
    let states = u64::from(setup.threads) + u64::from(setup.process_roles);
    let reserve = (memory / 8).clamp(LEAST_RESERVE, MOST_RESERVE);
    let share = (memory.saturating_sub(reserve) / states).max(LEAST_SHARE);
    let words = match setup.threads {
        1 => format!("memory limit {}", setup.bounds.memory_words()),
        threads => {
            format!(
                "memory limit {}, of which each of {threads} threads has a part",
                setup.bounds.memory_words()
            )
        }
    };
    let share = usize::try_from(share).unwrap_or(usize::MAX);
    // only an allocator that is not mlua's could refuse
    let _ = state.bridge.limit_memory(share, words);
}
