//! Handled and committed apart, puts that are not in memory, keys of the store, and what a resume goes on from.

use super::*;
use crate::engine::{Ends, Fetch};
use crate::model::handling::StoredPuts;
use crate::model::policy::Retries;
use crate::model::{Seq, Tried};

fn seq(number: u64) -> Seq {
    Seq::new(number).expect("places begin at 1")
}

/// Puts of these places; the position of each task is its place.
fn puts(places: std::ops::RangeInclusive<u64>) -> Puts {
    of_priority(places, 0)
}

fn of_priority(places: std::ops::RangeInclusive<u64>, priority: i32) -> Puts {
    let first = Some(seq(*places.start()));
    let tasks = places.map(|place| with(place, TaskOptions { priority, ..TaskOptions::default() })).collect();
    Puts { first, tasks, ..Puts::default() }
}

fn many(priority: i32, first: u64, last: u64, count: u64) -> StoredPuts {
    StoredPuts { priority, first: seq(first), last: seq(last), count }
}

fn keyed(position: u64, key: &str) -> Task {
    with(position, TaskOptions { key: Some(key.as_bytes().into()), ..TaskOptions::default() })
}

/// The source has ended with these.
fn offer_last(bench: &mut Bench, tasks: Vec<Task>) {
    bench.step(Input::Offered { tasks, known: vec![], last: true });
}

fn committed(bench: &mut Bench, count: usize, seq: u64) {
    bench.step(Input::Committed { count, seq });
}

/// The answer of a journal that has all of these places.
fn fetched(bench: &mut Bench, fetch: Fetch, places: impl IntoIterator<Item = u64>) {
    let tasks = places.into_iter().map(|place| (seq(place), task(place))).collect();
    bench.step(Input::Stored { priority: fetch.priority, until: fetch.until, tasks });
}

fn flushes(bench: &mut Bench) -> usize {
    bench.actions.drain(..).filter(|action| matches!(action, Action::Flush)).count()
}

fn remembered(bench: &mut Bench) -> Vec<(TaskId, Tried)> {
    let tried = |action| match action {
        Action::Remember(tried) => tried,
        _ => Vec::new(),
    };
    bench.actions.drain(..).flat_map(tried).collect()
}

#[test]
fn what_is_handled_counts_when_it_is_committed() {
    let mut bench = Bench::new(1, 2);
    offer_last(&mut bench, tasks(2));
    bench.start(1);
    let sent = bench.sent();
    bench.done(1, &[sent[0].0, sent[1].0]);
    bench.handle(2, Puts::default());
    assert_eq!(bench.engine.counts().done, 0);
    committed(&mut bench, 1, 0);
    assert_eq!(bench.engine.counts().done, 1);
    assert!(!bench.did(|action| matches!(action, Action::StopWorker { .. })), "one is not committed");
    committed(&mut bench, 1, 0);
    assert!(bench.did(|action| matches!(action, Action::StopWorker { .. })));
}

#[test]
fn ends_are_counted_by_their_kind_across_commits() {
    let mut bench = Bench::new(1, 6);
    bench.offer(tasks(6));
    bench.start(1);
    let sent = bench.sent();
    let skipped = || Verdict::Skipped("nothing new".into());
    let failed = || Verdict::Failed(Box::new(Failure::new("lua_error", "no")));
    let done = || Verdict::Done(Done::default());
    let verdicts = [done(), skipped(), skipped(), failed(), failed(), done()];
    let outcomes = sent.iter().zip(verdicts);
    let outcomes = outcomes.map(|((handle, _), verdict)| Outcome { handle: *handle, elapsed_ns: 1, verdict });
    bench.step(Input::Outcomes { worker: 1, outcomes: outcomes.collect() });
    bench.handle(6, Puts::default());
    let mut seen = Vec::new();
    for count in [2, 2, 2] {
        committed(&mut bench, count, 0);
        let counts = bench.engine.counts();
        seen.push((counts.done, counts.skipped, counts.failed));
    }
    assert_eq!(seen, [(2, 1, 0), (3, 2, 1), (4, 2, 2)]);
}

