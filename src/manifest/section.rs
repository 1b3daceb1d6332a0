//! Reading typed values out of tables, with an error for each that is not what it must be.

use std::ops::{Range, RangeInclusive};
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::diagnostic::{Diagnostic, SourceText, Spot};
use super::job::Located;
use super::keys::{ALL, Keys};
use super::suggest::closest;
use super::texts::Texts;
use super::value::{entries, integer};

/// More errors than this help nobody, and a file of garbage has millions.
const MAX_FINDINGS: usize = 100;

/// The texts, and what was found wrong in them.
pub(super) struct Reader {
    texts: Texts,
    found: Vec<Diagnostic>,
    unlisted: usize,
}

/// A table of the manifest.
#[derive(Clone, Copy)]
pub(super) struct Section<'a> {
    pub(super) keys: &'static Keys,
    /// Where it stands: that of the keys, but for tables whose name somebody chose.
    pub(super) path: &'a str,
    pub(super) table: &'a DeTable<'a>,
}

/// A key and its value.
pub(super) struct Entry<'a> {
    /// `worker.threads`
    pub(super) path: String,
    pub(super) name: &'static str,
    pub(super) key: Range<usize>,
    pub(super) value: &'a Spanned<DeValue<'a>>,
}

impl<'a> Section<'a> {
    /// A table that stands where its keys say.
    pub(super) fn of(keys: &'static Keys, table: &'a DeTable<'a>) -> Self {
        Section { keys, path: keys.table, table }
    }

    /// `` `[worker]` ``, or `the manifest`.
    pub(super) fn shown(&self) -> String {
        if self.path.is_empty() { "the manifest".into() } else { format!("`[{}]`", shorten(self.path)) }
    }

    /// `worker.threads`
    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.into() } else { format!("{}.{key}", self.path) }
    }

    pub(super) fn entry(&self, name: &'static str) -> Option<Entry<'a>> {
        let (key, value) = self.table.get_key_value(name)?;
        Some(Entry { path: self.path_of(name), name, key: key.span(), value })
    }
}

/// A type that a value must have.
#[derive(Clone, Copy)]
pub(super) struct Expected {
    /// `an integer`
    pub(super) title: &'static str,
    /// `integer ≥ 1`
    pub(super) label: &'static str,
}

pub(super) const STRING: Expected = Expected { title: "a string", label: "string" };
pub(super) const BOOLEAN: Expected = Expected { title: "true or false", label: "true or false" };
pub(super) const TABLE: Expected = Expected { title: "a table", label: "table" };
pub(super) const STRINGS: Expected = Expected { title: "a list of strings", label: "list of strings" };

impl Reader {
    pub(super) fn new(manifest: &Arc<SourceText>) -> Self {
        Self { texts: Texts::new(manifest), found: Vec::new(), unlisted: 0 }
    }

    pub(super) fn texts(&mut self) -> &mut Texts {
        &mut self.texts
    }

    pub(super) fn spot(&self, span: Range<usize>) -> Spot {
        self.texts.spot(span)
    }

    pub(super) fn manifest(&self) -> &Arc<SourceText> {
        self.texts.manifest()
    }

    pub(super) fn push(&mut self, found: Diagnostic) {
        if self.found.len() < MAX_FINDINGS {
            self.found.push(found);
        } else {
            self.unlisted += 1;
        }
    }

    pub(super) fn is_clean(&self) -> bool {
        self.found.is_empty()
    }

    /// What was found, and how much more than is listed.
    pub(super) fn into_found(self) -> (Vec<Diagnostic>, usize) {
        (self.found, self.unlisted)
    }

    /// Every key of the table that is unknown, or known and not built yet.
    pub(super) fn check_keys(&mut self, section: Section<'_>) {
        for (key, _) in entries(section.table) {
            let name = key.get_ref().as_ref();
            if section.keys.built.contains(&name) {
                continue;
            }
            if self.found.len() >= MAX_FINDINGS {
                self.unlisted += 1;
                continue;
            }
            let found = match section.keys.later.iter().find(|later| **later == name) {
                Some(later) => self.not_built(section, later, key.span()),
                None => self.unknown_key(section, key),
            };
            self.push(found);
        }
    }

    fn not_built(&self, section: Section<'_>, name: &str, span: Range<usize>) -> Diagnostic {
        let path = section.path_of(name);
        let title = format!("`{path}` is not built yet in this version of mpms");
        let found =
            Diagnostic::at("manifest::not_built", title, self.spot(span), "known, but has no effect yet");
        found.help("remove it: a setting that is ignored would only look as if it worked")
    }

