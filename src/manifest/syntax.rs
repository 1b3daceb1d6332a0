//! TOML's own errors, all of them, in our words.

use std::ops::Range;
use std::sync::Arc;

use toml::de::{DeTable, DeValue, Error};

use super::diagnostic::{Diagnostic, SourceText, Spot};

/// How far an error reaches.
enum Reach {
    /// What follows is read right.
    Line,
    /// What follows may be read wrong: an open bracket, a broken header.
    Rest,
}

/// Errors of syntax, and what of the rest can be trusted.
pub(super) struct Syntax {
    pub(super) found: Vec<Diagnostic>,
    broken_lines: Vec<usize>,
    trusted_to: usize,
}

/// Errors after this many are consequences of the first.
const MAX_FOUND: usize = 20;

impl Syntax {
    /// Puts the parser's errors into words, one for a line.
    pub(super) fn new(source: &Arc<SourceText>, table: &DeTable<'_>, errors: &[Error]) -> Self {
        let mut places: Vec<_> =
            errors.iter().map(|error| (error.span().unwrap_or(0..0), error.message())).collect();
        places.sort_by_key(|(span, _)| span.start);
        let mut syntax = Self { found: Vec::new(), broken_lines: Vec::new(), trusted_to: usize::MAX };
        for (span, message) in places {
            let (line, _) = source.line_and_column(span.start.min(source.text.len()));
            let (mut found, reach) = describe(source, table, span, message);
            if matches!(reach, Reach::Rest) {
                syntax.trusted_to = syntax.trusted_to.min(line);
            }
            if syntax.broken_lines.last() != Some(&line) {
                if syntax.found.len() == MAX_FOUND {
                    found.title.insert_str(0, "and more: ");
                    syntax.trusted_to = syntax.trusted_to.min(line);
                }
                syntax.broken_lines.push(line);
                syntax.found.push(found);
            }
            if syntax.found.len() > MAX_FOUND {
                break;
            }
        }
        syntax
    }

    /// Whether an error in what the parser made of the text is one of the text.
    pub(super) fn trusts(&self, found: &Diagnostic, source: &Arc<SourceText>) -> bool {
        if self.found.is_empty() {
            return true;
        }
        // What seems to be missing may stand in the part that could not be read.
        let Some(spot) = found.spot().filter(|_| found.code != "manifest::missing") else { return false };
        let (line, _) = spot.line_and_column();
        !Arc::ptr_eq(&spot.source, source) || (line < self.trusted_to && !self.broken_lines.contains(&line))
    }
}

fn describe(
    source: &Arc<SourceText>,
    table: &DeTable<'_>,
    span: Range<usize>,
    message: &str,
) -> (Diagnostic, Reach) {
    let spot = Spot::new(source, span.clone());
    let (what, expected) = message.split_once(", expected ").unwrap_or((message, ""));
    let code = "manifest::syntax";
    if what == "duplicate key" {
        return (duplicate(source, table, spot), Reach::Line);
    }
    if what == "string values must be quoted" && span.is_empty() {
        let found = Diagnostic::at(code, "a key without a value", spot, "a value is missing here");
        return (found.help("write a value, or remove the key"), Reach::Line);
    }
    if what == "string values must be quoted" {
        let quoted = toml::Value::from(spot.text()).to_string();
        let found = Diagnostic::at(code, "a string without quotes", spot.clone(), "strings need quotes");
        return (found.help("put it in quotes").patch(spot, quoted), Reach::Line);
    }
    if what.starts_with("cannot recurse further") || what == "recursion limit" {
        let found = Diagnostic::at(code, "values are nested too deep", spot, "deeper than 80 here");
        return (found.help("flatten it, or put it in a file"), Reach::Rest);
    }
    let found = Diagnostic::at(code, what, spot.clone(), label(expected));
    let found = match spot.text() {
        ":" => found.help("TOML writes `key = value`"),
        _ => match what {
            "key with no value" => found.help("TOML writes `key = value`, and `[table]` for a table"),
            "unclosed table" => found.help("close it").patch(spot, "]"),
            "missing escaped value" => {
                found.help("write `\\\\` for a backslash, or use single quotes, in which nothing is escaped")
            }
            _ => found,
        },
    };
    let local = what.starts_with("missing escaped")
        || what.contains("leading zero")
        || what.starts_with("invalid basic string");
    (found, if local { Reach::Line } else { Reach::Rest })
}

fn label(expected: &str) -> String {
    match expected {
        "" => String::new(),
        "nothing" => "not expected here".into(),
        expected => format!("expected {expected}"),
    }
}

fn duplicate(source: &Arc<SourceText>, table: &DeTable<'_>, spot: Spot) -> Diagnostic {
    let first = first_header(source, &spot).or_else(|| {
        let name = spot.text().trim_matches(['"', '\'']);
        last_key_before(table, name, spot.span.start).map(|span| Spot::new(source, span))
    });
    let title = format!("`{}` is written twice", super::section::shorten(spot.text()));
    let found = Diagnostic::at("manifest::duplicate_key", title, spot, "again here");
    let found = found.help("keep one of them");
    match first {
        Some(first) => found.related(first, "first here"),
        None => found,
    }
}

/// For `[table]` on a line: the first line that is the same.
fn first_header(source: &Arc<SourceText>, spot: &Spot) -> Option<Spot> {
    let (line, _) = spot.line_and_column();
    let header = |line| source.text[source.line_span(line)].split('#').next().unwrap_or_default().trim();
    let wanted = header(line);
    if !wanted.starts_with('[') {
        return None;
    }
    let first = (1..line).find(|line| header(*line) == wanted)?;
    let start = source.line_span(first).start + source.text[source.line_span(first)].find('[')?;
    let offset = wanted.find(spot.text())?;
    Some(Spot::new(source, start + offset..start + offset + spot.span.len()))
}

/// The nearest key of this name before an offset, outside of inline tables.
fn last_key_before(table: &DeTable<'_>, name: &str, before: usize) -> Option<Range<usize>> {
    let mut nearest: Option<Range<usize>> = None;
    let mut open = vec![table];
    while let Some(table) = open.pop() {
        for (key, value) in table {
            let span = key.span();
            if key.get_ref() == name
                && span.start < before
                && nearest.as_ref().is_none_or(|near| near.start < span.start)
            {
                nearest = Some(span.clone());
            }
            if let DeValue::Table(inner) = value.get_ref() {
                open.push(inner);
            }
        }
    }
    nearest
}
