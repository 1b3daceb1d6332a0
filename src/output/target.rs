//! The file, opened as the mode has it, and what is in it already.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::os::fd::AsFd;
use std::path::Path;

use crate::output::OutputError;
use crate::plan::{OutputFormat, OutputMode, OutputPlan, OutputTarget};

/// An open output.
pub struct Target {
    pub file: File,
    pub name: String,
    pub on_disk: bool,
}

/// What a file that is appended to holds.
#[derive(Default)]
pub struct Before {
    /// The first record of a csv file that is not empty.
    pub header: Option<Vec<Vec<u8>>>,
    /// The last line has no end: whoever wrote it was cut off.
    pub ends_within_line: bool,
}

/// # Errors
/// When the mode does not allow what is there, or it cannot be opened.
pub fn open(plan: &OutputPlan) -> Result<(Target, Before), OutputError> {
    let path = match &plan.target {
        OutputTarget::Stdout => return Ok((stdout(&plan.name)?, Before::default())),
        OutputTarget::File(path) => path,
    };
    let name = plan.name.clone();
    if plan.mode == OutputMode::Append && plan.format == OutputFormat::Json {
        return Err(OutputError::AppendJson { path: name });
    }
    let unopened = |source| OutputError::Open { path: name.clone(), source };
    let on_disk = !is_device(path);
    if let (true, Some(folder)) = (on_disk, path.parent()) {
        fs::create_dir_all(folder).map_err(unopened)?;
    }
    let file = open_file(path, plan.mode, on_disk).map_err(|source| match source.kind() {
        ErrorKind::AlreadyExists => OutputError::Exists { path: name.clone() },
        _ => unopened(source),
    })?;
    let before = if on_disk && plan.mode == OutputMode::Append {
        look_back(&file, plan.format).map_err(unopened)?
    } else {
        Before::default()
    };
    Ok((Target { file, name, on_disk }, before))
}

/// The descriptor itself: the handle of the standard library would look for line ends in every write.
fn stdout(name: &str) -> Result<Target, OutputError> {
    let name = name.to_owned();
    match io::stdout().as_fd().try_clone_to_owned() {
        Ok(descriptor) => Ok(Target { file: descriptor.into(), name, on_disk: false }),
        Err(source) => Err(OutputError::Open { path: name, source }),
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
    if file.seek(SeekFrom::End(0))? == 0 {
        return Ok(Before::default());
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    file.rewind()?;
    let header = if format == OutputFormat::Csv { first_record(file)? } else { None };
    Ok(Before { header, ends_within_line: last != *b"\n" })
}

fn first_record(file: &File) -> io::Result<Option<Vec<Vec<u8>>>> {
    let mut record = csv::ByteRecord::new();
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(file);
    let found = reader.read_byte_record(&mut record)?;
    Ok(found.then(|| record.iter().map(<[u8]>::to_vec).collect()))
}
