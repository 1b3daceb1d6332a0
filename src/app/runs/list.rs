//! `mpms runs list`

use serde_json::json;

use super::table::{self, Align};
use super::{Trouble, ago, is_json, moment, progress, say, state_code, state_words};
use crate::app::known::with_source;
use crate::cli::ListArgs;
use crate::journal::{Home, RunInfo, RunState, View};
use crate::report::human::clean;
use crate::report::units;

/// A line a run, the newest first. One that cannot be read says so, and the others are shown.
pub fn list(home: &Home, arguments: &ListArgs) -> Result<(), Trouble> {
    let mut rows = Vec::new();
    let mut text = String::new();
    for run in home.runs()? {
        let info = View::open(&run).and_then(|view| view.info());
        if is_json(arguments.format) {
            let value = match &info {
                Ok(info) => object(&run.id, info),
                Err(error) => json!({ "run": run.id, "error": with_source(error) }),
            };
            text.push_str(&format!("{value}\n"));
            continue;
        }
        rows.push(match info {
            Ok(info) => row(&run.id, &info),
            Err(error) => {
                let words = format!("unreadable: {}", clean::line(&with_source(&error)));
                [run.id, String::new(), words, String::new(), String::new(), String::new()]
            }
        });
    }
    if is_json(arguments.format) {
        return Ok(say(&text)?);
    }
    if rows.is_empty() {
        let folder = home.path().display();
        return Ok(say(&format!("there are no runs in {folder}\n"))?);
    }
    let names = [
        ("RUN", Align::Left),
        ("JOB", Align::Left),
        ("STATE", Align::Left),
        ("ENDED", Align::Right),
        ("FAILED", Align::Right),
        ("AGE", Align::Right),
    ];
    Ok(say(&table::lines(names, &rows, table::width()))?)
}

fn row(id: &str, info: &RunInfo) -> [String; 6] {
    let ended = info.done + info.failed;
    let more = info.more && info.state != RunState::Complete;
    [
        id.to_owned(),
        clean::shortened(&info.begin.job, 60),
        clean::shortened(&state_words(&info.state), 120),
        progress(ended, info.known, more),
        units::count(info.failed),
        ago(info.created_ms),
    ]
}

/// What `runs list` and `runs show` say for programs.
pub fn object(id: &str, info: &RunInfo) -> serde_json::Value {
    let (why, pid) = match &info.state {
        RunState::Stopped { why } => (Some(why), None),
        RunState::Running { pid } => (None, *pid),
        RunState::Complete | RunState::Interrupted => (None, None),
    };
    json!({
        "run": id,
        "job": info.begin.job,
        "manifest": info.begin.manifest,
        "state": state_code(&info.state),
        "why": why,
        "pid": pid,
        "done": info.done,
        "skipped": info.skipped,
        "failed": info.failed,
        "known": info.known,
        "more": info.more,
        "waiting": info.pending,
        "created": moment(info.created_ms),
        "updated": moment(info.updated_ms),
        "elapsed": info.elapsed_ns as f64 / 1e9,
        "sessions": info.sessions,
    })
}
