//! `mpms.proc`: external commands. Each leads a process group, which ends with it; what a task has started ends with the
//! task.
//!
//! Commands are started by [`os::command`](crate::os::command), as those of `[worker] command` are, and waited for on the
//! thread's runtime, by a descriptor of the process and those of its pipes. There is no reaper and no SIGCHLD: each
//! command is reaped by its number, by who started it.

use mlua::{Lua, LuaString, Table, Value};

use crate::lua::module::Module;

mod flow;
mod lines;
mod order;
mod outcome;
mod pipe;
mod ready;
mod run;
mod spawn;
mod words;

pub(in crate::lua) use flow::{until_dead, until_said};
pub(in crate::lua) use order::{failed, shell};

type ArgvAndOptions = (Value, Option<Table>);

pub(super) fn module(lua: &Lua) -> mlua::Result<Table> {
    spawn::register(lua)?;
    Module::new(lua, "mpms.proc")
        .waiting("run(argv, options)", |lua, (argv, options): ArgvAndOptions| {
            let (lua, order) = (lua.clone(), order::Order::read(lua, &argv, options, order::For::Run));
            async move { run::run(&lua, order?).await }
        })
        .function("lines(argv, options)", |lua, (argv, options): ArgvAndOptions| {
            lines::lines(lua, order::Order::read(lua, &argv, options, order::For::Lines)?)
        })
        .function("spawn(argv, options)", |lua, (argv, options): ArgvAndOptions| {
            spawn::spawn(lua, order::Order::read(lua, &argv, options, order::For::Spawn)?)
        })
        .waiting("pipe(commands, options)", |lua, (commands, options): (Table, Option<Table>)| {
            let (lua, orders) = (lua.clone(), pipe::orders(lua, &commands, options));
            async move { pipe::pipe(&lua, orders?).await }
        })
        .function("which(name)", |lua, name: LuaString| words::which(lua, &name))
        .function("quote(argv)", |lua, argv: Value| words::quote(lua, &argv))
        .function("split(text)", |lua, text: LuaString| words::split(lua, &text))
        .build()
}

#[cfg(test)]
mod tests;
