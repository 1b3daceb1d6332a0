//! The laws of the engine over random jobs and random inputs, and the jobs of its promises.

use std::collections::BTreeSet;

use proptest::prelude::{Just, Strategy, any, prop, prop_oneof, proptest};
use proptest::test_runner::Config as Cases;

use crate::engine::simulator::Job;
use crate::engine::{Action, Config, Engine, Input, StartFailure};
use crate::model::handling::{Cancel, Puts, StoredPuts};
use crate::model::outcome::Done;
use crate::model::policy::{Limit, Rate, Recycle, Retries};
use crate::model::task::{TaskOptions, key_hash};
use crate::model::{Failure, Handle, Outcome, Payload, Seq, StopCause, Task, TaskId, Verdict};
use crate::plan::MaxFail;

const US: u64 = 1_000;
const MS: u64 = 1_000_000;
const S: u64 = 1_000 * MS;

#[test]
fn three_poison_tasks_among_two_thousand_are_the_ones_that_fail() {
    for seed in 0..10 {
        let poison = BTreeSet::from([17, 900 + seed, 1_999]);
        let job = Job { tasks: 2_000, poison: poison.clone(), ..Job::new(seed) };
        let run = job.run();
        assert_eq!(run.failed.keys().copied().collect::<BTreeSet<_>>(), poison, "{job:?}");
        assert!(run.failed.values().all(|m| m == "its worker was killed by signal 11 (SIGSEGV), 3 times"));
        assert!(run.summary.crashes >= 9 && run.summary.crashes <= 12, "{:?}", run.summary);
    }
}

#[test]
fn workers_killed_from_outside_fail_no_task() {
    for seed in 0..10 {
        let threads = 1 + seed as usize % 4;
        let job = Job { kill_each_ns: Some(3 * MS), threads, crash_limit: 1, ..Job::new(seed) };
        let run = job.run();
        assert_eq!((run.failed.len(), run.summary.stopped.as_ref()), (0, None), "{job:?}");
        assert!(run.summary.crashes >= 3 && run.summary.again > 0, "{:?}", run.summary);
    }
}

#[test]
fn only_poison_ends_too() {
    let poison: BTreeSet<u64> = (1..=30).collect();
    let run = Job { tasks: 30, poison, crash_limit: 1, ..Job::new(1) }.run();
    assert_eq!((run.failed.len(), run.summary.stopped), (30, None));
    assert_eq!(run.failed[&7], "its worker was killed by signal 11 (SIGSEGV)");
}

#[test]
fn one_task_starts_one_worker() {
    let run = Job { tasks: 1, processes: 8, threads: 1, ..Job::new(1) }.run();
    assert_eq!(run.starts, 1);
    let run = Job { tasks: 3, processes: 8, threads: 1, task_ns: 50 * MS, ..Job::new(1) }.run();
    assert_eq!(run.starts, 3);
    let run = Job { tasks: 3, processes: 8, threads: 4, task_ns: 50 * MS, ..Job::new(1) }.run();
    assert_eq!(run.starts, 1);
}

#[test]
fn long_tasks_run_side_by_side_from_the_first_to_the_last() {
    // 64 tasks of 100 to 200 ms on 8 threads: 8 rounds of 150 ms
    let run = Job { tasks: 64, processes: 4, threads: 2, task_ns: 100 * MS, ..Job::new(5) }.run();
    assert!(run.ended_ns < 1_500 * MS, "{run:?}");
}

