//! TOML's own errors, all of them, in our words.

use std::ops::Range;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue, Error};

use super::diagnostic::{Diagnostic, SourceText, Spot};
use super::section::shorten;
use super::suggest::closest;

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

/// The parser's errors with the texts that they are about.
struct Words<'a> {
    source: &'a Arc<SourceText>,
    /// What the parser made of the text all the same.
    table: &'a DeTable<'a>,
}

impl Syntax {
    /// Puts the parser's errors into words, one for a line.
    pub(super) fn new(source: &Arc<SourceText>, table: &DeTable<'_>, errors: &[Error]) -> Self {
        let words = Words { source, table };
        let mut syntax = Self { found: Vec::new(), broken_lines: Vec::new(), trusted_to: usize::MAX };
        if let Some(found) = words.other_language().filter(|_| !errors.is_empty()) {
            syntax.add(1, found, Reach::Rest);
            return syntax;
        }
        let mut places: Vec<_> =
            errors.iter().map(|error| (error.span().unwrap_or(0..0), error.message())).collect();
        places.sort_by_key(|(span, _)| span.start);
        // Behind an open bracket everything looks wrong.
        let ends = places
            .iter()
            .filter(|(_, message)| message.starts_with("unclosed ") || message.contains(" multi-line "));
        let open = ends.take(MAX_FOUND).filter_map(|(span, message)| words.opening(span, message));
        let open = open.min_by_key(|spot| spot.span.start);
        let end = open.as_ref().map_or(usize::MAX, |open| open.span.start);
        for (span, message) in places {
            let line = source.line_and_column(span.start.min(source.text.len())).0;
            if span.start >= end || syntax.found.len() == MAX_FOUND {
                syntax.trusted_to = syntax.trusted_to.min(line);
                break;
            }
            let (found, reach) = words.describe(span, message);
            syntax.add(line, found, reach);
        }
        if let Some(open) = open.filter(|_| syntax.found.len() < MAX_FOUND) {
            syntax.add(open.line_and_column().0, never_closed(open), Reach::Rest);
        }
        syntax
    }

