//! A manifest that has been checked, and its top level.

use toml::de::DeValue;

use super::diagnostic::{Diagnostic, Spot};
use super::keys::{HANDLER, OUTPUT, RUN, TASKS, WORKER};
use super::limits::LimitTable;
use super::output::Output;
use super::run::Run;
use super::section::{Entry, Expected, Reader, STRING, Section};
use super::tasks::Tasks;
use super::value::entries;
use super::worker::{Handler, Worker};
use crate::model::Value;

/// Names by which `meta` knows more than the manifest's keys, in `handler` and `failed`.
const RESERVED_META: [&str; 7] = ["task", "task_id", "attempt", "worker", "duration", "self", "mpmt"];

/// A value and where it was written.
#[derive(Clone, Debug)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Where it stands: in the manifest, or in a flag.
    pub spot: Spot,
}

/// Lua for a role.
#[derive(Clone, Debug)]
pub enum Lua {
    /// A file, relative to the manifest's folder.
    Script(Located<String>),
    /// Text inside the manifest.
    Code(Located<String>),
}

/// What somebody wrote, checked; what nobody wrote is `None` or empty.
#[derive(Clone, Debug, Default)]
pub struct Manifest {
    /// `name`
    pub name: Option<String>,
    /// `description`
    pub description: Option<String>,
    /// Top-level `script` or `code`, for every role without its own.
    pub lua: Option<Lua>,
    /// `seed`
    pub seed: Option<i64>,
    /// `[params]`, in the order in which they were written.
    pub params: Vec<(String, Value)>,
    /// `[meta]`, likewise.
    pub meta: Vec<(String, Value)>,
    /// `env`, likewise.
    pub env: Vec<(String, String)>,
    /// `env_file`: files of variables, the later ones first in rank.
    pub env_files: Vec<Located<String>>,
    /// `secrets`: names of variables.
    pub secrets: Vec<Located<String>>,
    /// `[tasks]`
    pub tasks: Tasks,
    /// `[worker]`
    pub worker: Worker,
    /// `[handler]`
    pub handler: Handler,
    /// `[output]`
    pub output: Option<Output>,
    /// `[run]`
    pub run: Run,
    /// `[limits.NAME]`, in the order in which they were written.
    pub limits: Vec<LimitTable>,
}

impl Manifest {
    /// Reads everything that can be read; what is wrong is kept in the reader.
    pub(super) fn read(reader: &mut Reader, top: Section<'_>) -> Self {
        reader.check_keys(top);
        let tasks = reader.section(top, "tasks", &TASKS);
        let worker = reader.section(top, "worker", &WORKER);
        let handler = reader.section(top, "handler", &HANDLER);
        let output = reader.section(top, "output", &OUTPUT);
        let run = reader.section(top, "run", &RUN);
        let limits = reader.limits(top);
        let taken = worker.and_then(|worker| reader.limit_names(top, worker));
        let read = Self {
            name: top.entry("name").and_then(|entry| reader.name(&entry)),
            description: top
                .entry("description")
                .and_then(|entry| reader.text(&entry))
                .map(|text| text.value),
            lua: reader.lua(top),
            seed: top
                .entry("seed")
                .and_then(|entry| reader.integer(&entry, i64::MIN..=i64::MAX, SEED))
                .map(|seed| seed.value),
            params: reader.params(top),
            meta: reader.meta(top),
            env: reader.env(top),
            env_files: top.entry("env_file").map(|entry| reader.env_files(&entry)).unwrap_or_default(),
            secrets: top.entry("secrets").map(|entry| reader.secrets(&entry)).unwrap_or_default(),
            tasks: tasks.map(|section| Tasks::read(reader, section)).unwrap_or_default(),
            worker: worker.map(|section| Worker::read(reader, section, taken)).unwrap_or_default(),
            handler: handler.map(|section| Handler::read(reader, section)).unwrap_or_default(),
            output: output.and_then(|section| Output::read(reader, top, section)),
            run: run.map(|section| Run::read(reader, section)).unwrap_or_default(),
            limits,
        };
        reader.unused_limits(top, &read);
        read
    }
}

fn is_variable(name: &str) -> bool {
    !name.is_empty() && !name.contains(['=', '\0'])
}

