//! Files that came in by `require`: the text that was loaded first is the text of the run.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// What a process has loaded so far; clones are the same list.
#[derive(Clone, Default)]
pub struct Frozen {
    hashes: Arc<Mutex<HashMap<PathBuf, u128>>>,
    tell: Option<Tell>,
}

/// Hears of files that nobody loaded before.
type Tell = Arc<dyn Fn(&Path, u128) + Send + Sync>;

impl Frozen {
    /// With what other processes of the run have loaded; `tell` hears of what comes new.
    pub fn new(known: &[(PathBuf, u128)], tell: impl Fn(&Path, u128) + Send + Sync + 'static) -> Self {
        Frozen { hashes: Arc::new(Mutex::new(known.iter().cloned().collect())), tell: Some(Arc::new(tell)) }
    }

    /// A file is about to run.
    ///
    /// # Errors
    /// When another text was loaded from it before, with the sentence to show.
    pub fn check(&self, path: &Path, hash: u128) -> Result<(), String> {
        let mut hashes = self.hashes.lock().unwrap_or_else(PoisonError::into_inner);
        match hashes.get(path) {
            Some(known) if *known == hash => Ok(()),
            Some(_) => {
                Err("the file was changed after the run had loaded it; a run uses one text to its end".into())
            }
            None => {
                hashes.insert(path.to_path_buf(), hash);
                if let Some(tell) = &self.tell {
                    tell(path, hash);
                }
                Ok(())
            }
        }
    }

    /// All files so far.
    pub fn known(&self) -> Vec<(PathBuf, u128)> {
        let hashes = self.hashes.lock().unwrap_or_else(PoisonError::into_inner);
        hashes.iter().map(|(path, hash)| (path.clone(), *hash)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_text_is_the_text_of_the_run() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let here = Arc::clone(&told);
        let known = [(PathBuf::from("/a.lua"), 1)];
        let frozen = Frozen::new(&known, move |path, hash| {
            here.lock().expect("not poisoned").push((path.to_path_buf(), hash));
        });
        assert_eq!(frozen.check(Path::new("/a.lua"), 1), Ok(()));
        assert!(frozen.check(Path::new("/a.lua"), 2).is_err());
        assert_eq!(frozen.check(Path::new("/b.lua"), 7), Ok(()));
        assert!(frozen.clone().check(Path::new("/b.lua"), 8).is_err());
        assert_eq!(*told.lock().expect("not poisoned"), [(PathBuf::from("/b.lua"), 7)]);
    }
}
