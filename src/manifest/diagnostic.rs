//! What is wrong, and where: facts only. `report::diagnostic` puts them into words and colours.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

/// Text that can be pointed into, with the name under which people know it.
#[derive(Debug)]
pub struct SourceText {
    /// A path as people type it, or `command line`.
    pub name: String,
    /// All of it.
    pub text: Arc<str>,
    line_starts: OnceLock<Vec<usize>>,
}

impl SourceText {
    /// Text under a name.
    pub fn new(name: impl Into<String>, text: impl Into<Arc<str>>) -> Arc<Self> {
        Arc::new(Self { name: name.into(), text: text.into(), line_starts: OnceLock::new() })
    }

    /// Line and column, both from 1, the column in characters.
    pub fn line_and_column(&self, at: usize) -> (usize, usize) {
        let starts = self.line_starts();
        let line = starts.partition_point(|start| *start <= at);
        let start = starts[line - 1];
        let column = self.text.get(start..at).map_or(0, |before| before.chars().count());
        (line, column + 1)
    }

    /// Where a line's bytes are, without its line break; a line behind the last is the last.
    pub fn line_span(&self, line: usize) -> Range<usize> {
        let starts = self.line_starts();
        let index = line.clamp(1, starts.len()) - 1;
        let end = starts.get(index + 1).map_or(self.text.len(), |next| next - 1);
        let end = if self.text[starts[index]..end].ends_with('\r') { end - 1 } else { end };
        starts[index]..end
    }

    fn line_starts(&self) -> &[usize] {
        self.line_starts.get_or_init(|| {
            let breaks = self.text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
            std::iter::once(0).chain(breaks.map(|(at, _)| at + 1)).collect()
        })
    }
}

/// A piece of a text.
#[derive(Clone)]
pub struct Spot {
    /// The text.
    pub source: Arc<SourceText>,
    /// Bytes of it, on character boundaries.
    pub span: Range<usize>,
}

impl Spot {
    /// `span` of `source`, moved to the nearest character boundaries inside of the text.
    pub fn new(source: &Arc<SourceText>, span: Range<usize>) -> Self {
        let text = &source.text;
        let start = text.floor_char_boundary(span.start);
        let end = text.ceil_char_boundary(span.end.max(start));
        Self { source: Arc::clone(source), span: start..end }
    }

    /// The line (from 1) on which it begins, and the column (from 1, in characters).
    pub fn line_and_column(&self) -> (usize, usize) {
        self.source.line_and_column(self.span.start)
    }

    /// What is written there.
    pub fn text(&self) -> &str {
        &self.source.text[self.span.clone()]
    }
}

impl fmt::Debug for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{:?}]", self.source.name, self.span)
    }
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// Nothing runs.
    Error,
    /// Runs, and should be looked at.
    Warning,
}

/// Where it is, as well as it is known.
#[derive(Clone, Debug)]
pub enum Place {
    /// Nowhere in particular.
    Nowhere,
    /// Somewhere in a file.
    File(String),
    /// A line (from 1) of a file whose text is not at hand.
    Line(String, usize),
    /// Exactly there.
    Spot(Spot),
}

/// Another piece of text that belongs to it.
#[derive(Clone, Debug)]
pub struct Label {
    /// Where.
    pub spot: Spot,
    /// What is to be said about it.
    pub text: String,
}

/// A change that would mend it.
#[derive(Clone, Debug)]
pub struct Patch {
    /// What goes away; an empty span inserts.
    pub spot: Spot,
    /// What comes.
    pub text: String,
}

/// One thing that is wrong.
#[derive(Clone, Debug)]
pub struct Diagnostic {
    /// Error or warning.
    pub severity: Severity,
    /// Public and stable, without the `mpms::` in front: `manifest::unknown_key`.
    pub code: &'static str,
    /// One line, lower case, no full stop.
    pub title: String,
    /// Where.
    pub place: Place,
    /// What stands at that place, in a few words; may be empty.
    pub label: String,
    /// Other places that matter.
    pub related: Vec<Label>,
    /// More facts, a line each.
    pub notes: Vec<String>,
    /// The way out.
    pub help: Option<String>,
    /// Changes that do what `help` says.
    pub patches: Vec<Patch>,
}

impl Diagnostic {
    /// An error somewhere.
    pub fn error(code: &'static str, title: impl Into<String>, place: Place) -> Self {
        Self {
            severity: Severity::Error,
            code,
            title: title.into(),
            place,
            label: String::new(),
            related: Vec::new(),
            notes: Vec::new(),
            help: None,
            patches: Vec::new(),
        }
    }

    /// An error at an exact place, with what stands there.
    pub fn at(code: &'static str, title: impl Into<String>, spot: Spot, label: impl Into<String>) -> Self {
        Self { label: label.into(), ..Self::error(code, title, Place::Spot(spot)) }
    }

    /// As [`Diagnostic::at`], of something that runs and should be looked at.
    pub fn warning(
        code: &'static str,
        title: impl Into<String>,
        spot: Spot,
        label: impl Into<String>,
    ) -> Self {
        Self { severity: Severity::Warning, ..Self::at(code, title, spot, label) }
    }

    /// Whether nothing can run.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// An error on a line of a text: the line's text without its indentation is the place.
    pub fn on_line(
        code: &'static str,
        title: impl Into<String>,
        source: &Arc<SourceText>,
        line: usize,
    ) -> Self {
        let span = source.line_span(line);
        let written = &source.text[span.clone()];
        let start = span.start + written.len() - written.trim_start().len();
        let end = span.start + written.trim_end().len();
        Self::error(code, title, Place::Spot(Spot::new(source, start..end.max(start))))
    }

    /// Adds another place that matters.
    #[must_use]
    pub fn related(mut self, spot: Spot, text: impl Into<String>) -> Self {
        self.related.push(Label { spot, text: text.into() });
        self
    }

    /// Adds a fact.
    #[must_use]
    pub fn note(mut self, text: impl Into<String>) -> Self {
        self.notes.push(text.into());
        self
    }

    /// Tells the way out.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }

    /// Adds a change that does what the help says.
    #[must_use]
    pub fn patch(mut self, spot: Spot, text: impl Into<String>) -> Self {
        self.patches.push(Patch { spot, text: text.into() });
        self
    }

    /// The exact place, when it is known.
    pub fn spot(&self) -> Option<&Spot> {
        match &self.place {
            Place::Spot(spot) => Some(spot),
            _ => None,
        }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Nowhere => {}
            Place::File(file) => write!(f, "{file}: ")?,
            Place::Line(file, line) => write!(f, "{file}:{line}: ")?,
            Place::Spot(spot) => {
                let (line, column) = spot.line_and_column();
                write!(f, "{}:{line}:{column}: ", spot.source.name)?;
            }
        }
        f.write_str(&self.title)
    }
}

impl std::error::Error for Diagnostic {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_count_from_one_in_characters() {
        let source = SourceText::new("a", "é = 1\r\nzwei\n");
        assert_eq!(source.line_and_column(0), (1, 1));
        assert_eq!(source.line_and_column(2), (1, 2));
        assert_eq!(source.line_and_column(8), (2, 1));
        assert_eq!(source.line_and_column(13), (3, 1));
        assert_eq!(&source.text[source.line_span(1)], "é = 1");
        assert_eq!(&source.text[source.line_span(9)], "");
    }

    #[test]
    fn a_spot_never_cuts_a_character_nor_leaves_the_text() {
        let source = SourceText::new("a", "é");
        assert_eq!(Spot::new(&source, 1..1).text(), "é");
        assert_eq!(Spot::new(&source, 7..900).text(), "");
    }
}