#[test]
fn what_waits_behind_a_long_task_is_taken_back() {
    let job = Job { processes: 2, threads: 1, tasks: 3_000, task_ns: 10 * US, ..Job::new(3) };
    let quick = job.run();
    let run = Job { slow_each: Some((2_900, S)), ..job.clone() }.run();
    assert!(run.recalls > 0 && run.ended_ns >= S);
    assert!(run.last_but_one_ns < quick.ended_ns + 10 * MS, "{} and {}", run.last_but_one_ns, quick.ended_ns);
    // the idle one may not have been started yet
    let job = Job { tasks: 3_020, processes: 4, slow_each: Some((3_001, S)), ..job };
    let run = job.run();
    assert!(run.last_but_one_ns < quick.ended_ns + 10 * MS, "{run:?}");
    assert_eq!(quick.recalls, 0, "nothing is taken back from workers that go on");
}

#[test]
fn workers_that_never_start_stop_the_run() {
    let run = Job { start_fails_each: Some(1), ..Job::new(1) }.run();
    let Some(StopCause::Broken(reason)) = run.summary.stopped else { panic!("{run:?}") };
    assert!(reason.contains("5 in a row") && reason.contains("could not be started: no memory"), "{reason}");
    assert!((5..=6).contains(&run.starts));
    let run = Job { start_fails_each: Some(2), kill_each_ns: Some(MS), ..Job::new(1) }.run();
    assert_eq!((run.summary.stopped, run.summary.counts.done), (None, 500));
}

#[test]
fn a_slow_handler_holds_the_workers_back() {
    let job =
        Job { tasks: 20_000, queue: 500, backlog: 100, handler_ns: 50 * US, task_ns: US, ..Job::new(2) };
    let run = job.run();
    assert_eq!(run.delivered, 20_000);
    assert!(run.largest_unhandled <= 100 + 2 * 2_048 && run.largest_slab < 1_000 + 2 * 2_048, "{run:?}");
}

#[test]
fn a_million_tasks_need_a_small_slab() {
    let run = Job { tasks: 1_000_000, queue: 8_192, task_ns: 500, handler_ns: 100, ..Job::new(1) }.run();
    assert_eq!(run.delivered, 1_000_000);
    assert!(run.largest_slab < 10_000, "{}", run.largest_slab);
}

#[test]
fn max_fail_stops_at_that_many_failures() {
    let job = Job { tasks: 5_000, raise_each: Some(10), max_fail: Some(MaxFail::Count(5)), ..Job::new(1) };
    let run = job.run();
    let Some(StopCause::MaxFail { failed }) = run.summary.stopped else { panic!("{run:?}") };
    assert!(failed >= 5 && run.summary.not_started > 0 && run.delivered < 1_000, "{run:?}");

    let job = Job { max_fail: Some(MaxFail::Percent(20.0)), ..job };
    assert_eq!(job.run().summary.stopped, None);
    let run = Job { max_fail: Some(MaxFail::Percent(5.0)), ..job }.run();
    assert!(matches!(run.summary.stopped, Some(StopCause::MaxFail { .. })) && run.delivered >= 100);
}

#[test]
fn the_first_signal_drains_and_the_second_kills() {
    let job = Job { tasks: 1_000, task_ns: 1_000 * MS, ..Job::new(1) };
    let once = Job { stops_ns: vec![500 * MS], ..job.clone() }.run();
    assert_eq!((once.delivered, once.summary.counts.failed), (8, 0), "{once:?}");
    assert!(once.ended_ns < 2_100 * MS);
    let twice = Job { stops_ns: vec![500 * MS, 600 * MS], ..job.clone() }.run();
    assert_eq!((twice.delivered, twice.summary.not_started), (0, 1_000 - 8));
    assert!(twice.ended_ns < 601 * MS);
    let grace_over = Job { task_ns: 60 * S, stops_ns: vec![500 * MS], ..job }.run();
    assert_eq!(grace_over.delivered, 0);
    assert!(grace_over.ended_ns < 5_501 * MS);
}

#[test]
fn a_run_without_its_handler_ends_at_once() {
    let run = Job { handler_gone_ns: Some(5 * MS), task_ns: S, ..Job::new(1) }.run();
    assert!(run.ended_ns < 7 * MS && run.summary.stopped.is_some(), "{run:?}");
}

