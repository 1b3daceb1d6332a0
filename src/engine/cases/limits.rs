//! Tasks that wait for a limit.

use super::{Bench, MS, config};
use crate::engine::{Config, Input};
use crate::model::policy::{Limit, Rate, Retries};
use crate::model::task::TaskOptions;
use crate::model::{Failure, Handle, Payload, StopCause, Task, TaskId, Value};
use crate::wire::value::encode_list;

const S: u64 = 1_000 * MS;

fn limit() -> Limit {
    Limit { name: "site".into(), rate: None, burst: 1, concurrency: None, per: None, retry_after: true }
}

fn at_once(most: u32) -> Limit {
    Limit { concurrency: Some(most), ..limit() }
}

fn a_second(count: u32, burst: u32) -> Limit {
    Limit { rate: Some(Rate { count, per_ns: S }), burst, ..limit() }
}

fn per(limit: Limit, field: &str) -> Limit {
    Limit { per: Some(field.into()), ..limit }
}

fn bench(processes: usize, threads: usize, limits: Vec<Limit>) -> Bench {
    let mut bench = Bench::with(Config { limits, ..config(processes, threads) });
    bench.offer(vec![]);
    bench
}

/// A task of a site.
fn of(site: i64, position: u64) -> Task {
    Task::plain(TaskId::at(position), Payload::copy_from(&encode_list([Value::Int(site)].iter())))
}

fn all_of(site: i64, positions: std::ops::RangeInclusive<u64>) -> Vec<Task> {
    positions.map(|position| of(site, position)).collect()
}

fn handles(sent: &[(Handle, u64)]) -> Vec<Handle> {
    sent.iter().map(|(handle, _)| *handle).collect()
}

#[test]
fn no_more_run_at_once_than_the_limit_and_each_end_lets_one_in() {
    let mut bench = bench(2, 4, vec![at_once(3)]);
    bench.offer(all_of(1, 1..=6));
    bench.start(1);
    let sent = bench.sent();
    assert_eq!(sent.iter().map(|(_, position)| *position).collect::<Vec<_>>(), [1, 2, 3]);
    bench.done(1, &[sent[1].0]);
    let fourth = bench.sent();
    assert_eq!(fourth[0].1, 4);
    bench.fails(1, fourth[0].0, Failure::new("lua_error", "no"));
    assert_eq!(bench.positions(), [5], "a failure gives back too");
}

#[test]
fn a_dead_worker_and_returned_tasks_give_back_what_they_had() {
    let mut bench = bench(1, 2, vec![at_once(2)]);
    bench.offer(all_of(1, 1..=3));
    bench.start(1);
    bench.sent();
    bench.dies(1, &[]);
    bench.wait();
    bench.start(1);
    let sent = bench.sent();
    assert_eq!(sent.len(), 2);
    bench.step(Input::Retire { worker: 1, reason: "asked".into() });
    bench.actions.clear();
    bench.step(Input::Returned { worker: 1, handles: handles(&sent) });
    bench.start(2);
    assert_eq!(bench.positions(), [1, 2]);
}

#[test]
fn a_task_that_waits_does_not_hold_up_those_of_other_buckets() {
    let mut bench = bench(1, 4, vec![per(at_once(1), "site")]);
    bench.offer(vec![of(1, 1), of(1, 2), of(1, 3), of(2, 4), of(3, 5)]);
    bench.start(1);
    let sent = bench.sent();
    assert_eq!(sent.iter().map(|(_, position)| *position).collect::<Vec<_>>(), [1, 4, 5]);
    bench.done(1, &[sent[1].0]);
    assert!(bench.positions().is_empty());
    bench.done(1, &[sent[0].0]);
    assert_eq!(bench.positions(), [2]);
}

#[test]
fn starts_keep_a_rate_and_the_engine_says_when_the_next_is_due() {
    let mut bench = bench(1, 8, vec![a_second(10, 2)]);
    bench.offer(all_of(1, 1..=5));
    bench.start(1);
    assert_eq!(bench.positions(), [1, 2]);
    for position in 3..=5 {
        assert_eq!(bench.wait(), (position - 2) * 100 * MS);
        assert_eq!(bench.positions(), [position]);
    }
}

