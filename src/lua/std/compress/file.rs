//! Files, packed and unpacked, as streams.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use mlua::{Lua, Table};

use super::format::{BLOCK, Format, unreadable};
use crate::lua::error::LibError;
use crate::lua::options::Options;
use crate::lua::pool::{self, Stop};
use crate::lua::std::fs;

/// Without `max_size`, data of more than this must not be more than [`RATIO`] times the file's size.
const LARGE: u64 = 1 << 30;
const RATIO: u64 = 200;

/// How much may come of packed data.
#[derive(Clone, Copy)]
pub(in crate::lua::std) struct Bound {
    /// What the script said.
    most: Option<u64>,
    packed: u64,
}

impl Bound {
    /// For `packed` bytes.
    pub fn new(most: Option<u64>, packed: u64) -> Self {
        Self { most, packed }
    }

    /// # Errors
    /// `too_large`.
    pub fn check(&self, size: u64) -> Result<(), LibError> {
        match self.most {
            Some(most) if size > most => Err(LibError::new(
                "too_large",
                format!("the data is more than {most} bytes: max_size allows more"),
            )),
            None if size > LARGE && size / RATIO > self.packed => Err(LibError::new(
                "too_large",
                format!(
                    "the data is more than {} GiB and {RATIO} times the size of the file, as if made to fill the disk: \
                     max_size allows it",
                    LARGE >> 30
                ),
            )),
            _ => Ok(()),
        }
    }
}

type Written = Result<u64, LibError>;

pub(super) fn compress(
    lua: &Lua,
    from: PathBuf,
    to: PathBuf,
    options: Option<Table>,
) -> impl Future<Output = Written> + 'static + use<> {
    let asked = (|| {
        let mut options = Options::new(options);
        let level = options.int("level")?;
        let overwrite = options.bool("overwrite")?.unwrap_or(false);
        options.finish()?;
        let format = Format::of_name(&to).ok_or_else(|| unknown(&to))?;
        Ok::<_, LibError>((format, format.level(level)?, overwrite))
    })();
    let lua = lua.clone();
    async move {
        let (format, level, overwrite) = asked?;
        let work = pool::run(&lua, move |stop| {
            let file = open(&from)?;
            let mode = file.metadata().map_err(|error| LibError::file(&error, &from))?;
            replace(&to, overwrite, Some(mode.permissions()), |target| {
                let mut writer = format.writer(level, target).map_err(|error| LibError::file(&error, &to))?;
                copy(file, &mut writer, stop, |error| LibError::file(&error, &from), &to, |_| Ok(()))?;
                let target = writer.finish().map_err(|error| LibError::file(&error, &to))?;
                Ok(target)
            })
        });
        work.await
    }
}

pub(super) fn decompress(
    lua: &Lua,
    from: PathBuf,
    to: PathBuf,
    options: Option<Table>,
) -> impl Future<Output = Written> + 'static + use<> {
    let asked = (|| {
        let mut options = Options::new(options);
        let most = options.size("max_size")?;
        let overwrite = options.bool("overwrite")?.unwrap_or(false);
        options.finish()?;
        Ok::<_, LibError>((most, overwrite))
    })();
    let lua = lua.clone();
    async move {
        let (most, overwrite) = asked?;
        let work = pool::run(&lua, move |stop| {
            let file = open(&from)?;
            let facts = file.metadata().map_err(|error| LibError::file(&error, &from))?;
            let bound = Bound::new(most, facts.len());
            let mut file = BufReader::with_capacity(BLOCK, file);
            let format = format_of(&mut file, &from)?.ok_or_else(|| unknown(&from))?;
            let wrong = |error| unreadable(&error, format.name()).path(&from);
            let reader = format.reader(file).map_err(wrong)?;
            replace(&to, overwrite, Some(facts.permissions()), |mut target| {
                let check = |size| bound.check(size).map_err(|error| error.path(&from));
                copy(reader, &mut target, stop, wrong, &to, check)?;
                Ok(target)
            })
        });
        work.await
    }
}

fn unknown(path: &Path) -> LibError {
    LibError::invalid("no known format: a name ends in .gz, .zst, .br or .zz (for others run their program)")
        .path(path)
}

/// The format of a file, by its first bytes or else its name.
///
/// # Errors
/// When it cannot be read.
pub(super) fn format_of(file: &mut BufReader<File>, path: &Path) -> Result<Option<Format>, LibError> {
    use std::io::BufRead as _;
    let head = file.fill_buf().map_err(|error| LibError::file(&error, path))?;
    Ok(Format::of_head(head).or_else(|| Format::of_name(path)))
}

pub(in crate::lua::std) fn open(path: &Path) -> Result<File, LibError> {
    File::open(path).map_err(|error| LibError::file(&error, path))
}

/// Makes a file, which is there whole or not at all; its size.
pub(in crate::lua::std) fn replace(
    path: &Path,
    overwrite: bool,
    mode: Option<std::fs::Permissions>,
    fill: impl FnOnce(BufWriter<File>) -> Result<BufWriter<File>, LibError>,
) -> Written {
    let wrong = |error: std::io::Error| LibError::file(&error, path);
    if !overwrite && path.symlink_metadata().is_ok() {
        return Err(taken(path));
    }
    if path.is_dir() {
        return Err(LibError::new("is_directory", "is a directory").path(path));
    }
    let made = fs::temporary_beside(path).map_err(wrong)?;
    let target = BufWriter::with_capacity(BLOCK, made.as_file().try_clone().map_err(wrong)?);
    fill(target)?.into_inner().map_err(|error| wrong(error.into_error()))?;
    if let Some(mode) = mode {
        made.as_file().set_permissions(mode).map_err(wrong)?;
    }
    let size = made.as_file().metadata().map_err(wrong)?.len();
    let kept = match overwrite {
        true => made.persist(path).map_err(|error| error.error),
        false => made.persist_noclobber(path).map_err(|error| error.error),
    };
    match kept {
        Ok(_) => Ok(size),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Err(taken(path)),
        Err(error) => Err(wrong(error)),
    }
}

pub(in crate::lua::std) fn taken(path: &Path) -> LibError {
    LibError::new("exists", "is there already: pass overwrite = true to replace it").path(path)
}

/// Copies all of it; `check` hears how much it was so far.
pub(in crate::lua::std) fn copy(
    mut from: impl Read,
    to: &mut impl Write,
    stop: &Stop,
    unread: impl Fn(std::io::Error) -> LibError,
    target: &Path,
    check: impl Fn(u64) -> Result<(), LibError>,
) -> Written {
    let mut block = vec![0; BLOCK];
    let mut size = 0;
    loop {
        stop.check()?;
        let count = from.read(&mut block).map_err(&unread)?;
        if count == 0 {
            return Ok(size);
        }
        size += count as u64;
        check(size)?;
        to.write_all(&block[..count]).map_err(|error| LibError::file(&error, target))?;
    }
}
