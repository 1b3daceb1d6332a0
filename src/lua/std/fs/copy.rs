//! Copies and moves. The new file appears under its name when it is complete.

use std::fs::{File, Permissions};
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use filetime::FileTime;
use mlua::{Function, Lua, Table};
use tempfile::NamedTempFile;
use xxhash_rust::xxh3::Xxh3;

use super::content::temporary_beside;
use crate::lua::error::LibError;
use crate::lua::module::call;
use crate::lua::options::Options;

/// Between two calls of the progress function.
const STEP: u64 = 1 << 20;

struct How {
    overwrite: bool,
    /// Mode and time of the source.
    preserve: bool,
    /// Both files are read again and compared.
    verify: bool,
    progress: Option<Function>,
}

pub(super) fn copy(lua: &Lua, from: &Path, to: &Path, options: Option<Table>) -> Result<u64, LibError> {
    let mut options = Options::new(options);
    let how = How {
        overwrite: options.bool("overwrite")?.unwrap_or(false),
        preserve: options.bool("preserve")?.unwrap_or(true),
        verify: options.bool("verify")?.unwrap_or(false),
        progress: options.function("progress")?,
    };
    options.finish()?;
    copy_file(Some(lua), from, to, &how)
}

fn copy_file(lua: Option<&Lua>, from: &Path, to: &Path, how: &How) -> Result<u64, LibError> {
    let source = File::open(from).map_err(|error| LibError::file(&error, from))?;
    let facts = source.metadata().map_err(|error| LibError::file(&error, from))?;
    if facts.is_dir() {
        return Err(LibError::new("is_directory", "only files are copied").path(from));
    }
    if to.is_dir() {
        return Err(LibError::new("is_directory", "the copy needs the name of a file").path(to));
    }
    if !how.overwrite && to.symlink_metadata().is_ok() {
        return Err(LibError::new("exists", "is there already; `overwrite = true` replaces it").path(to));
    }
    let target =
        if how.overwrite { to.canonicalize().unwrap_or_else(|_| to.into()) } else { to.to_path_buf() };
    let file = temporary_beside(&target).map_err(|error| LibError::file(&error, to))?;
    let bytes =
        transfer(lua, &source, &file, facts.len(), how)?.map_err(|error| LibError::file(&error, to))?;
    let kept = (|| {
        if how.preserve {
            file.as_file().set_permissions(Permissions::from_mode(facts.permissions().mode() & 0o7777))?;
            let (read, written) =
                (FileTime::from_last_access_time(&facts), FileTime::from_last_modification_time(&facts));
            filetime::set_file_handle_times(file.as_file(), Some(read), Some(written))?;
        }
        Ok(())
    })();
    kept.map_err(|error: io::Error| LibError::file(&error, to))?;
    if how.verify {
        verify(from, file.path(), to)?;
    }
    keep(file, &target, how.overwrite).map_err(|error| LibError::file(&error, to))?;
    Ok(bytes)
}

fn keep(file: NamedTempFile, target: &Path, overwrite: bool) -> io::Result<()> {
    let kept = if overwrite { file.persist(target) } else { file.persist_noclobber(target) };
    kept.map(drop).map_err(|error| error.error)
}

/// Copies the bytes inside the kernel where that is possible: `io::copy` between files is `copy_file_range`.
fn transfer(
    lua: Option<&Lua>,
    mut source: &File,
    target: &NamedTempFile,
    total: u64,
    how: &How,
) -> Result<io::Result<u64>, LibError> {
    let mut target = target.as_file();
    let (Some(progress), Some(lua)) = (&how.progress, lua) else {
        return Ok(io::copy(&mut source, &mut target));
    };
    let mut done = 0;
    loop {
        let copied = match io::copy(&mut source.take(STEP), &mut target) {
            Ok(copied) => copied,
            Err(error) => return Ok(Err(error)),
        };
        done += copied;
        if copied > 0 || done == 0 {
            call::<()>(lua, progress, (done, total.max(done)))?;
        }
        if copied < STEP {
            return Ok(Ok(done));
        }
    }
}

fn verify(from: &Path, written: &Path, to: &Path) -> Result<(), LibError> {
    let source = digest(from).map_err(|error| LibError::file(&error, from))?;
    let copy = digest(written).map_err(|error| LibError::file(&error, to))?;
    if source != copy {
        return Err(LibError::new("io", "the copy differs from its source").retryable(true).path(to));
    }
    Ok(())
}

fn digest(path: &Path) -> io::Result<u128> {
    let mut file = File::open(path)?;
    let mut hasher = Xxh3::new();
    let mut buffer = vec![0; 256 << 10];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hasher.digest128()),
            read => hasher.update(&buffer[..read]),
        }
    }
}

/// A rename, or copy and remove where the two are on different file systems.
pub(super) fn rename(from: &Path, to: &Path, options: Option<Table>) -> Result<(), LibError> {
    let mut options = Options::new(options);
    let overwrite = options.bool("overwrite")?.unwrap_or(false);
    options.finish()?;
    if !overwrite && from.symlink_metadata().is_ok() && to.symlink_metadata().is_ok() {
        return Err(LibError::new("exists", "is there already; `overwrite = true` replaces it").path(to));
    }
    match std::fs::rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
            let how = How { overwrite, preserve: true, verify: false, progress: None };
            copy_file(None, from, to, &how)?;
            std::fs::remove_file(from).map_err(|error| LibError::file(&error, from))
        }
        Err(error) => Err(LibError::file(&error, from)),
        Ok(()) => Ok(()),
    }
}
