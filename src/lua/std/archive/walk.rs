//! A walk over the entries of an archive.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read};
use std::path::Path;
use std::rc::Rc;

use tar::EntryType;
use zip::ZipArchive;
use zip::result::ZipError;

use super::entry::{Entry, Kind};
use crate::lua::error::LibError;
use crate::lua::pool::Stop;
use crate::lua::std::compress::file::{Bound, open};
use crate::lua::std::compress::format::{BLOCK, Format, unreadable};

/// Where a symbolic link of a zip may lead, in bytes.
const LONGEST_LINK: u64 = 4096;

/// What may stand before an entry in a tar archive, in bytes: its name, target and attributes, which are read whole.
const LONGEST_HEAD: u64 = 4 << 20;

/// What an archive may contain.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    /// Bytes of all files; none: the usual limit.
    pub size: Option<u64>,
    pub entries: usize,
}

/// The content of a file, which must be as long as it was said to be.
pub(super) struct Data<'a> {
    from: &'a mut dyn Read,
    left: u64,
    what: &'static str,
    /// Bytes of all files so far.
    total: &'a Cell<u64>,
    /// Bytes of the archive so far, unpacked.
    stream: &'a Cell<u64>,
    bound: Bound,
}

impl Data<'_> {
    /// The next bytes; none at the end.
    pub fn read(&mut self, block: &mut [u8], stop: &Stop) -> Result<usize, LibError> {
        stop.check()?;
        let count = self.from.read(block).map_err(|error| {
            let over = stop.check().and_then(|()| self.bound.check(self.stream.get()));
            over.err().unwrap_or_else(|| unreadable(&error, self.what))
        })?;
        if count == 0 && self.left > 0 {
            return Err(LibError::parse(format!("the {} data is cut short", self.what)));
        }
        self.left = self.left.saturating_sub(count as u64);
        self.total.set(self.total.get() + count as u64);
        self.bound.check(self.total.get())?;
        Ok(count)
    }

    /// All of it.
    pub fn whole(&mut self, most: usize, room: usize, stop: &Stop) -> Result<Vec<u8>, LibError> {
        let mut data = Vec::new();
        let mut block = vec![0; BLOCK];
        loop {
            let count = self.read(&mut block, stop)?;
            if count == 0 {
                return Ok(data);
            }
            if data.len() + count > most {
                let text = format!("the file is more than {most} bytes: max_size allows more");
                return Err(LibError::new("too_large", text));
            }
            if data.len() + count > room / 2 {
                return Err(LibError::new("memory", "not enough memory for the file"));
            }
            data.extend_from_slice(&block[..count]);
        }
    }
}

/// Hears of each entry.
pub(super) type Visit<'a> = dyn FnMut(Entry, &mut Data<'_>) -> Result<(), LibError> + 'a;

/// Goes through the archive to its end, in its order.
///
/// # Errors
/// `parse` when it is none, cut short or damaged, `too_large`; those of `visit`. All have the path.
pub(super) fn walk(path: &Path, limits: Limits, stop: &Stop, visit: &mut Visit<'_>) -> Result<(), LibError> {
    walk_file(path, limits, stop, visit).map_err(|error| error.path(path))
}

fn walk_file(path: &Path, limits: Limits, stop: &Stop, visit: &mut Visit<'_>) -> Result<(), LibError> {
    let file = open(path)?;
    let facts = file.metadata()?;
    if facts.is_dir() {
        return Err(LibError::new("is_directory", "is a directory"));
    }
    let bound = Bound::new(limits.size, facts.len());
    let mut file = BufReader::with_capacity(BLOCK, file);
    let head = file.fill_buf()?;
    let is_named_zip = path.extension().is_some_and(|end| end.eq_ignore_ascii_case("zip"));
    match head {
        [] => Err(LibError::parse("no archive: the file is empty")),
        [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] | [b'P', b'K', 7, 8, ..] => {
            walk_zip(file, limits, bound, stop, visit)
        }
        _ if is_named_zip => walk_zip(file, limits, bound, stop, visit),
        [0xfd, b'7', b'z', b'X', b'Z', ..] | [b'B', b'Z', b'h', ..] | [b'7', b'z', ..] => Err(
            LibError::invalid("a format that is not built in: unpack it with its program first (proc.run)"),
        ),
        head => match Format::of_head(head).or_else(|| Format::of_name(path)) {
            None => walk_tar(&mut file, "tar", limits, bound, stop, visit),
            Some(format) => {
                let name = format.name();
                let mut reader = format.reader(file).map_err(|error| unreadable(&error, name))?;
                walk_tar(&mut reader, name, limits, bound, stop, visit)
            }
        },
    }
}

