//! Commands that read what the one before them writes.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use mlua::{Lua, Table, Value};

use super::flow::Keep;
use super::order::{For, Order, Output, failed};
use super::run::{self, Running};
use super::words;
use crate::lua::error::LibError;
use crate::lua::options::Options;
use crate::os::command::{Plug, Start, Started};

pub(super) struct Orders {
    /// With the options of all.
    order: Order,
    argvs: Vec<Vec<OsString>>,
}

pub(super) fn orders(lua: &Lua, commands: &Table, options: Option<Table>) -> Result<Orders, LibError> {
    let argvs = commands.sequence_values::<Value>().enumerate();
    let argvs =
        argvs.map(|(at, argv)| words::argv(&argv?, &format!("argument 1 (commands): command {}", at + 1)));
    let argvs = argvs.collect::<Result<Vec<_>, LibError>>()?;
    let Some(first) = argvs.first() else {
        return Err(LibError::invalid("argument 1 (commands) must be a list of argument lists"));
    };
    let mut order = Order::of(lua, first.clone(), Options::new(options), For::Pipe)?;
    order.cmd = argvs.iter().map(|argv| words::shown(argv)).collect::<Vec<_>>().join(" | ");
    Ok(Orders { order, argvs })
}

pub(super) async fn pipe(lua: &Lua, orders: Orders) -> Result<Table, LibError> {
    let Orders { order, argvs } = orders;
    let running = start_all(&order, &argvs).map_err(|error| order.named(error))?;
    run::to_end(lua, running, &order, &argvs).await
}

/// Where the outputs of all go.
struct Outputs {
    /// Of the last.
    stdout: Plug,
    /// Of each, by turns.
    stderr: Vec<OwnedFd>,
    /// Our ends.
    from_stdout: Option<File>,
    from_stderr: Option<File>,
}

impl Outputs {
    fn of(order: &Order, count: usize) -> Result<Self, LibError> {
        let mut outputs =
            Self { stdout: Plug::Pipe, stderr: Vec::new(), from_stdout: None, from_stderr: None };
        match &order.stdout {
            Output::Captured | Output::Merged => {
                let (reader, writer) = io::pipe()?;
                outputs.from_stdout = Some(File::from(OwnedFd::from(reader)));
                outputs.stdout = Plug::Fd(writer.into());
            }
            Output::Inherited => outputs.stdout = Plug::Inherit,
            Output::File(path) => outputs.stdout = Plug::Fd(created(path)?),
        }
        outputs.stderr = match (&order.stderr, &outputs.stdout) {
            (Output::Merged, Plug::Fd(fd)) => copies(fd.try_clone()?, count)?,
            (Output::Captured, _) => {
                let (reader, writer) = io::pipe()?;
                outputs.from_stderr = Some(File::from(OwnedFd::from(reader)));
                copies(writer.into(), count)?
            }
            (Output::File(path), _) => copies(created(path)?, count)?,
            (Output::Merged | Output::Inherited, _) => Vec::new(),
        };
        Ok(outputs)
    }
}

fn created(path: &Path) -> Result<OwnedFd, LibError> {
    Ok(File::create(path).map_err(|error| LibError::file(&error, path))?.into())
}

fn copies(fd: OwnedFd, count: usize) -> io::Result<Vec<OwnedFd>> {
    let mut all = vec![fd];
    while let Some(one) = all.first().filter(|_| all.len() < count) {
        let copy = one.try_clone()?;
        all.push(copy);
    }
    Ok(all)
}

/// Starts all, each reading what the one before writes; all say their errors in one place.
fn start_all(order: &Order, argvs: &[Vec<OsString>]) -> Result<Running, LibError> {
    let mut outputs = Outputs::of(order, argvs.len())?;
    let mut started: Vec<Started> = Vec::with_capacity(argvs.len());
    let mut stdin = order.stdin()?;
    for (at, argv) in argvs.iter().enumerate() {
        let is_last = at + 1 == argvs.len();
        let stdout = if is_last { std::mem::take(&mut outputs.stdout) } else { Plug::Pipe };
        let stderr = outputs.stderr.pop().map_or(Plug::Inherit, Plug::Fd);
        let start = Start { stdin, stdout, stderr, ..order.bare(argv) };
        let mut one = start.start().map_err(|error| failed(error).cmd(words::shown(argv)))?;
        stdin = one.stdout.take().map_or(Plug::Null, Plug::File);
        started.push(one);
    }
    if let Some(last) = started.last_mut() {
        (last.stdout, last.stderr) = (outputs.from_stdout, outputs.from_stderr);
    }
    Running::of(order, started, Keep::All)
}
