//! What is in files: written whole or not at all, read by lines.

use std::fs::{File, Metadata, OpenOptions, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use bytesize::ByteSize;
use mlua::{Function, Lua, LuaString};
use tempfile::NamedTempFile;

use super::meta;
use crate::lua::error::LibError;
use crate::lua::module::{Batch, batched_iterator};
use crate::lua::options::Options;
use crate::lua::pool::{self, Stop};
use crate::lua::std::lent::Slot;

/// What `fs.read` takes, unless more is asked for.
pub(super) const MOST_BYTES: u64 = 1 << 30;

/// A line may not be longer: a file without line ends would fill the memory.
const LONGEST_LINE: usize = 256 << 20;

/// Read at once.
const BLOCK: usize = 256 << 10;

/// Of a batch.
const MOST_LINES: usize = 256;

/// Between two questions whether to go on.
const STEP: usize = 4 << 20;

/// A whole file, at most so many bytes of it.
///
/// # Errors
/// `too_large`; what the system says.
pub(super) fn read(path: &Path, most: u64, stop: &Stop) -> Result<Vec<u8>, LibError> {
    let wrong = |error: io::Error| LibError::file(&error, path);
    let file = File::open(path).map_err(wrong)?;
    let size = file.metadata().map_err(wrong)?.len().min(most);
    let mut bytes = Vec::new();
    // more than there is memory for is told, not died of
    bytes
        .try_reserve_exact(usize::try_from(size).unwrap_or(usize::MAX))
        .map_err(|_| LibError::new("memory", "not enough memory").path(path))?;
    loop {
        let read = (&file).take(STEP as u64).read_to_end(&mut bytes).map_err(wrong)?;
        if bytes.len() as u64 > most {
            let most = ByteSize::b(most).display().iec();
            let way = "raise `max_size`, or read it by lines";
            return Err(LibError::new("too_large", format!("is more than {most}: {way}")).path(path));
        }
        if read < STEP {
            return Ok(bytes);
        }
        stop.check()?;
    }
}

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
            // also one that leads nowhere yet
            Err(_) if target.is_symlink() => in_place(&target, data, how),
            Ok(facts) if !facts.is_file() => in_place(&target, data, how),
            Ok(facts) if how.atomic => replace(&target, data, how, Some(&facts)),
            Err(error) if how.atomic && error.kind() == io::ErrorKind::NotFound => {
                replace(&target, data, how, None)
            }
            _ => in_place(&target, data, how),
        }
    })();
    written.map_err(|error| LibError::file(&error, path))
}

fn replace(target: &Path, data: &[u8], how: &WriteOptions, old: Option<&Metadata>) -> io::Result<()> {
    let mut file = temporary_beside(target)?;
    file.write_all(data)?;
    match (how.mode, old) {
        (Some(mode), _) => file.as_file().set_permissions(Permissions::from_mode(mode))?,
        (None, Some(old)) => file.as_file().set_permissions(old.permissions())?,
        (None, None) => {}
    }
    if let Some(old) = old.filter(|old| {
        how.mode.is_none() && file.as_file().metadata().is_ok_and(|new| owners(&new) != owners(old))
    }) {
        // where that is allowed, the new file is whose the old one was
        let _ = fchown(file.as_file(), Some(old.uid()), Some(old.gid()));
        file.as_file().set_permissions(old.permissions())?;
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

pub(in crate::lua::std) fn folder_of(path: &Path) -> &Path {
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

/// Whose it is.
fn owners(facts: &Metadata) -> (u32, u32) {
    (facts.uid(), facts.gid())
}

/// A file that is read by blocks.
struct Blocks {
    file: Option<File>,
    bytes: Vec<u8>,
    /// What is taken of them.
    start: usize,
}

impl Blocks {
    /// The next lines of those that are read, at most so many.
    fn take(&mut self, lua: &Lua, most: usize) -> mlua::Result<Vec<LuaString>> {
        let mut lines = Vec::new();
        while lines.len() < most {
            let rest = &self.bytes[self.start..];
            let end = match memchr::memchr(b'\n', rest) {
                Some(end) => end,
                None if self.file.is_none() && !rest.is_empty() => rest.len(),
                None => break,
            };
            lines.push(lua.create_string(&rest[..end])?);
            self.start = self.bytes.len().min(self.start + end + 1);
        }
        Ok(lines)
    }

    /// Reads on, at least to the end of a line.
    fn fill(&mut self, stop: &Stop) -> Result<(), LibError> {
        self.bytes.drain(..std::mem::take(&mut self.start));
        while let Some(file) = &mut self.file {
            let from = self.bytes.len();
            if file.take(BLOCK as u64).read_to_end(&mut self.bytes)? == 0 {
                self.file = None;
            }
            if memchr::memchr(b'\n', &self.bytes[from..]).is_some() {
                break;
            }
            if self.bytes.len() > LONGEST_LINE {
                let most = ByteSize::b(LONGEST_LINE as u64).display().iec();
                return Err(LibError::new("too_large", format!("a line is longer than {most}")));
            }
            stop.check()?;
        }
        Ok(())
    }
}

/// Lines without their line ends, as `io.lines`.
pub(super) fn lines(lua: &Lua, path: PathBuf) -> Result<Function, LibError> {
    let file = File::open(&path).map_err(|error| LibError::file(&error, &path))?;
    if file.metadata().is_ok_and(|facts| facts.is_dir()) {
        return Err(LibError::new("is_directory", "is a directory").path(path));
    }
    let blocks = Blocks { file: Some(file), bytes: Vec::new(), start: 0 };
    let blocks = Rc::new(Slot::new("the iterator", Some(blocks)));
    let fill = move |lua: &Lua| {
        let (lua, blocks, path) = (lua.clone(), Rc::clone(&blocks), path.clone());
        async move {
            let mut place = blocks.lend()?;
            let Some(mut blocks) = place.take() else { return Ok(None) };
            let mut lines = blocks.take(&lua, MOST_LINES)?;
            if lines.is_empty() {
                blocks = pool::run(&lua, move |stop| {
                    blocks.fill(stop).map_err(|error| error.path(&path))?;
                    Ok(blocks)
                })
                .await?;
                lines = blocks.take(&lua, MOST_LINES)?;
            }
            if lines.is_empty() {
                return Ok(None);
            }
            *place = Some(blocks);
            Ok(Some(Batch(lua.create_sequence_from(lines)?, None)))
        }
    };
    Ok(batched_iterator(lua, "fs.lines", fill)?)
}
