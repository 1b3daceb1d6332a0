//! `mpms run`

use std::path::PathBuf;

use clap::Args;

use super::{Display, Workers};
use crate::manifest::Overrides;
use crate::model::lua_path::LuaPath;

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
    /// Look here for what scripts `require`, written as LUA_PATH is: `?` stands for the name, `;` separates places, `;;` are the usual ones.
    #[arg(long, value_name = "PLACES", help_heading = "Job")]
    pub lua_path: Option<LuaPath>,
    /// Run at most so many tasks.
    #[arg(long, value_name = "N", help_heading = "Job")]
    pub limit: Option<u64>,
    /// Show what would run: how many tasks, the first of them, and the settings. Nothing is started or written.
    #[arg(short = 'n', long, help_heading = "Job")]
    pub dry_run: bool,

    /// How many workers.
    #[command(flatten)]
    pub workers: Workers,

    /// Write rows to this file (.jsonl, .csv or .json), or to standard output (`-`).
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    pub output: Option<PathBuf>,
    /// Overwrite the output file when it exists.
    #[arg(short = 'O', long, help_heading = "Output")]
    pub overwrite: bool,
    /// Deliver results in the order of the tasks.
    #[arg(short = 'k', long, help_heading = "Output")]
    pub keep_order: bool,
    /// Add a line for each ended task to this file, with the columns of GNU parallel.
    #[arg(long, value_name = "FILE", conflicts_with = "dry_run", help_heading = "Output")]
    pub joblog: Option<PathBuf>,

    /// Go on with the latest run of the job that was not complete; begin one when there is none.
    #[arg(long, conflicts_with_all = ["restart", "output", "overwrite"], help_heading = "Resume")]
    pub resume: bool,
    /// Run the failed tasks of the job's latest run again, and what it had left.
    #[arg(long, conflicts_with_all = ["restart", "output", "overwrite"], help_heading = "Resume")]
    pub retry_failed: bool,
    /// With --resume: refuse when scripts, manifest or parameters have changed since the run began.
    #[arg(long, conflicts_with_all = ["restart", "no_journal"], help_heading = "Resume")]
    pub strict: bool,
    /// Throw the job's latest run away that was not complete, with its rows, and begin anew.
    #[arg(long, help_heading = "Resume")]
    pub restart: bool,
    /// Keep nothing: the run cannot be resumed, and leaves no trace in `.mpms`.
    #[arg(long, conflicts_with_all = ["resume", "retry_failed", "restart"], help_heading = "Resume")]
    pub no_journal: bool,
    /// Keep the run though its disk belongs to another machine, which may lose what was said to be written.
    #[arg(long, help_heading = "Resume")]
    pub allow_network_disk: bool,

    /// What is shown.
    #[command(flatten)]
    pub display: Display,
}

const EXAMPLES: &str = "\
Examples:
  mpms run jobs/crawl.toml
  mpms run jobs/crawl.toml -p count=10 -p base=http://localhost:8080
  mpms run jobs/crawl.toml --processes 8 --threads 4
  mpms run jobs/crawl.toml -j 1 --limit 5          five tasks, one after the other
  mpms run jobs/crawl.toml -n                      what would run
  mpms run jobs/crawl.toml --lua-path 'vendor/?.lua;;'   modules from one more folder
  mpms run jobs/crawl.toml --resume                go on where the last run stopped
  mpms run jobs/spider.toml -o rows.csv -O         rows to a file, overwriting it
  mpms run jobs/spider.toml -q -o - | jq .         rows to another program
  seq 5 | mpms run lines.toml                      tasks from standard input (tasks.lines = \"-\")

Exit codes: 0 all tasks succeeded, 1 some failed, 2 a mistake in the command, manifest or script,
4 the output or the state of the run cannot be kept, 5 stopped by policy, 130 and 143 stopped by a
signal. After 4, 5, 130 and 143 `mpms resume` goes on.";

impl RunArgs {
    /// What these flags change of a manifest.
    pub fn overrides(&self) -> Overrides {
        Overrides {
            params: self.params.clone(),
            set: self.set.clone(),
            processes: self.workers.processes,
            threads: self.workers.threads.map(usize::from),
            coroutines: self.workers.coroutines.map(usize::from),
            serial: self.workers.serial.is_some(),
            limit: self.limit,
            output: self.output.clone(),
            overwrite: self.overwrite,
            ordered: self.keep_order,
            lua_path: self.lua_path.clone(),
            own_output: None,
        }
    }

    /// Whether an earlier run is meant.
    pub fn resumes(&self) -> bool {
        self.resume || self.retry_failed
    }
}
