//! The whole way from text to manifest.

use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use super::diagnostic::{Diagnostic, Place, SourceText, Spot};
use super::job::Manifest;
use super::keys::TOP;
use super::section::{Reader, Section};
use super::set;
use super::syntax::Syntax;
use super::value::dismantle;

/// Reads a manifest and the `--set` flags. What is right is in the manifest, everything that is wrong in
/// the list, in the order of the text; nothing may run unless it holds no error.
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
    let manifest = Manifest::read(&mut reader, Section::of(&TOP, &top));
    reader.missing(&manifest, &top);
    dismantle(DeValue::Table(top));
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
            self.lacks(
                "worker",
                "no script, code or command",
                "nothing to run: the manifest has no worker",
                help,
                top,
            );
        }
        if !lua && !has("tasks", &sources) {
            let help = "write a `script` at the top, or a source under `[tasks]`: \
                script, code, items, range, product, glob, lines, csv or jsonl";
            self.lacks(
                "tasks",
                "no source here",
                "nothing to do: the manifest has no source of tasks",
                help,
                top,
            );
        }
    }

    fn lacks(&mut self, table: &str, label: &str, title: &str, help: &str, top: &DeTable<'_>) {
        let found = match top.get_key_value(table) {
            Some((key, _)) => Diagnostic::at("manifest::missing", title, self.spot(key.span()), label),
            None => Diagnostic::error("manifest::missing", title, Place::File(self.manifest().name.clone())),
        };
        self.push(found.help(help));
    }
}

fn findings(reader: Reader, syntax: Syntax, source: &Arc<SourceText>) -> Vec<Diagnostic> {
    let (found, unlisted) = reader.into_found();
    // What seems to be unused may be named on a broken line.
    let trusted =
        |found: &Diagnostic| syntax.trusts(found, source) && (found.is_error() || syntax.found.is_empty());
    let mut all: Vec<_> = found.into_iter().filter(trusted).collect();
    all.extend(syntax.found);
    sort(&mut all, source);
    if unlisted > 0 {
        let title = format!("and {unlisted} more errors");
        all.push(Diagnostic::error("manifest::many", title, Place::File(source.name.clone())));
    }
    all
}

