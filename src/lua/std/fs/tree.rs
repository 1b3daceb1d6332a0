//! Folders: listed, walked, searched and removed. The order is always that of the names.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher, GlobSet, GlobSetBuilder};
use ignore::{DirEntry, Walk, WalkBuilder};
use mlua::{Lua, LuaString, Table, Value};

use super::meta;
use crate::lua::error::LibError;
use crate::lua::options::Options;
use crate::lua::pool::Stop;
use crate::lua::std::batches::{self, Batch, Gives, Loop, Source};

/// Entries between two looks at the stop.
const TURN: usize = 512;

/// The names in a folder.
pub(super) fn list(folder: &Path, stop: &Stop) -> Result<Vec<OsString>, LibError> {
    let wrong = |error: std::io::Error| LibError::file(&error, folder);
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(wrong)? {
        names.push(entry.map_err(wrong)?.file_name());
        if names.len().is_multiple_of(TURN) {
            stop.check()?;
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// A list of strings, byte for byte.
pub(super) fn strings<S: AsRef<OsStr>>(lua: &Lua, names: &[S]) -> Result<Table, LibError> {
    let list = lua.create_table_with_capacity(names.len(), 0)?;
    for name in names {
        list.raw_push(lua.create_string(name.as_ref().as_bytes())?)?;
    }
    Ok(list)
}

const KINDS: &[&str] = &["file", "dir", "link", "any"];

/// What a walk gives.
struct Wanted {
    kind: &'static str,
    /// Patterns with a slash are for the path below the start, others for the name.
    paths: Option<GlobSet>,
    names: Option<GlobSet>,
}

impl Wanted {
    fn takes(&self, below: &Path, kind: &str) -> bool {
        if self.kind != "any" && self.kind != kind {
            return false;
        }
        let name = below.file_name().map(Path::new);
        match (&self.paths, &self.names) {
            (None, None) => true,
            (paths, names) => {
                paths.as_ref().is_some_and(|set| set.is_match(below))
                    || names.as_ref().zip(name).is_some_and(|(set, name)| set.is_match(name))
            }
        }
    }
}

fn set<'a>(patterns: impl Iterator<Item = &'a String>) -> Result<Option<GlobSet>, LibError> {
    let mut builder = GlobSetBuilder::new();
    let mut empty = true;
    for pattern in patterns {
        builder.add(compile(pattern)?);
        empty = false;
    }
    let built = builder.build().map_err(|error| LibError::invalid(error.to_string()))?;
    Ok((!empty).then_some(built))
}

fn compile(pattern: &str) -> Result<globset::Glob, LibError> {
    let glob = GlobBuilder::new(pattern).literal_separator(true).build();
    glob.map_err(|error| LibError::invalid(format!("the pattern does not work: {error}")))
}

fn patterns(options: &mut Options) -> Result<Vec<String>, LibError> {
    match options.value("glob")? {
        None => Ok(Vec::new()),
        Some(Value::String(one)) => Ok(vec![one.to_string_lossy()]),
        Some(Value::Table(list)) => Ok(list.sequence_values::<String>().collect::<mlua::Result<_>>()?),
        Some(_) => Err(LibError::invalid("option `glob` must be a pattern or a list of patterns")),
    }
}

pub(super) fn walk(lua: &Lua, start: PathBuf, options: Option<Table>) -> Result<Loop, LibError> {
    let mut options = Options::new(options);
    let globs = patterns(&mut options)?;
    let wanted = Wanted {
        kind: options.word("type", KINDS)?.unwrap_or("file"),
        paths: set(globs.iter().filter(|glob| glob.contains('/')))?,
        names: set(globs.iter().filter(|glob| !glob.contains('/')))?,
    };
    let mut builder =
        walker(&start, options.bool("ignore")?.unwrap_or(true), options.bool("hidden")?.unwrap_or(false));
    builder.max_depth(options.count("depth")?).follow_links(options.bool("follow")?.unwrap_or(false));
    options.finish()?;
    if !start.is_dir() {
        std::fs::read_dir(&start).map_err(|error| LibError::file(&error, &start))?;
    }
    let walk = Walked { walk: Some(builder.build()), start, wanted };
    batches::over(lua, "fs.walk", Gives::Pair, walk, Value::Nil)
}

/// A walk that is under way. It gives paths, each with its kind.
struct Walked {
    /// None at its end, which an error is too.
    walk: Option<Walk>,
    start: PathBuf,
    wanted: Wanted,
}

impl Source for Walked {
    fn fill(&mut self, batch: &mut Batch) -> Result<(), LibError> {
        for seen in 1_usize.. {
            if batch.is_full() {
                break;
            }
            if seen.is_multiple_of(TURN) {
                batch.check()?;
            }
            match self.walk.as_mut().and_then(Iterator::next) {
                None => {
                    self.walk = None;
                    break;
                }
                Some(Ok(entry)) => self.add(&entry, batch),
                Some(Err(error)) => {
                    self.walk = None;
                    return Err(failed(&error, &self.start));
                }
            }
        }
        Ok(())
    }
}

impl Walked {
    fn add(&self, entry: &DirEntry, batch: &mut Batch) {
        let kind = entry.file_type().map_or("file", |of| meta::kind(&of));
        let below = entry.path().strip_prefix(&self.start).unwrap_or(entry.path());
        if entry.depth() > 0 && self.wanted.takes(below, kind) {
            let shown = entry.path().strip_prefix("./").unwrap_or(entry.path());
            batch.text(shown.as_os_str().as_bytes());
            batch.text(kind.as_bytes());
        }
    }
}

/// Only the ignore files below the start count: what a walk gives must not depend on the machine, and a walk into an
/// ignored folder is meant.
fn walker(start: &Path, ignore: bool, hidden: bool) -> WalkBuilder {
    let mut builder = WalkBuilder::new(start);
    builder
        .standard_filters(false)
        .hidden(!hidden)
        .ignore(ignore)
        .git_ignore(ignore)
        .require_git(false)
        .sort_by_file_name(OsStr::cmp);
    builder
}

fn failed(error: &ignore::Error, start: &Path) -> LibError {
    let place = place_of(error).unwrap_or(start);
    match error.io_error() {
        Some(below) => LibError::file(below, place),
        None => LibError::new("io", error.to_string()).path(place),
    }
}

fn place_of(error: &ignore::Error) -> Option<&Path> {
    match error {
        ignore::Error::WithPath { path, .. } => Some(path),
        ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => place_of(err),
        _ => None,
    }
}

/// Where the search begins: the parts of the pattern before the first special sign.
fn literal_start(pattern: &str) -> PathBuf {
    let special = |part: &str| part.contains(['*', '?', '[', '{', '\\']);
    let parts: Vec<&str> = pattern.split('/').collect();
    let plain = parts.iter().position(|part| special(part)).unwrap_or(parts.len());
    let start = parts[..plain.min(parts.len() - 1)].join("/");
    match (start.is_empty(), pattern.starts_with('/')) {
        (true, true) => PathBuf::from("/"),
        (true, false) => PathBuf::from("."),
        (false, _) => PathBuf::from(start),
    }
}

/// What `glob` was asked for.
pub(super) struct Search {
    pattern: String,
    matcher: GlobMatcher,
    kind: &'static str,
    ignore: bool,
    hidden: bool,
    follow: bool,
}

impl Search {
    pub fn read(pattern: &LuaString, options: Option<Table>) -> Result<Self, LibError> {
        let mut options = Options::new(options);
        let kind = options.word("type", KINDS)?.unwrap_or("file");
        let ignore = options.bool("ignore")?.unwrap_or(false);
        let hidden = options.bool("hidden")?.unwrap_or(false);
        let follow = options.bool("follow")?.unwrap_or(true);
        options.finish()?;
        let pattern =
            pattern.to_str().map_err(|_| LibError::invalid("argument 1 (pattern) must be UTF-8"))?;
        let pattern = pattern.strip_prefix("./").unwrap_or(&pattern).to_owned();
        let matcher = compile(&pattern)?.compile_matcher();
        Ok(Self { pattern, matcher, kind, ignore, hidden, follow })
    }

    /// The files, in the order of their names.
    pub fn found(&self, stop: &Stop) -> Result<Vec<PathBuf>, LibError> {
        let start = literal_start(&self.pattern);
        let mut found = Vec::new();
        if start.is_dir() {
            for (seen, entry) in self.walker(&start).build().enumerate() {
                if seen.is_multiple_of(TURN) {
                    stop.check()?;
                }
                let entry = match entry {
                    Ok(entry) => entry,
                    // A link to nowhere is no reason to fail, and neither is a circle of links.
                    Err(error) if self.follow && is_link_trouble(&error) => continue,
                    Err(error) => return Err(failed(&error, &start)),
                };
                let path = entry.path().strip_prefix("./").unwrap_or(entry.path());
                let fits =
                    self.kind == "any" || entry.file_type().is_some_and(|of| meta::kind(&of) == self.kind);
                if entry.depth() > 0 && fits && self.matcher.is_match(path) {
                    found.push(path.to_path_buf());
                }
            }
        }
        found.sort_unstable_by(|a, b| a.as_os_str().as_bytes().cmp(b.as_os_str().as_bytes()));
        Ok(found)
    }

    fn walker(&self, start: &Path) -> WalkBuilder {
        let pattern = &self.pattern;
        let rest = pattern.strip_prefix(&*start.to_string_lossy()).unwrap_or(pattern).trim_start_matches('/');
        let below = rest.split('/').count();
        let named = rest.split('/').any(|part| part.starts_with('.') && part != "." && part != "..");
        let mut builder = walker(start, self.ignore, self.hidden || named);
        builder.follow_links(self.follow).max_depth((!pattern.contains("**")).then_some(below));
        builder
    }
}

fn is_link_trouble(error: &ignore::Error) -> bool {
    match error {
        ignore::Error::Loop { .. } => true,
        ignore::Error::WithPath { path, err } => {
            is_link_trouble(err) || path.symlink_metadata().is_ok_and(|facts| facts.is_symlink())
        }
        ignore::Error::WithDepth { err, .. } => is_link_trouble(err),
        _ => false,
    }
}

/// Whether there was something to remove.
pub(super) fn remove(path: &Path, recursive: bool) -> Result<bool, LibError> {
    let Some(facts) = meta::facts(path, false)? else {
        return Ok(false);
    };
    let removed = if !facts.is_dir() {
        std::fs::remove_file(path)
    } else if recursive {
        refuse_own_ground(path)?;
        std::fs::remove_dir_all(path)
    } else {
        std::fs::remove_dir(path)
    };
    removed.map(|()| true).map_err(|error| LibError::file(&error, path))
}

/// The folder that the job runs in, and all above it, are not removed by a slip of a variable.
fn refuse_own_ground(path: &Path) -> Result<(), LibError> {
    let here = std::env::current_dir().and_then(|here| here.canonicalize());
    let (Ok(here), Ok(path_of)) = (here, path.canonicalize()) else {
        return Ok(());
    };
    if here.starts_with(&path_of) {
        return Err(LibError::invalid("holds the working directory, so it is not removed").path(path));
    }
    Ok(())
}
