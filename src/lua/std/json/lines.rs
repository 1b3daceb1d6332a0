//! `json.lines`: a value a line.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::PathBuf;

use bytesize::ByteSize;
use mlua::{Function, Lua, Table};

use super::decode;
use crate::lua::error::LibError;
use crate::lua::options::Options;
use crate::lua::std::batches::{self, Batch, Source};
use crate::lua::std::document;

/// Of one line, unless `max_size` says otherwise.
const MOST_BYTES: u64 = 64 << 20;

/// Blank lines are passed over.
pub(super) fn lines(lua: &Lua, path: PathBuf, options: Option<Table>) -> Result<Function, LibError> {
    let mut options = Options::new(options);
    let null = document::null(&mut options)?;
    let most = options.size("max_size")?.unwrap_or(MOST_BYTES);
    options.finish()?;
    let file = File::open(&path).map_err(|error| LibError::file(&error, &path))?;
    let reader = BufReader::with_capacity(64 << 10, file);
    let source = Lines { reader, path, most, line: Vec::new(), number: 0 };
    batches::iterator(lua, "json.lines", source, null)
}

struct Lines {
    reader: BufReader<File>,
    path: PathBuf,
    most: u64,
    line: Vec<u8>,
    number: u64,
}

impl Source for Lines {
    fn fill(&mut self, batch: &mut Batch) -> Result<(), LibError> {
        while !batch.is_full() && self.next()? {
            if !self.line.trim_ascii().is_empty() {
                batch.value(|tape| decode::decode(&self.line, tape)).map_err(|error| self.named(&error))?;
            }
        }
        Ok(())
    }
}

impl Lines {
    /// Whether there is one more.
    fn next(&mut self) -> Result<bool, LibError> {
        self.line.clear();
        let mut bounded = (&mut self.reader).take(self.most.saturating_add(1));
        let read = bounded.read_until(b'\n', &mut self.line);
        let read = read.map_err(|error| LibError::file(&error, &self.path))?;
        self.number += u64::from(read > 0);
        if read as u64 > self.most {
            let text = format!("longer than `max_size` ({})", ByteSize::b(self.most));
            return Err(self.named(&LibError::new("too_large", text)));
        }
        Ok(read > 0)
    }

    fn named(&self, error: &LibError) -> LibError {
        let text = error.message();
        // a value has its own first line: only its column tells something
        let text = text.replace(" at line 1 column ", " at column ");
        LibError::new(error.code().to_owned(), format!("line {}: {text}", self.number)).path(&self.path)
    }
}
