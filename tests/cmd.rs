//! Sessions on the command line: each `tests/cmd/*/*.trycmd` and `*.toml`, one level deep, so that the manifests that they
//! use are not taken for cases; and the README.
//!
//! `TRYCMD=overwrite cargo test --test cmd` writes what is said now; put the `[..]` back after that.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn sessions() {
    let cases = trycmd::TestCases::new();
    cases.env("NO_COLOR", "1");
    cases.case("tests/cmd/*/*.trycmd").case("tests/cmd/*/*.toml");
}

/// The blocks of the README that are files: those with a name behind their language.
fn files(readme: &str) -> Vec<(&str, String)> {
    let mut files = Vec::new();
    let mut lines = readme.lines();
    while let Some(line) = lines.next() {
        let Some((_, name)) = line.strip_prefix("```").and_then(|words| words.split_once(' ')) else {
            continue;
        };
        let text = lines
            .by_ref()
            .take_while(|line| *line != "```")
            .fold(String::new(), |text, line| text + line + "\n");
        files.push((name, text));
    }
    files
}

#[test]
fn the_readme() {
    let page = repository().join("README.md");
    let readme = fs::read_to_string(&page).expect("the README");
    // trycmd runs README.md in a copy of README.in, and keeps one copy for all sessions when there is a README.out
    let folder = tempfile::tempdir().expect("a temporary folder");
    let start = folder.path().join("README.in");
    for folder in [&start, &folder.path().join("README.out")] {
        fs::create_dir(folder).expect("a folder can be made");
    }
    for (name, text) in files(&readme) {
        fs::write(start.join(name), text).expect("a file can be written");
    }
    let copy = folder.path().join("README.md");
    fs::write(&copy, readme).expect("a file can be written");
    let ran = std::panic::catch_unwind(|| {
        let cases = trycmd::TestCases::new();
        cases.env("NO_COLOR", "1");
        cases.case(&copy);
    });
    if std::env::var_os("TRYCMD").is_some_and(|mode| mode == "overwrite") {
        fs::copy(&copy, &page).expect("the README can be written");
    }
    ran.expect("a session went another way, see above");
}

const LIBRARY: &str = r#"
code = '''
return {
  worker = function(module)
    for name, value in pairs(mpms[module]) do
      if type(value) == "function" then emit(module .. "." .. name) end
    end
  end,
}
'''
tasks.items = ["fs", "http", "json", "log", "path", "time"]
"#;

#[test]
fn the_readme_knows_every_function_of_the_library_and_no_other() {
    let readme = fs::read_to_string(repository().join("README.md")).expect("the README");
    let rows = readme.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('('));
    let modules = ["fs.", "http.", "json.", "log.", "path.", "time."];
    let told: BTreeSet<_> = rows
        .map(|(name, _)| name.to_owned())
        .filter(|name| modules.iter().any(|module| name.starts_with(module)))
        .collect();

    let folder = tempfile::tempdir().expect("a temporary folder");
    let manifest = folder.path().join("library.toml");
    fs::write(&manifest, LIBRARY).expect("a file can be written");
    let ran = Command::new(env!("CARGO_BIN_EXE_mpms")).args(["run", "-q"]).arg(&manifest).output();
    let ran = ran.expect("mpms can be started");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let stdout = String::from_utf8_lossy(&ran.stdout);
    let exist: BTreeSet<_> = stdout.lines().map(|line| line.trim_matches('"').to_owned()).collect();
    assert_eq!(told, exist, "the README on the left");
}
