//! `--joblog`: a line for each ended task, in the columns of GNU parallel.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use jiff::Timestamp;

use crate::model::Failure;
use crate::model::event::{Event, TaskLabel};
use crate::report::Listener;
use crate::report::human::clean;

const HEADER: &str = "Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand\n";

/// Writes the log. `Seq` is the position in the source (for a task that was put its id), `Host` is `:`, as of a job that
/// GNU parallel runs itself, `Command` the key of the task or its arguments. A failure without an exit status has the
/// `Exitval` 1.
pub struct Joblog<W: Write> {
    out: W,
}

impl Joblog<BufWriter<File>> {
    /// Appends to a file; one that is new gets the names of the columns.
    ///
    /// # Errors
    /// When it cannot be opened or written.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        let is_new = file.metadata()?.len() == 0;
        let mut out = BufWriter::new(file);
        if is_new {
            out.write_all(HEADER.as_bytes())?;
            out.flush()?;
        }
        Ok(Joblog { out })
    }
}

impl<W: Write> Joblog<W> {
    fn ended(&mut self, task: &TaskLabel, elapsed_ns: u64, failure: Option<&Failure>) -> io::Result<()> {
        let now = Timestamp::now().as_nanosecond() as f64 / 1e9;
        let seconds = elapsed_ns as f64 / 1e9;
        let (exit, signal) = failure.map_or((0, 0), ending);
        let command = clean::line(&task.name).replace('\t', "\\t");
        writeln!(
            self.out,
            "{}\t:\t{:.3}\t{seconds:.3}\t0\t0\t{exit}\t{signal}\t{command}",
            task.id,
            now - seconds
        )
    }
}

/// Exit status and signal.
fn ending(failure: &Failure) -> (u32, u32) {
    let number = |rest: &str| {
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        rest[..end].parse().ok()
    };
    let message = failure.message.as_str();
    match failure.code.as_str() {
        "exit_status" => match message.strip_prefix("ended by signal ") {
            Some(rest) => (0, number(rest).unwrap_or(1)),
            None => (message.strip_prefix("exit status ").and_then(number).unwrap_or(1), 0),
        },
        "crashed" => {
            let signal = message.split_once("by signal ").and_then(|(_, rest)| number(rest));
            signal.map_or((1, 0), |signal| (0, signal))
        }
        _ => (1, 0),
    }
}

impl<W: Write> Listener for Joblog<W> {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        match event {
            Event::TaskFinished { task, elapsed_ns } => self.ended(task, *elapsed_ns, None),
            Event::TaskFailed { task, elapsed_ns, failure } => self.ended(task, *elapsed_ns, Some(failure)),
            _ => Ok(()),
        }
    }

    fn tick(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn end(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(name: &str) -> TaskLabel {
        TaskLabel { id: "7".into(), name: name.into(), attempt: 1, worker: 1 }
    }

    fn failed(code: &str, message: &str) -> Event {
        Event::TaskFailed {
            task: task("a\tb\nc"),
            elapsed_ns: 1_500_000_000,
            failure: Failure::new(code, message),
        }
    }

    #[test]
    fn a_line_has_nine_columns_whatever_a_task_is_named() {
        let mut log = Joblog { out: Vec::new() };
        let events = [
            Event::TaskFinished { task: task("x"), elapsed_ns: 8_000_000 },
            failed("exit_status", "exit status 3: by signal 4"),
            failed("exit_status", "ended by signal 15 (SIGTERM): exit status 4"),
            failed("crashed", "its worker was killed by signal 9 (SIGKILL)"),
            failed("lua_error", "exit status 8"),
        ];
        for event in &events {
            log.event(event).expect("a vector takes all");
        }
        let text = String::from_utf8(log.out).expect("text");
        let rows: Vec<Vec<_>> = text.lines().map(|line| line.split('\t').collect()).collect();
        assert!(rows.iter().all(|row| row.len() == HEADER.split('\t').count()), "{text}");
        let ends: Vec<_> = rows.iter().map(|row| (row[6], row[7])).collect();
        assert_eq!(ends, [("0", "0"), ("3", "0"), ("0", "15"), ("0", "9"), ("1", "0")]);
        assert_eq!((rows[0][3], rows[1][3], rows[1][8]), ("0.008", "1.500", "a\\tb\\nc"));
    }

    #[test]
    fn a_second_session_appends_and_does_not_repeat_the_names() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("log");
        for _ in 0..2 {
            let mut log = Joblog::open(&path).expect("opened");
            log.event(&failed("x", "y")).expect("written");
            log.end().expect("written");
        }
        let text = std::fs::read_to_string(&path).expect("read");
        assert_eq!(text.lines().count(), 3);
        assert!(text.starts_with(HEADER));
    }
}
