//! What the command line says about reports.

pub use anstream::ColorChoice;

/// How a run is told.
#[derive(Clone, Debug)]
pub struct ReportOptions {
    /// Lines for people on standard error, or JSON lines on standard output.
    pub format: Format,
    /// How progress is shown to people.
    pub progress: ProgressStyle,
    /// How much is shown to people.
    pub verbosity: Verbosity,
    /// `Auto` asks the environment (`NO_COLOR`, `CLICOLOR_FORCE`, `TERM`) and the terminal.
    pub color: ColorChoice,
    /// The command that runs the job, to which the last line adds what to type next; no line without it.
    pub command: Option<String>,
    /// What to type about a run that is kept; none without a journal.
    pub kept: Option<Kept>,
}

/// Commands that concern one run.
#[derive(Clone, Debug)]
pub struct Kept {
    /// `mpms resume 7f3a`
    pub resume: String,
    /// `mpms runs show 7f3a`
    pub show: String,
}

impl Default for ReportOptions {
    fn default() -> Self {
        ReportOptions {
            format: Format::Human,
            progress: ProgressStyle::Auto,
            verbosity: Verbosity::Normal,
            color: ColorChoice::Auto,
            command: None,
            kept: None,
        }
    }
}

impl ReportOptions {
    /// Whether a listener wants [`TaskStarted`](crate::model::event::Event::TaskStarted) and
    /// [`TaskFinished`](crate::model::event::Event::TaskFinished) of every task.
    pub fn wants_tasks(&self) -> bool {
        self.format == Format::Json
    }
}

/// `--format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Lines and a bar on standard error.
    Human,
    /// One JSON object a line on standard output; standard error stays empty.
    Json,
}

/// `--progress`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProgressStyle {
    /// A bar on a terminal, else a counter line every ten seconds.
    Auto,
    /// A bar; where standard error is no terminal, as `Plain`.
    Bar,
    /// A counter line every ten seconds.
    Plain,
    /// Nothing.
    None,
}

/// `-q` and `-v`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Errors, and the failures at the end.
    Quiet,
    /// Neither of the flags.
    Normal,
    /// Also `print` and `log.debug` of every task, and each worker that starts.
    Verbose,
}
