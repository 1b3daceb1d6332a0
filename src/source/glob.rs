//! `glob`: a task a file, as a table `{path, name, stem, ext, size, mtime}`, sorted by path.
//!
//! Patterns are relative to the job's folder, and so are the paths; `*` and `?` do not match `/`, `**` stands for
//! any folders, `{a,b}` for either. As in a shell, hidden files and folders are only seen when a part of the pattern begins
//! with a dot. A link to a file counts as the file; links to folders are not entered by `**` or `*`.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::Metadata;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use globset::{GlobBuilder, GlobMatcher};
use ignore::WalkBuilder;

use crate::model::Value;
use crate::source::SourceError;
use crate::source::arena::Arena;
use crate::wire::value::encode_list;

/// A pattern, taken apart.
struct Pattern {
    /// Folders before the first part with a wildcard, `""` for the job's folder.
    base: String,
    /// Parts behind it, unless `**` or braces make that unknown.
    depth: Option<usize>,
    /// Whether hidden files are looked at.
    hidden: bool,
    matcher: GlobMatcher,
}

/// Finds the files, all of them at once.
///
/// # Errors
/// When a pattern is wrong, a folder cannot be read, or no file matches.
pub fn find(patterns: &[String], dir: &Path) -> Result<Arena, SourceError> {
    let mut files = BTreeMap::new();
    for pattern in patterns {
        search(&Pattern::new(pattern)?, dir, &mut files)?;
    }
    if files.is_empty() {
        let quoted: Vec<_> = patterns.iter().map(|pattern| format!("\"{pattern}\"")).collect();
        let what = match &quoted[..] {
            [] => "`glob` has no pattern".into(),
            quoted => format!("no file matches {} in {}", quoted.join(" or "), dir.display()),
        };
        let help =
            "patterns are relative to the manifest's folder; `**` enters folders, hidden files need a dot";
        return Err(SourceError::Empty { what, help });
    }
    let mut arena = Arena::default();
    for (path, (size, mtime)) in files {
        arena.push(&encode_list([entry(&path, size, mtime)].iter()));
    }
    Ok(arena)
}

impl Pattern {
    fn new(text: &str) -> Result<Self, SourceError> {
        let root = if text.starts_with('/') { "/" } else { "" };
        let parts: Vec<_> = text.split('/').filter(|part| !part.is_empty()).collect();
        let folders = parts.len().saturating_sub(1);
        let plain =
            parts.iter().take(folders).take_while(|part| !part.contains(['*', '?', '[', '{', '\\'])).count();
        let (base, rest) = (parts[..plain].join("/"), parts[plain..].join("/"));
        let matcher = GlobBuilder::new(&format!("{root}{}", parts.join("/")))
            .literal_separator(true)
            .backslash_escape(true)
            .build()
            .map_err(|source| SourceError::Pattern { pattern: text.into(), source })?
            .compile_matcher();
        let unknown = rest.contains("**") || rest.contains('{');
        Ok(Pattern {
            base: format!("{root}{base}"),
            depth: (!unknown).then_some(parts.len() - plain),
            hidden: rest.starts_with('.') || ["/.", "{.", ",."].iter().any(|dot| rest.contains(dot)),
            matcher,
        })
    }
}

type Files = BTreeMap<Vec<u8>, (u64, f64)>;

fn search(pattern: &Pattern, dir: &Path, files: &mut Files) -> Result<(), SourceError> {
    let start = dir.join(&pattern.base);
    if !start.is_dir() {
        return Ok(());
    }
    let failed = |source| SourceError::Search { path: start.clone(), source };
    let walk = WalkBuilder::new(&start)
        .standard_filters(false)
        .hidden(!pattern.hidden)
        .max_depth(pattern.depth)
        .build();
    for found in walk {
        let found = found.map_err(failed)?;
        let Ok(relative) = found.path().strip_prefix(&start) else { continue };
        let path = Path::new(&pattern.base).join(relative);
        if !pattern.matcher.is_match(&path) || found.file_type().is_some_and(|kind| kind.is_dir()) {
            continue;
        }
        // A link is looked through; one that leads nowhere is no file, and neither is what vanished meanwhile.
        if let Ok(metadata) = std::fs::metadata(found.path())
            && metadata.is_file()
        {
            files.insert(path.as_os_str().as_bytes().to_vec(), (metadata.len(), mtime(&metadata)));
        }
    }
    Ok(())
}

/// Seconds since 1970.
fn mtime(metadata: &Metadata) -> f64 {
    metadata.mtime() as f64 + metadata.mtime_nsec() as f64 / 1e9
}

fn entry(path: &[u8], size: u64, mtime: f64) -> Value {
    let file = Path::new(OsStr::from_bytes(path));
    let bytes = |part: Option<&OsStr>| Value::Bytes(part.unwrap_or_default().as_bytes().to_vec());
    Value::Map(vec![
        (Value::text("path"), Value::Bytes(path.to_vec())),
        (Value::text("name"), bytes(file.file_name())),
        (Value::text("stem"), bytes(file.file_stem())),
        (Value::text("ext"), bytes(file.extension())),
        (Value::text("size"), Value::Int(size.cast_signed())),
        (Value::text("mtime"), Value::Float(mtime)),
    ])
}