#[test]
fn a_backlog_is_full_by_what_is_not_handled_only() {
    for (backlog, bytes) in [(2, 0), (1_000, 33 * MIB)] {
        let mut bench = Bench::with(Config { handler_backlog: backlog, ..config(1, 1) });
        bench.offer(tasks(10));
        bench.start(1);
        for _ in 0..2 {
            let sent = bench.sent();
            bench.done_with(1, &[sent[0].0], 5 * MS, bytes);
        }
        assert!(bench.positions().is_empty());
        bench.handle(1, Puts::default());
        assert_eq!(bench.positions(), [3], "nothing is committed yet");
    }
}

#[test]
fn more_is_not_committed_than_was_handled() {
    let mut bench = Bench::new(1, 2);
    bench.offer(tasks(2));
    bench.start(1);
    let sent = bench.sent();
    bench.done(1, &[sent[0].0, sent[1].0]);
    bench.handle(1, Puts::default());
    committed(&mut bench, 2, 0);
    assert_eq!(bench.engine.counts().done, 1);
}

#[test]
fn without_its_handler_what_is_not_committed_is_lost() {
    let mut bench = Bench::new(1, 2);
    bench.offer(tasks(2));
    bench.start(1);
    let sent = bench.sent();
    bench.done(1, &[sent[0].0, sent[1].0]);
    bench.handle(1, Puts::default());
    bench.step(Input::HandlerGone);
    bench.dies(1, &[]);
    assert_eq!(bench.finished().expect("nothing is waited for").counts.done, 0);
}

#[test]
fn a_commit_is_asked_for_once_when_nothing_else_can_happen() {
    let mut bench = Bench::new(1, 1);
    offer_last(&mut bench, tasks(2));
    bench.start(1);
    let sent = bench.sent();
    bench.done(1, &[sent[0].0]);
    assert_eq!(bench.actions.iter().filter(|action| matches!(action, Action::Flush)).count(), 0);
    let sent = bench.sent();
    bench.done(1, &[sent[0].0]);
    let order: Vec<bool> = bench
        .actions
        .iter()
        .filter(|action| matches!(action, Action::Deliver(_) | Action::Flush))
        .map(|action| matches!(action, Action::Flush))
        .collect();
    assert_eq!(order, [false, true], "after what it is to commit");
    bench.actions.clear();
    bench.step(Input::Tick);
    bench.handle(2, Puts::default());
    committed(&mut bench, 1, 0);
    assert_eq!(flushes(&mut bench), 0, "the same state");
    committed(&mut bench, 1, 0);
    assert_eq!(flushes(&mut bench), 0, "nothing is left to commit");
}

#[test]
fn a_source_that_ends_late_asks_for_the_commit_then() {
    let mut bench = Bench::new(1, 1);
    bench.offer(tasks(1));
    bench.start(1);
    let sent = bench.sent();
    bench.done(1, &[sent[0].0]);
    assert_eq!(flushes(&mut bench), 0);
    offer_last(&mut bench, vec![]);
    assert_eq!(flushes(&mut bench), 1);
}

#[test]
fn puts_that_nobody_can_fetch_yet_ask_for_a_commit() {
    let mut bench = Bench::new(1, 1);
    let stored = vec![many(0, 1, 5, 5)];
    bench.handle(0, Puts { stored, ..Puts::default() });
    assert_eq!(flushes(&mut bench), 1);
    committed(&mut bench, 0, 3);
    assert_eq!(flushes(&mut bench), 0);
    let fetch = bench.engine.wants_stored().expect("three of them");
    bench.handle(0, Puts { stored: vec![many(0, 6, 7, 2)], ..Puts::default() });
    assert_eq!(flushes(&mut bench), 0, "those within reach come first");
    fetched(&mut bench, fetch, 1..=3);
    assert_eq!(flushes(&mut bench), 0, "there is something to do");
}

