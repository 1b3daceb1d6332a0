//! Single rules, each shown by a few inputs.

mod durable;
mod kept;
mod limits;
mod recycling;
mod retries;
mod timeouts;

use std::collections::HashMap;

use crate::engine::{Action, Config, Death, Engine, Input, Kill, StartFailure, WorkerId};
use crate::model::event::{Event, Summary};
use crate::model::handling::Puts;
use crate::model::outcome::Done;
use crate::model::task::TaskOptions;
use crate::model::{Delivery, Failure, Handle, Outcome, Payload, StopCause, Task, TaskId, Verdict};
use crate::plan::MaxFail;

const MS: u64 = 1_000_000;
const MIB: usize = 1 << 20;

/// An engine with a clock that stands until it is moved, and what it asked for since it was last looked at.
struct Bench {
    engine: Engine,
    now: u64,
    actions: Vec<Action>,
}

impl Bench {
    fn new(processes: usize, threads: usize) -> Self {
        Bench::with(config(processes, threads))
    }

    fn with(config: Config) -> Self {
        Bench { engine: Engine::new(config, 0), now: 0, actions: Vec::new() }
    }

    fn step(&mut self, input: Input) {
        self.engine.step(self.now, input, &mut self.actions);
    }

    fn offer(&mut self, tasks: Vec<Task>) {
        self.step(Input::Offered { tasks, known: vec![], last: false });
    }

    /// The handler has handled these, and put these.
    fn handle(&mut self, count: usize, puts: Puts) {
        self.step(Input::Handled { count, puts, known: vec![] });
    }

    /// Handled and committed at once.
    fn commit(&mut self, count: usize) {
        self.handle(count, Puts::default());
        self.step(Input::Committed { count, seq: 0 });
    }

    fn start(&mut self, worker: WorkerId) {
        self.step(Input::WorkerStarted { worker, pid: 1 });
    }

    fn done(&mut self, worker: WorkerId, handles: &[Handle]) {
        self.done_with(worker, handles, 5 * MS, 0);
    }

    fn done_with(&mut self, worker: WorkerId, handles: &[Handle], elapsed_ns: u64, bytes: usize) {
        let values = Payload::copy_from(&vec![0; bytes]);
        let verdict = Verdict::Done(Done { values, effects: None });
        let outcome = |handle: &Handle| Outcome { handle: *handle, elapsed_ns, verdict: verdict.clone() };
        self.step(Input::Outcomes { worker, outcomes: handles.iter().map(outcome).collect() });
    }

    fn dies(&mut self, worker: WorkerId, running: &[Handle]) {
        let running = running.to_vec();
        self.step(Input::WorkerGone {
            worker,
            running,
            death: "was killed".into(),
            last_words: Some("ouch".into()),
        });
    }

    fn is_killed(&mut self, worker: WorkerId, running: &[Handle]) {
        let death = Death { words: "was killed by signal 9 (SIGKILL)".into(), killed: true };
        self.step(Input::WorkerGone { worker, running: running.to_vec(), death, last_words: None });
    }

    /// Tasks sent since the last look, with the position of each.
    fn sent(&mut self) -> Vec<(Handle, u64)> {
        let mut sent = Vec::new();
        for action in self.actions.drain(..) {
            if let Action::Send { tasks, .. } = action {
                sent.extend(tasks);
            }
        }
        let position =
            |handle| self.engine.task(handle).and_then(|task| task.id.position()).expect("in flight");
        sent.into_iter().map(|handle| (handle, position(handle))).collect()
    }

    fn positions(&mut self) -> Vec<u64> {
        self.sent().into_iter().map(|(_, position)| position).collect()
    }

    fn delivered(&mut self) -> Vec<Delivery> {
        let deliveries = |action| match action {
            Action::Deliver(deliveries) => deliveries,
            _ => Vec::new(),
        };
        self.actions.drain(..).flat_map(deliveries).collect()
    }

    fn did(&self, what: impl Fn(&Action) -> bool) -> bool {
        self.actions.iter().any(what)
    }

