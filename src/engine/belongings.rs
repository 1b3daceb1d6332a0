//! What tasks leave with the coordinator between their attempts: the state of `task.save`, and that they have a folder.
//!
//! A state goes with every later attempt, and to the journal. The newest one goes there once the one before it is kept: of a
//! task at most two are in memory, however often it saves and however long a commit takes.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::engine::entry::At;
use crate::engine::{Action, Engine, WorkerId};
use crate::model::event::{Event, Level, LogLine};
use crate::model::handling::Saved;
use crate::model::outcome::Left;
use crate::model::{Handle, TaskId};

/// Bytes of all states together.
const MOST_BYTES: usize = 256 << 20;

/// Of all tasks that have left anything.
#[derive(Debug, Default)]
pub(super) struct Belongings {
    of: HashMap<TaskId, Belonging>,
    bytes: usize,
    /// Whose states are on their way to the journal, in that order.
    on_way: VecDeque<TaskId>,
    /// For this step's action.
    to_keep: Vec<Saved>,
    /// That a state was too much has been told.
    told: bool,
}

#[derive(Debug, Default)]
struct Belonging {
    state: Option<Arc<[u8]>>,
    journal: InJournal,
    has_dir: bool,
}

/// What the journal has of a state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum InJournal {
    /// None was ever sent there.
    #[default]
    Nothing,
    /// The newest.
    Newest,
    /// The newest is on its way.
    Coming,
    /// One is on its way, and by now there is a newer one.
    Outdated,
}

impl Belongings {
    /// Those of earlier sessions.
    pub(super) fn new(states: &[(TaskId, Arc<[u8]>)], dirs: &[TaskId]) -> Self {
        let mut belongings = Belongings::default();
        for (id, state) in states {
            belongings.bytes += state.len();
            let journal = InJournal::Newest;
            let belonging = Belonging { state: Some(Arc::clone(state)), journal, has_dir: false };
            belongings.of.insert(*id, belonging);
        }
        dirs.iter().for_each(|id| belongings.of.entry(*id).or_default().has_dir = true);
        belongings
    }

    #[inline]
    pub(super) fn state(&self, id: TaskId) -> Option<&[u8]> {
        if self.of.is_empty() { None } else { self.of.get(&id)?.state.as_deref() }
    }

    /// The task has ended.
    #[inline]
    pub(super) fn end(&mut self, id: TaskId) -> Left {
        if self.of.is_empty() { Left::default() } else { self.clear(id) }
    }

    #[cold]
    fn clear(&mut self, id: TaskId) -> Left {
        let Some(belonging) = self.of.remove(&id) else { return Left::default() };
        self.bytes -= belonging.state.map_or(0, |state| state.len());
        Left { state: belonging.journal != InJournal::Nothing, dir: belonging.has_dir }
    }

    /// False when all states together would be too large.
    fn save(&mut self, id: TaskId, state: Option<Arc<[u8]>>, to_journal: bool) -> bool {
        let belonging = self.of.entry(id).or_default();
        let before = belonging.state.as_ref().map_or(0, |state| state.len());
        let bytes = self.bytes - before + state.as_ref().map_or(0, |state| state.len());
        if bytes > MOST_BYTES && bytes > self.bytes {
            return false;
        }
        self.bytes = bytes;
        belonging.state = state;
        if to_journal {
            match belonging.journal {
                InJournal::Nothing | InJournal::Newest => self.send(id),
                InJournal::Coming | InJournal::Outdated => belonging.journal = InJournal::Outdated,
            }
        }
        true
    }

    fn send(&mut self, id: TaskId) {
        let Some(belonging) = self.of.get_mut(&id) else { return };
        belonging.journal = InJournal::Coming;
        self.to_keep.push((id, belonging.state.clone()));
        self.on_way.push_back(id);
    }

    /// So many of those on their way are kept.
    fn kept(&mut self, count: usize) {
        for _ in 0..count.min(self.on_way.len()) {
            let Some(id) = self.on_way.pop_front() else { return };
            match self.of.get_mut(&id).map(|belonging| (belonging.journal, belonging)) {
                Some((InJournal::Coming, belonging)) => belonging.journal = InJournal::Newest,
                Some((InJournal::Outdated, _)) => self.send(id),
                _ => {}
            }
        }
    }

    /// Nothing is waited for any more.
    fn send_rest(&mut self) {
        let outdated = |(id, belonging): (&TaskId, &Belonging)| {
            (belonging.journal == InJournal::Outdated).then_some(*id)
        };
        let mut rest: Vec<TaskId> = self.of.iter().filter_map(outdated).collect();
        rest.sort_unstable();
        rest.into_iter().for_each(|id| self.send(id));
    }
}

impl Engine {
    pub(super) fn saved(&mut self, worker: WorkerId, handle: Handle, state: Option<Arc<[u8]>>) {
        let Some(id) = self.whose(worker, handle, "a state") else { return };
        if self.belongings.save(id, state, self.config.keeps_states && !self.handler_gone) {
            return;
        }
        if !std::mem::replace(&mut self.belongings.told, true) {
            let text = format!(
                "task.save: a state is not kept, and the one before it stays: what all tasks have saved takes {} MiB \
                 already; save less, or write it to a file in task.dir (told once)",
                MOST_BYTES >> 20
            );
            let line = LogLine { level: Level::Warn, from: id.to_string(), text, fields: Vec::new() };
            self.actions.push(Action::Report(Event::Log(line)));
        }
    }

    pub(super) fn housed(&mut self, worker: WorkerId, handle: Handle) {
        if let Some(id) = self.whose(worker, handle, "the folder") {
            self.belongings.of.entry(id).or_default().has_dir = true;
        }
    }

    pub(super) fn kept(&mut self, count: usize) {
        self.belongings.kept(count);
    }

    /// The task, if the worker is heard and holds it.
    fn whose(&mut self, worker: WorkerId, handle: Handle, what: &str) -> Option<TaskId> {
        if !self.seats.get_mut(worker).is_some_and(|seat| seat.is_heard()) {
            return None;
        }
        match self.tasks.get(handle) {
            Some(entry) if entry.at == At::Held(worker) => Some(entry.task.id),
            _ => {
                self.violated(worker, format!("it sent {what} of a task that it does not hold"));
                None
            }
        }
    }

    /// States are on their way before the ends of their tasks are.
    pub(super) fn keep_states(&mut self) {
        if !self.belongings.to_keep.is_empty() && !self.handler_gone {
            self.actions.push(Action::Save(std::mem::take(&mut self.belongings.to_keep)));
        }
    }

    /// The run is over: what was saved while another state was on its way goes too.
    pub(super) fn keep_last_states(&mut self) {
        self.belongings.send_rest();
        self.keep_states();
    }
}
