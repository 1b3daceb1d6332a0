//! `csv.writer`: rows into a file that is there when it is closed, and not before.

use std::fs::{File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use mlua::{AnyUserData, Lua, LuaString, Table, Value};

use super::direct;
use super::print::{Printer, Style, take};
use crate::lua::error::LibError;
use crate::lua::module::object;
use crate::lua::options::Options;
use crate::lua::std::lent::Slot;
use crate::lua::std::{fs, path};

/// What is collected before it is written.
const CHUNK: usize = 64 << 10;

/// The object.
pub(super) struct Writer {
    target: PathBuf,
    unfinished: Slot<Unfinished>,
}

struct Unfinished {
    printer: Printer,
    file: File,
    /// What becomes the target.
    temporary: PathBuf,
    rows: usize,
}

/// # Errors
/// What the system says, and on wrong options.
pub(super) fn open(lua: &Lua, name: &LuaString, options: Option<Table>) -> Result<AnyUserData, LibError> {
    let given = path::of(name);
    let mut options = Options::new(options);
    let style = Style::read(&mut options)?;
    let mkdir = options.bool("mkdir")?.unwrap_or(false);
    options.finish()?;
    let made = (|| {
        if mkdir && let Some(folder) = given.parent() {
            std::fs::create_dir_all(folder)?;
        }
        // A link stays a link: the file that it names is replaced.
        let target = given.canonicalize().unwrap_or_else(|_| given.clone());
        let old = std::fs::metadata(&target).ok();
        if old.as_ref().is_some_and(|old| !old.is_file()) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "the path names something that is no file",
            ));
        }
        let (file, temporary) = fs::temporary_beside(&target)?.into_parts();
        if let Some(old) = old {
            file.set_permissions(Permissions::from_mode(old.permissions().mode()))?;
        }
        Ok((target, file, temporary))
    })();
    let (target, file, temporary) = made.map_err(|error| LibError::file(&error, &given))?;
    let mut printer = Printer::new(style);
    printer.begin();
    let unfinished = Unfinished { printer, file, temporary: temporary.to_path_buf(), rows: 0 };
    fs::remove_at_end(lua, temporary);
    Ok(object(lua, Writer { target, unfinished: Slot::new("the writer", unfinished) })?)
}

impl Writer {
    /// # Errors
    /// `invalid` for what is no row, which the file does not get then.
    pub fn row(&self, lua: &Lua, values: &Table) -> Result<(), LibError> {
        let mut unfinished = self.unfinished.lend()?;
        let number = unfinished.rows + 1;
        let named = |error: LibError| {
            let text = format!("row {number}: {}", error.message());
            LibError::new(error.code().to_owned(), text).path(&self.target)
        };
        if !direct::row(lua, values, &mut unfinished.printer)? {
            let tape = take(lua, &Value::Table(values.clone())).map_err(named)?;
            unfinished.printer.row(&mut tape.reader()).map_err(|bad| named(bad.into()))?;
        }
        unfinished.rows = number;
        if unfinished.printer.out.len() >= CHUNK {
            unfinished.flush().map_err(|error| LibError::file(&error, &self.target))?;
        }
        Ok(())
    }

    /// The file is there when it returns. A second call does nothing.
    ///
    /// # Errors
    /// What the system says; there is no file then.
    pub fn close(&self) -> Result<(), LibError> {
        let Some(mut unfinished) = self.unfinished.close() else { return Ok(()) };
        let kept = unfinished.flush().and_then(|()| std::fs::rename(&unfinished.temporary, &self.target));
        kept.map_err(|error| {
            let _ = std::fs::remove_file(&unfinished.temporary);
            LibError::file(&error, &self.target)
        })
    }

    /// As if nothing had been written.
    ///
    /// # Errors
    /// None.
    pub fn discard(&self) -> Result<(), LibError> {
        if let Some(unfinished) = self.unfinished.close() {
            let _ = std::fs::remove_file(unfinished.temporary);
        }
        Ok(())
    }
}

impl Unfinished {
    fn flush(&mut self) -> io::Result<()> {
        self.file.write_all(&self.printer.out)?;
        self.printer.out.clear();
        Ok(())
    }
}
