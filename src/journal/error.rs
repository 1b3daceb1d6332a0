//! Why a journal cannot be kept or read, and the way out.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::ErrorCode;

use crate::os;

/// A journal that cannot be kept or read. It can be cloned, since one that failed says the same again.
#[derive(Clone, Debug, thiserror::Error)]
pub enum JournalError {
    /// Another process works on the run.
    #[error("run {run} is being worked on by process {}", pid.map_or_else(|| "(unknown)".to_owned(), |pid| pid.to_string()))]
    Locked {
        /// Its id.
        run: String,
        /// Of the other process, as its system counts; none when it cannot be told.
        pid: Option<u32>,
    },
    /// Locks or syncs do not hold there.
    #[error("{} is on {kind}, where locks and syncs may not hold", path.display())]
    NetworkDisk {
        /// The folder.
        path: PathBuf,
        /// The name of the file system.
        kind: String,
    },
    /// Nothing can be written there.
    #[error("cannot write to {}: it is read-only, or not yours", path.display())]
    ReadOnly {
        /// The file or folder.
        path: PathBuf,
    },
    /// The disk is full.
    #[error("the disk is full: {} cannot be written", path.display())]
    Full {
        /// The file or folder.
        path: PathBuf,
    },
    /// The system refuses something else.
    #[error("cannot {doing} {}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// A verb: `open`, `write`, …
        doing: &'static str,
        /// What it said.
        #[source]
        source: Arc<io::Error>,
    },
    /// The database refuses, for a reason that lies outside of it: an I/O error, mostly.
    #[error("cannot use the journal {}", path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// What it said.
        #[source]
        source: Arc<rusqlite::Error>,
    },
    /// The content is not what was written.
    #[error("the journal {} is damaged: {what}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// A database of another program.
    #[error("{} is no journal of mpms: its application id is {found:#x}", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it says it is; 0 is nothing.
        found: i32,
    },
    /// Written by a newer mpms.
    #[error("the journal {} has format {found}, and this mpms reads formats up to {known}", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: i32,
        /// The newest that this program knows.
        known: i32,
    },
    /// No run has that name.
    #[error("there is no run `{name}` in {}", home.display())]
    NoRun {
        /// As asked.
        name: String,
        /// The `.mpms` folder.
        home: PathBuf,
        /// The runs that there are, newest first.
        runs: Vec<String>,
    },
    /// More than one run has that prefix.
    #[error("`{name}` may be any of {}", runs.join(", "))]
    Ambiguous {
        /// As asked.
        name: String,
        /// Those that begin so.
        runs: Vec<String>,
    },
}

impl JournalError {
    /// The way out.
    pub fn help(&self) -> String {
        match self {
            JournalError::Locked { pid: Some(pid), .. } => {
                format!("wait until it has ended, or stop it with `kill {pid}`; `mpms runs` shows how far it is")
            }
            JournalError::Locked { pid: None, .. } => "wait until it has ended".to_owned(),
            JournalError::NetworkDisk { .. } => "run it from a local disk; --allow-network-disk uses this one all the same, --no-journal \
                 keeps nothing"
                .to_owned(),
            JournalError::ReadOnly { .. } => {
                "run it from a folder that you may write to, or use --no-journal to keep nothing".to_owned()
            }
            JournalError::Full { .. } => {
                "make room, then `mpms resume`: nothing that was kept is lost".to_owned()
            }
            JournalError::File { .. } => "check the path and its permissions, or use --no-journal".to_owned(),
            JournalError::Database { .. } => {
                "check the disk (`dmesg` may say more), then `mpms resume`: nothing that was kept is lost".to_owned()
            }
            JournalError::Damaged { .. } => {
                "restore the folder of the run from a backup, or remove it with `mpms runs rm` and run the job anew"
                    .to_owned()
            }
            JournalError::Foreign { .. } => {
                "move the file away: mpms does not touch what another program wrote".to_owned()
            }
            JournalError::Newer { .. } => "use the version of mpms that wrote it, or a later one".to_owned(),
            JournalError::NoRun { runs, .. } if runs.is_empty() => {
                "start one with `mpms run`; runs are looked up from the folder you are in upwards".to_owned()
            }
            JournalError::NoRun { runs, .. } => {
                let some: Vec<&str> = runs.iter().take(5).map(String::as_str).collect();
                let more = if runs.len() > some.len() { ", …" } else { "" };
                format!("the newest are {}{more}; `mpms runs` lists them all", some.join(", "))
            }
            JournalError::Ambiguous { .. } => "give more of its letters".to_owned(),
        }
    }

    /// The disk has no room.
    pub fn is_full(&self) -> bool {
        matches!(self, JournalError::Full { .. })
    }

    /// Another process works on the run.
    pub fn is_locked(&self) -> bool {
        matches!(self, JournalError::Locked { .. })
    }

    /// The content is not what was written.
    pub fn is_damaged(&self) -> bool {
        matches!(self, JournalError::Damaged { .. })
    }

    pub(super) fn file(path: &Path, doing: &'static str, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => JournalError::Full { path },
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
                JournalError::ReadOnly { path }
            }
            _ => JournalError::File { path, doing, source: Arc::new(source) },
        }
    }

    pub(super) fn damaged(path: &Path, what: impl Into<String>) -> Self {
        JournalError::Damaged { path: path.to_owned(), what: what.into() }
    }

    /// What an error of the database means for the person in front of it.
    pub(super) fn database(path: &Path, source: rusqlite::Error) -> Self {
        let owned = path.to_owned();
        let code = source.sqlite_error_code();
        match code {
            Some(ErrorCode::DiskFull) => JournalError::Full { path: owned },
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => JournalError::ReadOnly { path: owned },
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::damaged(path, plain(&source)),
            // Only a write says that there is no room; a sync, or room for the index of the log, is refused as an
            // I/O error, and the number of the system's error is not told.
            Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen)
                if path.parent().is_some_and(os::disk::is_full) =>
            {
                JournalError::Full { path: owned }
            }
            // The statements are ours and right: tables or columns are not.
            Some(
                ErrorCode::Unknown
                | ErrorCode::ConstraintViolation
                | ErrorCode::TypeMismatch
                | ErrorCode::TooBig,
            )
            | None => Self::damaged(path, plain(&source)),
            Some(_) => JournalError::Database { path: owned, source: Arc::new(source) },
        }
    }
}

/// Without the statement, which nobody who reads this has written.
fn plain(error: &rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqliteFailure(_, Some(message)) => message.clone(),
        rusqlite::Error::SqlInputError { msg, .. } => msg.clone(),
        other => other.to_string(),
    }
}
