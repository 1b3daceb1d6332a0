//! `events.jsonl` of a durable run: what was told of it, to be read later.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;

use crate::model::event::{Event, Level, LogLine, LogPlace};
use crate::report::Listener;
use crate::report::json::Json;

/// The name of the file in the run's folder.
pub const NAME: &str = "events.jsonl";
/// What it may grow to, about: 64 MiB. Only what begins and ends a session is written beyond.
const MOST: u64 = 64 << 20;
/// Between two lines of counters: ten seconds, so that they alone fill the file in a month.
const PROGRESS_NS: u64 = 10_000_000_000;

/// Writes the file; of every task only what went wrong.
pub struct EventsFile {
    json: Json<Counted>,
    most: u64,
}

impl EventsFile {
    /// Appends to the file in `folder`, behind a whole line.
    ///
    /// # Errors
    /// When it cannot be opened or written.
    pub fn open(folder: &Path) -> io::Result<Self> {
        EventsFile::with(folder, MOST)
    }

    fn with(folder: &Path, most: u64) -> io::Result<Self> {
        let mut file = OpenOptions::new().create(true).read(true).append(true).open(folder.join(NAME))?;
        let mut bytes = file.seek(SeekFrom::End(0))?;
        if bytes > 0 {
            let mut last = [0];
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
            // the session before was killed within a line
            if last != *b"\n" {
                file.write_all(b"\n")?;
                bytes += 1;
            }
        }
        let json = Json::with_progress(Counted { out: BufWriter::new(file), bytes }, PROGRESS_NS);
        Ok(EventsFile { json, most })
    }
}

impl Listener for EventsFile {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        let frame = matches!(event, Event::RunStarted { .. } | Event::RunFinished(_));
        let much =
            matches!(event, Event::TaskStarted(_) | Event::TaskFinished { .. } | Event::TaskProgress { .. });
        if much || (!frame && self.json.out().bytes >= self.most) {
            return Ok(());
        }
        self.json.event(event)?;
        if !frame && self.json.out().bytes >= self.most {
            self.json.event(&full(self.most))?;
        }
        Ok(())
    }

    fn tick(&mut self) -> io::Result<()> {
        self.json.end()
    }

    fn end(&mut self) -> io::Result<()> {
        self.json.end()
    }
}

fn full(most: u64) -> Event {
    let text = format!("this file has reached {} MiB; what follows is not in it", most >> 20);
    Event::Log(LogLine {
        level: Level::Warn,
        from: "mpms".into(),
        text,
        fields: Vec::new(),
        at: LogPlace::default(),
    })
}

/// Knows how long the file is.
struct Counted {
    out: BufWriter<File>,
    bytes: u64,
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::event::{Summary, TaskLabel};

    fn log(text: &str) -> Event {
        Event::Log(LogLine {
            level: Level::Info,
            from: "handler".into(),
            text: text.into(),
            fields: Vec::new(),
            at: LogPlace::default(),
        })
    }

    fn written(folder: &Path, events: &[Event]) -> Vec<String> {
        let mut file = EventsFile::with(folder, 1 << 20).expect("opened");
        for event in events {
            file.event(event).expect("written");
        }
        file.end().expect("written");
        let text = std::fs::read_to_string(folder.join(NAME)).expect("read");
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_torn_line_is_ended_and_single_tasks_are_left_out() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join(NAME), "{\"event\":\"lo").expect("written");
        let task = TaskLabel { id: "1".into(), name: "1".into(), attempt: 1, worker: 1 };
        let events =
            [Event::TaskStarted(task.clone()), Event::TaskFinished { task, elapsed_ns: 1 }, log("x")];
        let lines = written(folder.path(), &events);
        assert_eq!(lines.len(), 2);
        assert!(lines[1].contains("\"text\":\"x\""), "{}", lines[1]);
    }

    #[test]
    fn a_full_file_says_so_once_and_still_tells_ends() {
        let folder = tempfile::tempdir().expect("a folder");
        let long = log(&"x".repeat(300_000));
        let mut events = vec![long; 10];
        events.push(Event::RunFinished(Box::<Summary>::default()));
        let lines = written(folder.path(), &events);
        assert_eq!(lines.len(), 6, "four lines, the last words, and the end");
        assert!(lines[4].contains("has reached 1 MiB"), "{}", lines[4]);
        assert!(lines[5].contains("run_finished"), "{}", lines[5]);
        let again = written(folder.path(), &events);
        assert_eq!(again.len(), 7, "a second session adds its end only");
    }
}
