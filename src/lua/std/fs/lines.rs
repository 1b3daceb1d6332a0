//! Files by lines.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::PathBuf;

use bytesize::ByteSize;
use mlua::{Lua, Value};

use crate::lua::error::LibError;
use crate::lua::std::batches::{self, Batch, Gives, Loop, Source};

/// A line may not be longer: a file without line ends would fill the memory.
const LONGEST: usize = 256 << 20;

/// Asked of the system at once. Its lines are a batch.
const BLOCK: usize = 64 << 10;

/// A file that is read by blocks.
struct Lines {
    /// None at the end.
    file: Option<File>,
    path: PathBuf,
    bytes: Vec<u8>,
    /// What of them is read, without the lines that were taken.
    filled: usize,
}

impl Source for Lines {
    fn fill(&mut self, batch: &mut Batch) -> Result<(), LibError> {
        let filled = self.fill_with(batch);
        if filled.is_err() {
            // nothing says where the next line would begin
            self.file = None;
        }
        filled.map_err(|error| error.path(&self.path))
    }
}

impl Lines {
    /// Reads on, at least to the end of a line.
    fn fill_with(&mut self, batch: &mut Batch) -> Result<(), LibError> {
        while let Some(file) = &mut self.file {
            let from = self.filled;
            if self.bytes.len() < from + BLOCK {
                self.bytes.resize(from + BLOCK, 0);
            }
            match file.read(&mut self.bytes[from..from + BLOCK]) {
                Ok(0) => {
                    self.file = None;
                    if from > 0 {
                        batch.text(&self.bytes[..from]);
                    }
                }
                Ok(count) => {
                    self.filled += count;
                    if self.take(from, batch) {
                        break;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
            if self.filled > LONGEST {
                let most = ByteSize::b(LONGEST as u64).display().iec();
                return Err(LibError::new("too_large", format!("a line is longer than {most}")));
            }
            batch.check()?;
        }
        Ok(())
    }

    /// Takes the whole lines; none ends before `from`.
    fn take(&mut self, from: usize, batch: &mut Batch) -> bool {
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', &self.bytes[from..self.filled]) {
            batch.text(&self.bytes[start..from + end]);
            start = from + end + 1;
        }
        self.bytes.copy_within(start..self.filled, 0);
        self.filled -= start;
        start > 0
    }
}

/// Lines without their line ends, as `io.lines`.
pub(super) fn lines(lua: &Lua, path: PathBuf) -> Result<Loop, LibError> {
    let file = File::open(&path).map_err(|error| LibError::file(&error, &path))?;
    if file.metadata().is_ok_and(|facts| facts.is_dir()) {
        return Err(LibError::new("is_directory", "is a directory").path(path));
    }
    let lines = Lines { file: Some(file), path, bytes: Vec::new(), filled: 0 };
    batches::over(lua, "fs.lines", Gives::Value, lines, Value::Nil)
}
