//! Random groups against a model in memory, with a new session at random moments.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mpms::journal::record::{EndKind, EndedPosition, EndedTask, FailedTask, Group, OutputMark, key_hash};
use mpms::journal::{Reader, Seen, Writer};
use mpms::model::handling::Cancel;
use mpms::model::task::TaskOptions;
use mpms::model::{Failure, Payload, Task, TaskId, Tried};
use proptest::prelude::*;

use crate::build::{Place, args, ended, given, keyed, place, put_id, seq};

#[derive(Clone, Debug)]
enum Step {
    /// Positions that end, from the next one on, with a gap before.
    Positions {
        gap: u64,
        count: u64,
        kind: u8,
    },
    /// Keys of generated tasks that end.
    Keys(Vec<u8>),
    /// Tasks that are put: (key, priority); which of them end in the same group.
    Puts {
        puts: Vec<(Option<u8>, i8)>,
        ended: Vec<bool>,
        parts: usize,
    },
    /// Puts in parts, taken back.
    Abandoned(Vec<Option<u8>>),
    /// Waiting tasks that end, chosen by number; whether they fail.
    Ends(Vec<(prop::sample::Index, bool)>),
    Tried {
        id: u64,
        starts: u32,
    },
    /// What tasks save, nil among it, and which of them end in the same group.
    Saved {
        states: Vec<(u64, Option<Vec<u8>>)>,
        ended: Vec<u64>,
    },
    /// Puts, keys that are cancelled, more puts.
    Cancels {
        before: Vec<(Option<u8>, i8)>,
        keys: Vec<u8>,
        later: Vec<(Option<u8>, i8)>,
    },
    Meta(Vec<u8>),
    Reopen {
        close: bool,
    },
    RetryFailed,
}

fn step() -> impl Strategy<Value = Step> {
    let key = prop::option::weighted(0.4, 0u8..40);
    let put = (key.clone(), prop_oneof![3 => Just(0i8), 1 => -2i8..3]);
    prop_oneof![
        3 => (0u64..3, 1u64..40, 0u8..3).prop_map(|(gap, count, kind)| Step::Positions { gap, count, kind }),
        2 => prop::collection::vec(0u8..40, 1..5).prop_map(Step::Keys),
        4 => (prop::collection::vec(put.clone(), 1..12), prop::collection::vec(any::<bool>(), 12), 0usize..12)
            .prop_map(|(puts, ended, parts)| Step::Puts { puts, ended, parts }),
        1 => prop::collection::vec(key, 1..6).prop_map(Step::Abandoned),
        4 => prop::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 1..8).prop_map(Step::Ends),
        1 => (1u64..10, 1u32..9).prop_map(|(id, starts)| Step::Tried { id, starts }),
        2 => (
            prop::collection::vec((1u64..10, prop::option::of(prop::collection::vec(any::<u8>(), 0..9_000))), 0..4),
            prop::collection::vec(1u64..10, 0..3),
        )
            .prop_map(|(states, ended)| Step::Saved { states, ended }),
        2 => (
            prop::collection::vec(put.clone(), 0..5),
            prop::collection::vec(0u8..40, 1..6),
            prop::collection::vec(put.clone(), 0..5),
        )
            .prop_map(|(before, keys, later)| Step::Cancels { before, keys, later }),
        1 => prop::collection::vec(any::<u8>(), 0..50).prop_map(Step::Meta),
        2 => any::<bool>().prop_map(|close| Step::Reopen { close }),
        1 => Just(Step::RetryFailed),
    ]
}

#[derive(Default)]
struct Model {
    positions: BTreeSet<u64>,
    next_position: u64,
    done: u64,
    skipped: u64,
    failed_count: u64,
    keyed: u64,
    /// Key to the place that it was put with.
    keys: BTreeMap<u8, Option<u64>>,
    /// In this session.
    new_keys: BTreeSet<u8>,
    waiting: BTreeMap<u64, (Option<u8>, i8, TaskId)>,
    failed: Vec<(TaskId, Option<u8>)>,
    tried: BTreeMap<TaskId, Tried>,
    saved: BTreeMap<TaskId, Vec<u8>>,
    /// Places of waiting tasks that were cancelled.
    marked: BTreeSet<u64>,
    meta: Option<Vec<u8>>,
    last_seq: u64,
    sessions: u64,
    session_has_written: bool,
    is_later: bool,
}

