//! `mpms.fs`: files and folders.

use std::path::PathBuf;

use mlua::{Lua, LuaString, Table};

use super::path;
use crate::lua::error::LibError;
use crate::lua::module::{Methods, Module};
use crate::lua::options::Options;
use crate::lua::pool;

mod content;
mod copy;
mod lines;
mod lock;
mod meta;
mod temp;
mod tree;

pub(super) use content::{WriteOptions, append, folder_of, temporary_beside, write};
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
        .waiting("read(path, options)", |lua, (name, options): PathAndOptions| {
            let (lua, path, mut options) = (lua.clone(), path::of(&name), Options::new(options));
            let most = options.size("max_size").and_then(|most| options.finish().map(|()| most));
            async move {
                let most = most?.unwrap_or(content::MOST_BYTES);
                let bytes = pool::run(&lua, move |stop| content::read(&path, most, stop)).await?;
                Ok(lua.create_string(bytes)?)
            }
        })
        .waiting(
            "write(path, data, options)",
            |lua, (name, data, options): (LuaString, LuaString, Option<Table>)| {
                let (lua, path, mut options) = (lua.clone(), path::of(&name), Options::new(options));
                let how = WriteOptions::read(&mut options).and_then(|how| options.finish().map(|()| how));
                async move {
                    let how = how?;
                    pool::run_on(&lua, data, move |data, _| write(&path, data, &how)).await
                }
            },
        )
        .waiting("append(path, data)", |lua, (name, data): (LuaString, LuaString)| {
            let path = path::of(&name);
            pool::run_on(lua, data, move |data, _| append(&path, data))
        })
        .function("lines(path)", |lua, name: LuaString| lines::lines(lua, path::of(&name)))
        .waiting("copy(from, to, options)", |lua, (from, to, options): TwoPathsAndOptions| {
            let lua = lua.clone();
            let order = copy::Order::read(&lua, path::of(&from), path::of(&to), options);
            async move { copy::copy(&lua, order?).await }
        })
        .waiting("move(from, to, options)", |lua, (from, to, options): TwoPathsAndOptions| {
            let (lua, from, to) = (lua.clone(), path::of(&from), path::of(&to));
            let overwrite = flag(options, "overwrite");
            async move {
                let overwrite = overwrite?;
                pool::run(&lua, move |stop| copy::rename(&from, &to, overwrite, stop)).await
            }
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

/// The only option, false unless said.
fn flag(options: Option<Table>, name: &'static str) -> Result<bool, LibError> {
    let mut options = Options::new(options);
    let flag = options.bool(name)?.unwrap_or(false);
    options.finish()?;
    Ok(flag)
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
            let (modified, read) = (options.value("mtime")?, options.value("atime")?);
            options.finish()?;
            meta::touch(&path::of(&name), modified, read)
        })
        .function("disk(path)", |lua, name: LuaString| meta::disk(lua, &path::of(&name)))
}

fn trees(module: Module<'_>) -> Module<'_> {
    module
        .waiting("list(path)", |lua, name: LuaString| {
            let (lua, path) = (lua.clone(), path::of(&name));
            async move {
                let names = pool::run(&lua, move |stop| tree::list(&path, stop)).await?;
                tree::strings(&lua, &names)
            }
        })
        .function("walk(path, options)", |lua, (name, options): PathAndOptions| {
            tree::walk(lua, path::of(&name), options)
        })
        .waiting("glob(pattern, options)", |lua, (pattern, options): PathAndOptions| {
            let (lua, search) = (lua.clone(), tree::Search::read(&pattern, options));
            async move {
                let search = search?;
                let found = pool::run(&lua, move |stop| search.found(stop)).await?;
                tree::strings(&lua, &found)
            }
        })
        .function("mkdir(path)", |_, name: LuaString| {
            let path: PathBuf = path::of(&name);
            std::fs::create_dir_all(&path).map_err(|error| LibError::file(&error, path))
        })
        .waiting("remove(path, options)", |lua, (name, options): PathAndOptions| {
            let (lua, path) = (lua.clone(), path::of(&name));
            let recursive = flag(options, "recursive");
            async move {
                let recursive = recursive?;
                pool::run(&lua, move |_| tree::remove(&path, recursive)).await
            }
        })
}

#[cfg(test)]
mod tests;
