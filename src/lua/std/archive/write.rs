//! Entries into an archive, the same bytes for the same files.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::create::{Source, shown};
use crate::lua::error::LibError;
use crate::lua::pool::Stop;
use crate::lua::std::compress::file::open;
use crate::lua::std::compress::format::{BLOCK, Format};

/// From here on a zip needs the wider numbers.
const LARGE: u64 = 0xffff_0000;

/// The kind of archive, with the level of its compression.
#[derive(Clone, Copy)]
pub(super) enum Packing {
    Zip(u32),
    Tar,
    Packed(Format, u32),
}

impl Packing {
    /// By the name of the file.
    pub fn of(path: &Path, level: Option<i64>) -> Result<Self, LibError> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        let format = Format::of_name(path);
        let is_tar = [".tar.gz", ".tgz", ".tar.zst", ".tzst", ".tar.br", ".tar.zz"]
            .iter()
            .any(|end| name.ends_with(end));
        match format {
            _ if name.ends_with(".zip") => Ok(Self::Zip(Format::Deflate.level(level)?)),
            _ if name.ends_with(".tar") && level.is_some() => Err(LibError::invalid(
                "option `level` is for archives that are packed: .zip, .tar.gz, .tar.zst",
            )),
            _ if name.ends_with(".tar") => Ok(Self::Tar),
            Some(format) if is_tar => Ok(Self::Packed(format, format.level(level)?)),
            _ => {
                Err(LibError::invalid("the name must end in .zip, .tar, .tar.gz, .tgz or .tar.zst")
                    .path(path))
            }
        }
    }
}

/// What stands behind a name.
enum Thing {
    Dir,
    Link(PathBuf),
    /// Its content, size and mode.
    File(Box<dyn Read>, u64, u32),
}

fn thing(source: &Source) -> Result<Thing, LibError> {
    let path = match source {
        Source::Data(data) => {
            return Ok(Thing::File(Box::new(io::Cursor::new(data.clone())), data.len() as u64, 0o644));
        }
        Source::Disk(path) => path,
    };
    let failed = |error: io::Error| LibError::file(&error, path);
    let kind = fs::symlink_metadata(path).map_err(failed)?.file_type();
    if kind.is_dir() {
        return Ok(Thing::Dir);
    }
    if kind.is_symlink() {
        return Ok(Thing::Link(fs::read_link(path).map_err(failed)?));
    }
    if !kind.is_file() {
        return Err(LibError::invalid("is neither a file nor a folder nor a link").path(path));
    }
    let file = open(path)?;
    let facts = file.metadata().map_err(failed)?;
    // one bit counts: the others depend on whose machine it was
    let mode = if facts.permissions().mode() & 0o100 != 0 { 0o755 } else { 0o644 };
    Ok(Thing::File(Box::new(file), facts.len(), mode))
}

/// Writes all of them.
pub(super) fn write(
    target: BufWriter<File>,
    path: &Path,
    packing: Packing,
    files: &BTreeMap<Vec<u8>, Source>,
    mtime: i64,
    stop: &Stop,
) -> Result<BufWriter<File>, LibError> {
    let failed = |error: io::Error| LibError::file(&error, path);
    match packing {
        Packing::Zip(level) => write_zip(target, path, level, files, mtime, stop),
        Packing::Tar => write_tar(target, path, files, mtime, stop),
        Packing::Packed(format, level) => {
            let writer = format.writer(level, target).map_err(failed)?;
            write_tar(writer, path, files, mtime, stop)?.finish().map_err(failed)
        }
    }
}

/// As many bytes as were announced, and a look at the stop now and then.
struct Exact<'a> {
    from: Box<dyn Read>,
    left: u64,
    stop: &'a Stop,
}

impl Read for Exact<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.stop.check().is_err() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(into.len());
        let count = self.from.read(&mut into[..most])?;
        self.left -= count as u64;
        Ok(count)
    }
}