#[test]
fn an_empty_job_ends_without_a_worker() {
    let mut engine = Engine::new(config(2, 2), 0);
    let mut actions = Vec::new();
    engine.step(0, Input::Offered { tasks: vec![], known: vec![], last: true }, &mut actions);
    assert!(matches!(actions[..], [Action::Finished(_)]), "{actions:?}");
}

#[test]
fn a_run_that_crashes_again_and_again_ends_as_one_that_does_not() {
    for seed in 0..30 {
        let job = Job {
            put_each: Some(3),
            puts: 9,
            queue: 20,
            options: seed % 2 == 0,
            retries: 1,
            raise_each: Some(7),
            commit_each_ns: Some(5 * MS),
            commit_ns: MS,
            ..Job::new(seed)
        };
        let quiet = job.run();
        let run = Job { crashes: (8, 1_500), ..job }.run();
        assert!(run.lives == 9 && run.summary.counts.before > 0, "{run:?}");
        if seed % 2 == 1 {
            let ends = |run: &crate::engine::simulator::Run| (run.ended, run.failed.clone());
            assert_eq!(ends(&run), ends(&quiet));
        }
    }
}

#[test]
fn a_crash_of_a_task_counts_in_the_next_session_too() {
    for seed in 0..10 {
        let poison = BTreeSet::from([17, 300 + seed]);
        let job = Job { tasks: 400, poison: poison.clone(), crashes: (6, 800), ..Job::new(seed) };
        let run = job.run();
        assert_eq!(run.failed.keys().copied().collect::<BTreeSet<_>>(), poison, "{job:?}");
        assert!(run.failed.values().all(|m| m == "its worker was killed by signal 11 (SIGSEGV), 3 times"));
    }
}

#[test]
fn what_is_saved_is_there_in_the_next_attempt_and_in_the_next_session() {
    for seed in 0..10 {
        let job = Job { save_each: Some(2), retries: 2, flaky_each: Some(3), ..Job::new(seed) };
        let job = Job { commit_each_ns: Some(5 * MS), commit_ns: MS, kill_each_ns: Some(3 * MS), ..job };
        let run = job.run();
        assert!(run.saves > 300 && run.states_sent > 50, "{run:?}");
        let run = Job { crashes: (8, 1_500), ..job }.run();
        assert!(run.lives == 9 && run.states_sent > 0, "{run:?}");
    }
}

#[test]
fn tasks_whose_keys_are_cancelled_do_not_start() {
    let mut all = 0;
    for seed in 0..20 {
        let job = Job { cancel_each: Some(2), options: true, put_each: Some(3), puts: 9, ..Job::new(seed) };
        let job =
            Job { ordered: seed % 4 == 0, queue: 20, commit_each_ns: Some(5 * MS), commit_ns: MS, ..job };
        all += job.run().cancelled;
        let limits = if seed % 3 == 0 { vec![Limit { concurrency: Some(2), ..limit() }] } else { Vec::new() };
        let run = Job { crashes: (8, 1_500), limits, sites: 4, most_puts: 5, ..job }.run();
        assert!(run.lives == 9, "{run:?}");
        all += run.cancelled;
    }
    assert!(all > 200, "{all}");
}

#[test]
fn many_puts_need_a_small_slab() {
    for most_puts in [usize::MAX, 100] {
        let job = Job { tasks: 10, put_each: Some(1), puts: 20_000, queue: 1_024, ..Job::new(1) };
        let commit_each_ns = Some(50 * MS);
        let run =
            Job { task_ns: 500, handler_ns: 100, commit_each_ns, commit_ns: 20 * MS, most_puts, ..job }.run();
        assert!(run.ended > 200_000 && run.largest_slab < 13 * 1_024, "{run:?}");
        assert!(run.fetches > 180, "{}", run.fetches);
    }
}

