//! `os.execute` and `io.popen`: commands of `mpms.proc` with the manners of the manual. What they start leads a group of
//! its own, and ends with the attempt.

use std::rc::Rc;

use mlua::{IntoLuaMulti, Lua, LuaString, MultiValue, Table};

use super::error::LibError;
use super::module::{global_function, waiting_function};
use super::started;
use super::std::proc;
use crate::os::command::{Child, Plug, Start, Started};

mod enough;
mod popen;
mod reads;
#[cfg(test)]
mod tests;

/// Replaces both functions, and those that wait of what `io.popen` gives.
///
/// # Errors
/// When Lua has no memory left.
pub fn install(lua: &Lua) -> mlua::Result<()> {
    let table = |name: &str| lua.globals().raw_get::<Table>(name);
    let execute = waiting_function(lua, "os.execute(command)", |lua, command: Option<LuaString>| {
        let lua = lua.clone();
        async move {
            match command {
                None => Ok(Executed::Shell),
                Some(command) => execute(&lua, &command).await,
            }
        }
    })?;
    table("os")?.raw_set("execute", execute)?;
    type Popen = (LuaString, Option<LuaString>);
    let popen = global_function(lua, "io.popen(command, mode)", |lua, (command, mode): Popen| {
        let mode = mode.map(|mode| mode.to_string_lossy());
        match mode.as_deref() {
            None | Some("r") => popen::popen(lua, &command, true),
            Some("w") => popen::popen(lua, &command, false),
            Some(_) => Err(LibError::invalid("argument 2 (mode) must be \"r\" or \"w\"")),
        }
    })?;
    table("io")?.raw_set("popen", popen)?;
    reads::install(lua, &table("io")?)
}

fn shell(lua: &Lua, command: &LuaString) -> Result<Start, LibError> {
    let mut start = proc::shell(lua, &command.as_bytes())?;
    start.stdout = Plug::Inherit;
    start.stderr = Plug::Inherit;
    Ok(start)
}

/// What `os.execute` gives.
enum Executed {
    /// There is a shell.
    Shell,
    /// A command, which has ended, and its status.
    Command(Rc<Child>, i32),
}

impl IntoLuaMulti for Executed {
    /// In the attempt that waited, with which ends what the command left behind.
    fn into_lua_multi(self, lua: &Lua) -> mlua::Result<MultiValue> {
        match self {
            Executed::Shell => true.into_lua_multi(lua),
            Executed::Command(child, status) => {
                started::add_ended(child);
                results(status).into_lua_multi(lua)
            }
        }
    }
}

/// While it waits another attempt's things may be in place: until the command has ended it belongs to this future alone,
/// and ends with it.
async fn execute(lua: &Lua, command: &LuaString) -> Result<Executed, LibError> {
    let Started { child, .. } = shell(lua, command)?.start().map_err(proc::failed)?;
    proc::until_dead(&child).await?;
    let status = child.status()?.unwrap_or_default();
    Ok(Executed::Command(Rc::new(child), status))
}

/// As `luaL_execresult` gives them.
fn results(status: i32) -> (Option<bool>, &'static str, i32) {
    let (what, number) = match status & 0x7f {
        0 => ("exit", status >> 8),
        signal => ("signal", signal),
    };
    ((status == 0).then_some(true), what, number)
}
