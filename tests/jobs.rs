//! Every manifest in `jobs/` is run, and what it made is looked at. A job without a check here fails the test.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// A job that ended as it should, in a copy of the repository's jobs and scripts.
struct Ran {
    folder: TempDir,
    output: Output,
}

impl Ran {
    /// Runs a job from a folder that is not its own.
    fn of(job: &str, flags: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for part in ["jobs", "scripts"] {
            copy_files(&repository().join(part), &folder.path().join(part));
        }
        let output = run(folder.path(), job, flags);
        Ran { folder, output }
    }

    fn again(&mut self, job: &str, flags: &[&str]) {
        self.output = run(self.folder.path(), job, flags);
    }

    /// A path that the job sees.
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("jobs").join(name)
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    fn rows(&self, text: &str) -> Vec<serde_json::Value> {
        text.lines().map(|line| serde_json::from_str(line).expect("a line is one JSON value")).collect()
    }

    fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.output.stdout).into_owned()
    }

    /// What the summary says below `Finish`.
    fn finish(&self) -> String {
        let stderr = String::from_utf8_lossy(&self.output.stderr).into_owned();
        let line = stderr.lines().find_map(|line| line.trim_start().strip_prefix("Finish "));
        line.unwrap_or_else(|| panic!("no finish in {stderr}")).to_owned()
    }
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files of a folder itself, without those below it: a job's `out/` is left behind.
fn copy_files(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder can be made");
    for entry in from.read_dir().expect("a folder of the repository").flatten() {
        if entry.path().is_file() {
            fs::copy(entry.path(), to.join(entry.file_name())).expect("a file can be copied");
        }
    }
}

fn run(folder: &Path, job: &str, flags: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mpms"));
    command.current_dir(folder).arg("run").arg(format!("jobs/{job}.toml")).args(flags);
    let output = command.output().expect("mpms can be started");
    let stderr = String::from_utf8_lossy(&output.stderr);
    // some tasks of one job fail, and this is what it shows
    let code = if job == "timeouts" { 1 } else { 0 };
    assert_eq!(output.status.code(), Some(code), "{job}: {}\n{stderr}", output.status);
    output
}

/// The jobs that have a check below.
const CHECKS: [(&str, fn()); 14] = [
    ("api", api),
    ("commands", commands),
    ("convert", convert),
    ("copy", copy),
    ("crawl", crawl),
    ("download", download),
    ("etl", etl),
    ("flaky", flaky),
    ("gevent", gevent),
    ("logs", logs),
    ("pages", pages),
    ("primes", primes),
    ("spider", spider),
    ("timeouts", timeouts),
];

#[test]
fn every_job_is_checked() {
    let entries = repository().join("jobs").read_dir().expect("the folder of jobs").flatten();
    let manifests =
        entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|end| end == "toml"));
    let jobs: BTreeSet<_> =
        manifests.filter_map(|path| Some(path.file_stem()?.to_string_lossy().into_owned())).collect();
    let checked: BTreeSet<_> = CHECKS.iter().map(|(job, _)| (*job).to_owned()).collect();
    assert_eq!(jobs, checked, "jobs/*.toml on the left, their checks on the right");
}

#[test]
fn every_job_does_what_it_says() {
    let threads: Vec<_> = CHECKS
        .into_iter()
        .map(|(job, check)| std::thread::Builder::new().name(job.into()).spawn(check).expect("a thread"))
        .collect();
    let failed: Vec<_> = threads.into_iter().filter_map(|thread| thread.join().err()).collect();
    assert!(failed.is_empty(), "{} jobs failed, see above", failed.len());
}

