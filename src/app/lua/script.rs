//! A script from a file, the command line or standard input, from its first line to its exit code.

use std::ffi::OsStr;
use std::io::{self, Read as _, Write as _};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt};
use std::path::{Path, PathBuf};

use super::stop::Stops;
use crate::app::exit::Code;
use crate::app::{complain, roles, show};
use crate::cli::{Color, LuaArgs};
use crate::lua::hand::{Hand, Raised};
use crate::lua::std::log::{Level, Sinks};
use crate::model::job::Script;
use crate::os::{secrets, signals};

/// What is to run.
pub struct Task {
    script: Script,
    /// Lua's name of the text.
    chunk: String,
    /// What `arg[0]` is.
    name: Vec<u8>,
    arguments: Vec<Vec<u8>>,
}

/// The words of the command before the script, the program first: what Lua has in `arg` before 0.
fn before(arguments: &LuaArgs) -> Vec<Vec<u8>> {
    let mut all: Vec<_> = std::env::args_os().map(OsStringExt::into_vec).collect();
    all.truncate(all.len().saturating_sub(arguments.words.len()));
    all
}

/// Why there is nothing to run.
pub struct Problem {
    pub message: String,
    pub help: Option<&'static str>,
}

/// The script that the command line names; none where there is nothing but a terminal to read from.
pub fn of(arguments: &LuaArgs, terminal: bool) -> Result<Option<Task>, Problem> {
    let problem = |message| Problem { message, help: None };
    let here =
        std::env::current_dir().map_err(|error| problem(format!("there is no current folder: {error}")))?;
    let mut words: Vec<_> = arguments.words.iter().map(|word| word.clone().into_vec()).collect();
    let text = |name: &str, chunk: &str, text: Vec<u8>, arguments| {
        let script = Script { name: name.to_owned(), dir: here.clone(), text: text.into() };
        Task { script, chunk: chunk.to_owned(), name: name.as_bytes().to_vec(), arguments }
    };
    if let Some(code) = &arguments.code {
        return Ok(Some(text("(command line)", "=(command line)", code.clone().into_bytes(), words)));
    }
    if words.is_empty() && terminal {
        return Ok(None);
    }
    let name = if words.is_empty() { b"-".to_vec() } else { words.remove(0) };
    if name == b"-" {
        let mut code = Vec::new();
        io::stdin()
            .lock()
            .read_to_end(&mut code)
            .map_err(|error| problem(format!("cannot read standard input: {error}")))?;
        return Ok(Some(text("stdin", "=stdin", code, words)));
    }
    if name.starts_with(b"-") {
        let message = format!("unknown option `{}`", String::from_utf8_lossy(&name));
        return Err(Problem {
            message,
            help: Some("a script of that name is ./ and its name; see mpms lua --help"),
        });
    }
    file(&here, name, words).map(Some)
}

fn file(here: &Path, name: Vec<u8>, arguments: Vec<Vec<u8>>) -> Result<Task, Problem> {
    let path = Path::new(OsStr::from_bytes(&name));
    let cannot = |error: io::Error| {
        let message = format!("cannot read {}: {error}", path.display());
        let help = (error.kind() == io::ErrorKind::IsADirectory).then_some("name a script in it");
        Problem { message, help }
    };
    let text = std::fs::read(path).map_err(cannot)?;
    let dir = here.join(path).parent().map_or_else(|| here.to_path_buf(), Path::to_path_buf);
    let dir = dir.components().collect::<PathBuf>();
    let shown = path.to_string_lossy().into_owned();
    let chunk = format!("@{shown}");
    Ok(Task { script: Script { name: shown, dir, text: text.into() }, chunk, name, arguments })
}

/// Runs it, and says how it ended.
pub fn run(task: &Task, arguments: &LuaArgs) -> Code {
    let color = arguments.color;
    if let Err(error) = signals::end_with_stdout() {
        complain(color, &format!("cannot watch standard output: {error}"), None);
        return Code::Bug;
    }
    let stops = match Stops::begin() {
        Ok(stops) => stops,
        Err(error) => {
            complain(color, &format!("cannot watch signals: {error}"), None);
            return Code::Bug;
        }
    };
    let made = Hand::new(&task.script.name, &task.script.dir, super::lua_path(arguments), sinks()).and_then(
        |hand| {
            hand.set_arguments(&before(arguments), &task.name, &task.arguments)?;
            Ok(hand)
        },
    );
    let hand = match made {
        Ok(hand) => hand,
        Err(failure) => {
            complain(color, &failure.message, None);
            return Code::Bug;
        }
    };
    stops.watch(hand.stopper());
    let ended = hand.run(&task.chunk, &task.script.text, &task.arguments);
    hand.leave();
    let stopped = stops.came();
    match ended {
        // whoever stopped it knows why it ended
        _ if stopped.is_some() => {
            let signal = stopped.unwrap_or(signals::Signal::Interrupt);
            signals::raise_default(signal)
        }
        Ok(()) => Code::Success,
        Err(raised) => {
            tell(&task.script, &raised, color);
            if raised.failure.code == "syntax" { Code::Usage } else { Code::Failures }
        }
    }
}

/// Shows an error where it happened.
fn tell(script: &Script, raised: &Raised, color: Color) {
    let mut found = roles::diagnose(script, &raised.failure);
    for (name, value) in &raised.fields {
        found = found.note(format!("{name}: {value}"));
    }
    show(&[found], color);
}

/// Lines of `mpms.log` go to standard error.
pub fn sinks() -> Sinks {
    Sinks::of(|level, text, fields| {
        let word = match level {
            Level::Debug => "DEBUG",
            Level::Print => "PRINT",
            Level::Info => "INFO",
            Level::Warn => "WARN",
            Level::Error => "ERROR",
        };
        let fields: String = fields.iter().map(|(key, value)| format!("  {key}={value}")).collect();
        let mut line = format!("{word:>12} {text}{fields}\n");
        secrets::scrub(&mut line);
        let _ = io::stderr().lock().write_all(line.as_bytes());
    })
}
