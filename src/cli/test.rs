//! `mpms test`

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::{Color, Format};
use crate::manifest::literal_duration;
use crate::model::lua_path::LuaPath;

/// `mpms test`
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct TestArgs {
    /// Spec files, and folders in which every *_spec.lua is one; this folder unless they are named.
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Run only tests whose name, with those of its blocks as in `crawl: follows links`, fits this regular expression.
    #[arg(short = 'f', long, value_name = "PATTERN")]
    pub filter: Option<String>,
    /// Look here for what scripts `require`, written as LUA_PATH is: `?` stands for the name, `;` separates places, `;;` are the usual ones.
    #[arg(long, value_name = "PLACES")]
    pub lua_path: Option<LuaPath>,
    /// List the tests with their places, and run none.
    #[arg(long)]
    pub list: bool,
    /// Run so many files at once; as many as there are CPUs unless told.
    #[arg(short = 'j', long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub jobs: Option<u16>,
    /// Fail a test, or a function around tests, that takes longer than this.
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "60s")]
    pub timeout: Duration,
    /// Write snapshots that are missing or differ, instead of failing.
    #[arg(short = 'u', long, conflicts_with = "list")]
    pub update: bool,
    /// Write a report as JUnit has it to this file too.
    #[arg(long, value_name = "FILE", conflicts_with = "list")]
    pub junit: Option<PathBuf>,
    /// Count the lines of scripts that run, and write them to this file as LCOV; coverage.lcov unless told.
    #[arg(
        long,
        value_name = "FILE",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "coverage.lcov",
        conflicts_with = "list"
    )]
    pub coverage: Option<PathBuf>,
    /// Run the tests again when a file of the project changes: a spec alone, all for any other file.
    #[arg(long, conflicts_with = "list")]
    pub watch: bool,
    /// Show results for people, or as one JSON object a line.
    #[arg(long, value_enum, default_value_t = Format::Human, value_name = "FORMAT", help_heading = "Display")]
    pub format: Format,
    /// Show only failures and the summary.
    #[arg(short, long, conflicts_with = "verbose", help_heading = "Display")]
    pub quiet: bool,
    /// Show also what tests print that pass, and whole tracebacks.
    #[arg(short, long, help_heading = "Display")]
    pub verbose: bool,
    /// Use colours: when a terminal shows them, always, or never.
    #[arg(long, value_enum, default_value_t = Color::Auto, value_name = "WHEN", help_heading = "Display")]
    pub color: Color,
}

const EXAMPLES: &str = "\
Examples:
  mpms test                            every *_spec.lua below this folder
  mpms test scripts/spec -f robots     the tests of a folder with `robots` in their name
  mpms test --update                   write snapshots as they are now
  mpms test --watch                    again at each change, until Ctrl-C
  mpms test --junit report.xml         a report for a CI server too
  mpms test --coverage                 which lines ran, also in coverage.lcov

Each file runs in a process of its own. Requests are answered by the mocks of the test, see
`mpms.test`; all others are denied.

Exit codes: 0 all passed, 1 a test failed, 2 nothing was found, or a file cannot be loaded.";

fn duration(text: &str) -> Result<Duration, String> {
    match literal_duration(text) {
        Some(time) if !time.is_zero() => Ok(time),
        _ => Err("write a number with ms, s, m or h, as 30s".into()),
    }
}
