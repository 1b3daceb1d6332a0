//! `--watch`: tests that run again when a file of the project changes.
//!
//! The system only wakes; what has changed is what a look at all files finds, so that lost, doubled and unknown events do
//! no harm. Specs write files too: of those that change while tests run only Lua counts, and only by its content.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, SystemTime};

use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use xxhash_rust::xxh3::xxh3_64;

use super::{Stop, find};
use crate::app::complain;
use crate::cli::TestArgs;
use crate::lua::require::project_root;

/// No change for so long: whoever writes is done.
const QUIET: Duration = Duration::from_millis(80);

/// Runs tests again and again; only a signal ends it.
///
/// # Errors
/// When files cannot be watched.
pub(super) fn again_and_again(
    arguments: &TestArgs,
    mut run: impl FnMut(&TestArgs) -> Result<(), Stop>,
) -> Result<(), Stop> {
    let failed = |error: &dyn std::fmt::Display| Stop::new(format!("cannot watch files: {error}"), None);
    let cwd = std::env::current_dir().and_then(|cwd| cwd.canonicalize()).map_err(|error| failed(&error))?;
    let mut project = Project::new(project_root(&cwd)).map_err(|error| failed(&error))?;
    let scope = scope(&cwd, arguments);
    let mut chosen = arguments.clone();
    let mut seen = project.look().map_err(|error| failed(&error))?;
    loop {
        if let Err(stop) = run(&chosen) {
            complain(arguments.color, &stop.message, stop.help.as_deref());
        }
        say(&format!(
            "{:>12} {} in {} for changes; Ctrl-C ends\n",
            "Watching",
            files(seen.len()),
            project.root.display()
        ));
        let now = project.look().map_err(|error| failed(&error))?;
        let mut changed = changes(&seen, &now);
        changed.retain(|path| is_lua(path) && matters(&scope, path));
        seen = now;
        while changed.is_empty() {
            project.wait();
            let now = project.look().map_err(|error| failed(&error))?;
            changed = changes(&seen, &now);
            changed.retain(|path| matters(&scope, path));
            seen = now;
        }
        clear();
        say(&format!("{:>12} {}\n", "Changed", named(&cwd, &changed)));
        chosen = affected(arguments, &changed);
    }
}

/// Where specs are looked for.
fn scope(cwd: &Path, arguments: &TestArgs) -> Vec<PathBuf> {
    let named = arguments.paths.iter().filter_map(|path| cwd.join(path).canonicalize().ok());
    let named: Vec<_> = named.collect();
    if named.is_empty() { vec![cwd.to_path_buf()] } else { named }
}

/// Specs that nobody asked for do not.
fn matters(scope: &[PathBuf], path: &Path) -> bool {
    !find::is_spec(path) || scope.iter().any(|place| path.starts_with(place))
}

/// Specs that changed are run alone; anything else may matter to all of them.
fn affected(arguments: &TestArgs, changed: &BTreeSet<PathBuf>) -> TestArgs {
    let mut chosen = arguments.clone();
    if arguments.coverage.is_none() && changed.iter().all(|path| find::is_spec(path) && path.exists()) {
        chosen.paths = changed.iter().cloned().collect();
    }
    chosen
}

/// What is known of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    /// Of Lua, its content.
    Content(u64),
    Other {
        bytes: u64,
        modified: Option<SystemTime>,
    },
}

type Looks = BTreeMap<PathBuf, Look>;

struct Project {
    root: PathBuf,
    watcher: RecommendedWatcher,
    watched: BTreeSet<PathBuf>,
    events: Receiver<()>,
}

