//! Attempts that fail, and whether their tasks are tried again.

use super::{Bench, MS, config, task, tasks};
use crate::engine::{Action, Config, Input, Retry, WorkerId};
use crate::model::policy::{Backoff, Retries};
use crate::model::{Failure, Handle, Outcome, StopCause, Verdict};

const S: u64 = 1_000 * MS;

impl Bench {
    pub(super) fn fails(&mut self, worker: WorkerId, handle: Handle, failure: Failure) {
        let verdict = Verdict::Failed(Box::new(failure));
        self.step(Input::Outcomes {
            worker,
            outcomes: vec![Outcome { handle, elapsed_ns: 5 * MS, verdict }],
        });
    }

    fn told(&mut self) -> Vec<Retry> {
        let told = self.actions.extract_if(.., |action| matches!(action, Action::TellRetry(_)));
        told.filter_map(|action| if let Action::TellRetry(retry) = action { Some(*retry) } else { None })
            .collect()
    }

    /// Goes to the next deadline.
    pub(super) fn wait(&mut self) -> u64 {
        self.now = self.engine.next_deadline().expect("something is due");
        self.step(Input::Tick);
        self.now
    }
}

fn error() -> Failure {
    Failure::new("lua_error", "no")
}

fn retrying(count: u32) -> Config {
    let retries =
        Retries { count, jitter: false, delay_ns: S, backoff: Backoff::Exponential, ..Retries::default() };
    Config { retries, ..config(1, 1) }
}

#[test]
fn a_failed_task_is_tried_again_after_a_growing_delay_and_then_fails() {
    let mut bench = Bench::with(retrying(2));
    bench.offer(tasks(1));
    bench.start(1);
    for (attempt, delay_ns) in [(1, S), (2, 2 * S)] {
        let sent = bench.sent();
        bench.fails(1, sent[0].0, error());
        let told = bench.told();
        assert_eq!((told[0].attempt, told[0].attempts, told[0].next_ns), (attempt, 3, delay_ns));
        assert_eq!((told[0].worker, told[0].elapsed_ns, &told[0].failure), (1, 5 * MS, &error()));
        assert_eq!(bench.engine.counts().retrying, 1);
        assert!(bench.delivered().is_empty());
        let before = bench.now;
        assert_eq!(bench.wait(), before + delay_ns);
        assert_eq!(bench.engine.counts().retrying, 0);
    }
    let sent = bench.sent();
    bench.fails(1, sent[0].0, error());
    let delivered = bench.delivered();
    assert_eq!((delivered[0].attempt, &delivered[0].verdict), (3, &Verdict::Failed(Box::new(error()))));
}

#[test]
fn a_task_that_ends_well_in_a_later_attempt_is_counted() {
    let mut bench = Bench::with(retrying(1));
    bench.step(Input::Offered { tasks: tasks(1), known: vec![], last: true });
    bench.start(1);
    let sent = bench.sent();
    bench.fails(1, sent[0].0, error());
    bench.wait();
    let sent = bench.sent();
    bench.done(1, &[sent[0].0]);
    bench.commit(1);
    bench.dies(1, &[]);
    let summary = bench.finished().expect("all is done");
    assert_eq!((summary.again, summary.counts.done, summary.counts.failed), (1, 1, 0));
}

#[test]
fn a_waiting_retry_holds_no_thread_and_comes_back_to_the_front() {
    let mut bench = Bench::with(retrying(1));
    bench.offer(tasks(4));
    bench.start(1);
    let sent = bench.sent();
    bench.fails(1, sent[0].0, error());
    let second = bench.sent();
    assert_eq!(second[0].1, 2);
    bench.now = S;
    bench.step(Input::Tick);
    bench.done(1, &[second[0].0]);
    assert_eq!(bench.positions(), [1]);
}

