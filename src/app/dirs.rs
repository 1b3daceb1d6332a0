//! Where the tasks of a run have their folders, `task.dir`: below the run's own, or without one below that for temporary
//! files.

use std::fs;
use std::hash::{BuildHasher as _, RandomState};
use std::path::{Path, PathBuf};

use super::prepare::Folder;
use crate::model::TaskId;
use crate::model::event::Summary;

const NAME: &str = "tasks";

/// The folder of these folders. Whoever needs one of them makes it.
pub struct Dirs {
    path: PathBuf,
    /// A resume finds them.
    is_kept: bool,
}

impl Dirs {
    /// Of a run that is kept there.
    pub fn of(kept: Option<&Folder>) -> Self {
        let path = match kept {
            Some(folder) => folder.dir.path.join(NAME),
            None => {
                // a name that nobody could have taken before
                let random = || RandomState::new().hash_one(0);
                let temporary = std::env::temp_dir().join(format!("mpms-{:016x}{:016x}", random(), random()));
                std::path::absolute(&temporary).unwrap_or(temporary)
            }
        };
        Dirs { path, is_kept: kept.is_some() }
    }

    /// Of the folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Tasks that have one, from earlier sessions. What cannot be read is cleared away at the end of the run.
    pub fn there(&self) -> Vec<TaskId> {
        let Ok(entries) = fs::read_dir(&self.path) else { return Vec::new() };
        entries.flatten().filter_map(|entry| TaskId::of_folder(entry.file_name().to_str()?)).collect()
    }

    /// The session is over.
    pub fn end(&self, summary: &Summary) {
        if summary.stopped.is_none() || !self.is_kept {
            // nearly always there is none; what cannot be removed harms nobody
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}