    fn killed(&self, worker: WorkerId) -> Option<Kill> {
        self.actions.iter().find_map(|action| match action {
            Action::KillWorker { worker: killed, why } if *killed == worker => Some(why.clone()),
            _ => None,
        })
    }

    fn finished(&self) -> Option<Summary> {
        self.actions.iter().find_map(|action| match action {
            Action::Finished(summary) => Some((**summary).clone()),
            _ => None,
        })
    }
}

fn config(processes: usize, threads: usize) -> Config {
    Config::plain(processes, threads)
}

fn task(position: u64) -> Task {
    Task::plain(TaskId::at(position), Payload::default())
}

fn tasks(count: u64) -> Vec<Task> {
    (1..=count).map(task).collect()
}

fn with(position: u64, options: TaskOptions) -> Task {
    Task { options: Some(Box::new(options)), ..task(position) }
}

fn large(position: u64, bytes: usize) -> Task {
    Task { args: Payload::copy_from(&vec![0; bytes]), ..task(position) }
}

#[test]
fn a_second_task_with_a_key_is_dropped_and_counted() {
    let mut bench = Bench::new(1, 4);
    let key = |key: &[u8]| TaskOptions { key: Some(key.into()), ..TaskOptions::default() };
    bench.offer(vec![with(1, key(b"a")), with(2, key(b"b")), with(3, key(b"a")), task(4), task(5)]);
    bench.start(1);
    assert_eq!(bench.positions(), [1, 2, 4, 5]);
    assert_eq!((bench.engine.counts().known, bench.engine.counts().duplicates), (4, 1));
}

#[test]
fn higher_priorities_start_first() {
    let mut bench = Bench::new(1, 4);
    let priority = |priority| TaskOptions { priority, ..TaskOptions::default() };
    bench.offer(vec![task(1), with(2, priority(-1)), with(3, priority(5)), task(4)]);
    bench.start(1);
    assert_eq!(bench.positions(), [3, 1, 4, 2]);
}

#[test]
fn a_delayed_task_starts_when_it_is_due_and_holds_no_place_until_then() {
    let mut bench = Bench::with(Config { queue: 1, ..config(1, 1) });
    let delayed = TaskOptions { delay_ns: 50 * MS, ..TaskOptions::default() };
    bench.offer(vec![with(1, delayed)]);
    assert!(bench.engine.wants_tasks() && bench.actions.is_empty());
    assert_eq!(bench.engine.next_deadline(), Some(50 * MS));
    bench.offer(vec![task(2)]);
    bench.start(1);
    let sent = bench.sent();
    assert_eq!(sent[0].1, 2);
    bench.now = 50 * MS;
    bench.done(1, &[sent[0].0]);
    assert_eq!(bench.positions(), [1]);
}

#[test]
fn the_source_waits_while_the_queue_is_full() {
    let mut bench = Bench::with(Config { queue: 3, ..config(1, 1) });
    bench.offer(tasks(2));
    assert!(bench.engine.wants_tasks());
    bench.offer(vec![task(3)]);
    assert!(!bench.engine.wants_tasks());
    bench.offer(vec![large(4, 65 * MIB)]);
    let mut bench = Bench::new(1, 1);
    bench.offer(vec![large(1, 65 * MIB)]);
    assert!(!bench.engine.wants_tasks(), "bytes count too");
}

#[test]
fn large_arguments_lie_in_a_worker_only_up_to_a_limit() {
    let mut bench = Bench::new(1, 2);
    bench.offer((1..=100).map(|position| large(position, MIB)).collect());
    bench.start(1);
    let mut held: Vec<Handle> = Vec::new();
    let mut most = 0;
    for _ in 0..60 {
        held.extend(bench.sent().into_iter().map(|(handle, _)| handle));
        most = most.max(held.len());
        let ended = held.drain(..1).collect::<Vec<_>>();
        bench.done_with(1, &ended, 1_000, 0);
        bench.commit(1);
    }
    assert!((14..=17).contains(&most), "{most}");
}