#[test]
fn a_stop_asks_for_the_commit_once_nothing_is_in_flight() {
    let mut bench = Bench::new(1, 2);
    bench.offer(tasks(4));
    bench.start(1);
    let sent = bench.sent();
    bench.done(1, &[sent[0].0]);
    let sent = [sent[1].0, bench.sent()[0].0];
    bench.step(Input::Stop(StopCause::Signal(2)));
    assert_eq!(flushes(&mut bench), 0);
    bench.step(Input::Returned { worker: 1, handles: vec![sent[1]] });
    assert_eq!(flushes(&mut bench), 0, "one runs");
    bench.done(1, &[sent[0]]);
    assert_eq!(flushes(&mut bench), 1);
    bench.dies(1, &[]);
    assert_eq!(flushes(&mut bench), 0);
    bench.handle(2, Puts::default());
    assert!(bench.finished().is_none());
    committed(&mut bench, 2, 0);
    assert_eq!(bench.finished().expect("all is committed").counts.done, 2);
}

#[test]
fn puts_beyond_eight_windows_are_counted_and_not_held() {
    let mut bench = Bench::with(Config { queue: 2, ..config(1, 1) });
    bench.handle(0, puts(1..=20));
    assert_eq!((bench.engine.tasks.len(), bench.engine.counts().known), (16, 20));
    bench.handle(0, of_priority(21..=22, 0));
    assert_eq!((bench.engine.tasks.len(), bench.engine.stored.len()), (16, 6));
    assert!(!bench.engine.wants_tasks(), "what was put goes first");
    assert_eq!(bench.engine.wants_stored(), None, "nothing of it is committed");
    let mut bench = Bench::new(1, 1);
    bench.handle(0, Puts { stored: vec![many(0, 1, 9, 9)], ..Puts::default() });
    assert!(bench.engine.tasks.is_empty() && !bench.engine.wants_tasks(), "also with nothing in memory");
    let mut bench = Bench::with(Config { queue: 2, ..config(1, 1) });
    bench.handle(0, Puts { first: None, ..puts(1..=20) });
    assert_eq!(bench.engine.tasks.len(), 20, "what has no place in the journal cannot be left to it");
}

#[test]
fn large_puts_are_not_held_either() {
    let mut bench = Bench::new(1, 1);
    let tasks = (1..=70).map(|place| large(place, MIB)).collect();
    bench.handle(0, Puts { first: Some(seq(1)), tasks, ..Puts::default() });
    assert_eq!((bench.engine.tasks.len(), bench.engine.stored.len()), (64, 6));
    committed(&mut bench, 0, 70);
    assert_eq!(bench.engine.wants_stored(), None);
}

#[test]
fn stored_puts_come_back_in_their_order_when_half_a_window_is_ready() {
    let mut bench = Bench::with(Config { queue: 4, handler_backlog: 99, ..config(1, 1) });
    bench.handle(0, puts(1..=40));
    committed(&mut bench, 0, 36);
    bench.start(1);
    let mut ran = Vec::new();
    while ran.len() < 36 {
        let sent = bench.sent();
        ran.extend(sent.iter().map(|(_, position)| *position));
        bench.done(1, &sent.iter().map(|(handle, _)| *handle).collect::<Vec<_>>());
        if let Some(fetch) = bench.engine.wants_stored() {
            assert!(fetch.until == 36 && fetch.at_most <= 4 && fetch.after >= 32, "{fetch:?}");
            assert!(bench.engine.ready.len() < 2);
            // fewer than it asked for
            fetched(&mut bench, fetch, fetch.after + 1..=(fetch.after + 2).min(36));
        }
    }
    assert_eq!(ran, (1..=36).collect::<Vec<_>>());
    assert_eq!(bench.engine.wants_stored(), None, "the rest is not committed");
    committed(&mut bench, 0, 40);
    let fetch = bench.engine.wants_stored().expect("now it is");
    assert_eq!((fetch.after, fetch.until), (36, 40));
    fetched(&mut bench, fetch, 37..=40);
    assert_eq!((bench.engine.counts().known, bench.engine.stored.is_empty()), (40, true));
    assert!(bench.engine.wants_stored().is_none());
}

