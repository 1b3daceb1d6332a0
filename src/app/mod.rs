//! The commands: where the stops of the path are put together, and exit codes come from.

mod carry;
mod changes;
mod check;
mod dirs;
pub mod doc;
mod dry;
mod exit;
mod known;
mod lua;
mod order;
mod prepare;
mod roles;
mod run;
mod runs;
mod settings;
mod source;
mod test;
mod types;

use std::ffi::OsStr;
use std::io::{self, IsTerminal as _, Write as _};

use crate::cli::{Cli, Color, Command, Display, Format};
use crate::journal::JournalError;
use crate::manifest::Diagnostic;
use crate::os::exit::exit_now;
use crate::os::keeper::{self, KEEPER_ARGUMENT};
use crate::plan::Surroundings;
use crate::report::diagnostic::{self, Look};
use crate::{os, worker};
use exit::Code;

/// The whole program. Leaves by `_exit`, as Lua states are never closed.
pub fn main() -> ! {
    if std::env::args_os().nth(1).is_some_and(|word| word == OsStr::new(KEEPER_ARGUMENT)) {
        keeper::serve(worker::run);
    }
    let code = match Cli::from_env().command {
        Command::Run(arguments) => run::run(&arguments),
        Command::Check(arguments) => check::check(&arguments),
        Command::Resume(arguments) => run::resume(&arguments),
        Command::Runs(arguments) => runs::runs(&arguments),
        Command::Lua(arguments) => lua::lua(&arguments),
        Command::Doc(arguments) => doc::doc(&arguments),
        Command::Types(arguments) => types::types(&arguments),
        Command::Test(arguments) => test::test(&arguments),
        Command::Spec(arguments) => test::spec::serve(&arguments.rest),
        // only with its exact word in front, see above
        Command::Keeper(_) => Code::Usage,
    };
    let _ = io::stdout().flush();
    exit_now(code.number())
}

fn surroundings() -> io::Result<Surroundings> {
    let (cpus, memory) = (os::cpus::available(), os::memory::total());
    Ok(Surroundings { cwd: std::env::current_dir()?, cpus, memory })
}

/// Writes diagnostics to standard error.
fn show(found: &[Diagnostic], color: Color) {
    let look = look(color);
    // nobody can be told when standard error is gone
    let _ = io::stderr().lock().write_all(diagnostic::render_all(found, look).as_bytes());
}

/// Writes one line about what stopped a command before any work.
fn complain(color: Color, message: &str, help: Option<&str>) {
    let (red, bold, plain) =
        if look(color).color { ("\x1b[1;31m", "\x1b[1m", "\x1b[0m") } else { ("", "", "") };
    let mut text = format!("{red}error{plain}{bold}: {message}{plain}\n");
    if let Some(help) = help {
        text.push_str(&format!("help: {help}\n"));
    }
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// The same about a journal, with the code that goes with it.
fn complain_of_journal(color: Color, error: &JournalError) -> Code {
    complain(color, &known::with_source(error), Some(&error.help()));
    match error {
        JournalError::NoRun { .. } | JournalError::Ambiguous { .. } => Code::Usage,
        _ => Code::State,
    }
}

/// Writes a line beside those of the report, unless they are for programs or nobody wants them.
fn note(display: &Display, word: &str, rest: &str) {
    if !display.quiet && display.format == Format::Human {
        let _ = writeln!(io::stderr().lock(), "{word:>12} {rest}");
    }
}

fn look(color: Color) -> Look {
    let color = match color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => {
            let choice = anstream::AutoStream::choice(&io::stderr());
            io::stderr().is_terminal() && choice != anstream::ColorChoice::Never
                || choice == anstream::ColorChoice::Always
        }
    };
    Look { color, ..Look::default() }
}
