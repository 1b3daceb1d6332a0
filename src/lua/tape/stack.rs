#![expect(
    unsafe_code,
    reason = "values go over the raw Lua stack: 2 to 4 times as fast as through the safe API, as fast as CPython's C code"
)]
//! Tapes to Lua and back.
//!
//! Both directions run inside of a protected call. Putting values into Lua may run out of memory, and Lua then jumps out
//! of it; so nothing in [`put`] and below owns anything that would have to be dropped. Taking them never allocates in
//! Lua and never jumps.

use std::ffi::{c_int, c_void};

use mlua::ffi::{self, lua_State};
use mlua::{Lua, Value};

use super::{Bad, DEEPEST, Item, ORDERED, Open, Reader, Tape, array_mark, date_mark};
use crate::lua::error::LibError;
use crate::lua::outside;
use crate::lua::stack::string_at;

/// Places of what values need besides the tape.
const NULL_AT: c_int = 1;
const ARRAY_MARK_AT: c_int = 2;
const DATE_MARK_AT: c_int = 3;

/// The value of a tape; `null` is what its nulls become.
///
/// # Errors
/// When Lua has no memory left.
pub fn push(lua: &Lua, tape: &Tape, null: &Value) -> Result<Value, LibError> {
    let _counted = outside::charge(lua, tape.len())?;
    let given = (null, array_mark(lua)?, date_mark(lua));
    let mut reader = tape.reader();
    // SAFETY: the closure owns nothing and leaves one value, the result
    let made = unsafe {
        lua.exec_raw::<Value>(given, |state| {
            put(state, &mut reader);
            ffi::lua_replace(state, NULL_AT);
            ffi::lua_settop(state, NULL_AT);
        })
    };
    Ok(made?)
}

/// Pushes the next value.
///
/// # Safety
/// `state` is inside of a protected call, with the marks at their places; no frame in between owns anything.
unsafe fn put(state: *mut lua_State, reader: &mut Reader<'_>) {
    // SAFETY: the caller's promise; Lua copies the bytes before they end
    unsafe {
        match reader.next() {
            Item::Null => ffi::lua_pushvalue(state, NULL_AT),
            Item::Bool(flag) => ffi::lua_pushboolean(state, c_int::from(flag)),
            Item::Int(number) => ffi::lua_pushinteger(state, number),
            Item::Float(number) => ffi::lua_pushnumber(state, number),
            Item::Text(text) => {
                ffi::lua_pushlstring(state, text.as_ptr().cast(), text.len());
            }
            Item::Date(text) => {
                ffi::luaL_checkstack(state, 3, std::ptr::null());
                ffi::lua_createtable(state, 1, 0);
                ffi::lua_pushlstring(state, text.as_ptr().cast(), text.len());
                ffi::lua_rawseti(state, -2, 1);
                ffi::lua_pushvalue(state, DATE_MARK_AT);
                ffi::lua_setmetatable(state, -2);
            }
            Item::Array(count) => put_array(state, reader, count),
            Item::Map(entries) => {
                ffi::luaL_checkstack(state, 6, std::ptr::null());
                ffi::lua_createtable(state, 0, entries.count as c_int);
                for index in 0..entries.count {
                    reader.entry(entries, index);
                    put(state, reader);
                    put(state, reader);
                    ffi::lua_rawset(state, -3);
                }
                reader.leave(entries);
            }
            Item::Rows(columns, rows) => put_rows(state, reader, columns, rows),
        }
    }
}

/// # Safety
/// As [`put`].
unsafe fn put_array(state: *mut lua_State, reader: &mut Reader<'_>, count: usize) {
    // SAFETY: the caller's promise
    unsafe {
        ffi::luaL_checkstack(state, 6, std::ptr::null());
        ffi::lua_createtable(state, count as c_int, 0);
        for index in 1..=count {
            put(state, reader);
            ffi::lua_rawseti(state, -2, index as i64);
        }
        if count == 0 {
            ffi::lua_pushvalue(state, ARRAY_MARK_AT);
            ffi::lua_setmetatable(state, -2);
        }
    }
}

