//! The command line, typed.

mod display;
mod doc;
mod lua;
mod resume;
mod run;
mod runs;
mod test;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};

pub use display::{Display, Workers};
pub use doc::{DocArgs, TypesArgs};
pub use lua::LuaArgs;
pub use resume::ResumeArgs;
pub use run::RunArgs;
pub use runs::{ListArgs, LogsArgs, RmArgs, RunsArgs, RunsCommand, ShowArgs};
pub use test::TestArgs;

use crate::model::lua_path::LuaPath;

/// Runs batch jobs: Lua or commands, in worker processes, over a list of tasks.
#[derive(Debug, Parser)]
#[command(name = "mpms", version, long_about = None, max_term_width = 100, after_help = EXAMPLES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "\
Examples:
  mpms run jobs/crawl.toml              run a job
  mpms run jobs/crawl.toml -p count=10  run it with another parameter
  mpms resume                           go on with the latest run that is not complete
  mpms runs                             list the runs of this folder
  mpms check jobs/                      look for mistakes in every job of a folder
  mpms lua report.lua                   run a script by hand, with the whole library

`mpms run --help` explains every option.";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run jobs, one after the other.
    Run(Box<RunArgs>),
    /// Go on with a run that was stopped, killed, or has failed tasks.
    Resume(Box<ResumeArgs>),
    /// List, show and remove the runs of this folder.
    Runs(RunsArgs),
    /// Look for mistakes in jobs and their scripts; nothing runs.
    Check(CheckArgs),
    /// Run a Lua script with the whole library; without one, read lines and answer each.
    Lua(LuaArgs),
    /// Show what the library has: a module, a function, its options.
    Doc(DocArgs),
    /// Write what editors need to know of the library.
    Types(TypesArgs),
    /// Run the tests of scripts: every *_spec.lua below this folder, with the network denied.
    Test(TestArgs),
    /// The process between a run and its workers; started by `run`.
    #[command(name = "__keeper", hide = true)]
    Keeper(KeeperArgs),
    /// One spec in a process of its own; started by `test`.
    #[command(name = "__spec", hide = true)]
    Spec(KeeperArgs),
}

/// `mpms check`
#[derive(Debug, Args)]
#[command(after_help = CHECK_EXAMPLES)]
pub struct CheckArgs {
    /// Manifests, and folders in which every *.toml file is one.
    #[arg(required = true, value_name = "JOB.toml|FOLDER")]
    pub paths: Vec<PathBuf>,
    /// Look here for what scripts `require`, written as LUA_PATH is: `?` stands for the name, `;` separates places, `;;` are the usual ones.
    #[arg(long, value_name = "PLACES")]
    pub lua_path: Option<LuaPath>,
    /// Show mistakes for people, or as one JSON object a line.
    #[arg(long, value_enum, default_value_t = Format::Human, value_name = "FORMAT")]
    pub format: Format,
    /// Use colours: when a terminal shows them, always, or never.
    #[arg(long, value_enum, default_value_t = Color::Auto, value_name = "WHEN")]
    pub color: Color,
}

const CHECK_EXAMPLES: &str = "\
Examples:
  mpms check jobs/crawl.toml
  mpms check jobs/ --format json

Exit codes: 0 no mistakes, 2 mistakes.";

/// `mpms __keeper` and `mpms __spec`
#[derive(Debug, Args)]
pub struct KeeperArgs {
    /// What `run` or `test` tells it.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub rest: Vec<OsString>,
}

/// Who reads what is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// People.
    Human,
    /// Programs: one JSON object a line.
    Json,
}

/// How progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Progress {
    /// A bar on a terminal, else a line in ten seconds.
    Auto,
    /// A bar.
    Bar,
    /// A line in ten seconds.
    Plain,
    /// Nothing.
    None,
}

