//! Every manifest in `tests/manifest/` against what it is told: `NAME.stderr` beside `NAME.toml`.
//!
//! A first line `# mpms run CASE FLAGS` gives the flags. `UPDATE=1` writes what is told now.

use std::path::{Path, PathBuf};

use mpms::cli::{Cli, Command};
use mpms::manifest::{Overrides, SourceText, check};
use mpms::plan::{Surroundings, load};
use mpms::report::diagnostic::{Look, render_all, to_json};
use proptest::prelude::*;

fn cases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/manifest");
    let entries = folder.read_dir().expect("the folder of cases").flatten().map(|entry| entry.path());
    let mut cases: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|end| end == "toml")).collect();
    cases.sort();
    cases
}

fn flags(case: &Path) -> Overrides {
    let bytes = std::fs::read(case).expect("a case can be read");
    let text = String::from_utf8_lossy(&bytes);
    let line = text.lines().next().and_then(|line| line.strip_prefix("# mpms run CASE"));
    let words = ["mpms", "run", "CASE"].into_iter().chain(line.unwrap_or_default().split_whitespace());
    match Cli::read(words).map(|cli| cli.command) {
        Ok(Command::Run(run)) => run.overrides(),
        other => panic!("{}: {other:?}", case.display()),
    }
}

fn told(case: &Path) -> String {
    let around =
        Surroundings { cwd: case.parent().expect("a folder").to_path_buf(), cpus: 4, memory: 8 << 30 };
    match load(case, &flags(case), &around) {
        Ok(plan) => render_all(&plan.warnings, Look::default()),
        Err(found) => render_all(&found, Look::default()),
    }
}

#[test]
fn every_manifest_is_told_what_is_wrong_with_it() {
    std::env::set_current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/manifest"))
        .expect("the folder");
    let update = std::env::var_os("UPDATE").is_some();
    let mut wrong = Vec::new();
    for case in cases() {
        let expected = case.with_extension("stderr");
        let told = told(&case);
        if update {
            std::fs::write(&expected, &told).expect("what is told can be written");
        } else if std::fs::read_to_string(&expected).unwrap_or_default() != told {
            wrong.push(format!("{}:\n{told}", case.display()));
        }
        let name = case.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        assert_eq!(told.is_empty(), name.ends_with("_ok"), "{name}:\n{told}");
    }
    assert!(
        wrong.is_empty(),
        "other than in the .stderr files (UPDATE=1 writes them):\n{}",
        wrong.join("\n")
    );
}

/// Pieces with which a renderer has to do: tabs, wide letters, line breaks of both kinds, long lines.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "[worker]",
        "\n",
        "\r\n",
        "\t",
        "日本",
        "é",
        "\u{301}",
        "\u{1b}[31m",
        "threads = ",
        "\"4\"",
        "[tasks]",
        "items = [1",
        "range = [1,\n",
        "proceses = 1",
        "'''",
        "{",
        "}",
        "]",
        "a.b",
        " = ",
        "\"x\"",
        "#",
        "\u{feff}",
    ]);
    let long = Just(format!("\"{}\"", "x".repeat(5000)));
    let piece = prop_oneof![20 => piece.prop_map(str::to_owned), 1 => long];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_wrong_can_be_shown(
        text in pieces(), flag in pieces(), color in any::<bool>(), width in 1_usize..200,
    ) {
        let (_, found) = check(&SourceText::new("job.toml", text), &[flag]);
        let shown = render_all(&found, Look { color, width });
        prop_assert_eq!(shown.is_empty(), found.is_empty());
        prop_assert!(color || !shown.contains('\x1b'));
        for found in &found {
            prop_assert!(to_json(found)["code"].as_str().is_some_and(|code| code.starts_with("mpms::")));
        }
    }
}
