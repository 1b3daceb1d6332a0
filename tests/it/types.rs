//! `mpms types`: what it writes and leaves, and what linters make of it.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

/// Written where there are none.
const SETTINGS: [&str; 5] = [".luarc.json", ".stylua.toml", ".luacheckrc", "selene.toml", "mpms.yml"];

/// Exit code, and what was said.
fn said(command: &mut Command) -> (Option<i32>, String) {
    let done = command.output().expect("it can be started");
    let text = [done.stdout, done.stderr].concat();
    (done.status.code(), String::from_utf8_lossy(&text).into_owned())
}

fn types(folder: &Path, options: &[&str]) -> (Option<i32>, String) {
    said(Command::new(env!("CARGO_BIN_EXE_mpms")).arg("types").args(options).arg(".").current_dir(folder))
}

fn read(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn luacheck(folder: &Path, what: &str) -> (Option<i32>, String) {
    said(crate::tool("luacheck", "lua-check").args(["--no-color", what]).current_dir(folder))
}

#[test]
fn settings_are_written_where_there_are_none_and_types_in_any_case() {
    let folder = TempDir::new().expect("a folder");
    let folder = folder.path();
    fs::write(folder.join(".luacheckrc"), "std = 'max'").expect("written");
    let (code, text) = types(folder, &[]);
    assert!(code == Some(0) && text.contains("Kept .luacheckrc as it is"), "{text}");
    assert_eq!(read(folder, ".luacheckrc"), "std = 'max'");
    for name in SETTINGS {
        assert!(!read(folder, name).is_empty());
    }
    let get = "  mpms.http.get:\n    args:\n      - type: any\n        required: true\n      - type: any\n        required: false\n";
    assert!(read(folder, "mpms.yml").contains(get));
    assert!(read(folder, ".mpms/types/http.lua").starts_with("---@meta mpms.http"));
    assert_eq!(types(folder, &["--check"]).0, Some(0));

    // others than those of this program
    fs::write(folder.join(".mpms/types/http.lua"), "old").expect("written");
    fs::write(folder.join(".mpms/types/gone.lua"), "old").expect("written");
    let (code, text) = types(folder, &["--check"]);
    assert!(code == Some(1) && text.contains("2 files differ"), "{text}");
    fs::remove_file(folder.join("selene.toml")).expect("removed");
    let (code, text) = types(folder, &["--update"]);
    assert!(code == Some(0) && text.contains("1 new or changed"), "{text}");
    assert!(!folder.join("selene.toml").exists() && !folder.join(".mpms/types/gone.lua").exists());
    assert_eq!(types(folder, &["--check"]).0, Some(0));

    let (code, text) = types(folder, &["no/folder"]);
    assert!(code.is_some_and(|code| code != 0), "{text}");
}

#[test]
fn luacheck_knows_what_scripts_and_specs_have_and_nothing_else() {
    let folder = TempDir::new().expect("a folder");
    let folder = folder.path();
    assert_eq!(types(folder, &[]).0, Some(0));
    let copied = Command::new("cp").arg("-r").arg(crate::repository().join("scripts")).arg(folder).status();
    assert!(copied.expect("cp").success());
    let (code, text) = luacheck(folder, "scripts");
    assert!(code == Some(0) && text.contains("0 warnings / 0 errors"), "{text}");

    let script = "local reply = mpms.http.gt(job.params.site.url)\nslep(task.args[1].pause)\nmpms = reply\nit()\n\
        mpms.json.read(mpms.codec.hex.encode(mpms.json.null), task.nme)\n";
    fs::write(folder.join("bad.lua"), script).expect("written");
    let (code, text) = luacheck(folder, "bad.lua");
    assert!(code == Some(1) && text.contains("5 warnings / 0 errors"), "{text}");
    for told in [
        ":1:15: accessing undefined field 'http.gt' of global 'mpms'",
        ":2:1: accessing undefined variable 'slep'",
        ":3:1: setting read-only global variable 'mpms'",
        ":4:1: accessing undefined variable 'it'",
        ":5:55: accessing undefined field 'nme' of global 'task'",
    ] {
        assert!(text.contains(told), "no {told} in\n{text}");
    }
    fs::rename(folder.join("bad.lua"), folder.join("bad_spec.lua")).expect("renamed");
    let (_, text) = luacheck(folder, "bad_spec.lua");
    assert!(!text.contains("'it'"), "{text}");
}