#[test]
fn a_high_priority_is_fetched_though_low_ones_fill_the_window() {
    let mut bench = Bench::with(Config { queue: 4, ..config(1, 1) });
    bench.handle(0, puts(1..=40));
    bench.handle(0, of_priority(41..=50, 7));
    bench.handle(0, of_priority(51..=60, -7));
    assert_eq!(bench.engine.tasks.len(), 32);
    committed(&mut bench, 0, 60);
    let fetch = bench.engine.wants_stored().expect("the high ones");
    assert_eq!(fetch, Fetch { priority: 7, after: 40, until: 50, at_most: 4 });
    let high = |place| with(place, TaskOptions { priority: 7, ..TaskOptions::default() });
    let tasks = (41..=44).map(|place| (seq(place), high(place))).collect();
    bench.step(Input::Stored { priority: 7, until: 50, tasks });
    assert_eq!(bench.engine.wants_stored(), None, "half a window of them is ready");
    bench.start(1);
    assert_eq!(bench.positions(), [41]);
}

#[test]
fn no_more_than_twelve_windows_are_loaded() {
    let mut bench = Bench::with(Config { queue: 2, ..config(1, 1) });
    bench.handle(0, puts(1..=16));
    for priority in 1..=20 {
        let place = 20 * u64::try_from(priority).expect("small");
        bench.handle(0, of_priority(place..=place + 1, priority));
        committed(&mut bench, 0, place + 1);
        while let Some(fetch) = bench.engine.wants_stored() {
            let high = with(fetch.after + 1, TaskOptions { priority, ..TaskOptions::default() });
            let tasks = vec![(seq(fetch.after + 1), high)];
            bench.step(Input::Stored { priority, until: fetch.until, tasks });
        }
    }
    assert_eq!(bench.engine.tasks.len(), 24);
}

#[test]
fn under_limits_stored_puts_come_back_too() {
    let limit = crate::model::policy::Limit {
        name: "one".into(),
        rate: None,
        burst: 1,
        concurrency: Some(1),
        per: None,
        retry_after: false,
    };
    let mut bench = Bench::with(Config { queue: 4, limits: vec![limit], ..config(1, 2) });
    bench.handle(0, puts(1..=40));
    committed(&mut bench, 0, 40);
    bench.start(1);
    for place in 1..=40 {
        let sent = bench.sent();
        assert_eq!(sent.iter().map(|(_, position)| *position).collect::<Vec<_>>(), [place]);
        bench.done(1, &[sent[0].0]);
        if let Some(fetch) = bench.engine.wants_stored() {
            assert!(bench.engine.limits.len_from(0) < 2);
            fetched(&mut bench, fetch, fetch.after + 1..=(fetch.after + 4).min(40));
        }
    }
    assert_eq!((bench.engine.tasks.len(), bench.engine.limits.len_from(-9)), (0, 0));
}

#[test]
fn a_delayed_put_stays_in_memory_and_is_not_taken_twice() {
    let mut bench = Bench::with(Config { queue: 1, ..config(1, 1) });
    bench.handle(0, puts(1..=9));
    let delayed = TaskOptions { delay_ns: 50 * MS, ..TaskOptions::default() };
    bench.handle(0, Puts { first: Some(seq(10)), tasks: vec![with(10, delayed)], ..Puts::default() });
    bench.handle(0, puts(11..=11));
    assert_eq!((bench.engine.tasks.len(), bench.engine.stored.len()), (9, 2));
    committed(&mut bench, 0, 11);
    bench.start(1);
    let mut ran = Vec::new();
    for _ in 0..11 {
        let sent = bench.sent();
        ran.extend(sent.iter().map(|(_, position)| *position));
        bench.done(1, &sent.iter().map(|(handle, _)| *handle).collect::<Vec<_>>());
        if let Some(fetch) = bench.engine.wants_stored() {
            fetched(&mut bench, fetch, fetch.after + 1..=11);
        }
        if ran.len() == 10 {
            bench.now = 50 * MS;
            bench.step(Input::Tick);
        }
    }
    assert_eq!(ran, [1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 10]);
}

