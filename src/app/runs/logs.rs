//! `mpms runs logs`: the events of a run, read back.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::{Trouble, is_json, named};
use crate::cli::LogsArgs;
use crate::journal::{Home, RunDir, RunState, View};
use crate::report::events::NAME;
use crate::report::human::clean;
use crate::report::units;

/// How often a file that is followed is looked at.
const LOOK: Duration = Duration::from_millis(200);
/// Bytes that are read at once.
const PIECE: usize = 64 << 10;

/// Writes what is in the file, and with `-f` what comes until the run ends.
pub fn logs(home: &Home, arguments: &LogsArgs) -> Result<(), Trouble> {
    let run = named(home, arguments.run.as_ref())?;
    let mut file = match File::open(run.path.join(NAME)) {
        // nothing was told of it yet
        Err(error) if error.kind() == io::ErrorKind::NotFound && !arguments.follow => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        file => Some(file?),
    };
    let mut out = io::stdout().lock();
    let mut lines = Lines::default();
    loop {
        // before the look at the file: what came before the end is in it then
        let goes_on = arguments.follow && is_running(&run);
        if file.is_none() {
            file = File::open(run.path.join(NAME)).ok();
        }
        while let Some(line) = lines.next(file.as_mut())? {
            if is_json(arguments.format) {
                out.write_all(&line)?;
                out.write_all(b"\n")?;
            } else if let Some(text) = serde_json::from_slice(&line).ok().and_then(|event| told(&event)) {
                out.write_all(text.as_bytes())?;
            }
        }
        out.flush()?;
        if !goes_on {
            return Ok(());
        }
        std::thread::sleep(LOOK);
    }
}

fn is_running(run: &RunDir) -> bool {
    let state = View::open(run).and_then(|view| view.state());
    state.is_ok_and(|state| matches!(state, RunState::Running { .. }))
}

/// Whole lines of a file that may grow.
#[derive(Default)]
struct Lines {
    read: Vec<u8>,
    at: usize,
}

impl Lines {
    fn next(&mut self, file: Option<&mut File>) -> io::Result<Option<Vec<u8>>> {
        let Some(file) = file else { return Ok(None) };
        loop {
            if let Some(length) = self.read[self.at..].iter().position(|byte| *byte == b'\n') {
                let line = self.read[self.at..self.at + length].to_vec();
                self.at += length + 1;
                return Ok(Some(line));
            }
            self.read.drain(..self.at);
            self.at = 0;
            let before = self.read.len();
            self.read.resize(before + PIECE, 0);
            let count = file.read(&mut self.read[before..])?;
            self.read.truncate(before + count);
            if count == 0 {
                return Ok(None);
            }
        }
    }
}

/// `10:32:26     FAIL [  0.21s] /p/37   http_status 404`; nothing for what only counts.
fn told(event: &Value) -> Option<String> {
    let text = |name: &str| clean::line(event[name].as_str().unwrap_or_default());
    let number = |name: &str| event[name].as_u64().unwrap_or(0);
    let time = |value: &Value| units::duration((value.as_f64().unwrap_or(0.0) * 1e9) as u64);
    let error = || {
        let error = &event["error"];
        let part = |name: &str| clean::line(error[name].as_str().unwrap_or_default());
        let place = error["location"].as_str().map(|place| format!("   {}", clean::line(place)));
        format!("{} {}{}", part("code"), part("message"), place.unwrap_or_default())
    };
    let (word, rest) = match event["event"].as_str()? {
        "run_started" => {
            let word = if event["resumed"].is_null() { "Running" } else { "Resuming" };
            let run = event["run"].as_str().map(|run| format!(" · run {run}")).unwrap_or_default();
            let size = format!(
                "{} × {}",
                units::counted(number("processes"), "process").replace("processs", "processes"),
                units::counted(number("threads"), "thread")
            );
            (word.to_owned(), format!("{}  {size}{run} · seed {}", text("job"), event["seed"]))
        }
        "task_failed" => {
            ("FAIL".to_owned(), format!("[{}] {}   {}", time(&event["elapsed"]), text("name"), error()))
        }
        "task_retry" => {
            let attempt = format!(
                "attempt {}/{}, next in {}",
                number("attempt"),
                number("attempts"),
                time(&event["next"])
            );
            (
                "RETRY".to_owned(),
                format!("[{}] {}   {}, {attempt}", time(&event["elapsed"]), text("name"), error()),
            )
        }
        "task_slow" => ("SLOW".to_owned(), format!("[>{}] {}", time(&event["elapsed"]), text("name"))),
        "handler_raised" => {
            ("ERROR".to_owned(), format!("role `{}` raised at {}   {}", text("role"), text("name"), error()))
        }
        "log" => {
            let fields = event["fields"].as_object().into_iter().flatten();
            let fields: String = fields
                .map(|(name, value)| format!(" {name}={}", value.as_str().unwrap_or_default()))
                .collect();
            let gap = if fields.is_empty() { "" } else { " " };
            (
                text("level").to_uppercase(),
                format!("{}: {}{gap}{}", text("from"), text("text"), clean::line(&fields)),
            )
        }
        "worker_exited" => {
            let how = event["unexpected"].as_str()?;
            let again = units::counted(number("suspects"), "task");
            let rest = format!(
                "worker {} (pid {}) {}; {again} to start again",
                number("worker"),
                number("pid"),
                clean::line(how)
            );
            ("CRASH".to_owned(), rest)
        }
        "worker_recycled" => ("RECYCLED".to_owned(), format!("worker {} {}", number("worker"), text("why"))),
        "stopping" => (
            "Stopping…".to_owned(),
            format!("{}: {} running", text("message"), units::count(number("running"))),
        ),
        "run_finished" => {
            let stopped = &event["stopped"];
            let (word, why) = match stopped["message"].as_str() {
                Some(why) => ("Stopped", format!(" · {}", clean::line(why))),
                None => ("Summary", String::new()),
            };
            let counts =
                format!("{} ok, {} failed", units::count(number("done")), units::count(number("failed")));
            (
                word.to_owned(),
                format!(
                    "[{}] {}: {counts}{why}",
                    time(&event["elapsed"]),
                    units::counted(number("known"), "task")
                ),
            )
        }
        _ => return None,
    };
    Some(format!("{} {word:>12} {rest}\n", clock(event["time"].as_str()?)))
}

/// `2026-11-22 10:32:26`, in the zone of whoever reads it.
fn clock(time: &str) -> String {
    match time.parse::<Timestamp>() {
        Ok(time) => time.to_zoned(TimeZone::system()).strftime("%F %T").to_string(),
        Err(_) => clean::line(time),
    }
}
