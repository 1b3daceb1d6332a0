//! `[worker]` and `[handler]`

use toml::de::DeValue;

use super::diagnostic::{Diagnostic, Spot};
use super::job::{Located, Lua};
use super::overrides::Processes;
use super::retries::Retries;
use super::section::{Entry, Expected, Reader, Section};
use crate::model::policy::{OnError, Recycle};

/// Processes at most; the engine keeps a table of them, and a machine with more CPUs is not known.
pub const MAX_PROCESSES: usize = 4096;
/// Threads in a process at most.
pub const MAX_THREADS: usize = 1024;
/// Coroutines on a thread at most: each has a slot of its own, which the coordinator looks at.
pub const MAX_COROUTINES: usize = 10_000;
/// Attempts in a process at the same time at most, for the same reason.
pub const MAX_AT_ONCE: usize = 100_000;
/// Memory of a worker process at least: with less, it would not get as far as its first task.
pub const MIN_MEMORY: u64 = 16 << 20;

const PROCESSES: Expected =
    Expected { title: "an integer or \"auto\"", label: "integer from 1 to 4096, or \"auto\"" };
const THREADS: Expected = Expected { title: "an integer", label: "integer from 1 to 1024" };
const COROUTINES: Expected = Expected { title: "an integer", label: "integer from 1 to 10000" };
const ON_ERROR: [(&str, OnError); 2] = [("abort", OnError::Abort), ("log", OnError::Log)];
const CRASHES: Expected = Expected { title: "an integer", label: "integer from 1 to 1000" };

/// `[worker]`
#[derive(Clone, Debug, Default)]
pub struct Worker {
    /// What an attempt runs, when the table says so.
    pub body: Option<Body>,
    /// `processes`
    pub processes: Option<Processes>,
    /// `threads`, 1 to 1024
    pub threads: Option<usize>,
    /// `coroutines`, 1 to 10,000
    pub coroutines: Option<Located<usize>>,
    /// `timeout`, in nanoseconds, as all times
    pub timeout_ns: Option<u64>,
    /// `grace_period`, may be 0
    pub grace_ns: Option<u64>,
    /// `slow_timeout`
    pub slow_ns: Option<u64>,
    /// `retries`
    pub retries: Option<Retries>,
    /// `crash_limit`, 1 to 1000
    pub crash_limit: Option<u32>,
    /// `recycle`
    pub recycle: Option<Recycle>,
    /// `memory`, in bytes
    pub memory: Option<u64>,
    /// `limits`: names of tables that exist
    pub limits: Vec<String>,
}

/// What an attempt runs.
#[derive(Clone, Debug)]
pub enum Body {
    /// `script` or `code`
    Lua(Lua),
    /// `command`
    Command(Vec<String>),
}

/// `[handler]`
#[derive(Clone, Debug, Default)]
pub struct Handler {
    /// `script` or `code`
    pub lua: Option<Lua>,
    /// `ordered`
    pub ordered: Option<bool>,
    /// `on_error`
    pub on_error: Option<OnError>,
    /// `timeout`, in nanoseconds
    pub timeout_ns: Option<u64>,
}

impl Worker {
    pub(super) fn read(reader: &mut Reader, section: Section<'_>, limits: Option<Vec<String>>) -> Self {
        Self {
            body: reader.body(section),
            processes: section.entry("processes").and_then(|entry| reader.processes(&entry)),
            threads: section
                .entry("threads")
                .and_then(|entry| reader.integer(&entry, 1..=MAX_THREADS as i64, THREADS))
                .map(|threads| threads.value as usize),
            coroutines: section
                .entry("coroutines")
                .and_then(|entry| reader.integer(&entry, 1..=MAX_COROUTINES as i64, COROUTINES))
                .map(|count| Located { value: count.value as usize, spot: count.spot }),
            timeout_ns: section.entry("timeout").and_then(|entry| {
                reader.duration(&entry, Some("leave it out: then an attempt takes its time"))
            }),
            grace_ns: section.entry("grace_period").and_then(|entry| reader.duration(&entry, None)),
            slow_ns: section
                .entry("slow_timeout")
                .and_then(|entry| reader.duration(&entry, Some("leave it out for the default, 60 seconds"))),
            retries: section.entry("retries").and_then(|entry| reader.retries(&entry)),
            crash_limit: section
                .entry("crash_limit")
                .and_then(|entry| reader.integer(&entry, 1..=1000, CRASHES))
                .map(|deaths| deaths.value as u32),
            recycle: section.entry("recycle").and_then(|entry| reader.recycle(&entry)),
            memory: section.entry("memory").and_then(|entry| reader.size(&entry, MIN_MEMORY)),
            limits: limits.unwrap_or_default(),
        }
    }
}