struct Bench {
    place: Place,
    halves: Option<(Writer, Reader)>,
    model: Model,
}

fn name(key: u8) -> String {
    format!("key {key}")
}

fn options(key: Option<u8>, priority: i8) -> Option<Box<TaskOptions>> {
    let options =
        TaskOptions { priority: priority.into(), ..key.map(|key| keyed(&name(key))).unwrap_or_default() };
    (options != TaskOptions::default()).then(|| Box::new(options))
}

fn failed_task(id: TaskId, key: Option<u8>) -> FailedTask {
    FailedTask {
        id,
        key: key.map(|key| name(key).into_bytes().into()),
        args: Payload::copy_from(&id.bits().to_le_bytes()),
        attempt: 1,
        worker: 1,
        elapsed_ns: 1,
        failure: Failure::new("lua_error", "no"),
    }
}

fn waiting_task((key, priority, id): &(Option<u8>, i8, TaskId)) -> Task {
    Task { id: *id, args: Payload::copy_from(&id.bits().to_le_bytes()), options: options(*key, *priority) }
}

impl Bench {
    fn writer(&mut self) -> &mut Writer {
        &mut self.halves.as_mut().unwrap().0
    }

    fn commit(&mut self, mut group: Group) {
        group.output = Some(OutputMark { position: self.model.done, rows: 1 });
        self.writer().commit(&group).unwrap();
        self.model.session_has_written = true;
    }

