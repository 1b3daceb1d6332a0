//! What a call asks for: the argument list and the options.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use mlua::{Lua, LuaString, Table, Value};

use super::words;
use crate::lua::error::LibError;
use crate::lua::options::Options;
use crate::lua::prelude::JobEnv;
use crate::lua::std::path;
use crate::os::command::{CommandError, Plug, Start};

/// From SIGTERM to SIGKILL, unless said.
const GRACE: Duration = Duration::from_secs(2);

/// Of each stream, unless said.
const MAX_OUTPUT: u64 = 16 << 20;

/// Which function asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum For {
    Run,
    Lines,
    Spawn,
    Pipe,
}

/// Where a standard stream of output goes.
#[derive(Debug)]
pub(super) enum Output {
    /// To the caller.
    Captured,
    /// Where this process's goes.
    Inherited,
    /// Standard error only: with standard output.
    Merged,
    File(PathBuf),
}

/// What a command reads.
#[derive(Debug)]
pub(super) enum Input {
    Nothing,
    /// What the script writes.
    Written,
    Text(LuaString),
    File(PathBuf),
}

/// How long it may run, and how much it may say.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub timeout: Option<Duration>,
    pub grace: Duration,
    pub max_output: usize,
}

/// One call.
#[derive(Debug)]
pub(super) struct Order {
    /// Program and arguments.
    pub argv: Vec<OsString>,
    /// As errors show it.
    pub cmd: String,
    /// Another end than with status 0 raises.
    pub check: bool,
    pub input: Input,
    pub stdout: Output,
    pub stderr: Output,
    pub limits: Limits,
    cwd: Option<PathBuf>,
    env: Vec<(OsString, Option<OsString>)>,
    clear_env: bool,
    nice: i32,
    memory: Option<u64>,
}

impl Order {
    pub fn read(lua: &Lua, argv: &Value, options: Option<Table>, who: For) -> Result<Self, LibError> {
        let mut options = Options::new(options);
        let shell = who != For::Pipe && options.bool("shell")?.unwrap_or(false);
        let argv = if shell { words::of_shell(argv)? } else { words::argv(argv, "argument 1 (argv)")? };
        Self::of(lua, argv, options, who)
    }

    /// The rest of the options.
    pub fn of(lua: &Lua, argv: Vec<OsString>, mut options: Options, who: For) -> Result<Self, LibError> {
        let capture = options.bool("capture")?.unwrap_or(true);
        if !capture && who == For::Lines {
            return Err(LibError::invalid("option `capture` must not be false: lines are captured output"));
        }
        let otherwise = || if capture { Output::Captured } else { Output::Inherited };
        let stdout = match options.bytes("stdout")? {
            Some(_) if who == For::Lines => {
                return Err(LibError::invalid(
                    "option `stdout` is not for lines: they are what it says there",
                ));
            }
            Some(name) => Output::File(path::of(&name)),
            None => otherwise(),
        };
        let stderr = match options.bytes("stderr")? {
            Some(name) if name.as_bytes().as_ref() == b"merge" => Output::Merged,
            Some(name) => Output::File(path::of(&name)),
            None => otherwise(),
        };
        let order = Self {
            cmd: words::shown(&argv),
            argv,
            check: options.bool("check")?.unwrap_or(true),
            input: input(&mut options, who)?,
            stdout,
            stderr,
            limits: limits(&mut options)?,
            cwd: options.bytes("cwd")?.map(|name| path::of(&name)),
            env: env(lua, &mut options)?,
            clear_env: options.bool("clear_env")?.unwrap_or(false),
            nice: nice(&mut options)?,
            memory: options.size("memory")?,
        };
        options.finish()?;
        Ok(order)
    }

    /// What is to be started; files are opened.
    pub fn to_start(&self) -> Result<Start, LibError> {
        Ok(Start {
            stdin: self.stdin()?,
            stdout: plug(&self.stdout)?,
            stderr: plug(&self.stderr)?,
            ..self.bare(&self.argv)
        })
    }

    /// Without its streams.
    pub fn bare(&self, argv: &[OsString]) -> Start {
        Start {
            argv: argv.to_vec(),
            cwd: self.cwd.clone(),
            env: self.env.clone(),
            clear_env: self.clear_env,
            nice: self.nice,
            memory: self.memory,
            ..Start::default()
        }
    }

    pub fn stdin(&self) -> Result<Plug, LibError> {
        Ok(match &self.input {
            Input::Nothing => Plug::Null,
            Input::Written | Input::Text(_) => Plug::Pipe,
            Input::File(path) => Plug::File(opened(path, File::open(path))?),
        })
    }

    /// The error, about this command.
    pub fn named(&self, error: LibError) -> LibError {
        error.cmd(self.cmd.clone())
    }
}

