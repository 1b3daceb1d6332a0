//! The tests for people.

use std::io::{self, IsTerminal as _, Write as _};

use anstyle::{AnsiColor, Style};

use unicode_width::UnicodeWidthStr as _;

use super::coverage::{Covered, CoveredFile, percent};
use super::{File, Outcome, Report, Summary};
use crate::cli::{Color, TestArgs};
use crate::lua::spec::{Problem, Status};
use crate::report::human::clean;

/// The column of the status word, as in a run.
const WORD: usize = 12;
/// Lines of output of one test that are shown.
const LINES: usize = 100;
/// Stretches of lines that did not run, of one file, that are shown.
const STRETCHES: usize = 8;

/// Lines on standard output.
pub(super) struct Human {
    colored: bool,
    quiet: bool,
    verbose: bool,
    list: bool,
    tests: usize,
    ended: usize,
}

impl Human {
    pub fn new(arguments: &TestArgs) -> Self {
        let colored = match arguments.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => {
                let choice = anstream::AutoStream::choice(&io::stdout());
                io::stdout().is_terminal() && choice != anstream::ColorChoice::Never
                    || choice == anstream::ColorChoice::Always
            }
        };
        let (quiet, verbose, list) = (arguments.quiet, arguments.verbose, arguments.list);
        Human { colored, quiet, verbose, list, tests: 0, ended: 0 }
    }

    fn paint(&self, color: AnsiColor, text: &str) -> String {
        let style = if self.colored { color.on_default().bold() } else { Style::new() };
        format!("{style}{text}{style:#}")
    }

    fn line(&self, color: AnsiColor, word: &str, rest: &str) {
        say(&format!("{}{} {rest}\n", " ".repeat(WORD.saturating_sub(word.len())), self.paint(color, word)));
    }

    fn under(&self, text: &str) {
        say(&format!("{:WORD$} {text}\n", ""));
    }

    fn problem(&self, problem: &Problem) {
        let place =
            problem.place.as_deref().map(|place| format!("{}   ", clean::line(place))).unwrap_or_default();
        let mut lines = clean::lines(&problem.message);
        self.under(&format!("{place}{}", lines.next().unwrap_or_default()));
        for line in lines {
            match line.as_bytes().first() {
                Some(b'-') => self.under(&self.paint(AnsiColor::Red, &line)),
                Some(b'+') => self.under(&self.paint(AnsiColor::Green, &line)),
                _ => self.under(&line),
            }
        }
        if self.verbose {
            problem.traceback.iter().for_each(|line| self.under(&format!("  {}", clean::line(line))));
        }
    }

    fn output(&self, output: &[String]) {
        let over = output.len().saturating_sub(LINES);
        for line in output.iter().take(LINES) {
            self.under(&format!("| {}", clean::line(line)));
        }
        if over > 0 {
            self.under(&format!("| … {over} more lines"));
        }
    }
}

/// Nobody can be told when standard output is gone.
fn say(text: &str) {
    let _ = io::stdout().lock().write_all(text.as_bytes());
}

impl Report for Human {
    fn begins(&mut self, files: &[File], _: usize) {
        for file in files {
            let twice = duplicates(file);
            for (name, place) in twice {
                let text =
                    format!("{place}   another test of this file is named `{}` too", clean::line(&name));
                let line = format!("{:>WORD$} {}\n", "warning", clean::line(&text));
                let _ = io::stderr().lock().write_all(line.as_bytes());
            }
            if self.list {
                for test in file.chosen.iter().filter_map(|test| file.plan.get(*test)) {
                    say(&format!("{}   {}\n", clean::line(&test.place), clean::line(&test.names.join(": "))));
                }
            }
        }
    }

    fn broken(&mut self, name: &str, problem: &Problem) {
        let _ = io::stdout().lock().flush();
        self.line(AnsiColor::Red, "ERROR", &format!("{} cannot be loaded", clean::line(name)));
        self.problem(problem);
        if !self.verbose && problem.code == "crashed" {
            self.output(&problem.traceback);
        }
    }

