//! The house as `src/lib.rs` describes it: which folder may use which, who may say what, and that nothing is left over.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What each folder of `src/` may import from, besides itself.
const LAYERS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("os", &["model"]),
    ("manifest", &["model"]),
    ("wire", &["model"]),
    ("lua", &["model", "wire", "os"]),
    ("plan", &["model", "manifest", "os"]),
    ("cli", &["model", "manifest", "os"]),
    ("report", &["model", "manifest", "os"]),
    ("journal", &["model", "manifest", "os", "wire"]),
    ("source", &["model", "lua", "wire", "os", "plan"]),
    ("handler", &["model", "lua", "wire", "os", "output", "journal"]),
    ("output", &["model", "wire", "plan", "journal"]),
    ("engine", &["model", "os", "wire", "plan"]),
    ("worker", &["model", "os", "wire", "lua", "plan"]),
    (
        "app",
        &[
            "model", "os", "manifest", "wire", "lua", "plan", "cli", "report", "source", "handler", "output",
            "journal", "engine", "worker",
        ],
    ),
];

/// Crates that only some folders may name: (crate, folders).
const CRATES: &[(&str, &[&str])] = &[
    ("nix", &["os"]),
    ("mlua", &["lua"]),
    ("reqwest", &["lua"]),
    ("tokio", &["lua"]),
    ("rusqlite", &["journal", "output", "lua"]),
    ("clap", &["cli"]),
    ("annotate_snippets", &["report"]),
    ("indicatif", &["report"]),
    ("notify", &["app"]),
];

/// Files outside of `os` that may say `unsafe`; each says why at its top.
const UNSAFE: &[&str] = &[
    "lua/border.rs",
    "lua/call.rs",
    "lua/coroutine.rs",
    "lua/coverage/mod.rs",
    "lua/port.rs",
    "lua/random.rs",
    "lua/scheduler/fiber.rs",
    "lua/shell/popen.rs",
    "lua/shell/reads.rs",
    "lua/stack.rs",
    "lua/state.rs",
    "lua/std/csv/direct.rs",
    "lua/std/http/serve/upvalues.rs",
    "lua/std/re/cursor.rs",
    "lua/std/sqlite/params.rs",
    "lua/std/sqlite/parts.rs",
    "lua/std/proc/ready.rs",
    "lua/tape/stack.rs",
    "lua/watchdog.rs",
];

#[test]
fn every_folder_has_a_layer_and_stays_in_it() {
    let mut wrong = Vec::new();
    for file in rust_files() {
        let Some(folder) = folder_of(&file) else { continue };
        let Some((_, allowed)) = LAYERS.iter().find(|(name, _)| *name == folder) else {
            wrong.push(format!("{}: the folder `{folder}` has no layer", file.display()));
            continue;
        };
        let text = read(&file);
        for (number, line) in code_lines(&text) {
            for used in imports(line) {
                let known = LAYERS.iter().any(|(name, _)| *name == used);
                if known && used != folder && !allowed.contains(&used.as_str()) {
                    wrong.push(format!("{}:{number}: `{folder}` must not use `{used}`", file.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn crates_stay_in_their_folders() {
    let mut wrong = Vec::new();
    for file in rust_files() {
        let folder = folder_of(&file).unwrap_or_default();
        let text = read(&file);
        for (number, line) in code_lines(&text) {
            for (name, folders) in CRATES {
                if line.contains(&format!("{name}::"))
                    && names_crate(line, name)
                    && !folders.contains(&folder.as_str())
                {
                    wrong.push(format!("{}:{number}: only {folders:?} may name `{name}`", file.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn unsafe_code_is_where_it_is_expected() {
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for file in rust_files() {
        let name = relative(&file);
        if code_lines(&read(&file)).any(|(_, line)| line.contains("unsafe ")) {
            seen.insert(name.clone());
            if !name.starts_with("os/") && !UNSAFE.contains(&name.as_str()) {
                wrong.push(format!("{name} says `unsafe`"));
            }
        }
    }
    for name in UNSAFE.iter().filter(|name| !seen.contains(**name)) {
        wrong.push(format!("{name} is in the list of unsafe files, and has none"));
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn nothing_is_left_over() {
    let mut wrong = Vec::new();
    for file in rust_files() {
        let text = read(&file);
        for (number, line) in text.lines().enumerate() {
            for word in ["todo!", "unimplemented!", "dbg!(", "FIXME", "XXX", "(under construction)"] {
                if line.contains(word) {
                    wrong.push(format!("{}:{}: {word}", file.display(), number + 1));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn no_room_has_a_name_that_says_nothing() {
    for file in rust_files() {
        let stem = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let banned = ["utils", "util", "helpers", "common", "imp", "manager", "misc"];
        assert!(!banned.contains(&stem.as_str()), "{}: a file is named for what it is about", file.display());
    }
}

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn rust_files() -> Vec<PathBuf> {
    let mut files = Vec::new();
    collect(&source(), &mut files);
    assert!(files.len() > 50, "the source was not found");
    files.sort();
    files
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of the source") {
        let path = entry.expect("an entry of it").path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).expect("a source file")
}

fn relative(file: &Path) -> String {
    file.strip_prefix(source()).expect("below the source").to_string_lossy().into_owned()
}

/// The folder of `src/` that a file is in; none for `main.rs` and `lib.rs`.
fn folder_of(file: &Path) -> Option<String> {
    let name = relative(file);
    name.split_once('/').map(|(folder, _)| folder.to_owned())
}

/// Lines with code, without those of unit tests at the end of a file and without comments.
fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line))
        .take_while(|(_, line)| !line.starts_with("#[cfg(test)]") && !line.starts_with("#![cfg(test)]"))
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// Folders that a line names after `crate::`, also in `use crate::{a, b}`.
fn imports(line: &str) -> Vec<String> {
    let mut found = Vec::new();
    for piece in line.split("crate::").skip(1) {
        let inside = piece.strip_prefix('{').map(|rest| rest.split(['}', ';']).next().unwrap_or(rest));
        let names = inside.map_or_else(|| vec![piece], |inside| inside.split(',').map(str::trim).collect());
        for name in names {
            let end = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(name.len());
            found.push(name[..end].to_owned());
        }
    }
    found
}

/// Whether `name::` stands for the crate and is not the end of a longer word or path.
fn names_crate(line: &str, name: &str) -> bool {
    let at = line.find(&format!("{name}::")).unwrap_or(0);
    let before = line[..at].chars().next_back();
    !before.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':')
}
