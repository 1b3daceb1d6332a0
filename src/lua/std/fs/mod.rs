//! `mpms.fs`: files and folders.

use std::path::PathBuf;

use mlua::{Lua, LuaString, Table};

use super::path;
use crate::lua::error::LibError;
use crate::lua::module::{Methods, Module};
use crate::lua::options::Options;

mod content;
mod copy;
mod lock;
mod meta;
mod temp;
mod tree;

pub(super) use content::{WriteOptions, append, temporary_beside, write};
pub(super) use temp::remove_at_end;
pub use temp::{Temporary, give_temporary, take_temporary};

/// A folder that is removed with what the state has made else.
///
/// # Errors
/// When it cannot be made.
pub(super) fn temporary_folder(lua: &Lua) -> Result<LuaString, LibError> {
    temp::folder(lua, None)
}

type PathAndOptions = (LuaString, Option<Table>);
type TwoPathsAndOptions = (LuaString, LuaString, Option<Table>);

pub(super) fn module(lua: &Lua) -> mlua::Result<Table> {
    Methods::new(lua, "fs.Lock")
        .method("release()", |_, lock: mlua::UserDataRef<lock::Lock>| {
            lock.release();
            Ok(())
        })
        .userdata::<lock::Lock>()?;
    let module = Module::new(lua, "mpms.fs");
    let module = contents(module);
    let module = facts(module);
    let module = trees(module);
    module
        .function("temp_dir(options)", |lua, options: Option<Table>| temp::folder(lua, options))
        .function("temp_file(options)", |lua, options: Option<Table>| temp::file(lua, options))
        .waiting("lock(path, options)", |lua, (name, options): PathAndOptions| {
            let asked = lock::Asked::read(&name, options);
            let lua = lua.clone();
            async move { lock::take(&lua, asked?).await }
        })
        .build()
}

fn contents(module: Module<'_>) -> Module<'_> {
    module
        .function("read(path)", |lua, name: LuaString| {
            let path = path::of(&name);
            let bytes = std::fs::read(&path).map_err(|error| LibError::file(&error, &path))?;
            Ok(lua.create_string(bytes)?)
        })
        .function(
            "write(path, data, options)",
            |_, (name, data, options): (LuaString, LuaString, Option<Table>)| {
                let mut options = Options::new(options);
                let how = WriteOptions::read(&mut options)?;
                options.finish()?;
                write(&path::of(&name), &data.as_bytes(), &how)
            },
        )
        .function("append(path, data)", |_, (name, data): (LuaString, LuaString)| {
            append(&path::of(&name), &data.as_bytes())
        })
        .function("lines(path)", |lua, name: LuaString| content::lines(lua, path::of(&name)))
        .function("copy(from, to, options)", |lua, (from, to, options): TwoPathsAndOptions| {
            copy::copy(lua, &path::of(&from), &path::of(&to), options)
        })
        .function("move(from, to, options)", |_, (from, to, options): TwoPathsAndOptions| {
            copy::rename(&path::of(&from), &path::of(&to), options)
        })
        .function("link(target, path)", |_, (target, name): (LuaString, LuaString)| {
            let path = path::of(&name);
            std::fs::hard_link(path::of(&target), &path).map_err(|error| LibError::file(&error, path))
        })
        .function("symlink(target, path)", |_, (target, name): (LuaString, LuaString)| {
            let path = path::of(&name);
            std::os::unix::fs::symlink(path::of(&target), &path).map_err(|error| LibError::file(&error, path))
        })
        .function("truncate(path, size)", |_, (name, size): (LuaString, Option<mlua::Value>)| {
            meta::truncate(&path::of(&name), size)
        })
}

fn facts(module: Module<'_>) -> Module<'_> {
    module
        .function("exists(path)", |_, name: LuaString| Ok(meta::facts(&path::of(&name), true)?.is_some()))
        .function("is_file(path)", |_, name: LuaString| {
            Ok(meta::facts(&path::of(&name), true)?.is_some_and(|facts| facts.is_file()))
        })
        .function("is_dir(path)", |_, name: LuaString| {
            Ok(meta::facts(&path::of(&name), true)?.is_some_and(|facts| facts.is_dir()))
        })
        .function("stat(path, options)", |lua, (name, options): PathAndOptions| {
            let mut options = Options::new(options);
            let follow = options.bool("follow")?.unwrap_or(true);
            options.finish()?;
            meta::stat(lua, &path::of(&name), follow)
        })
        .function("chmod(path, mode)", |_, (name, mode): (LuaString, mlua::Value)| {
            meta::chmod(&path::of(&name), &mode)
        })
        .function("touch(path, options)", |_, (name, options): PathAndOptions| {
            let mut options = Options::new(options);
            let at = options.value("mtime")?;
            options.finish()?;
            meta::touch(&path::of(&name), at)
        })
}

fn trees(module: Module<'_>) -> Module<'_> {
    module
        .function("list(path)", |lua, name: LuaString| tree::list(lua, &path::of(&name)))
        .function("walk(path, options)", |lua, (name, options): PathAndOptions| {
            tree::walk(lua, path::of(&name), options)
        })
        .function("glob(pattern, options)", |lua, (pattern, options): PathAndOptions| {
            tree::glob(lua, &pattern, options)
        })
        .function("mkdir(path)", |_, name: LuaString| {
            let path: PathBuf = path::of(&name);
            std::fs::create_dir_all(&path).map_err(|error| LibError::file(&error, path))
        })
        .function("remove(path, options)", |_, (name, options): PathAndOptions| {
            let mut options = Options::new(options);
            let recursive = options.bool("recursive")?.unwrap_or(false);
            options.finish()?;
            tree::remove(&path::of(&name), recursive)
        })
}

#[cfg(test)]
mod tests;
