//! `mpms.test`: what specs have besides the names of busted: roles of a script played without a run, a network that is
//! mocked, a clock, snapshots.

use std::rc::Rc;

use mlua::{Lua, LuaString, MultiValue, Table, Value};

use super::reach::{self, Reach};
use super::{clock, fs};
use crate::lua::error::LibError;
use crate::lua::module::Module;
use crate::lua::options;
use crate::lua::random;

pub mod context;
mod diff;
pub mod mocks;
mod parts;
mod play;
mod snapshot;

pub use context::Context;
pub use diff::diff;
use mocks::Mocks;
pub use snapshot::set_show;

pub(super) fn module(lua: &Lua) -> mlua::Result<Table> {
    let module = Module::new(lua, "mpms.test")
        .waiting(
            "worker(script, args, meta, options)",
            |lua, (script, args, meta, options): (Value, Table, Option<Table>, Option<Table>)| {
                parts::worker(lua, &script, &args, meta, options)
            },
        )
        .waiting(
            "handler(script, meta, ...)",
            |lua, (script, meta, rest): (Value, Option<Table>, MultiValue)| {
                parts::handler(lua, &script, meta, rest)
            },
        )
        .waiting(
            "tasks(script, params, options)",
            |lua, (script, params, options): (Value, Option<Table>, Option<Table>)| {
                parts::tasks(lua, &script, params, options)
            },
        );
    world(module).build()
}

fn world(module: Module<'_>) -> Module<'_> {
    module
        .function("http(rules)", |lua, rules: Value| http(lua, &rules))
        .function("requests()", |lua, ()| {
            let context = Context::of(lua)?;
            let list = lua.create_table()?;
            for (asked, status) in &*context.requests.borrow() {
                list.raw_push(mocks::described(lua, asked, *status)?)?;
            }
            Ok(list)
        })
        .function("clock(time)", |lua, time: Value| {
            Context::of(lua)?;
            match &time {
                Value::Nil | Value::Boolean(false) => clock::set(None),
                time => clock::set(Some(options::duration(time).map_err(|_| {
                    LibError::invalid(
                        "argument 1 (time) must be seconds since 1970, or false for the system's clock",
                    )
                })?)),
            }
            Ok(())
        })
        .function("seed(seed)", |lua, seed: i64| {
            let context = Context::of(lua)?;
            context.seed.set(seed);
            let mut own: random::Random = context.random.get();
            own.seed(seed, 0);
            Ok(())
        })
        .function("tmp()", |lua, ()| {
            Context::of(lua)?;
            fs::temporary_folder(lua)
        })
        .function("snapshot(name, value)", |lua, (name, value): (LuaString, Value)| {
            snapshot::check(lua, &name, &value)
        })
        .function("diff(expected, actual)", |_, (expected, actual): (LuaString, LuaString)| {
            Ok(diff(&expected.to_string_lossy(), &actual.to_string_lossy()))
        })
}

fn http(lua: &Lua, rules: &Value) -> Result<(), LibError> {
    let context = Context::of(lua)?;
    let word = match rules {
        Value::Table(rules) => {
            if let Value::String(word) = rules.raw_get::<Value>("*")?
                && word.as_bytes().as_ref() == b"loopback"
            {
                reach::set(Reach::Loopback);
            }
            context.mocks.replace(Rc::new(Mocks::read(rules)?));
            return Ok(());
        }
        Value::String(word) => word.to_string_lossy(),
        _ => String::new(),
    };
    match word.as_str() {
        "loopback" => reach::set(Reach::Loopback),
        "deny" => {
            context.mocks.take();
            reach::set(Reach::Nobody)
        }
        _ => {
            return Err(LibError::invalid(
                "argument 1 (rules) must be a table as {[\"GET https://…\"] = {status = 200}}, \"loopback\" or \"deny\"",
            ));
        }
    };
    Ok(())
}

#[cfg(test)]
mod tests;