/// The names are made once, and not once a row.
///
/// # Safety
/// As [`put`].
unsafe fn put_rows(state: *mut lua_State, reader: &mut Reader<'_>, columns: usize, rows: usize) {
    // SAFETY: the caller's promise
    unsafe {
        ffi::luaL_checkstack(state, columns as c_int + 8, c"too many columns".as_ptr());
        ffi::lua_createtable(state, rows as c_int, 0);
        let first = ffi::lua_gettop(state) + 1;
        for _ in 0..columns {
            put(state, reader);
        }
        for row in 1..=rows {
            ffi::lua_createtable(state, 0, columns as c_int);
            for column in 0..columns as c_int {
                ffi::lua_pushvalue(state, first + column);
                put(state, reader);
                ffi::lua_rawset(state, -3);
            }
            ffi::lua_rawseti(state, first - 1, row as i64);
        }
        ffi::lua_settop(state, first - 1);
        if rows == 0 {
            ffi::lua_pushvalue(state, ARRAY_MARK_AT);
            ffi::lua_setmetatable(state, -2);
        }
    }
}

/// What a format can hold.
#[derive(Clone, Copy)]
pub struct Shape {
    /// For errors: `JSON`.
    pub format: &'static str,
    /// Maps are read in the order of their keys.
    pub sorted: bool,
}

/// The tape of a value. Tables are arrays (the keys 1 to n and no other, or marked as arrays) or maps, whose keys are
/// strings, numbers and booleans. Their metatables say nothing else.
///
/// # Errors
/// `invalid` with the path of what a format cannot hold: functions, objects, cycles, holes.
pub fn take(lua: &Lua, value: &Value, shape: Shape) -> Result<Tape, LibError> {
    let (mut tape, mut result) = (Tape::default(), Ok(()));
    let given = (value, array_mark(lua)?, date_mark(lua));
    // SAFETY: the closure calls nothing of Lua that raises, and gives nothing back
    unsafe {
        lua.exec_raw::<()>(given, |state| {
            let mut taking = Taking {
                state,
                tape: &mut tape,
                shape,
                array_mark: ffi::lua_topointer(state, ARRAY_MARK_AT),
                date_mark: ffi::lua_topointer(state, DATE_MARK_AT),
                open: Vec::new(),
                places: Vec::new(),
            };
            result = taking.value(1);
            ffi::lua_settop(state, 0);
        })?;
    }
    result?;
    Ok(tape)
}

struct Taking<'a> {
    state: *mut lua_State,
    tape: &'a mut Tape,
    shape: Shape,
    array_mark: *const c_void,
    /// Null when there are no dates.
    date_mark: *const c_void,
    /// The tables that are being written, to find cycles.
    open: Vec<*const c_void>,
    /// Of the pairs of the open maps.
    places: Vec<u64>,
}

