//! What every role of a job may know, and the text that it runs.

use std::path::PathBuf;
use std::sync::Arc;

use crate::model::Value;
use crate::model::lua_path::LuaPath;

/// The job itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// `name`, else the manifest's file stem.
    pub name: String,
    /// Shown by `runs` and reports.
    pub description: String,
    /// The manifest, absolute.
    pub manifest: PathBuf,
    /// Its folder, absolute: the working directory of scripts and commands.
    pub dir: PathBuf,
    /// Base of every task's random numbers.
    pub seed: i64,
    /// `[params]` with `-p` applied; a map.
    pub params: Value,
    /// `[meta]`; a map.
    pub meta: Value,
    /// `env`, for scripts and what they start.
    pub env: Vec<(String, String)>,
    /// `--lua-path`: absolute.
    pub lua_path: Option<LuaPath>,
}

/// Lua text, read once for the whole run.
#[derive(Clone, Debug, PartialEq)]
pub struct Script {
    /// As errors show it, relative to the working directory of the user's shell where it can be: `scripts/crawl.lua`.
    pub name: String,
    /// The folder from which its `require` looks first, absolute.
    pub dir: PathBuf,
    /// The text. For `code` in a manifest, empty lines stand before it, so that line numbers are the manifest's.
    pub text: Arc<[u8]>,
}