    fn add(&mut self, line: usize, found: Diagnostic, reach: Reach) {
        if matches!(reach, Reach::Rest) {
            self.trusted_to = self.trusted_to.min(line);
        }
        if self.broken_lines.last() != Some(&line) {
            self.broken_lines.push(line);
            self.found.push(found);
        }
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

impl Words<'_> {
    fn spot(&self, span: Range<usize>) -> Spot {
        Spot::new(self.source, span)
    }

    /// A script or JSON in the place of a manifest: every line of it would be an error.
    fn other_language(&self) -> Option<Diagnostic> {
        let first = |line: usize| self.spot(self.source.line_span(line));
        let code = "manifest::not_a_manifest";
        if self.source.name.ends_with(".lua") {
            let found = Diagnostic::at(code, "this is a Lua script, not a manifest", first(1), "not TOML");
            let name = self.source.name.rsplit('/').next().unwrap_or_default();
            return Some(found.help(format!("name it in a manifest, `script = \"{name}\"`, and run that")));
        }
        if self.source.text.trim_start().starts_with('{') {
            let found = Diagnostic::at(code, "this is JSON, not a manifest", first(1), "not TOML");
            return Some(found.help("write `key = value`, a line each, and `[table]` for a table"));
        }
        None
    }

    /// For an error at the end of something that was never closed: where it was opened.
    fn opening(&self, span: &Range<usize>, message: &str) -> Option<Spot> {
        let marks: &[&str] = match message.split(',').next()? {
            "unclosed array" => &["["],
            "unclosed inline table" => &["{"],
            "invalid multi-line literal string" if span.start == self.source.text.len() => &["'''"],
            "invalid multi-line basic string" if span.start == self.source.text.len() => &["\"\"\""],
            _ => return None,
        };
        let mark = marks.first()?;
        let found = self.find_value(|value| {
            value.end == span.start && self.source.text[value.start..].starts_with(mark)
        })?;
        Some(self.spot(found.start..found.start + mark.len()))
    }

    /// The outermost value whose place is as wanted.
    fn find_value(&self, wanted: impl Fn(&Range<usize>) -> bool) -> Option<Range<usize>> {
        let mut open: Vec<&Spanned<DeValue<'_>>> = self.table.iter().map(|(_, value)| value).collect();
        while let Some(value) = open.pop() {
            if wanted(&value.span()) {
                return Some(value.span());
            }
            match value.get_ref() {
                DeValue::Array(items) => open.extend(items.iter()),
                DeValue::Table(table) => open.extend(table.iter().map(|(_, value)| value)),
                _ => {}
            }
        }
        None
    }

    /// A scalar without quotes that contains a place on its line.
    fn bare_value(&self, at: usize) -> Option<Spot> {
        let spot =
            self.spot(self.find_value(|value| value.start <= at && at <= value.end && self.is_bare(value))?);
        Some(spot).filter(|spot| !spot.text().is_empty())
    }

    fn is_bare(&self, span: &Range<usize>) -> bool {
        let text = &self.source.text[span.clone()];
        !text.contains('\n') && !text.starts_with(['[', '{', '"', '\''])
    }

    fn describe(&self, span: Range<usize>, message: &str) -> (Diagnostic, Reach) {
        let spot = self.spot(span.clone());
        let (what, expected) = message.split_once(", expected ").unwrap_or((message, ""));
        let code = "manifest::syntax";
        match what {
            "duplicate key" => (duplicate(self.source, self.table, spot), Reach::Line),
            "string values must be quoted" if span.is_empty() => {
                let found = Diagnostic::at(code, "a key without a value", spot, "a value is missing here");
                (found.help("write a value, or remove the key"), Reach::Line)
            }
            "string values must be quoted" => (unquoted(spot), Reach::Line),
            "invalid boolean"
            | "invalid float"
            | "invalid mantissa"
            | "invalid fraction"
            | "invalid exponent"
            | "invalid integer"
            | "unexpected leading zero" => match self.bare_value(span.start) {
                Some(bare) => (unquoted(bare), Reach::Line),
                None => (Diagnostic::at(code, what, spot, label(expected)), Reach::Line),
            },
            "cannot recurse further; max recursion depth met" | "recursion limit" => {
                let found = Diagnostic::at(code, "values are nested too deep", spot, "deeper than 80 here");
                (found.help("flatten it, or put it in a file"), Reach::Rest)
            }
            "invalid basic string" | "invalid literal string" if expected.len() == 3 => {
                let quote = expected.trim_matches('`').to_owned();
                let found =
                    Diagnostic::at(code, "a string that does not end", spot.clone(), "the line ends first");
                (found.help("close it; for several lines use three quotes").patch(spot, quote), Reach::Line)
            }
            _ => other(spot, what, expected),
        }
    }
}

/// The parser's words, with the way out where it is known.
fn other(spot: Spot, what: &str, expected: &str) -> (Diagnostic, Reach) {
    let found = Diagnostic::at("manifest::syntax", what, spot.clone(), label(expected));
    match what {
        "invalid unquoted key" if matches!(spot.text(), ":") => {
            (found.help("TOML writes `key = value`"), Reach::Rest)
        }
        "invalid unquoted key" => (found.help("put the key in quotes"), Reach::Line),
        "key with no value" | "invalid key-value pair" => {
            (found.help("TOML writes `key = value`, and `[table]` for a table"), Reach::Rest)
        }
        "unclosed table" => (found.help("close it").patch(spot, "]"), Reach::Rest),
        "unclosed array table" => (found.help("close it").patch(spot, "]]"), Reach::Rest),
        "unexpected key or value" => {
            let found = Diagnostic { title: "text behind the end of a value".into(), ..found };
            (found.help("begin a new line here, or put `#` before it to make it a comment"), Reach::Line)
        }
        "missing escaped value" => {
            let found = Diagnostic { title: "an unknown escape".into(), ..found };
            (
                found.help("write `\\\\` for a backslash, or use single quotes, in which nothing is escaped"),
                Reach::Line,
            )
        }
        _ => (found, Reach::Rest),
    }
}

/// A word or something like a number that is neither.
fn unquoted(spot: Spot) -> Diagnostic {
    let text = spot.text();
    if let Some(word) = closest(text, ["true", "false"]) {
        let found = Diagnostic::at(
            "manifest::syntax",
            format!("unknown value `{}`", shorten(text)),
            spot.clone(),
            "not a value",
        );
        return found.help(format!("did you mean `{word}`?")).patch(spot, word);
    }
    let shorter = text.trim_end_matches([';', ',']);
    if shorter.len() < text.len() && DeValue::parse(shorter).is_ok() {
        let end = Spot::new(&spot.source, spot.span.start + shorter.len()..spot.span.end);
        let found = Diagnostic::at(
            "manifest::syntax",
            "text behind the end of a value",
            end.clone(),
            "nothing ends a line in TOML",
        );
        return found.help("remove it").patch(end, "");
    }
    let inside = text.trim_matches(['\u{201c}', '\u{201d}', '\u{201e}', '\u{2018}', '\u{2019}', '`']);
    let label = if inside == text { "strings need quotes" } else { "strings need straight quotes" };
    let quoted = toml::Value::from(inside).to_string();
    Diagnostic::at("manifest::syntax", "a string without quotes", spot.clone(), label)
        .help("put it in quotes")
        .patch(spot, quoted)
}

fn never_closed(open: Spot) -> Diagnostic {
    let (title, close) = match open.text() {
        "[" => ("a list that does not end", "]"),
        "{" => ("a table that does not end", "}"),
        quotes => ("a string that does not end", quotes),
    };
    let label = format!("this `{}` is never closed", open.text());
    let help = format!("write `{close}` behind the last value");
    let help = if close.len() == 3 { format!("write {close} behind its last line") } else { help };
    Diagnostic::at("manifest::syntax", title, open.clone(), label).help(help)
}

fn label(expected: &str) -> String {
    match expected {
        "" => String::new(),
        "nothing" => "not expected here".into(),
        "newline, `#`" => "expected the end of the line".into(),
        expected => format!("expected {expected}"),
    }
}

fn duplicate(source: &Arc<SourceText>, table: &DeTable<'_>, spot: Spot) -> Diagnostic {
    let first = first_header(source, &spot).or_else(|| {
        let name = spot.text().trim_matches(['"', '\'']);
        last_key_before(table, name, spot.span.start).map(|span| Spot::new(source, span))
    });
    let title = format!("`{}` is written twice", shorten(spot.text()));
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