#[test]
fn an_answer_that_was_not_asked_for_is_dropped() {
    let mut bench = Bench::with(Config { queue: 1, ..config(1, 1) });
    bench.handle(0, puts(1..=12));
    committed(&mut bench, 0, 10);
    let fetch = Fetch { priority: 0, after: 8, until: 10, at_most: 1 };
    fetched(&mut bench, fetch, [7, 8, 9, 9, 11]);
    assert_eq!((bench.engine.tasks.len(), bench.engine.stored.len()), (9, 3));
    fetched(&mut bench, Fetch { priority: 3, ..fetch }, [10]);
    assert_eq!(bench.engine.tasks.len(), 9);
}

#[test]
fn what_was_put_and_is_not_there_was_a_duplicate() {
    let mut bench = Bench::new(1, 1);
    bench.handle(0, Puts { stored: vec![many(0, 1, 9, 9)], ..Puts::default() });
    committed(&mut bench, 0, 9);
    assert_eq!(bench.engine.counts().known, 9);
    let fetch = bench.engine.wants_stored().expect("all of them");
    fetched(&mut bench, fetch, [1, 2, 4]);
    assert_eq!(bench.engine.counts().known, 9, "there may be more");
    let fetch = bench.engine.wants_stored().expect("the rest");
    assert_eq!(fetch.after, 4);
    fetched(&mut bench, fetch, []);
    let counts = bench.engine.counts();
    assert_eq!((counts.known, counts.duplicates, bench.engine.wants_tasks()), (3, 6, true));
}

#[test]
fn a_key_that_the_store_knows_is_dropped() {
    let mut bench = Bench::new(1, 9);
    let tasks = vec![task(1), keyed(2, "a"), keyed(3, "b"), keyed(4, "c")];
    bench.step(Input::Offered { tasks, known: vec![true, false], last: false });
    let tasks = vec![keyed(5, "d"), keyed(6, "e"), keyed(7, "b")];
    bench.step(Input::Handled {
        count: 0,
        puts: Puts { first: Some(seq(1)), tasks, ..Puts::default() },
        known: vec![false, true, false],
    });
    bench.start(1);
    assert_eq!(bench.positions(), [1, 3, 4, 5]);
    assert_eq!((bench.engine.counts().known, bench.engine.counts().duplicates), (4, 3));
}

#[test]
fn the_key_of_a_generated_task_is_held_until_its_end_is_committed() {
    let mut bench = Bench::new(1, 1);
    bench.offer(vec![keyed(1, "a"), task(2)]);
    bench.start(1);
    let offer_again = |bench: &mut Bench, position| {
        let before = bench.engine.counts().duplicates;
        bench.offer(vec![keyed(position, "a")]);
        bench.engine.counts().duplicates == before
    };
    for _ in 0..2 {
        let sent = bench.sent();
        bench.done(1, &[sent[0].0]);
    }
    bench.handle(2, Puts::default());
    committed(&mut bench, 0, 99);
    assert!(!offer_again(&mut bench, 3));
    committed(&mut bench, 1, 0);
    assert!(offer_again(&mut bench, 4), "from now on the store knows it");
    committed(&mut bench, 1, 0);
    assert!(!offer_again(&mut bench, 5));
}

#[test]
fn the_key_of_a_put_is_held_until_the_put_is_committed() {
    let mut bench = Bench::new(1, 1);
    let put = |place| Puts { first: Some(seq(place)), tasks: vec![keyed(place, "a")], ..Puts::default() };
    let known = |bench: &Bench| bench.engine.counts().known;
    bench.handle(0, put(5));
    committed(&mut bench, 0, 4);
    bench.handle(0, put(6));
    assert_eq!(known(&bench), 1);
    committed(&mut bench, 0, 5);
    bench.handle(0, put(7));
    assert_eq!(known(&bench), 2, "from now on the store knows it");
}

