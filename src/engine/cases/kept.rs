//! What tasks leave between their attempts, and keys that are cancelled.

use std::sync::Arc;

use super::*;
use crate::engine::entry::At;
use crate::model::Seq;
use crate::model::handling::{Cancel, Saved};
use crate::model::outcome::Left;
use crate::model::policy::{Limit, Retries};
use crate::model::task::key_hash;

fn state(bytes: usize, byte: u8) -> Arc<[u8]> {
    vec![byte; bytes].into()
}

fn save(bench: &mut Bench, worker: WorkerId, task: Handle, state: Option<Arc<[u8]>>) {
    bench.step(Input::Saved { worker, task, state });
}

fn to_journal(bench: &mut Bench) -> Vec<Saved> {
    let saved = |action| match action {
        Action::Save(states) => states,
        _ => Vec::new(),
    };
    bench.actions.drain(..).flat_map(saved).collect()
}

/// One worker that holds so many tasks.
fn holding(count: usize) -> (Bench, Vec<Handle>) {
    let mut bench = Bench::new(1, count);
    bench.offer(tasks(count as u64));
    bench.start(1);
    let sent = bench.sent().into_iter().map(|(handle, _)| handle).collect();
    (bench, sent)
}

#[test]
fn of_a_task_one_state_is_on_its_way_and_then_the_newest() {
    let (mut bench, sent) = holding(2);
    let id = bench.engine.task(sent[0]).expect("in flight").id;
    save(&mut bench, 1, sent[0], Some(state(1, 1)));
    assert_eq!(to_journal(&mut bench), [(id, Some(state(1, 1)))]);
    for byte in 2..9 {
        save(&mut bench, 1, sent[0], Some(state(1, byte)));
    }
    assert_eq!(to_journal(&mut bench), []);
    assert_eq!(bench.engine.task(sent[0]).expect("in flight").state, Some(&[8][..]));
    bench.step(Input::Kept { count: 1 });
    assert_eq!(to_journal(&mut bench), [(id, Some(state(1, 8)))]);
    bench.step(Input::Kept { count: 1 });
    assert_eq!(to_journal(&mut bench), []);
    save(&mut bench, 1, sent[0], None);
    assert_eq!(to_journal(&mut bench), [(id, None)]);
    assert_eq!(bench.engine.task(sent[0]).expect("in flight").state, None);
}

#[test]
fn what_a_task_has_left_goes_with_its_end() {
    let (mut bench, sent) = holding(4);
    save(&mut bench, 1, sent[1], Some(state(1, 1)));
    save(&mut bench, 1, sent[1], None);
    bench.step(Input::Housed { worker: 1, task: sent[2] });
    save(&mut bench, 1, sent[3], Some(state(1, 1)));
    bench.step(Input::Housed { worker: 1, task: sent[3] });
    bench.actions.clear();
    bench.done(1, &sent);
    let left: Vec<Left> = bench.delivered().into_iter().map(|delivery| delivery.left).collect();
    let of = |state, dir| Left { state, dir };
    assert_eq!(left, [of(false, false), of(true, false), of(false, true), of(true, true)]);
    // what was on its way is answered for nobody
    bench.step(Input::Kept { count: 2 });
    assert_eq!(to_journal(&mut bench), []);
}

#[test]
fn without_a_journal_states_stay_here() {
    let mut bench = Bench::with(Config { keeps_states: false, retries: once_more(), ..config(1, 1) });
    bench.offer(tasks(1));
    bench.start(1);
    let (handle, _) = bench.sent()[0];
    save(&mut bench, 1, handle, Some(state(3, 7)));
    bench.fails(1, handle, Failure::new("lua_error", "no"));
    bench.now += 1_000 * MS;
    bench.step(Input::Tick);
    assert_eq!(bench.sent().len(), 1);
    assert_eq!(bench.engine.task(handle).expect("in flight").state, Some(&[7, 7, 7][..]));
    bench.done(1, &[handle]);
    let delivered = bench.delivered();
    assert_eq!((delivered[0].left, delivered[0].attempt), (Left::default(), 2));
}

fn once_more() -> Retries {
    Retries { count: 1, delay_ns: MS, jitter: false, ..Retries::default() }
}

