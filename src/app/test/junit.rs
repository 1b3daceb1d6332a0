//! The tests as CI servers read them.

use std::fs;
use std::io;
use std::path::Path;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::{File, Outcome, Summary};
use crate::lua::spec::{Problem, Status};

/// Writes the file; its folder is made.
///
/// # Errors
/// What the system says.
pub(super) fn write(
    path: &Path,
    files: &[File],
    outcomes: &[Outcome],
    broken: &[(String, Problem)],
    summary: &Summary,
) -> io::Result<()> {
    let mut report = Report::new("mpms test");
    report.set_time(summary.elapsed);
    for (index, file) in files.iter().enumerate() {
        let mut suite = TestSuite::new(file.name.as_str());
        for outcome in outcomes.iter().filter(|outcome| outcome.file == index) {
            suite.add_test_case(case(file, outcome));
        }
        for (_, problem) in broken.iter().filter(|(name, _)| *name == file.name) {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
            status.set_type(problem.code.as_str()).set_message(problem.message.as_str());
            status.set_description(described(problem));
            let mut case = TestCase::new("(load)", status);
            case.set_classname(file.name.as_str());
            suite.add_test_case(case);
        }
        report.add_test_suite(suite);
    }
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder)?;
    }
    let text = report.to_string().map_err(io::Error::other)?;
    fs::write(path, text)
}

fn case(file: &File, outcome: &Outcome) -> TestCase {
    let status = match &outcome.status {
        Status::Passed => TestCaseStatus::success(),
        Status::Pending(why) => {
            let mut skipped = TestCaseStatus::skipped();
            skipped.set_message(why.as_str());
            skipped
        }
        Status::Failed(problem) => {
            let kind = match problem.code.as_str() {
                "assertion" => NonSuccessKind::Failure,
                _ => NonSuccessKind::Error,
            };
            let mut failed = TestCaseStatus::non_success(kind);
            let first = problem.message.lines().next().unwrap_or_default();
            failed.set_type(problem.code.as_str()).set_message(first);
            failed.set_description(described(problem));
            failed
        }
    };
    let mut case = TestCase::new(outcome.name.as_str(), status);
    case.set_classname(file.name.as_str()).set_time(outcome.elapsed);
    if !outcome.output.is_empty() {
        case.set_system_out(outcome.output.join("\n"));
    }
    case
}

fn described(problem: &Problem) -> String {
    let place = problem.place.as_deref().unwrap_or_default();
    let mut text = format!("{place}: {}", problem.message);
    problem.traceback.iter().for_each(|line| text.push_str(&format!("\n{line}")));
    text
}
