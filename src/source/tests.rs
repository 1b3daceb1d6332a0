//! Laws and cases of all sources.

use std::fs;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::*;
use crate::model::Value;
use crate::plan::Input;
use crate::wire::value::{decode_list, describe_list};

fn job(dir: &Path) -> Job {
    Job {
        name: "test".into(),
        description: String::new(),
        manifest: dir.join("test.toml"),
        dir: dir.into(),
        seed: 0,
        params: Value::Map(vec![]),
        meta: Value::Map(vec![]),
        env: vec![],
        lua_path: None,
    }
}

fn plan(source: Source) -> TasksPlan {
    TasksPlan { source, key: None, shuffle: false, skip: 0, limit: None, timeout_ns: 0 }
}

fn range(first: i64, last: i64, step: i64) -> TasksPlan {
    plan(Source::Range { first, last, step })
}

/// All tasks, from batches of a size.
fn drain(source: &mut dyn TaskSource, at_most: usize) -> Result<Vec<Task>, SourceError> {
    let mut out = Vec::new();
    while source.next_batch(&mut out, at_most)? {}
    Ok(out)
}

fn tasks(plan: &TasksPlan) -> Result<Vec<Task>, SourceError> {
    drain(&mut *open(plan, &job(Path::new("/")))?, 7)
}

/// Each task's arguments as people read them.
fn shown(plan: &TasksPlan) -> Vec<String> {
    let tasks = tasks(plan).expect("the source is good");
    tasks.iter().map(|task| describe_list(&task.args, 500)).collect()
}

fn positions(plan: &TasksPlan) -> Vec<u64> {
    let tasks = tasks(plan).expect("the source is good");
    tasks.iter().map(|task| task.id.position().expect("sources give positions")).collect()
}

fn refused(plan: &TasksPlan) -> String {
    let error = tasks(plan).expect_err("the source is bad");
    assert!(!error.help().is_empty());
    let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
    format!("{error}{}", cause.unwrap_or_default())
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Folder(tempfile::tempdir().expect("a folder for the test"))
    }

    fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> Input {
        Input::File(self.path(name, bytes))
    }

    fn path(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().expect("below the folder")).expect("folders can be made");
        fs::write(&path, bytes).expect("files can be written");
        path
    }

    /// The error without the folder's name.
    fn refused(&self, source: Source) -> String {
        refused(&plan(source)).replace(&format!("{}/", self.0.path().display()), "")
    }
}

#[test]
fn an_array_is_an_argument_list_and_anything_else_one_argument() {
    let table = Value::Map(vec![(Value::text("a"), Value::Int(1))]);
    let list = Value::Array(vec![Value::Int(1), Value::text("b")]);
    let items = vec![Value::Int(7), list, table, Value::Array(vec![])];
    assert_eq!(shown(&plan(Source::Items(items))), ["7", "1, b", "{a: 1}", ""]);
    assert_eq!(refused(&plan(Source::Items(vec![]))), "no task: `items` is an empty array");
}

#[test]
fn a_range_counts_as_seq_does() {
    assert_eq!(shown(&range(1, 3, 1)), ["1", "2", "3"]);
    assert_eq!(shown(&range(1, 8, 3)), ["1", "4", "7"]);
    assert_eq!(shown(&range(3, -3, -2)), ["3", "1", "-1", "-3"]);
    assert_eq!(shown(&range(5, 5, -9)), ["5"]);
    assert_eq!(refused(&range(3, 1, 1)), "no task: `range` from 3 to 1 by 1 holds no number");
    assert_eq!(refused(&range(1, 3, -1)), "no task: `range` from 1 to 3 by -1 holds no number");
}

#[test]
fn the_extremes_of_a_range_do_not_overflow() {
    assert_eq!(shown(&range(i64::MAX - 1, i64::MAX, 1)), [(i64::MAX - 1).to_string(), i64::MAX.to_string()]);
    let ends = [i64::MIN.to_string(), "-1".into(), (i64::MAX - 1).to_string()];
    assert_eq!(shown(&range(i64::MIN, i64::MAX, i64::MAX)), ends);
    assert_eq!(shown(&range(i64::MAX, i64::MIN, i64::MIN)), [i64::MAX.to_string(), "-1".into()]);
    let everything = TasksPlan { limit: Some(2), skip: u64::MAX - 2, ..range(i64::MIN, i64::MAX, 1) };
    assert_eq!(shown(&everything), [(i64::MAX - 2).to_string(), (i64::MAX - 1).to_string()]);
    let shuffled = TasksPlan { shuffle: true, ..everything };
    assert_eq!(refused(&shuffled), "more than 2^64 tasks cannot be shuffled");
}