#[test]
fn unhandled_results_hold_the_workers_back_by_number_and_by_size() {
    for (backlog, bytes) in [(2, 0), (1_000, 33 * MIB)] {
        let mut bench = Bench::with(Config { handler_backlog: backlog, ..config(1, 1) });
        bench.offer(tasks(10));
        bench.start(1);
        for _ in 0..2 {
            let sent = bench.sent();
            bench.done_with(1, &[sent[0].0], 5 * MS, bytes);
        }
        assert!(bench.positions().is_empty());
        bench.commit(1);
        assert_eq!(bench.positions(), [3]);
    }
}

#[test]
fn a_full_reorder_buffer_lets_only_the_next_in_order_start() {
    let mut bench = Bench::with(Config { ordered: true, ..config(1, 2) });
    let last = TaskOptions { priority: -1, ..TaskOptions::default() };
    bench.offer(std::iter::once(with(1, last)).chain((2..=10).map(task)).collect());
    bench.start(1);
    let sent = bench.sent();
    assert_eq!((sent[0].1, sent[1].1), (2, 3));
    bench.done_with(1, &[sent[0].0, sent[1].0], 5 * MS, 33 * MIB);
    let sent = bench.sent();
    assert_eq!((sent.len(), sent[0].1), (1, 1));
    bench.done(1, &[sent[0].0]);
    let order: Vec<_> = bench.delivered().into_iter().map(|delivery| delivery.id.position()).collect();
    assert_eq!(order, [Some(1), Some(2), Some(3)]);
}

#[test]
fn few_tasks_go_to_idle_threads_only() {
    let mut bench = Bench::new(2, 2);
    bench.offer(tasks(3));
    bench.start(1);
    bench.start(2);
    bench.actions.clear();
    bench.offer(vec![task(4)]);
    assert!(bench.did(|action| matches!(action, Action::Send { worker: 2, .. })), "{:?}", bench.actions);
}

#[test]
fn an_outcome_of_a_foreign_task_ends_the_worker_and_its_tasks_go_back() {
    let mut bench = Bench::new(2, 1);
    bench.offer(tasks(2));
    bench.start(1);
    bench.start(2);
    let sent = bench.sent();
    bench.done(1, &[sent[1].0]);
    assert!(matches!(bench.killed(1), Some(Kill::Violation(_))), "{:?}", bench.actions);
    assert!(bench.delivered().is_empty());
    bench.done(1, &[sent[0].0]);
    assert!(bench.delivered().is_empty(), "it is not listened to any more");
    bench.dies(1, &[sent[0].0]);
    assert!(bench.did(|action| matches!(action, Action::StartWorker { worker: 1 })));
    bench.done(2, &[sent[1].0]);
    let delivered = bench.delivered();
    assert_eq!((delivered.len(), delivered[0].worker, delivered[0].attempt), (1, 2, 1));
}

#[test]
fn the_same_outcome_twice_is_a_violation() {
    let mut bench = Bench::new(1, 1);
    bench.offer(tasks(1));
    bench.start(1);
    let sent = bench.sent();
    bench.done(1, &[sent[0].0, sent[0].0]);
    assert!(matches!(bench.killed(1), Some(Kill::Violation(_))));
    assert_eq!(bench.delivered().len(), 1);
}

#[test]
fn a_task_that_makes_its_worker_break_the_protocol_fails_in_the_end() {
    let mut bench = Bench::new(1, 1);
    bench.offer(tasks(1));
    for _ in 0..2 {
        bench.start(1);
        let sent = bench.sent();
        bench.step(Input::Violation { worker: 1, what: "it sent rubbish".into() });
        bench.dies(1, &[sent[0].0]);
    }
    let delivered = bench.delivered();
    let Verdict::Failed(failure) = &delivered[0].verdict else { panic!("{delivered:?}") };
    assert_eq!(failure.code, "crashed");
    assert_eq!(failure.message, "its worker was killed because it sent rubbish");
    assert_eq!(failure.traceback.as_deref(), Some("ouch"));
    assert_eq!((delivered[0].attempt, delivered[0].worker), (2, 0));
}

