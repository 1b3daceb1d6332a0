//! What can be wrong with a source, and the way out of it.

use std::io;
use std::path::PathBuf;

use crate::source::KeyError;

/// A source that gives no tasks, or not these.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// Not a single task.
    #[error("no task: {what}")]
    Empty {
        /// The source and why it is empty.
        what: String,
        /// What to do.
        help: &'static str,
    },
    /// `skip` leaves nothing.
    #[error("no task: skip = {skip} leaves out all {total}")]
    Skipped {
        /// The key of the manifest.
        skip: u64,
        /// Tasks of the source.
        total: u64,
    },
    /// `limit = 0`
    #[error("no task: limit = 0")]
    Limited,
    /// More tasks than positions.
    #[error("more than 2^64 tasks cannot be shuffled")]
    TooMany,
    /// A pattern of `glob`.
    #[error("glob pattern \"{pattern}\" is wrong")]
    Pattern {
        /// As the manifest has it.
        pattern: String,
        /// Why.
        #[source]
        source: globset::Error,
    },
    /// A folder or file that `glob` meets and cannot look at.
    #[error("glob cannot search {}", path.display())]
    Search {
        /// The folder where the search began.
        path: PathBuf,
        /// Why; it names the place.
        #[source]
        source: ignore::Error,
    },
    /// A file of tasks that cannot be opened.
    #[error("cannot open {}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file of tasks that cannot be read further.
    #[error("{place}: cannot be read")]
    Read {
        /// File and line.
        place: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A record that no task can hold.
    #[error("{place}: a record of more than 64 MiB")]
    TooLong {
        /// File and line.
        place: String,
    },
    /// A record that is not what the format asks for.
    #[error("{place}: {reason}")]
    Record {
        /// File and line, for JSON the column too.
        place: String,
        /// What is wrong.
        reason: String,
        /// What to do.
        help: &'static str,
    },
    /// A task without the `key`.
    #[error("task {position} has no key")]
    Key {
        /// Position in the source, from 1.
        position: u64,
        /// Why.
        #[source]
        source: KeyError,
    },
    /// The `tasks` role is called, not opened.
    #[error("the tasks of {name} come from its `tasks` role, not from a built-in source")]
    Script {
        /// The script.
        name: String,
    },
}

impl SourceError {
    /// Whether nothing is wrong but that there is no task.
    pub fn is_of_nothing(&self) -> bool {
        matches!(self, SourceError::Empty { .. } | SourceError::Skipped { .. } | SourceError::Limited)
    }

    /// What to do about it.
    pub fn help(&self) -> &'static str {
        match self {
            SourceError::Empty { help, .. } | SourceError::Record { help, .. } => help,
            SourceError::Skipped { .. } => "lower `skip` in [tasks], or remove it",
            SourceError::Limited => "raise `limit` in [tasks], or remove it",
            SourceError::TooMany => "remove `shuffle` from [tasks], or shorten the product or range",
            SourceError::Pattern { .. } => {
                "patterns know `*`, `?`, `**`, `[a-z]` and `{a,b}`; `\\` makes the next character plain"
            }
            SourceError::Search { .. } => "make the folder readable, or narrow the pattern",
            SourceError::Open { .. } => {
                "paths in a manifest are relative to its folder; \"-\" is standard input"
            }
            SourceError::Read { .. } => "check that it is a readable file and no folder",
            SourceError::TooLong { .. } => {
                "check for a missing line end or an unclosed quote; pass large data as a path"
            }
            SourceError::Key { .. } => {
                "give each task the field that `key` in [tasks] names, or use key = \"args\""
            }
            SourceError::Script { .. } => "call the `tasks` role of the script",
        }
    }
}
