//! Scripts, each read once for the whole run.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Script;
use super::paths::{absolute, shown};
use crate::manifest::{Diagnostic, Located, Lua, SourceText, Spot, closest, read_limited};

/// Reads scripts; a file that plays several roles is one text.
pub(super) struct Scripts<'a> {
    /// The manifest's folder.
    pub(super) dir: &'a Path,
    /// The shell's folder.
    pub(super) cwd: &'a Path,
    pub(super) read: HashMap<PathBuf, Option<Script>>,
}

impl Scripts<'_> {
    /// A role's script; none after an error, which is told once for each file.
    pub(super) fn take(&mut self, lua: &Lua, found: &mut Vec<Diagnostic>) -> Option<Script> {
        match lua {
            Lua::Code(code) => self.inline(code, found),
            Lua::Script(path) => {
                let file = absolute(self.dir, Path::new(&path.value));
                if let Some(known) = self.read.get(&file) {
                    return known.clone();
                }
                let script = self.file(&file, path).map_err(|problem| found.push(*problem)).ok();
                self.read.insert(file, script.clone());
                script
            }
        }
    }

    fn file(&self, file: &Path, written: &Located<String>) -> Result<Script, Box<Diagnostic>> {
        let name = shown(file, self.cwd);
        let text =
            read_limited(file).map_err(|error| unreadable("script", file, &name, &error, &written.spot))?;
        refuse_binary(&name, &text, &written.spot)?;
        let dir = file.parent().unwrap_or(self.dir).to_path_buf();
        Ok(Script { name, dir, text: text.into() })
    }

    fn inline(&self, code: &Located<String>, found: &mut Vec<Diagnostic>) -> Option<Script> {
        if let Err(problem) = refuse_binary("code", code.value.as_bytes(), &code.spot) {
            found.push(*problem);
            return None;
        }
        let before = first_line(&code.spot) - 1;
        let mut text = vec![b'\n'; before];
        text.extend_from_slice(code.value.as_bytes());
        let name = code.spot.source.name.clone();
        Some(Script { name, dir: self.dir.to_path_buf(), text: Arc::from(text) })
    }
}

/// The line on which a string's first character stands: TOML drops a line break right behind `'''`.
fn first_line(spot: &Spot) -> usize {
    let written = spot.text();
    let inside = written.strip_prefix("'''").or_else(|| written.strip_prefix("\"\"\""));
    let dropped = inside.is_some_and(|inside| inside.starts_with('\n') || inside.starts_with("\r\n"));
    spot.line_and_column().0 + usize::from(dropped)
}

/// Compiled Lua can crash the interpreter, and nobody can read it.
fn refuse_binary(name: &str, text: &[u8], spot: &Spot) -> Result<(), Box<Diagnostic>> {
    // Lua skips a first line that begins with `#` before it looks.
    let body = match text.first() {
        Some(b'#') => text.iter().position(|byte| *byte == b'\n').map_or(&[][..], |end| &text[end + 1..]),
        _ => text,
    };
    if !text.starts_with(b"\x1b") && !body.starts_with(b"\x1b") {
        return Ok(());
    }
    let title = format!("`{name}` is compiled Lua, not text");
    let found = Diagnostic::at("plan::binary_script", title, spot.clone(), "a binary chunk")
        .help("name the source file: compiled Lua can crash the interpreter and is never loaded");
    Err(Box::new(found))
}

/// A file that a manifest or a flag names and that cannot be read.
pub(super) fn unreadable(
    what: &str,
    file: &Path,
    name: &str,
    error: &io::Error,
    spot: &Spot,
) -> Box<Diagnostic> {
    let found = match error.kind() {
        io::ErrorKind::NotFound => {
            let title = format!("the {what} `{name}` does not exist");
            let found = Diagnostic::at("plan::missing_file", title, spot.clone(), "no such file");
            neighbour(file, spot, found)
        }
        io::ErrorKind::PermissionDenied => {
            let title = format!("the {what} `{name}` cannot be read");
            Diagnostic::at("plan::unreadable_file", title, spot.clone(), "permission denied")
                .help(format!("give yourself the right to read it: chmod u+r {name}"))
        }
        io::ErrorKind::IsADirectory => {
            let title = format!("the {what} `{name}` is a folder");
            Diagnostic::at("plan::unreadable_file", title, spot.clone(), "a folder").help("name a file in it")
        }
        _ => {
            let title = format!("the {what} `{name}` cannot be read");
            Diagnostic::at("plan::unreadable_file", title, spot.clone(), error.to_string())
        }
    };
    Box::new(found)
}

/// Names a file of the same folder that was probably meant.
fn neighbour(file: &Path, spot: &Spot, found: Diagnostic) -> Diagnostic {
    let wanted = file.file_name().unwrap_or_default().to_string_lossy();
    let Some(Ok(entries)) = file.parent().map(Path::read_dir) else {
        return found
            .help("its folder does not exist either; paths in a manifest start at the manifest's folder");
    };
    let names: Vec<_> = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
    let meant = closest(&wanted, names.iter().map(String::as_str));
    match (meant, spot.text().rfind(&*wanted)) {
        (Some(meant), Some(at)) => {
            let start = spot.span.start + at;
            let place = Spot::new(&spot.source, start..start + wanted.len());
            found.help("a file with a similar name exists").patch(place, meant)
        }
        _ => found
            .help("paths in a manifest start at the manifest's folder, paths in a flag at the current one"),
    }
}

/// The text of a flag, for errors: `-o out.xyz`, and the place of `value` in it.
pub(super) fn flag_spot(flag: &str, value: &str) -> Spot {
    let source = SourceText::new("command line", format!("{flag} {value}"));
    Spot::new(&source, flag.len() + 1..flag.len() + 1 + value.len())
}
