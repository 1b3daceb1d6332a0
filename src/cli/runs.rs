//! `mpms runs`

use clap::{Args, Subcommand};

use super::Format;

/// `mpms runs`
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, after_help = EXAMPLES)]
pub struct RunsArgs {
    /// What to do; without it the runs are listed.
    #[command(subcommand)]
    pub command: Option<RunsCommand>,
    /// What `list` takes.
    #[command(flatten)]
    pub list: ListArgs,
}

const EXAMPLES: &str = "\
Examples:
  mpms runs                            every run of this folder, the newest first
  mpms runs show 7f3a --failed         what failed, and why
  mpms runs logs 7f3a -f               what it says, as it goes on
  mpms runs rm --complete              remove the runs that are done

A run is named by the beginning of its id, or by `latest`. Runs lie in `.mpms/runs` in the nearest
folder above that has `.mpms` or `.git`, else in the folder itself.

Exit codes: 0 done, 2 there is no such run, 4 the run cannot be read or removed.";

/// Its commands.
#[derive(Debug, Subcommand)]
pub enum RunsCommand {
    /// List the runs, the newest first.
    List(ListArgs),
    /// Show what a run has done, what failed, and what its handler has gathered.
    Show(ShowArgs),
    /// Show what was told of a run: failures, retries, lines that scripts logged.
    Logs(LogsArgs),
    /// Remove runs; what they wrote elsewhere stays. One that is running is never removed.
    Rm(RmArgs),
}

/// `mpms runs list`
#[derive(Debug, Args)]
pub struct ListArgs {
    /// List for people, or as one JSON object a line.
    #[arg(long, value_enum, default_value_t = Format::Human, value_name = "FORMAT")]
    pub format: Format,
}

/// `mpms runs show`
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// The run; the latest unless it is named.
    #[arg(value_name = "RUN")]
    pub run: Option<String>,
    /// Show every failed task, with its arguments and its error.
    #[arg(long)]
    pub failed: bool,
    /// Show it for people, or as JSON (with --failed one object a line).
    #[arg(long, value_enum, default_value_t = Format::Human, value_name = "FORMAT")]
    pub format: Format,
}

/// `mpms runs logs`
#[derive(Debug, Args)]
pub struct LogsArgs {
    /// The run; the latest unless it is named.
    #[arg(value_name = "RUN")]
    pub run: Option<String>,
    /// Go on until the run ends.
    #[arg(short, long)]
    pub follow: bool,
    /// Show it for people, or the events as they were written, one JSON object a line.
    #[arg(long, value_enum, default_value_t = Format::Human, value_name = "FORMAT")]
    pub format: Format,
}

/// `mpms runs rm`
#[derive(Debug, Args)]
pub struct RmArgs {
    /// The runs.
    #[arg(required_unless_present_any = ["complete", "all"], value_name = "RUN")]
    pub runs: Vec<String>,
    /// Every run that is complete.
    #[arg(long, conflicts_with_all = ["runs", "all"])]
    pub complete: bool,
    /// Every run, also those that could be resumed.
    #[arg(long, conflicts_with = "runs")]
    pub all: bool,
}
