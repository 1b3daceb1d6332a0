//! Copies and moves. The new file appears under its name when it is complete.

use std::fs::{File, Metadata, Permissions};
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use filetime::FileTime;
use mlua::{Function, Lua, Table, Value};
use tempfile::NamedTempFile;
use xxhash_rust::xxh3::Xxh3;

use super::content::temporary_beside;
use crate::lua::error::LibError;
use crate::lua::module::call;
use crate::lua::options::Options;
use crate::lua::pool::{self, Stop};
use crate::os::disk;

/// Between two calls of the progress function.
const STEP: u64 = 1 << 20;

/// Between two questions whether to go on.
const STRETCH: u64 = 64 << 20;

#[derive(Clone, Copy)]
struct How {
    overwrite: bool,
    /// Mode and time of the source.
    preserve: bool,
    /// Both files are read again and compared.
    verify: bool,
}

/// What `copy` was asked for.
pub(super) struct Order {
    from: PathBuf,
    to: PathBuf,
    how: How,
    progress: Option<Function>,
}

impl Order {
    pub fn read(lua: &Lua, from: PathBuf, to: PathBuf, options: Option<Table>) -> Result<Self, LibError> {
        let mut options = Options::new(options);
        let how = How {
            overwrite: options.bool("overwrite")?.unwrap_or(false),
            preserve: options.bool("preserve")?.unwrap_or(true),
            verify: options.bool("verify")?.unwrap_or(false),
        };
        let progress = match options.value("progress")? {
            None | Some(Value::Boolean(false)) => None,
            Some(Value::Function(progress)) => Some(progress),
            Some(Value::Boolean(true)) => Some(task_progress(lua)?),
            Some(_) => return Err(LibError::invalid("option `progress` must be a function or true")),
        };
        options.finish()?;
        Ok(Self { from, to, how, progress })
    }
}

/// `task.progress` of a worker.
fn task_progress(lua: &Lua) -> Result<Function, LibError> {
    match lua.globals().raw_get::<Value>("task")? {
        Value::Table(task) => Ok(task.get("progress")?),
        _ => {
            Err(LibError::invalid("option `progress`: true is for workers, elsewhere it must be a function"))
        }
    }
}

/// The number of bytes.
pub(super) async fn copy(lua: &Lua, order: Order) -> Result<u64, LibError> {
    let Order { from, to, how, progress } = order;
    let Some(progress) = progress else {
        return pool::run(lua, move |stop| copy_file(&from, &to, how, stop)).await;
    };
    let mut copying = pool::run(lua, move |_| Copying::begin(from, to, how)).await?;
    loop {
        let more;
        (copying, more) = pool::run(lua, move |_| {
            let more = copying.step(STEP)?;
            Ok((copying, more))
        })
        .await?;
        if more || copying.done == 0 {
            call::<()>(lua, &progress, (copying.done, copying.facts.len().max(copying.done)))?;
        }
        if !more {
            return pool::run(lua, move |stop| copying.finish(stop)).await;
        }
    }
}

fn copy_file(from: &Path, to: &Path, how: How, stop: &Stop) -> Result<u64, LibError> {
    let mut copying = Copying::begin(from.to_path_buf(), to.to_path_buf(), how)?;
    while copying.step(STRETCH)? {
        stop.check()?;
    }
    copying.finish(stop)
}

/// A copy that is not complete; dropped, nothing is left of it.
struct Copying {
    from: PathBuf,
    to: PathBuf,
    /// Where `to` leads.
    target: PathBuf,
    source: File,
    facts: Metadata,
    file: NamedTempFile,
    how: How,
    done: u64,
}

impl Copying {
    fn begin(from: PathBuf, to: PathBuf, how: How) -> Result<Self, LibError> {
        // asked before it is opened: a pipe would make us wait
        let kind = std::fs::metadata(&from).map_err(|error| LibError::file(&error, &from))?;
        if kind.is_dir() {
            return Err(LibError::new("is_directory", "only files are copied").path(from));
        }
        if !kind.is_file() {
            return Err(LibError::invalid("only files are copied, and this is a device or a pipe").path(from));
        }
        if to.is_dir() {
            return Err(LibError::new("is_directory", "the copy needs the name of a file").path(to));
        }
        if !how.overwrite && to.symlink_metadata().is_ok() {
            return Err(there_already(&to));
        }
        let source = File::open(&from).map_err(|error| LibError::file(&error, &from))?;
        let facts = source.metadata().map_err(|error| LibError::file(&error, &from))?;
        let target =
            if how.overwrite { to.canonicalize().unwrap_or_else(|_| to.clone()) } else { to.clone() };
        let file = temporary_beside(&target).map_err(|error| LibError::file(&error, &to))?;
        Ok(Self { from, to, target, source, facts, file, how, done: 0 })
    }