#[test]
fn the_last_states_go_before_the_end_of_a_stopped_run() {
    let (mut bench, sent) = holding(2);
    for byte in 1..4 {
        save(&mut bench, 1, sent[0], Some(state(1, byte)));
    }
    bench.step(Input::Stop(StopCause::Signal(2)));
    bench.step(Input::Stop(StopCause::Signal(2)));
    bench.actions.clear();
    bench.is_killed(1, &sent);
    let at = |what: fn(&Action) -> bool| bench.actions.iter().position(what);
    let finished = at(|action| matches!(action, Action::Finished(_))).expect("the end");
    assert!(at(|action| matches!(action, Action::Save(_))).is_some_and(|save| save < finished));
    assert_eq!(
        to_journal(&mut bench).into_iter().map(|(_, state)| state).collect::<Vec<_>>(),
        [Some(state(1, 3))]
    );
}

#[test]
fn all_states_together_have_a_limit_which_is_told_once() {
    let (mut bench, sent) = holding(300);
    for handle in &sent {
        save(&mut bench, 1, *handle, Some(state(MIB, 1)));
    }
    assert_eq!(to_journal(&mut bench).len(), 256);
    for handle in &sent[..250] {
        save(&mut bench, 1, *handle, Some(state(MIB, 2)));
    }
    let has =
        |bench: &Bench, n: usize| bench.engine.task(sent[n]).and_then(|task| task.state?.first().copied());
    assert_eq!((has(&bench, 0), has(&bench, 255), has(&bench, 256)), (Some(2), Some(1), None));
    assert!(!bench.did(|action| matches!(action, Action::Report(_))), "told before");
    // there is room again
    bench.done(1, &sent[..1]);
    save(&mut bench, 1, sent[299], Some(state(MIB, 3)));
    assert_eq!(has(&bench, 299), Some(3));
}

#[test]
fn states_and_folders_are_those_of_tasks_that_the_worker_holds() {
    let wrong: [fn(Handle) -> Input; 2] = [
        |task| Input::Saved { worker: 1, task, state: Some(state(1, 1)) },
        |task| Input::Housed { worker: 1, task },
    ];
    for wrong in wrong {
        let (mut bench, sent) = holding(1);
        bench.done(1, &sent);
        bench.step(wrong(sent[0]));
        let Some(Kill::Violation(what)) = bench.killed(1) else { panic!("not killed") };
        assert!(what.ends_with("of a task that it does not hold"), "{what}");
        assert!(bench.engine.belongings.state(TaskId::at(1)).is_none());
        // it is not listened to any more
        bench.actions.clear();
        bench.step(wrong(sent[0]));
        assert!(bench.actions.is_empty());
    }
}

fn keyed(position: u64, key: &str) -> Task {
    with(position, TaskOptions { key: Some(key.as_bytes().into()), ..TaskOptions::default() })
}

fn cancel(bench: &mut Bench, keys: &[&str]) {
    let cancels = keys.iter().map(|key| Cancel { key: key_hash(key.as_bytes()), after: 0 }).collect();
    bench.handle(0, Puts { cancels, ..Puts::default() });
}

/// Positions of what ended as skipped, with their attempts.
fn skipped(bench: &mut Bench) -> Vec<(u64, u32)> {
    let deliveries = bench.delivered().into_iter();
    let skipped = deliveries.filter(|delivery| matches!(delivery.verdict, Verdict::Skipped(_)));
    skipped.map(|delivery| (delivery.id.position().expect("generated"), delivery.attempt)).collect()
}

#[test]
fn a_task_that_waits_ends_as_skipped_and_one_that_is_held_goes_on() {
    let rate =
        Limit { name: "l".into(), rate: None, burst: 1, concurrency: Some(1), per: None, retry_after: true };
    for limits in [vec![], vec![rate]] {
        for ordered in [false, true] {
            let mut bench =
                Bench::with(Config { limits: limits.clone(), ordered, retries: once_more(), ..config(1, 1) });
            let late = TaskOptions {
                key: Some((*b"late").into()),
                delay_ns: 900_000 * MS,
                ..TaskOptions::default()
            };
            bench.offer(vec![keyed(1, "a"), keyed(2, "b"), keyed(3, "c"), with(4, late), keyed(5, "e")]);
            bench.start(1);
            let sent = bench.sent();
            cancel(&mut bench, &["a", "c", "late", "none"]);
            let now: Vec<_> = skipped(&mut bench);
            assert_eq!(now, if ordered { vec![] } else { vec![(3, 0), (4, 0)] }, "{limits:?}");
            bench.fails(1, sent[0].0, Failure::new("lua_error", "no"));
            bench.actions.clear();
            cancel(&mut bench, &["a"]);
            // with `ordered` those behind it waited for it
            let now = skipped(&mut bench);
            assert_eq!(now[0], (1, 1));
            let next = bench.engine.tasks.iter().find(|(_, entry)| matches!(entry.at, At::Held(_)));
            let (handle, position) =
                next.map(|(handle, entry)| (handle, entry.task.id.position())).expect("sent");
            assert_eq!(position, Some(2));
            bench.done(1, &[handle]);
            let (handle, position) = bench.sent().pop().expect("sent");
            assert_eq!(position, 5);
            bench.done(1, &[handle]);
            bench.now += 1_000_000 * MS;
            bench.step(Input::Tick);
            assert_eq!(bench.positions(), [0; 0], "nothing wakes up");
            assert_eq!(
                (bench.engine.tasks.len(), bench.engine.delayed.len(), bench.engine.retrying),
                (0, 0, 0)
            );
            bench.commit(5);
            let counts = bench.engine.counts();
            assert_eq!((counts.done, counts.skipped, counts.failed), (5, 3, 0));
        }
    }
}

