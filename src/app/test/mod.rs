//! `mpms test`

mod coverage;
mod crew;
mod find;
mod human;
mod json;
mod junit;
pub mod spec;
mod watch;

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use regex::Regex;

use super::complain;
use super::exit::Code;
use crate::cli::{Format, TestArgs};
use crate::lua::spec::{Planned, Problem, Status, Totals};
use crate::os;
use crate::plan;
use coverage::{Coverage, Covered};
use crew::News;

/// A file with its tests.
#[derive(Clone, Debug)]
pub struct File {
    /// Absolute.
    pub path: PathBuf,
    /// As people write it.
    pub name: String,
    /// All of its tests.
    pub plan: Vec<Planned>,
    /// Those that run.
    pub chosen: Vec<usize>,
}

/// Something with a result: a test, or what a file did besides.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Which file.
    pub file: usize,
    /// `crawl: follows links`
    pub name: String,
    /// `file:line`
    pub place: String,
    pub status: Status,
    /// The process ended before its turn.
    pub not_run: bool,
    pub elapsed: Duration,
    pub output: Vec<String>,
}

/// Everything that is told of the tests.
pub trait Report {
    /// All files are loaded: so many tests will run, or more.
    fn begins(&mut self, files: &[File], tests: usize);
    /// A file cannot be loaded.
    fn broken(&mut self, name: &str, problem: &Problem);
    /// A test ended.
    fn ended(&mut self, files: &[File], result: &Outcome);
    /// Which lines ran, of those that could; it was written to a file of that name.
    fn covered(&mut self, covered: &Covered, written: &str);
    /// The end.
    fn finished(&mut self, summary: &Summary);
}

/// The counts at the end.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    pub passed: usize,
    pub failed: usize,
    pub pending: usize,
    pub not_run: usize,
    pub broken: usize,
    pub elapsed: Duration,
    pub totals: Totals,
    /// The first that failed, with its file.
    pub first: Option<(String, String)>,
}

impl Summary {
    pub fn tests(&self) -> usize {
        self.passed + self.failed + self.pending + self.not_run
    }

    fn add(&mut self, file: &File, result: &Outcome) {
        match &result.status {
            _ if result.not_run => self.not_run += 1,
            Status::Passed => self.passed += 1,
            Status::Pending(_) => self.pending += 1,
            Status::Failed(_) => {
                self.failed += 1;
                self.first.get_or_insert_with(|| (file.name.clone(), result.name.clone()));
            }
        }
    }
}

/// Finds specs, runs them and reports.
pub fn test(arguments: &TestArgs) -> Code {
    let ran = match arguments.watch {
        true => watch::again_and_again(arguments, |chosen| all(chosen).map(drop)).map(|()| Code::Success),
        false => all(arguments),
    };
    match ran {
        Ok(code) => code,
        Err(stop) => {
            complain(arguments.color, &stop.message, stop.help.as_deref());
            Code::Usage
        }
    }
}

/// Why nothing ran.
struct Stop {
    message: String,
    help: Option<String>,
}

impl Stop {
    fn new(message: impl Into<String>, help: Option<&str>) -> Self {
        Stop { message: message.into(), help: help.map(str::to_owned) }
    }
}

fn all(arguments: &TestArgs) -> Result<Code, Stop> {
    let started = Instant::now();
    let plain = |error: io::Error| Stop::new(error.to_string(), None);
    let filter = arguments.filter.as_deref().map(Regex::new).transpose().map_err(|error| {
        let last = error.to_string().lines().last().unwrap_or_default().trim().to_owned();
        Stop::new(
            format!("`--filter` is no regular expression: {last}"),
            Some("a `\\` before a sign takes it as it is"),
        )
    })?;
    let cwd = std::env::current_dir().and_then(|cwd| cwd.canonicalize()).map_err(plain)?;
    let mut files = find::specs(&cwd, &arguments.paths)?;
    if files.is_empty() {
        return Err(Stop::new(
            "no spec was found",
            Some("write tests in a file whose name ends in _spec.lua, as spec/crawl_spec.lua"),
        ));
    }
    let cpus = os::cpus::available().max(1);
    let crew = crew::Crew {
        jobs: arguments.jobs.map_or(cpus, usize::from),
        limit: arguments.timeout,
        update: arguments.update,
        coverage: arguments.coverage.is_some(),
        list: arguments.list,
        lua_path: arguments.lua_path.as_ref().map(|path| plan::absolute_lua_path(&cwd, path)),
        cwd: cwd.clone(),
    };
    // processes that specs leave behind become ours, and end with us
    os::process::adopt_orphans().map_err(plain)?;
    let mut report: Box<dyn Report> = match arguments.format {
        Format::Human => Box::new(human::Human::new(arguments)),
        Format::Json => Box::new(json::Json { list: arguments.list }),
    };
    let mut summary = Summary::default();
    let mut results: Vec<Outcome> = Vec::new();
    let mut problems: Vec<(String, Problem)> = Vec::new();
    let chooses =
        |test: &Planned| filter.as_ref().is_none_or(|filter| filter.is_match(&test.names.join(": ")));
    let mut coverage = Coverage::default();
    let known = files.len();
    crew.run(&mut files, &chooses, &mut |files, news| match news {
        News::Loaded => report.begins(files, files.iter().map(|file| file.chosen.len()).sum()),
        News::Broken { file, problem } => {
            report.broken(&files[file].name, &problem);
            problems.push((files[file].name.clone(), problem));
            summary.broken += 1;
        }
        News::Result(result) => {
            let file = &files[result.file];
            summary.add(file, &result);
            report.ended(files, &result);
            results.push(result);
        }
        News::Ran(ran) => coverage.add(ran),
        News::Totals(totals) => {
            summary.totals.mocked += totals.mocked;
            summary.totals.written += totals.written;
        }
    });
    // what cannot be ended is in the kernel, or another user's
    let _ = os::process::kill_orphans();
    summary.elapsed = started.elapsed();
    let chosen: usize = files.iter().map(|file| file.chosen.len()).sum();
    if arguments.list {
        let _ = io::stdout().lock().flush();
        return Ok(if summary.broken > 0 || chosen == 0 { Code::Usage } else { Code::Success });
    }
    if chosen == 0 && summary.broken == 0 {
        let of = format!("{known} file{}", if known == 1 { "" } else { "s" });
        return Err(match &arguments.filter {
            Some(filter) => Stop::new(
                format!("no test of {of} fits `{filter}`"),
                Some("see all of them with mpms test --list"),
            ),
            None => Stop::new(
                format!("there is no test in {of}"),
                Some("write one: it(\"adds\", function() … end)"),
            ),
        });
    }
    let unwritten = |path: &Path, error| Stop::new(format!("cannot write {}: {error}", path.display()), None);
    if let Some(path) = &arguments.coverage {
        let all = arguments.paths.is_empty() && filter.is_none();
        let covered = coverage.finish(&cwd, all);
        covered.write(path).map_err(|error| unwritten(path, error))?;
        report.covered(&covered, &path.to_string_lossy());
    }
    report.finished(&summary);
    if let Some(path) = &arguments.junit {
        junit::write(path, &files, &results, &problems, &summary).map_err(|error| unwritten(path, error))?;
    }
    Ok(match () {
        () if summary.broken > 0 => Code::Usage,
        () if summary.failed + summary.not_run > 0 => Code::Failures,
        () => Code::Success,
    })
}
