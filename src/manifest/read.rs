//! A manifest's file as text.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use super::diagnostic::{Diagnostic, Place, SourceText, Spot};

/// Largest manifest or script: 64 MiB, the limit of a value too. A device that never ends would fill the memory.
pub const MAX_FILE_BYTES: u64 = 64 << 20;

/// A file's text, shown to people as `shown`.
///
/// # Errors
/// When it cannot be read, is too large, or is not UTF-8.
pub fn read(path: &Path, shown: &str) -> Result<Arc<SourceText>, Box<Diagnostic>> {
    let unreadable = |error: io::Error| {
        let title = format!("cannot read the manifest `{shown}`: {}", reason(&error));
        let place = Place::File(shown.to_owned());
        Diagnostic::error("manifest::unreadable", title, place).help(way_out(&error))
    };
    let bytes = read_limited(path).map_err(unreadable)?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok(SourceText::new(shown, text)),
        Err(error) => Err(Box::new(not_utf8(shown, error.as_bytes(), error.utf8_error().valid_up_to()))),
    }
}

/// A file's bytes, up to [`MAX_FILE_BYTES`].
///
/// # Errors
/// When it cannot be read, is a folder, or is larger.
pub fn read_limited(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than 64 MiB"));
    }
    Ok(bytes)
}

/// Why a file cannot be read, without the number that the system gives.
fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".into(),
        io::ErrorKind::PermissionDenied => "permission denied".into(),
        io::ErrorKind::IsADirectory => "it is a folder".into(),
        _ => error.to_string(),
    }
}

fn way_out(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound => "check the path; paths on the command line start at the current folder",
        io::ErrorKind::PermissionDenied => "give yourself the right to read it: chmod u+r",
        io::ErrorKind::IsADirectory => "name a manifest in it, or check them all: mpms check FOLDER",
        io::ErrorKind::FileTooLarge => {
            "put large data in a file beside the manifest and read it with `tasks.jsonl`"
        }
        _ => "check the file",
    }
}

fn not_utf8(shown: &str, bytes: &[u8], at: usize) -> Diagnostic {
    // Everything before `at` is UTF-8, so that offsets up to there are the same in both texts.
    let source = SourceText::new(shown, String::from_utf8_lossy(bytes));
    let wide = bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]);
    let label = if wide { "this is UTF-16".into() } else { format!("this byte is {:#04x}", bytes[at]) };
    let spot = Spot::new(&source, at..at + 1);
    Diagnostic::at("manifest::encoding", "the manifest is not UTF-8", spot, label)
        .help("save the file as UTF-8; for other bytes in a string write \"\\xNN\" in the script")
}
