//! `mpms.tbl`: work on tables, in Lua, so that what a script passes may wait.

use mlua::{Function, Lua, Table, Value};

use crate::lua::error::LibError;
use crate::lua::module::{Methods, Module, complainer, did_you_mean, global_function};
use crate::lua::tape::array_mark;

pub(super) fn module(lua: &Lua) -> mlua::Result<Table> {
    let load = |text: &'static str| lua.load(text).set_name("=mpms");
    let frame: Table = load(include_str!("frame.lua")).call((complainer(lua)?, unknown_option(lua)?))?;
    load(include_str!("order.lua")).call::<()>(&frame)?;
    load(include_str!("tbl.lua")).call::<()>((&frame, array_mark(lua)?))?;
    load(include_str!("inspect.lua")).call::<()>((&frame, array_mark(lua)?, Value::NULL))?;
    let begin: Function = load(include_str!("iter.lua")).call(&frame)?;

    let mut methods = Methods::new(lua, "tbl.Iter");
    for pair in frame.raw_get::<Table>("methods")?.pairs::<String, Function>() {
        let (name, method) = pair?;
        methods = methods.value(&name, method);
    }
    begin.call::<()>(methods.metatable()?)?;

    let mut module = Module::new(lua, "mpms.tbl");
    for pair in frame.raw_get::<Table>("functions")?.pairs::<String, Function>() {
        let (name, function) = pair?;
        module = module.value(&name, function);
    }
    module.build()
}

/// Raises, with a suggestion from the keys of `known`.
fn unknown_option(lua: &Lua) -> mlua::Result<Function> {
    global_function(
        lua,
        "unknown_option(op, key, known)",
        |_, (op, key, known): (String, String, Table)| -> Result<(), LibError> {
            let mut names =
                known.pairs::<String, Value>().map(|pair| Ok(pair?.0)).collect::<mlua::Result<Vec<_>>>()?;
            names.sort();
            Err(LibError::invalid(format!("unknown option `{key}`{}", did_you_mean(&key, &names))).op(op))
        },
    )
}

#[cfg(test)]
mod tests;
