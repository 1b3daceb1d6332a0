//! Workers that speak the wire wrongly, against the real loop of the coordinator.
//!
//! The program is its own keeper, as in `tests/keeper`. Its workers ([`worker`]) misbehave in one way, which a variable
//! names: the first process of a run only, or each of them. [`scene`] is a run around `drive::run`, with a source and a
//! handler of its own; [`cases`] says what must come of it.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it is its own test harness")]

mod cases;
mod scene;
mod worker;

use std::panic::catch_unwind;
use std::process::ExitCode;

use mpms::os::signals::{Signals, ignore_sigpipe};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some(mpms::os::keeper::KEEPER_ARGUMENT) => mpms::os::keeper::serve(worker::run),
        _ => run_cases(&arguments),
    }
}

/// Runs the cases whose names contain the arguments that are no options.
fn run_cases(arguments: &[String]) -> ExitCode {
    let wanted: Vec<&String> = arguments.iter().filter(|a| !a.starts_with("--")).collect();
    let chosen: Vec<_> =
        cases::ALL.iter().filter(|(name, _)| wanted.iter().all(|w| name.contains(w.as_str()))).collect();
    if arguments.iter().any(|argument| argument == "--list") {
        chosen.iter().for_each(|(name, _)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    ignore_sigpipe().expect("SIGPIPE");
    // before the first thread, so that a signal of a case ends no case
    let signals = Signals::block().expect("signals");
    let failed: Vec<&str> =
        chosen.iter().filter(|(name, case)| !passes(name, *case, &signals)).map(|(name, _)| *name).collect();
    println!("{} of {} cases passed", chosen.len() - failed.len(), chosen.len());
    if failed.is_empty() {
        return ExitCode::SUCCESS;
    }
    eprintln!("failed: {failed:?}");
    ExitCode::FAILURE
}

fn passes(name: &str, case: fn(&Signals), signals: &Signals) -> bool {
    let outer_limit = scene::OuterLimit::begin(name);
    let passed = catch_unwind(std::panic::AssertUnwindSafe(|| case(signals))).is_ok();
    outer_limit.end();
    println!("case {name} ... {}", if passed { "ok" } else { "FAILED" });
    passed
}
