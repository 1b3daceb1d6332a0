//! The lines of a file that may be packed.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use mlua::{Function, Lua, Table, Value};

use super::file::{format_of, open};
use super::format::{BLOCK, unreadable};
use crate::lua::error::LibError;
use crate::lua::options::Options;
use crate::lua::pool::{self, Stop};
use crate::lua::std::batches::{self, Batch};

/// Bytes of lines that a loop takes at once, and how many they may be.
const BATCH: (usize, usize) = (64 << 10, 4096);

/// An open file.
struct Lines {
    /// None: at the end.
    from: Option<BufReader<Box<dyn Read + Send>>>,
    /// Comes after the lines before it.
    failed: Option<LibErrorParts>,
    path: PathBuf,
    /// Bytes that a line may have.
    most: usize,
    /// Of the format, for errors.
    name: &'static str,
}

type LibErrorParts = crate::lua::error::Carried;

/// Lines without their ends: all bytes, and where each ends.
#[derive(Default)]
struct Taken {
    bytes: Vec<u8>,
    ends: Vec<usize>,
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
        Ok(Self { from: Some(BufReader::with_capacity(BLOCK, from)), failed: None, path, most, name })
    }

    /// The next lines; none at the end.
    fn take(&mut self, stop: &Stop) -> Result<Taken, LibError> {
        let mut taken = Taken::default();
        while self.from.is_some() && taken.bytes.len() < BATCH.0 && taken.ends.len() < BATCH.1 {
            stop.check()?;
            let begin = taken.bytes.len();
            match self.line(&mut taken.bytes, stop) {
                Ok(true) => taken.ends.push(taken.bytes.len()),
                Ok(false) => self.from = None,
                Err(error) => {
                    taken.bytes.truncate(begin);
                    self.from = None;
                    self.failed = Some(error.carry());
                }
            }
        }
        match self.failed.take() {
            Some(error) if taken.ends.is_empty() => Err(error.into()),
            failed => {
                self.failed = failed;
                Ok(taken)
            }
        }
    }

    /// Adds a line; false at the end.
    fn line(&mut self, into: &mut Vec<u8>, stop: &Stop) -> Result<bool, LibError> {
        let Some(from) = &mut self.from else { return Ok(false) };
        let begin = into.len();
        loop {
            let ahead = from.fill_buf().map_err(|error| unreadable(&error, self.name).path(&self.path))?;
            if ahead.is_empty() {
                return Ok(into.len() > begin);
            }
            let end = ahead.iter().position(|byte| *byte == b'\n');
            into.extend_from_slice(&ahead[..end.unwrap_or(ahead.len())]);
            let used = end.map_or(ahead.len(), |end| end + 1);
            from.consume(used);
            if into.len() - begin > self.most {
                let text = format!("a line is more than {} bytes: max_line allows more", self.most);
                return Err(LibError::new("too_large", text).path(&self.path));
            }
            if end.is_some() {
                return Ok(true);
            }
            stop.check()?;
        }
    }
}

pub(super) fn lines(
    lua: &Lua,
    path: PathBuf,
    options: Option<Table>,
) -> impl Future<Output = Result<Function, LibError>> + 'static + use<> {
    let most = (|| {
        let mut options = Options::new(options);
        let most = options.size("max_line")?.unwrap_or(64 << 20);
        options.finish()?;
        Ok::<_, LibError>(usize::try_from(most).unwrap_or(usize::MAX))
    })();
    let lua = lua.clone();
    async move {
        let most = most?;
        let lines = pool::run(&lua, move |_| Lines::open(path, most)).await?;
        let lines = Arc::new(Mutex::new(lines));
        let iterator = batches::iterator(&lua, "compress.lines", move |lua| {
            let (lua, lines) = (lua.clone(), Arc::clone(&lines));
            let taken = pool::run(&lua, move |stop| {
                lines.lock().unwrap_or_else(PoisonError::into_inner).take(stop)
            });
            async move { batch(&lua, &taken.await?) }
        });
        Ok(iterator?)
    }
}

fn batch(lua: &Lua, taken: &Taken) -> Result<Option<Batch>, LibError> {
    if taken.ends.is_empty() {
        return Ok(None);
    }
    let items = lua.create_table_with_capacity(taken.ends.len(), 0)?;
    let mut begin = 0;
    for (index, end) in taken.ends.iter().enumerate() {
        items.raw_set(index + 1, lua.create_string(&taken.bytes[begin..*end])?)?;
        begin = *end;
    }
    Ok(Some(Batch { items, count: taken.ends.len(), beside: Value::Nil }))
}
