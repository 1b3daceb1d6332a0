//! The processes of a run, found by a variable that all of them inherit.

use std::fmt::Write as _;
use std::fs;

use nix::sys::signal::Signal;
use nix::unistd::Pid;

/// The variable.
pub const MARK: &str = "MPMS_TEST_RUN";

/// A process that lives.
#[derive(Clone, Debug)]
pub struct Found {
    pub pid: i32,
    pub parent: i32,
    pub state: char,
    pub title: String,
}

/// Every living process of a run, zombies left out.
pub fn of_run(mark: &str) -> Vec<Found> {
    let wanted = format!("{MARK}={mark}");
    let entries = fs::read_dir("/proc").expect("proc");
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| {
        let environ = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environ.split(|byte| *byte == 0).any(|entry| entry == wanted.as_bytes())
    })
    .filter_map(found)
    .collect()
}

fn found(pid: i32) -> Option<Found> {
    let stat = String::from_utf8_lossy(&fs::read(format!("/proc/{pid}/stat")).ok()?).into_owned();
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    let parent = fields.next()?.parse().ok()?;
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let title = String::from_utf8_lossy(&line).replace('\0', " ").trim().to_owned();
    (!matches!(state, 'Z' | 'X')).then_some(Found { pid, parent, state, title })
}

/// A line for each process.
pub fn tree(processes: &[Found]) -> String {
    let mut text = String::new();
    for Found { pid, parent, state, title } in processes {
        let wait = fs::read_to_string(format!("/proc/{pid}/wchan")).unwrap_or_default();
        let _ = writeln!(text, "{pid:>8} of {parent:>8} {state} {wait:<20} {title}");
    }
    text
}

/// One that is dead already is no error.
pub fn kill(pid: i32, signal: Signal) {
    assert!(pid > 1, "never all processes");
    let _ = nix::sys::signal::kill(Pid::from_raw(pid), signal);
}

pub fn kill_9(pid: i32) {
    kill(pid, Signal::SIGKILL);
}

/// What each descriptor of a process is, by number.
pub fn descriptors(pid: i32) -> Vec<(i32, String)> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).expect("a process");
    let mut found: Vec<(i32, String)> = entries
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let to = fs::read_link(entry.path()).ok()?.to_string_lossy().into_owned();
            Some((entry.file_name().to_str()?.parse().ok()?, to))
        })
        .collect();
    found.sort();
    found
}
