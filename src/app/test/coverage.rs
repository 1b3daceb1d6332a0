//! `--coverage`: which lines of the scripts the specs have run, of how many that could.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::{fs, io};

use super::find;
use crate::lua::coverage::{Ran, executable};
use crate::lua::require::project_root;

/// Folders of the project whose files count also when nothing has loaded them.
const OURS: [&str; 2] = ["scripts", "lib"];

/// Of all specs together.
#[derive(Debug, Default)]
pub(super) struct Coverage {
    ran: BTreeMap<PathBuf, BTreeMap<u32, u64>>,
}

/// What came of it.
#[derive(Debug)]
pub struct Covered {
    /// By their names.
    pub files: Vec<CoveredFile>,
    /// Files that are no Lua: their names, and why.
    pub broken: Vec<(String, String)>,
}

/// A file of the project.
#[derive(Debug)]
pub struct CoveredFile {
    /// As people write it.
    pub name: String,
    /// Lines that can run, and how often they did.
    pub lines: BTreeMap<u32, u64>,
}

impl Coverage {
    /// Adds what a spec has run.
    pub fn add(&mut self, ran: Vec<Ran>) {
        for file in ran {
            let lines = self.ran.entry(file.file).or_default();
            for (line, count) in file.lines {
                *lines.entry(line).or_default() += count;
            }
        }
    }

    /// Of the files of the project that are no specs: those that ran, and, if `all` specs were to run, those that could.
    pub fn finish(mut self, cwd: &Path, all: bool) -> Covered {
        let root = project_root(cwd);
        if all {
            let found = OURS.iter().filter_map(|folder| find::lua(&root.join(folder)).ok()).flatten();
            for file in found.filter_map(|file| file.canonicalize().ok()) {
                self.ran.entry(file).or_default();
            }
        }
        let mut covered = Covered { files: Vec::new(), broken: Vec::new() };
        for (path, ran) in self.ran {
            if !find::is_ours(&root, &path) || find::is_of_specs(&root, &path) {
                continue;
            }
            let name = path.strip_prefix(cwd).unwrap_or(&path).to_string_lossy().into_owned();
            let read = fs::read(&path).map_err(|error| error.to_string());
            match read.and_then(|text| executable(&text)) {
                Ok(lines) => covered.files.push(CoveredFile { name, lines: counted(lines, &ran) }),
                Err(why) => covered.broken.push((name, why)),
            }
        }
        covered
    }
}

fn counted(lines: BTreeSet<u32>, ran: &BTreeMap<u32, u64>) -> BTreeMap<u32, u64> {
    lines.into_iter().map(|line| (line, ran.get(&line).copied().unwrap_or_default())).collect()
}

impl Covered {
    /// Lines that ran, and lines that could, of all files.
    pub fn total(&self) -> (usize, usize) {
        let sum = |count: fn(&CoveredFile) -> usize| self.files.iter().map(count).sum();
        (sum(CoveredFile::ran), sum(|file| file.lines.len()))
    }

    /// Writes the file that editors and services read; its folder is made.
    ///
    /// # Errors
    /// What the system says.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir_all(folder)?;
        }
        fs::write(path, self.lcov())
    }

    /// A record a file, as `geninfo` describes it.
    fn lcov(&self) -> String {
        let mut text = String::new();
        for file in &self.files {
            text.push_str(&format!("TN:\nSF:{}\n", file.name));
            for (line, count) in &file.lines {
                text.push_str(&format!("DA:{line},{count}\n"));
            }
            text.push_str(&format!("LF:{}\nLH:{}\nend_of_record\n", file.lines.len(), file.ran()));
        }
        text
    }
}

impl CoveredFile {
    /// Lines that ran.
    pub fn ran(&self) -> usize {
        self.lines.values().filter(|count| **count > 0).count()
    }

    /// Lines that did not: the first and the last of each stretch. Lines on which nothing can run do not end one.
    pub fn missed(&self) -> Vec<(u32, u32)> {
        let mut missed: Vec<(u32, u32)> = Vec::new();
        let mut goes_on = false;
        for (line, count) in &self.lines {
            match missed.last_mut() {
                _ if *count > 0 => {}
                Some((_, last)) if goes_on => *last = *line,
                _ => missed.push((*line, *line)),
            }
            goes_on = *count == 0;
        }
        missed
    }
}

/// `87.5%`; 100 is kept for all of them.
pub fn percent((ran, all): (usize, usize)) -> String {
    let tenths = (ran * 1000).checked_div(all).unwrap_or(1000);
    format!("{}.{}%", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::{Covered, CoveredFile, percent};

    fn file(lines: &[(u32, u64)]) -> CoveredFile {
        CoveredFile { name: "scripts/a.lua".into(), lines: lines.iter().copied().collect() }
    }

    #[test]
    fn stretches_go_over_lines_without_code() {
        let missed = file(&[(1, 1), (2, 0), (5, 0), (6, 3), (9, 0)]).missed();
        assert_eq!(missed, [(2, 5), (9, 9)]);
        assert_eq!(file(&[(1, 1)]).missed(), []);
    }

    #[test]
    fn only_all_lines_are_100_percent() {
        assert_eq!(percent((1999, 2000)), "99.9%");
        assert_eq!(percent((7, 8)), "87.5%");
        assert_eq!(percent((0, 0)), "100.0%");
        assert_eq!(percent((3, 3)), "100.0%");
    }

    #[test]
    fn the_file_is_lcov() {
        let covered = Covered { files: vec![file(&[(1, 2), (3, 0)])], broken: Vec::new() };
        let text = "TN:\nSF:scripts/a.lua\nDA:1,2\nDA:3,0\nLF:2\nLH:1\nend_of_record\n";
        assert_eq!(covered.lcov(), text);
        assert_eq!(covered.total(), (1, 2));
    }
}
