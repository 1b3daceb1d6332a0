//! `[tasks]`

use toml::de::DeValue;

use super::diagnostic::Diagnostic;
use super::job::{Located, Lua};
use super::section::{Entry, Expected, Reader, Section};
use super::value::entries;
use crate::model::Value;

/// `[tasks]`
#[derive(Clone, Debug, Default)]
pub struct Tasks {
    /// The source, when the table names one.
    pub source: Option<Source>,
    /// `key`
    pub key: Option<KeyField>,
    /// `shuffle`
    pub shuffle: Option<bool>,
    /// `skip`
    pub skip: Option<u64>,
    /// `limit`
    pub limit: Option<u64>,
    /// `timeout`, in nanoseconds
    pub timeout_ns: Option<u64>,
}

/// Where tasks come from. Paths are relative to the manifest's folder.
#[derive(Clone, Debug)]
pub enum Source {
    /// `script` or `code`
    Lua(Lua),
    /// `items`, at least one
    Items(Vec<Value>),
    /// `range`, at least one integer
    Range {
        /// First integer.
        first: i64,
        /// Last integer at most (at least, when `step` is negative).
        last: i64,
        /// Distance, not 0.
        step: i64,
    },
    /// `product`, at least one name with at least one value each, in the order in which they were written
    Product(Vec<(String, Vec<Value>)>),
    /// `glob`, valid patterns
    Glob(Vec<String>),
    /// `lines`; `-` is standard input, here and below
    Lines(Located<String>),
    /// `csv`
    Csv(Located<String>),
    /// `jsonl`
    Jsonl(Located<String>),
}

/// `key` of `[tasks]`.
#[derive(Clone, Debug, PartialEq)]
pub enum KeyField {
    /// `"args"`: the whole argument list.
    Args,
    /// This field of the first argument, which is a table; for one plain argument any name takes the argument.
    Field(String),
}

const SOURCES: [&str; 9] = ["script", "code", "items", "range", "product", "glob", "lines", "csv", "jsonl"];

const COUNT: Expected = Expected { title: "an integer", label: "integer ≥ 0" };
const INTEGER: Expected = Expected { title: "an integer", label: "[first, last] or [first, last, step]" };
const RANGE: Expected =
    Expected { title: "a list of two or three integers", label: "[first, last] or [first, last, step]" };
const ITEMS: Expected = Expected { title: "a list", label: "list of tasks" };
const AXIS: Expected = Expected { title: "a list", label: "list of values" };

const GLOB_HELP: &str = "`*` stands for any name, `**/` for any folders, `?` for a character, \
    [ab] for one of the characters, {a,b} for one of the texts";

impl Tasks {
    pub(super) fn read(reader: &mut Reader, section: Section<'_>) -> Self {
        let count = |reader: &mut Reader, name| {
            let entry = section.entry(name)?;
            reader.integer(&entry, 0..=i64::MAX, COUNT).map(|count| count.value as u64)
        };
        Self {
            source: reader.source(section),
            key: section.entry("key").and_then(|entry| reader.key_field(&entry)),
            shuffle: section.entry("shuffle").and_then(|entry| reader.boolean(&entry)).map(|flag| flag.value),
            skip: count(reader, "skip"),
            limit: count(reader, "limit"),
            timeout_ns: reader.tasks_timeout(section),
        }
    }
}

impl Reader {
    /// `timeout`, which only a script can exceed.
    fn tasks_timeout(&mut self, section: Section<'_>) -> Option<u64> {
        let entry = section.entry("timeout")?;
        let other = SOURCES[2..].iter().find_map(|name| section.entry(name));
        if let Some(other) = other {
            let title = format!("`tasks.timeout` has no effect on `{}`", other.name);
            let found = Diagnostic::at(
                "manifest::conflict",
                title,
                self.spot(entry.key.clone()),
                "for a script only",
            )
            .related(self.spot(other.key), "the source of tasks")
            .help("remove it; it is the time between two puts of the role `tasks`");
            self.push(found);
        }
        self.duration(&entry, Some("leave it out for the default, 10 minutes"))
    }

    fn source(&mut self, section: Section<'_>) -> Option<Source> {
        let written: Vec<_> = SOURCES.iter().filter_map(|name| section.entry(name)).collect();
        if written.len() > 1 {
            self.several_sources(&written);
        }
        // All of them, so that each error shows, whichever is meant.
        let sources: Vec<_> = written.iter().map(|entry| self.one_source(entry)).collect();
        sources.into_iter().next().flatten()
    }

