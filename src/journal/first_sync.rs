//! Bringing a new run to the disk while the program goes on.
//!
//! SQLite syncs its log, but not the file beside it, which it made without syncs; and it throws away a log beside an
//! empty file. So the first commit counts only when the file and its folders are on the disk too.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use super::database;
use super::error::JournalError;
use crate::os::disk::sync_together;

/// Lies in the folder of a run until all of it is on the disk. Beside it, a journal that cannot be read is no damage:
/// nobody was told that anything is kept.
const MARK: &str = "new";

pub(super) struct FirstSync {
    thread: JoinHandle<io::Result<()>>,
    path: PathBuf,
}

/// The file of the journal, held open: closing it would drop the locks that SQLite holds on it in this process.
pub(super) type Held = Arc<Vec<File>>;

/// Marks a run as one of which nothing is kept yet.
pub(super) fn mark(folder: &Path) -> Result<(), JournalError> {
    let mark = folder.join(MARK);
    File::create(&mark).map(drop).map_err(|source| JournalError::file(&mark, "write", source))
}

pub(super) fn is_marked(folder: &Path) -> bool {
    folder.join(MARK).exists()
}

impl FirstSync {
    /// Begins with the journal in `folder`, which no connection has open yet, and the folders above.
    pub fn begin(folder: &Path, above: &[PathBuf]) -> Result<(Self, Held), JournalError> {
        let path = folder.join(database::NAME);
        let open = |path: &Path| File::open(path).map_err(|source| JournalError::file(path, "open", source));
        let mut files = vec![open(&path)?, open(folder)?];
        for folder in above {
            files.push(open(folder)?);
        }
        let held = Arc::new(files);
        let (files, mark) = (Arc::clone(&held), folder.join(MARK));
        let thread = std::thread::Builder::new()
            .name("journal sync".to_owned())
            .spawn(move || {
                sync_together(&files)?;
                // should the mark stay, it does no harm
                let _ = fs::remove_file(mark);
                Ok(())
            })
            .map_err(|source| JournalError::file(&path, "sync", source))?;
        Ok((FirstSync { thread, path }, held))
    }

    /// Waits for its end.
    pub fn finish(self) -> Result<(), JournalError> {
        let result = self.thread.join().unwrap_or_else(|_| Err(io::Error::other("the sync panicked")));
        result.map_err(|source| JournalError::file(&self.path, "sync", source))
    }
}