#[test]
fn a_put_whose_key_only_the_journal_may_have_seen_is_left_to_it() {
    let mut bench = Bench::new(1, 9);
    bench.handle(0, Puts { stored: vec![many(3, 1, 5, 5)], ..Puts::default() });
    let key = |place, key: &str| Puts {
        first: Some(seq(place)),
        tasks: vec![keyed(place, key)],
        ..Puts::default()
    };
    bench.handle(0, key(6, "a"));
    assert_eq!((bench.engine.tasks.len(), bench.engine.stored.len()), (0, 6));
    committed(&mut bench, 0, 5);
    let mut other = key(7, "a");
    other.tasks[0].options.as_mut().expect("a key").priority = 1;
    bench.handle(0, other);
    assert_eq!(bench.engine.tasks.len(), 0, "the journal decides on the other one too");
    committed(&mut bench, 0, 7);
    bench.handle(0, key(8, "b"));
    assert_eq!(bench.engine.stored.len(), 8, "first in, first out");
    // what came before it is not what the journal returns in vain
    bench.step(Input::Stored { priority: 0, until: 7, tasks: vec![(seq(6), keyed(6, "a"))] });
    assert_eq!(bench.engine.tasks.len(), 1);
}

#[test]
fn a_put_in_the_journal_that_was_a_duplicate_of_a_task_in_flight_is_not_loaded() {
    let mut bench = Bench::with(Config { queue: 1, ..config(1, 1) });
    bench.offer(vec![keyed(1, "a")]);
    bench.handle(0, Puts { first: Some(seq(1)), tasks: vec![keyed(2, "a")], ..Puts::default() });
    bench.handle(0, puts(2..=12));
    assert_eq!(bench.engine.counts().duplicates, 1);
    bench.handle(0, Puts { stored: vec![many(0, 13, 14, 2)], ..Puts::default() });
    committed(&mut bench, 0, 14);
    let before = bench.engine.tasks.len();
    let tasks = vec![(seq(13), keyed(13, "a")), (seq(14), task(14))];
    bench.step(Input::Stored { priority: 0, until: 14, tasks });
    assert_eq!(bench.engine.tasks.len(), before + 1);
}

#[test]
fn what_happened_to_a_task_is_remembered_before_its_end() {
    let retries = Retries { count: 2, delay_ns: MS, jitter: false, ..Retries::default() };
    let mut bench = Bench::with(Config { retries, ..config(1, 1) });
    bench.offer(tasks(1));
    bench.start(1);
    let sent = bench.sent();
    let failed = || Verdict::Failed(Box::new(Failure::new("lua_error", "no")));
    let fail = |bench: &mut Bench, handle| {
        bench.step(Input::Outcomes {
            worker: 1,
            outcomes: vec![Outcome { handle, elapsed_ns: 1, verdict: failed() }],
        });
    };
    fail(&mut bench, sent[0].0);
    let tried = Tried { starts: 1, failures: 1, crashes: 0, doubtful_crashes: 0 };
    assert_eq!(remembered(&mut bench), [(TaskId::at(1), tried)]);
    bench.now = 10 * MS;
    bench.step(Input::Tick);
    bench.actions.clear();
    bench.dies(1, &[sent[0].0]);
    let tried = Tried { starts: 2, ..tried };
    assert_eq!(remembered(&mut bench), [(TaskId::at(1), tried)], "a start that nobody is charged for");
    bench.start(1);
    bench.actions.clear();
    bench.dies(1, &[sent[0].0]);
    assert!(remembered(&mut bench).is_empty(), "it has ended");
    let mut bench = Bench::with(Config { crash_limit: 2, ..config(1, 1) });
    bench.offer(tasks(1));
    bench.start(1);
    let sent = bench.sent();
    bench.dies(1, &[sent[0].0]);
    bench.start(1);
    bench.actions.clear();
    bench.dies(1, &[sent[0].0]);
    let tried = Tried { starts: 2, failures: 0, crashes: 1, doubtful_crashes: 0 };
    assert_eq!(remembered(&mut bench), [(TaskId::at(1), tried)]);
}