/// Counts, and knows whether the end was met. Also what is passed over goes through it, so it looks at the limits.
struct Counted<'a> {
    from: &'a mut dyn Read,
    bytes: Rc<Cell<u64>>,
    at_end: Rc<Cell<bool>>,
    /// How many bytes there may be by the end of the head that is read now.
    head_ends: Rc<Cell<u64>>,
    bound: Bound,
    stop: &'a Stop,
}

impl Read for Counted<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let is_over = self.bytes.get() > self.head_ends.get();
        if is_over || self.stop.check().and_then(|()| self.bound.check(self.bytes.get())).is_err() {
            // whoever gets it asks again, and knows why
            return Err(io::ErrorKind::TimedOut.into());
        }
        let count = self.from.read(into)?;
        self.bytes.set(self.bytes.get() + count as u64);
        if count == 0 && !into.is_empty() {
            self.at_end.set(true);
        }
        Ok(count)
    }
}

fn too_many(limits: Limits) -> LibError {
    LibError::new(
        "too_large",
        format!("it has more than {} entries: max_entries allows more", limits.entries),
    )
}

fn walk_tar(
    from: &mut dyn Read,
    what: &'static str,
    limits: Limits,
    bound: Bound,
    stop: &Stop,
    visit: &mut Visit<'_>,
) -> Result<(), LibError> {
    let (bytes, at_end) = (Rc::<Cell<u64>>::default(), Rc::<Cell<bool>>::default());
    let head_ends = Rc::new(Cell::new(LONGEST_HEAD));
    let wrong = |error: io::Error| match stop.check().and_then(|()| bound.check(bytes.get())) {
        Err(over) => over,
        Ok(()) if bytes.get() > head_ends.get() => {
            let most = LONGEST_HEAD >> 20;
            LibError::new("too_large", format!("name and attributes of an entry are more than {most} MiB"))
        }
        // the error is of the one or of the other
        Ok(()) if error.kind() == io::ErrorKind::Other => unreadable(&error, "tar"),
        Ok(()) => unreadable(&error, what),
    };
    let counted = Counted {
        from,
        bytes: Rc::clone(&bytes),
        at_end: Rc::clone(&at_end),
        head_ends: Rc::clone(&head_ends),
        bound,
        stop,
    };
    let total = Cell::new(0);
    let mut archive = tar::Archive::new(counted);
    let mut count = 0;
    for entry in archive.entries().map_err(wrong)? {
        let mut entry = entry.map_err(wrong)?;
        head_ends.set(u64::MAX);
        if let Some(facts) = tar_facts(&mut entry).map_err(wrong)? {
            count += 1;
            if count > limits.entries {
                return Err(too_many(limits));
            }
            let left = facts.size;
            let stream = &*bytes;
            visit(facts, &mut Data { from: &mut entry, left, what: "tar", total: &total, stream, bound })?;
        }
        // what nobody wanted is no part of the next head
        io::copy(&mut entry, &mut io::sink()).map_err(wrong)?;
        head_ends.set(bytes.get() + LONGEST_HEAD);
    }
    head_ends.set(u64::MAX);
    if at_end.get() {
        return Err(LibError::parse("the tar data is cut short: its end is not marked"));
    }
    // checksums come last
    let mut rest = archive.into_inner();
    let mut block = vec![0; BLOCK];
    while rest.read(&mut block).map_err(wrong)? > 0 {}
    Ok(())
}

