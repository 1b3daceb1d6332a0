//! What goes into a new archive: the names, sorted, and where their content is.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use mlua::{Table, Value};

use super::names;
use super::write::{self, Packing};
use crate::lua::error::LibError;
use crate::lua::options::Options;
use crate::lua::pool::Stop;
use crate::lua::std::compress::file::replace;
use crate::lua::std::path;

/// The first time that a zip can say: 1980-01-01 00:00:00 UTC.
const FIXED: i64 = 315_532_800;

/// Where the content of an entry is.
pub(super) enum Source {
    /// A file, folder or link.
    Disk(PathBuf),
    Data(Vec<u8>),
}

/// What `create` was asked for.
pub(super) struct Asked {
    path: PathBuf,
    packing: Packing,
    /// By the name in the archive.
    files: BTreeMap<Vec<u8>, Source>,
    overwrite: bool,
    mtime: i64,
}

impl Asked {
    pub fn read(path: PathBuf, files: &Table, options: Option<Table>) -> Result<Self, LibError> {
        let mut options = Options::new(options);
        let base = options.bytes("base")?.map(|base| path::of(&base));
        let level = options.int("level")?;
        let overwrite = options.bool("overwrite")?.unwrap_or(false);
        let mtime = options.int("mtime")?.unwrap_or(FIXED);
        options.finish()?;
        let packing = Packing::of(&path, level)?;
        if mtime < 0 || matches!(packing, Packing::Zip(_)) && !(FIXED..4_354_819_200).contains(&mtime) {
            return Err(LibError::invalid(
                "option `mtime` must be seconds since 1970 (for a zip from 1980 to 2107)",
            ));
        }
        let mut asked = Self { path, packing, files: BTreeMap::new(), overwrite, mtime };
        let mut failed = None;
        files.for_each(|key: Value, value: Value| {
            if failed.is_none() {
                failed = asked.add_value(&key, &value, base.as_deref()).err();
            }
            Ok(())
        })?;
        failed.map_or(Ok(asked), Err)
    }

    /// An item of a list is a path, one of a map a name and a path, or a name and `{ data = "..." }`.
    fn add_value(&mut self, key: &Value, value: &Value, base: Option<&Path>) -> Result<(), LibError> {
        match (key, value) {
            (Value::Integer(_), Value::String(text)) => {
                let given = path::of(text);
                let at = base.map_or_else(|| given.clone(), |base| base.join(&given));
                let name = match base {
                    Some(base) => at
                        .strip_prefix(base)
                        .map(Path::to_path_buf)
                        .map_err(|_| LibError::invalid("is not below option `base`").path(&at))?,
                    None => given,
                };
                self.add(name.as_os_str().as_bytes(), Source::Disk(at.clone()))
                    .map_err(|error| error.path(at))
            }
            (Value::String(name), Value::String(text)) => {
                let given = path::of(text);
                let at = base.map_or_else(|| given.clone(), |base| base.join(&given));
                self.add(&name.as_bytes(), Source::Disk(at))
            }
            (Value::String(name), Value::Table(content)) => {
                let mut content = Options::new(Some(content.clone()));
                let data = content.bytes("data")?;
                content.finish()?;
                let data = data.ok_or_else(|| LibError::invalid("argument 2 (files): `data` is missing"))?;
                self.add(&name.as_bytes(), Source::Data(data.as_bytes().to_vec()))
            }
            (_, other) => Err(LibError::invalid(format!(
                "argument 2 (files) must be a list of paths, or a table from names to paths or {{ data = ... }}; got {} in it",
                other.type_name()
            ))),
        }
    }

    fn add(&mut self, name: &[u8], source: Source) -> Result<(), LibError> {
        let shown = String::from_utf8_lossy(name).into_owned();
        let place = names::plain(name).map_err(|why| {
            LibError::invalid(format!(
                "`{shown}` is {why}: option `base` names the folder that names begin at, a table gives names"
            ))
        })?;
        // the folder itself stands for what is in it
        let name = place.map(|place| place.into_os_string().into_vec()).unwrap_or_default();
        match self.files.insert(name, source) {
            None => Ok(()),
            Some(_) => Err(LibError::invalid(format!("`{shown}` is there twice"))),
        }
    }

    /// Writes it; its size.
    pub fn create(mut self, stop: &Stop) -> Result<u64, LibError> {
        let own = fs::metadata(&self.path).ok().map(|facts| (facts.dev(), facts.ino()));
        self.walk_folders(own, stop)?;
        let Self { path, packing, files, overwrite, mtime } = self;
        replace(&path, overwrite, None, |target| write::write(target, &path, packing, &files, mtime, stop))
    }

    /// Adds what is in the folders; not the old archive, which may be in one of them.
    fn walk_folders(&mut self, own: Option<(u64, u64)>, stop: &Stop) -> Result<(), LibError> {
        let mut ahead: Vec<(Vec<u8>, PathBuf)> = self
            .files
            .iter()
            .filter_map(|(name, source)| match source {
                Source::Disk(path) => Some((name.clone(), path.clone())),
                Source::Data(_) => None,
            })
            .collect();
        while let Some((name, path)) = ahead.pop() {
            stop.check()?;
            let failed = |error: std::io::Error| LibError::file(&error, &path);
            let facts = fs::symlink_metadata(&path).map_err(failed)?;
            if own == Some((facts.dev(), facts.ino())) {
                self.files.remove(&name);
                continue;
            }
            if !facts.is_dir() {
                continue;
            }
            for entry in fs::read_dir(&path).map_err(failed)? {
                let entry = entry.map_err(failed)?;
                let mut below = name.clone();
                if !below.is_empty() {
                    below.push(b'/');
                }
                below.extend_from_slice(entry.file_name().as_bytes());
                self.files.entry(below.clone()).or_insert_with(|| Source::Disk(entry.path()));
                ahead.push((below, entry.path()));
            }
        }
        // the folder that names begin at has no name
        self.files.remove(&b""[..]);
        Ok(())
    }
}

/// A path as a name; for errors.
pub(super) fn shown(name: &[u8]) -> PathBuf {
    OsString::from_vec(name.to_vec()).into()
}
