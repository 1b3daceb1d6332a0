//! What is in files: read whole, written whole or not at all.

use std::fs::{File, Metadata, OpenOptions, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
use std::path::Path;

use bytesize::ByteSize;
use tempfile::NamedTempFile;

use super::meta;
use crate::lua::error::LibError;
use crate::lua::options::Options;
use crate::lua::pool::Stop;

/// What `fs.read` takes, unless more is asked for.
pub(super) const MOST_BYTES: u64 = 1 << 30;

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
