//! Paths: absolute inside, short for people.

use std::path::{Component, Path, PathBuf};

use crate::model::lua_path::LuaPath;

/// `path` as somebody in `folder` means it: absolute, and without `.` and `..` where that changes nothing.
pub fn absolute(folder: &Path, path: &Path) -> PathBuf {
    let joined = folder.join(path);
    let plain = without_dots(&joined);
    if plain == joined || leads_elsewhere(&joined, &plain) { joined } else { plain }
}

/// The same for each place of a path for `require`.
pub fn absolute_lua_path(folder: &Path, path: &LuaPath) -> LuaPath {
    path.map(|template| absolute(folder, template))
}

/// `link/..` is the folder above the link's target, not the one above the link.
fn leads_elsewhere(joined: &Path, plain: &Path) -> bool {
    if !joined.components().any(|part| part == Component::ParentDir) {
        return false;
    }
    // The file need not exist yet (an output), its folder must.
    let folder = |path: &Path| path.parent().and_then(|folder| folder.canonicalize().ok());
    folder(joined) != folder(plain)
}

fn without_dots(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    plain
}

/// An absolute path as somebody in `cwd` would type it, if that is shorter.
pub fn shown(path: &Path, cwd: &Path) -> String {
    let relative = pathdiff::diff_paths(path, cwd).filter(|relative| !relative.as_os_str().is_empty());
    let short = relative.filter(|relative| relative.as_os_str().len() < path.as_os_str().len());
    short.as_deref().unwrap_or(path).display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_go_away() {
        assert_eq!(absolute(Path::new("/"), Path::new("./usr/../usr/bin")), Path::new("/usr/bin"));
        assert_eq!(absolute(Path::new("/usr"), Path::new("/etc/passwd")), Path::new("/etc/passwd"));
    }

    #[test]
    fn dots_behind_a_link_stay() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let root = folder.path().canonicalize().expect("it exists");
        std::fs::create_dir_all(root.join("far/away")).expect("a folder");
        std::os::unix::fs::symlink(root.join("far/away"), root.join("link")).expect("a link");
        assert_eq!(absolute(&root, Path::new("link/../x")), root.join("link/../x"));
        assert_eq!(absolute(&root, Path::new("far/../x")), root.join("x"));
    }

    #[test]
    fn a_path_is_shown_as_it_would_be_typed() {
        let cwd = Path::new("/home/ada/crawl");
        assert_eq!(shown(Path::new("/home/ada/crawl/jobs/a.toml"), cwd), "jobs/a.toml");
        assert_eq!(shown(Path::new("/home/ada/lib/a.lua"), cwd), "../lib/a.lua");
        assert_eq!(shown(Path::new("/etc/a.lua"), cwd), "/etc/a.lua");
    }
}