#[test]
fn one_death_in_company_of_nobody_charges_nobody() {
    let mut bench = Bench::new(1, 1);
    bench.offer(tasks(1));
    bench.start(1);
    let sent = bench.sent();
    bench.dies(1, &[sent[0].0]);
    assert!(bench.delivered().is_empty());
    bench.start(1);
    let sent = bench.sent();
    bench.done(1, &[sent[0].0]);
    assert_eq!(bench.delivered()[0].attempt, 2);
}

#[test]
fn suspects_run_alone_before_the_seat_takes_other_tasks() {
    let mut bench = Bench::new(1, 2);
    bench.offer(tasks(5));
    bench.start(1);
    let sent = bench.sent();
    bench.dies(1, &[sent[0].0, sent[1].0]);
    let report = |action: &Action| {
        matches!(action, Action::Report(Event::WorkerExited { suspects: 2, unexpected: Some(_), .. }))
    };
    assert!(bench.did(report));
    bench.start(1);
    for position in [1, 2] {
        let sent = bench.sent();
        assert_eq!((sent.len(), sent[0].1), (1, position));
        bench.done(1, &[sent[0].0]);
    }
    assert_eq!(bench.positions(), [3, 4]);
}

#[test]
fn tasks_not_started_go_back_to_the_front_in_order_and_uncharged() {
    let mut bench = Bench::new(1, 3);
    bench.offer(tasks(6));
    bench.start(1);
    bench.actions.clear();
    bench.dies(1, &[]);
    let starts = |action: &Action| matches!(action, Action::StartWorker { worker: 1 });
    assert!(!bench.did(starts), "it died before it started anything: not at once again");
    bench.now = bench.engine.next_deadline().expect("a second start");
    bench.step(Input::Tick);
    bench.start(1);
    let sent = bench.sent();
    assert_eq!(sent.iter().map(|(_, position)| *position).collect::<Vec<_>>(), [1, 2, 3]);
    assert!(sent.iter().all(|(handle, _)| bench.engine.task(*handle).is_some_and(|task| task.attempt == 1)));
}

#[test]
fn workers_that_die_at_once_stop_the_run_with_their_last_words() {
    let mut bench = Bench::new(1, 1);
    bench.offer(tasks(1));
    for _ in 0..5 {
        bench.start(1);
        bench.dies(1, &[]);
        bench.now = bench.engine.next_deadline().unwrap_or(bench.now);
        bench.step(Input::Tick);
    }
    let Some(StopCause::Broken(reason)) = bench.finished().and_then(|summary| summary.stopped) else {
        panic!("{:?}", bench.actions)
    };
    assert!(reason.ends_with("the last one was killed\nouch"), "{reason}");
}

#[test]
fn an_error_in_init_stops_the_run_at_once() {
    let mut bench = Bench::new(2, 1);
    bench.offer(tasks(2));
    bench.start(1);
    bench.start(2);
    let failure = StartFailure::Script("scripts/a.lua:3: no".into());
    bench.step(Input::WorkerStartFailed { worker: 1, failure });
    assert_eq!(bench.killed(1), Some(Kill::Start));
    assert!(bench.did(|action| matches!(action, Action::Recall { worker: 2 })));
    bench.dies(1, &[]);
    let sent = bench.sent();
    bench.step(Input::Returned { worker: 2, handles: vec![sent[1].0] });
    bench.dies(2, &[]);
    let summary = bench.finished().expect("both are gone");
    assert_eq!(summary.stopped, Some(StopCause::Broken("scripts/a.lua:3: no".into())));
    assert_eq!((summary.not_started, summary.crashes), (2, 0));
}