#[test]
fn a_handler_that_only_commits_when_asked_is_asked() {
    let job = Job { put_each: Some(2), puts: 40, queue: 5, commit_each_ns: None, ..Job::new(1) };
    let run = job.run();
    assert!(run.flushes >= 2 && run.summary.stopped.is_none(), "{run:?}");
    let run = Job { stops_ns: vec![5 * MS], ..job }.run();
    assert!(run.delivered > 10 && run.summary.counts.done == run.delivered as u64, "{run:?}");
}

fn limit() -> Limit {
    let name = "site".to_owned();
    Limit { name, rate: None, burst: 1, concurrency: None, per: Some("site".into()), retry_after: true }
}

#[test]
fn flaky_tasks_end_well_and_the_others_fail_after_their_last_attempt() {
    let job = Job { retries: 2, flaky_each: Some(3), raise_each: Some(100), ..Job::new(1) };
    let run = job.run();
    assert_eq!(run.failed.len(), 5);
    assert_eq!(run.summary.again, 500 / 3 - 1, "those that always fail are not counted");
}

#[test]
fn hanging_tasks_time_out_and_only_they() {
    for seed in 0..5 {
        let run =
            Job { hang_each: Some(100), retries: seed as u32 % 2, crash_limit: 1, ..Job::new(seed) }.run();
        assert_eq!(run.failed.keys().copied().collect::<Vec<_>>(), [100, 200, 300, 400, 500]);
        assert_eq!((run.summary.crashes, run.summary.stopped), (0, None));
    }
}

#[test]
fn workers_are_replaced_without_a_loss_of_time() {
    let job = Job { tasks: 2_000, task_ns: MS, threads: 2, ..Job::new(1) };
    let plain = job.run();
    let run = Job { recycle: Recycle { tasks: Some(100), ..Recycle::default() }, ..job.clone() }.run();
    assert!((19..=25).contains(&run.recycled), "{run:?}");
    assert!(run.ended_ns < plain.ended_ns * 21 / 20, "{} and {}", run.ended_ns, plain.ended_ns);
    let recycle = Recycle { lifetime_ns: Some(50 * MS), ..Recycle::default() };
    let run = Job { recycle, ..job }.run();
    assert!(run.recycled > 10 && run.ended_ns < plain.ended_ns * 21 / 20, "{run:?}");
}

#[test]
fn a_limit_is_used_to_the_full() {
    // 16 sites at once, 30 tasks of 1 to 2 ms each
    let limits = vec![Limit { concurrency: Some(1), ..limit() }];
    let job = Job { tasks: 480, sites: 16, threads: 8, task_ns: MS, limits, ..Job::new(1) };
    let run = job.run();
    assert!(run.ended_ns < 30 * 3 * MS / 2 * 14 / 10, "{run:?}");
    // 1,000 a second in all
    let rate = Some(Rate { count: 1_000, per_ns: S });
    let run = Job { limits: vec![Limit { rate, per: None, ..limit() }], ..job.clone() }.run();
    assert!(run.ended_ns > 479 * MS && run.ended_ns < 485 * MS, "{run:?}");
    // each of them 500 a second, and no more than 4 at once
    let rate = Some(Rate { count: 500, per_ns: S });
    let all = Limit { concurrency: Some(4), per: None, ..limit() };
    let run = Job { limits: vec![Limit { rate, ..limit() }, all], ..job }.run();
    assert!(run.ended_ns < 480 * 3 * MS / 2 / 4 * 12 / 10, "{run:?}");
}

#[test]
fn a_deadline_stops_a_run() {
    let run = Job { deadline_ns: Some(10 * MS), task_ns: MS, ..Job::new(1) }.run();
    assert_eq!(run.summary.stopped, Some(StopCause::Deadline(10 * MS)));
    assert!(run.delivered > 10 && run.summary.not_started > 100, "{run:?}");
}

