//! One match after the other.

use mlua::{Lua, Table};

use super::pattern::{Pattern, Span};
use crate::lua::error::LibError;

/// Where a search is; the subject is given each time, as Lua owns it.
#[derive(Default)]
pub(super) struct Cursor {
    /// The next match begins here or later.
    next: usize,
    /// Where the last one ended: an empty one is not found there again.
    last: Option<usize>,
    has_begun: bool,
    spans: Vec<Option<Span>>,
}

impl Cursor {
    /// That begins at a place.
    pub fn at(place: usize) -> Self {
        Self { next: place, ..Self::default() }
    }

    pub fn step(&mut self, pattern: &Pattern, subject: &[u8]) -> Result<Option<Span>, LibError> {
        if !self.has_begun {
            pattern.check(subject)?;
            self.has_begun = true;
        }
        while let Some((from, to)) = pattern.search(subject, self.next, &mut self.spans)? {
            if from < to || self.last != Some(to) {
                self.next = if from < to { to } else { pattern.after(subject, to) };
                self.last = Some(to);
                return Ok(Some((from, to)));
            }
            self.next = pattern.after(subject, to);
        }
        self.next = subject.len() + 1;
        Ok(None)
    }

    /// A group of the last match.
    pub fn group<'s>(&self, subject: &'s [u8], number: usize) -> Option<&'s [u8]> {
        let (from, to) = self.spans.get(number).copied().flatten()?;
        subject.get(from..to)
    }

    /// The last match for the script: the whole at 0, the groups behind it, false where one had no part in it.
    pub fn table(&self, lua: &Lua, pattern: &Pattern, subject: &[u8]) -> Result<Table, LibError> {
        let table = lua.create_table_with_capacity(pattern.groups(), 1 + pattern.names().count())?;
        for number in 0..=pattern.groups() {
            match self.group(subject, number) {
                Some(bytes) => table.raw_set(number, lua.create_string(bytes)?)?,
                None => table.raw_set(number, false)?,
            }
        }
        for (number, name) in pattern.names() {
            let value: mlua::Value = table.raw_get(number)?;
            table.raw_set(name, value)?;
        }
        Ok(table)
    }
}
