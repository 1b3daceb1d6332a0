//! What can be wrong with an output, and the way out of it.

use std::io;

use crate::wire::value::Malformed;

/// Rows that cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// The file exists and the mode is `error`.
    #[error("the output {path} exists")]
    Exists {
        /// The file.
        path: String,
    },
    /// A JSON array that is closed cannot be continued.
    #[error("the output {path} is one JSON array and cannot be appended to")]
    AppendJson {
        /// The file.
        path: String,
    },
    /// The file cannot be opened, or its folder cannot be made.
    #[error("cannot open the output {path}")]
    Open {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The csv file to append to has a header, and it is not `fields`.
    #[error("the output {path} has the header {found}, and `fields` says {fields}")]
    Header {
        /// The file.
        path: String,
        /// Its columns.
        found: String,
        /// Those of the manifest.
        fields: String,
    },
    /// A row that the format cannot hold.
    #[error("row {row} does not fit into the output {path}")]
    Row {
        /// The file.
        path: String,
        /// From 1, of this run.
        row: u64,
        /// Why.
        #[source]
        source: RowError,
    },
    /// The system refuses to write.
    #[error("cannot write row {row} or one before it to the output {path}")]
    Write {
        /// The file.
        path: String,
        /// The last row that was to be written, from 1.
        row: u64,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is not what the run had written when it was stopped.
    #[error("the output {path} {what}: it was changed since the run wrote it")]
    Changed {
        /// The file.
        path: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The file to append to is something else.
    #[error("the output {path} is not a SQLite database")]
    NotDatabase {
        /// The file.
        path: String,
    },
    /// Another process holds the database.
    #[error("the output {path} is locked by another process")]
    Locked {
        /// The file.
        path: String,
    },
    /// The database has something else of that name, or a table without rowids.
    #[error("`results` of {path} is not a table that rows can be added to")]
    NotTable {
        /// The file.
        path: String,
    },
    /// The table to append to has columns, and they are not `fields`.
    #[error("the table `results` of {path} has the columns {found}, and `fields` says {fields}")]
    Table {
        /// The file.
        path: String,
        /// Its columns.
        found: String,
        /// Those of the manifest.
        fields: String,
    },
    /// Whoever read the pipe has seen enough; no reason to complain.
    #[error("the reader of {path} is gone")]
    Closed {
        /// The output.
        path: String,
    },
}

impl OutputError {
    /// What to do about it.
    pub fn help(&self) -> &'static str {
        match self {
            OutputError::Exists { .. } => {
                "-O overwrites it, -o FILE takes another; or set mode = \"append\" or \"overwrite\" in [output]"
            }
            OutputError::AppendJson { .. } => "use format = \"jsonl\", or mode = \"overwrite\"",
            OutputError::Open { .. } => "check the path and the permissions of its folder, or use -o FILE",
            OutputError::Header { .. } => "make `fields` equal to the header, or write to another file",
            OutputError::Row { source, .. } => source.help(),
            OutputError::Write { .. } => "make room or repair the path, then run again",
            OutputError::Changed { .. } => {
                "bring the file back as it was, or run the job anew with --restart"
            }
            OutputError::NotDatabase { .. } | OutputError::NotTable { .. } => {
                "-O overwrites the file, -o FILE takes another"
            }
            OutputError::Locked { .. } => "wait until the other process is done with it, or use -o FILE",
            OutputError::Table { .. } => "make `fields` equal to the columns, or write to another file",
            OutputError::Closed { .. } => "nothing: the rows before were written",
        }
    }
}

/// Why a row does not fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RowError {
    /// A name that no column has.
    #[error("it has the column `{0}`, which the header lacks")]
    Unknown(String),
    /// The same for a table.
    #[error("it has the column `{0}`, which the table `results` lacks")]
    NoColumn(String),
    /// Two names that SQLite does not tell apart.
    #[error("its columns `{0}` and `{1}` differ in case only, and SQLite takes them for the same")]
    Twice(String, String),
    /// More values than columns.
    #[error("it has {found} values for {columns} columns")]
    Wide {
        /// Values of the row.
        found: usize,
        /// Columns of the output.
        columns: usize,
    },
    /// Named values after rows without names.
    #[error("its values have names, and those of the first row had none")]
    Named,
    /// Values without names after rows with names.
    #[error("its values have no names, and those of the first row had")]
    Unnamed,
    /// Nothing to take the columns from.
    #[error("it is an empty table, and the first row gives the columns")]
    Empty,
    /// The row is no value code.
    #[error("it is malformed")]
    Malformed(#[from] Malformed),
}

impl RowError {
    /// What to do about it.
    pub fn help(&self) -> &'static str {
        match self {
            RowError::Malformed(_) => "this is a bug in mpms",
            RowError::Twice(..) => "rename one of them, or use format = \"jsonl\"",
            RowError::Unknown(_) | RowError::NoColumn(_) | RowError::Wide { .. } | RowError::Empty => {
                "list every column in `fields` of [output], or use format = \"jsonl\""
            }
            RowError::Named | RowError::Unnamed => {
                "return rows of one kind, or set `fields` in [output] to name the values"
            }
        }
    }
}