    fn ended(&mut self, files: &[File], outcome: &Outcome) {
        let Some(file) = files.get(outcome.file) else { return };
        self.ended += 1;
        // files that were not loaded ahead are counted when they come
        let known: usize = files.iter().map(|file| file.chosen.len()).sum();
        self.tests = known.max(self.ended);
        let width = self.tests.to_string().len();
        let count = format!("({:>width$}/{})", self.ended, self.tests);
        let name = clean::line(&outcome.name);
        let head = format!("[{:>7.3}s] {count} {name}", outcome.elapsed.as_secs_f64());
        match &outcome.status {
            Status::Passed => {
                if !self.quiet {
                    self.line(AnsiColor::Green, "PASS", &head);
                }
                if self.verbose {
                    self.output(&outcome.output);
                }
            }
            Status::Pending(why) => {
                if !self.quiet {
                    self.line(AnsiColor::Yellow, "PENDING", &head);
                    if !why.is_empty() {
                        self.under(&format!("{}   {}", clean::line(&outcome.place), clean::line(why)));
                    }
                }
            }
            Status::Failed(problem) => {
                let word = if outcome.not_run { "NOT RUN" } else { "FAIL" };
                self.line(AnsiColor::Red, word, &head);
                if !outcome.not_run {
                    let same_file =
                        problem.place.as_deref().is_some_and(|place| place.starts_with(&file.name));
                    if !same_file {
                        self.under(&clean::line(&outcome.place));
                    }
                    self.problem(problem);
                    self.output(&outcome.output);
                }
            }
        }
    }

    fn covered(&mut self, covered: &Covered, written: &str) {
        if !self.quiet {
            let width =
                |of: fn(&CoveredFile) -> usize| covered.files.iter().map(of).max().unwrap_or_default();
            let names = width(|file| clean::line(&file.name).width());
            let widest = width(|file| counts(file).len());
            for file in &covered.files {
                let (name, share) = (clean::line(&file.name), percent((file.ran(), file.lines.len())));
                let gap = " ".repeat(names.saturating_sub(name.width()));
                let text = format!("{name}{gap}  {:>widest$}  {share:>6}  {}", counts(file), missed(file));
                self.under(text.trim_end());
            }
            for (name, why) in &covered.broken {
                self.under(&format!("{}  not counted: {}", clean::line(name), clean::line(why)));
            }
        }
        let total = covered.total();
        let text = format!(
            "{} of {} in {}, written to {}",
            percent(total),
            plural(total.1, "line"),
            plural(covered.files.len(), "file"),
            clean::line(written)
        );
        self.line(AnsiColor::Cyan, "Coverage", &text);
    }

    fn finished(&mut self, summary: &Summary) {
        let mut counts = vec![format!("{} passed", summary.passed)];
        for (count, word) in
            [(summary.failed, "failed"), (summary.pending, "pending"), (summary.not_run, "not run")]
        {
            if count > 0 {
                counts.push(format!("{count} {word}"));
            }
        }
        if summary.broken > 0 {
            counts.push(format!("{} cannot be loaded", plural(summary.broken, "file")));
        }
        let mocked = match summary.totals.mocked {
            0 => String::new(),
            count => format!("; {}", plural(count as usize, "mocked request")),
        };
        let written = match summary.totals.written {
            0 => String::new(),
            count => format!("; {} written", plural(count as usize, "snapshot")),
        };
        let text = format!(
            "[{:>6.2}s] {}: {}        (network denied{mocked}{written})",
            summary.elapsed.as_secs_f64(),
            plural(summary.tests(), "test"),
            counts.join(", ")
        );
        let good = summary.failed + summary.not_run + summary.broken == 0;
        self.line(if good { AnsiColor::Green } else { AnsiColor::Red }, "Summary", &text);
        if let Some((file, name)) = &summary.first {
            let name = regex::escape(name).replace('\'', ".");
            self.line(
                AnsiColor::Cyan,
                "Next",
                &format!("mpms test -v {} --filter '^{}$'", clean::line(file), clean::line(&name)),
            );
        }
    }
}

fn counts(file: &CoveredFile) -> String {
    format!("{}/{}", file.ran(), file.lines.len())
}

/// `not 12-14, 31`
fn missed(file: &CoveredFile) -> String {
    let missed = file.missed();
    let shown = missed.iter().take(STRETCHES).map(|(first, last)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    });
    let shown = shown.collect::<Vec<_>>().join(", ");
    match missed.len().saturating_sub(STRETCHES) {
        _ if missed.is_empty() => String::new(),
        0 => format!("not {shown}"),
        more => format!("not {shown}, … {more} more"),
    }
}

fn plural(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// Names that a file has more than once, with the later places.
fn duplicates(file: &File) -> Vec<(String, String)> {
    let mut seen = std::collections::BTreeSet::new();
    let names = file.plan.iter().map(|test| (test.names.join(": "), test.place.clone()));
    names.filter(|(name, _)| !seen.insert(name.clone())).collect()
}
