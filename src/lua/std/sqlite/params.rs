#![expect(
    unsafe_code,
    reason = "parameters are read over the raw Lua stack: a tenth of what references cost"
)]
//! Parameters of statements, from Lua.

use std::ffi::c_int;

use mlua::ffi::{self, lua_State};
use mlua::{Lua, Table, Value};
use rusqlite::Statement;

use super::cells::Cells;
use crate::lua::error::LibError;
use crate::lua::module::did_you_mean;
use crate::lua::stack::string_at;

/// The parameters of a statement.
#[derive(Default, Debug)]
pub(super) struct Params {
    values: Cells,
    /// For `:name`, without the colon; none: for `?`.
    names: Option<Vec<String>>,
}

impl Params {
    /// A list, or a table by names.
    ///
    /// # Errors
    /// `invalid` for values that SQLite does not have, holes, and keys of both kinds.
    pub fn read(lua: &Lua, table: Option<&Table>) -> Result<Self, LibError> {
        let Some(table) = table else { return Ok(Self::default()) };
        match plain(lua, table)? {
            Some(params) => Ok(params),
            None => Self::read_any(table),
        }
    }

    /// What is not as it should be, and what only is in another order.
    fn read_any(table: &Table) -> Result<Self, LibError> {
        let mut values = Cells::default();
        let length = table.raw_len();
        let mut names = Vec::new();
        let mut others = 0;
        table.for_each(|key: Value, value: Value| {
            match &key {
                Value::String(name) => {
                    let name = name.to_string_lossy();
                    values.push_lua(&value).map_err(|error| wrong(&format!("`:{name}`"), &error))?;
                    names.push(name);
                }
                _ => others += 1,
            }
            Ok(())
        })?;
        if !names.is_empty() {
            return match others {
                0 => Ok(Self { values, names: Some(names) }),
                _ => Err(LibError::invalid("parameters are a list or a table by names, not both")),
            };
        }
        for index in 1..=length {
            let value: Value = table.raw_get(index)?;
            values.push_lua(&value).map_err(|error| wrong(&index.to_string(), &error))?;
        }
        if others > length {
            return Err(LibError::invalid(format!(
                "the list of parameters has a hole after {length}: mpms.null stands for NULL"
            )));
        }
        Ok(Self { values, names: None })
    }

    /// Gives the statement its values.
    ///
    /// # Errors
    /// `invalid` when they are not those that it has places for.
    pub fn bind(&self, statement: &mut Statement<'_>) -> Result<(), LibError> {
        let count = statement.parameter_count();
        let bound = match &self.names {
            Some(names) => self.bind_names(names, statement, count)?,
            None => self.bind_list(statement, count)?,
        };
        bound.map_err(|error| super::error::of(&error))
    }

    fn bind_list(
        &self,
        statement: &mut Statement<'_>,
        count: usize,
    ) -> Result<rusqlite::Result<()>, LibError> {
        let named =
            (1..=count).find_map(|at| statement.parameter_name(at).filter(|name| !name.starts_with('?')));
        if let Some(name) = named {
            return Err(LibError::invalid(format!(
                "the statement has the parameter `{name}`: give a table by names"
            )));
        }
        if count != self.values.len() {
            let given = self.values.len();
            let hint = if given < count { " (mpms.null stands for NULL)" } else { "" };
            return Err(LibError::invalid(format!(
                "the statement has {count} parameters, got {given} values{hint}"
            )));
        }
        Ok((0..count).try_for_each(|cell| self.values.bind(cell, statement, cell + 1)))
    }