#[test]
fn a_signal_gives_a_stop_by_max_fail_a_deadline() {
    let mut bench = Bench::with(Config { max_fail: Some(MaxFail::Count(1)), ..config(1, 2) });
    bench.offer(tasks(4));
    bench.start(1);
    let sent = bench.sent();
    let verdict = Verdict::Failed(Box::new(Failure::new("lua_error", "no")));
    bench.step(Input::Outcomes {
        worker: 1,
        outcomes: vec![Outcome { handle: sent[0].0, elapsed_ns: 1, verdict }],
    });
    assert!(bench.did(|action| matches!(action, Action::Recall { worker: 1 })));
    assert_eq!(bench.engine.next_deadline(), None);
    bench.step(Input::Stop(StopCause::Signal(2)));
    assert_eq!(bench.engine.next_deadline(), Some(1_000 * MS));
    bench.now = 1_000 * MS;
    bench.step(Input::Tick);
    assert_eq!(bench.killed(1), Some(Kill::Stop));
    bench.dies(1, &[sent[1].0]);
    assert!(bench.finished().is_none(), "one delivery is not handled");
    bench.commit(1);
    let summary = bench.finished().expect("all is handled");
    assert_eq!(summary.stopped, Some(StopCause::MaxFail { failed: 1 }));
    assert_eq!((summary.not_started, summary.counts.failed), (2, 1));
}

#[test]
fn state_that_cannot_be_written_kills_at_once() {
    let mut bench = Bench::new(1, 1);
    bench.offer(tasks(1));
    bench.start(1);
    bench.step(Input::Stop(StopCause::Unwritable("disk full".into())));
    assert_eq!(bench.killed(1), Some(Kill::Stop));
}

#[test]
fn a_worker_that_does_not_end_is_killed() {
    let mut bench = Bench::new(1, 1);
    bench.step(Input::Offered { tasks: tasks(1), known: vec![], last: true });
    bench.start(1);
    let sent = bench.sent();
    bench.done(1, &[sent[0].0]);
    bench.commit(1);
    assert!(bench.did(|action| matches!(action, Action::StopWorker { worker: 1 })));
    bench.now = bench.engine.next_deadline().expect("it is not waited for for ever");
    bench.step(Input::Tick);
    assert_eq!(bench.killed(1), Some(Kill::Overdue));
    bench.dies(1, &[]);
    let summary = bench.finished().expect("it is gone");
    assert_eq!((summary.stopped, summary.crashes), (None, 0));
}

#[test]
fn what_the_handler_puts_keeps_the_run_going() {
    let mut bench = Bench::new(1, 1);
    bench.step(Input::Offered { tasks: tasks(1), known: vec![], last: true });
    bench.start(1);
    let sent = bench.sent();
    bench.done(1, &[sent[0].0]);
    bench.actions.clear();
    bench.handle(1, Puts { tasks: vec![task(2)], ..Puts::default() });
    assert_eq!(bench.positions(), [2]);
}

/// Two workers of a thread each whose windows have grown on quick tasks; both idle.
fn two_quick_workers() -> Bench {
    let mut bench = Bench::new(2, 1);
    bench.offer(tasks(400));
    bench.start(1);
    bench.start(2);
    loop {
        let mut sent = Vec::new();
        for action in bench.actions.drain(..) {
            if let Action::Send { worker, tasks } = action {
                sent.push((worker, tasks));
            }
        }
        if sent.is_empty() {
            return bench;
        }
        for (worker, handles) in sent {
            bench.done_with(worker, &handles, 1_000, 0);
            bench.commit(handles.len());
        }
    }
}

/// How many tasks each of two workers was sent.
fn shares(bench: &mut Bench) -> [usize; 2] {
    let mut shares = [0, 0];
    for action in bench.actions.drain(..) {
        if let Action::Send { worker, tasks } = action {
            shares[worker as usize - 1] += tasks.len();
        }
    }
    shares
}

#[test]
fn the_last_tasks_are_shared_by_free_capacity() {
    let mut bench = two_quick_workers();
    bench.offer(tasks(40));
    let [first, second] = shares(&mut bench);
    assert!(first + second == 40 && first.min(second) > 10, "{first} and {second}");
}

#[test]
fn a_single_task_does_not_wait_behind_another_while_a_worker_is_idle() {
    let mut bench = two_quick_workers();
    for expected in [[1, 0], [0, 1], [1, 0]] {
        bench.offer(tasks(1));
        assert_eq!(shares(&mut bench), expected);
    }
}

