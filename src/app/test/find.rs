//! Which files are specs.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use ignore::{Walk, WalkBuilder};

use super::{File, Stop};

/// The end of their names.
const ENDING: &str = "_spec.lua";
/// Folders with code of others.
const OTHERS: [&str; 4] = [".mpms", ".git", "lua_modules", "node_modules"];

/// The named files, and those in named folders, sorted, each once. What git ignores is left out.
pub(super) fn specs(cwd: &Path, paths: &[PathBuf]) -> Result<Vec<File>, Stop> {
    let here = [PathBuf::from(".")];
    let mut found: Vec<PathBuf> = Vec::new();
    for path in if paths.is_empty() { &here[..] } else { paths } {
        let whole = cwd.join(path);
        let whole = whole.canonicalize().map_err(|error| {
            let text = format!("cannot read {}: {error}", path.display());
            Stop::new(text, Some("name a spec file or a folder; without one all below this folder run"))
        })?;
        if !whole.is_dir() {
            found.push(whole);
            continue;
        }
        found.append(&mut below(&whole).map_err(|error| Stop::new(error.to_string(), None))?);
    }
    found.sort();
    found.dedup();
    let file = |path: PathBuf| {
        let name = path.strip_prefix(cwd).unwrap_or(&path).to_string_lossy().into_owned();
        File { path, name, plan: Vec::new(), chosen: Vec::new() }
    };
    Ok(found.into_iter().map(file).collect())
}

fn below(folder: &Path) -> Result<Vec<PathBuf>, ignore::Error> {
    ending(folder, ENDING)
}

/// The files of Lua in a folder and below it, without those that are left out for specs too.
pub(super) fn lua(folder: &Path) -> Result<Vec<PathBuf>, ignore::Error> {
    ending(folder, ".lua")
}

/// Whether a file is of the project, and not code of others in it.
pub(super) fn is_ours(root: &Path, path: &Path) -> bool {
    parts(root, path).is_some_and(|mut parts| !parts.any(|part| OTHERS.iter().any(|other| part == *other)))
}

/// Whether it is a spec, or lies with them.
pub(super) fn is_of_specs(root: &Path, path: &Path) -> bool {
    is_spec(path) || parts(root, path).is_some_and(|mut parts| parts.any(|part| part == "spec"))
}

fn parts<'a>(root: &Path, path: &'a Path) -> Option<impl Iterator<Item = &'a OsStr>> {
    Some(path.strip_prefix(root).ok()?.iter())
}

/// Whether it is a spec by its name.
pub(super) fn is_spec(path: &Path) -> bool {
    path.to_string_lossy().ends_with(ENDING)
}

/// Everything in a folder and below it, without code of others and what git ignores.
pub(super) fn walk(folder: &Path) -> Walk {
    WalkBuilder::new(folder)
        .require_git(false)
        .filter_entry(|entry| !OTHERS.iter().any(|other| entry.file_name() == *other))
        .build()
}

fn ending(folder: &Path, ending: &str) -> Result<Vec<PathBuf>, ignore::Error> {
    let mut found = Vec::new();
    for entry in walk(folder) {
        let entry = entry?;
        let is_file = entry.file_type().is_some_and(|kind| !kind.is_dir());
        if is_file && entry.file_name().to_string_lossy().ends_with(ending) {
            found.push(entry.into_path());
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::specs;

    #[test]
    fn specs_below_a_folder_but_not_those_of_others_or_that_git_ignores() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().canonicalize().expect("a folder");
        for file in [
            "a_spec.lua",
            "deep/er/b_spec.lua",
            "deep/other.lua",
            "lua_modules/x_spec.lua",
            ".mpms/y_spec.lua",
            "out/z_spec.lua",
            ".hidden/h_spec.lua",
        ] {
            let file = root.join(file);
            fs::create_dir_all(file.parent().expect("a parent")).expect("a folder");
            fs::write(file, "").expect("a file");
        }
        fs::write(root.join(".gitignore"), "out/\n").expect("a file");
        let names = |paths: &[&str]| {
            let paths: Vec<_> = paths.iter().map(|path| Path::new(path).to_path_buf()).collect();
            let found = specs(&root, &paths).map_err(|stop| stop.message).expect("found");
            found.into_iter().map(|file| file.name).collect::<Vec<_>>()
        };
        assert_eq!(names(&[]), ["a_spec.lua", "deep/er/b_spec.lua"]);
        assert_eq!(
            names(&["deep", "deep/er/b_spec.lua", "deep/other.lua"]),
            ["deep/er/b_spec.lua", "deep/other.lua"]
        );
        assert!(
            specs(&root, &[Path::new("none").to_path_buf()]).is_err_and(|stop| stop.message.contains("none"))
        );
    }
}
