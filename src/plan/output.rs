//! Where rows go: `[output]`, `-o` and `-O`.

use std::path::{Path, PathBuf};

use super::paths::{absolute, shown};
use super::scripts::flag_spot;
use super::{OutputFormat, OutputMode, OutputPlan, OutputTarget};
use crate::manifest::{Diagnostic, Located, Output, Overrides, OwnOutput, Place, Spot};

/// How standard output is called.
pub const STDOUT: &str = "standard output";

/// What is known before the target is looked at.
struct Wanted {
    target: OutputTarget,
    /// Where the target was written.
    spot: Spot,
    /// A missing folder of a manifest's own path is made: it is mostly ignored by git, so that a fresh clone has none.
    /// One of `-o` is rather a typing error.
    makes_folder: bool,
    /// `-o` named it.
    is_flag: bool,
}

/// The plan of the output; none without one, and none after an error.
pub(super) fn output(
    written: Option<&Output>,
    overrides: &Overrides,
    dir: &Path,
    cwd: &Path,
    found: &mut Vec<Diagnostic>,
) -> Option<OutputPlan> {
    let wanted = match (&overrides.output, written) {
        (Some(path), _) => from_flag(path, cwd),
        (None, Some(written)) => match &written.path {
            Some(path) => from_manifest(path, dir),
            None => {
                found.push(
                    Diagnostic::at(
                        "plan::output",
                        "`[output]` has no `path`",
                        written.spot.clone(),
                        "rows to where?",
                    )
                    .help("write path = \"out/rows.jsonl\", or \"-\" for standard output; or give -o FILE"),
                );
                return None;
            }
        },
        (None, None) => return None,
    };
    let format = format(&wanted, written.and_then(|written| written.format.as_ref()), found)?;
    let own = own(&wanted, overrides);
    let mode = match mode(written, overrides) {
        OutputMode::Error if own.is_some_and(|own| own.anew) => OutputMode::Overwrite,
        mode => mode,
    };
    let ready = check_append(&wanted, written, format, mode, found)
        & check_target(&wanted, mode, own.is_some(), cwd, found);
    let fields = written.and_then(|written| written.fields.clone());
    let name = match &wanted.target {
        OutputTarget::File(path) => shown(path, cwd),
        OutputTarget::Stdout => STDOUT.to_owned(),
    };
    ready.then_some(OutputPlan { target: wanted.target, name, format, fields, mode })
}

fn from_flag(path: &Path, cwd: &Path) -> Wanted {
    let spot = flag_spot("-o", &path.display().to_string());
    Wanted { target: target(path, cwd), spot, makes_folder: false, is_flag: true }
}

fn from_manifest(path: &Located<String>, dir: &Path) -> Wanted {
    Wanted {
        target: target(Path::new(&path.value), dir),
        spot: path.spot.clone(),
        makes_folder: true,
        is_flag: false,
    }
}

fn target(path: &Path, folder: &Path) -> OutputTarget {
    if path == Path::new("-") { OutputTarget::Stdout } else { OutputTarget::File(absolute(folder, path)) }
}

fn own<'a>(wanted: &Wanted, overrides: &'a Overrides) -> Option<&'a OwnOutput> {
    let own = overrides.own_output.as_ref()?;
    matches!(&wanted.target, OutputTarget::File(path) if *path == own.path).then_some(own)
}

fn mode(written: Option<&Output>, overrides: &Overrides) -> OutputMode {
    match written.and_then(|written| written.mode.as_ref()) {
        _ if overrides.overwrite => OutputMode::Overwrite,
        Some(mode) => mode.value,
        None => OutputMode::Error,
    }
}

/// As the manifest says, else by the extension; standard output gets jsonl.
fn format(
    wanted: &Wanted,
    written: Option<&Located<OutputFormat>>,
    found: &mut Vec<Diagnostic>,
) -> Option<OutputFormat> {
    let OutputTarget::File(path) = &wanted.target else {
        let format = written.filter(|format| format.value == OutputFormat::Sqlite);
        if let Some(format) = format.filter(|_| !wanted.is_flag) {
            let title = "a SQLite database cannot go to standard output";
            let found_here = Diagnostic::at("plan::output", title, format.spot.clone(), "needs a file");
            found.push(found_here.help("write path = \"out/rows.sqlite\", or another format"));
            return None;
        }
        // `-o -` for this run gets the format that fits
        let fits = written.filter(|format| format.value != OutputFormat::Sqlite);
        return Some(fits.map_or(OutputFormat::Jsonl, |format| format.value));
    };
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    let by_name = match extension.as_str() {
        "jsonl" | "ndjson" => Some(OutputFormat::Jsonl),
        "csv" => Some(OutputFormat::Csv),
        "json" => Some(OutputFormat::Json),
        "sqlite" | "sqlite3" | "db" => Some(OutputFormat::Sqlite),
        _ => None,
    };
    // A file that `-o` names for this run says its format by its own name first: `-o x.csv`.
    let from_flag =
        written.is_some_and(|format| !std::sync::Arc::ptr_eq(&format.spot.source, &wanted.spot.source));
    let chosen = if from_flag {
        by_name.or(written.map(|format| format.value))
    } else {
        written.map(|format| format.value).or(by_name)
    };
    if chosen.is_none() {
        let title = match extension.as_str() {
            "" => "the output file's name does not tell a format".to_owned(),
            extension => format!("`.{extension}` does not tell a format"),
        };
        found.push(
            Diagnostic::at("plan::output_format", title, wanted.spot.clone(), "no known extension").help(
                "name it .jsonl, .csv, .json or .sqlite, or set `format` in `[output]` (--set output.format=jsonl)",
            ),
        );
    }
    chosen
}