const SEED: Expected = Expected { title: "an integer", label: "integer of 64 bits" };

impl Reader {
    /// `script` or `code` of a table, not both.
    pub(super) fn lua(&mut self, section: Section<'_>) -> Option<Lua> {
        let (script, code) = (section.entry("script"), section.entry("code"));
        if let (Some(script), Some(code)) = (&script, &code) {
            let title = format!("`script` and `code` in {}: only one can be", section.shown());
            let found =
                Diagnostic::at("manifest::conflict", title, self.spot(code.key.clone()), "Lua text here")
                    .related(self.spot(script.key.clone()), "and a Lua file here")
                    .help("remove one of them");
            self.push(found);
        }
        let script = script.and_then(|entry| self.path_text(&entry)).map(Lua::Script);
        let code = code.and_then(|entry| self.text(&entry)).map(Lua::Code);
        script.or(code)
    }

    fn name(&mut self, entry: &Entry<'_>) -> Option<String> {
        let name = self.text(entry)?.value;
        if name.trim().is_empty() || name.chars().any(char::is_control) {
            self.wrong_value(
                entry,
                "must be a name",
                "empty, or with control characters",
                "write a short name, or remove the key: the file's name is the default",
            );
            return None;
        }
        Some(name)
    }

    fn params(&mut self, top: Section<'_>) -> Vec<(String, Value)> {
        let table = top.entry("params").and_then(|entry| self.table(&entry));
        table.map(|table| self.plain_entries(table)).unwrap_or_default()
    }

    fn meta(&mut self, top: Section<'_>) -> Vec<(String, Value)> {
        let Some(table) = top.entry("meta").and_then(|entry| self.table(&entry)) else { return Vec::new() };
        for (key, _) in entries(table) {
            let name = key.get_ref().as_ref();
            if RESERVED_META.contains(&name) {
                let title = format!("`{name}` in `[meta]` is a name of mpms");
                let found = Diagnostic::at("manifest::reserved", title, self.spot(key.span()), "reserved")
                    .help(format!(
                        "choose another name; in a handler `meta.{name}` belongs to the task at hand"
                    ));
                self.push(found);
            }
        }
        self.plain_entries(table)
    }

    fn no_variable(&mut self, spot: Spot) {
        let title = "no environment variable can have this name";
        let found = Diagnostic::at("manifest::value", title, spot, "empty, or with `=` or a zero byte");
        self.push(found.help("choose another name"));
    }

    /// One path, or a list of them.
    fn env_files(&mut self, entry: &Entry<'_>) -> Vec<Located<String>> {
        if !matches!(entry.value.get_ref(), DeValue::Array(_)) {
            return self.path_text(entry).into_iter().collect();
        }
        let files = self.strings(entry).unwrap_or_default();
        if let Some(wrong) = files.iter().find(|file| file.value.is_empty() || file.value.contains('\0')) {
            let title = "no file can have this path";
            let found =
                Diagnostic::at("manifest::value", title, wrong.spot.clone(), "empty, or with a zero byte");
            self.push(found.help("write a path, relative to the manifest's folder"));
        }
        files
    }

    /// Their values are looked for when a run begins: a manifest is right without them.
    fn secrets(&mut self, entry: &Entry<'_>) -> Vec<Located<String>> {
        let names = self.strings(entry).unwrap_or_default();
        for wrong in names.iter().filter(|name| !is_variable(&name.value)) {
            self.no_variable(wrong.spot.clone());
        }
        names
    }

    fn env(&mut self, top: Section<'_>) -> Vec<(String, String)> {
        let Some(table) = top.entry("env").and_then(|entry| self.table(&entry)) else { return Vec::new() };
        let mut env = Vec::new();
        for (key, value) in entries(table) {
            let name = key.get_ref().to_string();
            if !is_variable(&name) {
                self.no_variable(self.spot(key.span()));
                continue;
            }
            let entry = Entry { path: format!("env.{name}"), name: "env", key: key.span(), value };
            let Some(text) = self.text(&entry) else { continue };
            if text.value.contains('\0') {
                self.wrong_value(
                    &entry,
                    "holds a zero byte",
                    STRING.label,
                    "remove it: no environment variable can hold one",
                );
                continue;
            }
            env.push((name, text.value));
        }
        env
    }
}
