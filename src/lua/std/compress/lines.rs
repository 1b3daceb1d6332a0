//! The lines of a file that may be packed.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;

use mlua::{Lua, Table, Value};

use super::file::{format_of, open};
use super::format::{BLOCK, unreadable};
use crate::lua::error::LibError;
use crate::lua::options::Options;
use crate::lua::pool;
use crate::lua::std::batches::{self, Batch, Gives, Loop, Source};

/// An open file.
struct Lines {
    from: BufReader<Box<dyn Read + Send>>,
    line: Vec<u8>,
    number: u64,
    path: PathBuf,
    /// Bytes that a line may have.
    most: usize,
    /// Of the format, for errors.
    name: &'static str,
}

impl Lines {
    fn open(path: PathBuf, most: usize) -> Result<Self, LibError> {
        let file = open(&path)?;
        if file.metadata().is_ok_and(|facts| facts.is_dir()) {
            return Err(LibError::new("is_directory", "is a directory").path(&path));
        }
        let mut file = BufReader::with_capacity(BLOCK, file);
        let format = format_of(&mut file, &path)?;
        let (from, name): (Box<dyn Read + Send>, _) = match format {
            None => (Box::new(file), "plain"),
            Some(format) => {
                let name = format.name();
                (format.reader(file).map_err(|error| unreadable(&error, name).path(&path))?, name)
            }
        };
        let from = BufReader::with_capacity(BLOCK, from);
        Ok(Self { from, line: Vec::new(), number: 0, path, most, name })
    }

    /// Reads a line without its end; false at the end of the file.
    fn next(&mut self) -> Result<bool, LibError> {
        self.line.clear();
        let mut bounded = (&mut self.from).take(self.most as u64 + 1);
        let read = bounded.read_until(b'\n', &mut self.line);
        let read = read.map_err(|error| unreadable(&error, self.name).path(&self.path))?;
        self.number += 1;
        if self.line.last() == Some(&b'\n') {
            self.line.pop();
        }
        if self.line.len() > self.most {
            let text = format!("line {} is more than {} bytes: max_line allows more", self.number, self.most);
            return Err(LibError::new("too_large", text).path(&self.path));
        }
        Ok(read > 0)
    }
}

impl Source for Lines {
    fn fill(&mut self, batch: &mut Batch) -> Result<(), LibError> {
        while !batch.is_full() && self.next()? {
            batch.text(&self.line);
        }
        Ok(())
    }
}

pub(super) fn lines(
    lua: &Lua,
    path: PathBuf,
    options: Option<Table>,
) -> impl Future<Output = Result<Loop, LibError>> + 'static + use<> {
    let most = (|| {
        let mut options = Options::new(options);
        let most = options.size("max_line")?.unwrap_or(64 << 20);
        options.finish()?;
        Ok::<_, LibError>(usize::try_from(most).unwrap_or(usize::MAX - 1))
    })();
    let lua = lua.clone();
    async move {
        let most = most?;
        let lines = pool::run(&lua, move |_| Lines::open(path, most)).await?;
        batches::over(&lua, "compress.lines", Gives::Numbered, lines, Value::Nil)
    }
}
