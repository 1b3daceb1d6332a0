//! Tasks that need the same buckets stand in one lane: only the first of them has to be looked at.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::model::Handle;

pub(in crate::engine) type LaneId = u32;

/// Higher priorities first, then the order of acceptance: the greater rank starts first.
pub(in crate::engine) type Rank = (i32, Reverse<u64>);

/// A lane's place among others. It is void once the lane's stamp has moved on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Turn {
    pub rank: Rank,
    pub lane: LaneId,
    pub stamp: u32,
}

/// Where a lane stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nothing of it is ready.
    #[default]
    Idle,
    /// All its buckets granted when they were last asked.
    Open,
    /// Among the waiters of this bucket.
    Waits(u32),
}

#[derive(Debug, Default)]
pub(super) struct Lane {
    pub key: u128,
    /// One of each limit.
    pub buckets: Box<[u32]>,
    /// Tasks that are ready; those taken out of turn stay behind.
    pub queue: BinaryHeap<(Rank, Handle)>,
    /// Tasks in any state.
    pub tasks: usize,
    pub standing: Standing,
    stamp: u32,
    rank: Rank,
}

impl Lane {
    /// Moves it to another place, with the rank of its first task; `None` when it has none.
    pub(super) fn stand(&mut self, id: LaneId, standing: Standing) -> Option<Turn> {
        self.stamp = self.stamp.wrapping_add(1);
        self.standing = Standing::Idle;
        let (rank, _) = *self.queue.peek()?;
        (self.rank, self.standing) = (rank, standing);
        Some(Turn { rank, lane: id, stamp: self.stamp })
    }

    pub(super) fn has(&self, turn: &Turn) -> bool {
        self.stamp == turn.stamp && self.standing != Standing::Idle
    }

    /// Whether a task of this rank moves the lane forward.
    pub(super) fn is_before(&self, rank: Rank) -> bool {
        rank > self.rank
    }

    /// Everyone has left it.
    pub(super) fn retire(&mut self) {
        self.queue.clear();
        self.stamp = self.stamp.wrapping_add(1);
        self.standing = Standing::Idle;
        self.buckets = Box::default();
    }
}
