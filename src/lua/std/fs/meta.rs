//! Facts about files, and changing them.

use std::fs::{File, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use filetime::FileTime;
use mlua::{Lua, Table, Value};

use crate::lua::error::LibError;
use crate::lua::options;
use crate::os::disk;

/// `None` when there is nothing of that name.
pub(super) fn facts(path: &Path, follow: bool) -> Result<Option<Metadata>, LibError> {
    let facts = if follow { std::fs::metadata(path) } else { std::fs::symlink_metadata(path) };
    match facts {
        Ok(facts) => Ok(Some(facts)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(LibError::file(&error, path)),
    }
}

pub(super) fn stat(lua: &Lua, path: &Path, follow: bool) -> Result<Option<Table>, LibError> {
    let Some(facts) = facts(path, follow)? else {
        return Ok(None);
    };
    let table = lua.create_table_with_capacity(0, 14)?;
    table.raw_set("type", kind(&facts.file_type()))?;
    table.raw_set("size", facts.size())?;
    table.raw_set("mtime", facts.mtime() as f64 + facts.mtime_nsec() as f64 * 1e-9)?;
    table.raw_set("atime", facts.atime() as f64 + facts.atime_nsec() as f64 * 1e-9)?;
    table.raw_set("ctime", facts.ctime() as f64 + facts.ctime_nsec() as f64 * 1e-9)?;
    table.raw_set("mode", format!("{:03o}", facts.mode() & 0o7777))?;
    table.raw_set("uid", facts.uid())?;
    table.raw_set("gid", facts.gid())?;
    table.raw_set("nlink", facts.nlink())?;
    table.raw_set("ino", facts.ino())?;
    table.raw_set("dev", facts.dev())?;
    table.raw_set("rdev", facts.rdev())?;
    table.raw_set("blocks", facts.blocks())?;
    table.raw_set("blksize", facts.blksize())?;
    // it may be gone meanwhile
    if facts.is_symlink()
        && let Ok(target) = std::fs::read_link(path)
    {
        table.raw_set("target", lua.create_string(target.as_os_str().as_bytes())?)?;
    }
    Ok(Some(table))
}

pub(super) fn kind(of: &std::fs::FileType) -> &'static str {
    match of {
        _ if of.is_file() => "file",
        _ if of.is_dir() => "dir",
        _ if of.is_symlink() => "link",
        _ if of.is_fifo() => "fifo",
        _ if of.is_socket() => "socket",
        _ if of.is_block_device() => "block",
        _ => "char",
    }
}

/// A mode is a string of octal digits: as a number, `644` would silently be something else.
pub(super) fn mode(value: &Value) -> Result<u32, LibError> {
    let text = value.as_string().map(mlua::LuaString::to_string_lossy).unwrap_or_default();
    let digits = (1..=5).contains(&text.len()) && text.bytes().all(|byte| (b'0'..=b'7').contains(&byte));
    match u32::from_str_radix(&text, 8) {
        Ok(mode) if digits && mode <= 0o7777 => Ok(mode),
        _ => Err(LibError::invalid("a mode must be a string of octal digits, as \"644\"")),
    }
}

pub(super) fn chmod(path: &Path, value: &Value) -> Result<(), LibError> {
    let mode = mode(value)?;
    std::fs::set_permissions(path, Permissions::from_mode(mode)).map_err(|error| LibError::file(&error, path))
}

/// With the times of now, or those that are asked for; without an `atime` it is the `mtime`.
pub(super) fn touch(path: &Path, mtime: Option<Value>, atime: Option<Value>) -> Result<(), LibError> {
    let modified = mtime.map_or_else(|| Ok(FileTime::now()), |value| time("mtime", &value))?;
    let read = atime.map_or(Ok(modified), |value| time("atime", &value))?;
    let touched = match OpenOptions::new().append(true).create(true).open(path) {
        // A folder cannot be opened for writing, but has times.
        Err(error) if error.kind() == io::ErrorKind::IsADirectory => {
            filetime::set_file_times(path, read, modified)
        }
        Err(error) => Err(error),
        Ok(file) => filetime::set_file_handle_times(&file, Some(read), Some(modified)),
    };
    touched.map_err(|error| LibError::file(&error, path))
}

fn time(name: &str, value: &Value) -> Result<FileTime, LibError> {
    match value.as_number().or_else(|| value.as_integer().map(|whole| whole as f64)) {
        Some(seconds) if seconds.is_finite() && seconds.abs() < 1e12 => {
            let whole = seconds.floor();
            Ok(FileTime::from_unix_time(whole as i64, ((seconds - whole) * 1e9) as u32))
        }
        _ => Err(LibError::invalid(format!("option `{name}` must be seconds since 1970"))),
    }
}

pub(super) fn disk(lua: &Lua, path: &Path) -> Result<Table, LibError> {
    let (free, total) = disk::space(path).map_err(|error| LibError::file(&error, path))?;
    let table = lua.create_table_with_capacity(0, 2)?;
    table.raw_set("free", free)?;
    table.raw_set("total", total)?;
    Ok(table)
}

pub(super) fn truncate(path: &Path, size: Option<Value>) -> Result<(), LibError> {
    let size = match size {
        Some(size) => options::size(&size)
            .map_err(|error| LibError::invalid(format!("argument 2 (size) {}", error.message())))?,
        None => 0,
    };
    let cut = File::options().write(true).open(path).and_then(|file| file.set_len(size));
    cut.map_err(|error| LibError::file(&error, path))
}
