//! Rows as text at the end of a file, a pipe or a terminal.

use std::fs::File;
use std::io::{self, ErrorKind, Write as _};

use crate::output::csv::Csv;
use crate::output::json::{Json, Layout};
use crate::output::target::{self, Before, Begin, Target};
use crate::output::{OutputError, RowError};
use crate::plan::{OutputFormat, OutputPlan, OutputTarget};

/// Rows are written once there is so much of them: 64 KiB.
const BUFFER: usize = 64 << 10;

/// A file that only grows.
pub struct Text {
    pub(super) file: File,
    /// Whether it is on a disk, where writing can still fail at the end.
    on_disk: bool,
    /// The folder of a new file: its entry there must reach the disk too.
    folder: Option<File>,
    format: Format,
    buffer: Vec<u8>,
    /// No row of this document was written yet.
    first: bool,
    /// Bytes of the file so far; 0 where it is not on a disk.
    position: u64,
    unsynced: bool,
}

enum Format {
    Json(Json),
    Csv(Csv),
}

impl Text {
    /// # Errors
    /// As [`Sink::open`](super::Sink::open).
    pub fn open(plan: &OutputPlan, begin: Begin) -> Result<Self, OutputError> {
        let (target, before) = target::open(plan, begin)?;
        let Target { file, on_disk, is_new } = target;
        let Before { header, ends_within_line, position } = before;
        let fields = plan.fields.as_deref();
        let format = match plan.format {
            OutputFormat::Json => Format::Json(Json::new(Layout::Array, fields)),
            OutputFormat::Csv => Format::Csv(Csv::new(fields, header, &plan.name)?),
            OutputFormat::Jsonl | OutputFormat::Sqlite => Format::Json(Json::new(Layout::Lines, fields)),
        };
        let buffer = if ends_within_line { vec![b'\n'] } else { Vec::new() };
        // another pipe or terminal is another document
        let first = !on_disk || begin.rows() == 0;
        let folder = match &plan.target {
            // the file is there, and so is its folder
            OutputTarget::File(path) if is_new => path.parent().and_then(|folder| File::open(folder).ok()),
            _ => None,
        };
        Ok(Text { file, on_disk, folder, format, buffer, first, position, unsynced: false })
    }

    /// # Errors
    /// When the row does not fit; nothing of it is kept then.
    pub fn add(&mut self, row: &[u8]) -> Result<(), RowError> {
        let start = self.buffer.len();
        let added = match &mut self.format {
            Format::Json(json) => json.append(&mut self.buffer, row, self.first),
            Format::Csv(csv) => csv.append(&mut self.buffer, row),
        };
        match added {
            Ok(()) => self.first = false,
            Err(_) => self.buffer.truncate(start),
        }
        added
    }

    /// Whether it is time to write.
    pub fn is_full(&self) -> bool {
        self.buffer.len() >= BUFFER
    }

    /// Hands all rows so far to the system. Those that were not written are kept.
    ///
    /// # Errors
    /// What the system says.
    pub fn flush(&mut self) -> io::Result<()> {
        let mut written = 0;
        let result = loop {
            if written == self.buffer.len() {
                break Ok(());
            }
            match self.file.write(&self.buffer[written..]) {
                Ok(0) => break Err(ErrorKind::WriteZero.into()),
                Ok(count) => written += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        self.buffer.drain(..written);
        self.unsynced |= written > 0;
        if self.on_disk {
            self.position += written as u64;
        }
        result
    }

    /// [`Text::flush`], and waits until a file is on its disk. Returns its length.
    ///
    /// # Errors
    /// What the system says. A sync that failed must not be tried again: what it lost stays lost.
    pub fn sync(&mut self) -> io::Result<u64> {
        self.flush()?;
        if self.on_disk {
            if let Some(folder) = self.folder.take() {
                self.file.sync_all()?;
                folder.sync_all()?;
            } else if self.unsynced {
                self.file.sync_data()?;
            }
            self.unsynced = false;
        }
        Ok(self.position)
    }

    /// Ends the document.
    ///
    /// # Errors
    /// As [`Text::sync`].
    pub fn finish(mut self) -> io::Result<()> {
        if let Format::Json(json) = &self.format {
            json.end(&mut self.buffer, self.first);
        }
        self.sync().map(drop)
    }
}
