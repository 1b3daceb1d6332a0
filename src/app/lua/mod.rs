//! `mpms lua`: scripts that are run by hand.

mod repl;
mod script;
mod stop;

use std::io::{self, IsTerminal as _};

use super::exit::Code;
use crate::cli::LuaArgs;

/// Carries the command out.
pub fn lua(arguments: &LuaArgs) -> Code {
    match script::of(arguments, io::stdin().is_terminal()) {
        Ok(Some(script)) => script::run(&script, arguments),
        Ok(None) => repl::read(arguments.color),
        Err(problem) => {
            super::complain(arguments.color, &problem.message, problem.help);
            Code::Usage
        }
    }
}
