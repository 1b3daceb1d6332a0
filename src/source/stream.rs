//! Sources that read one record after the other.

use crate::model::Task;
use crate::plan::{KeyField, TasksPlan};
use crate::source::arena::Arena;
use crate::source::{Room, SourceError, TaskSource, task_at};
use crate::wire::value::MAX_BYTES;

/// Argument lists, one after the other.
pub trait Records: Send {
    /// Writes the next encoded list into the empty `args`; false at the end.
    fn next(&mut self, args: &mut Vec<u8>) -> Result<bool, SourceError>;

    /// Whether the next record is at hand, so that reading it does not wait for whoever writes the input.
    fn is_ready(&self) -> bool;

    /// File and line of the last record.
    fn place(&self) -> String;

    /// The error for an input without any record.
    fn empty(&self) -> SourceError;
}

/// The part of the records that the plan asks for.
pub struct StreamSource<R> {
    records: R,
    position: u64,
    skip: u64,
    left: u64,
    key: Option<KeyField>,
    args: Vec<u8>,
}

impl<R: Records> StreamSource<R> {
    /// # Errors
    /// When the limit is 0.
    pub fn new(records: R, plan: &TasksPlan) -> Result<Self, SourceError> {
        if plan.limit == Some(0) {
            return Err(SourceError::Limited);
        }
        let left = plan.limit.unwrap_or(u64::MAX);
        Ok(StreamSource {
            records,
            position: 0,
            skip: plan.skip,
            left,
            key: plan.key.clone(),
            args: Vec::new(),
        })
    }

    fn end(&mut self) -> Result<bool, SourceError> {
        self.left = 0;
        if self.position == 0 {
            return Err(self.records.empty());
        }
        if self.position <= self.skip {
            return Err(SourceError::Skipped { skip: self.skip, total: self.position });
        }
        Ok(false)
    }
}

impl<R: Records> TaskSource for StreamSource<R> {
    fn next_batch(&mut self, out: &mut Vec<Task>, at_most: usize) -> Result<bool, SourceError> {
        let mut room = Room::new(at_most);
        let before = out.len();
        while room.is_left() && self.left > 0 {
            if out.len() > before && !self.records.is_ready() {
                break;
            }
            if !read(&mut self.records, &mut self.args)? {
                return self.end();
            }
            self.position += 1;
            if self.position > self.skip {
                self.left -= 1;
                room.take(self.args.len());
                out.push(task_at(self.position, &self.args, self.key.as_ref())?);
            }
        }
        Ok(self.left > 0)
    }

    fn total(&self) -> Option<u64> {
        None
    }
}

/// Reads all records, for an order that needs them all.
pub fn gather(records: &mut impl Records) -> Result<Arena, SourceError> {
    let (mut arena, mut args, mut any) = (Arena::default(), Vec::new(), false);
    while read(records, &mut args)? {
        arena.push(&args);
        any = true;
    }
    if any { Ok(arena) } else { Err(records.empty()) }
}

fn read(records: &mut impl Records, args: &mut Vec<u8>) -> Result<bool, SourceError> {
    args.clear();
    let more = records.next(args)?;
    // Numbers take more room in the value code than as text.
    if args.len() > MAX_BYTES { Err(SourceError::TooLong { place: records.place() }) } else { Ok(more) }
}
