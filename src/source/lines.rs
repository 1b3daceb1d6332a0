//! `lines`: a task a line, the line as one string. Empty lines are no tasks, as `xargs` has it.

use crate::source::SourceError;
use crate::source::input::LineReader;
use crate::source::stream::Records;
use crate::wire::value::encode_bytes;

/// Lines as tasks.
pub struct Lines {
    reader: LineReader,
    line: Vec<u8>,
}

impl Lines {
    /// From the first line on.
    pub fn new(reader: LineReader) -> Self {
        Lines { reader, line: Vec::new() }
    }
}

impl Records for Lines {
    fn next(&mut self, args: &mut Vec<u8>) -> Result<bool, SourceError> {
        if !self.reader.next(&mut self.line)? {
            return Ok(false);
        }
        args.push(1);
        encode_bytes(args, &self.line);
        Ok(true)
    }

    fn is_ready(&self) -> bool {
        self.reader.is_ready()
    }

    fn place(&self) -> String {
        self.reader.place()
    }

    fn empty(&self) -> SourceError {
        SourceError::Empty {
            what: format!("{} has no line that is not empty", self.reader.name()),
            help: "check the path of `lines`, or what writes that file",
        }
    }
}
