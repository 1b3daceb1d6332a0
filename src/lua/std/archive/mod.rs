//! `mpms.archive`: zip and tar, packed or not.
//!
//! One walk over an archive (`walk`) gives entries to whoever asked: the list, the reader of one file, the extraction. What
//! an entry may be called, and where a link may lead, is in `names`.

use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use mlua::{Lua, LuaString, Table, Value};

use super::path;
use crate::lua::error::LibError;
use crate::lua::module::Module;
use crate::lua::options::Options;
use crate::lua::{outside, pool};

mod create;
mod entry;
mod extract;
mod names;
mod walk;
mod write;

use entry::{Entry, Kind};
use extract::{Extract, Unsafe};
use walk::Limits;

type PathAndOptions = (LuaString, Option<Table>);

/// More entries than this are a mistake or an attack, unless `max_entries` says otherwise.
const MOST_ENTRIES: usize = 1_000_000;
/// What `read` gives, at most.
const MOST_READ: u64 = 1 << 30;

pub(super) fn module(lua: &Lua) -> mlua::Result<Table> {
    Module::new(lua, "mpms.archive")
        .waiting("list(path, options)", |lua, (name, options): PathAndOptions| {
            let path = path::of(&name);
            let asked = limits(options);
            let lua = lua.clone();
            async move {
                let limits = asked?;
                let entries = pool::run(&lua, move |stop| list(&path, limits, stop)).await?;
                shown(&lua, &entries)
            }
        })
        .waiting(
            "read(path, name, options)",
            |lua, (archive, name, options): (LuaString, LuaString, Option<Table>)| {
                let (path, wanted) = (path::of(&archive), name.as_bytes().to_vec());
                let asked = limits(options).and_then(|limits| Ok((limits, outside::room(lua, 1 << 20)?)));
                let lua = lua.clone();
                async move {
                    let (limits, room) = asked?;
                    let data = pool::run(&lua, move |stop| read(&path, &wanted, limits, room, stop)).await?;
                    Ok(lua.create_string(data)?)
                }
            },
        )
        .waiting(
            "extract(path, dir, options)",
            |lua, (archive, dir, options): (LuaString, LuaString, Option<Table>)| {
                let (path, dir) = (path::of(&archive), path::of(&dir));
                let asked = extract_options(options);
                let lua = lua.clone();
                async move {
                    let (limits, how) = asked?;
                    let done = pool::run(&lua, move |stop| extract::extract(&path, &dir, limits, &how, stop))
                        .await?;
                    let table = lua.create_table()?;
                    table.raw_set("files", done.files)?;
                    table.raw_set("dirs", done.dirs)?;
                    table.raw_set("links", done.links)?;
                    table.raw_set("size", done.size)?;
                    Ok(table)
                }
            },
        )
        .waiting(
            "create(path, files, options)",
            |lua, (name, files, options): (LuaString, Table, Option<Table>)| {
                let asked = create::Asked::read(path::of(&name), &files, options);
                let lua = lua.clone();
                async move {
                    let asked = asked?;
                    pool::run(&lua, move |stop| asked.create(stop)).await
                }
            },
        )
        .build()
}

fn read_limits(options: &mut Options) -> Result<Limits, LibError> {
    Ok(Limits {
        size: options.size("max_size")?,
        entries: options.count("max_entries")?.unwrap_or(MOST_ENTRIES),
    })
}

fn limits(options: Option<Table>) -> Result<Limits, LibError> {
    let mut options = Options::new(options);
    let limits = read_limits(&mut options)?;
    options.finish()?;
    Ok(limits)
}

fn extract_options(options: Option<Table>) -> Result<(Limits, Extract), LibError> {
    let mut options = Options::new(options);
    let limits = read_limits(&mut options)?;
    let how = Extract {
        strip: options.count("strip")?.unwrap_or(0),
        globs: globs(&mut options)?,
        overwrite: options.bool("overwrite")?.unwrap_or(false),
        unsafe_: match options.word("unsafe", &["refuse", "skip"])? {
            Some("skip") => Unsafe::Skip,
            _ => Unsafe::Refuse,
        },
    };
    options.finish()?;
    Ok((limits, how))
}

