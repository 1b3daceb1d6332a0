//! Flags that several commands share.

use clap::Args;

use super::{Color, Format, Progress};
use crate::manifest::{MAX_COROUTINES, MAX_PROCESSES, MAX_THREADS, Processes};

/// How many workers.
#[derive(Clone, Debug, Default, Args)]
pub struct Workers {
    /// Start so many worker processes, 1 to 4096, or as many as there are CPUs (`auto`).
    #[arg(long, value_name = "N", value_parser = processes, help_heading = "Workers")]
    pub processes: Option<Processes>,
    /// Start so many threads in each worker process, 1 to 1024.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=MAX_THREADS as i64), help_heading = "Workers")]
    pub threads: Option<u16>,
    /// Run so many tasks at once in each thread, 1 to 10000, each in a coroutine: for tasks that wait.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=MAX_COROUTINES as i64), help_heading = "Workers")]
    pub coroutines: Option<u16>,
    /// Run one task at a time, in one process, thread and coroutine: for finding mistakes.
    #[arg(
        short = 'j',
        long = "jobs",
        value_name = "1",
        value_parser = serial,
        conflicts_with_all = ["processes", "threads", "coroutines"],
        help_heading = "Workers"
    )]
    pub serial: Option<u8>,
}

/// What is shown of a run.
#[derive(Clone, Debug, Args)]
pub struct Display {
    /// Show only failures, and why the run ended early.
    #[arg(short, long, conflicts_with = "verbose", help_heading = "Display")]
    pub quiet: bool,
    /// Show also what tasks print, their debug lines, and each worker that starts.
    #[arg(short, long, help_heading = "Display")]
    pub verbose: bool,
    /// Show progress: as a bar, as a line in ten seconds, not at all, or as it suits the terminal.
    #[arg(long, value_enum, default_value_t = Progress::Auto, value_name = "HOW", help_heading = "Display")]
    pub progress: Progress,
    /// Show events for people, or as one JSON object a line.
    #[arg(long, value_enum, default_value_t = Format::Human, value_name = "FORMAT", help_heading = "Display")]
    pub format: Format,
    /// Use colours: when a terminal shows them, always, or never.
    #[arg(long, value_enum, default_value_t = Color::Auto, value_name = "WHEN", help_heading = "Display")]
    pub color: Color,
}

fn processes(text: &str) -> Result<Processes, String> {
    match text.parse() {
        Ok(count) if (1..=MAX_PROCESSES).contains(&count) => Ok(Processes::Count(count)),
        _ if text == "auto" => Ok(Processes::Auto),
        _ => Err("write an integer from 1 to 4096, or auto".into()),
    }
}

fn serial(text: &str) -> Result<u8, String> {
    match text {
        "1" => Ok(1),
        _ if text.parse::<u64>().is_ok_and(|count| count > 1) => {
            Err(format!("only `-j 1` exists, one task at a time; for more write --processes {text}"))
        }
        _ => Err("only `-j 1` exists, one task at a time".into()),
    }
}
