#![expect(
    unsafe_code,
    reason = "groups go over the raw Lua stack, in one protected call a match in place of two a group"
)]
//! One match after the other.

use std::ffi::c_int;

use mlua::{Lua, Table, ffi};

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
        // SAFETY: the closure owns nothing and leaves one value, the result; the six places that it needs are there in any
        // C function, and Lua copies the bytes before they end
        let made = unsafe {
            lua.exec_raw::<Table>((), |state| {
                let names = pattern.names().len();
                ffi::lua_createtable(state, pattern.groups() as c_int, names as c_int + 1);
                for number in 0..=pattern.groups() {
                    match self.group(subject, number) {
                        Some(bytes) => drop(ffi::lua_pushlstring(state, bytes.as_ptr().cast(), bytes.len())),
                        None => ffi::lua_pushboolean(state, 0),
                    }
                    ffi::lua_rawseti(state, -2, number as i64);
                }
                for (number, name) in pattern.names() {
                    ffi::lua_pushlstring(state, name.as_ptr().cast(), name.len());
                    ffi::lua_rawgeti(state, -2, *number as i64);
                    ffi::lua_rawset(state, -3);
                }
            })
        };
        Ok(made?)
    }
}
