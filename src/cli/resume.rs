//! `mpms resume`

use std::path::PathBuf;

use clap::Args;

use super::{Display, Workers};
use crate::model::lua_path::LuaPath;

/// `mpms resume`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ResumeArgs {
    /// The run: the beginning of its id, or `latest`; without it the latest run that is not complete.
    #[arg(value_name = "RUN")]
    pub run: Option<String>,

    /// Run its failed tasks again too.
    #[arg(long, help_heading = "Resume")]
    pub retry_failed: bool,
    /// Refuse when scripts, manifest or parameters have changed since the run began.
    #[arg(long, help_heading = "Resume")]
    pub strict: bool,
    /// Look elsewhere for what scripts `require` than when the run began, as with `mpms run`.
    #[arg(long, value_name = "PLACES", help_heading = "Resume")]
    pub lua_path: Option<LuaPath>,
    /// Throw away what it has done, with its rows, and begin anew with the same flags.
    #[arg(long, conflicts_with_all = ["retry_failed", "strict"], help_heading = "Resume")]
    pub restart: bool,
    /// Show what is done and what would run. Nothing is started or written.
    #[arg(short = 'n', long, conflicts_with = "restart", help_heading = "Resume")]
    pub dry_run: bool,
    /// Add a line for each ended task to this file, with the columns of GNU parallel.
    #[arg(long, value_name = "FILE", conflicts_with = "dry_run", help_heading = "Resume")]
    pub joblog: Option<PathBuf>,
    /// Go on though its disk belongs to another machine, which may lose what was said to be written.
    #[arg(long, help_heading = "Resume")]
    pub allow_network_disk: bool,

    /// How many workers.
    #[command(flatten)]
    pub workers: Workers,
    /// What is shown.
    #[command(flatten)]
    pub display: Display,
}

const EXAMPLES: &str = "\
Examples:
  mpms resume                          go on with the latest run that is not complete
  mpms resume 7f3a --retry-failed      and run its failed tasks again
  mpms resume 7f3a -n                  what would run

The run goes on with the parameters and flags with which it began; a flag that is given here goes
before. Tasks that have ended are not run again.

Exit codes: as of `mpms run`.";