fn any_limit() -> impl Strategy<Value = Limit> {
    let rate = (1..40_u32, prop_oneof![Just(20 * MS), Just(7 * MS)]);
    let rate = rate.prop_map(|(count, per_ns)| Rate { count, per_ns });
    (prop::option::of(rate), 1..5_u32, prop::option::of(1..6_u32), any::<bool>(), any::<bool>()).prop_map(
        |(rate, burst, concurrency, keyed, retry_after)| {
            let per = keyed.then(|| "site".to_owned());
            Limit { rate, burst, concurrency, per, retry_after, ..limit() }
        },
    )
}

/// Everything that can go wrong at once, in jobs that nobody thought of.
fn any_job() -> impl Strategy<Value = Job> {
    let shape = (any::<u64>(), 0..400_u64, 1..5_usize, 1..5_usize, any::<bool>(), 1..600_usize, 1..200_usize);
    let work = (
        prop_oneof![Just(US), Just(50 * US), Just(3 * MS)],
        prop::option::of((5..100_u64, prop_oneof![Just(MS), Just(20 * MS)])),
        prop::collection::btree_set(1..400_u64, 0..4),
        prop::option::of(2..50_u64),
        prop_oneof![Just(0), Just(20 * US), Just(MS)],
        prop::option::of(1..20_u64),
        any::<bool>(),
    );
    let faults = (
        prop::option::of(MS..20 * MS),
        prop::option::of(2..6_u64),
        prop_oneof![3 => Just(vec![]), 1 => prop::collection::vec(MS..100 * MS, 1..3)],
        prop_oneof![4 => Just(None), 1 => (1..20_u64).prop_map(|n| Some(MaxFail::Count(n)))],
        prop_oneof![9 => Just(None), 1 => (MS..100 * MS).prop_map(Some)],
        1..4_u32,
    );
    let policy = (
        prop_oneof![Just(0), 1..3_u32],
        prop::option::of(2..30_u64),
        prop_oneof![3 => Just(None), 1 => (40..200_u64).prop_map(Some)],
        prop_oneof![1 => Just(vec![]), 1 => prop::collection::vec(any_limit(), 1..4)],
        1..8_u64,
        (
            prop_oneof![2 => Just(None), 1 => (1..40_u64).prop_map(Some)],
            prop_oneof![2 => Just(None), 1 => (MS..30 * MS).prop_map(Some)],
        ),
        // more often, and the asking alone uses up the steps of a run
        prop_oneof![2 => Just(None), 1 => (MS..20 * MS).prop_map(Some)],
        prop_oneof![9 => Just(None), 1 => (MS..100 * MS).prop_map(Some)],
    );
    let lives = (
        (1..60_u64, prop_oneof![Just(usize::MAX), 0..8_usize]),
        prop_oneof![Just(Some(0)), Just(None), (MS..60 * MS).prop_map(Some)],
        prop_oneof![Just(0), Just(US), Just(4 * MS)],
        prop_oneof![1 => Just((0, 0)), 1 => (1..6_u32, prop_oneof![Just(100_u64), Just(3_000)])],
        any::<bool>(),
        prop_oneof![3 => Just(false), 1 => Just(true)],
        (prop::option::of(1..9_u64), prop::option::of(1..9_u64)),
    );
    (shape, work, faults, policy, lives).prop_map(|(shape, work, faults, policy, lives)| Job {
        puts: if lives.5 { lives.0.0 } else { 2 },
        most_puts: lives.0.1,
        commit_each_ns: lives.1,
        commit_ns: lives.2,
        crashes: lives.3,
        resumes: lives.4,
        save_each: lives.6.0,
        cancel_each: lives.6.1,
        retries: policy.0,
        flaky_each: policy.1,
        hang_each: policy.2,
        limits: policy.3,
        sites: policy.4,
        recycle: Recycle { tasks: policy.5.0, lifetime_ns: policy.5.1, memory: None },
        retire_each_ns: policy.6,
        deadline_ns: policy.7,
        tasks: shape.1,
        processes: shape.2,
        threads: shape.3,
        ordered: shape.4,
        queue: shape.5,
        backlog: shape.6,
        task_ns: work.0,
        slow_each: work.1,
        poison: work.2,
        raise_each: work.3,
        handler_ns: work.4,
        put_each: work.5,
        options: work.6,
        kill_each_ns: faults.0,
        start_fails_each: faults.1,
        stops_ns: faults.2,
        max_fail: faults.3,
        handler_gone_ns: faults.4,
        crash_limit: faults.5,
        ..Job::new(shape.0)
    })
}