    fn unknown_key(&self, section: Section<'_>, key: &Spanned<DeString<'_>>) -> Diagnostic {
        let keys = section.keys;
        let name = key.get_ref().as_ref();
        let spot = self.spot(key.span());
        let shown = shorten(name);
        let title = format!("unknown key `{shown}` in {}", section.shown());
        let found = Diagnostic::at(
            "manifest::unknown_key",
            title,
            spot.clone(),
            format!("not a key of {}", section.shown()),
        );
        if let Some(meant) = closest(name, keys.built.iter().copied()) {
            return found.help("a key with a similar name exists").patch(spot, meant);
        }
        if let Some(meant) = closest(name, keys.later.iter().copied()) {
            return found
                .help(format!("`{meant}` has a similar name, but is not built yet in this version of mpms"));
        }
        let at_home: Vec<_> =
            ALL.iter().filter(|other| other.built.contains(&name)).map(|keys| keys.shown()).collect();
        if !at_home.is_empty() {
            return found.help(format!("`{name}` is a key of {}", at_home.join(" and ")));
        }
        found.help(format!("the keys of {} are {}", section.shown(), keys.built.join(", ")))
    }

    pub(super) fn wrong_type(&mut self, entry: &Entry<'_>, expected: Expected) {
        let found = self.type_error(entry, expected);
        self.push(found);
    }

    /// As [`Reader::wrong_type`], with a value to write instead.
    fn wrong_type_with(&mut self, entry: &Entry<'_>, expected: Expected, help: &str, instead: String) {
        let spot = self.spot(entry.value.span());
        let found = self.type_error(entry, expected).help(help).patch(spot, instead);
        self.push(found);
    }

    pub(super) fn type_error(&self, entry: &Entry<'_>, expected: Expected) -> Diagnostic {
        let title = format!("`{}` must be {}", shorten(&entry.path), expected.title);
        let label = format!("this is {}", type_with_article(entry.value.get_ref()));
        Diagnostic::at("manifest::type", title, self.spot(entry.value.span()), label)
            .related(self.spot(entry.key.clone()), expected.label)
    }

    /// A value of the right type that cannot be.
    pub(super) fn wrong_value(&mut self, entry: &Entry<'_>, why: &str, label: &str, help: &str) {
        let title = format!("`{}` {why}", shorten(&entry.path));
        let spot = self.spot(entry.value.span());
        self.push(Diagnostic::at("manifest::value", title, spot, label).help(help));
    }

