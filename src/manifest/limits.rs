//! `[limits.NAME]`, and the names of them in `worker.limits`

use std::collections::HashMap;

use toml::Spanned;
use toml::de::{DeString, DeValue};

use super::diagnostic::{Diagnostic, Spot};
use super::job::{Located, Manifest};
use super::keys::{LIMIT, WORKER};
use super::section::{Entry, Expected, Reader, Section, shorten};
use super::suggest::closest;
use super::value::entries;
use crate::model::policy::Rate;

const COUNT: Expected = Expected { title: "an integer", label: "integer ≥ 1" };
const MOST: i64 = u32::MAX as i64;

/// `[limits.NAME]`
#[derive(Clone, Debug)]
pub struct LimitTable {
    /// Its name.
    pub name: String,
    /// `rate`
    pub rate: Option<Rate>,
    /// `burst`, at least 1
    pub burst: Option<u32>,
    /// `concurrency`, at least 1
    pub concurrency: Option<u32>,
    /// `per`
    pub per: Option<String>,
    /// `retry_after`
    pub retry_after: Option<bool>,
}

impl Reader {
    /// Every `[limits.NAME]` in the order in which they were written.
    pub(super) fn limits(&mut self, top: Section<'_>) -> Vec<LimitTable> {
        let Some(table) = top.entry("limits").and_then(|entry| self.table(&entry)) else { return Vec::new() };
        let mut limits = Vec::new();
        for (key, value) in entries(table) {
            let name = key.get_ref().to_string();
            let path = format!("limits.{name}");
            let entry = Entry { path: path.clone(), name: "limits", key: key.span(), value };
            if LIMIT.built.contains(&name.as_str()) && !value.get_ref().is_table() {
                let title = format!("`{name}` in `[limits]` belongs to no limit");
                let found = Diagnostic::at("manifest::value", title, self.spot(key.span()), "which limit?");
                self.push(found.help("give the limit a name, e.g. `[limits.site]`, and put it under that"));
                continue;
            }
            let Some(table) = self.table(&entry) else { continue };
            let section = Section { keys: &LIMIT, path: &path, table };
            self.check_keys(section);
            limits.push(self.limit(name, &entry, section));
        }
        limits
    }

