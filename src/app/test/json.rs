//! The tests for programs: one JSON object a line.

use std::io::{self, Write as _};

use serde_json::{Value, json};

use super::coverage::Covered;
use super::{File, Outcome, Report, Summary};
use crate::lua::spec::{Problem, Status};

/// Lines on standard output.
pub(super) struct Json {
    pub list: bool,
}

fn say(value: &Value) {
    // nobody can be told when standard output is gone
    let _ = writeln!(io::stdout().lock(), "{value}");
}

fn problem_of(problem: &Problem) -> Value {
    json!({ "code": problem.code, "message": problem.message, "place": problem.place, "traceback": problem.traceback })
}

impl Report for Json {
    fn begins(&mut self, files: &[File], tests: usize) {
        if !self.list {
            say(&json!({ "event": "tests_started", "files": files.len(), "tests": tests }));
            return;
        }
        for file in files {
            for test in file.chosen.iter().filter_map(|test| file.plan.get(*test)) {
                say(
                    &json!({ "event": "test", "file": file.name, "name": test.names.join(": "), "place": test.place }),
                );
            }
        }
    }

    fn broken(&mut self, name: &str, problem: &Problem) {
        say(&json!({ "event": "file_broken", "file": name, "error": problem_of(problem) }));
    }

    fn ended(&mut self, files: &[File], outcome: &Outcome) {
        let Some(file) = files.get(outcome.file) else { return };
        let (status, error, reason) = match &outcome.status {
            _ if outcome.not_run => ("not_run", Value::Null, Value::Null),
            Status::Passed => ("passed", Value::Null, Value::Null),
            Status::Pending(why) => ("pending", Value::Null, Value::from(why.as_str())),
            Status::Failed(problem) => ("failed", problem_of(problem), Value::Null),
        };
        say(&json!({
            "event": "test_finished",
            "file": file.name,
            "name": outcome.name,
            "place": outcome.place,
            "status": status,
            "seconds": outcome.elapsed.as_secs_f64(),
            "error": error,
            "reason": reason,
            "output": outcome.output,
        }));
    }

    fn covered(&mut self, covered: &Covered, written: &str) {
        for file in &covered.files {
            say(&json!({
                "event": "file_covered",
                "file": file.name,
                "lines": file.lines.len(),
                "ran": file.ran(),
                "missed": file.missed(),
            }));
        }
        for (file, why) in &covered.broken {
            say(&json!({ "event": "file_not_covered", "file": file, "reason": why }));
        }
        let (ran, lines) = covered.total();
        say(&json!({ "event": "lines_covered", "lines": lines, "ran": ran, "written": written }));
    }

    fn finished(&mut self, summary: &Summary) {
        say(&json!({
            "event": "tests_finished",
            "tests": summary.tests(),
            "passed": summary.passed,
            "failed": summary.failed,
            "pending": summary.pending,
            "not_run": summary.not_run,
            "broken_files": summary.broken,
            "mocked_requests": summary.totals.mocked,
            "snapshots_written": summary.totals.written,
            "seconds": summary.elapsed.as_secs_f64(),
        }));
    }
}