    /// As the journal should: the first with a key is taken.
    fn take(
        &mut self,
        puts: &[(Option<u8>, i8)],
        ended: &[bool],
    ) -> (Vec<(mpms::model::Seq, Task)>, Vec<EndedTask>) {
        let (mut tasks, mut ends) = (Vec::new(), Vec::new());
        for (n, (key, priority)) in puts.iter().enumerate() {
            self.model.last_seq += 1;
            let number = self.model.last_seq;
            let entry = (*key, *priority, put_id(number));
            tasks.push((seq(number), waiting_task(&entry)));
            if let Some(key) = key {
                if self.model.keys.contains_key(key) {
                    continue;
                }
                self.model.keys.insert(*key, Some(number));
                self.model.new_keys.insert(*key);
            }
            if ended.get(n) == Some(&true) {
                self.model.done += 1;
                let key = key.map(|key| key_hash(name(key).as_bytes()));
                ends.push(EndedTask { id: entry.2, seq: Some(seq(number)), key, kind: EndKind::Done });
            } else {
                self.model.waiting.insert(number, entry);
            }
        }
        (tasks, ends)
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Positions { gap, count, kind } => {
                let first = self.model.next_position + gap + 1;
                self.model.next_position = first + count - 1;
                let kind = [EndKind::Done, EndKind::Skipped, EndKind::Failed][usize::from(*kind)];
                let mut group = Group::default();
                for position in (first..first + count).rev() {
                    group.positions.push(EndedPosition { kind, ..ended(position) });
                    self.model.positions.insert(position);
                    if kind == EndKind::Failed {
                        group.failed.push(failed_task(TaskId::at(position), None));
                        self.model.failed.push((TaskId::at(position), None));
                    }
                }
                self.model.done += if kind == EndKind::Failed { 0 } else { *count };
                self.model.skipped += if kind == EndKind::Skipped { *count } else { 0 };
                self.model.failed_count += if kind == EndKind::Failed { *count } else { 0 };
                self.commit(group);
            }
            Step::Keys(keys) => {
                let mut group = Group::default();
                for key in keys {
                    self.model.next_position += 1;
                    let id = TaskId::at(self.model.next_position);
                    let hash = Some(key_hash(name(*key).as_bytes()));
                    group.ended.push(EndedTask { id, seq: None, key: hash, kind: EndKind::Done });
                    self.model.done += 1;
                    self.model.keyed += 1;
                    // it ran, so whatever waits with its key was dropped by the engine
                    if let Some(Some(place)) = self.model.keys.get(key) {
                        self.model.waiting.remove(place);
                    }
                    if self.model.keys.insert(*key, None).is_none() {
                        self.model.new_keys.insert(*key);
                    }
                }
                self.commit(group);
            }
            Step::Puts { puts, ended, parts } => {
                let parts = (*parts).min(puts.len());
                let first = self.take(&puts[..parts], &[]).0;
                if parts > 0 {
                    let before: BTreeSet<u64> = self.model.waiting.keys().copied().collect();
                    let dropped = self.writer().part(&first).unwrap();
                    let expected: Vec<_> = first
                        .iter()
                        .map(|(seq, _)| *seq)
                        .filter(|seq| !before.contains(&seq.number()))
                        .collect();
                    assert_eq!(dropped, expected);
                }
                let (tasks, ends) = self.take(&puts[parts..], ended);
                self.commit(Group { puts: tasks, ended: ends, ..Group::default() });
            }
            Step::Abandoned(keys) => {
                let tasks: Vec<_> = keys
                    .iter()
                    .zip(self.model.last_seq + 1..)
                    .map(|(key, n)| (seq(n), waiting_task(&(*key, 0, put_id(n)))))
                    .collect();
                self.writer().part(&tasks).unwrap();
                self.writer().abandon().unwrap();
            }
            Step::Ends(chosen) => {
                let mut group = Group::default();
                for (index, fails) in chosen {
                    let places: Vec<u64> = self.model.waiting.keys().copied().collect();
                    if places.is_empty() {
                        break;
                    }
                    let place = places[index.index(places.len())];
                    let (key, _, id) = self.model.waiting.remove(&place).unwrap();
                    let kind = if *fails { EndKind::Failed } else { EndKind::Done };
                    let hash = key.map(|key| key_hash(name(key).as_bytes()));
                    group.ended.push(EndedTask { id, seq: Some(seq(place)), key: hash, kind });
                    if *fails {
                        group.failed.push(failed_task(id, key));
                        self.model.failed.push((id, key));
                        self.model.failed_count += 1;
                    } else {
                        self.model.done += 1;
                    }
                }
                self.commit(group);
            }
            Step::Tried { id, starts } => {
                let tried = Tried { starts: *starts, ..Tried::default() };
                self.model.tried.insert(TaskId::at(*id), tried);
                self.commit(Group { tried: vec![(TaskId::at(*id), tried)], ..Group::default() });
            }
            Step::Saved { states, ended } => {
                let mut group = Group::default();
                for (id, state) in states {
                    let id = TaskId::at(*id);
                    group.saved.push((id, state.as_deref().map(Arc::from)));
                    match state {
                        Some(state) => drop(self.model.saved.insert(id, state.clone())),
                        None => drop(self.model.saved.remove(&id)),
                    }
                }
                for id in ended.iter().copied().map(TaskId::at) {
                    group.saved_ended.push(id);
                    self.model.saved.remove(&id);
                }
                self.commit(group);
            }
            Step::Cancels { before, keys, later } => {
                let mut puts = self.take(before, &[]).0;
                let mut cancels = Vec::new();
                for key in keys {
                    cancels.push(Cancel { key: key_hash(name(*key).as_bytes()), after: self.model.last_seq });
                    match self.model.keys.get(key) {
                        Some(Some(place)) if self.model.waiting.contains_key(place) => {
                            self.model.marked.insert(*place);
                        }
                        Some(_) => {}
                        None => {
                            self.model.keys.insert(*key, None);
                            self.model.new_keys.insert(*key);
                        }
                    }
                }
                puts.extend(self.take(later, &[]).0);
                self.commit(Group { puts, cancels, ..Group::default() });
            }
            Step::Meta(meta) => {
                self.model.meta = Some(meta.clone());
                self.commit(Group { meta: Some(meta.clone()), ..Group::default() });
            }
            Step::Reopen { close } => self.reopen(*close, false),
            Step::RetryFailed => self.reopen(false, true),
        }
    }

    fn reopen(&mut self, close: bool, retry: bool) {
        let (writer, reader) = self.halves.take().unwrap();
        if close {
            drop(reader);
            writer.close().unwrap();
        } else {
            drop((writer, reader));
        }
        let (mut journal, mut past) = self.place.reopen();
        let model = &mut self.model;
        let has_written = std::mem::take(&mut model.session_has_written);
        // the first one was counted when the run was made
        model.sessions += u64::from(has_written && model.is_later);
        model.is_later = true;
        model.new_keys.clear();
        if retry {
            for (id, key) in model.failed.drain(..) {
                model.last_seq += 1;
                model.waiting.insert(model.last_seq, (key, 0, id));
                if let Some(place) = key.and_then(|key| model.keys.get_mut(&key)) {
                    *place = Some(model.last_seq);
                }
                model.failed_count -= 1;
            }
            let before = model.waiting.len();
            let moved = journal.retry_failed(&mut past).unwrap();
            assert!(moved as usize <= before);
            model.session_has_written = true;
        }
        assert_eq!(past.done, model.done);
        assert_eq!(past.skipped, model.skipped);
        assert_eq!(past.failed, model.failed_count);
        assert_eq!(past.last_seq, model.last_seq);
        assert_eq!(past.sessions, model.sessions);
        assert_eq!(past.meta, model.meta);
        assert_eq!(past.tried.iter().copied().collect::<BTreeMap<_, _>>(), model.tried);
        let saved: BTreeMap<_, _> = past.saved.iter().map(|(id, state)| (*id, state.to_vec())).collect();
        assert_eq!(saved, model.saved);
        assert_eq!(past.known.ended(), model.positions.len() as u64 + model.keyed);
        for position in 0..model.next_position + 3 {
            let seen = if model.positions.contains(&position) { Seen::Ended } else { Seen::New };
            assert_eq!(past.known.check(&given(position)).unwrap(), seen, "{position}");
            let other = Task { args: args(position + 1), ..given(position) };
            assert_eq!(past.known.check(&other).unwrap() == Seen::Changed, seen == Seen::Ended);
        }
        for key in 0..40 {
            let task = Task { options: options(Some(key), 0), ..given(1) };
            let seen = if model.keys.contains_key(&key) { Seen::Ended } else { Seen::New };
            assert_eq!(past.known.check(&task).unwrap(), seen);
        }
        let mut by_priority: BTreeMap<i8, Vec<u64>> = BTreeMap::new();
        for (place, (_, priority, _)) in &model.waiting {
            by_priority.entry(*priority).or_default().push(*place);
        }
        let pending: Vec<_> = past
            .pending
            .iter()
            .map(|stored| (stored.priority, stored.first.number(), stored.last.number(), stored.count))
            .collect();
        let expected: Vec<_> = by_priority
            .iter()
            .rev()
            .map(|(priority, places)| {
                (i32::from(*priority), places[0], places[places.len() - 1], places.len() as u64)
            })
            .collect();
        assert_eq!(pending, expected);
        self.halves = Some(journal.split());
    }

    /// What a reader sees at any moment.
    fn check(&mut self) {
        let model = &self.model;
        let reader = &mut self.halves.as_mut().unwrap().1;
        let keys: Vec<_> = (0..40).map(|key| (key_hash(name(key).as_bytes()), None)).collect();
        let mut known = Vec::new();
        reader.known(&keys, &mut known).unwrap();
        let expected: Vec<bool> = (0..40).map(|key| model.keys.contains_key(&key)).collect();
        assert_eq!(known, expected);
        for priority in -2..3 {
            let mut all = Vec::new();
            let mut after = 0;
            loop {
                let before = all.len();
                reader.fetch(priority, after, model.last_seq, 3, &mut all).unwrap();
                assert!(all.len() - before <= 3);
                let Some((last, _)) = all[before..].last() else { break };
                after = last.number();
            }
            let expected: Vec<_> = model
                .waiting
                .iter()
                .filter(|(_, task)| i32::from(task.1) == priority)
                .map(|(place, task)| {
                    let mut task = waiting_task(task);
                    if model.marked.contains(place) {
                        task.options.get_or_insert_default().cancelled = true;
                    }
                    (seq(*place), task)
                })
                .collect();
            assert_eq!(all, expected);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn the_journal_is_what_a_model_in_memory_is(steps in prop::collection::vec(step(), 1..25)) {
        let place = place();
        let halves = Some(place.create().split());
        let model = Model { sessions: 1, ..Model::default() };
        let mut bench = Bench { place, halves, model };
        for step in &steps {
            bench.step(step);
            bench.check();
        }
        bench.reopen(true, false);
    }
}
