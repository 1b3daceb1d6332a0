//! `mpms lua`: scripts that are run by hand.

mod repl;
mod script;
mod stop;

use std::io::{self, IsTerminal as _};

use super::exit::Code;
use crate::cli::LuaArgs;
use crate::model::lua_path::LuaPath;
use crate::plan;

/// `--lua-path`, from the shell's folder.
fn lua_path(arguments: &LuaArgs) -> Option<LuaPath> {
    let cwd = std::env::current_dir().unwrap_or_default();
    arguments.lua_path.as_ref().map(|path| plan::absolute_lua_path(&cwd, path))
}

/// Carries the command out.
pub fn lua(arguments: &LuaArgs) -> Code {
    match script::of(arguments, io::stdin().is_terminal()) {
        Ok(Some(script)) => script::run(&script, arguments),
        Ok(None) => repl::read(arguments.color, lua_path(arguments)),
        Err(problem) => {
            super::complain(arguments.color, &problem.message, problem.help);
            Code::Usage
        }
    }
}
