//! One process a run: a lock (flock) on a file of the run, which the system takes back when the process ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::Path;
use std::time::Duration;

use super::error::JournalError;
use crate::os::started::started;

/// In the folder of a run.
const NAME: &str = "lock";

/// How often a taken lock is looked at again when its holder is not alive: someone who lists the runs holds it for some
/// microseconds, and a new holder writes its pid a moment after it has the lock.
const LOOKS: u32 = 50;

/// The run is ours as long as this lives. A process that is started by this one does not inherit it.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

/// What the file says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Note {
    pub pid: Option<u32>,
    pub started: Option<u64>,
    pub created_ns: Option<u128>,
}

impl Lock {
    /// Takes the run in `folder`, at once or not at all.
    pub fn take(folder: &Path, run: &str, created_ns: Option<u128>) -> Result<Self, JournalError> {
        let path = folder.join(NAME);
        for look in 0.. {
            let mut open = OpenOptions::new();
            let mut file = open
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(&path)
                .map_err(|source| JournalError::file(&path, "open", source))?;
            match file.try_lock() {
                Ok(()) if !is_still(&file, &path) => {}
                Ok(()) => {
                    let created_ns = created_ns.or(read(&mut file).created_ns);
                    write(&file, created_ns).map_err(|source| JournalError::file(&path, "write", source))?;
                    return Ok(Lock { _file: file });
                }
                Err(TryLockError::WouldBlock) => {
                    let note = read(&mut file);
                    if note.is_alive() || look >= LOOKS {
                        return Err(JournalError::Locked { run: run.to_owned(), pid: note.pid });
                    }
                }
                Err(TryLockError::Error(source)) => return Err(JournalError::file(&path, "lock", source)),
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        unreachable!("the loop ends by itself")
    }
}

/// Who works on the run in `folder`; none when nobody does. The inner one is none when the holder cannot be told.
pub(super) fn holder(folder: &Path) -> Option<Option<u32>> {
    // for reading only: to look must not make a file
    let mut file = File::open(folder.join(NAME)).ok()?;
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => Some(read(&mut file).pid),
        _ => None,
    }
}

/// When the run began, as the file says.
pub(super) fn created_ns(folder: &Path) -> Option<u128> {
    read(&mut File::open(folder.join(NAME)).ok()?).created_ns
}

impl Note {
    fn is_alive(&self) -> bool {
        self.pid.is_some_and(|pid| started(pid).is_some_and(|begun| Some(begun) == self.started))
    }
}

/// Whoever removes a run holds its lock meanwhile; then the file that we have locked is no more.
fn is_still(file: &File, path: &Path) -> bool {
    let (Ok(ours), Ok(there)) = (file.metadata(), path.metadata()) else { return false };
    (ours.dev(), ours.ino()) == (there.dev(), there.ino())
}

fn write(file: &File, created_ns: Option<u128>) -> io::Result<()> {
    let pid = std::process::id();
    let begun = started(pid).unwrap_or_default();
    let text = format!("pid {pid}\nstarted {begun}\ncreated {}\n", created_ns.unwrap_or_default());
    file.set_len(0)?;
    file.write_all_at(text.as_bytes(), 0)
}

fn read(file: &mut File) -> Note {
    let mut text = String::new();
    // what is no text says nothing
    let _ = file.take(1000).read_to_string(&mut text);
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    Note {
        pid: field("pid").and_then(|value| value.parse().ok()),
        started: field("started").and_then(|value| value.parse().ok()),
        created_ns: field("created").and_then(|value| value.parse().ok()).filter(|at| *at > 0),
    }
}

#[cfg(test)]
mod tests {
    use super::{File, NAME, is_still};

    #[test]
    fn a_lock_on_a_file_that_was_removed_is_none() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join(NAME);
        let file = File::create(&path).expect("file");
        assert!(is_still(&file, &path));
        std::fs::remove_file(&path).expect("removed");
        assert!(!is_still(&file, &path));
        File::create(&path).expect("another file");
        assert!(!is_still(&file, &path));
    }
}