#[test]
fn tasks_given_back_without_being_asked_end_the_worker() {
    let mut bench = Bench::new(1, 1);
    bench.offer(tasks(1));
    bench.start(1);
    let sent = bench.sent();
    bench.step(Input::Returned { worker: 1, handles: vec![sent[0].0] });
    assert!(matches!(bench.killed(1), Some(Kill::Violation(_))));
}

#[test]
fn a_suspect_that_had_not_started_alone_is_not_charged() {
    let mut bench = Bench::new(1, 1);
    bench.offer(tasks(1));
    bench.start(1);
    let sent = bench.sent();
    bench.dies(1, &[sent[0].0]);
    bench.start(1);
    bench.dies(1, &[]);
    assert!(bench.delivered().is_empty());
}

/// Two seats with a task each; the first one's process is killed again and again, the other's only in the beginning.
fn deaths_until_failed(other_is_killed: bool) -> usize {
    let mut bench = Bench::new(2, 1);
    bench.offer(tasks(2));
    bench.start(1);
    bench.start(2);
    let sent = bench.sent();
    if other_is_killed {
        bench.is_killed(2, &[sent[1].0]);
    }
    for deaths in 0..100 {
        bench.is_killed(1, &[sent[0].0]);
        if !bench.delivered().is_empty() {
            return deaths;
        }
        bench.start(1);
    }
    panic!("it never failed");
}

#[test]
fn a_death_by_sigkill_alone_is_doubtful_while_other_workers_are_killed_too() {
    assert_eq!(deaths_until_failed(false), 1);
    assert_eq!(deaths_until_failed(true), 5);
}

#[test]
fn a_poison_task_that_has_failed_is_progress_for_the_breaker() {
    let mut bench = Bench::new(1, 1);
    bench.offer(tasks(2));
    let fails_to_start = |bench: &mut Bench, times: u32| {
        for _ in 0..times {
            let failure = StartFailure::NoProcess("no memory".into());
            bench.step(Input::WorkerStartFailed { worker: 1, failure });
            bench.now += 2_000 * MS;
            bench.step(Input::Tick);
        }
    };
    fails_to_start(&mut bench, 4);
    for _ in 0..2 {
        bench.start(1);
        let sent = bench.sent();
        bench.dies(1, &[sent[0].0]);
    }
    assert_eq!(bench.delivered().len(), 1);
    fails_to_start(&mut bench, 4);
    assert!(!bench.did(|action| matches!(action, Action::Report(Event::Stopping { .. }))));
    fails_to_start(&mut bench, 1);
    assert!(bench.did(|action| matches!(action, Action::Report(Event::Stopping { .. }))));
}

#[test]
fn the_source_goes_on_when_large_tasks_have_ended() {
    let mut bench = Bench::new(1, 1);
    bench.offer(vec![large(1, 65 * MIB)]);
    bench.start(1);
    let sent = bench.sent();
    bench.done(1, &[sent[0].0]);
    assert!(bench.engine.wants_tasks());
}

#[test]
fn a_reorder_buffer_that_was_full_opens_again() {
    let mut bench = Bench::with(Config { ordered: true, ..config(1, 2) });
    bench.offer(tasks(8));
    bench.start(1);
    let sent = bench.sent();
    bench.done_with(1, &[sent[1].0], 5 * MS, 65 * MIB);
    assert!(bench.positions().is_empty());
    bench.done(1, &[sent[0].0]);
    bench.commit(2);
    assert_eq!(bench.positions(), [3, 4]);
}

#[test]
fn a_worker_that_comes_up_in_a_hard_stop_is_killed() {
    let mut bench = Bench::new(1, 1);
    bench.offer(tasks(1));
    bench.step(Input::Stop(StopCause::Signal(15)));
    bench.step(Input::Stop(StopCause::Signal(15)));
    bench.start(1);
    assert_eq!(bench.killed(1), Some(Kill::Stop));
}
