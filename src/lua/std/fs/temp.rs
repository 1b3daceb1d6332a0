//! Temporary files and folders, gone when the task ends.

use std::cell::Cell;
use std::path::PathBuf;

use mlua::{Lua, LuaString, Table};
use tempfile::{Builder, TempDir, TempPath};

use crate::lua::error::LibError;
use crate::lua::options::Options;
use crate::lua::std::{env, path};

/// What `fs.temp_dir` and `fs.temp_file` have made; dropping it removes all of it.
#[derive(Default)]
pub struct Temporary {
    folders: Vec<TempDir>,
    files: Vec<TempPath>,
}

/// What was made in this state since the last call. Whoever runs roles in it drops this when their time is over: a state
/// itself is never closed.
pub fn take_temporary(lua: &Lua) -> Option<Temporary> {
    // asked after each task, and nearly always in vain
    if MADE_ANY.get() { lua.remove_app_data() } else { None }
}

/// Gives back what was taken: to be taken again when the time of those roles is over.
pub fn give_temporary(lua: &Lua, temporary: Temporary) {
    lua.set_app_data(temporary);
}

thread_local! {
    /// Whether a state of this thread has ever made one.
    static MADE_ANY: Cell<bool> = const { Cell::new(false) };
}

struct Names {
    prefix: String,
    suffix: String,
    place: PathBuf,
}

impl Names {
    fn read(lua: &Lua, options: Option<Table>) -> Result<Self, LibError> {
        let mut options = Options::new(options);
        let prefix = options.string("prefix")?.unwrap_or_else(|| "mpms-".to_owned());
        let suffix = options.string("suffix")?.unwrap_or_default();
        options.finish()?;
        if prefix.contains(['/', '\0']) || suffix.contains(['/', '\0']) {
            return Err(LibError::invalid("options `prefix` and `suffix` must be parts of a file name"));
        }
        let place = env(lua)?.temp_dir.clone().unwrap_or_else(std::env::temp_dir);
        Ok(Self { prefix, suffix, place })
    }
}

fn keep(lua: &Lua, add: impl FnOnce(&mut Temporary)) {
    let mut temporary = lua.remove_app_data::<Temporary>().unwrap_or_default();
    add(&mut temporary);
    MADE_ANY.set(true);
    lua.set_app_data(temporary);
}

/// The file goes when the task ends, unless it has another name by then.
pub(in crate::lua::std) fn remove_at_end(lua: &Lua, path: TempPath) {
    keep(lua, |temporary| temporary.files.push(path));
}

pub(super) fn folder(lua: &Lua, options: Option<Table>) -> Result<LuaString, LibError> {
    let names = Names::read(lua, options)?;
    let made = Builder::new().prefix(&names.prefix).suffix(&names.suffix).tempdir_in(&names.place);
    let made = made.map_err(|error| LibError::file(&error, &names.place))?;
    let text = path::text(lua, made.path())?;
    keep(lua, |temporary| temporary.folders.push(made));
    Ok(text)
}

pub(super) fn file(lua: &Lua, options: Option<Table>) -> Result<LuaString, LibError> {
    let names = Names::read(lua, options)?;
    let made = Builder::new().prefix(&names.prefix).suffix(&names.suffix).tempfile_in(&names.place);
    let made = made.map_err(|error| LibError::file(&error, &names.place))?.into_temp_path();
    let text = path::text(lua, &made)?;
    keep(lua, |temporary| temporary.files.push(made));
    Ok(text)
}
