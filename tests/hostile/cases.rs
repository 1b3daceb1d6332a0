//! What must come of each wrong: that worker ends, the run goes on or ends in words, and no task is told twice.

use std::time::Duration;

use mpms::model::StopCause;
use mpms::model::task::MOST_STATE;
use mpms::os::signals::Signals;

use crate::scene::{Scene, Seen};
use crate::worker::LARGE;

/// By how much a flood may raise the peak of the coordinator.
const FLAT: u64 = 48 << 20;
/// The same where the largest frame comes in whole: its bytes, and those of the buffer while it grows.
const FRAME: u64 = 160 << 20;

type Case = (&'static str, fn(&Signals));

macro_rules! cases {
    ($($name:ident),* $(,)?) => { &[$((stringify!($name), $name)),*] };
}

pub const ALL: &[Case] = cases![
    a_frame_of_four_gigabytes_ends_its_worker,
    a_frame_that_is_cut_by_the_end_of_its_process_is_no_result,
    a_frame_that_is_cut_by_the_end_of_the_stream_ends_its_worker,
    a_stream_that_ends_ends_its_worker,
    half_a_frame_and_silence_ends_its_worker,
    one_byte_at_a_time_is_a_valid_conversation,
    an_unknown_kind_ends_its_worker,
    the_outcome_of_a_task_that_is_nobodys_ends_its_worker,
    the_outcome_of_another_workers_task_ends_its_worker,
    a_second_result_ends_its_worker,
    a_second_result_in_the_same_frame_ends_its_worker,
    foreign_tasks_given_back_end_their_worker,
    tasks_given_back_unasked_end_their_worker,
    garbage_ends_its_worker,
    garbage_in_the_bodies_of_known_kinds_ends_its_worker,
    a_state_of_a_task_that_is_nobodys_ends_its_worker,
    a_state_after_the_end_of_its_task_ends_its_worker,
    a_folder_of_a_task_that_is_nobodys_ends_its_worker,
    a_state_beyond_its_limit_ends_its_worker,
    a_state_that_is_not_one_value_ends_its_worker,
    a_flood_of_states_stays_small,
    states_of_all_tasks_stay_within_their_limit,
    a_flood_of_cancels_stays_small,
    announced_cancels_end_their_worker,
    a_thousand_times_broken_stops_the_run_once,
    a_deep_value_is_only_bytes,
    a_value_of_ten_million_announced_elements_is_only_bytes,
    a_result_of_many_mebibytes_arrives,
    a_flood_of_puts_arrives,
    a_task_that_was_put_is_no_duplicate_of_itself,
    value_bombs_as_arguments_of_puts_are_only_bytes,
    a_frame_of_empty_puts_does_not_multiply,
    a_frame_of_empty_fields_does_not_multiply,
    a_flood_of_lines_stays_small,
    a_flood_of_long_lines_stays_small,
    a_flood_of_progress_stays_small,
    a_flood_of_long_progress_stays_small,
    a_flood_of_loaded_files_stays_small,
    a_flood_of_output_stays_small,
    a_worker_that_never_reads_is_replaced,
    silence_and_floods_without_end_can_be_interrupted,
];

/// A run in which the first process sins is complete, and so is what the handler heard.
fn once(scene: Scene, signals: &Signals) -> Seen {
    let (sin, tasks) = (scene.sin, scene.tasks);
    let seen = scene.play(signals);
    assert_eq!(seen.summary.stopped, None, "{sin}: {:?}", seen.deaths);
    assert_eq!(seen.summary.counts.done, seen.delivered.len() as u64, "{sin}");
    assert!(seen.delivered.len() as u64 >= tasks, "{sin}: {} of {tasks}", seen.delivered.len());
    is_told_once(&seen, sin);
    assert!(seen.delivered.values().all(|(_, failed)| !failed), "{sin}: nobody failed");
    seen
}

/// Nobody hears of a task twice, however the run ended.
fn is_told_once(seen: &Seen, sin: &str) {
    assert!(seen.delivered.values().all(|(count, _)| *count == 1), "{sin}: told twice");
}

/// The sinner is killed for what it did, and the run goes on; when all of them sin, the run ends in words.
fn ends_its_worker(sin: &'static str, why: &str, signals: &Signals) {
    for begun in [false, true] {
        ends_its_worker_when(begun, sin, why, signals);
    }
}

fn ends_its_worker_when(begun: bool, sin: &'static str, why: &str, signals: &Signals) {
    let seen = once(Scene { begun, ..Scene::of(sin) }, signals);
    assert_eq!(seen.deaths.len(), 1, "{sin}: {:?}", seen.deaths);
    assert!(seen.deaths[0].contains(why), "{sin}: {:?}", seen.deaths);

    let seen = Scene { begun, always: true, tasks: 6, ..Scene::of(sin) }.play(signals);
    is_told_once(&seen, sin);
    let failed = seen.delivered.values().filter(|(_, failed)| *failed).count();
    match &seen.summary.stopped {
        Some(StopCause::Broken(words)) => assert!(words.contains(why), "{sin}: {words}"),
        None => assert_eq!(seen.delivered.len(), 6, "{sin}: {failed} failed"),
        Some(other) => panic!("{sin}: {other}"),
    }
    assert!(!seen.deaths.is_empty(), "{sin}");
}

fn stays_small(scene: Scene, signals: &Signals) -> Seen {
    let sin = scene.sin;
    let seen = once(Scene { reports_stand_still: true, ..scene }, signals);
    is_flat(&seen, sin, FLAT);
    seen
}

#[expect(clippy::print_stdout, reason = "the measure is worth reading")]
fn is_flat(seen: &Seen, sin: &str, most: u64) {
    println!("  {sin}: the peak rose by {} MiB", seen.growth >> 20);
    assert!(seen.growth <= most, "{sin}: the peak rose by {} MiB", seen.growth >> 20);
}

fn a_frame_of_four_gigabytes_ends_its_worker(signals: &Signals) {
    ends_its_worker("length", "a frame of 4294967295 bytes announced", signals);
}

fn a_frame_that_is_cut_by_the_end_of_its_process_is_no_result(signals: &Signals) {
    ends_its_worker("cut and exit", "exit", signals);
}

fn a_frame_that_is_cut_by_the_end_of_the_stream_ends_its_worker(signals: &Signals) {
    ends_its_worker("cut and end", "closed its socket", signals);
}

fn a_stream_that_ends_ends_its_worker(signals: &Signals) {
    ends_its_worker("end", "closed its socket", signals);
}

fn half_a_frame_and_silence_ends_its_worker(signals: &Signals) {
    ends_its_worker_when(false, "half", "neither ran nor", signals);
}

fn one_byte_at_a_time_is_a_valid_conversation(signals: &Signals) {
    let seen = once(Scene { tasks: 60, ..Scene::of("slow") }, signals);
    assert_eq!(seen.deaths, [""; 0]);
}

fn an_unknown_kind_ends_its_worker(signals: &Signals) {
    ends_its_worker("kind", "a frame of the unknown kind 99", signals);
}

fn the_outcome_of_a_task_that_is_nobodys_ends_its_worker(signals: &Signals) {
    ends_its_worker("foreign", "the outcome of a task that it does not hold", signals);
}

fn the_outcome_of_another_workers_task_ends_its_worker(signals: &Signals) {
    ends_its_worker("stolen", "the outcome of a task that it does not hold", signals);
}

fn a_second_result_ends_its_worker(signals: &Signals) {
    ends_its_worker("double", "the outcome of a task that it does not hold", signals);
}

fn a_second_result_in_the_same_frame_ends_its_worker(signals: &Signals) {
    ends_its_worker("double in one", "the outcome of a task that it does not hold", signals);
}

fn foreign_tasks_given_back_end_their_worker(signals: &Signals) {
    ends_its_worker("returned", "it gave back", signals);
}

fn tasks_given_back_unasked_end_their_worker(signals: &Signals) {
    ends_its_worker("unasked", "it gave back tasks without being asked", signals);
}

fn garbage_ends_its_worker(signals: &Signals) {
    ends_its_worker("garbage", "was killed because", signals);
}

fn garbage_in_the_bodies_of_known_kinds_ends_its_worker(signals: &Signals) {
    ends_its_worker("garbled bodies", "a frame of kind 16 cannot be read", signals);
}

fn a_state_of_a_task_that_is_nobodys_ends_its_worker(signals: &Signals) {
    ends_its_worker("state of another", "a state of a task that it does not hold", signals);
}

fn a_state_after_the_end_of_its_task_ends_its_worker(signals: &Signals) {
    ends_its_worker("state of an ended task", "a state of a task that it does not hold", signals);
}

fn a_folder_of_a_task_that_is_nobodys_ends_its_worker(signals: &Signals) {
    ends_its_worker("folder of another", "the folder of a task that it does not hold", signals);
}

fn a_state_beyond_its_limit_ends_its_worker(signals: &Signals) {
    let why = format!("it sent a state of {} bytes; {MOST_STATE} is the most", MOST_STATE + 4);
    ends_its_worker("huge state", &why, signals);
    ends_its_worker("largest state", "is the most", signals);
}

fn a_state_that_is_not_one_value_ends_its_worker(signals: &Signals) {
    for sin in ["cut state", "two values", "state of announced elements"] {
        ends_its_worker(sin, "a frame of kind 23 cannot be read", signals);
    }
}

fn a_flood_of_states_stays_small(signals: &Signals) {
    for sin in ["states", "large states"] {
        // its task runs all the while, however long the flood takes
        let seen = stays_small(Scene { begun: true, ..Scene::of(sin) }, signals);
        assert_eq!(seen.deaths, [""; 0], "{sin}");
    }
}

/// 256 MiB for all of them.
fn states_of_all_tasks_stay_within_their_limit(signals: &Signals) {
    let scene = Scene {
        tasks: 1_000,
        slots: 400,
        processes: 1,
        reports_stand_still: true,
        ..Scene::of("states of all")
    };
    let seen = once(scene, signals);
    is_flat(&seen, "states of all", (256 << 20) + FLAT);
    let told = seen.lines.iter().filter(|line| line.text.contains("takes 256 MiB already")).count();
    assert_eq!(told, 1, "{:?}", seen.lines);
}

fn a_flood_of_cancels_stays_small(signals: &Signals) {
    stays_small(Scene::of("cancels"), signals);
}

fn announced_cancels_end_their_worker(signals: &Signals) {
    ends_its_worker("cancels announced", "a frame of kind 16 cannot be read", signals);
}

fn a_thousand_times_broken_stops_the_run_once(signals: &Signals) {
    let seen = Scene::of("broken").play(signals);
    is_told_once(&seen, "broken");
    assert_eq!(seen.summary.stopped, Some(StopCause::Broken("it is broken".into())));
}

fn a_deep_value_is_only_bytes(signals: &Signals) {
    assert_eq!(once(Scene::of("deep"), signals).largest, 2_000_002);
}

fn a_value_of_ten_million_announced_elements_is_only_bytes(signals: &Signals) {
    stays_small(Scene::of("many announced"), signals);
}

fn a_result_of_many_mebibytes_arrives(signals: &Signals) {
    let seen = once(Scene { reports_stand_still: true, ..Scene::of("large") }, signals);
    assert_eq!(seen.largest, LARGE);
    is_flat(&seen, "large", 4 * LARGE as u64);
}

fn a_flood_of_puts_arrives(signals: &Signals) {
    let seen = once(Scene { tasks: 10, ..Scene::of("puts") }, signals);
    assert_eq!(seen.delivered.len(), 10 + crate::worker::FLOOD);
    is_flat(&seen, "puts", FRAME);
}

/// Its group may be committed, and its key be known to the journal, before the engine hears of it.
fn a_task_that_was_put_is_no_duplicate_of_itself(signals: &Signals) {
    let seen = once(Scene { tasks: 10, ..Scene::of("keyed puts") }, signals);
    assert_eq!((seen.delivered.len(), seen.summary.counts.duplicates), (10 + 3, 1));
}

fn value_bombs_as_arguments_of_puts_are_only_bytes(signals: &Signals) {
    assert_eq!(stays_small(Scene::of("bombs put"), signals).delivered.len(), 402);
}

fn a_frame_of_empty_puts_does_not_multiply(signals: &Signals) {
    let seen = once(Scene { reports_stand_still: true, ..Scene::of("puts of nothing") }, signals);
    is_flat(&seen, "puts of nothing", FRAME);
}

fn a_frame_of_empty_fields_does_not_multiply(signals: &Signals) {
    let seen = once(Scene { reports_stand_still: true, ..Scene::of("fields") }, signals);
    is_flat(&seen, "fields", FRAME);
}

fn a_flood_of_lines_stays_small(signals: &Signals) {
    let seen = stays_small(Scene::of("logs"), signals);
    assert!(seen.lines.iter().any(|line| line.text.contains("lines were dropped")));
}

fn a_flood_of_long_lines_stays_small(signals: &Signals) {
    stays_small(Scene::of("long lines"), signals);
}

fn a_flood_of_progress_stays_small(signals: &Signals) {
    let seen = stays_small(Scene::of("progress"), signals);
    assert!(seen.progress > 0);
}

fn a_flood_of_long_progress_stays_small(signals: &Signals) {
    stays_small(Scene::of("long progress"), signals);
}

fn a_flood_of_loaded_files_stays_small(signals: &Signals) {
    let seen = stays_small(Scene::of("loaded"), signals);
    assert_eq!(seen.deaths.len(), 1, "{:?}", seen.deaths);
    assert!(seen.deaths[0].contains("loaded"), "{:?}", seen.deaths);
}

fn a_flood_of_output_stays_small(signals: &Signals) {
    stays_small(Scene::of("output"), signals);
}

fn a_worker_that_never_reads_is_replaced(signals: &Signals) {
    let seen = once(Scene { padding: 100_000, ..Scene::of("deaf") }, signals);
    // what it held, and what the other one was sent
    is_flat(&seen, "deaf", FRAME);
    assert_eq!(seen.deaths.len(), 1, "{:?}", seen.deaths);
    assert!(seen.deaths[0].contains("neither ran nor"), "{:?}", seen.deaths);
}

fn silence_and_floods_without_end_can_be_interrupted(signals: &Signals) {
    for sin in ["half", "logs without end", "progress without end", "output without end"] {
        let interrupt = Some(Duration::from_secs(2));
        let scene =
            Scene { always: true, begun: true, reports_stand_still: true, interrupt, ..Scene::of(sin) };
        let seen = scene.play(signals);
        assert_eq!(seen.summary.stopped, Some(StopCause::Signal(2)), "{sin}");
        is_told_once(&seen, sin);
        is_flat(&seen, sin, FLAT);
    }
}