#[test]
fn tasks_under_a_limit_never_lie_in_a_worker_ahead() {
    let mut bench = bench(1, 2, vec![at_once(100)]);
    bench.offer(all_of(1, 1..=200));
    bench.start(1);
    for _ in 0..20 {
        let sent = bench.sent();
        assert_eq!(sent.len(), 2);
        bench.done_with(1, &handles(&sent), 1_000, 0);
        bench.commit(2);
    }
}

#[test]
fn a_task_needs_all_of_its_limits_and_holds_none_while_it_waits() {
    let mut bench = bench(1, 8, vec![per(at_once(1), "site"), a_second(1, 2)]);
    bench.offer(vec![of(1, 1), of(1, 2), of(2, 3), of(3, 4)]);
    bench.start(1);
    let sent = bench.sent();
    assert_eq!(sent.iter().map(|(_, position)| *position).collect::<Vec<_>>(), [1, 3]);
    bench.done(1, &[sent[1].0]);
    assert_eq!(bench.wait(), S);
    // the site of 2 is busy, and the token goes to 4
    assert_eq!(bench.positions(), [4]);
    bench.now = 2 * S;
    bench.step(Input::Tick);
    assert!(bench.positions().is_empty());
    bench.done(1, &[sent[0].0]);
    assert_eq!(bench.positions(), [2]);
}

#[test]
fn higher_priorities_come_first_within_a_bucket_and_between_them() {
    let mut bench = bench(1, 1, vec![per(at_once(1), "site")]);
    let with = |site, position, priority| {
        let options = TaskOptions { priority, ..TaskOptions::default() };
        Task { options: Some(Box::new(options)), ..of(site, position) }
    };
    bench.offer(vec![of(1, 1), of(1, 2), of(2, 3), with(2, 4, 5), with(1, 5, 9), of(3, 6), with(3, 7, -1)]);
    bench.start(1);
    let mut order = Vec::new();
    for _ in 0..7 {
        let sent = bench.sent();
        order.push(sent[0].1);
        bench.done(1, &[sent[0].0]);
    }
    assert_eq!(order, [5, 4, 1, 2, 3, 6, 7]);
}

#[test]
fn a_higher_priority_overtakes_in_a_bucket_that_is_waited_for() {
    let mut bench = bench(1, 4, vec![per(a_second(1, 1), "site"), a_second(1, 1)]);
    bench.offer(vec![of(1, 1), of(2, 2), of(3, 3)]);
    bench.start(1);
    assert_eq!(bench.positions(), [1]);
    let options = TaskOptions { priority: 1, ..TaskOptions::default() };
    bench.offer(vec![Task { options: Some(Box::new(options)), ..of(3, 4) }]);
    bench.wait();
    assert_eq!(bench.positions(), [4]);
    bench.wait();
    assert_eq!(bench.positions(), [2]);
}

#[test]
fn one_that_says_how_long_to_wait_pauses_its_bucket_alone() {
    for (retry_after, then) in [(true, 30 * S), (false, 0)] {
        let limits = vec![Limit { retry_after, ..per(at_once(2), "site") }];
        let mut bench = bench(1, 1, limits);
        bench.offer(vec![of(1, 1), of(1, 2), of(2, 3)]);
        bench.start(1);
        let sent = bench.sent();
        bench.fails(1, sent[0].0, Failure { after_ns: Some(30 * S), ..Failure::new("http_status", "429") });
        let sent = bench.sent();
        assert_eq!(sent[0].1, if retry_after { 3 } else { 2 });
        bench.done(1, &[sent[0].0]);
        if retry_after {
            assert_eq!(bench.wait(), then);
        }
        assert_eq!(bench.positions(), [if retry_after { 2 } else { 3 }]);
    }
}

#[test]
fn a_bucket_that_opens_lets_in_all_that_fit() {
    let mut bench = bench(1, 8, vec![at_once(4), per(at_once(1), "site")]);
    bench.offer(vec![of(1, 1)]);
    bench.start(1);
    let sent = bench.sent();
    bench.fails(1, sent[0].0, Failure { after_ns: Some(30 * S), ..Failure::new("http_status", "429") });
    bench.offer((2..=9).map(|site| of(site, site as u64)).collect());
    assert!(bench.positions().is_empty());
    assert_eq!(bench.wait(), 30 * S);
    assert_eq!(bench.positions(), [2, 3, 4, 5]);
}