impl Taking<'_> {
    /// # Safety
    /// `index` is an absolute index of the stack.
    unsafe fn value(&mut self, index: c_int) -> Result<(), Bad> {
        let state = self.state;
        // SAFETY: the caller's promise; a string's bytes live as long as it is on the stack
        unsafe {
            match ffi::lua_type(state, index) {
                ffi::LUA_TTABLE => return self.table(index),
                ffi::LUA_TNIL => self.tape.null(),
                ffi::LUA_TLIGHTUSERDATA if ffi::lua_touserdata(state, index).is_null() => self.tape.null(),
                kind => {
                    if !self.scalar(index) {
                        let name = match kind {
                            ffi::LUA_TFUNCTION => "a function",
                            ffi::LUA_TTHREAD => "a coroutine",
                            _ => "an object",
                        };
                        return Err(Bad::new(format!("{} cannot hold {name}", self.shape.format)));
                    }
                }
            }
        }
        Ok(())
    }

    /// Whether it was one.
    ///
    /// # Safety
    /// As [`value`](Self::value).
    unsafe fn scalar(&mut self, index: c_int) -> bool {
        let state = self.state;
        // SAFETY: the caller's promise
        unsafe {
            match ffi::lua_type(state, index) {
                ffi::LUA_TBOOLEAN => self.tape.bool(ffi::lua_toboolean(state, index) != 0),
                ffi::LUA_TNUMBER if ffi::lua_isinteger(state, index) != 0 => {
                    self.tape.int(ffi::lua_tointeger(state, index));
                }
                ffi::LUA_TNUMBER => self.tape.float(ffi::lua_tonumber(state, index)),
                ffi::LUA_TSTRING => self.tape.text(string_at(state, index)),
                _ => return false,
            }
        }
        true
    }

    /// # Safety
    /// As [`value`](Self::value), for a table.
    unsafe fn table(&mut self, index: c_int) -> Result<(), Bad> {
        // SAFETY: the caller's promise
        unsafe {
            let address = ffi::lua_topointer(self.state, index);
            if self.open.contains(&address) {
                return Err(Bad::new("the table contains itself"));
            }
            if self.open.len() == DEEPEST || ffi::lua_checkstack(self.state, 6) == 0 {
                return Err(Bad::new(format!("nested more than {DEEPEST} deep")));
            }
            let mark = self.mark(index);
            if !mark.is_null() && mark == self.date_mark {
                return self.date(index);
            }
            self.open.push(address);
            if mark == self.array_mark || ffi::lua_rawlen(self.state, index) > 0 {
                self.array(index)?;
            } else {
                self.map(index)?;
            }
            self.open.pop();
        }
        Ok(())
    }

    /// The address of its metatable.
    ///
    /// # Safety
    /// As [`table`](Self::table).
    unsafe fn mark(&self, index: c_int) -> *const c_void {
        // SAFETY: the caller's promise
        unsafe {
            if ffi::lua_getmetatable(self.state, index) == 0 {
                return std::ptr::null();
            }
            let mark = ffi::lua_topointer(self.state, -1);
            ffi::lua_settop(self.state, -2);
            mark
        }
    }

    /// # Safety
    /// As [`table`](Self::table).
    unsafe fn date(&mut self, index: c_int) -> Result<(), Bad> {
        // SAFETY: the caller's promise
        unsafe {
            ffi::lua_rawgeti(self.state, index, 1);
            let is_text = ffi::lua_type(self.state, -1) == ffi::LUA_TSTRING;
            if is_text {
                self.tape.date(string_at(self.state, -1));
            }
            ffi::lua_settop(self.state, -2);
            if is_text { Ok(()) } else { Err(Bad::new("a date without its text")) }
        }
    }

    /// One walk as long as the keys come as 1, 2, …, as Lua keeps sequences; a second, slower one when they do not.
    ///
    /// # Safety
    /// As [`table`](Self::table).
    unsafe fn array(&mut self, index: c_int) -> Result<(), Bad> {
        let begin = self.tape.len();
        let open = self.tape.open_array();
        let mut count = 0;
        // SAFETY: the caller's promise; `lua_next` leaves key and value, both are popped before the next turn
        unsafe {
            let key = ffi::lua_gettop(self.state) + 1;
            ffi::lua_pushnil(self.state);
            while ffi::lua_next(self.state, index) != 0 {
                count += 1;
                let fits = ffi::lua_isinteger(self.state, key) != 0
                    && ffi::lua_tointeger(self.state, key) == count as i64;
                if !fits {
                    ffi::lua_settop(self.state, key - 1);
                    self.tape.truncate(begin);
                    return self.array_out_of_order(index);
                }
                self.value(key + 1).map_err(|bad| bad.below_index(count))?;
                ffi::lua_settop(self.state, key);
            }
        }
        self.close(open, count)
    }

    /// # Safety
    /// As [`table`](Self::table).
    unsafe fn array_out_of_order(&mut self, index: c_int) -> Result<(), Bad> {
        // SAFETY: the caller's promise
        unsafe {
            let key = ffi::lua_gettop(self.state) + 1;
            let mut count = 0;
            ffi::lua_pushnil(self.state);
            while ffi::lua_next(self.state, index) != 0 {
                count += 1;
                ffi::lua_settop(self.state, key);
            }
            ffi::lua_pushnil(self.state);
            while ffi::lua_next(self.state, index) != 0 {
                let place = ffi::lua_tointeger(self.state, key);
                if ffi::lua_isinteger(self.state, key) == 0 || !(1..=count).contains(&place) {
                    return Err(self.no_array(index, key));
                }
                ffi::lua_settop(self.state, key);
            }
            let open = self.tape.open_array();
            for place in 1..=count {
                ffi::lua_rawgeti(self.state, index, place);
                self.value(key).map_err(|bad| bad.below_index(place as usize))?;
                ffi::lua_settop(self.state, key - 1);
            }
            self.close(open, count as usize)
        }
    }

    /// # Safety
    /// As [`table`](Self::table); `key` is on the stack.
    unsafe fn no_array(&self, index: c_int, key: c_int) -> Bad {
        // SAFETY: the caller's promise
        let (found, missing) = unsafe {
            let found = self.shown(key);
            let mut missing = 1;
            while ffi::lua_rawgeti(self.state, index, missing) != ffi::LUA_TNIL {
                ffi::lua_settop(self.state, -2);
                missing += 1;
            }
            (found, missing)
        };
        let text = "an array must have the keys 1 to n and no other, but there is";
        Bad::new(format!("{text} `{found}` in place of {missing}"))
    }

    /// # Safety
    /// As [`value`](Self::value).
    unsafe fn shown(&self, index: c_int) -> String {
        // SAFETY: the caller's promise
        unsafe {
            match ffi::lua_type(self.state, index) {
                ffi::LUA_TSTRING => String::from_utf8_lossy(string_at(self.state, index)).into_owned(),
                ffi::LUA_TNUMBER if ffi::lua_isinteger(self.state, index) != 0 => {
                    ffi::lua_tointeger(self.state, index).to_string()
                }
                ffi::LUA_TNUMBER => format!("{:?}", ffi::lua_tonumber(self.state, index)),
                ffi::LUA_TBOOLEAN => (ffi::lua_toboolean(self.state, index) != 0).to_string(),
                ffi::LUA_TTABLE => "a table".to_owned(),
                _ => "an object".to_owned(),
            }
        }
    }

    /// # Safety
    /// As [`table`](Self::table).
    unsafe fn map(&mut self, index: c_int) -> Result<(), Bad> {
        let first_place = self.places.len();
        let open = self.tape.open(ORDERED);
        self.tape.bytes.extend_from_slice(&[0; 8]);
        let base = self.tape.len();
        // SAFETY: the caller's promise; `lua_next` leaves key and value, both are popped before the next turn
        unsafe {
            let key = ffi::lua_gettop(self.state) + 1;
            ffi::lua_pushnil(self.state);
            while ffi::lua_next(self.state, index) != 0 {
                let place = self.tape.len();
                self.places.push((place - base) as u64);
                if !self.scalar(key) {
                    let found = self.shown(key);
                    return Err(Bad::new(format!("a key must be a string or a number, got {found}")));
                }
                if let Err(bad) = self.value(key + 1) {
                    return Err(bad.below_key(self.tape.reader_at(place).next()));
                }
                ffi::lua_settop(self.state, key);
            }
        }
        let count = self.places.len() - first_place;
        let order = &mut self.places[first_place..];
        let key = |place: &u64| self.tape.reader_at(base + *place as usize).next();
        if self.shape.sorted && !order.is_sorted_by(|a, b| compare(key(a), key(b)).is_le()) {
            order.sort_unstable_by(|a, b| compare(key(a), key(b)));
            let length = (self.tape.len() - base) as u64;
            self.tape.bytes[base - 8..base].copy_from_slice(&length.to_le_bytes());
            for place in &self.places[first_place..] {
                self.tape.bytes.extend_from_slice(&place.to_le_bytes());
            }
        }
        self.places.truncate(first_place);
        self.close(open, count)
    }

    fn close(&mut self, open: Open, count: usize) -> Result<(), Bad> {
        self.tape.close(open, count).map_err(|error| Bad::new(error.message()))
    }
}

/// Booleans, then numbers, then strings by their bytes.
#[inline]
fn compare(a: Item<'_>, b: Item<'_>) -> std::cmp::Ordering {
    fn rank(item: Item<'_>) -> (u8, f64) {
        match item {
            Item::Bool(flag) => (0, f64::from(u8::from(flag))),
            Item::Int(number) => (1, number as f64),
            Item::Float(number) => (1, number),
            _ => (2, 0.0),
        }
    }
    match (a, b) {
        (Item::Text(a), Item::Text(b)) => a.cmp(b),
        (Item::Int(a), Item::Int(b)) => a.cmp(&b),
        _ => {
            let (a, b) = (rank(a), rank(b));
            a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))
        }
    }
}