    fn limit(&mut self, name: String, entry: &Entry<'_>, section: Section<'_>) -> LimitTable {
        let (rate, concurrency) = (section.entry("rate"), section.entry("concurrency"));
        if rate.is_none() && concurrency.is_none() {
            let title = format!("`[{}]` limits nothing", shorten(&entry.path));
            let spot = self.header(entry);
            let found = Diagnostic::at("manifest::missing", title, spot, "neither rate nor concurrency");
            self.push(found.help("write at least one of them, e.g. rate = \"10/s\" or concurrency = 4"));
        }
        let burst = section.entry("burst");
        if let Some(burst) = burst.as_ref().filter(|_| rate.is_none() && concurrency.is_some()) {
            let title = format!("`{}` needs a rate", shorten(&burst.path));
            let found =
                Diagnostic::at("manifest::missing", title, self.spot(burst.key.clone()), "a burst of what?");
            self.push(found.help("add a rate, e.g. rate = \"10/s\", or remove the burst"));
        }
        let count = |reader: &mut Reader, entry: Option<Entry<'_>>| {
            reader.integer(&entry?, 1..=MOST, COUNT).map(|count| count.value as u32)
        };
        LimitTable {
            name,
            rate: rate.and_then(|entry| self.rate(&entry)),
            burst: count(self, burst),
            concurrency: count(self, concurrency),
            per: section.entry("per").and_then(|entry| self.field(&entry)),
            retry_after: section
                .entry("retry_after")
                .and_then(|entry| self.boolean(&entry))
                .map(|flag| flag.value),
        }
    }

    fn field(&mut self, entry: &Entry<'_>) -> Option<String> {
        let text = self.text(entry)?.value;
        if text.is_empty() {
            self.wrong_value(
                entry,
                "is empty",
                "no field",
                "write a field of the tasks, e.g. per = \"host\"",
            );
            return None;
        }
        Some(text)
    }

    /// The names that the worker takes, each with a table of its own.
    pub(super) fn limit_names(&mut self, top: Section<'_>, worker: Section<'_>) -> Option<Vec<String>> {
        let entry = worker.entry("limits")?;
        let names = self.strings(&entry)?;
        let defined = match top.entry("limits") {
            Some(limits) => match limits.value.get_ref().as_table() {
                Some(table) => {
                    entries(table).into_iter().filter(|(_, value)| value.get_ref().is_table()).collect()
                }
                // told when the tables were read
                None => return None,
            },
            None => Vec::new(),
        };
        let mut seen = HashMap::new();
        for name in &names {
            if let Some(first) = seen.insert(name.value.as_str(), &name.spot) {
                let title = format!("`{}` names a limit twice", WORKER.path("limits"));
                let found = Diagnostic::at("manifest::value", title, name.spot.clone(), "again here");
                self.push(found.related(first.clone(), "first here").help("remove one of them"));
            } else if !defined.iter().any(|(key, _)| key.get_ref().as_ref() == name.value) {
                self.undefined_limit(name, &defined);
            }
        }
        Some(names.into_iter().map(|name| name.value).collect())
    }

    fn undefined_limit(
        &mut self,
        name: &Located<String>,
        defined: &[(&Spanned<DeString<'_>>, &Spanned<DeValue<'_>>)],
    ) {
        let shown = shorten(&name.value);
        let title = format!("`worker.limits` names an undefined limit `{shown}`");
        let label = format!("no `[limits.{shown}]` in this manifest");
        let found = Diagnostic::at("manifest::unknown_limit", title, name.spot.clone(), label);
        let known = || defined.iter().map(|(key, _)| key.get_ref().as_ref());
        let meant = closest(&name.value, known());
        let meant = meant.and_then(|meant| defined.iter().find(|(key, _)| key.get_ref().as_ref() == meant));
        self.push(match meant {
            Some((key, value)) => {
                let path = format!("limits.{}", key.get_ref());
                let entry = Entry { path, name: "limits", key: key.span(), value };
                found
                    .related(self.header(&entry), "a similar limit is defined here")
                    .help("use the defined name")
                    .patch(name.spot.clone(), format!("\"{}\"", key.get_ref()))
            }
            None if defined.is_empty() => {
                found.help(format!("add it, e.g. [limits.{shown}] with rate = \"10/s\" or concurrency = 4"))
            }
            None => {
                let listed = known().take(20).map(shorten).collect::<Vec<_>>().join(", ");
                found.help(format!("the limits of this manifest are {listed}"))
            }
        });
    }

    /// The key with the name of its table before it, as in the header `[limits.site]`.
    fn header(&self, entry: &Entry<'_>) -> Spot {
        let spot = self.spot(entry.key.clone());
        let before = &spot.source.text[..spot.span.start];
        match before.strip_suffix("limits.") {
            Some(rest) => Spot::new(&spot.source, rest.len()..spot.span.end),
            None => spot,
        }
    }

    /// Says which limits no worker takes, unless the reason may be an error that was told.
    pub(super) fn unused_limits(&mut self, top: Section<'_>, manifest: &Manifest) {
        if !self.is_clean() {
            return;
        }
        let Some(table) = top.entry("limits").and_then(|entry| entry.value.get_ref().as_table()) else {
            return;
        };
        for limit in manifest.limits.iter().filter(|limit| !manifest.worker.limits.contains(&limit.name)) {
            let Some((key, value)) = table.get_key_value(limit.name.as_str()) else { continue };
            let path = format!("limits.{}", limit.name);
            let spot = self.header(&Entry { path, name: "limits", key: key.span(), value });
            let shown = shorten(&limit.name);
            let title = format!("the limit `{shown}` is used by nobody");
            let found = Diagnostic::warning("manifest::unused_limit", title, spot, "has no effect");
            self.push(found.help(format!("name it under `[worker]`, limits = [\"{shown}\"], or remove it")));
        }
    }
}
