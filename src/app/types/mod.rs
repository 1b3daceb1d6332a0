//! `mpms types`: the types of the library where editors look for them, and the settings that make them look there.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::complain;
use super::exit::Code;
use crate::cli::{Color, TypesArgs};
use crate::lua::require::project_root;
use crate::lua::types::FILES;

mod linters;

/// Where they go, below the root of the project.
const FOLDER: &str = ".mpms/types";

/// Settings of editors and tools: written where there are none, and never changed.
fn settings() -> [(&'static str, String); 5] {
    [
        (".luarc.json", LUARC.to_owned()),
        (".stylua.toml", STYLUA.to_owned()),
        (linters::LUACHECK, linters::luacheck()),
        (linters::SELENE, linters::selene()),
        (linters::SELENE_STD, linters::selene_std()),
    ]
}

/// For LuaLS, and for EmmyLua, which reads it too. What waits may be called anywhere, see `mpms.co`; that an item of a
/// list may be nil is a rule of EmmyLua alone.
const LUARC: &str = r#"{
  "$schema": "https://raw.githubusercontent.com/LuaLS/vscode-lua/master/setting/schema.json",
  "runtime.version": "Lua 5.4",
  "runtime.path": [
    "?.lua",
    "?/init.lua",
    "lib/?.lua",
    "lib/?/init.lua",
    "scripts/?.lua",
    "lua_modules/share/lua/5.4/?.lua",
    "lua_modules/share/lua/5.4/?/init.lua"
  ],
  "workspace.library": [".mpms/types"],
  "workspace.checkThirdParty": false,
  "diagnostics.disable": ["await-in-sync"],
  "strict.arrayIndex": false
}
"#;

const STYLUA: &str = "syntax = \"Lua54\"\nindent_type = \"Spaces\"\nindent_width = 2\n";

/// Carries the command out.
pub fn types(arguments: &TypesArgs) -> Code {
    let carried_out = place(arguments).and_then(|root| match arguments.check {
        true => check(&root),
        false => write(&root, !arguments.update),
    });
    match carried_out {
        Ok(code) => code,
        Err((path, error)) => {
            complain(Color::Auto, &format!("cannot write the types: {}: {error}", path.display()), None);
            Code::State
        }
    }
}

type Wrong = (PathBuf, io::Error);

fn place(arguments: &TypesArgs) -> Result<PathBuf, Wrong> {
    let here = std::env::current_dir().map_err(|error| (PathBuf::from("."), error))?;
    match &arguments.folder {
        Some(folder) if !folder.is_dir() => Err((folder.clone(), io::ErrorKind::NotADirectory.into())),
        Some(folder) => Ok(folder.clone()),
        None => Ok(project_root(&here)),
    }
}

/// What a file must hold: its name in the folder, and its text.
fn wanted() -> impl Iterator<Item = (String, String)> {
    FILES.iter().map(|(name, text)| (format!("{name}.lua"), (*text).to_owned()))
}

/// Files that are not as they must be, and those that no longer belong there.
fn stale(folder: &Path) -> (Vec<(PathBuf, String)>, Vec<PathBuf>) {
    let old = wanted()
        .map(|(name, text)| (folder.join(name), text))
        .filter(|(path, text)| fs::read_to_string(path).ok().as_ref() != Some(text))
        .collect();
    let known: Vec<PathBuf> = wanted().map(|(name, _)| folder.join(name)).collect();
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_lua = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "lua");
    (old, entries.filter(|path| is_lua(path) && !known.contains(path)).collect())
}

fn check(root: &Path) -> Result<Code, Wrong> {
    let folder = root.join(FOLDER);
    let (old, gone) = stale(&folder);
    if old.is_empty() && gone.is_empty() {
        tell("Checked", &format!("{}: up to date", folder.display()));
        return Ok(Code::Success);
    }
    let count = old.len() + gone.len();
    let message =
        format!("the types in {} are not those of this program: {count} files differ", folder.display());
    complain(Color::Auto, &message, Some("mpms types --update"));
    Ok(Code::Failures)
}

fn write(root: &Path, with_settings: bool) -> Result<Code, Wrong> {
    let folder = root.join(FOLDER);
    let (old, gone) = stale(&folder);
    fs::create_dir_all(&folder).map_err(|error| (folder.clone(), error))?;
    for (path, text) in &old {
        fs::write(path, text).map_err(|error| (path.clone(), error))?;
    }
    for path in &gone {
        fs::remove_file(path).map_err(|error| (path.clone(), error))?;
    }
    let all = wanted().count();
    match old.len() + gone.len() {
        0 => tell("Checked", &format!("{}: {all} files, up to date", folder.display())),
        _ => tell("Wrote", &format!("{}: {all} files, {} new or changed", folder.display(), old.len())),
    }
    for (name, text) in settings().iter().filter(|_| with_settings) {
        let path = root.join(name);
        match path.exists() {
            true => tell("Kept", &format!("{} as it is", path.display())),
            false => {
                fs::write(&path, text).map_err(|error| (path.clone(), error))?;
                tell("Wrote", &path.display().to_string());
            }
        }
    }
    Ok(Code::Success)
}

fn tell(word: &str, rest: &str) {
    use std::io::Write as _;
    let rest = rest.strip_prefix("./").unwrap_or(rest);
    let _ = writeln!(io::stderr().lock(), "{word:>12} {rest}");
}
