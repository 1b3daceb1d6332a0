//! What is in files: written whole or not at all, read by lines.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use mlua::{Function, Lua, Value};
use tempfile::NamedTempFile;

use super::meta;
use crate::lua::error::LibError;
use crate::lua::module::iterator;
use crate::lua::options::Options;

/// How `fs.write` and `json.write` write.
pub(in crate::lua::std) struct WriteOptions {
    /// Readers see the old file or the new one, never a part.
    atomic: bool,
    /// Missing folders are made.
    mkdir: bool,
    mode: Option<u32>,
    /// On the disk before the call returns.
    sync: bool,
}

impl WriteOptions {
    /// # Errors
    /// On values of the wrong type.
    pub fn read(options: &mut Options) -> Result<Self, LibError> {
        Ok(Self {
            atomic: options.bool("atomic")?.unwrap_or(true),
            mkdir: options.bool("mkdir")?.unwrap_or(false),
            mode: options.value("mode")?.map(|mode| meta::mode(&mode)).transpose()?,
            sync: options.bool("sync")?.unwrap_or(false),
        })
    }
}

/// Writes a whole file.
///
/// # Errors
/// What the system says; the old file is then untouched, unless `atomic` was off.
pub(in crate::lua::std) fn write(path: &Path, data: &[u8], how: &WriteOptions) -> Result<(), LibError> {
    let written = (|| {
        if how.mkdir {
            std::fs::create_dir_all(folder_of(path))?;
        }
        // A link stays a link: the file that it names is replaced.
        let target = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
        match std::fs::metadata(&target) {
            Ok(facts) if !facts.is_file() => in_place(&target, data, how),
            Ok(facts) if how.atomic => replace(&target, data, how, Some(facts.permissions())),
            Err(error) if how.atomic && error.kind() == io::ErrorKind::NotFound => {
                replace(&target, data, how, None)
            }
            _ => in_place(&target, data, how),
        }
    })();
    written.map_err(|error| LibError::file(&error, path))
}

fn replace(target: &Path, data: &[u8], how: &WriteOptions, old: Option<Permissions>) -> io::Result<()> {
    let mut file = temporary_beside(target)?;
    file.write_all(data)?;
    match (how.mode, old) {
        (Some(mode), _) => file.as_file().set_permissions(Permissions::from_mode(mode))?,
        (None, Some(old)) => file.as_file().set_permissions(old)?,
        (None, None) => {}
    }
    if how.sync {
        file.as_file().sync_all()?;
    }
    file.persist(target).map_err(|error| error.error)?;
    if how.sync {
        File::open(folder_of(target))?.sync_all()?;
    }
    Ok(())
}

fn in_place(target: &Path, data: &[u8], how: &WriteOptions) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(target)?;
    file.write_all(data)?;
    if let Some(mode) = how.mode {
        file.set_permissions(Permissions::from_mode(mode))?;
    }
    if how.sync {
        file.sync_all()?;
    }
    Ok(())
}

/// A hidden file in the folder of `target`, with the mode of a new file; it is gone unless it is kept.
pub(in crate::lua::std) fn temporary_beside(target: &Path) -> io::Result<NamedTempFile> {
    tempfile::Builder::new()
        .prefix(".mpms-")
        .suffix(".part")
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(folder_of(target))
}

pub(super) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Adds to the end in one write, so that lines of several writers never mix.
///
/// # Errors
/// What the system says.
pub(in crate::lua::std) fn append(path: &Path, data: &[u8]) -> Result<(), LibError> {
    let file = OpenOptions::new().append(true).create(true).open(path);
    file.and_then(|mut file| file.write_all(data)).map_err(|error| LibError::file(&error, path))
}

/// Lines without their line ends, as `io.lines`.
pub(super) fn lines(lua: &Lua, path: PathBuf) -> Result<Function, LibError> {
    let file = File::open(&path).map_err(|error| LibError::file(&error, &path))?;
    let mut file = Some(BufReader::with_capacity(64 << 10, file));
    let mut line = Vec::new();
    let next = move |lua: &Lua| {
        let Some(open) = &mut file else {
            return Ok(Value::Nil);
        };
        line.clear();
        let read = open.read_until(b'\n', &mut line).map_err(|error| LibError::file(&error, &path))?;
        if read == 0 {
            file = None;
            return Ok(Value::Nil);
        }
        Ok(Value::String(lua.create_string(line.strip_suffix(b"\n").unwrap_or(&line))?))
    };
    Ok(iterator(lua, "fs.lines", next)?)
}
