//! Sessions on the command line: each `tests/cmd/*/*.trycmd` and `*.toml`, one level deep, so that the manifests that they
//! use are not taken for cases; and the README.
//!
//! `TRYCMD=overwrite cargo test --test cmd` writes what is said now; put the `[..]` back after that.

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

fn mpms(words: &[&str]) -> String {
    let ran = Command::new(env!("CARGO_BIN_EXE_mpms")).args(words).output().expect("mpms can be started");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8(ran.stdout).expect("text")
}

/// The file must hold that text; with `UPDATE=1` it is written.
fn is_fresh(path: &Path, text: &str) {
    if std::env::var_os("UPDATE").is_some() {
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder can be made");
        fs::write(path, text).expect("a file can be written");
    }
    let held = fs::read_to_string(path).unwrap_or_default();
    let line = held.lines().zip(text.lines()).position(|(held, made)| held != made);
    assert!(held == text, "{} is old, from line {line:?} on: UPDATE=1 cargo test --test cmd", path.display());
}

#[test]
fn the_reference_of_the_library_is_fresh() {
    is_fresh(&repository().join("docs/library.md"), &mpms(&["doc", "--markdown"]));
}

#[test]
fn the_readme_has_every_module_of_the_library() {
    const BEGIN: &str = "<!-- modules: UPDATE=1 cargo test --test cmd -->\n";
    const END: &str = "<!-- end -->";
    let page = repository().join("README.md");
    let readme = fs::read_to_string(&page).expect("the README");
    let (before, rest) = readme.split_once(BEGIN).expect("the table of the modules");
    let (_, after) = rest.split_once(END).expect("its end");
    let library: serde_json::Value = serde_json::from_str(&mpms(&["doc", "--json"])).expect("JSON");
    let mut table = String::from("| module | |\n|---|---|\n");
    for module in library["modules"].as_array().expect("modules") {
        let (name, doc) = (module["name"].as_str().expect("a name"), module["doc"].as_str().expect("a text"));
        if !["globals", "spec"].contains(&name) {
            let paragraph: Vec<&str> = doc.lines().take_while(|line| !line.is_empty()).collect();
            let paragraph = paragraph.join(" ");
            let sentence = paragraph.find(". ").map_or(paragraph.as_str(), |end| &paragraph[..=end]);
            table.push_str(&format!("| [`mpms.{name}`](docs/library.md#mpms{name}) | {sentence} |\n"));
        }
    }
    is_fresh(&page, &format!("{before}{BEGIN}{table}{END}{after}"));
}