fn crawl() {
    let mut ran = Ran::of("crawl", &["-p", "delay=0.02"]);
    let log = ran.text("out/crawl/log.txt");
    let mut pages = BTreeSet::new();
    for line in log.lines() {
        let fields: Vec<_> = line.split(' ').collect();
        let [no, url, status, length, _seconds] = fields[..] else { panic!("log line `{line}`") };
        let page = ran.text(&format!("out/crawl/{no}.html"));
        assert_eq!(page, format!("<h1>Page {no}</h1>\n"));
        assert!(url.ends_with(&format!("/?q={no}")), "{line}");
        assert_eq!((status, length), ("200", page.len().to_string().as_str()));
        assert!(pages.insert(no.parse::<u32>().expect("a number")), "{no} twice");
    }
    assert_eq!(pages, (1..=1_000).collect());
    assert_eq!(ran.path("out/crawl").read_dir().expect("the folder of pages").count(), 1_001);
    let finish = ran.finish();
    let times = finish.strip_prefix("You are faster about: ").and_then(|rest| rest.strip_suffix('x'));
    // 50 threads, and a reply takes 20 ms; on one thread it would be 1
    let times: f64 = times.and_then(|times| times.parse().ok()).expect("a number of times");
    assert!((2.0..=51.0).contains(&times), "{finish}");

    ran.again("crawl", &["-p", "delay=0", "-p", "count=3"]);
    assert_eq!(ran.text("out/crawl/log.txt").lines().count(), 3, "a run begins its log anew");
}

fn api() {
    let ran = Ran::of("api", &[]);
    let (before, after) = (ran.text("api.csv"), ran.text("out/api.csv"));
    let mut lines = after.lines();
    assert_eq!(lines.next(), Some("item,price,currency,euros,note"));
    assert_eq!(before.lines().count(), after.lines().count());
    for (row, line) in before.lines().skip(1).zip(lines) {
        let added = line.strip_prefix(row).unwrap_or_else(|| panic!("{line} does not begin with {row}"));
        let rates = [("USD", 0.92), ("GBP", 1.17), ("JPY", 0.0061), ("CHF", 1.05), ("SEK", 0.088)];
        let (rest, currency) = row.rsplit_once(',').expect("a row");
        let price: f64 = rest.rsplit_once(',').and_then(|(_, price)| price.parse().ok()).expect("a price");
        match rates.iter().find(|(name, _)| *name == currency) {
            Some((_, rate)) => {
                let euros: f64 = added.trim_matches(',').parse().expect("a number");
                assert!((euros - price * rate).abs() < 0.006, "{line}");
            }
            None => assert_eq!(added, ",,unknown currency"),
        }
    }
}

fn download() {
    let mut ran = Ran::of("download", &[]);
    assert_eq!(ran.finish(), "8 files, 8.8 MB, 8 of them in several parts");
    let found = files(&ran.path("out/download"));
    assert_eq!(found.len(), 8, "and nothing beside them");
    for (name, content) in found {
        let line = format!("{}\n", name.to_string_lossy());
        assert!(content == line.repeat(100_000).into_bytes(), "{}", name.display());
    }
    fs::remove_file(ran.path("out/download/part-c.bin")).expect("it is there");
    ran.again("download", &[]);
    assert_eq!(ran.finish(), "1 files, 1.1 MB, 1 of them in several parts");
}

fn gevent() {
    let ran = Ran::of("gevent", &["-p", "seconds=2"]);
    let finish = ran.finish();
    let number = finish.strip_prefix("10000 tasks waited, at the same time about ");
    let at_once: f64 = number
        .and_then(|rest| rest.strip_suffix(" of them"))
        .and_then(|number| number.parse().ok())
        .unwrap_or_else(|| panic!("{finish}"));
    // on one thread without coroutines it would be 1; the ends are what it takes to begin and to end 10,000 tasks
    assert!((1_000.0..=10_000.0).contains(&at_once), "{finish}");

    let ran = Ran::of("gevent", &["-p", "seconds=0.01", "--coroutines", "1", "--limit", "5"]);
    assert!(ran.finish().starts_with("5 tasks waited"), "{}", ran.finish());
}

fn flaky() {
    let ran = Ran::of("flaky", &["-p", "calls=41"]);
    assert_eq!(ran.finish(), "41 calls answered, 1 of them not at the first try");
}

fn timeouts() {
    let ran = Ran::of("timeouts", &[]);
    assert_eq!(ran.finish(), "17 done; failed 7:timeout 13:timeout");
}