/// None for what is no entry but a note about others.
fn tar_facts<R: Read>(entry: &mut tar::Entry<'_, R>) -> io::Result<Option<Entry>> {
    let kind = entry.header().entry_type();
    if kind == EntryType::XGlobalHeader {
        return Ok(None);
    }
    if let Some(extensions) = entry.pax_extensions()? {
        for extension in extensions {
            if extension?.key_bytes().starts_with(b"GNU.sparse.") {
                return Err(io::Error::other("a sparse file in the pax format, which is not supported"));
            }
        }
    }
    let name = entry.path_bytes().into_owned();
    let target = || entry.link_name_bytes().map(std::borrow::Cow::into_owned).unwrap_or_default();
    let kind = match kind {
        EntryType::Regular | EntryType::Continuous if name.ends_with(b"/") => Kind::Dir,
        EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => Kind::File,
        EntryType::Directory => Kind::Dir,
        EntryType::Symlink => Kind::Symlink(target()),
        EntryType::Link => Kind::Hardlink(target()),
        EntryType::Char | EntryType::Block => Kind::Other("device"),
        EntryType::Fifo => Kind::Other("fifo"),
        _ => Kind::Other("other"),
    };
    let header = entry.header();
    let mode = header.mode()? & 0o777;
    let mtime = i64::try_from(header.mtime()?).ok();
    let size = if kind == Kind::File { entry.size() } else { 0 };
    Ok(Some(Entry { name, kind, size, mode, mtime }))
}

fn bad_zip(error: ZipError) -> LibError {
    match error {
        ZipError::Io(error) => unreadable(&error, "zip"),
        ZipError::InvalidArchive(text) => LibError::parse(format!("no valid zip data: {text}")),
        ZipError::UnsupportedArchive(text) if text.to_ascii_lowercase().contains("password") => {
            LibError::invalid("the file is encrypted: unpack it with its program (proc.run)")
        }
        other => LibError::invalid(format!("the zip data cannot be read: {other}")),
    }
}

fn walk_zip(
    file: BufReader<File>,
    limits: Limits,
    bound: Bound,
    stop: &Stop,
    visit: &mut Visit<'_>,
) -> Result<(), LibError> {
    let mut archive = ZipArchive::new(file).map_err(bad_zip)?;
    if archive.len() > limits.entries {
        return Err(too_many(limits));
    }
    let (total, stream) = (Cell::new(0), Cell::new(0));
    for index in 0..archive.len() {
        stop.check()?;
        let mut file = archive.by_index(index).map_err(bad_zip)?;
        let entry = zip_facts(&mut file)?;
        let left = entry.size;
        let stream = &stream;
        visit(entry, &mut Data { from: &mut file, left, what: "zip", total: &total, stream, bound })?;
    }
    Ok(())
}

fn zip_facts<R: Read>(file: &mut zip::read::ZipFile<'_, R>) -> Result<Entry, LibError> {
    let raw = file.name_raw().to_vec();
    // programs on Unix write what they find; older ones elsewhere mean the letters of the IBM PC
    let name = match std::str::from_utf8(&raw) {
        Ok(_) => raw,
        Err(_) => file.name().map_err(bad_zip)?.into_owned().into_bytes(),
    };
    let mode = file.unix_mode().map(|mode| mode & 0o777).filter(|mode| *mode != 0);
    let mtime = zip_time(file);
    let kind = if file.is_dir() {
        Kind::Dir
    } else if file.is_symlink() {
        let mut target = Vec::new();
        file.take(LONGEST_LINK).read_to_end(&mut target).map_err(|error| unreadable(&error, "zip"))?;
        Kind::Symlink(target)
    } else {
        Kind::File
    };
    let size = if kind == Kind::File { file.size() } else { 0 };
    let mode = mode.unwrap_or(if kind == Kind::Dir { 0o755 } else { 0o644 });
    Ok(Entry { name, kind, size, mode, mtime })
}

/// The exact one where there is one; the other has no time zone, and is taken for UTC.
fn zip_time<R: Read>(file: &zip::read::ZipFile<'_, R>) -> Option<i64> {
    let exact = file.extra_data_fields().find_map(|field| match field {
        zip::ExtraField::ExtendedTimestamp(times) => times.mod_time(),
        _ => None,
    });
    if let Some(exact) = exact {
        return Some(i64::from(exact.cast_signed()));
    }
    let at = file.last_modified()?;
    let date = jiff::civil::DateTime::new(
        at.year().cast_signed(),
        at.month().cast_signed(),
        at.day().cast_signed(),
        at.hour().cast_signed(),
        at.minute().cast_signed(),
        at.second().cast_signed(),
        0,
    );
    Some(date.ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_second())
}