    /// Copies so many bytes, inside the kernel where that is possible: `io::copy` between files is `copy_file_range`,
    /// which shares them on file systems that can. Whether there may be more.
    fn step(&mut self, most: u64) -> Result<bool, LibError> {
        let copied = io::copy(&mut (&self.source).take(most), &mut self.file.as_file())
            .map_err(|error| LibError::file(&error, &self.to))?;
        self.done += copied;
        Ok(copied > 0)
    }

    fn finish(self, stop: &Stop) -> Result<u64, LibError> {
        let wrong = |error: io::Error| LibError::file(&error, &self.to);
        if self.how.preserve {
            let file = self.file.as_file();
            let mode = Permissions::from_mode(self.facts.permissions().mode() & 0o7777);
            file.set_permissions(mode).map_err(wrong)?;
            let read = FileTime::from_last_access_time(&self.facts);
            let written = FileTime::from_last_modification_time(&self.facts);
            filetime::set_file_handle_times(file, Some(read), Some(written)).map_err(wrong)?;
        }
        if self.how.verify {
            verify(&self.from, self.file.path(), &self.to, stop)?;
        }
        let kept = match self.how.overwrite {
            true => self.file.persist(&self.target),
            false => self.file.persist_noclobber(&self.target),
        };
        kept.map_err(|error| LibError::file(&error.error, &self.to))?;
        Ok(self.done)
    }
}

fn there_already(to: &Path) -> LibError {
    LibError::new("exists", "is there already; `overwrite = true` replaces it").path(to)
}

fn verify(from: &Path, written: &Path, to: &Path, stop: &Stop) -> Result<(), LibError> {
    let source = digest(from, stop).map_err(|error| error.path(from))?;
    let copy = digest(written, stop).map_err(|error| error.path(to))?;
    if source != copy {
        return Err(LibError::new("io", "the copy differs from its source").retryable(true).path(to));
    }
    Ok(())
}

fn digest(path: &Path, stop: &Stop) -> Result<u128, LibError> {
    let mut file = File::open(path)?;
    let mut hasher = Xxh3::new();
    let mut buffer = vec![0; 256 << 10];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hasher.digest128()),
            read => hasher.update(&buffer[..read]),
        }
        stop.check()?;
    }
}

/// A rename, or copy and remove where the two are on different file systems.
pub(super) fn rename(from: &Path, to: &Path, overwrite: bool, stop: &Stop) -> Result<(), LibError> {
    let renamed = if overwrite { std::fs::rename(from, to) } else { disk::rename_new(from, to) };
    match renamed {
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
            across(from, to, overwrite, stop)?;
            std::fs::remove_file(from).map_err(|error| LibError::file(&error, from))
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(there_already(to)),
        // of which of the two it speaks
        Err(error) if error.kind() == io::ErrorKind::NotFound && from.symlink_metadata().is_ok() => {
            Err(LibError::file(&error, to))
        }
        Err(error) => Err(LibError::file(&error, from)),
        Ok(()) => Ok(()),
    }
}

/// A link moves as a link.
fn across(from: &Path, to: &Path, overwrite: bool, stop: &Stop) -> Result<(), LibError> {
    let how = How { overwrite, preserve: true, verify: false };
    if !from.is_symlink() {
        return copy_file(from, to, how, stop).map(drop);
    }
    if overwrite && to.symlink_metadata().is_ok() {
        std::fs::remove_file(to).map_err(|error| LibError::file(&error, to))?;
    }
    let target = std::fs::read_link(from).map_err(|error| LibError::file(&error, from))?;
    std::os::unix::fs::symlink(target, to).map_err(|error| LibError::file(&error, to))
}
