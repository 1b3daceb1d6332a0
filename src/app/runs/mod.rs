//! `mpms runs`: what earlier runs have left, and runs that go on, seen from outside.

mod list;
mod logs;
mod remove;
mod show;
mod table;

use std::io::{self, Write as _};
use std::time::{SystemTime, UNIX_EPOCH};

use super::complain;
use super::exit::Code;
use crate::cli::{Color, Format, RunsArgs, RunsCommand};
use crate::journal::{Home, JournalError, RunDir, RunState};
use crate::report::units;

/// Does what the command says.
pub fn runs(arguments: &RunsArgs) -> Code {
    let home = match std::env::current_dir() {
        Ok(cwd) => Home::of(&cwd),
        Err(error) => {
            complain(Color::Auto, &format!("there is no current folder: {error}"), None);
            return Code::State;
        }
    };
    let done = match &arguments.command {
        None => list::list(&home, &arguments.list),
        Some(RunsCommand::List(arguments)) => list::list(&home, arguments),
        Some(RunsCommand::Show(arguments)) => show::show(&home, arguments),
        Some(RunsCommand::Logs(arguments)) => logs::logs(&home, arguments),
        Some(RunsCommand::Rm(arguments)) => remove::remove(&home, arguments),
    };
    match done {
        Ok(()) => Code::Success,
        Err(Trouble::Journal(error)) => super::complain_of_journal(Color::Auto, &error),
        // whoever read it has left
        Err(Trouble::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => Code::Success,
        Err(Trouble::Write(error)) => {
            complain(Color::Auto, &format!("what was asked for cannot be shown: {error}"), None);
            Code::State
        }
    }
}

/// Why a command ends early.
enum Trouble {
    Journal(JournalError),
    Write(io::Error),
}

impl From<JournalError> for Trouble {
    fn from(error: JournalError) -> Self {
        Trouble::Journal(error)
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Trouble::Write(error)
    }
}

fn named(home: &Home, name: Option<&String>) -> Result<RunDir, JournalError> {
    home.find(name.map_or("latest", String::as_str))
}

fn say(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// `stopped: interrupted`
fn state_words(state: &RunState) -> String {
    match state {
        RunState::Running { pid: Some(pid) } => format!("running (pid {pid})"),
        RunState::Running { pid: None } => "running".to_owned(),
        RunState::Complete => "complete".to_owned(),
        RunState::Stopped { why } => format!("stopped: {}", why.lines().next().unwrap_or_default()),
        RunState::Interrupted => "interrupted".to_owned(),
    }
}

/// The same for programs.
fn state_code(state: &RunState) -> &'static str {
    match state {
        RunState::Running { .. } => "running",
        RunState::Complete => "complete",
        RunState::Stopped { .. } => "stopped",
        RunState::Interrupted => "interrupted",
    }
}

/// `812/1,200`, with a `+` while the source may give more.
fn progress(ended: u64, known: u64, more: bool) -> String {
    format!("{}/{}{}", units::count(ended), units::count(known.max(ended)), if more { "+" } else { "" })
}

/// `2m 14s ago`
fn ago(then_ms: i64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    let passed = u64::try_from(now.saturating_sub(then_ms)).unwrap_or(0);
    if passed < 1_000 {
        "now".to_owned()
    } else {
        format!("{} ago", units::duration(passed / 1_000 * 1_000_000_000))
    }
}

/// RFC 3339
fn moment(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).map(|moment| moment.to_string()).unwrap_or_default()
}

fn is_json(format: Format) -> bool {
    format == Format::Json
}
