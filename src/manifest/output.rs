//! `[output]`

use std::collections::HashMap;

use super::diagnostic::{Diagnostic, Spot};
use super::job::Located;
use super::section::{Reader, Section};

/// `[output]`
#[derive(Clone, Debug)]
pub struct Output {
    /// Where the table begins.
    pub spot: Spot,
    /// `path`, relative to the manifest's folder; `-` is standard output.
    pub path: Option<Located<String>>,
    /// `format`
    pub format: Option<Located<OutputFormat>>,
    /// `fields`, without doubles
    pub fields: Option<Vec<String>>,
    /// `mode`
    pub mode: Option<Located<OutputMode>>,
}

/// How rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputFormat {
    /// One JSON value a line.
    Jsonl,
    /// RFC 4180 with a header.
    Csv,
    /// One JSON array.
    Json,
    /// The table `results` of a SQLite database.
    Sqlite,
}

/// What to do when the output file exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputMode {
    /// Refuse.
    Error,
    /// Write behind what is there.
    Append,
    /// Begin anew.
    Overwrite,
}

const FORMATS: [(&str, OutputFormat); 4] = [
    ("jsonl", OutputFormat::Jsonl),
    ("csv", OutputFormat::Csv),
    ("json", OutputFormat::Json),
    ("sqlite", OutputFormat::Sqlite),
];

const MODES: [(&str, OutputMode); 3] =
    [("append", OutputMode::Append), ("overwrite", OutputMode::Overwrite), ("error", OutputMode::Error)];

impl Output {
    /// None when the path is wrong, so that nobody says that there is none.
    pub(super) fn read(reader: &mut Reader, top: Section<'_>, section: Section<'_>) -> Option<Self> {
        let header = top.entry("output").map_or(0..0, |entry| entry.key);
        let written = section.entry("path");
        let path = written.as_ref().and_then(|entry| reader.path_text(entry));
        let usable = written.is_none() || path.is_some();
        let output = Self {
            spot: reader.spot(header),
            path,
            format: reader.format(section),
            fields: reader.fields(section),
            mode: section.entry("mode").and_then(|entry| reader.choice(&entry, &MODES)),
        };
        usable.then_some(output)
    }
}

impl Reader {
    fn format(&mut self, section: Section<'_>) -> Option<Located<OutputFormat>> {
        self.choice(&section.entry("format")?, &FORMATS)
    }

    fn fields(&mut self, section: Section<'_>) -> Option<Vec<String>> {
        let fields = self.strings(&section.entry("fields")?)?;
        let mut seen = HashMap::new();
        for field in &fields {
            if let Some(first) = seen.insert(field.value.as_str(), &field.spot) {
                let found = Diagnostic::at(
                    "manifest::value",
                    "a field is named twice in `output.fields`",
                    field.spot.clone(),
                    "again here",
                )
                .related(first.clone(), "first here")
                .help("remove one of them");
                self.push(found);
            }
        }
        Some(fields.into_iter().map(|field| field.value).collect())
    }
}