/// As `fs.walk` has them: a pattern with a slash is for the whole name, one without for its last part.
pub(super) struct Globs {
    paths: GlobSet,
    names: GlobSet,
}

impl Globs {
    fn fit(&self, name: &Path) -> bool {
        self.paths.is_match(name) || name.file_name().is_some_and(|last| self.names.is_match(last))
    }
}

fn globs(options: &mut Options) -> Result<Option<Globs>, LibError> {
    let patterns: Vec<String> = match options.value("glob")? {
        None => return Ok(None),
        Some(Value::String(one)) => vec![one.to_string_lossy()],
        Some(Value::Table(list)) => list.sequence_values::<String>().collect::<mlua::Result<_>>()?,
        Some(_) => return Err(LibError::invalid("option `glob` must be a pattern or a list of patterns")),
    };
    let set = |with_slash: bool| {
        let wrong =
            |error: globset::Error| LibError::invalid(format!("option `glob` does not work: {error}"));
        let mut builder = GlobSetBuilder::new();
        for pattern in patterns.iter().filter(|one| one.contains('/') == with_slash) {
            builder.add(GlobBuilder::new(pattern).literal_separator(true).build().map_err(wrong)?);
        }
        builder.build().map_err(wrong)
    };
    Ok(Some(Globs { paths: set(true)?, names: set(false)? }))
}

fn list(path: &Path, limits: Limits, stop: &pool::Stop) -> Result<Vec<Entry>, LibError> {
    let mut entries = Vec::new();
    walk::walk(path, limits, stop, &mut |entry, _| {
        entries.push(entry);
        Ok(())
    })?;
    Ok(entries)
}

fn shown(lua: &Lua, entries: &[Entry]) -> Result<Table, LibError> {
    let list = lua.create_table_with_capacity(entries.len(), 0)?;
    for (index, entry) in entries.iter().enumerate() {
        let table = lua.create_table_with_capacity(0, 6)?;
        table.raw_set("name", lua.create_string(&entry.name)?)?;
        table.raw_set("type", entry.kind.name())?;
        table.raw_set("size", entry.size)?;
        table.raw_set("mode", entry.mode)?;
        if let Some(mtime) = entry.mtime {
            table.raw_set("mtime", mtime)?;
        }
        if let Kind::Symlink(target) | Kind::Hardlink(target) = &entry.kind {
            table.raw_set("target", lua.create_string(target)?)?;
        }
        list.raw_set(index + 1, table)?;
    }
    Ok(list)
}

/// The file of that name; of several, the last, as an extraction would leave it.
fn read(
    path: &Path,
    wanted: &[u8],
    limits: Limits,
    room: usize,
    stop: &pool::Stop,
) -> Result<Vec<u8>, LibError> {
    let wanted: PathBuf = match names::plain(wanted) {
        Ok(Some(name)) => name,
        Ok(None) | Err(_) => {
            return Err(LibError::invalid("argument 2 (name) is not a name within an archive"));
        }
    };
    let most = usize::try_from(limits.size.unwrap_or(MOST_READ)).unwrap_or(usize::MAX);
    let mut found = None;
    let limits = Limits { size: None, ..limits };
    walk::walk(path, limits, stop, &mut |entry, data| {
        if names::plain(&entry.name).ok().flatten().as_ref() != Some(&wanted) {
            return Ok(());
        }
        let what = match &entry.kind {
            Kind::File => {
                found = Some(data.whole(most, room, stop)?);
                return Ok(());
            }
            Kind::Dir => return Err(LibError::new("is_directory", "is a folder in the archive")),
            Kind::Symlink(target) | Kind::Hardlink(target) => {
                format!("is a link to `{}` in the archive: read that", String::from_utf8_lossy(target))
            }
            Kind::Other(what) => format!("is a {what} in the archive"),
        };
        Err(LibError::invalid(what))
    })?;
    found.ok_or_else(|| {
        LibError::new("not_found", format!("there is no `{}` in the archive", wanted.display())).path(path)
    })
}

#[cfg(test)]
mod tests;
