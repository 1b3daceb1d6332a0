#![expect(
    unsafe_code,
    reason = "the debug library, which is trimmed to two functions at once, comes only with the unsafe constructor"
)]
//! A Lua state as every role gets it.

use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use mlua::{Function, Lua, LuaOptions, StdLib, Table};

use super::call::{Bridge, Held};
use super::random::Random;
use super::require::{self, Roots};
use super::stack;
use super::std::{self as library, StdEnv};
use crate::model::Value;
use crate::model::event::Level;
use crate::model::job::{Job, Script};
use crate::wire::value;

/// Takes what a state logs and prints: level, one line, fields.
pub type LogSink = Rc<dyn Fn(Level, &str, Vec<(String, String)>)>;

/// A state with the library, `job`, captured output and trimmed standard libraries.
///
/// It is never closed: finalizers of a script must not run when nobody watches them, and a process that
/// ends gives the memory back anyway.
pub struct State {
    /// The door for calls with encoded values.
    pub bridge: Bridge,
    /// Its `math.random`.
    pub random: RefCell<Random>,
    prelude: Table,
}

impl State {
    /// Makes one for a role of the job.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn new(job: &Job, script: &Script, role: &str, log: LogSink) -> mlua::Result<Self> {
        // SAFETY: `debug` is trimmed by the prelude before any script runs, C modules cannot be loaded
        // (`install_require` removes their searchers), only text is loaded
        let lua = unsafe { Lua::unsafe_new_with(StdLib::ALL, LuaOptions::default()) };
        let lua: &'static Lua = Box::leak(Box::new(lua));
        let prelude = run_prelude(lua, job, Rc::clone(&log))?;
        let sink = Rc::clone(&log);
        let env = StdEnv {
            log: Rc::new(move |level, text, fields| sink(loud(level), text, plain(fields))),
            ..StdEnv::quiet(role)
        };
        library::install(lua, &env)?;
        let roots = Roots { script_dir: script.dir.clone(), root: project_root(&script.dir), on_load: None };
        require::install_require(lua, &roots)?;
        let bridge = Bridge::new(lua)?;
        let random = RefCell::new(Random::of(&bridge)?);
        let state = State { bridge, random, prelude };
        state.set_job(job)?;
        Ok(state)
    }

    /// The state itself.
    pub fn lua(&self) -> &'static Lua {
        self.bridge.lua
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

fn run_prelude(lua: &Lua, job: &Job, log: LogSink) -> mlua::Result<Table> {
    let lines = Rc::new(RefCell::new(Lines::default()));
    let write = lua.create_function(move |_, (stream, text): (mlua::LuaString, mlua::LuaString)| {
        let is_error = stream.as_bytes().as_ref() == b"stderr";
        lines.borrow_mut().write(is_error, &text.as_bytes(), |line| {
            log(Level::Print, &String::from_utf8_lossy(line), Vec::new());
        });
        Ok(())
    })?;
    let env: Arc<[(String, String)]> = job.env.clone().into();
    let getenv = lua.create_function(move |_, name: mlua::LuaString| {
        let found = env.iter().find(|(key, _)| key.as_bytes() == name.as_bytes().as_ref());
        Ok(found.map(|(_, value)| value.clone()))
    })?;
    lua.load(include_str!("prelude.lua")).set_name("=mpms").call((write, getenv))
}

fn loud(level: library::log::Level) -> Level {
    match level {
        library::log::Level::Debug => Level::Debug,
        library::log::Level::Info => Level::Info,
        library::log::Level::Warn => Level::Warn,
        library::log::Level::Error => Level::Error,
    }
}

fn plain(fields: library::log::Fields) -> Vec<(String, String)> {
    fields
        .into_iter()
        .map(|(name, value)| match value {
            serde_json::Value::String(text) => (name, text),
            other => (name, other.to_string()),
        })
        .collect()
}

/// Pieces of text made into lines, for each of the two streams.
#[derive(Default)]
struct Lines {
    open: [Vec<u8>; 2],
}

impl Lines {
    /// A line without an end is given out when it reaches this many bytes.
    const LONGEST: usize = 8 << 10;

    fn write(&mut self, is_error: bool, text: &[u8], mut line: impl FnMut(&[u8])) {
        let open = &mut self.open[usize::from(is_error)];
        for mut piece in text.split_inclusive(|byte| *byte == b'\n') {
            while let Some((part, rest)) = piece.split_at_checked(Self::LONGEST - open.len()) {
                open.extend_from_slice(part);
                line(open.strip_suffix(b"\n").unwrap_or(open));
                open.clear();
                piece = if rest == b"\n" { &[] } else { rest };
            }
            open.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                open.pop();
                line(open);
                open.clear();
            }
        }
    }
}

/// Where `lib` and `lua_modules` are: the nearest folder with `mpms.toml` or `.mpms`, else with `.git`, else the
/// script's own.
fn project_root(dir: &std::path::Path) -> PathBuf {
    let has = |names: &'static [&'static str]| {
        dir.ancestors().find(|folder| names.iter().any(|name| folder.join(name).exists()))
    };
    has(&["mpms.toml", ".mpms"]).or_else(|| has(&[".git"])).unwrap_or(dir).to_path_buf()
}