impl Project {
    fn new(root: PathBuf) -> notify::Result<Self> {
        let (send, events) = channel();
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // reads are none of our business, and we read all files ourselves
            if !event.is_ok_and(|event| event.kind.is_access()) {
                let _ = send.send(());
            }
        })?;
        Ok(Project { root, watcher, watched: BTreeSet::new(), events })
    }

    /// All files as they are now. Folders are watched before they are looked at.
    fn look(&mut self) -> notify::Result<Looks> {
        let mut looks = Looks::new();
        for entry in find::walk(&self.root) {
            // what went meanwhile is gone in the next look too
            let Ok(entry) = entry else { continue };
            if entry.file_type().is_some_and(|kind| kind.is_dir()) {
                self.watch(entry.into_path())?;
            } else if let Some(look) = look_at(entry.path()) {
                looks.insert(entry.into_path(), look);
            }
        }
        self.watched.retain(|folder| folder.is_dir());
        Ok(looks)
    }

    fn watch(&mut self, folder: PathBuf) -> notify::Result<()> {
        if self.watched.contains(&folder) {
            return Ok(());
        }
        match self.watcher.watch(&folder, RecursiveMode::NonRecursive) {
            Err(error) if matches!(error.kind, notify::ErrorKind::PathNotFound) => Ok(()),
            Err(error) => Err(error),
            Ok(()) => {
                self.watched.insert(folder);
                Ok(())
            }
        }
    }

    /// Until something changes, and nothing more for a moment.
    fn wait(&self) {
        if self.events.recv().is_ok() {
            while self.events.recv_timeout(QUIET).is_ok() {}
        }
    }
}

fn look_at(path: &Path) -> Option<Look> {
    if is_lua(path) {
        return fs::read(path).ok().map(|text| Look::Content(xxh3_64(&text)));
    }
    let about = fs::metadata(path).ok()?;
    Some(Look::Other { bytes: about.len(), modified: about.modified().ok() })
}

fn is_lua(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "lua")
}

/// Files that are new, gone or different.
fn changes(before: &Looks, now: &Looks) -> BTreeSet<PathBuf> {
    let all: BTreeSet<&PathBuf> = before.keys().chain(now.keys()).collect();
    all.into_iter().filter(|path| before.get(*path) != now.get(*path)).cloned().collect()
}

/// `scripts/crawl.lua`, or `scripts/crawl.lua and 2 more`
fn named(cwd: &Path, changed: &BTreeSet<PathBuf>) -> String {
    let first =
        changed.first().map(|path| path.strip_prefix(cwd).unwrap_or(path).to_string_lossy().into_owned());
    let first = crate::report::human::clean::line(&first.unwrap_or_default());
    match changed.len() {
        0 | 1 => first,
        more => format!("{first} and {} more", more - 1),
    }
}

fn files(count: usize) -> String {
    format!("{count} file{}", if count == 1 { "" } else { "s" })
}

fn clear() {
    if io::stdout().is_terminal() {
        let _ = io::stdout().lock().write_all(b"\x1b[H\x1b[2J\x1b[3J");
    }
}

/// Beside what the tests say, which may be for programs.
fn say(text: &str) {
    let _ = io::stdout().lock().flush();
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{Project, changes, named};

    #[test]
    fn what_changes_is_found_also_in_new_folders_and_not_what_git_ignores() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().canonicalize().expect("a folder");
        let write = |name: &str, text: &str| {
            let file = root.join(name);
            fs::create_dir_all(file.parent().expect("a parent")).expect("a folder");
            fs::write(file, text).expect("a file");
        };
        write("lib/a.lua", "return 1");
        write("gone.lua", "");
        write(".gitignore", "out/\n");
        let mut project = Project::new(root.clone()).expect("it can be watched");
        let before = project.look().expect("a look");
        write("lib/a.lua", "return 1");
        write("out/x.lua", "");
        write(".mpms/x.lua", "");
        assert!(changes(&before, &project.look().expect("a look")).is_empty());
        write("lib/a.lua", "return 2");
        project.wait();
        write("new/er/b.lua", "");
        fs::remove_file(root.join("gone.lua")).expect("removed");
        let now = project.look().expect("a look");
        let changed = changes(&before, &now);
        assert_eq!(named(&root, &changed), "gone.lua and 2 more");
        write("new/er/b.lua", "return 3");
        project.wait();
        assert_eq!(named(&root, &changes(&now, &project.look().expect("a look"))), "new/er/b.lua");
    }
}