#[test]
fn what_a_task_asks_for_itself_pauses_nobody_else() {
    let mut bench = bench(1, 1, vec![at_once(2)]);
    bench.offer(all_of(1, 1..=2));
    bench.start(1);
    let sent = bench.sent();
    bench.fails(1, sent[0].0, Failure { asked: true, after_ns: Some(S), ..Failure::new("retry", "later") });
    assert_eq!(bench.positions(), [2]);
}

#[test]
fn each_attempt_takes_the_limit_anew() {
    let retries = Retries { count: 1, delay_ns: MS, jitter: false, ..Retries::default() };
    let mut bench = Bench::with(Config { limits: vec![a_second(1, 1)], retries, ..config(1, 1) });
    bench.offer(all_of(1, 1..=1));
    bench.start(1);
    let sent = bench.sent();
    bench.fails(1, sent[0].0, Failure::new("lua_error", "no"));
    assert_eq!(bench.wait(), MS);
    assert!(bench.positions().is_empty());
    assert_eq!(bench.wait(), S);
    assert_eq!(bench.positions(), [1]);
}

#[test]
fn suspects_take_limits_too() {
    let mut bench = Bench::with(Config { limits: vec![a_second(1, 1)], crash_limit: 3, ..config(1, 1) });
    bench.offer(all_of(1, 1..=1));
    bench.start(1);
    let sent = bench.sent();
    bench.dies(1, &[sent[0].0]);
    bench.start(1);
    assert!(bench.positions().is_empty());
    assert_eq!(bench.wait(), S);
    assert_eq!(bench.positions(), [1]);
}

#[test]
fn the_next_in_order_takes_limits_too() {
    let limits = vec![per(a_second(1, 1), "site")];
    let mut bench = Bench::with(Config { limits, ordered: true, ..config(1, 2) });
    bench.offer(vec![of(1, 1), of(1, 2), of(2, 3), of(3, 4)]);
    bench.start(1);
    let sent = bench.sent();
    assert_eq!((sent[0].1, sent[1].1), (1, 3));
    bench.done(1, &[sent[0].0]);
    bench.done_with(1, &[sent[1].0], MS, 65 << 20);
    bench.sent();
    assert_eq!(bench.wait(), S);
    assert_eq!(bench.positions(), [2]);
}

#[test]
fn workers_start_for_what_may_start_only() {
    let mut narrow = bench(8, 1, vec![at_once(2)]);
    narrow.offer(all_of(1, 1..=50));
    let starts = |bench: &Bench| {
        bench
            .actions
            .iter()
            .filter(|action| matches!(action, crate::engine::Action::StartWorker { .. }))
            .count()
    };
    assert_eq!(starts(&narrow), 2);
    let mut wide = bench(8, 2, vec![per(at_once(1), "site")]);
    wide.offer((1..=9).map(|site| of(site, site as u64)).collect());
    assert_eq!(starts(&wide), 5);
}

#[test]
fn buckets_and_lanes_of_tasks_that_have_ended_are_forgotten() {
    let mut bench = bench(1, 1, vec![per(a_second(1_000, 1), "site"), at_once(1)]);
    for round in 0..1_000 {
        bench.offer(vec![of(round, round as u64 + 1)]);
        bench.start(1);
        let sent = bench.sent();
        bench.now += 5 * MS;
        bench.done(1, &[sent[0].0]);
        bench.commit(1);
        bench.step(Input::Tick);
    }
    assert!(bench.engine.limits.buckets_in_memory() < 10, "{}", bench.engine.limits.buckets_in_memory());
}

#[test]
fn tasks_that_wait_for_a_limit_were_not_started() {
    let mut bench = bench(1, 4, vec![at_once(1)]);
    bench.offer(all_of(1, 1..=5));
    bench.start(1);
    let sent = bench.sent();
    bench.step(Input::Stop(StopCause::Signal(2)));
    assert!(bench.engine.next_deadline().is_some());
    bench.done(1, &[sent[0].0]);
    bench.commit(1);
    bench.dies(1, &[]);
    assert_eq!(bench.finished().map(|summary| summary.not_started), Some(4));
}