#[test]
fn a_product_turns_its_last_name_fastest() {
    let axes = vec![
        ("b".into(), vec![Value::Int(1), Value::Int(2)]),
        ("a".into(), vec![Value::text("x"), Value::text("y"), Value::Bool(true)]),
    ];
    let expected = [r#"{b: 1, a: "x"}"#, r#"{b: 1, a: "y"}"#, "{b: 1, a: true}", r#"{b: 2, a: "x"}"#];
    let all = plan(Source::Product(axes));
    assert_eq!(shown(&TasksPlan { limit: Some(4), ..all.clone() }), expected);
    assert_eq!(open(&all, &job(Path::new("/"))).ok().and_then(|source| source.total()), Some(6));
}

#[test]
fn a_huge_product_is_lazy_and_an_empty_one_refused() {
    let digits: Vec<_> = (0..10).map(Value::Int).collect();
    let axes = |count| (0..count).map(|name| (format!("n{name}"), digits.clone())).collect::<Vec<_>>();
    let sample = TasksPlan { limit: Some(3), shuffle: true, ..plan(Source::Product(axes(18))) };
    assert_eq!(positions(&sample).len(), 3);
    let beyond = TasksPlan { limit: Some(3), ..plan(Source::Product(axes(40))) };
    assert_eq!(positions(&beyond), [1, 2, 3]);
    let last = shown(&TasksPlan { skip: 11, limit: Some(1), ..beyond });
    assert!(last[0].ends_with("n37: 0, n38: 1, n39: 1}"), "{last:?}");
    assert_eq!(refused(&plan(Source::Product(vec![]))), "no task: `product` is an empty table");
    let hollow = vec![("a".into(), digits.clone()), ("b".into(), vec![])];
    assert_eq!(refused(&plan(Source::Product(hollow))), "no task: `product` has no value for `b`");
}

proptest! {
    #[test]
    fn skip_limit_and_shuffle_keep_identities(
        length in 1i64..200,
        seed in any::<i64>(),
        skip in 0u64..100,
        limit in proptest::option::of(1u64..100),
        at_most in 1usize..50,
    ) {
        let seeded = Job { seed, ..job(Path::new("/")) };
        let whole = TasksPlan { shuffle: true, ..range(101, 100 + length, 1) };
        let read = |plan: &TasksPlan| open(plan, &seeded).and_then(|mut source| drain(&mut *source, at_most));
        let all = read(&whole).expect("the range is not empty");
        for task in &all {
            let position = task.id.position().expect("sources give positions").cast_signed();
            prop_assert_eq!(decode_list(&task.args), Ok(vec![Value::Int(100 + position)]));
        }
        let mut sorted: Vec<_> = all.iter().map(|task| task.id).collect();
        sorted.sort();
        prop_assert_eq!(sorted, (1..=length.cast_unsigned()).map(TaskId::at).collect::<Vec<_>>());
        let part = TasksPlan { skip, limit, ..whole };
        match read(&part) {
            Ok(part) => {
                let limit = limit.unwrap_or(u64::MAX) as usize;
                let expected: Vec<_> = all.into_iter().skip(skip as usize).take(limit).collect();
                prop_assert_eq!(part, expected);
            }
            Err(error) => prop_assert!(skip >= length.cast_unsigned(), "{error}"),
        }
    }

    #[test]
    fn what_serde_json_writes_is_read_as_it_was(text in proptest::collection::vec(any_json(), 1..20)) {
        let folder = Folder::new();
        let file: String = text.iter().map(|value| format!("{value}\n")).collect();
        let tasks = tasks(&plan(Source::Jsonl(folder.file("x", file)))).expect("the file is good");
        prop_assert_eq!(tasks.len(), text.len());
        for (task, value) in tasks.iter().zip(text) {
            let args = if value.is_array() { value } else { serde_json::json!([value]) };
            let mut list = vec![crate::wire::value::ARRAY];
            list.extend_from_slice(&task.args);
            let mut json = Vec::new();
            crate::wire::json::append(&mut json, &list, &mut 0).expect("own code is readable");
            let back: serde_json::Value = serde_json::from_slice(&json).expect("own JSON is readable");
            prop_assert_eq!(back, args);
        }
    }

    #[test]
    fn rows_that_the_csv_crate_writes_are_read_as_they_were(
        rows in proptest::collection::vec(proptest::collection::vec(any::<String>(), 3), 1..20),
    ) {
        let folder = Folder::new();
        let mut writer = ::csv::Writer::from_writer(Vec::new());
        writer.write_record(["a", "b", "c"]).expect("a vector takes every row");
        rows.iter().for_each(|row| writer.write_record(row).expect("a vector takes every row"));
        let bytes = writer.into_inner().expect("a vector takes every row");
        let tasks = tasks(&plan(Source::Csv(folder.file("x", bytes)))).expect("the file is good");
        prop_assert_eq!(tasks.len(), rows.len());
        for (task, row) in tasks.iter().zip(rows) {
            let args = decode_list(&task.args).expect("own code is readable");
            let back = ["a", "b", "c"].map(|name| args[0].get(name).and_then(Value::as_text));
            prop_assert_eq!(back.to_vec(), row.iter().map(|field| Some(&**field)).collect::<Vec<_>>());
        }
    }
}

/// JSON without null in objects, which is dropped, and without floats, which only print alike.
fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<String>().prop_map(serde_json::Value::String),
    ];
    leaf.prop_recursive(4, 64, 200, |inner| {
        prop_oneof![
            proptest::collection::vec(prop_oneof![inner.clone(), Just(serde_json::Value::Null)], 0..200)
                .prop_map(Into::into),
            proptest::collection::btree_map(any::<String>(), inner, 0..150)
                .prop_map(|pairs| serde_json::Value::Object(pairs.into_iter().collect())),
        ]
    })
}

