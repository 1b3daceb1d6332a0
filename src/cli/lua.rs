//! `mpms lua`

use std::ffi::OsString;

use clap::Args;

use super::Color;
use crate::model::lua_path::LuaPath;

/// `mpms lua`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct LuaArgs {
    /// Run this text instead of a file.
    #[arg(short = 'e', long = "execute", value_name = "CODE")]
    pub code: Option<String>,
    /// Look here for what the script `require`s, written as LUA_PATH is: `?` stands for the name, `;` separates places, `;;` are the usual ones.
    #[arg(long, value_name = "PLACES")]
    pub lua_path: Option<LuaPath>,
    /// Use colours: when a terminal shows them, always, or never.
    #[arg(long, value_enum, default_value_t = Color::Auto, value_name = "WHEN")]
    pub color: Color,
    /// The script (`-`: standard input), and what it gets as `...` and in `arg`; with -e arguments only.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "FILE] [ARGS")]
    pub words: Vec<OsString>,
}

const EXAMPLES: &str = "\
Examples:
  mpms lua                                   read lines and answer each
  mpms lua report.lua out/pages.jsonl        run a script
  mpms lua -e 'print(mpms.json.encode { 1, 2 })'
  echo 'print(1)' | mpms lua                 run what comes on standard input
  mpms lua --lua-path 'vendor/?.lua;;' a.lua   modules from one more folder

`require` finds what it finds for a job whose script is in the same folder; LUA_PATH is not read. What
is printed goes to standard output at once; `os.exit` ends the process.

Exit codes: 0 done, 1 the script raised an error, 2 it could not be read, 130 Ctrl-C, or what
`os.exit` says.";
