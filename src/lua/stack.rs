#![expect(
    unsafe_code,
    reason = "the value code is read and written on the raw Lua stack: 0.5 µs a task, 1.3 through the safe API"
)]
//! The value code ([`crate::wire::value`]) straight from and to the Lua stack.
//!
//! Both directions run inside of a protected call. Reading values may run out of memory, and Lua then
//! jumps out of it; so nothing in [`push_list`] and below owns anything that would have to be dropped.
//! Writing never allocates in Lua and never jumps.

use std::ffi::{c_int, c_void};

use mlua::ffi::{self, lua_State};

use crate::wire::value::{self as code, Malformed};
use crate::wire::varint;

/// A value that cannot cross, and where it is.
#[derive(Debug)]
pub struct Uncrossable {
    what: What,
    /// Keys from the inside to the outside.
    path: Vec<String>,
}

#[derive(Debug)]
enum What {
    Type(&'static str),
    Cycle,
    Deep,
    Large,
}

impl Uncrossable {
    fn at(what: What) -> Box<Self> {
        Box::new(Uncrossable { what, path: Vec::new() })
    }

    /// The sentence, with the path from `root`: `result[2].next is a function, …`.
    pub fn sentence(&self, root: &str) -> String {
        let path = self.path(root);
        match &self.what {
            What::Type(name) => {
                format!("{path} is a {name}; only nil, booleans, numbers, strings and tables can cross")
            }
            What::Cycle => format!("{path} is a table that contains itself; a cycle cannot cross"),
            What::Deep => format!("{path} is nested deeper than {} tables", code::MAX_DEPTH),
            What::Large => {
                format!("{path} makes it larger than {} MiB, the most that can cross", code::MAX_BYTES >> 20)
            }
        }
    }

    /// The same for a value that is to be kept in the journal.
    pub fn kept_sentence(&self, root: &str) -> String {
        let path = self.path(root);
        match &self.what {
            What::Type("userdata") => {
                format!("{path} is an open file or another object, which a journal cannot keep")
            }
            What::Type(name) => format!("{path} is a {name}, which a journal cannot keep"),
            What::Cycle => format!("{path} is a table that contains itself, which a journal cannot keep"),
            What::Deep => format!("{path} is nested deeper than {} tables", code::MAX_DEPTH),
            What::Large => {
                format!("{path} makes it larger than {} MiB, the most that is kept", code::MAX_BYTES >> 20)
            }
        }
    }

