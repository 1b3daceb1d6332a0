//! Files out of an archive.
//!
//! They are made in a hidden folder first, in which there is no link until all files are there: so no file is written by
//! way of a link. Only when the whole archive was read without an error does it become the folder that was asked for, or
//! go into it file by file.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use filetime::FileTime;
use tempfile::TempDir;

use super::Globs;
use super::entry::{Entry, Kind};
use super::names;
use super::walk::{self, Data, Limits};
use crate::lua::error::LibError;
use crate::lua::pool::Stop;
use crate::lua::std::compress::file::taken;
use crate::lua::std::compress::format::BLOCK;

/// What becomes of entries that lead out of the folder, and of devices.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Unsafe {
    Refuse,
    Skip,
}

pub(super) struct Extract {
    /// Leading parts of each name that are left out.
    pub strip: usize,
    pub globs: Option<Globs>,
    pub overwrite: bool,
    pub unsafe_: Unsafe,
}

/// What was extracted.
#[derive(Default)]
pub(super) struct Done {
    pub files: u64,
    pub dirs: u64,
    pub links: u64,
    pub size: u64,
}

/// The hidden folder, while it is filled.
struct Stage<'a> {
    root: PathBuf,
    how: &'a Extract,
    links: BTreeMap<PathBuf, PathBuf>,
    dirs: BTreeMap<PathBuf, (u32, Option<i64>)>,
    done: Done,
}

pub(super) fn extract(
    path: &Path,
    dir: &Path,
    limits: Limits,
    how: &Extract,
    stop: &Stop,
) -> Result<Done, LibError> {
    let failed = |error: io::Error| LibError::file(&error, dir);
    let exists = match fs::metadata(dir) {
        Ok(facts) if facts.is_dir() => true,
        Ok(_) => return Err(LibError::new("not_directory", "is there, and is no folder").path(dir)),
        Err(error) if error.kind() == ErrorKind::NotFound => false,
        Err(error) => return Err(failed(error)),
    };
    // beside or inside, so that a rename brings it to its place
    let near = if exists { dir } else { super::super::fs::folder_of(dir) };
    fs::create_dir_all(near).map_err(failed)?;
    let hidden: TempDir =
        tempfile::Builder::new().prefix(".mpms-").suffix(".part").tempdir_in(near).map_err(failed)?;
    // made as any folder is: the hidden one is for us alone
    let root = hidden.path().join("files");
    fs::create_dir(&root).map_err(failed)?;
    let mut stage = Stage { root, how, links: BTreeMap::new(), dirs: BTreeMap::new(), done: Done::default() };
    walk::walk(path, limits, stop, &mut |entry, data| stage.take(entry, data, stop))?;
    stage.make_links().map_err(|error| error.path(path))?;
    stage.finish_dirs().map_err(failed)?;
    match exists {
        false => fs::rename(&stage.root, dir).map_err(failed)?,
        true => {
            check_merge(&stage.root, dir, how.overwrite)?;
            merge(&stage.root, dir).map_err(failed)?;
        }
    }
    Ok(stage.done)
}

fn refused(entry: &Entry, why: &str) -> LibError {
    let name = String::from_utf8_lossy(&entry.name).into_owned();
    LibError::new(
        "permission",
        format!(
            "the entry `{}` is refused: {why} (`unsafe=\"skip\"` leaves such entries out)",
            name.escape_debug()
        ),
    )
}