/// The order of the text; then the flags, in their order; then what has no place.
pub fn sort(found: &mut [Diagnostic], source: &Arc<SourceText>) {
    found.sort_by_key(|found| match found.spot() {
        Some(Spot { source: at, span }) if Arc::ptr_eq(at, source) => (0, span.start),
        Some(_) => (1, 0),
        None => (2, 0),
    });
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::manifest::{Body, KeyField, Lua, MaxFail, Processes, Source};
    use crate::model::Value;

    fn read(text: &str) -> (Manifest, Vec<Diagnostic>) {
        check(&SourceText::new("job.toml", text), &[])
    }

    fn good(text: &str) -> Manifest {
        let (manifest, found) = read(text);
        assert!(found.is_empty(), "{found:#?}");
        manifest
    }

    fn told(text: &str) -> Vec<String> {
        read(text).1.iter().map(ToString::to_string).collect()
    }

    const LEAST: &str = "worker.command = ['true']\ntasks.items = [1]\n";

    #[test]
    fn everything_that_can_be_written_is_read() {
        let manifest = good(
            r#"#!/usr/bin/env -S mpms run
            name = "crawl"
            description = "all pages"
            script = "crawl.lua"
            seed = -7
            params = { count = 100, base = "http://x", at = 2024-02-29 }
            [meta]
            total = 0.5
            nested = { list = [1, [true]] }
            [env]
            LANG = "C"
            [tasks]
            range = [1, 0x10, 3]
            key = "args"
            shuffle = true
            skip = 1
            limit = 10
            [worker]
            code = "return 1"
            processes = "auto"
            threads = 8
            crash_limit = 1
            [handler]
            script = "h.lua"
            ordered = true
            [output]
            path = "-"
            format = "csv"
            fields = ["b", "a"]
            mode = "append"
            [run]
            max_fail = "2.5%"
            queue = 16
            "#,
        );
        assert_eq!(manifest.name.as_deref(), Some("crawl"));
        assert_eq!(manifest.seed, Some(-7));
        let names: Vec<_> = manifest.params.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["count", "base", "at"], "in the order in which they were written");
        assert_eq!(manifest.params[2].1, Value::text("2024-02-29"));
        assert!(matches!(manifest.tasks.source, Some(Source::Range { first: 1, last: 16, step: 3 })));
        assert_eq!(manifest.tasks.key, Some(KeyField::Args));
        assert!(matches!(manifest.worker.body, Some(Body::Lua(Lua::Code(_)))));
        assert_eq!(manifest.worker.processes, Some(Processes::Auto));
        assert_eq!(manifest.run.max_fail, Some(MaxFail::Percent(2.5)));
        assert_eq!(manifest.env, [("LANG".to_owned(), "C".to_owned())]);
        assert!(manifest.output.is_some_and(|output| output.fields == Some(vec!["b".into(), "a".into()])));
    }

    #[test]
    fn a_product_keeps_the_order_of_its_names() {
        let manifest = good("worker.command = ['x']\n[tasks.product]\nz = [1]\na = [2, 3]\n");
        let Some(Source::Product(axes)) = manifest.tasks.source else { panic!("no product") };
        let expected = [("z".into(), vec![Value::Int(1)]), ("a".into(), vec![Value::Int(2), Value::Int(3)])];
        assert_eq!(axes, expected);
    }

    #[test]
    fn a_flag_replaces_what_the_manifest_says() {
        let source = SourceText::new("job.toml", format!("{LEAST}worker.threads = 2\n[meta.deep]\na = 1\n"));
        let flags = ["worker.threads=5", "meta.deep.a=[1, {b = 'c'}]", "name=my job", "run.queue = 9"];
        let (manifest, found) = check(&source, &flags.map(str::to_owned));
        assert!(found.is_empty(), "{found:#?}");
        assert_eq!(manifest.worker.threads, Some(5));
        assert_eq!(manifest.name.as_deref(), Some("my job"));
        assert_eq!(manifest.run.queue, Some(9));
        let inner = Value::Map(vec![(Value::text("b"), Value::text("c"))]);
        assert_eq!(manifest.meta[0].1.get("a"), Some(&Value::Array(vec![Value::Int(1), inner])));
    }

    #[test]
    fn a_script_in_the_place_of_a_manifest_is_told_once() {
        let script = SourceText::new("scripts/crawl.lua", "return {\n a = function() end,\n}");
        let (_, found) = check(&script, &[]);
        let titles: Vec<_> = found.iter().map(|found| found.title.as_str()).collect();
        assert_eq!(titles, ["this is a Lua script, not a manifest"]);
    }

    #[test]
    fn nesting_is_refused_before_it_is_dangerous() {
        for text in [
            format!("{LEAST}meta.a = {}1{}", "[".repeat(1_000_000), "]".repeat(1_000_000)),
            format!("{LEAST}meta.a = {}1{}", "{a=".repeat(100_000), "}".repeat(100_000)),
            format!("{LEAST}meta{} = 1", ".a".repeat(1_000_000)),
            format!("{LEAST}[meta{}]", ".a".repeat(1_000_000)),
        ] {
            assert!(!told(&text).is_empty());
        }
        let chain = format!("{{ a{} = ", ".a".repeat(70));
        let deep = format!("{}1{}", chain.repeat(60), "}".repeat(60));
        let flag = format!("meta.b={deep}");
        assert_eq!(
            check(&SourceText::new("job.toml", LEAST), &[flag]).1[0].title,
            "values are nested too deep"
        );
        let text = format!("{LEAST}meta.a = {deep}");
        let told = told(&text);
        assert!(matches!(&told[..], [one] if one.ends_with("values are nested deeper than 100")), "{told:?}");
    }

    #[test]
    fn ten_megabytes_of_errors_are_a_hundred_and_a_number() {
        let text: String = (0..400_000).map(|number| format!("unknown_{number} = {number}\n")).collect();
        let (_, found) = read(&text);
        assert_eq!(found.len(), 101);
        assert_eq!(found[100].title, "and 399902 more errors");
    }

    #[test]
    fn a_file_of_broken_lines_is_told_in_short() {
        for line in ["a b\n", "a = [{]\n", "a = 1\n", "[t]\n", "a = \"x\n", "\u{1}\n", "]"] {
            assert!((1..=121).contains(&told(&line.repeat(50_000)).len()), "{line}");
        }
    }

    #[test]
    fn ten_megabytes_of_items_are_read() {
        let items = "[1, 'a'], ".repeat(1_000_000);
        let manifest = good(&format!("worker.command = ['true']\ntasks.items = [{items}]"));
        assert!(matches!(manifest.tasks.source, Some(Source::Items(items)) if items.len() == 1_000_000));
    }

    /// Pieces that manifests are made of, in any order.
    fn soup() -> impl Strategy<Value = String> {
        let piece = prop::sample::select(vec![
            "[tasks]\n",
            "[worker]\n",
            "[output]\n",
            "[run]\n",
            "[[",
            "]]",
            "[",
            "]",
            "{",
            "}",
            "=",
            " = ",
            ".",
            ",",
            "\n",
            "\r\n",
            "\r",
            "\t",
            "script",
            "code",
            "items",
            "range",
            "product",
            "glob",
            "processes",
            "threads",
            "key",
            "path",
            "fields",
            "mode",
            "meta",
            "params",
            "env",
            "worker",
            "tasks",
            "limit",
            "\"",
            "'",
            "'''",
            "\"\"\"",
            "1",
            "-1",
            "0x",
            "1e999",
            "99999999999999999999",
            "true",
            "inf",
            "nan",
            "1979-05-27",
            "\\",
            "#",
            "é",
            "日本",
            "\u{feff}",
            "\0",
            "\u{1b}[31m",
            "5%",
            "*",
        ]);
        prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&String::from_utf8_lossy(&bytes));
        }

        #[test]
        fn any_soup_of_pieces_is_read_or_refused(text in soup(), flag in soup()) {
            let source = SourceText::new("job.toml", text);
            let (_, found) = check(&source, &[flag]);
            for found in found.iter().filter_map(Diagnostic::spot) {
                prop_assert!(found.source.text.get(found.span.clone()).is_some());
            }
        }
    }
}
