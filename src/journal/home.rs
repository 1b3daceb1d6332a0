//! The folder `.mpms`, and the runs in it.

use std::fs;
use std::hash::{BuildHasher as _, RandomState};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use super::database::{self, Access, Database};
use super::error::JournalError;
use super::first_sync::is_marked;
use super::lock::{self, Lock};
use super::view::{RunState, View};
use crate::os::disk::sync;

const NAME: &str = ".mpms";
const RUNS: &str = "runs";
const GITIGNORE: &str = ".gitignore";

/// Letters of an id, as long as there are few runs.
const SHORTEST: usize = 4;

/// Ids that are tried before they get longer.
const TRIES: usize = 16;

/// A folder without a journal is removed when nothing in it has changed for so long.
const HALF_MADE_SECONDS: u64 = 3600;

/// The `.mpms` folder; it need not be there yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    path: PathBuf,
}

/// The folder of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunDir {
    /// Its id: lower-case hex digits, four unless there are many.
    pub id: String,
    /// Absolute.
    pub path: PathBuf,
}

impl Home {
    /// The nearest folder from `dir` upwards with `.mpms` or `.git` has it; without one, `dir` itself.
    pub fn of(dir: &Path) -> Home {
        let dir = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
        let root = dir
            .ancestors()
            .find(|folder| folder.join(NAME).is_dir() || folder.join(".git").exists())
            .unwrap_or(&dir);
        Home { path: root.join(NAME) }
    }

    /// Of the folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// All runs, newest first. A folder in which nothing was ever kept, since the program was killed or the power went
    /// while it was made, is none.
    ///
    /// # Errors
    /// When the folder cannot be read. That there is none is no error.
    pub fn runs(&self) -> Result<Vec<RunDir>, JournalError> {
        let mut runs: Vec<_> =
            self.folders()?.into_iter().filter(is_run).map(|run| (age_key(&run), run)).collect();
        runs.sort_by(|(a, run_a), (b, run_b)| b.cmp(a).then_with(|| run_a.id.cmp(&run_b.id)));
        Ok(runs.into_iter().map(|(_, run)| run).collect())
    }

    /// The run that `name` means: its id, a prefix that no other one has, or `latest`.
    ///
    /// # Errors
    /// When it is none or several; the error has the candidates.
    pub fn find(&self, name: &str) -> Result<RunDir, JournalError> {
        let runs = self.runs()?;
        let ids = |runs: &[RunDir]| runs.iter().map(|run| run.id.clone()).collect();
        let none =
            || JournalError::NoRun { name: name.to_owned(), home: self.path.clone(), runs: ids(&runs) };
        if name == "latest" {
            return runs.first().cloned().ok_or_else(none);
        }
        if let Some(run) = runs.iter().find(|run| run.id == name) {
            return Ok(run.clone());
        }
        let meant: Vec<RunDir> =
            runs.iter().filter(|run| !name.is_empty() && run.id.starts_with(name)).cloned().collect();
        match meant.as_slice() {
            [] => Err(none()),
            [run] => Ok(run.clone()),
            several => Err(JournalError::Ambiguous { name: name.to_owned(), runs: ids(several) }),
        }
    }

    /// Removes a run for good.
    ///
    /// # Errors
    /// When a process works on it, or the system refuses.
    pub fn remove(&self, run: &RunDir) -> Result<(), JournalError> {
        let _lock = Lock::take(&run.path, &run.id, None)?;
        remove_locked(run).map_err(|source| JournalError::file(&run.path, "remove", source))
    }

    /// Keeps the newest `keep` runs and removes of the others those that are complete and that nobody works on; says
    /// which. Also removes what was left of runs that were never begun.
    ///
    /// # Errors
    /// When the system refuses. A run that cannot be read is left as it is.
    pub fn prune(&self, keep: usize) -> Result<Vec<String>, JournalError> {
        let mut removed = Vec::new();
        for run in self.runs()?.into_iter().skip(keep) {
            let is_complete =
                View::open(&run).and_then(|view| view.state()).is_ok_and(|state| state == RunState::Complete);
            if !is_complete {
                continue;
            }
            match self.remove(&run) {
                // somebody takes it up again
                Err(JournalError::Locked { .. }) => {}
                other => {
                    other?;
                    removed.push(run.id);
                }
            }
        }
        self.sweep()?;
        Ok(removed)
    }

    fn sweep(&self) -> Result<(), JournalError> {
        for run in self.folders()? {
            if !is_run(&run) && is_old(&run.path) {
                // the folder may be somebody else's; it harms nobody
                let _ = Lock::take(&run.path, &run.id, None).map(|_lock| remove_locked(&run));
            }
        }
        Ok(())
    }

    /// Makes the folders that are missing; says those whose new entries must reach the disk.
    pub(super) fn make(&self) -> Result<Vec<PathBuf>, JournalError> {
        let runs = self.path.join(RUNS);
        let mut changed = vec![runs.clone()];
        if runs.is_dir() {
            return Ok(changed);
        }
        let mut root = self.path.parent();
        while let Some(folder) = root.filter(|folder| !folder.is_dir()) {
            root = folder.parent();
        }
        fs::create_dir_all(&runs).map_err(|source| JournalError::file(&runs, "make", source))?;
        // from the new folder up to the one that was there
        changed.extend(self.path.ancestors().take_while(|folder| Some(*folder) != root).map(Path::to_owned));
        changed.extend(root.map(Path::to_owned));
        let ignored = self.path.join(GITIGNORE);
        match fs::OpenOptions::new().write(true).create_new(true).open(&ignored) {
            Ok(mut file) => io::Write::write_all(&mut file, b"*\n"),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(error),
        }
        .map_err(|source| JournalError::file(&ignored, "write", source))?;
        Ok(changed)
    }