    fn path(&self, root: &str) -> String {
        std::iter::once(root).chain(self.path.iter().rev().map(String::as_str)).collect()
    }
}

/// Pushes the values of an encoded list and returns how many.
///
/// # Errors
/// When the bytes are no list; what was pushed by then stays on the stack.
///
/// # Safety
/// `state` is a live state inside of a protected call, and no frame between that call and this one owns
/// anything that needs to be dropped.
pub unsafe fn push_list(state: *mut lua_State, bytes: &[u8]) -> Result<c_int, Malformed> {
    if bytes.is_empty() {
        return Ok(0);
    }
    let mut at = 0;
    let count = code::take_count(bytes, &mut at, 1)?;
    let count = c_int::try_from(count).map_err(|_| Malformed::Count(count as u64))?;
    // SAFETY: the caller's promise
    unsafe {
        if ffi::lua_checkstack(state, count.saturating_add(8)) == 0 {
            return Err(Malformed::Count(count as u64));
        }
        for index in 1..=count {
            push(state, code::without(bytes, (count - index) as usize), &mut at, 0)?;
        }
    }
    Ok(count)
}

/// Pushes one value.
///
/// # Errors
/// As [`push_list`].
///
/// # Safety
/// As [`push_list`]; the stack has room for 8 more.
pub unsafe fn push(
    state: *mut lua_State,
    bytes: &[u8],
    at: &mut usize,
    depth: usize,
) -> Result<(), Malformed> {
    let tag = *bytes.get(*at).ok_or(Malformed::Cut)?;
    *at += 1;
    // SAFETY: the caller's promise; slices are copied by Lua before they end
    unsafe {
        match tag {
            0..=0x7f => ffi::lua_pushinteger(state, i64::from(tag)),
            code::SHORT..=0xbf => {
                let slice = code::take_slice(bytes, at, u64::from(tag & 0x3f))?;
                ffi::lua_pushlstring(state, slice.as_ptr().cast(), slice.len());
            }
            code::NIL => ffi::lua_pushnil(state),
            code::NULL => ffi::lua_pushlightuserdata(state, std::ptr::null_mut()),
            code::FALSE => ffi::lua_pushboolean(state, 0),
            code::TRUE => ffi::lua_pushboolean(state, 1),
            code::INT => ffi::lua_pushinteger(state, varint::unzigzag(varint::take(bytes, at)?)),
            code::FLOAT => ffi::lua_pushnumber(state, code::take_float(bytes, at)?),
            code::BYTES => {
                let length = varint::take(bytes, at)?;
                let slice = code::take_slice(bytes, at, length)?;
                ffi::lua_pushlstring(state, slice.as_ptr().cast(), slice.len());
            }
            code::ARRAY => {
                let count = code::take_count(bytes, at, 1)?;
                push_table(state, bytes, at, depth, count, 0)?;
            }
            code::MAP => {
                let count = code::take_count(bytes, at, 2)?;
                push_table(state, bytes, at, depth, 0, count)?;
            }
            code::MIXED => {
                let sequence = code::take_count(bytes, at, 1)?;
                let rest = code::take_count(code::without(bytes, sequence), at, 2)?;
                push_table(state, bytes, at, depth, sequence, rest)?;
            }
            tag => return Err(Malformed::Tag(tag)),
        }
    }
    Ok(())
}

/// # Safety
/// As [`push`].
unsafe fn push_table(
    state: *mut lua_State,
    bytes: &[u8],
    at: &mut usize,
    depth: usize,
    sequence: usize,
    rest: usize,
) -> Result<(), Malformed> {
    if depth >= code::MAX_DEPTH {
        return Err(Malformed::Deep);
    }
    // SAFETY: the caller's promise; counts are bounded by the bytes, which are bounded by 64 MiB
    unsafe {
        if ffi::lua_checkstack(state, 8) == 0 {
            return Err(Malformed::Deep);
        }
        ffi::lua_createtable(state, sequence as c_int, rest as c_int);
        for index in 1..=sequence {
            let later = sequence - index + 2 * rest;
            push(state, code::without(bytes, later), at, depth + 1)?;
            ffi::lua_rawseti(state, -2, index as i64);
        }
        for index in 1..=rest {
            let later = 2 * (rest - index);
            push(state, code::without(bytes, later + 1), at, depth + 1)?;
            let is_nan =
                ffi::lua_type(state, -1) == ffi::LUA_TNUMBER && ffi::lua_rawequal(state, -1, -1) == 0;
            if ffi::lua_isnil(state, -1) != 0 || is_nan {
                return Err(Malformed::Key);
            }
            push(state, code::without(bytes, later), at, depth + 1)?;
            ffi::lua_rawset(state, -3);
        }
    }
    Ok(())
}

/// Appends the `count` values from stack index `first` on as a list.
///
/// # Errors
/// When one of them cannot cross; `out` then ends where it began.
///
/// # Safety
/// `state` is a live state with these values on its stack.
pub unsafe fn encode_list(
    state: *mut lua_State,
    first: c_int,
    count: c_int,
    out: &mut Vec<u8>,
) -> Result<(), Box<Uncrossable>> {
    let start = out.len();
    varint::put(out, count as u64);
    let mut writer = Writer { state, out, start };
    for index in first..first + count {
        // SAFETY: the caller's promise
        if let Err(mut error) = unsafe { writer.value(index, None) } {
            if count > 1 {
                error.path.push(format!("[{}]", index - first + 1));
            }
            out.truncate(start);
            return Err(error);
        }
    }
    Ok(())
}

/// Appends the value at stack index `index`, without a list around it.
///
/// # Errors
/// As [`encode_list`].
///
/// # Safety
/// As [`encode_list`].
pub unsafe fn encode_value(
    state: *mut lua_State,
    index: c_int,
    out: &mut Vec<u8>,
) -> Result<(), Box<Uncrossable>> {
    let start = out.len();
    let mut writer = Writer { state, out, start };
    // SAFETY: the caller's promise
    let result = unsafe { writer.value(ffi::lua_absindex(state, index), None) };
    if result.is_err() {
        out.truncate(start);
    }
    result
}

struct Writer<'a> {
    state: *mut lua_State,
    out: &'a mut Vec<u8>,
    start: usize,
}