#[test]
fn attempts_failures_and_crashes_go_on_from_where_they_were() {
    let tried = HashMap::from([
        (TaskId::at(1), Tried { starts: 4, failures: 2, ..Tried::default() }),
        (TaskId::at(2), Tried { starts: 3, crashes: 2, ..Tried::default() }),
    ]);
    let retries = Retries { count: 2, delay_ns: MS, ..Retries::default() };
    let mut bench = Bench::with(Config { tried, retries, crash_limit: 3, ..config(1, 1) });
    let delayed = TaskOptions { delay_ns: 50 * MS, ..TaskOptions::default() };
    bench.offer(vec![with(1, delayed), task(2)]);
    bench.start(1);
    let sent = bench.sent();
    assert_eq!(bench.engine.task(sent[0].0).map(|task| (task.id, task.attempt)), Some((TaskId::at(1), 5)));
    let verdict = Verdict::Failed(Box::new(Failure::new("lua_error", "no")));
    bench.step(Input::Outcomes {
        worker: 1,
        outcomes: vec![Outcome { handle: sent[0].0, elapsed_ns: 1, verdict }],
    });
    let second = bench.actions.iter().find_map(|action| match action {
        Action::Send { tasks, .. } => Some(tasks[0]),
        _ => None,
    });
    let delivered = bench.delivered();
    assert_eq!((delivered.len(), delivered[0].attempt), (1, 5), "there is no attempt left");
    for _ in 0..2 {
        bench.dies(1, &[second.expect("the other one")]);
        bench.start(1);
    }
    let delivered = bench.delivered();
    let Verdict::Failed(failure) = &delivered[0].verdict else { panic!("{delivered:?}") };
    assert_eq!((failure.message.as_str(), delivered[0].attempt), ("its worker was killed, 3 times", 5));
}

#[test]
fn a_resumed_run_counts_what_was_before_and_ends_with_it() {
    let before = Ends { done: 7, skipped: 2, failed: 3 };
    let pending = vec![many(0, 4, 9, 2), many(1, 5, 5, 1)];
    let max_fail = Some(MaxFail::Count(1));
    let mut bench = Bench::with(Config { before, before_ns: 5, pending, max_fail, ..config(1, 3) });
    offer_last(&mut bench, vec![]);
    let counts = bench.engine.counts();
    assert_eq!((counts.known, counts.done, counts.skipped, counts.failed), (13, 7, 2, 3));
    assert_eq!((counts.before, counts.before_ns, counts.duplicates), (10, 5, 0));
    assert!(bench.finished().is_none());
    let fetch = bench.engine.wants_stored().expect("all is committed");
    assert_eq!((fetch.priority, fetch.after, fetch.until), (1, 4, 5));
    fetched(&mut bench, fetch, [5]);
    let fetch = bench.engine.wants_stored().expect("the others");
    assert_eq!((fetch.priority, fetch.after, fetch.until), (0, 3, 9));
    fetched(&mut bench, fetch, [4, 9]);
    bench.start(1);
    let sent = bench.sent();
    bench.done(1, &sent.iter().map(|(handle, _)| *handle).collect::<Vec<_>>());
    assert_eq!(bench.delivered().iter().map(|delivery| delivery.seq).max(), Some(Some(seq(9))));
    bench.commit(3);
    bench.dies(1, &[]);
    let summary = bench.finished().expect("nothing is left");
    assert_eq!((summary.counts.done, summary.counts.known, summary.stopped), (10, 13, None));
}

#[test]
fn a_run_of_which_everything_is_done_ends_at_once() {
    let before = Ends { done: 7, ..Ends::default() };
    let mut bench = Bench::with(Config { before, ..config(1, 1) });
    offer_last(&mut bench, vec![]);
    assert_eq!(bench.finished().expect("the end").counts.done, 7);
}

#[test]
fn puts_that_were_never_loaded_have_not_started() {
    let mut bench = Bench::with(Config { queue: 1, ..config(1, 1) });
    bench.handle(0, puts(1..=20));
    bench.step(Input::Stop(StopCause::Signal(2)));
    assert_eq!(bench.engine.wants_stored(), None);
    bench.start(1);
    bench.dies(1, &[]);
    assert_eq!(bench.finished().expect("nothing runs").not_started, 20);
}