    /// Makes the folder of a new run; nobody else has made it.
    pub(super) fn claim(&self) -> Result<RunDir, JournalError> {
        let taken: Vec<String> = self.folders()?.into_iter().map(|run| run.id).collect();
        for id in free_ids(&taken) {
            let path = self.path.join(RUNS).join(&id);
            match fs::create_dir(&path) {
                Ok(()) => return Ok(RunDir { id, path }),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(source) => return Err(JournalError::file(&path, "make", source)),
            }
        }
        let full = io::Error::new(ErrorKind::AlreadyExists, "no id is free");
        Err(JournalError::file(&self.path, "make a run in", full))
    }

    /// Everything that is named like a run.
    fn folders(&self) -> Result<Vec<RunDir>, JournalError> {
        let runs = self.path.join(RUNS);
        let failed = |source| JournalError::file(&runs, "read", source);
        let entries = match fs::read_dir(&runs) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(failed)?,
        };
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry.map_err(failed)?;
            let Ok(id) = entry.file_name().into_string() else { continue };
            if is_id(&id) && entry.path().is_dir() {
                found.push(RunDir { id, path: entry.path() });
            }
        }
        Ok(found)
    }
}

/// Lies in the folder of a run that came to its end, so that nobody needs to open its journal to know that. It may be
/// missing; before something is removed for it, the journal is asked.
const COMPLETE: &str = "complete";

impl RunDir {
    /// Whether the run is known to be complete without a look into its journal.
    pub fn is_marked_complete(&self) -> bool {
        self.path.join(COMPLETE).exists()
    }
}

/// Marks the run whose journal is `database` as complete, or as one that goes on. A mark that cannot be written is
/// not missed.
pub(super) fn mark_complete(database: &Path, complete: bool) {
    let mark = database.with_file_name(COMPLETE);
    let _ = if complete { fs::write(mark, "") } else { fs::remove_file(mark) };
}

/// The mark lies there for some milliseconds, or after a crash in them.
fn is_run(run: &RunDir) -> bool {
    let path = run.path.join(database::NAME);
    let is_readable = || Database::open(&path, Access::Read).and_then(|database| database.check()).is_ok();
    path.exists() && (!is_marked(&run.path) || lock::holder(&run.path).is_some() || is_readable())
}

fn is_id(name: &str) -> bool {
    name.len() >= SHORTEST && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Ids that may be taken: none is the beginning of another. They get longer when most short ones are taken.
fn free_ids(taken: &[String]) -> impl Iterator<Item = String> {
    let is_free =
        |id: &String| !taken.iter().any(|other| other.starts_with(id) || id.starts_with(other.as_str()));
    (SHORTEST..=16).flat_map(|length| (0..TRIES).map(move |_| random_id(length))).filter(is_free)
}

/// Each `RandomState` has other keys.
fn random_id(length: usize) -> String {
    let mut id = format!("{:016x}", RandomState::new().hash_one(0));
    id.truncate(length);
    id
}

/// When the run began; what was lost with the power is guessed from the folder.
fn age_key(run: &RunDir) -> u128 {
    lock::created_ns(&run.path).unwrap_or_else(|| {
        let modified = run.path.metadata().and_then(|folder| folder.modified()).unwrap_or(UNIX_EPOCH);
        modified.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos()
    })
}

fn is_old(folder: &Path) -> bool {
    let modified = folder.metadata().and_then(|folder| folder.modified());
    modified.is_ok_and(|at| at.elapsed().is_ok_and(|age| age.as_secs() > HALF_MADE_SECONDS))
}

/// The database first: should this be cut off, what is left is no run any more.
pub(super) fn remove_locked(run: &RunDir) -> io::Result<()> {
    for name in
        [database::NAME.to_owned(), format!("{}-wal", database::NAME), format!("{}-shm", database::NAME)]
    {
        match fs::remove_file(run.path.join(name)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    sync(&run.path)?;
    fs::remove_dir_all(&run.path)
}

#[cfg(test)]
mod tests {
    use super::{free_ids, is_id};

    #[test]
    fn ids_get_longer_when_there_are_many_and_none_begins_with_another() {
        let id = free_ids(&[]).next().expect("one");
        assert!(id.len() == 4 && is_id(&id), "{id}");
        let short =
            |numbers: std::ops::RangeInclusive<u32>| numbers.map(|n| format!("{n:04x}")).collect::<Vec<_>>();
        assert_eq!(free_ids(&short(0..=0xffff)).next(), None);
        let mut taken = short(0x1000..=0xffff);
        taken.extend((0..0x1000).map(|n| format!("0{n:04x}")));
        let id = free_ids(&taken).next().expect("one");
        assert!(!taken.iter().any(|other| other.starts_with(&id) || id.starts_with(other.as_str())), "{id}");
    }
}
