//! Diagnostics as people read them, and as programs do.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{
    Annotation, AnnotationKind, Group, Level, Origin, Padding, Patch, Renderer, Snippet,
};
use serde_json::{Value, json};

use crate::manifest::{Diagnostic, Label, Place, Severity, SourceText, Spot};

/// A longer piece of text is not shown: neither a person nor the renderer gets through it.
const MAX_SHOWN: usize = 4096;

/// How diagnostics look.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// With colours.
    pub color: bool,
    /// Columns of the terminal.
    pub width: usize,
}

impl Default for Look {
    fn default() -> Self {
        Self { color: false, width: 120 }
    }
}

/// All of them, an empty line between two, a line break at the end; empty for none.
pub fn render_all(all: &[Diagnostic], look: Look) -> String {
    all.iter().map(|diagnostic| render(diagnostic, look)).collect::<Vec<_>>().join("\n")
}

/// One, as in `cargo`'s output, with a line break at the end.
pub fn render(diagnostic: &Diagnostic, look: Look) -> String {
    let renderer = if look.color { Renderer::styled() } else { Renderer::plain() };
    let renderer = renderer.decor_style(DecorStyle::Unicode).term_width(look.width);
    let mut groups = vec![problem(diagnostic)];
    groups.extend(mending(diagnostic));
    let mut text = renderer.render(&groups);
    text.push('\n');
    text
}

/// Title, places, notes; the help too, unless it heads a change.
fn problem(diagnostic: &Diagnostic) -> Group<'_> {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(&*diagnostic.title).id(format!("mpms::{}", diagnostic.code));
    let mut group = Group::with_title(title);
    match &diagnostic.place {
        Place::Nowhere => {}
        Place::File(file) => group = group.element(Origin::path(&**file)),
        Place::Line(file, line) => group = group.element(Origin::path(&**file).line(*line)),
        Place::Spot(spot) => group = places(group, diagnostic, spot),
    }
    let help = diagnostic.help.as_deref().filter(|_| !can_show_patches(diagnostic));
    let messages = diagnostic.notes.len() + usize::from(help.is_some());
    if messages > 0 && diagnostic.spot().is_some() {
        group = group.element(Padding);
    }
    let notes = diagnostic.notes.iter().map(|note| Level::NOTE.message(plain(note)));
    group = group.elements(notes);
    group.elements(help.map(|help| Level::HELP.message(plain(help))))
}

/// The main place and, text by text, what belongs to it.
fn places<'a>(mut group: Group<'a>, diagnostic: &'a Diagnostic, main: &'a Spot) -> Group<'a> {
    let mut sources: Vec<&Arc<SourceText>> = vec![&main.source];
    for label in &diagnostic.related {
        if !sources.iter().any(|known| Arc::ptr_eq(known, &label.spot.source)) {
            sources.push(&label.spot.source);
        }
    }
    for source in sources {
        let labels = diagnostic.related.iter().filter(|label| Arc::ptr_eq(&label.spot.source, source));
        let main = Some(main).filter(|main| Arc::ptr_eq(&main.source, source));
        group = snippet(group, main, &diagnostic.label, &labels.collect::<Vec<_>>());
    }
    group
}

/// The lines around the places in one text; the rest of it is cut off, since the renderer looks at every line.
fn snippet<'a>(group: Group<'a>, main: Option<&'a Spot>, label: &'a str, related: &[&'a Label]) -> Group<'a> {
    let spots = || main.into_iter().chain(related.iter().map(|label| &label.spot));
    let Some(source) = spots().next().map(|spot| &spot.source) else { return group };
    let near = main.or(related.first().map(|label| &label.spot)).map_or(0..0, lines_of);
    // Places that are too far away get a snippet of their own.
    let fits = |spot: &Spot| {
        let lines = lines_of(spot);
        lines.end.max(near.end) - lines.start.min(near.start) <= MAX_SHOWN
    };
    let shown: Vec<_> = spots().filter(|spot| fits(spot)).collect();
    let far: Vec<&Label> = related.iter().copied().filter(|label| !fits(&label.spot)).collect();
    let start = shown.iter().map(|spot| lines_of(spot).start).min();
    let end = shown.iter().map(|spot| lines_of(spot).end).max();
    let (Some(start), Some(end)) = (start, end) else {
        return unshown(group, main.or(related.first().map(|label| &label.spot)), label);
    };
    let window = Window::new(source, start..end);
    let annotation = |kind: AnnotationKind, spot: &Spot, text: &'a str| -> Annotation<'a> {
        kind.span(window.place(&spot.span)).label(Some(text).filter(|text| !text.is_empty()))
    };
    let mut snippet = Snippet::source(window.text.clone()).path(&*source.name).line_start(window.line);
    if let Some(main) = main.filter(|main| fits(main)) {
        snippet = snippet.annotation(annotation(AnnotationKind::Primary, main, label));
    }
    for label in related.iter().filter(|label| fits(&label.spot)) {
        snippet = snippet.annotation(annotation(AnnotationKind::Context, &label.spot, &label.text));
    }
    let group = group.element(snippet);
    if far.is_empty() || far.len() == related.len() && main.is_none() {
        group
    } else {
        self::snippet(group, None, "", &far)
    }
}

/// Some lines of a text, with plain line breaks: the renderer shows the others as signs.
struct Window<'a> {
    /// What was there.
    written: &'a str,
    /// What is shown.
    text: Cow<'a, str>,
    start: usize,
    /// The number of its first line.
    line: usize,
}

