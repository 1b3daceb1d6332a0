#![expect(
    unsafe_code,
    reason = "the debug library, which is trimmed at once, comes only with the unsafe constructor"
)]
//! A Lua state as every role gets it.

use std::cell::RefCell;
use std::rc::Rc;

use mlua::{Function, Lua, LuaOptions, StdLib, Table};

use super::away::Belongings;
use super::call::{Bridge, Held};
use super::coroutine;
use super::coverage;
use super::debug;
use super::error::LibError;
use super::frozen::Frozen;
use super::prelude::{self, OpenLines};
use super::random::Random;
use super::require::{self, OnLoad, Roots, project_root};
use super::shell;
use super::stack;
use super::std::log::Sinks;
use super::std::{self as library, StdEnv};
use crate::model::Value;
use crate::model::job::{Job, Script};
use crate::wire::value;

/// What a state shares with the others of its process.
#[derive(Clone)]
pub struct Around {
    /// Where its lines go.
    pub logs: Sinks,
    /// The files of the run.
    pub frozen: Frozen,
}

/// A state with the library, `job`, captured output and trimmed standard libraries.
///
/// It is never closed: finalizers of a script must not run when nobody watches them, and a process that
/// ends gives the memory back anyway.
pub struct State {
    /// The door for calls with encoded values.
    pub bridge: Bridge,
    /// Its `math.random`.
    pub random: RefCell<Random>,
    /// What its script wrote without a line's end.
    lines: OpenLines,
    prelude: Table,
}

impl State {
    /// Makes one for a role of the job.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn new(job: &Job, script: &Script, role: &str, around: &Around) -> mlua::Result<Self> {
        let log = Rc::clone(&around.logs.here);
        Self::made(job, script, role, around, |lua| prelude::install(lua, &job.env, log))
    }

    /// Makes one for a script that somebody runs by hand: the standard streams are its own, and `os.exit` is `exit`.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn by_hand(
        job: &Job,
        script: &Script,
        around: &Around,
        exit: impl FnOnce(&'static Lua) -> mlua::Result<Function>,
    ) -> mlua::Result<Self> {
        Self::made(job, script, "lua", around, |lua| {
            Ok((prelude::install_by_hand(lua, exit(lua)?)?, OpenLines::default()))
        })
    }

    fn made(
        job: &Job,
        script: &Script,
        role: &str,
        around: &Around,
        install: impl FnOnce(&'static Lua) -> mlua::Result<(Table, OpenLines)>,
    ) -> mlua::Result<Self> {
        // SAFETY: `debug::install` leaves of `debug` what cannot reach into C before any script runs, C modules cannot be
        // loaded (`install_require` removes their searchers), only text is loaded
        let lua = unsafe { Lua::unsafe_new_with(StdLib::ALL, LuaOptions::default()) };
        let lua: &'static Lua = Box::leak(Box::new(lua));
        coverage::watch(lua)?;
        coroutine::install(lua)?;
        let (prelude, lines) = install(lua)?;
        debug::install(lua)?;
        let env = StdEnv { log: around.logs.clone(), env: job.env.clone().into(), ..StdEnv::quiet(role) };
        library::install(lua, &env)?;
        let frozen = around.frozen.clone();
        let roots = Roots {
            script_dir: script.dir.clone(),
            root: project_root(&script.dir),
            lua_path: job.lua_path.clone(),
        };
        let on_load: OnLoad = Rc::new(move |file| frozen.check(&file.path, file.hash));
        require::install_require(lua, &roots, Some(on_load))?;
        shell::install(lua)?;
        let bridge = Bridge::new(lua)?;
        let random = RefCell::new(bridge.scheduler().random(lua)?);
        let state = State { bridge, random, lines, prelude };
        state.set_job(job)?;
        Ok(state)
    }

    /// The state itself.
    pub fn lua(&self) -> &'static Lua {
        self.bridge.lua
    }

    /// What its tasks leave lying about.
    pub fn belongings(&self) -> Belongings {
        Belongings::new(self.lua(), &self.lines)
    }

    /// A function of a number that ends the children of the family that runs, and calls `deferred` with the number.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn ending(&self, deferred: Held) -> mlua::Result<Held> {
        let (leave, deferred) = (self.bridge.leave()?, self.bridge.value(deferred)?);
        self.hold(self.prelude("ending")?.call::<mlua::Value>((leave, deferred))?)
    }

    /// A function of the prelude.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn prelude(&self, name: &str) -> mlua::Result<Function> {
        self.prelude.get(name)
    }

    /// A Lua value from a plain one.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn value(&self, plain: &Value) -> mlua::Result<mlua::Value> {
        let mut bytes = Vec::new();
        value::encode(&mut bytes, plain);
        decoded(self.lua(), &bytes)
    }

    /// `meta` as workers and the generator see it: a read-only copy of its first state.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn read_only(&self, plain: &Value, name: &str) -> mlua::Result<mlua::Value> {
        self.prelude("read_only")?.call((self.value(plain)?, name))
    }

    /// Keeps a value for calls.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn hold(&self, value: impl mlua::IntoLua) -> mlua::Result<Held> {
        self.bridge.hold(value)
    }

    fn set_job(&self, job: &Job) -> mlua::Result<()> {
        let table = self.lua().create_table()?;
        table.raw_set("name", job.name.as_str())?;
        table.raw_set("seed", job.seed)?;
        table.raw_set("dir", job.dir.to_string_lossy())?;
        table.raw_set("params", self.read_only(&job.params, "job.params")?)?;
        let job: mlua::Value = self.prelude("read_only")?.call((table, "job"))?;
        self.lua().globals().raw_set("job", job)
    }
}

