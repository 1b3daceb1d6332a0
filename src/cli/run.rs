//! `mpms run`

use std::path::PathBuf;

use clap::Args;

use super::{Color, Format, Progress};
use crate::manifest::{MAX_COROUTINES, MAX_PROCESSES, MAX_THREADS, Overrides, Processes};

/// `mpms run`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct RunArgs {
    /// Manifests of the jobs, run one after the other.
    #[arg(required = true, value_name = "JOB.toml")]
    pub jobs: Vec<PathBuf>,

    /// Set a parameter that `[params]` of the manifest declares; can be given several times.
    #[arg(
        short = 'p',
        long = "param",
        value_name = "KEY=VALUE",
        allow_hyphen_values = true,
        help_heading = "Job"
    )]
    pub params: Vec<String>,
    /// Set any other key of the manifest, as in `--set worker.crash_limit=1`; can be given several times.
    #[arg(long, value_name = "KEY=VALUE", help_heading = "Job")]
    pub set: Vec<String>,
    /// Run at most so many tasks.
    #[arg(long, value_name = "N", help_heading = "Job")]
    pub limit: Option<u64>,

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

    /// Write rows to this file (.jsonl, .csv or .json), or to standard output (`-`).
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    pub output: Option<PathBuf>,
    /// Overwrite the output file when it exists.
    #[arg(short = 'O', long, help_heading = "Output")]
    pub overwrite: bool,
    /// Deliver results in the order of the tasks.
    #[arg(short = 'k', long, help_heading = "Output")]
    pub keep_order: bool,

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

const EXAMPLES: &str = "\
Examples:
  mpms run jobs/crawl.toml
  mpms run jobs/crawl.toml -p count=10 -p base=http://localhost:8080
  mpms run jobs/crawl.toml --processes 8 --threads 4
  mpms run jobs/crawl.toml -j 1 --limit 5          five tasks, one after the other
  mpms run jobs/spider.toml -o rows.csv -O         rows to a file, overwriting it
  mpms run jobs/spider.toml -q -o - | jq .         rows to another program
  seq 5 | mpms run lines.toml                      tasks from standard input (tasks.lines = \"-\")

Exit codes: 0 all tasks succeeded, 1 some failed, 2 a mistake in the command, manifest or script,
4 the output cannot be kept, 5 stopped by policy, 130 and 143 stopped by a signal.";

impl RunArgs {
    /// What these flags change of a manifest.
    pub fn overrides(&self) -> Overrides {
        Overrides {
            params: self.params.clone(),
            set: self.set.clone(),
            processes: self.processes,
            threads: self.threads.map(usize::from),
            coroutines: self.coroutines.map(usize::from),
            serial: self.serial.is_some(),
            limit: self.limit,
            output: self.output.clone(),
            overwrite: self.overwrite,
            ordered: self.keep_order,
        }
    }
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