#[test]
fn a_retry_keeps_its_place_in_the_order() {
    let mut bench = Bench::with(Config { ordered: true, ..retrying(1) });
    bench.offer(tasks(3));
    bench.start(1);
    let first = bench.sent();
    bench.fails(1, first[0].0, error());
    for _ in 0..2 {
        let sent = bench.sent();
        bench.done(1, &[sent[0].0]);
    }
    assert!(bench.delivered().is_empty());
    bench.wait();
    let sent = bench.sent();
    bench.done(1, &[sent[0].0]);
    let order: Vec<_> = bench.delivered().iter().map(|delivery| delivery.id.position()).collect();
    assert_eq!(order, [Some(1), Some(2), Some(3)]);
}

#[test]
fn what_the_other_side_asks_for_is_the_delay() {
    let mut bench = Bench::with(retrying(1));
    bench.offer(tasks(1));
    bench.start(1);
    let sent = bench.sent();
    bench.fails(1, sent[0].0, Failure { after_ns: Some(90 * S), ..error() });
    assert_eq!(bench.wait(), 90 * S);
    assert_eq!(bench.positions(), [1]);
}

#[test]
fn a_task_that_asks_is_tried_again_three_times_without_retries() {
    let mut bench = Bench::new(1, 1);
    bench.offer(tasks(1));
    bench.start(1);
    for attempt in 1..=4 {
        let sent = bench.sent();
        assert!(bench.engine.task(sent[0].0).is_some_and(|task| task.attempt == attempt));
        bench.fails(1, sent[0].0, Failure { asked: true, after_ns: Some(MS), ..error() });
        if attempt < 4 {
            bench.wait();
        }
    }
    assert_eq!(bench.delivered()[0].attempt, 4);
}

#[test]
fn a_stop_leaves_waiting_retries_unfinished() {
    let mut bench = Bench::with(retrying(1));
    bench.offer(tasks(3));
    bench.start(1);
    let sent = bench.sent();
    bench.fails(1, sent[0].0, error());
    let sent = bench.sent();
    bench.step(Input::Stop(StopCause::Signal(2)));
    bench.fails(1, sent[0].0, error());
    bench.dies(1, &[]);
    assert!(!bench.did(|action| matches!(action, Action::Deliver(_))));
    let summary = bench.finished().expect("nothing runs");
    assert_eq!((summary.not_started, summary.counts.failed, summary.counts.known), (1, 0, 3));
    assert_eq!(summary.counts.retrying, 2);
}

#[test]
fn a_task_that_aborts_fails_and_stops_the_run() {
    let mut bench = Bench::with(retrying(5));
    bench.offer(vec![task(7), task(8)]);
    bench.start(1);
    let sent = bench.sent();
    bench.fails(1, sent[0].0, Failure { abort: true, ..Failure::new("abort", "out of credit") });
    bench.commit(1);
    bench.dies(1, &[]);
    let summary = bench.finished().expect("the run is stopped");
    let cause = StopCause::Aborted { task: "7".into(), reason: "out of credit".into() };
    assert_eq!(summary.stopped, Some(cause));
    assert_eq!((summary.counts.failed, summary.not_started), (1, 1));
}

#[test]
fn a_skipped_task_is_done_and_counted_apart() {
    let mut bench = Bench::new(1, 1);
    bench.offer(tasks(2));
    bench.start(1);
    let sent = bench.sent();
    let verdict = Verdict::Skipped("seen".into());
    bench.step(Input::Outcomes {
        worker: 1,
        outcomes: vec![Outcome { handle: sent[0].0, elapsed_ns: 1, verdict: verdict.clone() }],
    });
    let counts = bench.engine.counts();
    assert_eq!((counts.done, counts.skipped), (0, 0), "it is not handled yet");
    bench.commit(1);
    let counts = bench.engine.counts();
    assert_eq!((counts.done, counts.skipped, counts.failed), (1, 1, 0));
    assert_eq!(bench.delivered()[0].verdict, verdict);
}