#[test]
fn lines_lose_their_end_and_nothing_else() {
    let folder = Folder::new();
    let input = folder.file("x", b"\xef\xbb\xbfone\r\n\n two \r\n\r\n\xffthree\rx\nlast");
    let tasks = tasks(&plan(Source::Lines(input))).expect("the file is good");
    let lines: Vec<_> = tasks.iter().map(|task| decode_list(&task.args).expect("own code")).collect();
    let expected = [&b"one"[..], b" two ", b"\xffthree\rx", b"last"];
    assert_eq!(lines, expected.map(|line| vec![Value::Bytes(line.to_vec())]));
}

#[test]
fn a_file_without_a_task_is_refused() {
    let folder = Folder::new();
    let empty = || folder.file("empty", "\n\r\n\n");
    assert_eq!(folder.refused(Source::Lines(empty())), "no task: empty has no line that is not empty");
    assert_eq!(folder.refused(Source::Jsonl(empty())), "no task: empty has no record");
    assert_eq!(folder.refused(Source::Csv(empty())), "no task: empty is empty");
    let header = folder.file("header", "a,b\n");
    assert_eq!(folder.refused(Source::Csv(header)), "no task: header has a header and no row");
    let shuffled = TasksPlan { shuffle: true, ..plan(Source::Lines(empty())) };
    assert!(refused(&shuffled).ends_with("empty has no line that is not empty"));
}

#[test]
fn a_slice_without_a_task_is_refused() {
    let folder = Folder::new();
    let lines = plan(Source::Lines(folder.file("x", "1\n2\n")));
    for all in [range(1, 2, 1), lines] {
        assert_eq!(refused(&TasksPlan { skip: 2, ..all.clone() }), "no task: skip = 2 leaves out all 2");
        assert_eq!(refused(&TasksPlan { limit: Some(0), ..all.clone() }), "no task: limit = 0");
        assert_eq!(positions(&TasksPlan { skip: 1, limit: Some(9), ..all }), [2]);
    }
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let folder = Folder::new();
    let missing = Input::File(folder.0.path().join("none"));
    assert!(folder.refused(Source::Lines(missing)).starts_with("cannot open none: No such file"));
    let itself = Input::File(folder.0.path().join(""));
    assert!(folder.refused(Source::Lines(itself)).contains(":1: cannot be read"));
}

