#![expect(
    unsafe_code,
    reason = "groups go over the raw Lua stack, in one protected call a match in place of two a group"
)]
//! One match after the other.

use std::ffi::c_int;

use std::mem::MaybeUninit;

use mlua::{Lua, LuaString, Table, ffi};

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
    /// That begins at a place. `spans` are of one that is not used any more.
    pub fn at(place: usize, spans: Vec<Option<Span>>) -> Self {
        Self { next: place, spans, ..Self::default() }
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

    /// Its places, to be used again.
    pub fn into_spans(self) -> Vec<Option<Span>> {
        self.spans
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

/// The subject with the strings of a list in place of the matches; what is no string leaves its match as it was.
pub(super) fn join(
    lua: &Lua,
    subject: &[u8],
    matches: &[Span],
    values: &Table,
) -> Result<LuaString, LibError> {
    // SAFETY: the closure owns nothing and leaves one value, the result. Between two calls for the buffer the stack is as
    // high as before; Lua copies the bytes before they end.
    let made = unsafe {
        lua.exec_raw::<LuaString>(values, |state| {
            let mut buffer = MaybeUninit::<ffi::luaL_Buffer>::uninit();
            let buffer = buffer.as_mut_ptr();
            ffi::luaL_buffinit(state, buffer);
            let add = |bytes: &[u8]| ffi::luaL_addlstring(buffer, bytes.as_ptr().cast(), bytes.len());
            let mut done = 0;
            for (index, (from, to)) in matches.iter().enumerate() {
                let kind = ffi::lua_rawgeti(state, 1, index as i64 + 1);
                ffi::lua_settop(state, -2);
                if kind == ffi::LUA_TSTRING {
                    add(&subject[done..*from]);
                    ffi::lua_rawgeti(state, 1, index as i64 + 1);
                    ffi::luaL_addvalue(buffer);
                    done = *to;
                }
            }
            add(&subject[done..]);
            ffi::luaL_pushresult(buffer);
            ffi::lua_replace(state, 1);
            ffi::lua_settop(state, 1);
        })
    };
    Ok(made?)
}
