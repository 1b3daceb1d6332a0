//! Whole runs of the program: real processes, real signals, real deaths.
//!
//! Every run has an outer time limit, and leaves no process behind: both are checked for each one, see [`job`].

use std::path::Path;
use std::process::Command;

mod chaos;
mod coordinator;
mod crashes;
mod job;
mod kept;
mod library;
mod limits;
mod metrics;
mod outputs;
mod places;
mod policies;
mod processes;
mod puts;
mod random;
mod resume;
mod roles;
mod sandbox;
mod secrets;
mod signals;
mod specs;
mod start;
mod types;
mod values;

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A program of others, installed where that may be.
#[track_caller]
fn tool(command: &str, package: &str) -> Command {
    let script = repository().join("tests/tool.sh");
    let done = Command::new("sh").arg(script).args([command, package]).output().expect("a shell");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    Command::new(command)
}