fn write_tar<W: Write>(
    target: W,
    path: &Path,
    files: &BTreeMap<Vec<u8>, Source>,
    mtime: i64,
    stop: &Stop,
) -> Result<W, LibError> {
    let failed = |error: io::Error| LibError::file(&error, path);
    let mut builder = tar::Builder::new(target);
    for (name, source) in files {
        stop.check()?;
        let mut header = tar::Header::new_gnu();
        header.set_mtime(mtime.cast_unsigned());
        header.set_uid(0);
        header.set_gid(0);
        header.set_size(0);
        let place = shown(name);
        match thing(source)? {
            Thing::Dir => {
                header.set_entry_type(tar::EntryType::Directory);
                header.set_mode(0o755);
                let mut place = place.into_os_string();
                place.push("/");
                builder.append_data(&mut header, place, io::empty()).map_err(failed)?;
            }
            Thing::Link(to) => {
                header.set_entry_type(tar::EntryType::Symlink);
                header.set_mode(0o777);
                builder.append_link(&mut header, place, to).map_err(failed)?;
            }
            Thing::File(from, size, mode) => {
                header.set_entry_type(tar::EntryType::Regular);
                header.set_mode(mode);
                header.set_size(size);
                let mut exact = Exact { from, left: size, stop };
                let done = builder.append_data(&mut header, &place, &mut exact);
                stop.check()?;
                done.map_err(failed)?;
                if exact.left > 0 {
                    return Err(changed(&place));
                }
            }
        }
    }
    builder.into_inner().map_err(failed)
}

fn changed(place: &Path) -> LibError {
    LibError::new("busy", "the file became shorter while it was read").retryable(true).path(place)
}

fn write_zip(
    target: BufWriter<File>,
    path: &Path,
    level: u32,
    files: &BTreeMap<Vec<u8>, Source>,
    mtime: i64,
    stop: &Stop,
) -> Result<BufWriter<File>, LibError> {
    let failed = |error: zip::result::ZipError| match error {
        zip::result::ZipError::Io(error) => LibError::file(&error, path),
        other => LibError::invalid(format!("the zip cannot be written: {other}")).path(path),
    };
    let plain = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(i64::from(level)))
        .last_modified_time(zip_time(mtime)?);
    let mut writer = ZipWriter::new(target);
    let mut block = vec![0; BLOCK];
    for (name, source) in files {
        stop.check()?;
        let place = shown(name);
        let name = std::str::from_utf8(name).map_err(|_| {
            LibError::invalid("the name is not UTF-8, as names in a zip are: use a tar").path(&place)
        })?;
        match thing(source)? {
            Thing::Dir => writer.add_directory(name, plain.unix_permissions(0o755)).map_err(failed)?,
            Thing::Link(to) => {
                let to = std::str::from_utf8(to.as_os_str().as_bytes()).map_err(|_| {
                    LibError::invalid("the link leads to a name that is not UTF-8: use a tar").path(&place)
                })?;
                writer.add_symlink(name, to, plain.unix_permissions(0o777)).map_err(failed)?;
            }
            Thing::File(mut from, size, mode) => {
                let options = plain.unix_permissions(mode).large_file(size >= LARGE);
                writer.start_file(name, options).map_err(failed)?;
                loop {
                    stop.check()?;
                    let count = from.read(&mut block).map_err(|error| LibError::file(&error, &place))?;
                    if count == 0 {
                        break;
                    }
                    writer.write_all(&block[..count]).map_err(|error| LibError::file(&error, path))?;
                }
            }
        }
    }
    writer.finish().map_err(failed)
}

fn zip_time(mtime: i64) -> Result<zip::DateTime, LibError> {
    let at = jiff::Timestamp::from_second(mtime).map_err(|error| LibError::invalid(error.to_string()))?;
    let at = at.to_zoned(jiff::tz::TimeZone::UTC);
    zip::DateTime::from_date_and_time(
        at.year().cast_unsigned(),
        at.month().cast_unsigned(),
        at.day().cast_unsigned(),
        at.hour().cast_unsigned(),
        at.minute().cast_unsigned(),
        at.second().cast_unsigned(),
    )
    .map_err(|_| LibError::invalid("option `mtime` is a time that a zip cannot say: 1980 to 2107"))
}
