//! What the command line changes of a manifest.

use std::path::PathBuf;

use crate::model::lua_path::LuaPath;

/// Flags of `run`, as they were typed; `None` and `false` change nothing.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `-p key=value`, one each.
    pub params: Vec<String>,
    /// `--set table.key=value`, one each.
    pub set: Vec<String>,
    /// `--processes`
    pub processes: Option<Processes>,
    /// `--threads`
    pub threads: Option<usize>,
    /// `--coroutines`
    pub coroutines: Option<usize>,
    /// `-j 1`: one process, one thread, one coroutine.
    pub serial: bool,
    /// `--limit`
    pub limit: Option<u64>,
    /// `-o`, relative to the shell's folder; `-` is standard output.
    pub output: Option<PathBuf>,
    /// `-O`
    pub overwrite: bool,
    /// `-k`
    pub ordered: bool,
    /// `--lua-path`, relative to the shell's folder.
    pub lua_path: Option<LuaPath>,
    /// What the run wrote to in an earlier session; that it exists is no mistake.
    pub own_output: Option<OwnOutput>,
}

/// The output file of an earlier session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnOutput {
    /// Absolute.
    pub path: PathBuf,
    /// What it holds is thrown away with the run.
    pub anew: bool,
}

/// How many worker processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Processes {
    /// As many as there are CPUs for us.
    Auto,
    /// This many, 1 to 4096.
    Count(usize),
}
