//! A script, or lines of one, that somebody runs by hand: the whole library, and no job around it.

mod repl;

use std::cell::{OnceCell, RefCell};
use std::path::Path;
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

use mlua::chunk::ChunkMode;
use mlua::{Function, Lua, MultiValue, Value};

use super::call::{self, Held, failure_of};
use super::error;
use super::frozen::Frozen;
use super::random;
use super::started;
use super::state::{Around, State};
use super::std::fs::take_temporary;
use super::std::log::Sinks;
use super::watchdog::{self, Stopper};
use crate::model::job::{Job, Script};
use crate::model::lua_path::LuaPath;
use crate::model::{Failure, Value as Plain};
use crate::os::command::flush_streams;
use crate::os::exit::exit_now;
use crate::wire::value;

pub use repl::Answer;

/// What a script raised, with its fields as people want them: name and value.
#[derive(Debug, Default)]
pub struct Raised {
    /// Code, message, traceback.
    pub failure: Failure,
    /// What else is known of an error of the library.
    pub fields: Vec<(&'static str, String)>,
}

/// A state to run Lua in by hand.
pub struct Hand {
    state: State,
    run: Held,
    ended: Rc<RefCell<Ended>>,
    shower: OnceCell<repl::Shower>,
}

/// A call: what it is of, and what it came to.
#[derive(Default)]
struct Ended {
    f: Option<Function>,
    raised: Option<Raised>,
    results: MultiValue,
}

impl Hand {
    /// A state whose `require` begins in `dir`, an absolute folder, or looks where `lua_path` says. `name` is that of the
    /// script.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn new(name: &str, dir: &Path, lua_path: Option<LuaPath>, logs: Sinks) -> Result<Self, Failure> {
        let job = Job {
            name: name.to_owned(),
            description: String::new(),
            manifest: dir.to_path_buf(),
            dir: dir.to_path_buf(),
            seed: 0,
            params: Plain::Map(Vec::new()),
            meta: Plain::Map(Vec::new()),
            env: Vec::new(),
            lua_path,
        };
        let script = Script { name: name.to_owned(), dir: dir.to_path_buf(), text: [].into() };
        let around = Around { logs, frozen: Frozen::default() };
        Self::made(&job, &script, &around).map_err(call::unavailable)
    }

    fn made(job: &Job, script: &Script, around: &Around) -> mlua::Result<Self> {
        let state = State::by_hand(job, script, around, exit_function)?;
        // a script by hand draws other numbers each time, as under `lua`
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        let drawn = random::words(i64::from(std::process::id()), now);
        state.random.borrow_mut().exchange(drawn);
        let lua = state.lua();
        let ended = Rc::<RefCell<Ended>>::default();
        let next = Rc::clone(&ended);
        let take = lua.create_function(move |_, ()| Ok(next.borrow_mut().f.take()))?;
        let last = Rc::clone(&ended);
        let seen = lua.create_function(move |lua, value: Value| {
            last.borrow_mut().raised = Some(raised(lua, &value));
            Ok(value)
        })?;
        let last = Rc::clone(&ended);
        let keep = lua.create_function(move |_, (ok, results): (bool, MultiValue)| {
            let mut last = last.borrow_mut();
            if ok {
                last.raised = None;
                last.results = results;
            }
            Ok(())
        })?;
        let xpcall: Function = lua.globals().raw_get("xpcall")?;
        let run: Function =
            lua.load(include_str!("run.lua")).set_name("=mpms").call((xpcall, take, seen, keep))?;
        Ok(Self { run: state.hold(run)?, state, ended, shower: OnceCell::new() })
    }

    /// What ends the script that runs, from another thread. To be called by the thread that runs it.
    pub fn stopper(&self) -> Stopper {
        watchdog::stopper()
    }