impl<'a> Window<'a> {
    fn new(source: &'a SourceText, span: Range<usize>) -> Self {
        let written = &source.text[span.clone()];
        let whole = written.strip_suffix('\r').unwrap_or(written);
        let text = if whole.contains("\r\n") { whole.replace("\r\n", "\n").into() } else { whole.into() };
        Self { written, text, start: span.start, line: source.line_and_column(span.start).0 }
    }

    fn place(&self, span: &Range<usize>) -> Range<usize> {
        let place = |at: usize| {
            let before = &self.written[..at - self.start];
            (before.len() - before.matches("\r\n").count()).min(self.text.len())
        };
        place(span.start)..place(span.end)
    }
}

/// A place on a line that is too long to show.
fn unshown<'a>(group: Group<'a>, spot: Option<&'a Spot>, label: &'a str) -> Group<'a> {
    let Some(spot) = spot else { return group };
    let (line, column) = spot.line_and_column();
    let group = group.element(Origin::path(&*spot.source.name).line(line).char_column(column));
    if label.is_empty() { group } else { group.element(Level::NOTE.message(plain(label))) }
}

/// The bytes of the lines on which a place lies.
fn lines_of(spot: &Spot) -> Range<usize> {
    let text = &spot.source.text;
    let start = text[..spot.span.start].rfind('\n').map_or(0, |at| at + 1);
    let end = text[spot.span.end..].find('\n').map_or(text.len(), |at| spot.span.end + at);
    start..end
}

fn can_show_patches(diagnostic: &Diagnostic) -> bool {
    let short = |patch: &crate::manifest::Patch| lines_of(&patch.spot).len() + patch.text.len() <= MAX_SHOWN;
    !diagnostic.patches.is_empty() && diagnostic.patches.iter().all(short)
}

/// The change that would mend it, as a diff.
fn mending(diagnostic: &Diagnostic) -> Option<Group<'_>> {
    if !can_show_patches(diagnostic) {
        return None;
    }
    let source = &diagnostic.patches.first()?.spot.source;
    let spots = || diagnostic.patches.iter().map(|patch| &patch.spot);
    let start = spots().map(|spot| lines_of(spot).start).min()?;
    let end = spots().map(|spot| lines_of(spot).end).max()?;
    let window = Window::new(source, start..end);
    let patches =
        diagnostic.patches.iter().map(|patch| Patch::new(window.place(&patch.spot.span), &*patch.text));
    let help = diagnostic.help.as_deref().unwrap_or("change it");
    let snippet = Snippet::source(window.text.clone()).line_start(window.line).patches(patches);
    Some(Level::HELP.secondary_title(plain(help)).element(snippet))
}

/// Without control characters: a message may quote what somebody wrote, and a terminal obeys them.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect()
}

/// One as a JSON object. Lines and columns count from 1, columns in characters; `end_column` is the first behind it.
pub fn to_json(diagnostic: &Diagnostic) -> Value {
    let level = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let related = diagnostic.related.iter().map(|label| with(place(&label.spot), "label", &label.text));
    let fixes = diagnostic.patches.iter().map(|patch| with(place(&patch.spot), "replacement", &patch.text));
    let mut object = json!({
        "event": "diagnostic",
        "level": level,
        "code": format!("mpms::{}", diagnostic.code),
        "message": diagnostic.title,
    });
    let place = match &diagnostic.place {
        Place::Nowhere => json!({}),
        Place::File(file) => json!({ "file": file }),
        Place::Line(file, line) => json!({ "file": file, "line": line }),
        Place::Spot(spot) => with(place(spot), "label", &diagnostic.label),
    };
    let rest = json!({
        "related": related.collect::<Vec<_>>(),
        "notes": diagnostic.notes,
        "help": diagnostic.help,
        "fixes": fixes.collect::<Vec<_>>(),
    });
    for part in [place, rest] {
        if let (Value::Object(object), Value::Object(part)) = (&mut object, part) {
            object.extend(part);
        }
    }
    object
}