/// When colours are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// When a terminal shows them and no variable (`NO_COLOR` and friends) is against it.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Cli {
    /// The command line of this process. For `--help`, `--version` and mistakes it prints and exits, for
    /// mistakes with code 2.
    pub fn from_env() -> Self {
        Self::read(std::env::args_os()).unwrap_or_else(|error| error.exit())
    }

    /// A command line, the program's name first.
    ///
    /// # Errors
    /// For mistakes, and for `--help` and `--version` too, as clap has it.
    pub fn read(words: impl IntoIterator<Item = impl Into<OsString> + Clone>) -> Result<Self, clap::Error> {
        let cli = Self::try_parse_from(words)?;
        let Command::Run(run) = &cli.command else { return Ok(cli) };
        let several = run.jobs.len() > 1;
        let text = if several && run.output.is_some() {
            "`-o` names the output of one job, and there are more than one; set `[output]` in each"
        } else if several && run.joblog.is_some() {
            "`--joblog` names the log of one job, and there are more than one"
        } else if run.strict && !run.resumes() {
            "`--strict` is about a run that goes on; give --resume too"
        } else {
            return Ok(cli);
        };
        Err(Self::command().error(ErrorKind::ArgumentConflict, text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::Processes;

    fn read(line: &str) -> Result<Cli, clap::Error> {
        Cli::read(line.split(' '))
    }

    fn run(line: &str) -> RunArgs {
        match read(line).map(|cli| cli.command) {
            Ok(Command::Run(run)) => *run,
            other => panic!("{other:?}"),
        }
    }

    fn mistake(line: &str) -> String {
        let error = read(line).expect_err("a mistake");
        assert_eq!(error.exit_code(), 2);
        error.to_string()
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_option_has_its_sentence() {
        for command in Cli::command().get_subcommands() {
            for argument in command.get_arguments().filter(|argument| argument.get_id() != "help") {
                let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
                assert!(help.len() > 10, "{} {}", command.get_name(), argument.get_id());
            }
        }
    }

    #[test]
    fn flags_become_overrides() {
        let line = "mpms run a.toml -p n=1 -p m=x=y --set run.queue=5 --processes 3 --threads 2 --coroutines 5 --limit 9 -o - -O -k";
        let overrides = run(line).overrides();
        assert_eq!(overrides.params, ["n=1", "m=x=y"]);
        assert_eq!(overrides.set, ["run.queue=5"]);
        assert_eq!(overrides.processes, Some(Processes::Count(3)));
        assert_eq!((overrides.threads, overrides.coroutines, overrides.limit), (Some(2), Some(5), Some(9)));
        assert_eq!(overrides.output, Some(PathBuf::from("-")));
        assert!(overrides.overwrite && overrides.ordered && !overrides.serial);
    }

    #[test]
    fn processes_can_be_auto_and_negative_numbers_are_values() {
        assert_eq!(run("mpms run a.toml --processes auto").overrides().processes, Some(Processes::Auto));
        assert_eq!(run("mpms run a.toml -p n=-1").overrides().params, ["n=-1"]);
        assert_eq!(run("mpms run a.toml -p -n=1").overrides().params, ["-n=1"]);
    }

    #[test]
    fn one_job_at_a_time_excludes_the_numbers() {
        assert!(run("mpms run a.toml -j 1").overrides().serial);
        assert!(mistake("mpms run a.toml -j 1 --processes 2").contains("cannot be used with"));
        assert!(mistake("mpms run a.toml -j 1 --threads 2").contains("cannot be used with"));
        assert!(mistake("mpms run a.toml -j 1 --coroutines 2").contains("cannot be used with"));
        assert!(mistake("mpms run a.toml -j 4").contains("--processes 4"));
    }

    #[test]
    fn numbers_out_of_range_are_mistakes() {
        assert!(mistake("mpms run a.toml --processes 0").contains("1 to 4096"));
        assert!(mistake("mpms run a.toml --processes 1000000").contains("1 to 4096"));
        assert!(mistake("mpms run a.toml --threads 1025").contains("1..=1024"));
        assert!(mistake("mpms run a.toml --coroutines 10001").contains("1..=10000"));
        assert!(mistake("mpms run a.toml --limit -1").contains("-1"));
    }

    #[test]
    fn one_output_for_two_jobs_is_a_mistake() {
        assert!(mistake("mpms run a.toml b.toml -o x.csv").contains("`-o` names the output of one job"));
    }

    #[test]
    fn a_run_cannot_go_on_and_begin_anew() {
        assert!(mistake("mpms run a.toml --resume --restart").contains("cannot be used with"));
        assert!(mistake("mpms run a.toml --no-journal --retry-failed").contains("cannot be used with"));
        assert!(mistake("mpms run a.toml --resume -o x.csv").contains("cannot be used with"));
        assert!(mistake("mpms run a.toml --strict").contains("give --resume too"));
        assert!(mistake("mpms run a.toml b.toml --joblog x").contains("the log of one job"));
        assert!(mistake("mpms resume --restart --strict").contains("cannot be used with"));
        assert!(run("mpms run a.toml --retry-failed --strict").resumes());
    }

    #[test]
    fn runs_are_listed_unless_another_word_follows() {
        let Ok(Cli { command: Command::Runs(runs) }) = read("mpms runs --format json") else {
            panic!("not read")
        };
        assert!(runs.command.is_none() && runs.list.format == Format::Json);
        assert!(mistake("mpms runs rm").contains("<RUN>"));
        assert!(mistake("mpms runs rm 7f --all").contains("cannot be used with"));
    }

    #[test]
    fn a_job_must_be_named() {
        assert!(mistake("mpms run").contains("JOB.toml"));
        assert!(mistake("mpms check").contains("JOB.toml"));
        assert!(mistake("mpms rum").contains("run"));
    }

    #[test]
    fn the_keeper_is_hidden_and_takes_anything() {
        assert!(!Cli::command().render_long_help().to_string().contains("keeper"));
        let Ok(Cli { command: Command::Keeper(keeper) }) = read("mpms __keeper 3 --x -y") else {
            panic!("not read")
        };
        assert_eq!(keeper.rest, ["3", "--x", "-y"]);
    }
}