    pub(super) fn section<'a>(
        &mut self,
        parent: Section<'a>,
        name: &'static str,
        keys: &'static Keys,
    ) -> Option<Section<'a>> {
        let entry = parent.entry(name)?;
        let table = self.table(&entry)?;
        let section = Section::of(keys, table);
        self.check_keys(section);
        Some(section)
    }

    pub(super) fn table<'a>(&mut self, entry: &Entry<'a>) -> Option<&'a DeTable<'a>> {
        match entry.value.get_ref() {
            DeValue::Table(table) => return Some(table),
            DeValue::Array(items)
                if items.iter().all(|item| item.get_ref().is_table()) && !items.is_empty() =>
            {
                let title = format!("`{}` must be one table", entry.path);
                let spot = self.spot(entry.key.clone());
                let found = Diagnostic::at("manifest::type", title, spot, "this is a list of tables")
                    .help(format!("write `[{}]`, with single brackets and once", entry.path));
                self.push(found);
            }
            _ => {
                let help = format!("write `[{}]` on a line of its own and the settings under it", entry.path);
                let found = self.type_error(entry, TABLE).help(help);
                self.push(found);
            }
        }
        None
    }

    pub(super) fn text(&mut self, entry: &Entry<'_>) -> Option<Located<String>> {
        let spot = self.spot(entry.value.span());
        match entry.value.get_ref() {
            DeValue::String(text) => return Some(Located { value: text.to_string(), spot }),
            DeValue::Array(_) | DeValue::Table(_) => self.wrong_type(entry, STRING),
            // A shell takes quotes away: `--set name=5` is the only way to say "5".
            _ if self.texts.is_flag(&entry.value.span()) => {
                return Some(Located { value: spot.text().to_owned(), spot });
            }
            _ => {
                let quoted = format!("\"{}\"", spot.text());
                self.wrong_type_with(entry, STRING, "put it in quotes", quoted);
            }
        }
        None
    }

    /// A string that says something: not empty, without NUL.
    pub(super) fn path_text(&mut self, entry: &Entry<'_>) -> Option<Located<String>> {
        let text = self.text(entry)?;
        if text.value.is_empty() {
            self.wrong_value(entry, "is empty", "no path", "write a path, relative to the manifest's folder");
        } else if text.value.contains('\0') {
            self.wrong_value(entry, "holds a zero byte", "no path has one", "remove it");
        } else {
            return Some(text);
        }
        None
    }

    pub(super) fn integer(
        &mut self,
        entry: &Entry<'_>,
        range: RangeInclusive<i64>,
        expected: Expected,
    ) -> Option<Located<i64>> {
        let spot = self.spot(entry.value.span());
        match entry.value.get_ref() {
            DeValue::Integer(written) => {
                let number = integer(written).filter(|number| range.contains(number));
                if number.is_none() {
                    let help = format!("write an {}", expected.label);
                    self.wrong_value(
                        entry,
                        &format!("cannot be {}", shorten(spot.text())),
                        expected.label,
                        &help,
                    );
                }
                return number.map(|value| Located { value, spot });
            }
            DeValue::String(text) if text.parse().is_ok_and(|number| range.contains(&number)) => {
                self.wrong_type_with(entry, expected, "remove the quotes", text.to_string());
            }
            DeValue::Float(written) => {
                match whole(written.as_str()).filter(|number| range.contains(number)) {
                    Some(number) => self.wrong_type_with(
                        entry,
                        expected,
                        "write it without a fraction",
                        number.to_string(),
                    ),
                    None => self.wrong_type(entry, expected),
                }
            }
            _ => self.wrong_type(entry, expected),
        }
        None
    }

    pub(super) fn boolean(&mut self, entry: &Entry<'_>) -> Option<Located<bool>> {
        let spot = self.spot(entry.value.span());
        match entry.value.get_ref() {
            DeValue::Boolean(value) => return Some(Located { value: *value, spot }),
            DeValue::String(text) if matches!(text.as_ref(), "true" | "false") => {
                self.wrong_type_with(entry, BOOLEAN, "remove the quotes", text.to_string());
            }
            DeValue::Integer(written) if matches!(written.as_str(), "0" | "1") => {
                let instead = if written.as_str() == "1" { "true" } else { "false" };
                self.wrong_type_with(entry, BOOLEAN, "write it as a word", instead.into());
            }
            _ => self.wrong_type(entry, BOOLEAN),
        }
        None
    }

    /// A list of strings, at least one.
    pub(super) fn strings(&mut self, entry: &Entry<'_>) -> Option<Vec<Located<String>>> {
        let DeValue::Array(items) = entry.value.get_ref() else {
            match entry.value.get_ref() {
                DeValue::String(_) => {
                    let listed = format!("[{}]", self.spot(entry.value.span()).text());
                    self.wrong_type_with(entry, STRINGS, "make it a list", listed);
                }
                _ => self.wrong_type(entry, STRINGS),
            }
            return None;
        };
        if items.is_empty() {
            self.wrong_value(entry, "is empty", "at least one string", "add a string, or remove the key");
            return None;
        }
        let read = items.iter().enumerate().map(|(index, value)| {
            let path = format!("{}[{index}]", entry.path);
            self.text(&Entry { path, name: entry.name, key: entry.key.clone(), value })
        });
        // Collected before the check, so that each wrong item is reported.
        let read: Vec<_> = read.collect();
        read.into_iter().collect()
    }

    /// One of a few words.
    pub(super) fn choice<T: Copy>(&mut self, entry: &Entry<'_>, choices: &[(&str, T)]) -> Option<Located<T>> {
        let text = self.text(entry)?;
        if let Some((_, value)) = choices.iter().find(|(word, _)| *word == text.value) {
            return Some(Located { value: *value, spot: text.spot });
        }
        let words = choices.iter().map(|(word, _)| *word);
        let title = format!("`{}` cannot be `{}`", entry.path, shorten(&text.value));
        let listed = words.clone().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", ");
        let found = Diagnostic::at("manifest::value", title, text.spot.clone(), format!("one of {listed}"));
        self.push(match closest(&text.value, words) {
            Some(meant) => found.help("a similar one exists").patch(text.spot, format!("\"{meant}\"")),
            None => found,
        });
        None
    }
}

/// `4.0` as 4.
fn whole(written: &str) -> Option<i64> {
    let number: f64 = written.parse().ok()?;
    (number.fract() == 0.0 && number.abs() < 1e15).then_some(number as i64)
}

/// `an integer`, `a string`, …
pub(super) fn type_with_article(value: &DeValue<'_>) -> String {
    match value {
        DeValue::Integer(_) => "an integer".into(),
        DeValue::Array(_) => "a list".into(),
        DeValue::Boolean(_) => "a boolean".into(),
        other => format!("a {}", other.type_str()),
    }
}

/// What a title can hold of a text that somebody wrote: 60 characters.
pub fn shorten(text: &str) -> String {
    const MOST: usize = 60;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
