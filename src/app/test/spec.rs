//! `mpms __spec`: one spec in its own process, which tells what happens in lines of JSON.

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::app::exit::Code;
use crate::lua::coverage::{self, Ran};
use crate::lua::spec::{Event, Planned, Problem, Settings, Spec, Totals};
use crate::os::command::{take_streams, under_guard};

/// From the process of a spec.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum FromSpec {
    /// Its tests; it waits for [`Go`].
    Loaded(Vec<Planned>),
    /// It cannot be loaded.
    Broken(Problem),
    /// Something happened.
    Event(Event),
    /// Which lines have run; only when asked for.
    Ran(Vec<Ran>),
    /// It has run all; nothing follows.
    Done(Totals),
}

/// To it: the tests to run.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Go(pub Vec<usize>);

/// What it is started with.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Start {
    pub file: PathBuf,
    pub cwd: PathBuf,
    pub limit: Duration,
    pub update: bool,
    pub coverage: bool,
    /// Absolute.
    pub lua_path: Option<String>,
}

impl Start {
    /// The arguments of the process.
    pub fn arguments(&self) -> Vec<OsString> {
        // plain data, whose paths come from the command line
        let text = serde_json::to_string(self).unwrap_or_default();
        vec!["__spec".into(), text.into()]
    }
}

/// The life of the process.
pub fn serve(arguments: &[OsString]) -> Code {
    let start = arguments.first().and_then(|text| serde_json::from_str::<Start>(text.to_str()?).ok());
    let Some(start) = start else { return Code::Usage };
    if let Err(error) = under_guard() {
        let _ = writeln!(std::io::stderr().lock(), "the spec cannot be guarded: {error}");
        return Code::Bug;
    }
    let Ok((input, mut output)) = take_streams() else { return Code::Bug };
    let mut tell = |message: &FromSpec| {
        let mut line = serde_json::to_vec(message).unwrap_or_default();
        line.push(b'\n');
        // nobody listens any more: then this process has been killed
        let _ = output.write_all(&line);
    };
    if start.coverage {
        coverage::begin(&start.cwd);
    }
    let limit_ns = u64::try_from(start.limit.as_nanos()).unwrap_or(u64::MAX);
    let lua_path = start.lua_path.and_then(|path| path.parse().ok());
    let settings = Settings { file: start.file, cwd: start.cwd, limit_ns, update: start.update, lua_path };
    let spec = match Spec::load(&settings) {
        Ok(spec) => spec,
        Err(problem) => {
            tell(&FromSpec::Broken(problem));
            return Code::Usage;
        }
    };
    tell(&FromSpec::Loaded(spec.plan()));
    let mut line = String::new();
    let read = BufReader::new(input).read_line(&mut line);
    let Some(Go(indices)) = read.ok().and_then(|_| serde_json::from_str(&line).ok()) else {
        return Code::Success;
    };
    spec.run(&indices, &mut |event| tell(&FromSpec::Event(event)));
    if start.coverage {
        tell(&FromSpec::Ran(coverage::take()));
    }
    tell(&FromSpec::Done(spec.totals()));
    Code::Success
}
