//! The file, opened as the mode has it, and what is in it already.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::os::fd::AsFd;
use std::path::Path;

use crate::journal::record::OutputMark;
use crate::output::OutputError;
use crate::plan::{OutputFormat, OutputMode, OutputPlan, OutputTarget};

/// An open output.
pub struct Target {
    pub file: File,
    pub on_disk: bool,
    /// It did not exist before.
    pub is_new: bool,
}

/// What the file holds behind which rows are written.
#[derive(Default)]
pub struct Before {
    /// The first record of a csv file that is not empty.
    pub header: Option<Vec<Vec<u8>>>,
    /// The last line has no end: whoever wrote it was cut off.
    pub ends_within_line: bool,
    /// Its length.
    pub position: u64,
}

/// Which session of the run it is.
#[derive(Clone, Copy)]
pub enum Begin {
    /// The first one.
    New,
    /// A later one, which goes on where the last commit was. None was made when there is no mark: the output is empty.
    Again(Option<OutputMark>),
}

impl Begin {
    /// Rows of earlier sessions.
    pub fn rows(self) -> u64 {
        match self {
            Begin::Again(Some(mark)) => mark.rows,
            _ => 0,
        }
    }
}

/// # Errors
/// When the mode does not allow what is there, or it cannot be opened.
pub fn open(plan: &OutputPlan, begin: Begin) -> Result<(Target, Before), OutputError> {
    let path = match &plan.target {
        OutputTarget::Stdout => return Ok((stdout(&plan.name)?, Before::default())),
        OutputTarget::File(path) => path,
    };
    let name = || plan.name.clone();
    if plan.mode == OutputMode::Append && plan.format == OutputFormat::Json {
        return Err(OutputError::AppendJson { path: name() });
    }
    let unopened = |source| OutputError::Open { path: name(), source };
    let on_disk = !is_device(path);
    if let (true, Begin::Again(Some(mark))) = (on_disk, begin) {
        return reopen(path, plan, mark);
    }
    if let (true, Some(folder)) = (on_disk, path.parent()) {
        fs::create_dir_all(folder).map_err(unopened)?;
    }
    let is_new = !path.exists();
    // an earlier session may have made it, and was cut off before it wrote any row
    let is_ours = matches!(begin, Begin::Again(_)) && path.metadata().is_ok_and(|found| found.len() == 0);
    let mode = if is_ours { OutputMode::Overwrite } else { plan.mode };
    let file = open_file(path, mode, on_disk).map_err(|source| match source.kind() {
        ErrorKind::AlreadyExists => OutputError::Exists { path: name() },
        _ => unopened(source),
    })?;
    let before = if on_disk && mode == OutputMode::Append {
        look_back(&file, plan.format).map_err(unopened)?
    } else {
        Before::default()
    };
    Ok((Target { file, on_disk, is_new }, before))
}

/// Cuts off what no commit knows of.
fn reopen(path: &Path, plan: &OutputPlan, mark: OutputMark) -> Result<(Target, Before), OutputError> {
    let changed = |what| OutputError::Changed { path: plan.name.clone(), what };
    let unopened = |source| OutputError::Open { path: plan.name.clone(), source };
    let file =
        OpenOptions::new().read(true).append(true).open(path).map_err(|source| match source.kind() {
            ErrorKind::NotFound => changed("is missing"),
            _ => unopened(source),
        })?;
    let length = file.metadata().map_err(unopened)?.len();
    if length < mark.position {
        return Err(changed("is shorter than what was written"));
    }
    if length > mark.position {
        file.set_len(mark.position).and_then(|()| file.sync_all()).map_err(unopened)?;
    }
    let mut before = look_back(&file, plan.format).map_err(unopened)?;
    // the array is open behind its last value
    let is_open = plan.format == OutputFormat::Json;
    if before.ends_within_line && mark.rows > 0 && !is_open {
        return Err(changed("does not end with the row that was written last"));
    }
    before.ends_within_line &= !is_open;
    Ok((Target { file, on_disk: true, is_new: false }, before))
}

/// The descriptor itself: the handle of the standard library would look for line ends in every write.
fn stdout(name: &str) -> Result<Target, OutputError> {
    match io::stdout().as_fd().try_clone_to_owned() {
        Ok(descriptor) => Ok(Target { file: descriptor.into(), on_disk: false, is_new: false }),
        Err(source) => Err(OutputError::Open { path: name.to_owned(), source }),
    }
}

/// `/dev/null`, a terminal or a named pipe always exists, and there is nothing in it to lose.
fn is_device(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir())
}

fn open_file(path: &Path, mode: OutputMode, on_disk: bool) -> io::Result<File> {
    let mut options = OpenOptions::new();
    match mode {
        _ if !on_disk => options.write(true),
        OutputMode::Error => options.write(true).create_new(true),
        OutputMode::Append => options.read(true).append(true).create(true),
        OutputMode::Overwrite => options.write(true).create(true).truncate(true),
    };
    options.open(path)
}

fn look_back(mut file: &File, format: OutputFormat) -> io::Result<Before> {
    let position = file.seek(SeekFrom::End(0))?;
    if position == 0 {
        return Ok(Before::default());
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    file.rewind()?;
    let header = if format == OutputFormat::Csv { first_record(file)? } else { None };
    Ok(Before { header, ends_within_line: last != *b"\n", position })
}

fn first_record(file: &File) -> io::Result<Option<Vec<Vec<u8>>>> {
    let mut record = csv::ByteRecord::new();
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(file);
    let found = reader.read_byte_record(&mut record)?;
    Ok(found.then(|| record.iter().map(<[u8]>::to_vec).collect()))
}