impl Stage<'_> {
    fn take(&mut self, entry: Entry, data: &mut Data<'_>, stop: &Stop) -> Result<(), LibError> {
        match self.place(&entry.name) {
            Ok(Some(place)) => self.make(&entry, &place, data, stop),
            Ok(None) => Ok(()),
            Err(_) if self.how.unsafe_ == Unsafe::Skip => Ok(()),
            Err(why) => Err(refused(&entry, why)),
        }
    }

    /// Where an entry goes; none when it is not wanted.
    fn place(&self, name: &[u8]) -> Result<Option<PathBuf>, names::Refused> {
        let Some(path) = names::plain(name)? else { return Ok(None) };
        let fits = self.how.globs.as_ref().is_none_or(|globs| globs.fit(&path));
        if !fits {
            return Ok(None);
        }
        let rest: PathBuf = path.components().skip(self.how.strip).collect();
        Ok(Some(rest).filter(|rest| !rest.as_os_str().is_empty()))
    }

    fn make(
        &mut self,
        entry: &Entry,
        place: &Path,
        data: &mut Data<'_>,
        stop: &Stop,
    ) -> Result<(), LibError> {
        let odd = |error: io::Error| match error.kind() {
            ErrorKind::NotADirectory | ErrorKind::AlreadyExists | ErrorKind::IsADirectory => {
                LibError::parse(format!("`{}` is a file and a folder in the archive", place.display()))
            }
            _ => LibError::from(error),
        };
        let at = self.root.join(place);
        match &entry.kind {
            Kind::Dir => {
                fs::create_dir_all(&at).map_err(odd)?;
                self.dirs.insert(place.to_path_buf(), (entry.mode, entry.mtime));
                self.done.dirs += 1;
            }
            Kind::File => {
                self.make_room(place).map_err(odd)?;
                self.done.size += write_file(&at, entry, data, stop).map_err(|error| match error {
                    Failed::Disk(error) => odd(error),
                    Failed::Told(error) => error,
                })?;
                self.done.files += 1;
            }
            Kind::Symlink(target) => {
                self.make_room(place).map_err(odd)?;
                self.links.insert(place.to_path_buf(), PathBuf::from(OsStr::from_bytes(target)));
            }
            Kind::Hardlink(target) => match self.place(target) {
                Ok(Some(first))
                    if self.root.join(&first).symlink_metadata().is_ok_and(|one| one.is_file()) =>
                {
                    self.make_room(place).map_err(odd)?;
                    fs::hard_link(self.root.join(first), &at).map_err(odd)?;
                    self.done.links += 1;
                }
                _ if self.how.unsafe_ == Unsafe::Skip => {}
                _ => return Err(refused(entry, "a hard link to what is not extracted before it")),
            },
            Kind::Other(what) => match self.how.unsafe_ {
                Unsafe::Skip => {}
                Unsafe::Refuse => return Err(refused(entry, &format!("a {what}"))),
            },
        }
        Ok(())
    }

    /// The folder around it is there, and what had its name before is not: the last of several is meant.
    fn make_room(&mut self, place: &Path) -> io::Result<()> {
        let at = self.root.join(place);
        if let Some(folder) = at.parent() {
            fs::create_dir_all(folder)?;
        }
        self.links.remove(place);
        match fs::symlink_metadata(&at) {
            Ok(found) if found.is_dir() => Err(ErrorKind::IsADirectory.into()),
            Ok(_) => fs::remove_file(&at),
            Err(_) => Ok(()),
        }
    }

    /// Links come last, when no file can be written through them any more.
    fn make_links(&mut self) -> Result<(), LibError> {
        if self.how.unsafe_ == Unsafe::Skip {
            let all = self.links.clone();
            self.links.retain(|place, _| names::stays_within(place, &all).is_ok());
        }
        for (place, target) in &self.links {
            if let Err(why) = names::stays_within(place, &self.links) {
                let name = place.as_os_str().as_bytes().to_vec();
                let kind = Kind::Symlink(target.as_os_str().as_bytes().to_vec());
                return Err(refused(&Entry { name, kind, size: 0, mode: 0, mtime: None }, why));
            }
        }
        for (place, target) in &self.links {
            std::os::unix::fs::symlink(target, self.root.join(place)).map_err(|error| {
                match error.kind() {
                    ErrorKind::AlreadyExists | ErrorKind::NotADirectory => LibError::parse(format!(
                        "`{}` is a link and something else in the archive",
                        place.display()
                    )),
                    _ => LibError::from(error),
                }
            })?;
            self.done.links += 1;
        }
        Ok(())
    }

    /// The deepest first: what is made inside of a folder changes its time, and may need its permissions.
    fn finish_dirs(&self) -> io::Result<()> {
        for (place, (mode, mtime)) in self.dirs.iter().rev() {
            let at = self.root.join(place);
            if let Some(mtime) = mtime {
                filetime::set_file_mtime(&at, FileTime::from_unix_time(*mtime, 0))?;
            }
            fs::set_permissions(&at, Permissions::from_mode(mode & 0o755 | 0o700))?;
        }
        Ok(())
    }
}

enum Failed {
    Disk(io::Error),
    Told(LibError),
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::Disk(error)
    }
}

fn write_file(at: &Path, entry: &Entry, data: &mut Data<'_>, stop: &Stop) -> Result<u64, Failed> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(at)?;
    let mut block = vec![0; BLOCK];
    let mut size = 0;
    loop {
        let count = data.read(&mut block, stop).map_err(Failed::Told)?;
        if count == 0 {
            break;
        }
        file.write_all(&block[..count])?;
        size += count as u64;
    }
    // others may not write to it, and its owner may: what `tarfile` of Python calls data
    file.set_permissions(Permissions::from_mode(entry.mode & 0o755 | 0o600))?;
    if let Some(mtime) = entry.mtime {
        filetime::set_file_handle_times(&file, None, Some(FileTime::from_unix_time(mtime, 0)))?;
    }
    Ok(size)
}

/// Nothing may be in the way, and no link may lead elsewhere.
fn check_merge(from: &Path, to: &Path, overwrite: bool) -> Result<(), LibError> {
    for entry in fs::read_dir(from).map_err(|error| LibError::file(&error, from))? {
        let entry = entry.map_err(|error| LibError::file(&error, from))?;
        let target = to.join(entry.file_name());
        let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let Ok(found) = fs::symlink_metadata(&target) else { continue };
        match (is_dir, found.is_dir()) {
            (true, true) => check_merge(&entry.path(), &target, overwrite)?,
            (true, false) if found.is_symlink() => {
                return Err(LibError::new("permission", "is a link, by way of which nothing is extracted")
                    .path(target));
            }
            (true, false) => {
                return Err(LibError::new("not_directory", "is there, and is no folder").path(target));
            }
            (false, true) => {
                return Err(LibError::new("is_directory", "is there, and is a folder").path(target));
            }
            (false, false) if !overwrite => return Err(taken(&target)),
            (false, false) => {}
        }
    }
    Ok(())
}

fn merge(from: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        let is_folder = |kind: &fs::FileType| kind.is_dir();
        let both =
            is_folder(&entry.file_type()?) && fs::symlink_metadata(&target).is_ok_and(|found| found.is_dir());
        match both {
            true => merge(&entry.path(), &target)?,
            false => fs::rename(entry.path(), &target)?,
        }
    }
    Ok(())
}
