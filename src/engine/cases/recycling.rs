//! Workers that are replaced though they are well.

use super::{Bench, MIB, MS, config, task, tasks};
use crate::engine::{Action, Config, Input, StartFailure, WorkerId};
use crate::model::event::Event;
use crate::model::policy::Recycle;
use crate::model::{Handle, StopCause};

const S: u64 = 1_000 * MS;

fn recycle(recycle: Recycle, processes: usize, threads: usize) -> Bench {
    Bench::with(Config { recycle, crash_limit: 3, ..config(processes, threads) })
}

impl Bench {
    fn starts(&self) -> Vec<WorkerId> {
        let started = |action: &Action| match action {
            Action::StartWorker { worker } => Some(*worker),
            _ => None,
        };
        self.actions.iter().filter_map(started).collect()
    }

    fn stops(&self, worker: WorkerId) -> bool {
        self.did(|action| matches!(action, Action::StopWorker { worker: stopped } if *stopped == worker))
    }

    fn why(&self) -> Option<(WorkerId, String)> {
        self.actions.iter().find_map(|action| match action {
            Action::Report(Event::WorkerRecycled { worker, why }) => Some((*worker, why.clone())),
            _ => None,
        })
    }
}

#[test]
fn a_worker_gets_no_more_than_its_tasks_and_its_successor_starts_before_it_ends() {
    let mut bench = recycle(Recycle { tasks: Some(3), ..Recycle::default() }, 1, 2);
    bench.offer(tasks(20));
    bench.start(1);
    let sent = bench.sent();
    assert_eq!(sent.len(), 2);
    bench.done(1, &[sent[0].0]);
    assert_eq!(bench.why(), Some((1, "after 3 tasks".into())));
    assert_eq!(bench.starts(), [2]);
    let third = bench.sent();
    assert_eq!(third.len(), 1);
    bench.start(2);
    assert_eq!(bench.sent().len(), 2);
    bench.done(1, &[sent[1].0]);
    assert!(!bench.stops(1) && bench.sent().is_empty());
    bench.done(1, &[third[0].0]);
    assert!(bench.stops(1), "{:?}", bench.actions);
    bench.dies(1, &[]);
    let unexpected =
        |action: &Action| matches!(action, Action::Report(Event::WorkerExited { unexpected: Some(_), .. }));
    assert!(!bench.did(unexpected));
}

#[test]
fn quick_tasks_fill_no_window_beyond_the_count() {
    let mut bench = recycle(Recycle { tasks: Some(50), ..Recycle::default() }, 1, 1);
    bench.offer(tasks(200));
    bench.start(1);
    let mut count = 0;
    loop {
        let sent: Vec<Handle> = bench.sent().into_iter().map(|(handle, _)| handle).collect();
        count += sent.len();
        if count == 50 {
            break;
        }
        assert!(!sent.is_empty() && count < 50);
        bench.done_with(1, &sent, 1_000, 0);
        bench.commit(sent.len());
    }
}

#[test]
fn tasks_that_came_back_unstarted_are_not_counted() {
    let mut bench = recycle(Recycle { tasks: Some(10), ..Recycle::default() }, 2, 1);
    bench.offer(tasks(6));
    bench.start(1);
    let no_process = StartFailure::NoProcess("no memory".into());
    bench.step(Input::WorkerStartFailed { worker: 2, failure: no_process });
    for _ in 0..2 {
        let sent: Vec<Handle> = bench.sent().into_iter().map(|(handle, _)| handle).collect();
        bench.done_with(1, &sent, 1_000, 0);
    }
    let held = bench.sent();
    assert_eq!(held.len(), 3);
    bench.now = 20 * MS;
    bench.step(Input::Tick);
    bench.step(Input::Returned { worker: 1, handles: vec![held[1].0, held[2].0] });
    bench.done(1, &[held[0].0]);
    let mut attempts = 4;
    bench.offer(tasks(20));
    for _ in 0..20 {
        if bench.why().is_some() {
            break;
        }
        let sent: Vec<Handle> = bench.sent().into_iter().map(|(handle, _)| handle).collect();
        attempts += sent.len();
        bench.done(1, &sent);
    }
    assert_eq!(attempts + bench.sent().len(), 10);
}