proptest! {
    #![proptest_config(Cases { cases: 1000, failure_persistence: None, ..Cases::default() })]

    #[test]
    fn every_job_keeps_every_law(job in any_job()) {
        let run = job.run();
        if run.summary.stopped.is_none() && job.raise_each.is_none() {
            let hanging = (1..=job.tasks).filter(|position| job.hangs(*position));
            let poison: BTreeSet<u64> =
                job.poison.iter().copied().filter(|n| *n <= job.tasks).chain(hanging).collect();
            let failed: BTreeSet<u64> = run.failed.keys().copied().collect();
            // with keys a poison task may be a duplicate
            assert!(if job.options { failed.is_subset(&poison) } else { failed == poison }, "{job:?}");
        }
    }

    #[test]
    fn nonsense_from_workers_never_panics_and_never_delivers_twice(
        inputs in prop::collection::vec(any_input(), 1..200),
        limits in prop::collection::vec(any_limit(), 0..3),
        tasks in prop::option::of(1..9_u64),
        count in 0..3_u32,
    ) {
        let recycle = Recycle { tasks, lifetime_ns: tasks.map(|tasks| tasks * MS), memory: Some(7) };
        let retries = Retries { count, delay_ns: MS, ..Retries::default() };
        let mut engine = Engine::new(Config { limits, recycle, retries, ..config(2, 2) }, 0);
        let mut seen = BTreeSet::new();
        let mut now = 0;
        for input in inputs {
            let mut actions = Vec::new();
            now += 300 * US;
            engine.step(now, input, &mut actions);
            for action in actions {
                let Action::Deliver(deliveries) = action else { continue };
                for delivery in deliveries {
                    assert!(seen.insert(delivery.id), "twice: {}", delivery.id);
                }
            }
            let counts = engine.counts();
            assert!(counts.done + counts.failed <= seen.len() as u64);
            let there = seen.len() as u64 + engine.tasks.len() as u64 + engine.stored.len();
            assert!(there >= counts.known, "{counts:?}");
        }
    }
}

fn config(processes: usize, threads: usize) -> Config {
    Config { crash_limit: 2, queue: 100, handler_backlog: 100, ..Config::plain(processes, threads) }
}