fn spider() {
    let ran = Ran::of("spider", &["-p", "pages=150"]);
    let rows = ran.rows(&ran.text("out/spider.jsonl"));
    let page = |row: &serde_json::Value| row["url"].as_str()?.rsplit_once('/')?.1.parse::<u32>().ok();
    let pages: BTreeSet<_> = rows.iter().filter_map(page).collect();
    assert_eq!(pages, (1..=150).collect());
    assert_eq!(rows.len(), 150, "each page once");
    let links: u64 = rows.iter().filter_map(|row| row["links"].as_u64()).sum();
    assert_eq!(ran.finish(), format!("150 pages, {links} links"));
}

fn pages() {
    let ran = Ran::of("pages", &["-p", "books=25"]);
    // three lists and 25 books; each book has a link to its place in the cart
    assert_eq!(ran.finish(), "28 pages, 25 books; 25 pages are not for robots");
    let text = ran.text("out/pages.csv");
    let mut lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.remove(0), "title,price,stock,authors,url");
    assert_eq!(lines.len(), 25, "each book once");
    let line = lines.iter().find(|line| line.starts_with("Book <7>,")).expect("book 7");
    assert!(
        line.starts_with("Book <7>,10.5,0,\"Ann, Bob\",http://127.0.0.1:") && line.ends_with("/book/7"),
        "{line}"
    );
}

/// Names below a folder, and contents.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(inside) = folders.pop() {
        for path in inside.read_dir().expect("a folder").flatten().map(|entry| entry.path()) {
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).expect("it is below").to_path_buf();
                found.insert(name, fs::read(&path).expect("a file can be read"));
            }
        }
    }
    found
}

fn copy() {
    let mut ran = Ran::of("copy", &["-p", "verify=true"]);
    let from = files(&ran.path("out/copy/from"));
    assert_eq!(from.len(), 12);
    assert!(from == files(&ran.path("out/copy/to")), "a copy differs");
    assert!(ran.finish().starts_with("12 copied (78.0 MiB"), "{}", ran.finish());

    fs::write(ran.path("out/copy/from/part1/new.bin"), "new").expect("a file can be written");
    ran.again("copy", &[]);
    assert!(ran.finish().starts_with("1 copied"), "{}", ran.finish());
    assert!(ran.finish().ends_with("12 unchanged"), "{}", ran.finish());
}

fn primes() {
    // pi(100,000)
    assert_eq!(Ran::of("primes", &["--limit", "5"]).finish(), "9592 primes");
}

fn commands() {
    let ran = Ran::of("commands", &[]);
    let rows = ran.rows(&ran.stdout());
    let names = rows.iter().map(|row| {
        assert_eq!(row["code"], 0);
        let (sum, name) =
            row["stdout"].as_str().and_then(|line| line.trim_end().split_once("  ")).expect("two columns");
        assert_eq!(sum.len(), 64, "{sum}");
        name.to_owned()
    });
    let names: Vec<_> = names.collect();
    let expected = |part: &str, before: &str| {
        let entries = repository().join(part).read_dir().expect("a folder").flatten();
        let is_source = |path: PathBuf| path.extension().is_some_and(|end| end == "toml" || end == "lua");
        let names = entries.filter(|entry| is_source(entry.path()));
        let mut names: Vec<_> =
            names.map(|entry| format!("{before}{}", entry.file_name().to_string_lossy())).collect();
        names.sort();
        names
    };
    assert_eq!(names, [expected("scripts", "../scripts/"), expected("jobs", "")].concat());
}

