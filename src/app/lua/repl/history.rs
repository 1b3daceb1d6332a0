//! Lines of earlier sessions, in the user's state folder (XDG base directories).

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Lines that are kept.
pub const MOST: usize = 1_000;

/// The file, where there is a place for it.
pub struct History(Option<PathBuf>);

impl History {
    /// `$XDG_STATE_HOME/mpms/lua_history`, by default below `~/.local/state`.
    pub fn of_user() -> Self {
        let absolute =
            |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let state = absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local/state")));
        History(state.map(|state| state.join("mpms/lua_history")))
    }

    /// The oldest first. A file that has grown is made short again.
    pub fn lines(&self) -> Vec<String> {
        let Some(path) = &self.0 else { return Vec::new() };
        let text = fs::read(path).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let all: Vec<&str> = text.lines().collect();
        let last = &all[all.len().saturating_sub(MOST)..];
        if all.len() > 2 * MOST {
            // the history is a convenience: a session goes on without it
            let _ = replace(path, &(last.join("\n") + "\n"));
        }
        last.iter().map(|line| unescaped(line)).collect()
    }

    /// Sessions at the same time add theirs in turn.
    pub fn add(&self, line: &str) {
        let Some(path) = &self.0 else { return };
        let added = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| {
            use std::os::unix::fs::OpenOptionsExt as _;
            let mut file = OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
            file.write_all((escaped(line) + "\n").as_bytes())
        });
        // as above
        let _ = added;
    }
}

fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(path);
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.persist(path).map(drop).map_err(|error| error.error)
}

fn escaped(line: &str) -> String {
    line.replace('\\', "\\\\").replace('\n', "\\n")
}

fn unescaped(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    let mut signs = line.chars();
    while let Some(sign) = signs.next() {
        match sign {
            '\\' => match signs.next() {
                Some('n') => text.push('\n'),
                Some(other) => text.push(other),
                None => text.push('\\'),
            },
            other => text.push(other),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_back_as_they_were() {
        let folder = tempfile::tempdir().expect("a folder");
        let history = History(Some(folder.path().join("deep/in/history")));
        assert!(history.lines().is_empty());
        let lines = ["a = 1", "for i = 1, 2 do\n  print(\"\\n\")\nend", "x\\"];
        lines.iter().for_each(|line| history.add(line));
        assert_eq!(history.lines(), lines);
        (0..3 * MOST).for_each(|number| history.add(&number.to_string()));
        assert_eq!(history.lines().len(), MOST);
        let kept = fs::read_to_string(folder.path().join("deep/in/history")).expect("the file");
        assert_eq!((kept.lines().count(), kept.lines().last()), (MOST, Some("2999")));
    }
}