fn place(spot: &Spot) -> Value {
    let (line, column) = spot.line_and_column();
    let (end_line, end_column) = spot.source.line_and_column(spot.span.end);
    json!({ "file": spot.source.name, "line": line, "column": column, "end_line": end_line, "end_column": end_column })
}

fn with(mut object: Value, key: &str, text: &str) -> Value {
    object[key] = text.into();
    object
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unknown_key() -> Diagnostic {
        let source = SourceText::new("job.toml", "[worker]\nproceses = 4\n");
        let spot = Spot::new(&source, 9..17);
        let title = "unknown key `proceses` in `[worker]`";
        Diagnostic::at("manifest::unknown_key", title, spot.clone(), "not a key of `[worker]`")
            .related(Spot::new(&source, 1..7), "of this table")
            .help("a key with a similar name exists")
            .patch(spot, "processes")
    }

    #[test]
    fn a_change_is_shown_under_the_place() {
        let expected = "\
error[mpms::manifest::unknown_key]: unknown key `proceses` in `[worker]`
  ╭▸ job.toml:2:1
  │
1 │ [worker]
  │  ────── of this table
2 │ proceses = 4
  │ ━━━━━━━━ not a key of `[worker]`
  ╰╴
help: a key with a similar name exists
  ╭╴
2 │ processes = 4
  ╰╴      +
";
        assert_eq!(render(&unknown_key(), Look::default()), expected);
    }

    #[test]
    fn colours_are_there_when_they_are_wanted() {
        assert!(render(&unknown_key(), Look { color: true, width: 80 }).contains("\x1b["));
    }

    #[test]
    fn a_line_of_a_script_is_a_place() {
        let source = SourceText::new("crawl.lua", "local x\n  x.y = 1  \n");
        let found =
            Diagnostic::on_line("lua::runtime", "attempt to index a nil value", &source, 2).note("in task 3");
        let expected = "\
error[mpms::lua::runtime]: attempt to index a nil value
  ╭▸ crawl.lua:2:3
  │
2 │   x.y = 1  
  │   ━━━━━━━
  │
  ╰ note: in task 3
";
        assert_eq!(render(&found, Look::default()), expected);
    }

    #[test]
    fn places_may_be_known_less_well() {
        let title = "it broke";
        let show =
            |place| render(&Diagnostic::error("lua::runtime", title, place).help("mend it"), Look::default());
        let head = "error[mpms::lua::runtime]: it broke\n";
        assert_eq!(show(Place::Line("a.lua".into(), 7)), format!("{head} ╭▸ a.lua:7\n ╰ help: mend it\n"));
        assert_eq!(show(Place::File("a.lua".into())), format!("{head} ╭▸ a.lua\n ╰ help: mend it\n"));
        assert_eq!(show(Place::Nowhere), format!("{head} │\n ╰ help: mend it\n"));
    }

    #[test]
    fn a_line_of_megabytes_is_not_shown() {
        let text = format!("a = \"{}\"", "x".repeat(5_000_000));
        let source = SourceText::new("job.toml", text);
        let found = Diagnostic::at("manifest::value", "too long", Spot::new(&source, 4..9), "here");
        assert!(render(&found, Look::default()).len() < 1000);
    }

    #[test]
    fn places_that_are_far_apart_are_shown_apart() {
        let source = SourceText::new("job.toml", format!("a = 1\n{}b = 2\n", "# far\n".repeat(100_000)));
        let end = source.text.len() - 6;
        let found = Diagnostic::at("manifest::value", "both", Spot::new(&source, 0..1), "this")
            .related(Spot::new(&source, end..end + 1), "and that");
        let shown = render(&found, Look::default());
        assert!(shown.contains("1 │ a = 1") && shown.contains("100002 │ b = 2"), "{shown}");
    }

    #[test]
    fn programs_get_lines_columns_and_changes() {
        let expected = json!({
            "event": "diagnostic", "level": "error", "code": "mpms::manifest::unknown_key",
            "message": "unknown key `proceses` in `[worker]`",
            "file": "job.toml", "line": 2, "column": 1, "end_line": 2, "end_column": 9,
            "label": "not a key of `[worker]`",
            "related": [{
                "file": "job.toml", "line": 1, "column": 2, "end_line": 1, "end_column": 8, "label": "of this table",
            }],
            "notes": [], "help": "a key with a similar name exists",
            "fixes": [{
                "file": "job.toml", "line": 2, "column": 1, "end_line": 2, "end_column": 9,
                "replacement": "processes",
            }],
        });
        assert_eq!(to_json(&unknown_key()), expected);
    }
}
