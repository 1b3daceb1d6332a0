//! Real worker processes, told their tasks over the wire: what ends a task that does not end by itself.
//!
//! A program of its own, as it starts itself again as the keeper. `--measure` runs the measurements instead.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it is its own test harness")]

mod bench;
mod children;
mod coroutines;
mod endings;
mod grandchildren;
mod kept;
mod loops;
mod measures;
mod memory;

use std::panic::catch_unwind;
use std::process::ExitCode;
use std::sync::atomic::Ordering;

/// Its name, a sentence, and what it does.
pub type Case = (&'static str, fn());

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().map(String::as_str) == Some(mpms::os::keeper::KEEPER_ARGUMENT) {
        mpms::os::keeper::serve(mpms::worker::run);
    }
    if arguments.iter().any(|argument| argument == "--measure") {
        return run_cases(measures::ALL, &arguments);
    }
    let either = [loops::ALL, endings::ALL, kept::ALL, memory::ALL, grandchildren::ALL].concat();
    let direct = run_cases(&either, &arguments);
    // each attempt in a coroutine: what holds for one attempt at a time holds for many
    bench::COROUTINES.store(8, Ordering::Relaxed);
    let cooperative = run_cases(&[&either[..], coroutines::ALL, children::ALL].concat(), &arguments);
    if direct == ExitCode::SUCCESS { cooperative } else { direct }
}

/// Runs the cases whose names contain the arguments that are no options.
fn run_cases(all: &[Case], arguments: &[String]) -> ExitCode {
    let wanted: Vec<&String> = arguments.iter().filter(|a| !a.starts_with("--")).collect();
    let chosen: Vec<_> =
        all.iter().filter(|(name, _)| wanted.iter().all(|w| name.contains(w.as_str()))).collect();
    if arguments.iter().any(|argument| argument == "--list") {
        chosen.iter().for_each(|(name, _)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    let failed: Vec<&str> =
        chosen.iter().filter(|(name, case)| !passes(name, *case)).map(|(name, _)| *name).collect();
    println!("{} of {} cases passed", chosen.len() - failed.len(), chosen.len());
    if failed.is_empty() {
        return ExitCode::SUCCESS;
    }
    eprintln!("failed: {failed:?}");
    ExitCode::FAILURE
}

fn passes(name: &str, case: fn()) -> bool {
    let passed = catch_unwind(case).is_ok();
    println!("case {name} ... {}", if passed { "ok" } else { "FAILED" });
    passed
}
