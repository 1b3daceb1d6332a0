//! The keeper with real processes, real signals and real deaths.
//!
//! Forking asks for a process with one thread, so this is a program of its own. It starts itself again in three parts:
//! as the keeper, with workers that obey ([`worker`]), and as a coordinator that is killed or poor ([`cases`]).
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it is its own test harness")]

mod cases;
mod pool;
mod worker;

use std::panic::catch_unwind;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some(mpms::os::keeper::KEEPER_ARGUMENT) => mpms::os::keeper::serve(worker::run),
        Some("coordinator") => cases::coordinator(),
        Some("burst") => cases::burst_of_few_descriptors(),
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