fn plug(output: &Output) -> Result<Plug, LibError> {
    Ok(match output {
        Output::Captured => Plug::Pipe,
        Output::Inherited => Plug::Inherit,
        Output::Merged => Plug::Merge,
        Output::File(path) => Plug::File(opened(path, File::create(path))?),
    })
}

fn opened(path: &Path, file: io::Result<File>) -> Result<File, LibError> {
    file.map_err(|error| LibError::file(&error, path))
}

fn input(options: &mut Options, who: For) -> Result<Input, LibError> {
    match options.value("stdin")? {
        None if who == For::Spawn => Ok(Input::Written),
        None => Ok(Input::Nothing),
        Some(Value::String(text)) => Ok(Input::Text(text)),
        Some(Value::Table(table)) => {
            let mut of = Options::new(Some(table));
            let path = of.bytes("path")?;
            of.finish().map_err(|error| LibError::invalid(format!("option `stdin`: {}", error.message())))?;
            let path = path.ok_or_else(|| LibError::invalid("option `stdin` needs a `path`"))?;
            Ok(Input::File(path::of(&path)))
        }
        Some(other) => {
            let got = other.type_name();
            Err(LibError::invalid(format!(
                "option `stdin` must be a string, or a file as {{ path = \"...\" }}, got {got}"
            )))
        }
    }
}

fn limits(options: &mut Options) -> Result<Limits, LibError> {
    let most = options.size("max_output")?.unwrap_or(MAX_OUTPUT);
    Ok(Limits {
        timeout: options.duration("timeout")?,
        grace: options.duration("grace")?.unwrap_or(GRACE),
        max_output: usize::try_from(most).unwrap_or(usize::MAX),
    })
}

fn nice(options: &mut Options) -> Result<i32, LibError> {
    match options.int("nice")?.unwrap_or(0) {
        nice @ -40..=40 => Ok(nice as i32),
        other => Err(LibError::invalid(format!("option `nice` must be from -40 to 40, got {other}"))),
    }
}

/// The job's variables, then the call's; `false` removes one.
fn env(lua: &Lua, options: &mut Options) -> Result<Vec<(OsString, Option<OsString>)>, LibError> {
    let mut env = of_job(lua);
    let Some(table) = options.table("env")? else { return Ok(env) };
    let mut wrong = None;
    table.for_each(|name: Value, value: Value| {
        match variable(&name, &value) {
            Some(pair) => env.push(pair),
            None => wrong = Some(name.to_string()?),
        }
        Ok(())
    })?;
    match wrong {
        None => Ok(env),
        Some(name) => Err(LibError::invalid(format!(
            "option `env`: `{name}` must be a name without `=`, with a string, a number, or false to remove it"
        ))),
    }
}

pub(super) fn of_job(lua: &Lua) -> Vec<(OsString, Option<OsString>)> {
    let job = lua.app_data_ref::<JobEnv>();
    job.map(|job| job.0.iter().map(|(name, value)| (name.into(), Some(value.into()))).collect())
        .unwrap_or_default()
}

fn variable(name: &Value, value: &Value) -> Option<(OsString, Option<OsString>)> {
    let name = name.as_string()?.as_bytes();
    if name.is_empty() || name.iter().any(|byte| matches!(byte, b'=' | 0)) {
        return None;
    }
    let value = match value {
        Value::Boolean(false) => None,
        other => Some(words::word(other)?),
    };
    Some((OsStr::from_bytes(&name).to_owned(), value))
}

/// A command for the shell, with nothing but its environment set.
///
/// # Errors
/// When the text cannot be an argument.
pub(in crate::lua) fn shell(lua: &Lua, text: &[u8]) -> Result<Start, LibError> {
    if text.contains(&0) {
        return Err(LibError::invalid("a command must not have a zero byte"));
    }
    let text = OsString::from_vec(text.to_vec());
    Ok(Start { env: of_job(lua), ..Start::new(["/bin/sh".into(), "-c".into(), text]) })
}

/// Why a command did not start, as an error of the library.
pub(in crate::lua) fn failed(error: CommandError) -> LibError {
    let message = error.to_string();
    match error {
        CommandError::Empty => LibError::invalid(message),
        CommandError::NoFolder { cwd, .. } => LibError::new("not_found", message).path(cwd),
        CommandError::NotFound { .. } | CommandError::NoFile { .. } | CommandError::NoInterpreter { .. } => {
            LibError::new("not_found", message)
        }
        CommandError::NotExecutable { .. } => LibError::new("permission", message),
        CommandError::System { source, .. } => {
            let below = LibError::from(&source);
            let argv_is_long = source.kind() == io::ErrorKind::ArgumentListTooLong;
            let hint = if argv_is_long { ": give it as input, or in parts" } else { "" };
            let code = if argv_is_long { "too_large".to_owned() } else { below.code().to_owned() };
            let retryable = !argv_is_long && below.is_retryable();
            LibError::new(code, format!("cannot be run: {}{hint}", below.message())).retryable(retryable)
        }
    }
}
