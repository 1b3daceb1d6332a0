//! Attempts that do not end, and runs that take too long.

use super::{Bench, MS, config, tasks};
use crate::engine::{Action, Config, Input, Kill, StartFailure};
use crate::model::event::Event;
use crate::model::policy::{Retries, Times};
use crate::model::{StopCause, Verdict};

const S: u64 = 1_000 * MS;

fn timed(threads: usize) -> Config {
    let times = Times { timeout_ns: Some(10 * S), grace_ns: 5 * S, slow_ns: u64::MAX };
    Config { times, crash_limit: 1, ..config(1, threads) }
}

#[test]
fn an_overdue_attempt_fails_and_its_neighbours_start_again_uncharged_and_unsuspected() {
    let mut bench = Bench::with(timed(3));
    bench.offer(tasks(5));
    bench.start(1);
    let sent = bench.sent();
    bench.step(Input::Overdue { worker: 1, handles: vec![sent[1].0] });
    assert_eq!(bench.killed(1), Some(Kill::Timeout));
    assert!(bench.delivered().is_empty(), "its outcome may be on the way");
    bench.dies(1, &[sent[0].0, sent[1].0]);
    let report = |action: &Action| {
        matches!(action, Action::Report(Event::WorkerExited { unexpected: None, suspects: 1, .. }))
    };
    assert!(bench.did(report), "{:?}", bench.actions);
    let delivered = bench.delivered();
    let Verdict::Failed(failure) = &delivered[0].verdict else { panic!("{delivered:?}") };
    assert_eq!(failure.code, "timeout");
    assert_eq!(failure.message, "no end after 10s and 5s of grace; its worker was killed");
    let delivery = &delivered[0];
    assert_eq!((delivery.worker, delivery.attempt, delivery.elapsed_ns), (1, 1, 15 * S));
    bench.start(1);
    let sent = bench.sent();
    assert_eq!(sent.iter().map(|(_, position)| *position).collect::<Vec<_>>(), [1, 3, 4]);
    let attempts: Vec<_> =
        sent.iter().filter_map(|(handle, _)| bench.engine.task(*handle)).map(|task| task.attempt).collect();
    assert_eq!(attempts, [2, 1, 1]);
}

#[test]
fn an_outcome_that_was_on_its_way_counts() {
    let mut bench = Bench::with(timed(1));
    bench.offer(tasks(1));
    bench.start(1);
    let sent = bench.sent();
    bench.step(Input::Overdue { worker: 1, handles: vec![sent[0].0] });
    bench.done(1, &[sent[0].0]);
    let delivered = bench.delivered();
    assert!(matches!(delivered[0].verdict, Verdict::Done(_)));
    bench.dies(1, &[sent[0].0]);
    assert!(bench.delivered().is_empty());
}

#[test]
fn handles_of_others_are_ignored() {
    let mut bench = Bench::with(timed(1));
    bench.offer(tasks(1));
    bench.start(1);
    let sent = bench.sent();
    bench.step(Input::Overdue { worker: 2, handles: vec![sent[0].0] });
    bench.done(1, &[sent[0].0]);
    bench.step(Input::Overdue { worker: 1, handles: vec![sent[0].0] });
    assert_eq!(bench.killed(1), None);
}

#[test]
fn an_overdue_attempt_is_tried_again_as_any_other() {
    let retries = Retries { count: 1, jitter: false, ..Retries::default() };
    let mut bench = Bench::with(Config { retries, ..timed(1) });
    bench.offer(tasks(1));
    bench.start(1);
    for _ in 0..2 {
        let sent = bench.sent();
        bench.step(Input::Overdue { worker: 1, handles: vec![sent[0].0] });
        bench.dies(1, &[]);
        if bench.engine.counts().retrying == 1 {
            bench.wait();
            bench.start(1);
        }
    }
    assert_eq!(bench.delivered()[0].attempt, 2);
}

#[test]
fn a_suspect_that_is_overdue_has_not_crashed() {
    let mut bench = Bench::with(timed(1));
    bench.offer(tasks(1));
    bench.start(1);
    let sent = bench.sent();
    bench.dies(1, &[sent[0].0]);
    bench.start(1);
    let sent = bench.sent();
    bench.step(Input::Overdue { worker: 1, handles: vec![sent[0].0] });
    bench.dies(1, &[sent[0].0]);
    let delivered = bench.delivered();
    let Verdict::Failed(failure) = &delivered[0].verdict else { panic!("{delivered:?}") };
    assert_eq!((failure.code.as_str(), delivered[0].attempt), ("timeout", 2));
}

#[test]
fn attempts_that_never_end_are_not_workers_that_never_start() {
    let mut bench = Bench::with(timed(1));
    bench.offer(tasks(9));
    for _ in 0..9 {
        bench.start(1);
        let sent = bench.sent();
        bench.step(Input::Overdue { worker: 1, handles: vec![sent[0].0] });
        bench.dies(1, &[]);
    }
    assert!(bench.engine.tasks.is_empty() && bench.engine.stopped.is_none());
}

#[test]
fn an_attempt_that_was_killed_is_progress_for_the_breaker() {
    let mut bench = Bench::with(timed(1));
    bench.offer(tasks(2));
    let fails_to_start = |bench: &mut Bench| {
        for _ in 0..4 {
            let failure = StartFailure::NoProcess("no memory".into());
            bench.step(Input::WorkerStartFailed { worker: 1, failure });
            bench.now += 2 * S;
            bench.step(Input::Tick);
        }
    };
    fails_to_start(&mut bench);
    bench.start(1);
    let sent = bench.sent();
    bench.step(Input::Overdue { worker: 1, handles: vec![sent[0].0] });
    bench.dies(1, &[]);
    fails_to_start(&mut bench);
    assert!(bench.engine.stopped.is_none());
}

#[test]
fn the_deadline_of_the_run_drains_and_then_kills() {
    let mut bench = Bench::with(Config { deadline_ns: Some(60 * S), ..timed(1) });
    bench.offer(tasks(3));
    bench.start(1);
    let sent = bench.sent();
    assert_eq!(bench.wait(), 60 * S);
    assert!(!bench.did(|action| matches!(action, Action::KillWorker { .. })));
    assert_eq!(bench.wait(), 65 * S);
    assert_eq!(bench.killed(1), Some(Kill::Stop));
    bench.dies(1, &[sent[0].0]);
    let summary = bench.finished().expect("it is gone");
    assert_eq!((summary.stopped, summary.not_started), (Some(StopCause::Deadline(60 * S)), 2));
}

#[test]
fn a_deadline_after_the_last_task_stops_nothing() {
    let mut bench = Bench::with(Config { deadline_ns: Some(60 * S), ..timed(1) });
    bench.step(Input::Offered { tasks: tasks(1), known: vec![], last: true });
    bench.start(1);
    let sent = bench.sent();
    bench.done(1, &[sent[0].0]);
    bench.commit(1);
    bench.now = 61 * S;
    bench.step(Input::Tick);
    bench.dies(1, &[]);
    assert_eq!(bench.finished().map(|summary| summary.stopped), Some(None));
}