    /// Sets the global `arg`, as `lua` does: the script is 0, its arguments follow, and the words before it have negative
    /// indices.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn set_arguments(
        &self,
        before: &[Vec<u8>],
        script: &[u8],
        arguments: &[Vec<u8>],
    ) -> Result<(), Failure> {
        let set = || {
            let lua = self.state.lua();
            let arg = lua.create_table()?;
            for (index, word) in (1_i64..).zip(before.iter().rev()) {
                arg.raw_set(-index, lua.create_string(word)?)?;
            }
            arg.raw_set(0, lua.create_string(script)?)?;
            for (index, argument) in arguments.iter().enumerate() {
                arg.raw_set(index + 1, lua.create_string(argument)?)?;
            }
            lua.globals().raw_set("arg", arg)
        };
        set().map_err(call::unavailable)
    }

    /// Runs a text. `chunk` is its name, as Lua has it: `@file`, `=text`.
    ///
    /// # Errors
    /// `syntax`, or what it raised.
    pub fn run(&self, chunk: &str, text: &[u8], arguments: &[Vec<u8>]) -> Result<(), Raised> {
        let chunk = self.load(chunk, text).map_err(|failure| Raised { failure, ..Raised::default() })?;
        self.call(chunk, arguments).map(drop)
    }

    fn load(&self, chunk: &str, text: &[u8]) -> Result<Function, Failure> {
        let chunk = self.state.lua().load(text).set_name(chunk).set_mode(ChunkMode::Text);
        chunk.into_function().map_err(|error| match error {
            mlua::Error::SyntaxError { message, .. } => Failure::new("syntax", message),
            other => failure_of(&Value::Error(Box::new(other))),
        })
    }

    fn call(&self, f: Function, arguments: &[Vec<u8>]) -> Result<MultiValue, Raised> {
        let plain = |failure| Raised { failure, ..Raised::default() };
        let arguments: Vec<Plain> = arguments.iter().map(|argument| Plain::Bytes(argument.clone())).collect();
        let arguments = value::encode_list(arguments.iter());
        *self.ended.borrow_mut() = Ended { f: Some(f), ..Ended::default() };
        let bridge = &self.state.bridge;
        let ended = watchdog::until_stopped(bridge, || {
            bridge.call_for_effect(self.run, None, &arguments)?;
            // it may have caught what ended it
            if watchdog::is_over() { Err(Failure::new(watchdog::CANCELLED, "interrupted")) } else { Ok(()) }
        });
        let Ended { raised, results, .. } = self.ended.take();
        flush_streams();
        match (ended, raised) {
            (Err(failure), _) => Err(plain(failure)),
            (Ok(()), Some(raised)) => Err(raised),
            (Ok(()), None) => Ok(results),
        }
    }

    /// What a process does with its state before it ends.
    pub fn leave(&self) {
        leave(self.state.lua());
    }
}

/// Temporary files go, commands end, and what was written is out.
fn leave(lua: &Lua) {
    flush_streams();
    started::end_all();
    drop(take_temporary(lua));
}

/// `os.exit` as Lua has it, but that the state is never closed.
fn exit_function(lua: &'static Lua) -> mlua::Result<Function> {
    lua.create_function(|lua, (code, _close): (Option<Value>, Option<bool>)| -> mlua::Result<()> {
        let code = match code {
            None | Some(Value::Nil | Value::Boolean(true)) => 0,
            Some(Value::Boolean(false)) => 1,
            Some(code) => code.as_i32().ok_or_else(|| {
                mlua::Error::runtime(format!(
                    "bad argument #1 to 'exit' (integer expected, got {})",
                    code.type_name()
                ))
            })?,
        };
        leave(lua);
        exit_now(code)
    })
}

/// Its outermost call is ours.
fn without_xpcall(traceback: String) -> String {
    traceback
        .strip_suffix("[C]: in function 'xpcall'")
        .map(|text| text.trim_end().to_owned())
        .unwrap_or(traceback)
}

fn raised(lua: &Lua, value: &Value) -> Raised {
    let error = error::describe(value);
    let mut failure = failure_of(value);
    failure.traceback = call::traceback(lua).map(without_xpcall);
    let code = (error.code != "lua_error").then(|| error.code.clone());
    let fields = [
        ("code", code),
        ("op", error.op),
        ("path", error.path),
        ("url", error.url),
        ("cmd", error.cmd),
        ("status", error.status.map(|status| status.to_string())),
        ("retry_after", error.retry_after.map(|seconds| format!("{seconds} s"))),
        ("cause", error.cause),
    ];
    let fields = fields.into_iter().filter_map(|(name, text)| Some((name, text?))).collect();
    Raised { failure, fields }
}