#[test]
fn a_line_beyond_the_limit_is_refused() {
    let read = |text: &'static [u8]| {
        let mut reader = LineReader::new(Box::new(text), "x".into(), 4);
        let mut line = Vec::new();
        while reader.next(&mut line)? {}
        Ok::<_, SourceError>(())
    };
    assert!(read(b"1234\r\n1234\n1234").is_ok());
    for text in [&b"1\n12345\n"[..], b"1\n12345", b"1\n123456789"] {
        assert_eq!(read(text).expect_err("too long").to_string(), "x:2: a record of more than 64 MiB");
    }
}

#[test]
fn json_records_keep_their_types() {
    let folder = Folder::new();
    let text = "[1, \"a\", null, 1.0]\n  \n{\"n\": 1e2, \"gone\": null, \"in\": [null]}\r\n18446744073709551615\nnull\n[]";
    let expected = ["1, a, nil, 1.0", "{n: 100.0, in: [nil]}", "1.8446744073709552e19", "nil", ""];
    assert_eq!(shown(&plan(Source::Jsonl(folder.file("x", text)))), expected);
}

#[test]
fn a_wrong_json_record_is_named_with_its_column() {
    let folder = Folder::new();
    let wrong = |text: &str| folder.refused(Source::Jsonl(folder.file("x", text)));
    assert_eq!(wrong("1\n\n{\"a\": }\n"), "x:3:7: expected value");
    assert_eq!(wrong("1 2\n"), "x:1:3: trailing characters");
    assert_eq!(wrong("{\"a\":\n1}\n"), "x:1:5: EOF while parsing a value");
    assert!(wrong(&"[".repeat(1000)).contains("recursion limit exceeded"));
}