/// The code of a value, as it crosses between processes.
///
/// # Errors
/// `invalid` when it holds what has none; `what` names it.
pub fn encoded(lua: &Lua, value: mlua::Value, what: &str) -> Result<Vec<u8>, LibError> {
    let mut bytes = Vec::new();
    let mut result = Ok(());
    // SAFETY: the value is on top of the stack; the closure owns nothing
    unsafe { lua.exec_raw::<()>(value, |state| result = stack::encode_value(state, -1, &mut bytes))? };
    result.map_err(|error| LibError::invalid(error.sentence(what)))?;
    Ok(bytes)
}

/// The code of a list of values.
///
/// # Errors
/// As [`encoded`].
pub fn encoded_list(lua: &Lua, values: mlua::MultiValue, what: &str) -> Result<Vec<u8>, LibError> {
    let mut bytes = Vec::new();
    let mut result = Ok(());
    let count = std::ffi::c_int::try_from(values.len())
        .map_err(|_| LibError::invalid(format!("{what}: too many values")))?;
    // SAFETY: the values are all that is on the stack; the closure owns nothing
    unsafe { lua.exec_raw::<()>(values, |state| result = stack::encode_list(state, 1, count, &mut bytes))? };
    result.map_err(|error| LibError::invalid(error.sentence(what)))?;
    Ok(bytes)
}

/// A Lua value from its code.
///
/// # Errors
/// When there is no memory, or the bytes are no value.
pub fn decoded(lua: &Lua, bytes: &[u8]) -> mlua::Result<mlua::Value> {
    let mut result = Ok(());
    // SAFETY: the closure owns nothing; it runs in protected mode
    let value =
        unsafe { lua.exec_raw::<mlua::Value>((), |state| result = stack::push(state, bytes, &mut 0, 0))? };
    result.map(|()| value).map_err(mlua::Error::external)
}

/// A table of a decoded list, from 1.
///
/// # Errors
/// As [`decoded`].
pub fn decoded_list(lua: &Lua, bytes: &[u8]) -> mlua::Result<Table> {
    let mut result = Ok(0);
    // SAFETY: as above
    let values =
        unsafe { lua.exec_raw::<mlua::MultiValue>((), |state| result = stack::push_list(state, bytes))? };
    result.map_err(mlua::Error::external)?;
    lua.create_sequence_from(values)
}
