//! `retries` and `recycle` of `[worker]`

use toml::de::DeValue;

use super::diagnostic::Diagnostic;
use super::keys::{RECYCLE, RETRIES};
use super::section::{Entry, Expected, Reader, Section};
use crate::model::policy::{Backoff, Recycle};

/// Tries after the first at most: at the longest usual delay, a minute, two years of them.
const MAX_RETRIES: i64 = 1_000_000;

const COUNT: Expected =
    Expected { title: "an integer or a table", label: "integer from 0 to 1000000, or a table" };
const INNER_COUNT: Expected = Expected { title: "an integer", label: "integer from 0 to 1000000" };
const TASKS: Expected = Expected { title: "an integer", label: "integer ≥ 1" };
const RECYCLE_TABLE: Expected = Expected { title: "a table", label: "table of tasks, lifetime, memory" };

const BACKOFFS: [(&str, Backoff); 2] = [("exponential", Backoff::Exponential), ("fixed", Backoff::Fixed)];
const NO_LIMIT: &str = "leave it out: then there is no such limit";

/// `retries`, as a number or as a table.
#[derive(Clone, Debug, Default)]
pub struct Retries {
    /// Tries after the first.
    pub count: u32,
    /// `backoff`
    pub backoff: Option<Backoff>,
    /// `delay`
    pub delay_ns: Option<u64>,
    /// `max_delay`, not below `delay`
    pub max_delay_ns: Option<u64>,
    /// `jitter`
    pub jitter: Option<bool>,
    /// `on`
    pub on: Option<Vec<String>>,
}

impl Reader {
    pub(super) fn retries(&mut self, entry: &Entry<'_>) -> Option<Retries> {
        let DeValue::Table(table) = entry.value.get_ref() else {
            let count = self.integer(entry, 0..=MAX_RETRIES, COUNT)?.value as u32;
            return Some(Retries { count, ..Retries::default() });
        };
        let section = Section::of(&RETRIES, table);
        self.check_keys(section);
        let count = section.entry("count");
        if count.is_none() {
            let title = "`worker.retries` has no `count`";
            let found =
                Diagnostic::at("manifest::missing", title, self.spot(entry.key.clone()), "how often?");
            self.push(found.help("write how often a task is tried again: count = 3"));
        }
        let delay = section.entry("delay");
        let delay_ns = delay.as_ref().and_then(|entry| self.duration(entry, None));
        let longest = section.entry("max_delay");
        let max_delay_ns = longest.as_ref().and_then(|entry| self.duration(entry, None));
        if let (Some(delay), Some(longest)) = (&delay, &longest)
            && delay_ns > max_delay_ns
            && max_delay_ns.is_some()
        {
            let title = "`worker.retries.delay` is longer than `max_delay`";
            let found =
                Diagnostic::at("manifest::value", title, self.spot(delay.value.span()), "the first delay")
                    .related(self.spot(longest.value.span()), "the longest")
                    .help("raise `max_delay`, or leave it out");
            self.push(found);
        }
        let count = count.and_then(|entry| self.integer(&entry, 0..=MAX_RETRIES, INNER_COUNT));
        let retries = Retries {
            count: count.as_ref().map_or(0, |count| count.value as u32),
            backoff: section
                .entry("backoff")
                .and_then(|entry| self.choice(&entry, &BACKOFFS))
                .map(|backoff| backoff.value),
            delay_ns,
            max_delay_ns,
            jitter: section.entry("jitter").and_then(|entry| self.boolean(&entry)).map(|flag| flag.value),
            on: section.entry("on").and_then(|entry| self.codes(&entry)),
        };
        count.map(|_| retries)
    }

    /// Codes of failures; scripts have their own, so that any word is one.
    fn codes(&mut self, entry: &Entry<'_>) -> Option<Vec<String>> {
        let codes = self.strings(entry)?;
        if let Some(empty) = codes.iter().find(|code| code.value.is_empty()) {
            let title = "a code in `worker.retries.on` is empty";
            let found = Diagnostic::at("manifest::value", title, empty.spot.clone(), "no code");
            self.push(found.help("write codes of failures, e.g. [\"timeout\", \"http_status\"]"));
            return None;
        }
        Some(codes.into_iter().map(|code| code.value).collect())
    }

    pub(super) fn recycle(&mut self, entry: &Entry<'_>) -> Option<Recycle> {
        let DeValue::Table(table) = entry.value.get_ref() else {
            let text = self.spot(entry.value.span()).text().to_owned();
            let found = self.type_error(entry, RECYCLE_TABLE);
            self.push(match entry.value.get_ref() {
                DeValue::Integer(_) => found
                    .help("say after what")
                    .patch(self.spot(entry.value.span()), format!("{{ tasks = {text} }}")),
                _ => {
                    found.help("write it as in { tasks = 1000 } or { lifetime = \"1h\", memory = \"1GiB\" }")
                }
            });
            return None;
        };
        let section = Section::of(&RECYCLE, table);
        self.check_keys(section);
        if table.is_empty() {
            self.wrong_value(
                entry,
                "is empty",
                "after what?",
                "write at least one of tasks, lifetime and memory",
            );
        }
        Some(Recycle {
            tasks: section
                .entry("tasks")
                .and_then(|entry| self.integer(&entry, 1..=i64::MAX, TASKS))
                .map(|tasks| tasks.value as u64),
            lifetime_ns: section.entry("lifetime").and_then(|entry| self.duration(&entry, Some(NO_LIMIT))),
            memory: section.entry("memory").and_then(|entry| self.size(&entry, super::worker::MIN_MEMORY)),
        })
    }
}