/// Handles near those that exist, workers near those that exist.
fn any_input() -> impl Strategy<Value = Input> {
    let worker = 0..6_u32;
    let handle = (0..30_u64, 1..3_u64).prop_map(|(index, generation)| Handle::new(generation << 32 | index));
    let handles = prop::collection::vec(handle.clone(), 0..6)
        .prop_map(|all| all.into_iter().flatten().collect::<Vec<_>>());
    let more_handles = handles.clone();
    prop_oneof![
        3 => (1..10_u64).prop_map(|n| {
            let tasks = (0..n).map(|_| Task::plain(fresh_id(), Payload::default())).collect();
            Input::Offered { tasks, known: vec![], last: false }
        }),
        6 => worker.clone().prop_map(|worker| Input::WorkerStarted { worker, pid: 7 }),
        6 => (worker.clone(), handles.clone(), any::<bool>()).prop_map(|(worker, handles, done)| Input::Outcomes {
            worker,
            outcomes: handles.into_iter().map(|handle| outcome(handle, done)).collect(),
        }),
        2 => (worker.clone(), handles.clone()).prop_map(|(worker, handles)| Input::Returned { worker, handles }),
        3 => (worker.clone(), handles).prop_map(|(worker, running)| {
            Input::WorkerGone { worker, running, death: "died".into(), last_words: None }
        }),
        1 => worker.clone().prop_map(|worker| {
            Input::WorkerStartFailed { worker, failure: StartFailure::NoProcess("no".into()) }
        }),
        1 => worker.clone().prop_map(|worker| Input::Violation { worker, what: "it lied".into() }),
        1 => (worker.clone(), more_handles).prop_map(|(worker, handles)| Input::Overdue { worker, handles }),
        1 => (worker.clone(), 0..9_u64).prop_map(|(worker, bytes)| Input::WorkerMemory { worker, bytes }),
        1 => worker.clone().prop_map(|worker| Input::Retire { worker, reason: "asked".into() }),
        2 => (worker.clone(), handle.clone(), prop::option::of(0..99_u8)).prop_filter_map("a task", |(worker, task, n)| {
            Some(Input::Saved { worker, task: task?, state: n.map(|n| [n].into()) })
        }),
        1 => (worker.clone(), handle).prop_filter_map("a task", |(worker, task)| {
            Some(Input::Housed { worker, task: task? })
        }),
        1 => (0..9_usize).prop_map(|count| Input::Kept { count }),
        2 => (0..10_usize).prop_map(|count| Input::Handled { count, puts: Puts::default(), known: vec![] }),
        2 => (0..10_usize, 0..40_u64).prop_map(|(count, seq)| Input::Committed { count, seq }),
        2 => (prop::collection::vec(-1..2_i32, 1..6), any::<bool>()).prop_map(|(priorities, bulk)| {
            Input::Handled { count: 0, puts: some_puts(&priorities, bulk), known: vec![bulk] }
        }),
        2 => (-1..2_i32, 1..40_u64, prop::collection::vec(1..40_u64, 0..6)).prop_map(|(priority, until, seqs)| {
            let task = |seq: u64| (Seq::new(seq).expect("not 0"), Task::plain(fresh_id(), Payload::default()));
            Input::Stored { priority, until, tasks: seqs.into_iter().map(task).collect() }
        }),
        1 => Just(()).prop_map(|()| Input::Tick),
    ]
}

fn outcome(handle: Handle, done: bool) -> Outcome {
    let verdict = match done {
        true => Verdict::Done(Done::default()),
        false => Verdict::Failed(Box::new(Failure::new("lua_error", "raised"))),
    };
    Outcome { handle, elapsed_ns: 10 * US, verdict }
}

/// Places from 1 to 40, in any order.
fn some_puts(priorities: &[i32], bulk: bool) -> Puts {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let place = || Seq::new(1 + NEXT.fetch_add(7, Ordering::Relaxed) % 40).expect("not 0");
    let task = |priority: &i32| {
        let key: Option<Box<[u8]>> = (*priority == 1).then(|| Box::from([7]));
        let options = TaskOptions { priority: *priority, key, ..TaskOptions::default() };
        Task { options: Some(Box::new(options)), ..Task::plain(fresh_id(), Payload::default()) }
    };
    let many = || {
        let first = place();
        let last = Seq::new(first.number() + 5).expect("not 0");
        StoredPuts { priority: priorities[0], first, last, count: 3 }
    };
    let stored = if bulk { vec![many()] } else { Vec::new() };
    let cancels = vec![Cancel { key: key_hash(&[7]), after: place().number() }];
    let cancels = if priorities.len() == 2 { cancels } else { Vec::new() };
    Puts { first: Some(place()), tasks: priorities.iter().map(task).collect(), stored, cancels }
}

fn fresh_id() -> TaskId {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(1);
    TaskId::at(NEXT.fetch_add(1, Ordering::Relaxed))
}