/// Behind the bracket that ends a JSON array nothing can be written.
fn check_append(
    wanted: &Wanted,
    written: Option<&Output>,
    format: OutputFormat,
    mode: OutputMode,
    found: &mut Vec<Diagnostic>,
) -> bool {
    if format != OutputFormat::Json || mode != OutputMode::Append {
        return true;
    }
    let spot = written.and_then(|written| written.mode.as_ref()).map_or(&wanted.spot, |mode| &mode.spot);
    found.push(
        Diagnostic::at(
            "plan::output",
            "nothing can be appended to a JSON array",
            spot.clone(),
            "not with the format json",
        )
        .help("write jsonl, which has one value a line, or overwrite"),
    );
    false
}

fn check_target(
    wanted: &Wanted,
    mode: OutputMode,
    is_own: bool,
    cwd: &Path,
    found: &mut Vec<Diagnostic>,
) -> bool {
    let OutputTarget::File(path) = &wanted.target else { return true };
    let mode = if is_own { OutputMode::Append } else { mode };
    let problem = folder_problem(path, wanted, cwd).or_else(|| file_problem(path, wanted, mode, cwd));
    let ready = problem.is_none();
    found.extend(problem);
    ready
}

fn folder_problem(path: &Path, wanted: &Wanted, cwd: &Path) -> Option<Diagnostic> {
    let mut folder = path.parent()?;
    while wanted.makes_folder && is_missing(folder) {
        folder = folder.parent()?;
    }
    let name = shown(folder, cwd);
    let wrong = match folder.metadata() {
        Ok(meta) if meta.is_dir() => return None,
        Ok(_) => format!("`{name}` is a file, and the output cannot lie in it"),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            format!("the output's folder `{name}` does not exist")
        }
        Err(error) => format!("the output's folder `{name}` cannot be used: {error}"),
    };
    let found = Diagnostic::at("plan::output_folder", wrong, wanted.spot.clone(), "cannot be written here");
    let quoted = shlex::try_quote(&name).map_or(name.clone(), |quoted| quoted.into_owned());
    Some(found.help(format!("make the folder: mkdir -p {quoted}")))
}

fn is_missing(folder: &Path) -> bool {
    folder.metadata().is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound)
}

fn file_problem(path: &Path, wanted: &Wanted, mode: OutputMode, cwd: &Path) -> Option<Diagnostic> {
    let meta = path.metadata().ok()?;
    let name = shown(path, cwd);
    if meta.is_dir() {
        let title = format!("the output `{name}` is a folder");
        let found = Diagnostic::at("plan::output", title, wanted.spot.clone(), "a folder");
        return Some(found.help("name a file in it"));
    }
    // A device or a pipe holds nothing that could be lost.
    if meta.is_file() && mode == OutputMode::Error {
        let title = format!("the output file `{name}` exists");
        let found = Diagnostic::at("plan::output_exists", title, wanted.spot.clone(), "would be overwritten");
        return Some(found.help("overwrite it with -O, or keep it with `mode = \"append\"` in `[output]`"));
    }
    None
}

/// An output that is also read would be emptied, or read for ever.
pub(super) fn refuse_own_input(
    output: Option<&OutputPlan>,
    inputs: &[(PathBuf, Spot)],
    found: &mut Vec<Diagnostic>,
) {
    let Some(OutputTarget::File(target)) = output.map(|output| &output.target) else { return };
    let Ok(target) = target.canonicalize() else { return };
    for (input, spot) in inputs {
        if input.canonicalize().is_ok_and(|input| input == target) {
            let title = "the output is a file that this job reads";
            let found_here = Diagnostic::error("plan::output", title, Place::Spot(spot.clone()));
            found.push(found_here.help("write to another file"));
        }
    }
}