fn logs() {
    let mut ran = Ran::of("logs", &[]);
    let report: serde_json::Value =
        serde_json::from_str(&ran.text("out/logs/report.json")).expect("the report is JSON");
    assert_eq!(
        (&report["files"], &report["lines"], &report["unread"]),
        (&6.into(), &30_006.into(), &6.into())
    );
    // each line of a day has a hundred bytes times the day
    assert_eq!(report["bytes"], 5_000 * 100 * (1 + 2 + 3 + 4 + 5 + 6));
    let counts = report["status"].as_object().expect("a count of each status");
    assert_eq!(counts.values().filter_map(serde_json::Value::as_u64).sum::<u64>(), 30_000);
    let most = report["most"].as_array().expect("a list of pages");
    let requests: Vec<_> = most.iter().filter_map(|page| page["requests"].as_u64()).collect();
    assert!(requests.len() == 5 && requests.is_sorted_by(|a, b| a >= b), "{most:?}");
    let errors = &counts["500"];
    let finish = format!(
        "30006 lines of 6 files, {errors} errors of the server, 6 lines not understood; see out/logs/report.json"
    );
    assert_eq!(ran.finish(), finish);

    // the standard tools find the same
    let folder = ran.path("out/logs");
    let counted = Command::new("sh")
        .arg("-c")
        .arg("zcat -f access.log.* | grep -c '\" 500 '")
        .current_dir(folder)
        .output()
        .expect("zcat and grep");
    assert_eq!(String::from_utf8_lossy(&counted.stdout).trim(), errors.to_string());

    ran.again("logs", &["-p", "slow=10", "-p", "top=2"]);
    let report: serde_json::Value =
        serde_json::from_str(&ran.text("out/logs/report.json")).expect("the report is JSON");
    assert_eq!(report["slow"], serde_json::json!([]));
    assert_eq!(report["most"].as_array().map(Vec::len), Some(2));
}

fn convert() {
    let mut ran = Ran::of("convert", &[]);
    assert!(ran.finish().starts_with("8 converted, 0 up to date;"), "{}", ran.finish());
    let made = files(&ran.path("out/convert/to"));
    assert_eq!(made.len(), 8, "and nothing half done beside them");
    for name in made.keys() {
        let unpacked = Command::new("gunzip")
            .arg("-c")
            .arg(ran.path("out/convert/to").join(name))
            .output()
            .expect("gunzip");
        let source = ran.path("out/convert/from").join(name).with_extension("txt");
        assert!(unpacked.stdout == fs::read(source).expect("its source"), "{}", name.display());
    }
    fs::remove_file(ran.path("out/convert/to/part1/text2.gz")).expect("it is there");
    ran.again("convert", &[]);
    assert!(ran.finish().starts_with("1 converted, 7 up to date;"), "{}", ran.finish());
    ran.again("convert", &["-p", "command=cp {in} {out}", "-p", "ext=bak"]);
    assert!(ran.finish().starts_with("8 converted"), "{}", ran.finish());
    let text = ran.text("out/convert/from/part2/text1.txt");
    assert_eq!(ran.text("out/convert/to/part2/text1.bak"), text);
}

fn etl() {
    let mut ran = Ran::of("etl", &[]);
    let finish = "16 rows loaded, 8 refused; see out/etl/report.md";
    assert_eq!(ran.finish(), finish);
    let query = |sql: &str| {
        let database = rusqlite::Connection::open(ran.path("out/etl/orders.sqlite")).expect("the database");
        database.query_row(sql, [], |row| row.get::<_, String>(0)).expect("a row")
    };
    // what was typed twice is there once, as it was typed last
    assert_eq!(query("SELECT count(*) || ' ' || count(DISTINCT id) FROM orders"), "15 15");
    assert_eq!(
        query("SELECT amount || customer || date FROM orders WHERE id = 1004"),
        "1149.9Konrad Zuse2026-01-14"
    );
    assert_eq!(query("SELECT customer || email FROM orders WHERE id = 1002"), "Alan Turingalan@example.com");
    assert_eq!(
        query("SELECT group_concat(amount) FROM orders WHERE id IN (1001, 1013, 1017)"),
        "1250.0,2000.0,3300.75"
    );
    assert_eq!(
        query("SELECT group_concat(line || ' ' || reason, '; ') FROM (SELECT * FROM refused ORDER BY line)"),
        "6 no address; 10 no amount; 12 no amount; 13 no date; 18 no customer; 20 unknown country; 22 no date; \
         24 no number of an order",
    );
    let report = ran.text("out/etl/report.md");
    assert!(report.contains("| US | 3 |"), "{report}");

    ran.again("etl", &[]);
    assert_eq!(ran.finish(), finish);
    let count = rusqlite::Connection::open(ran.path("out/etl/orders.sqlite")).and_then(|database| {
        database.query_row("SELECT count(*) FROM orders", [], |row| row.get::<_, i64>(0))
    });
    assert_eq!(count.expect("a count"), 15, "a second run changes nothing");
}