    fn bind_names(
        &self,
        names: &[String],
        statement: &mut Statement<'_>,
        count: usize,
    ) -> Result<rusqlite::Result<()>, LibError> {
        let mut places = Vec::with_capacity(count);
        let mut used = vec![false; names.len()];
        for place in 1..=count {
            let Some(wanted) = statement.parameter_name(place).filter(|name| !name.starts_with('?')) else {
                return Err(LibError::invalid("the statement has parameters `?`: give a list"));
            };
            let Some(cell) = names.iter().position(|name| *name == wanted[1..]) else {
                let hint = did_you_mean(&wanted[1..], names);
                return Err(LibError::invalid(format!(
                    "the parameter `{wanted}` has no value (mpms.null stands for NULL){hint}"
                )));
            };
            used[cell] = true;
            places.push(cell);
        }
        if let Some(unused) = used.iter().position(|used| !used) {
            return Err(LibError::invalid(format!("the statement has no parameter `:{}`", names[unused])));
        }
        let mut places = places.iter().enumerate();
        Ok(places.try_for_each(|(place, cell)| self.values.bind(*cell, statement, place + 1)))
    }
}

fn wrong(what: &str, error: &LibError) -> mlua::Error {
    mlua::Error::external(LibError::invalid(format!("parameter {what} {}", error.message())))
}

/// A table whose keys come as 1, 2, …, or that has names only, and values that SQLite has.
fn plain(lua: &Lua, table: &Table) -> mlua::Result<Option<Params>> {
    let (mut values, mut names, mut is_plain) = (Cells::default(), Vec::new(), false);
    // SAFETY: the closure calls nothing of Lua that raises, and gives nothing back
    unsafe {
        lua.exec_raw::<()>(table, |state| {
            is_plain = take(state, &mut values, &mut names);
            ffi::lua_settop(state, 0);
        })?;
    }
    let names = (!names.is_empty()).then_some(names);
    Ok(is_plain.then_some(Params { values, names }))
}

/// # Safety
/// `state` is a live state with a table alone on its stack, and room for two more.
unsafe fn take(state: *mut lua_State, values: &mut Cells, names: &mut Vec<String>) -> bool {
    const KEY: c_int = 2;
    // SAFETY: the caller's promise; `lua_next` leaves key and value, the value is popped before the next turn. A string's
    // bytes live as long as it is on the stack.
    unsafe {
        let mut count = 0;
        ffi::lua_pushnil(state);
        while ffi::lua_next(state, 1) != 0 {
            count += 1;
            let fits = match ffi::lua_type(state, KEY) {
                ffi::LUA_TNUMBER => {
                    names.is_empty()
                        && ffi::lua_isinteger(state, KEY) != 0
                        && ffi::lua_tointeger(state, KEY) == count
                }
                ffi::LUA_TSTRING if names.len() as i64 + 1 == count => {
                    names.push(String::from_utf8_lossy(string_at(state, KEY)).into_owned());
                    true
                }
                _ => false,
            };
            if !fits || !values.push_at(state, KEY + 1) {
                return false;
            }
            ffi::lua_settop(state, KEY);
        }
    }
    true
}

impl Cells {
    /// The value of the stack, if SQLite has it.
    ///
    /// # Safety
    /// `index` is an index of the live state's stack.
    unsafe fn push_at(&mut self, state: *mut lua_State, index: c_int) -> bool {
        // SAFETY: the caller's promise; a string's bytes live as long as it is on the stack
        unsafe {
            match ffi::lua_type(state, index) {
                ffi::LUA_TNUMBER if ffi::lua_isinteger(state, index) != 0 => {
                    self.push_int(ffi::lua_tointeger(state, index));
                }
                ffi::LUA_TNUMBER => {
                    let number = ffi::lua_tonumber(state, index);
                    if number.is_nan() {
                        return false;
                    }
                    self.push_real(number);
                }
                ffi::LUA_TSTRING => self.push_bytes(string_at(state, index)),
                ffi::LUA_TBOOLEAN => self.push_int(i64::from(ffi::lua_toboolean(state, index))),
                ffi::LUA_TLIGHTUSERDATA if ffi::lua_touserdata(state, index).is_null() => self.push_null(),
                _ => return false,
            }
        }
        true
    }
}
