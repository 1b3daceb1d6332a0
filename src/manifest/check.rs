//! The whole way from text to manifest.

use std::sync::Arc;

use toml::de::DeTable;

use super::diagnostic::{Diagnostic, Place, SourceText, Spot};
use super::job::Manifest;
use super::keys::TOP;
use super::section::{Reader, Section};
use super::set;
use super::syntax::Syntax;

/// Reads a manifest and the `--set` flags. What is right is in the manifest, everything that is wrong in
/// the list, in the order of the text; nothing may run unless the list is empty.
pub fn check(source: &Arc<SourceText>, settings: &[String]) -> (Manifest, Vec<Diagnostic>) {
    let flags: Vec<_> = settings.iter().map(|setting| set::flag_text(setting)).collect();
    let (parsed, errors) = DeTable::parse_recoverable(&source.text);
    let syntax = Syntax::new(source, parsed.get_ref(), &errors);
    drop(errors);

    let mut reader = Reader::new(source);
    let mut top = parsed.into_inner();
    for flag in &flags {
        let base = reader.texts().add(flag);
        match set::parse(flag, base) {
            Ok(setting) => set::apply(setting, &mut top),
            Err(found) => reader.push(*found),
        }
    }
    let manifest = Manifest::read(&mut reader, Section { keys: &TOP, table: &top });
    reader.missing(&manifest, &top);
    (manifest, findings(reader, syntax, source))
}

impl Reader {
    /// What a job cannot do without: tasks and a worker.
    fn missing(&mut self, manifest: &Manifest, top: &DeTable<'_>) {
        let has = |table: &str, keys: &[&str]| {
            let inner = top.get(table).map(|value| value.get_ref());
            inner.is_some_and(|inner| {
                inner.as_table().is_none_or(|inner| keys.iter().any(|key| inner.contains_key(*key)))
            })
        };
        // A key that is there and wrong has its own error.
        let lua = manifest.lua.is_some() || top.contains_key("script") || top.contains_key("code");
        let sources = ["script", "code", "items", "range", "product", "glob", "lines", "csv", "jsonl"];
        if !lua && !has("worker", &["script", "code", "command"]) {
            let help = "write a `script` at the top, or a `script` or `command` under `[worker]`";
            self.lacks("worker", "nothing to run: the manifest has no worker", help, top);
        }
        if !lua && !has("tasks", &sources) {
            let help = "write a `script` at the top, or a source under `[tasks]`: script, code, items, range, product, glob, lines, csv or jsonl";
            self.lacks("tasks", "nothing to do: the manifest has no source of tasks", help, top);
        }
    }

    fn lacks(&mut self, table: &str, title: &str, help: &str, top: &DeTable<'_>) {
        let found = match top.get_key_value(table) {
            Some((key, _)) => Diagnostic::at("manifest::missing", title, self.spot(key.span()), "none here"),
            None => Diagnostic::error("manifest::missing", title, Place::File(self.manifest().name.clone())),
        };
        self.push(found.help(help));
    }
}

fn findings(reader: Reader, syntax: Syntax, source: &Arc<SourceText>) -> Vec<Diagnostic> {
    let (found, unlisted) = reader.into_found();
    let mut all: Vec<_> = found.into_iter().filter(|found| syntax.trusts(found, source)).collect();
    all.extend(syntax.found);
    all.sort_by_key(|found| match found.spot() {
        Some(Spot { source: at, span }) => (!Arc::ptr_eq(at, source), span.start),
        None => (true, usize::MAX),
    });
    if unlisted > 0 {
        let title = format!("and {unlisted} more errors");
        all.push(Diagnostic::error("manifest::many", title, Place::File(source.name.clone())));
    }
    all
}
