//! `mpms check`

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::exit::Code;
use super::{complain, roles, show, surroundings};
use crate::cli::{CheckArgs, Format};
use crate::manifest::{Diagnostic, Overrides};
use crate::os::secrets;
use crate::plan;
use crate::report::diagnostic;

/// Looks for mistakes in every manifest that is named or lies in a named folder.
pub fn check(arguments: &CheckArgs) -> Code {
    let checked = (|| -> io::Result<(usize, Vec<Diagnostic>)> {
        let around = surroundings()?;
        let mut found = Vec::new();
        let paths = manifests(&arguments.paths)?;
        let flags = Overrides { lua_path: arguments.lua_path.clone(), ..Overrides::default() };
        for path in &paths {
            match plan::load(path, &flags, &around) {
                Err(mut wrong) => found.append(&mut wrong),
                Ok(mut plan) => {
                    found.append(&mut plan.warnings);
                    found.append(&mut roles::check(&plan).err().unwrap_or_default());
                }
            }
        }
        Ok((paths.len(), found))
    })();
    let (jobs, found) = match checked {
        Ok(checked) => checked,
        Err(error) => {
            complain(arguments.color, &error.to_string(), None);
            return Code::Usage;
        }
    };
    let warnings = found.iter().filter(|found| !found.is_error()).count();
    let mistakes = found.len() - warnings;
    match arguments.format {
        Format::Json => {
            let mut out = io::stdout().lock();
            for one in &found {
                let mut line = diagnostic::to_json(one).to_string();
                secrets::scrub(&mut line);
                let _ = writeln!(out, "{line}");
            }
        }
        Format::Human => {
            show(&found, arguments.color);
            let gap = if found.is_empty() { "" } else { "\n" };
            let jobs = counted(jobs, "job");
            let mistakes =
                if mistakes == 0 { "no mistakes".to_owned() } else { counted(mistakes, "mistake") };
            let warnings =
                if warnings == 0 { String::new() } else { format!(", {}", counted(warnings, "warning")) };
            let _ = writeln!(io::stderr().lock(), "{gap}     Checked {jobs}: {mistakes}{warnings}");
        }
    }
    if mistakes == 0 { Code::Success } else { Code::Usage }
}

fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// The named manifests, and those in named folders, sorted.
fn manifests(paths: &[PathBuf]) -> io::Result<Vec<PathBuf>> {
    let mut all = Vec::new();
    for path in paths {
        if !path.is_dir() {
            all.push(path.clone());
            continue;
        }
        let mut inside = Vec::new();
        for entry in path.read_dir().map_err(|error| at(path, &error))? {
            let file = entry.map_err(|error| at(path, &error))?.path();
            if file.extension().is_some_and(|extension| extension == "toml") {
                inside.push(file);
            }
        }
        if inside.is_empty() {
            return Err(io::Error::other(format!(
                "there is no manifest (*.toml) in the folder {}",
                path.display()
            )));
        }
        inside.sort();
        all.append(&mut inside);
    }
    Ok(all)
}

fn at(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot read the folder {}: {error}", path.display()))
}