#[test]
fn a_cancelled_key_is_known_here_until_its_delivery_is_committed() {
    let mut bench = Bench::new(1, 1);
    bench.offer(tasks(1));
    bench.start(1);
    let sent = bench.sent();
    bench.done(1, &[sent[0].0]);
    let cancels = vec![Cancel { key: key_hash(b"a"), after: 0 }];
    bench.handle(1, Puts { cancels, ..Puts::default() });
    bench.offer(vec![keyed(2, "a")]);
    assert_eq!((bench.engine.counts().duplicates, bench.engine.tasks.len()), (1, 0));
    bench.step(Input::Committed { count: 0, seq: 0 });
    bench.offer(vec![keyed(3, "a")]);
    assert_eq!(bench.engine.counts().duplicates, 2);
    bench.step(Input::Committed { count: 1, seq: 0 });
    bench.offer(vec![keyed(4, "a")]);
    assert_eq!(bench.engine.counts().duplicates, 2, "from now on the store knows it, and is asked");
}

#[test]
fn a_cancel_counts_for_puts_before_and_after_it_each_in_its_way() {
    let mut bench = Bench::new(1, 1);
    let tasks = vec![keyed(1, "a"), keyed(2, "b"), keyed(3, "b")];
    let cancels = vec![Cancel { key: key_hash(b"b"), after: 6 }];
    bench.handle(0, Puts { first: Seq::new(5), tasks, cancels, ..Puts::default() });
    assert_eq!(skipped(&mut bench), [(2, 0)]);
    assert_eq!((bench.engine.counts().known, bench.engine.counts().duplicates), (2, 1));
}

#[test]
fn a_task_from_the_journal_that_was_cancelled_ends_at_once() {
    let mut bench = Bench::with(Config { queue: 4, ..config(1, 1) });
    let stored = |n| crate::model::handling::StoredPuts {
        priority: 0,
        first: Seq::new(1).expect("not 0"),
        last: Seq::new(n).expect("not 0"),
        count: n,
    };
    bench.handle(0, Puts { stored: vec![stored(3)], ..Puts::default() });
    bench.step(Input::Committed { count: 0, seq: 3 });
    cancel(&mut bench, &["b"]);
    let mut marked = keyed(1, "a");
    marked.options.as_mut().expect("a key").cancelled = true;
    let tasks = vec![marked, keyed(2, "b"), keyed(3, "c")];
    let tasks = (1..).map(|n| Seq::new(n).expect("not 0")).zip(tasks).collect();
    bench.step(Input::Stored { priority: 0, until: 3, tasks });
    assert_eq!(skipped(&mut bench), [(1, 0), (2, 0)]);
    assert_eq!(bench.engine.tasks.len(), 1);
}

#[test]
fn many_that_left_before_their_time_do_not_stay_behind() {
    let mut bench = Bench::with(Config { queue: 10_000, ..config(1, 1) });
    for n in 1..=5_000 {
        let key = format!("k{n}").into_bytes().into();
        let options = TaskOptions { key: Some(key), delay_ns: 900_000 * MS, ..TaskOptions::default() };
        bench.offer(vec![with(n, options)]);
    }
    for n in 1..=4_990 {
        cancel(&mut bench, &[&format!("k{n}")]);
    }
    assert_eq!((bench.engine.delayed.len(), bench.engine.tasks.len()), (10, 10));
    assert!(bench.engine.delayed.in_memory() < 3_000, "{}", bench.engine.delayed.in_memory());
}