impl Handler {
    pub(super) fn read(reader: &mut Reader, section: Section<'_>) -> Self {
        Self {
            lua: reader.lua(section),
            ordered: section.entry("ordered").and_then(|entry| reader.boolean(&entry)).map(|flag| flag.value),
            on_error: section
                .entry("on_error")
                .and_then(|entry| reader.choice(&entry, &ON_ERROR))
                .map(|policy| policy.value),
            timeout_ns: section
                .entry("timeout")
                .and_then(|entry| reader.duration(&entry, Some("leave it out for the default, 10 minutes"))),
        }
    }
}

impl Reader {
    fn body(&mut self, section: Section<'_>) -> Option<Body> {
        let lua = self.lua(section).map(Body::Lua);
        let Some(entry) = section.entry("command") else { return lua };
        if let Some(other) = section.entry("script").or_else(|| section.entry("code")) {
            let title = format!("`command` and `{}` in `[worker]`: only one can be", other.name);
            let found =
                Diagnostic::at("manifest::conflict", title, self.spot(entry.key.clone()), "a command here")
                    .related(self.spot(other.key), "and Lua here")
                    .help("remove one of them; a script can start commands too");
            self.push(found);
        }
        self.command(&entry).map(Body::Command)
    }

    fn command(&mut self, entry: &Entry<'_>) -> Option<Vec<String>> {
        if let DeValue::String(text) = entry.value.get_ref() {
            self.shell_command(entry, text);
            return None;
        }
        let words = self.strings(entry)?;
        let wrong = |word: &&Located<String>| word.value.contains('\0');
        let empty_program = words.first().filter(|program| program.value.is_empty());
        if let Some(word) = words.iter().find(wrong).or(empty_program) {
            let (title, label) = match word.value.is_empty() {
                true => ("the program of `worker.command` is empty", "no program"),
                false => ("an argument of `worker.command` holds a zero byte", "no argument can"),
            };
            let found = Diagnostic::at("manifest::value", title, word.spot.clone(), label);
            self.push(found.help("write the program first, then its arguments: [\"convert\", \"{path}\"]"));
            return None;
        }
        Some(words.into_iter().map(|word| word.value).collect())
    }

    /// A whole command line in one string: split as a shell would, unless it needs a shell.
    fn shell_command(&mut self, entry: &Entry<'_>, text: &str) {
        let spot: Spot = self.spot(entry.value.span());
        let found = Diagnostic::at(
            "manifest::type",
            "`worker.command` must be a list of strings",
            spot.clone(),
            "this is a string",
        )
        .related(self.spot(entry.key.clone()), "program and arguments");
        let words = shlex::split(text).filter(|words| {
            !words.is_empty() && !text.contains(['|', '>', '<', '&', ';', '$', '`', '*', '\n'])
        });
        let words = words.unwrap_or_else(|| vec!["sh".into(), "-c".into(), text.into()]);
        let listed: Vec<_> = words.iter().map(|word| toml::Value::from(word.as_str()).to_string()).collect();
        self.push(
            found
                .help("write each argument as a string of its own; no shell reads it")
                .patch(spot, format!("[{}]", listed.join(", "))),
        );
    }

    fn processes(&mut self, entry: &Entry<'_>) -> Option<Processes> {
        match entry.value.get_ref() {
            DeValue::String(text) if text == "auto" => Some(Processes::Auto),
            _ => {
                let count = self.integer(entry, 1..=MAX_PROCESSES as i64, PROCESSES)?;
                Some(Processes::Count(count.value as usize))
            }
        }
    }
}