#[test]
fn at_its_age_a_worker_gives_back_what_it_has_not_started() {
    let mut bench = recycle(Recycle { lifetime_ns: Some(90 * S), ..Recycle::default() }, 1, 1);
    bench.offer(tasks(1));
    bench.start(1);
    let sent = bench.sent();
    assert_eq!(bench.wait(), 90 * S);
    assert_eq!(bench.why(), Some((1, "after 1m30s".into())));
    assert!(bench.did(|action| matches!(action, Action::Recall { worker: 1 })));
    assert!(!bench.stops(1) && bench.starts().is_empty(), "nothing waits for a successor");
    bench.step(Input::Returned { worker: 1, handles: vec![] });
    bench.offer(vec![task(2)]);
    assert_eq!(bench.starts(), [2]);
    assert_eq!(bench.engine.next_deadline(), None);
    bench.done(1, &[sent[0].0]);
    assert!(bench.stops(1));
}

#[test]
fn a_worker_over_its_memory_and_one_that_asks_are_replaced() {
    let mut bench = recycle(Recycle { memory: Some(100 * MIB as u64), ..Recycle::default() }, 2, 1);
    bench.offer(tasks(4));
    bench.start(1);
    bench.start(2);
    bench.step(Input::WorkerMemory { worker: 1, bytes: 100 * MIB as u64 });
    assert_eq!(bench.why(), None);
    bench.step(Input::WorkerMemory { worker: 1, bytes: 101 * MIB as u64 });
    assert_eq!(bench.why(), Some((1, "at 101.0 MiB of memory".into())));
    bench.actions.clear();
    bench.step(Input::WorkerMemory { worker: 1, bytes: 102 * MIB as u64 });
    assert_eq!(bench.why(), None, "told once");
    bench.step(Input::Retire { worker: 2, reason: "its connection is stale".into() });
    assert_eq!(bench.why(), Some((2, "its connection is stale".into())));
}

#[test]
fn numbers_are_used_again_and_no_more_than_twice_the_processes_exist() {
    let mut bench = recycle(Recycle { tasks: Some(1), ..Recycle::default() }, 1, 1);
    bench.offer(tasks(10));
    bench.start(1);
    let first = bench.sent();
    assert!(bench.starts().is_empty() && !first.is_empty());
    bench.start(2);
    let second = bench.sent();
    assert_eq!(second.len(), 1);
    assert!(bench.starts().is_empty(), "two are there");
    bench.done(1, &[first[0].0]);
    assert!(bench.stops(1) && bench.starts().is_empty());
    bench.dies(1, &[]);
    assert_eq!(bench.starts(), [1]);
}

#[test]
fn a_worker_that_dies_while_it_is_replaced_has_its_suspects_run_alone() {
    let mut bench = recycle(Recycle { lifetime_ns: Some(S), ..Recycle::default() }, 1, 2);
    bench.offer(tasks(6));
    bench.start(1);
    let sent = bench.sent();
    bench.wait();
    bench.step(Input::Returned { worker: 1, handles: vec![] });
    bench.start(2);
    assert_eq!(bench.sent().len(), 2);
    bench.dies(1, &[sent[0].0, sent[1].0]);
    assert_eq!(bench.starts(), [1]);
    bench.start(1);
    for position in [1, 2] {
        let solo = bench.sent();
        assert_eq!((solo.len(), solo[0].1), (1, position));
        bench.done(1, &[solo[0].0]);
    }
    assert!(bench.stops(1) && bench.positions().is_empty(), "it takes nothing else");
}

#[test]
fn exit_roles_that_do_not_end_are_not_waited_for_for_ever() {
    let mut bench = recycle(Recycle { tasks: Some(1), ..Recycle::default() }, 1, 1);
    bench.offer(tasks(2));
    bench.start(1);
    let sent = bench.sent();
    bench.done(1, &[sent[0].0]);
    assert!(bench.stops(1));
    bench.wait();
    assert_eq!(bench.killed(1), Some(crate::engine::Kill::Overdue));
}

#[test]
fn nothing_is_replaced_after_a_stop() {
    let mut bench = recycle(Recycle { lifetime_ns: Some(S), ..Recycle::default() }, 1, 1);
    bench.offer(tasks(3));
    bench.start(1);
    bench.step(Input::Stop(StopCause::MaxFail { failed: 1 }));
    bench.now = 2 * S;
    bench.step(Input::Tick);
    assert_eq!(bench.why(), None);
}
