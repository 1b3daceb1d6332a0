//! `mpms.path`: names of files, without looking at the disk (but for `abs` and `expand`).

use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Component, Path, PathBuf};

use mlua::{Lua, LuaString, Table, Variadic};

use crate::lua::error::LibError;
use crate::lua::module::Module;

pub(super) fn module(lua: &Lua) -> mlua::Result<Table> {
    Module::new(lua, "mpms.path")
        .function("join(...)", |lua, parts: Variadic<LuaString>| {
            let joined: PathBuf = parts.iter().map(of).collect();
            text(lua, &joined)
        })
        .function("dirname(path)", |lua, path: LuaString| {
            let path = of(&path);
            match path.parent() {
                Some(parent) if parent.as_os_str().is_empty() => text(lua, Path::new(".")),
                Some(parent) => text(lua, parent),
                None if path.as_os_str().is_empty() => text(lua, Path::new(".")),
                None => text(lua, &path),
            }
        })
        .function("basename(path)", |lua, path: LuaString| part(lua, of(&path).file_name()))
        .function("stem(path)", |lua, path: LuaString| part(lua, of(&path).file_stem()))
        .function("ext(path)", |lua, path: LuaString| part(lua, of(&path).extension()))
        .function("with_ext(path, ext)", |lua, (path, ext): (LuaString, LuaString)| {
            let ext = ext.as_bytes();
            let ext = ext.strip_prefix(b".").unwrap_or(&ext);
            let path = of(&path);
            if path.file_name().is_none() || ext.contains(&b'/') {
                return Err(LibError::invalid(
                    "needs a path with a file name and an extension without a slash",
                )
                .path(path));
            }
            text(lua, &path.with_extension(OsStr::from_bytes(ext)))
        })
        .function("abs(path)", |lua, path: LuaString| text(lua, &normal(&absolute(&of(&path))?)))
        .function("rel(path, base)", |lua, (path, base): (LuaString, Option<LuaString>)| {
            let path = normal(&absolute(&of(&path))?);
            let base = match base {
                Some(base) => normal(&absolute(&of(&base))?),
                None => normal(&absolute(Path::new(""))?),
            };
            match pathdiff::diff_paths(&path, &base) {
                Some(rel) if rel.as_os_str().is_empty() => text(lua, Path::new(".")),
                Some(rel) => text(lua, &rel),
                None => text(lua, &path),
            }
        })
        .function("normalize(path)", |lua, path: LuaString| text(lua, &normal(&of(&path))))
        .function("split(path)", |lua, path: LuaString| {
            let path = of(&path);
            let parts = path.components().map(|part| lua.create_string(part.as_os_str().as_bytes()));
            Ok(lua.create_sequence_from(parts.collect::<mlua::Result<Vec<_>>>()?)?)
        })
        .function("is_abs(path)", |_, path: LuaString| Ok(of(&path).is_absolute()))
        .function("expand(path)", |lua, path: LuaString| text(lua, &expand(&of(&path))?))
        .build()
}

/// The path that a Lua string names, byte for byte.
pub(super) fn of(text: &LuaString) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(&text.as_bytes()))
}

/// The Lua string of a path, byte for byte.
pub(super) fn text(lua: &Lua, path: &Path) -> Result<LuaString, LibError> {
    Ok(lua.create_string(path.as_os_str().as_bytes())?)
}

fn part(lua: &Lua, part: Option<&OsStr>) -> Result<LuaString, LibError> {
    Ok(lua.create_string(part.map_or(&b""[..], OsStr::as_bytes))?)
}

fn absolute(path: &Path) -> Result<PathBuf, LibError> {
    let here = std::env::current_dir().map_err(|error| LibError::file(&error, path))?;
    Ok(here.join(path))
}

/// Folds `.`, `..` and doubled slashes by the text alone, so a link before `..` is not followed.
pub(super) fn normal(path: &Path) -> PathBuf {
    let mut parts: Vec<Component<'_>> = Vec::new();
    for part in path.components() {
        match (part, parts.last()) {
            (Component::CurDir, _) | (Component::ParentDir, Some(Component::RootDir)) => {}
            (Component::ParentDir, Some(Component::Normal(_))) => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    match parts.is_empty() {
        true => PathBuf::from("."),
        false => parts.iter().collect(),
    }
}

/// `~` and `~/x`, as a shell does it for one's own home.
fn expand(path: &Path) -> Result<PathBuf, LibError> {
    let Ok(rest) = path.strip_prefix("~") else {
        if path.as_os_str().as_bytes().starts_with(b"~") {
            return Err(LibError::invalid("only one's own home (`~` or `~/...`) can be expanded").path(path));
        }
        return Ok(path.to_path_buf());
    };
    let home = std::env::var_os("HOME").filter(|home| !home.is_empty());
    let home = home.ok_or_else(|| LibError::invalid("`~` needs the variable HOME").path(path))?;
    let home = PathBuf::from(std::ffi::OsString::from_vec(home.into_vec()));
    Ok(if rest.as_os_str().is_empty() { home } else { home.join(rest) })
}

#[cfg(test)]
mod tests {
    use crate::lua::std::testing::{fails, run, state};

    #[test]
    fn parts_of_a_path() {
        let lua = state();
        let ok: bool = run(
            &lua,
            r#"
            local p = mpms.path
            assert(p.join("a", "b/", "c.txt") == "a/b/c.txt" and p.join("a", "/b") == "/b" and p.join() == "")
            assert(p.dirname "a/b.txt" == "a" and p.dirname "b" == "." and p.dirname "/" == "/")
            assert(p.basename "a/b.tar.gz" == "b.tar.gz" and p.stem "a/b.tar.gz" == "b.tar" and p.ext "a/b.tar.gz" == "gz")
            assert(p.ext "a/b" == "" and p.with_ext("a/b.txt", ".md") == "a/b.md" and p.with_ext("b.txt", "") == "b")
            assert(p.normalize "a/./b/../c//d" == "a/c/d" and p.normalize "../a/.." == ".." and p.normalize "a/.." == ".")
            assert(p.normalize "/.." == "/" and p.rel("/a/b/c", "/a/d") == "../b/c" and p.rel("/a", "/a") == ".")
            assert(p.is_abs "/a" and not p.is_abs "a" and p.is_abs(p.abs "x"))
            assert(table.concat(p.split "/a/b", "|") == "/|a|b" and p.expand "a/~" == "a/~")
            assert(p.join("\xff", "b") == "\xff/b")
            return true
            "#,
        );
        assert!(ok);
        assert_eq!(fails(&lua, "mpms.path.expand '~nobody/x'").code, "invalid");
    }
}