#[test]
fn csv_rows_are_named_by_the_header() {
    let folder = Folder::new();
    let text = "\u{feff}id,name\r\n1,\"a, \"\"b\"\"\nc\"\r\n\r\n2,";
    let expected = [r#"{id: "1", name: "a, \"b\"\nc"}"#, r#"{id: "2", name: ""}"#];
    assert_eq!(shown(&plan(Source::Csv(folder.file("x", text)))), expected);
}

#[test]
fn a_wrong_csv_row_is_named_with_its_line() {
    let folder = Folder::new();
    let wrong = |text: &str| folder.refused(Source::Csv(folder.file("x", text)));
    assert_eq!(wrong("a,b,a\n1,2,3\n"), "x:1: columns 1 and 3 are both named \"a\"");
    for end in ["\n", "\r\n"] {
        let text = ["a,b", "1,2", "", "\"3", "x\",4", "5", ""].join(end);
        assert_eq!(wrong(&text), "x:6: 1 fields where the header has 2", "{end:?}");
        let text = ["", "a,b", "", "", "1,2,3"].join(end);
        assert_eq!(wrong(&text), "x:5: 3 fields where the header has 2", "{end:?}");
    }
}

#[test]
fn an_unclosed_quote_does_not_read_the_whole_file() {
    let text = format!("a,b\n1,\"{}", "x".repeat(1 << 20));
    let mut csv =
        super::csv::Csv::new(Box::new(std::io::Cursor::new(text)), "x".into(), 1 << 16).expect("good");
    let error = csv.next(&mut Vec::new()).expect_err("too long");
    assert_eq!(error.to_string(), "x:2: a record of more than 64 MiB");
}

#[test]
fn what_a_slow_writer_has_written_is_given_at_once() {
    for format in [Source::Lines, Source::Jsonl, Source::Csv] {
        let (reader, mut pipe) = std::io::pipe().expect("a pipe");
        let path = format!("/proc/self/fd/{}", reader.as_raw_fd()).into();
        let (release, released) = crossbeam_channel::bounded(1);
        let writer = std::thread::spawn(move || {
            pipe.write_all(b"1\r\n2\r\n").expect("the reader reads");
            released.recv().expect("the first tasks arrive before the pipe ends");
        });
        let opened = open(&plan(format(Input::File(path))), &job(Path::new("/")));
        let mut source = opened.expect("the pipe opens");
        let mut out = Vec::new();
        assert_eq!(source.next_batch(&mut out, 100).ok(), Some(true));
        assert!(!out.is_empty());
        release.send(()).expect("the writer waits");
        writer.join().expect("the writer ends");
        while source.next_batch(&mut out, 100).expect("good lines") {}
    }
}

#[test]
fn a_batch_is_limited_in_tasks_and_bytes() {
    let long = Value::Bytes(vec![b'x'; 100 << 10]);
    let plan = plan(Source::Items(vec![long; 10]));
    let mut source = open(&plan, &job(Path::new("/"))).expect("not empty");
    let mut out = Vec::new();
    assert_eq!(source.next_batch(&mut out, 100).ok(), Some(true));
    assert_eq!(out.len(), 3);
    let mut source = open(&range(1, 2000, 1), &job(Path::new("/"))).expect("not empty");
    assert_eq!(source.total(), Some(2000));
    out.clear();
    assert_eq!(source.next_batch(&mut out, usize::MAX).ok(), Some(true));
    assert_eq!(out.len(), 1024);
    assert_eq!(source.next_batch(&mut out, usize::MAX).ok(), Some(false));
}

#[test]
fn tasks_carry_their_key_or_are_refused() {
    let folder = Folder::new();
    let keyed = |field: &str| TasksPlan {
        key: Some(KeyField::Field(field.into())),
        ..plan(Source::Csv(folder.file("x", "id,url\n1,u\n2,v\n")))
    };
    let tasks = tasks(&keyed("url")).expect("the column exists");
    assert_eq!(tasks.iter().map(|task| task.key()).collect::<Vec<_>>(), [Some(&b"u"[..]), Some(b"v")]);
    assert_eq!(refused(&keyed("uri")), "task 1 has no key: its first argument has no field `uri`");
}

#[test]
fn a_script_is_no_built_in_source() {
    let script = crate::plan::Script { name: "a.lua".into(), dir: "/".into(), text: b"".as_slice().into() };
    assert!(refused(&plan(Source::Script(script))).contains("a.lua"));
}

/// The paths that patterns find in a folder of these files.
fn found(files: &[&str], patterns: &[&str]) -> Result<Vec<String>, String> {
    let folder = Folder::new();
    files.iter().for_each(|file| _ = folder.path(file, "x"));
    let patterns = patterns.iter().map(|&pattern| pattern.to_owned()).collect();
    let opened = open(&plan(Source::Glob(patterns)), &job(folder.0.path()));
    let hide = |error: SourceError| error.to_string().replace(&folder.0.path().display().to_string(), "DIR");
    let tasks = opened.and_then(|mut source| drain(&mut *source, 7)).map_err(hide)?;
    let path = |task: &Task| decode_list(&task.args).ok()?[0].get("path")?.as_text().map(str::to_owned);
    Ok(tasks.iter().map(|task| path(task).expect("a path")).collect())
}

#[test]
fn globs_find_files_sorted_by_path() {
    let files = ["b.txt", "a.txt", "a.md", "sub/c.txt", "sub/deep/d.txt", "sub/deep/e.TXT"];
    let find = |patterns: &[&str]| found(&files, patterns).expect("something matches");
    assert_eq!(find(&["*.txt"]), ["a.txt", "b.txt"]);
    assert_eq!(find(&["**/*.txt"]), ["a.txt", "b.txt", "sub/c.txt", "sub/deep/d.txt"]);
    assert_eq!(find(&["sub/**"]), ["sub/c.txt", "sub/deep/d.txt", "sub/deep/e.TXT"]);
    assert_eq!(find(&["sub/*"]), ["sub/c.txt"]);
    assert_eq!(find(&["{b,sub/c}.txt"]), ["b.txt", "sub/c.txt"]);
    assert_eq!(find(&["[!a].*", "?.md"]), ["a.md", "b.txt"]);
    assert_eq!(find(&["b.txt", "*.txt"]), ["a.txt", "b.txt"]);
    assert_eq!(find(&["./sub/*.txt", "sub//deep/*.txt"]), ["./sub/c.txt", "sub/deep/d.txt"]);
    assert_eq!(find(&["sub/../*.md"]), ["sub/../a.md"]);
}

#[test]
fn globs_see_hidden_files_only_when_asked() {
    let files = [".env", "a", ".git/config", ".git/.x", "sub/.b", ".gitignore"];
    let find = |pattern| found(&files, &[pattern]).expect("something matches");
    assert_eq!(find("**"), ["a"]);
    assert_eq!(find("*"), ["a"]);
    assert_eq!(find(".e*"), [".env"]);
    assert_eq!(find(".git/*"), [".git/config"]);
    assert_eq!(find("{.env,a}"), [".env", "a"]);
    assert_eq!(find("**/.b"), ["sub/.b"]);
}

#[test]
fn globs_without_a_file_are_refused() {
    assert_eq!(found(&["a"], &["*.txt"]), Err("no task: no file matches \"*.txt\" in DIR".into()));
    let both = "no task: no file matches \"none/*.txt\" or \"b\" in DIR";
    assert_eq!(found(&["a"], &["none/*.txt", "b"]), Err(both.into()));
    assert_eq!(found(&["a"], &["[a"]), Err("glob pattern \"[a\" is wrong".into()));
    assert_eq!(found(&["a"], &[]), Err("no task: `glob` has no pattern".into()));
}

#[test]
fn a_found_file_tells_its_parts_and_odd_names_stay_bytes() {
    let folder = Folder::new();
    folder.path("in/archive.tar.gz", "12345");
    let odd = std::ffi::OsStr::from_bytes(b"in/\xff");
    fs::write(folder.0.path().join(odd), "").expect("Linux takes every name");
    std::os::unix::fs::symlink("archive.tar.gz", folder.0.path().join("in/link")).expect("a link");
    std::os::unix::fs::symlink("nowhere", folder.0.path().join("in/dead")).expect("a link");
    let pattern = folder.0.path().join("in/*").display().to_string();
    let tasks = tasks(&plan(Source::Glob(vec![pattern]))).expect("absolute patterns work");
    let files: Vec<_> = tasks.iter().map(|task| decode_list(&task.args).expect("own code")).collect();
    let field = |file: usize, name| files[file][0].get(name).expect("every file has it").clone();
    let path = folder.0.path().join("in/archive.tar.gz");
    assert_eq!(field(0, "path"), Value::text(path.display().to_string()));
    assert_eq!(field(0, "name"), Value::text("archive.tar.gz"));
    assert_eq!(field(0, "stem"), Value::text("archive.tar"));
    assert_eq!(field(0, "ext"), Value::text("gz"));
    assert_eq!(field(0, "size"), Value::Int(5));
    assert!(matches!(field(0, "mtime"), Value::Float(seconds) if seconds > 1.6e9));
    assert_eq!((field(1, "name"), field(1, "size")), (Value::text("link"), Value::Int(5)));
    assert_eq!((field(2, "name"), field(2, "ext")), (Value::Bytes(vec![0xff]), Value::text("")));
    assert_eq!(files.len(), 3);
}

#[test]
#[ignore = "a measurement; run it with --release"]
fn a_million_tasks_of_a_range_cost_less_than_40_ns_each() {
    for (name, plan) in [
        ("range", range(1, 1_000_000, 1)),
        ("range shuffled", TasksPlan { shuffle: true, ..range(1, 1_000_000, 1) }),
        ("range keyed", TasksPlan { key: Some(KeyField::Args), ..range(1, 1_000_000, 1) }),
    ] {
        let measure = |_| {
            let mut source = open(&plan, &job(Path::new("/"))).expect("not empty");
            let mut out = Vec::with_capacity(1024);
            let start = std::time::Instant::now();
            while source.next_batch(&mut out, 1024).expect("numbers are good") {
                out.clear();
            }
            start.elapsed().as_nanos() / 1_000_000
        };
        // the best of a few, since the machine may do something else meanwhile
        let each = (0..9).map(measure).min().expect("nine runs");
        assert!(name != "range" || each < 40, "{each} ns");
        writeln!(std::io::stderr(), "{name}: {each} ns a task").expect("standard error is open");
    }
}
