//! With what a run begins.

use std::path::PathBuf;

/// Everything that a resume must know of the first session and that does not change later.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Begin {
    /// The job's name.
    pub job: String,
    /// What it says it does.
    pub description: String,
    /// Path of the manifest.
    pub manifest: PathBuf,
    /// Seed of all random numbers.
    pub seed: i64,
    /// The encoded parameters.
    pub params: Vec<u8>,
    /// The encoded first state of `meta`.
    pub meta: Vec<u8>,
    /// The flags of the run as JSON; nobody here reads it.
    pub settings: String,
    /// What changed scripts are told by.
    pub texts: Vec<Text>,
    /// Where rows go, as a person would write it.
    pub output: Option<String>,
    /// Whether tasks have keys.
    pub keyed: bool,
    /// The command line, for people.
    pub command: String,
}

/// A file that the run depends on, as it was: manifest, scripts, what they required.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    /// Its path, as the run names it.
    pub name: String,
    /// Its content.
    pub text: Vec<u8>,
}