    fn several_sources(&mut self, written: &[Entry<'_>]) {
        let mut written: Vec<_> = written.iter().collect();
        written.sort_by_key(|entry| entry.key.start);
        let names: Vec<_> = written.iter().map(|entry| format!("`{}`", entry.name)).collect();
        let title = format!("more than one source of tasks in `[tasks]`: {}", names.join(", "));
        let [first, others @ ..] = &written[..] else { return };
        let mut found =
            Diagnostic::at("manifest::two_sources", title, self.spot(first.key.clone()), "a source here");
        for other in others {
            found = found.related(self.spot(other.key.clone()), "and one here");
        }
        self.push(found.help("keep one of them; a job has exactly one source"));
    }

    fn one_source(&mut self, entry: &Entry<'_>) -> Option<Source> {
        match entry.name {
            "script" => self.path_text(entry).map(|path| Source::Lua(Lua::Script(path))),
            "code" => self.text(entry).map(|text| Source::Lua(Lua::Code(text))),
            "items" => self.filled_list(entry, ITEMS).map(Source::Items),
            "range" => self.range(entry),
            "product" => self.product(entry),
            "glob" => self.glob(entry),
            "lines" => self.path_text(entry).map(Source::Lines),
            "csv" => self.path_text(entry).map(Source::Csv),
            _ => self.path_text(entry).map(Source::Jsonl),
        }
    }

    /// A list of at least one value.
    fn filled_list(&mut self, entry: &Entry<'_>, expected: Expected) -> Option<Vec<Value>> {
        let DeValue::Array(items) = entry.value.get_ref() else {
            self.wrong_type(entry, expected);
            return None;
        };
        if items.is_empty() {
            self.wrong_value(entry, "is empty", "no values", "write at least one value");
            return None;
        }
        items.iter().map(|item| self.plain(item)).collect()
    }

    fn range(&mut self, entry: &Entry<'_>) -> Option<Source> {
        let DeValue::Array(items) = entry.value.get_ref() else {
            let found = self
                .type_error(entry, RANGE)
                .help("write it as [1, 10], or [1, 10, 2] with a step; both ends are in it");
            self.push(found);
            return None;
        };
        if !matches!(items.len(), 2 | 3) {
            self.wrong_value(
                entry,
                "must be a list of two or three integers",
                &format!("a list of {}", items.len()),
                "write it as [1, 10], or [1, 10, 2] with a step; both ends are in it",
            );
            return None;
        }
        let numbers = items.iter().enumerate().map(|(index, value)| {
            let path = format!("tasks.range[{index}]");
            let item = Entry { path, name: entry.name, key: entry.key.clone(), value };
            self.integer(&item, i64::MIN..=i64::MAX, INTEGER).map(|number| number.value)
        });
        let numbers: Vec<_> = numbers.collect();
        let numbers: Vec<i64> = numbers.into_iter().collect::<Option<_>>()?;
        let (first, last, step) = (numbers[0], numbers[1], numbers.get(2).copied().unwrap_or(1));
        if step == 0 {
            let spot = self.spot(items[2].span());
            self.push(
                Diagnostic::at(
                    "manifest::value",
                    "the step of `tasks.range` is 0",
                    spot,
                    "never reaches the end",
                )
                .help("write a step other than 0, or leave it out for 1"),
            );
            return None;
        }
        if (step > 0 && first > last) || (step < 0 && first < last) {
            let turned = if items.len() == 2 {
                "write the smaller number first, or add the step -1"
            } else {
                "change the sign of the step, or the order of the ends"
            };
            self.wrong_value(
                entry,
                "is empty",
                &format!("no integers from {first} to {last} in steps of {step}"),
                turned,
            );
            return None;
        }
        Some(Source::Range { first, last, step })
    }

    fn product(&mut self, entry: &Entry<'_>) -> Option<Source> {
        let table = self.table(entry)?;
        if table.is_empty() {
            self.wrong_value(entry, "is empty", "no lists", "write at least one list: size = [1, 2]");
            return None;
        }
        let axes = entries(table).into_iter().map(|(key, value)| {
            let name = key.get_ref().to_string();
            let path = format!("tasks.product.{name}");
            let axis = Entry { path, name: entry.name, key: key.span(), value };
            Some((name, self.filled_list(&axis, AXIS)?))
        });
        let axes: Vec<_> = axes.collect();
        let axes: Vec<_> = axes.into_iter().collect::<Option<_>>()?;
        let count = axes.iter().try_fold(1_u64, |count, (_, values)| count.checked_mul(values.len() as u64));
        if count.is_none() {
            self.wrong_value(
                entry,
                "has more than 2^64 combinations",
                "too many",
                "no run would ever end; take lists away",
            );
            return None;
        }
        Some(Source::Product(axes))
    }

    fn glob(&mut self, entry: &Entry<'_>) -> Option<Source> {
        let patterns = match entry.value.get_ref() {
            DeValue::Array(_) => self.strings(entry)?,
            _ => vec![self.text(entry)?],
        };
        let mut read = Vec::with_capacity(patterns.len());
        for pattern in patterns {
            let wrong = match globset::Glob::new(&pattern.value) {
                _ if pattern.value.is_empty() => "it is empty".to_owned(),
                Ok(_) => {
                    read.push(pattern.value);
                    continue;
                }
                Err(error) => error.kind().to_string(),
            };
            let title = "this is no file pattern".to_owned();
            self.push(Diagnostic::at("manifest::value", title, pattern.spot, wrong).help(GLOB_HELP));
        }
        Some(Source::Glob(read))
    }

    fn key_field(&mut self, entry: &Entry<'_>) -> Option<KeyField> {
        let text = self.text(entry)?.value;
        if text.is_empty() {
            self.wrong_value(
                entry,
                "is empty",
                "no field",
                "write a field's name, or \"args\" for all arguments",
            );
            return None;
        }
        Some(if text == "args" { KeyField::Args } else { KeyField::Field(text) })
    }
}