/// A table that is being written, and the ones around it.
struct Open<'a> {
    table: *const c_void,
    depth: usize,
    around: Option<&'a Open<'a>>,
}

impl Open<'_> {
    fn has(&self, table: *const c_void) -> bool {
        self.table == table || self.around.is_some_and(|open| open.has(table))
    }
}

impl Writer<'_> {
    /// # Safety
    /// `index` is an absolute index of the live state's stack.
    unsafe fn value(&mut self, index: c_int, around: Option<&Open<'_>>) -> Result<(), Box<Uncrossable>> {
        // SAFETY: the caller's promise; a string's bytes live as long as it is on the stack
        unsafe {
            match ffi::lua_type(self.state, index) {
                ffi::LUA_TNIL => self.out.push(code::NIL),
                ffi::LUA_TBOOLEAN => {
                    let flag = ffi::lua_toboolean(self.state, index) != 0;
                    self.out.push(if flag { code::TRUE } else { code::FALSE });
                }
                ffi::LUA_TNUMBER if ffi::lua_isinteger(self.state, index) != 0 => {
                    code::encode_int(self.out, ffi::lua_tointeger(self.state, index));
                }
                ffi::LUA_TNUMBER => code::encode_float(self.out, ffi::lua_tonumber(self.state, index)),
                ffi::LUA_TSTRING => {
                    let bytes = string_at(self.state, index);
                    if self.out.len() - self.start + bytes.len() > code::MAX_BYTES {
                        return Err(Uncrossable::at(What::Large));
                    }
                    code::encode_bytes(self.out, bytes);
                }
                ffi::LUA_TTABLE => return self.table(index, around),
                ffi::LUA_TLIGHTUSERDATA if ffi::lua_touserdata(self.state, index).is_null() => {
                    self.out.push(code::NULL);
                }
                ffi::LUA_TFUNCTION => return Err(Uncrossable::at(What::Type("function"))),
                ffi::LUA_TTHREAD => return Err(Uncrossable::at(What::Type("coroutine"))),
                _ => return Err(Uncrossable::at(What::Type("userdata"))),
            }
        }
        Ok(())
    }

    /// # Safety
    /// As [`Writer::value`], for a table.
    unsafe fn table(&mut self, index: c_int, around: Option<&Open<'_>>) -> Result<(), Box<Uncrossable>> {
        // SAFETY: the caller's promise
        unsafe {
            let pointer = ffi::lua_topointer(self.state, index);
            let depth = around.map_or(0, |open| open.depth);
            if around.is_some_and(|open| open.has(pointer)) {
                return Err(Uncrossable::at(What::Cycle));
            }
            if depth == code::MAX_DEPTH || ffi::lua_checkstack(self.state, 4) == 0 {
                return Err(Uncrossable::at(What::Deep));
            }
            if self.out.len() - self.start > code::MAX_BYTES {
                return Err(Uncrossable::at(What::Large));
            }
            self.entries(index, &Open { table: pointer, depth: depth + 1, around })
        }
    }

    /// One walk over the table as long as the keys come as `1, 2, …` and then others, as Lua keeps
    /// sequences; a second, slower one when they do not.
    ///
    /// # Safety
    /// As [`Writer::value`], for a table.
    unsafe fn entries(&mut self, index: c_int, open: &Open<'_>) -> Result<(), Box<Uncrossable>> {
        let begin = self.out.len();
        // SAFETY: the caller's promise; `lua_next` leaves key and value, both are popped before the next turn
        unsafe {
            let length = ffi::lua_rawlen(self.state, index);
            self.out.extend_from_slice(&[if length == 0 { code::MAP } else { code::ARRAY }, 0]);
            let mut sequence = 0u64;
            let mut rest = 0u64;
            ffi::lua_pushnil(self.state);
            while ffi::lua_next(self.state, index) != 0 {
                let top = ffi::lua_gettop(self.state);
                let (key, item) = (top - 1, top);
                if sequence < length as u64 {
                    let expected = sequence as i64 + 1;
                    if ffi::lua_isinteger(self.state, key) == 0
                        || ffi::lua_tointeger(self.state, key) != expected
                    {
                        ffi::lua_settop(self.state, key - 1);
                        self.out.truncate(begin);
                        return self.entries_out_of_order(index, length as u64, open);
                    }
                    sequence += 1;
                } else {
                    if rest == 0 && length > 0 {
                        self.out[begin] = code::MIXED;
                    }
                    rest += 1;
                    self.value(key, Some(open)).map_err(|error| self.named(error, key))?;
                }
                self.value(item, Some(open)).map_err(|error| self.named(error, key))?;
                ffi::lua_settop(self.state, key);
            }
            if length == 0 {
                self.set_count(begin + 1, rest);
            } else if rest == 0 {
                self.set_count(begin + 1, sequence);
            } else {
                // both counts stand before the entries
                self.insert_count(begin + 2, rest);
                self.set_count(begin + 1, sequence);
            }
        }
        Ok(())
    }

    /// # Safety
    /// As [`Writer::value`], for a table.
    unsafe fn entries_out_of_order(
        &mut self,
        index: c_int,
        length: u64,
        open: &Open<'_>,
    ) -> Result<(), Box<Uncrossable>> {
        // SAFETY: the caller's promise
        unsafe {
            self.out.push(code::MIXED);
            varint::put(self.out, length);
            let count_at = self.out.len();
            self.out.push(0);
            for position in 1..=length as i64 {
                ffi::lua_rawgeti(self.state, index, position);
                let item = ffi::lua_gettop(self.state);
                let result = self.value(item, Some(open));
                ffi::lua_settop(self.state, item - 1);
                result.map_err(|mut error| {
                    error.path.push(format!("[{position}]"));
                    error
                })?;
            }
            let mut rest = 0;
            ffi::lua_pushnil(self.state);
            while ffi::lua_next(self.state, index) != 0 {
                let top = ffi::lua_gettop(self.state);
                let (key, item) = (top - 1, top);
                let number = ffi::lua_isinteger(self.state, key) != 0;
                if !(number && (1..=length as i64).contains(&ffi::lua_tointeger(self.state, key))) {
                    rest += 1;
                    self.value(key, Some(open)).map_err(|error| self.named(error, key))?;
                    self.value(item, Some(open)).map_err(|error| self.named(error, key))?;
                }
                ffi::lua_settop(self.state, key);
            }
            self.set_count(count_at, rest);
        }
        Ok(())
    }

    /// Writes a count into the one byte kept for it, and makes room when it needs more.
    fn set_count(&mut self, at: usize, count: u64) {
        if count < 0x80 {
            self.out[at] = count as u8;
        } else {
            self.out.remove(at);
            self.insert_count(at, count);
        }
    }

    fn insert_count(&mut self, at: usize, count: u64) {
        let mut bytes = Vec::with_capacity(10);
        varint::put(&mut bytes, count);
        self.out.splice(at..at, bytes);
    }

    /// Adds the key at `index` to the path of an error.
    ///
    /// # Safety
    /// `index` is a key on the stack.
    unsafe fn named(&self, mut error: Box<Uncrossable>, index: c_int) -> Box<Uncrossable> {
        // SAFETY: the caller's promise; the type is looked at first, so nothing is converted in place
        let segment = unsafe {
            match ffi::lua_type(self.state, index) {
                ffi::LUA_TSTRING => {
                    let name = String::from_utf8_lossy(string_at(self.state, index)).into_owned();
                    let plain = !name.starts_with(|c: char| c.is_ascii_digit())
                        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
                    if plain && !name.is_empty() { format!(".{name}") } else { format!("[{name:?}]") }
                }
                ffi::LUA_TNUMBER if ffi::lua_isinteger(self.state, index) != 0 => {
                    format!("[{}]", ffi::lua_tointeger(self.state, index))
                }
                ffi::LUA_TNUMBER => format!("[{:?}]", ffi::lua_tonumber(self.state, index)),
                ffi::LUA_TBOOLEAN => format!("[{}]", ffi::lua_toboolean(self.state, index) != 0),
                _ => "[?]".into(),
            }
        };
        error.path.push(segment);
        error
    }
}

/// The bytes of the string at `index`.
///
/// # Safety
/// It is a string, and stays on the stack as long as the bytes are used.
pub unsafe fn string_at<'a>(state: *mut lua_State, index: c_int) -> &'a [u8] {
    let mut length = 0;
    // SAFETY: the caller's promise
    unsafe {
        let bytes = ffi::lua_tolstring(state, index, &mut length);
        std::slice::from_raw_parts(bytes.cast(), length)
    }
}
