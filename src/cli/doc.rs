//! `mpms doc` and `mpms types`

use std::path::PathBuf;

use clap::Args;

use super::Color;

/// `mpms doc`
#[derive(Debug, Args)]
#[command(after_help = DOC_EXAMPLES)]
pub struct DocArgs {
    /// A module, a function, a method or a table of options; all modules unless it is named.
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// Write it as JSON.
    #[arg(long, conflicts_with = "markdown")]
    pub json: bool,
    /// Write the whole reference as Markdown.
    #[arg(long, conflicts_with = "name")]
    pub markdown: bool,
    /// Use colours: when a terminal shows them, always, or never.
    #[arg(long, value_enum, default_value_t = Color::Auto, value_name = "WHEN")]
    pub color: Color,
}

const DOC_EXAMPLES: &str = "\
Examples:
  mpms doc                    the modules
  mpms doc http               what mpms.http has
  mpms doc http.get           a function
  mpms doc net.Socket:send    a method
  mpms doc retries            everything of that name
  mpms doc --json             the whole library, for programs

Exit codes: 0 found, 2 there is nothing of that name.";

/// `mpms types`
#[derive(Debug, Args)]
#[command(after_help = TYPES_EXAMPLES)]
pub struct TypesArgs {
    /// The folder of the project; the nearest above with mpms.toml, .mpms or .git unless it is named.
    #[arg(value_name = "FOLDER")]
    pub folder: Option<PathBuf>,
    /// Write the types alone, and no settings of editors and linters.
    #[arg(long, conflicts_with = "check")]
    pub update: bool,
    /// Write nothing, and say whether the types are those of this program.
    #[arg(long)]
    pub check: bool,
}

const TYPES_EXAMPLES: &str = "\
Examples:
  mpms types             types in .mpms/types, and the settings of editors and linters where there are none
  mpms types --update    the types alone, after an update of mpms
  mpms types --check     whether they are up to date

Settings that are there already are left as they are.

Exit codes: 0 done, 1 (--check) out of date, 4 they cannot be written.";
