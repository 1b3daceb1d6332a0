//! What a spec says of a role that it wants to be played.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use mlua::{Lua, MultiValue, Table, Value};

use super::context::Context;
use super::play::{Order, Part, Task};
use crate::lua::error::LibError;
use crate::lua::options::Options;
use crate::lua::require;
use crate::lua::state::encoded;
use crate::lua::std::path;
use crate::model::job::{Job, Script};
use crate::model::{TaskId, Value as Plain};
use crate::wire::value;

/// The options that every role takes.
pub struct Asked {
    dir: Option<PathBuf>,
    params: Option<Table>,
    name: Option<String>,
    seed: Option<i64>,
    env: Option<Table>,
    timeout: Option<Duration>,
}

/// A role that can be played.
pub struct Ready {
    script: Script,
    job: Job,
    limit: Duration,
    /// Where the role runs, if elsewhere.
    dir: Option<PathBuf>,
}

/// The script of `test.handler`, and its options when it is written as `{ "scripts/crawl.lua", params = … }`.
///
/// # Errors
/// When it is neither.
pub fn script_and_options(lua: &Lua, script: &Value) -> Result<(PathBuf, Option<Table>), LibError> {
    let wrong = || {
        LibError::invalid(
            "argument 1 (script) must be a file, or a table as {\"scripts/crawl.lua\", params = {}}",
        )
    };
    match script {
        Value::String(file) => Ok((path::of(file), None)),
        Value::Table(table) => {
            let Value::String(file) = table.raw_get::<Value>(1)? else { return Err(wrong()) };
            let named = lua.create_table()?;
            table.for_each(|key: Value, value: Value| {
                if key != Value::Integer(1) {
                    named.raw_set(key, value)?;
                }
                Ok(())
            })?;
            Ok((path::of(&file), Some(named)))
        }
        _ => Err(wrong()),
    }
}

impl Asked {
    /// # Errors
    /// On wrong values.
    pub fn read(options: &mut Options) -> Result<Self, LibError> {
        Ok(Self {
            dir: options.bytes("dir")?.map(|dir| path::of(&dir)),
            params: options.table("params")?,
            name: options.string("name")?,
            seed: options.int("seed")?,
            env: options.table("env")?,
            timeout: options.duration("timeout")?,
        })
    }

    /// With other parameters, where some are given.
    pub fn with_params(self, params: Option<Table>) -> Self {
        Self { params: params.or(self.params), ..self }
    }

    /// Finds and reads the script.
    ///
    /// # Errors
    /// When it is not there, and when `params` and `meta` cannot cross.
    pub fn ready(
        self,
        lua: &Lua,
        context: &Context,
        file: &Path,
        meta: Option<Table>,
    ) -> Result<Ready, LibError> {
        let path = context.find(file);
        let failed = |error: std::io::Error| LibError::file(&error, &path);
        let bytes = std::fs::read(&path).map_err(failed)?;
        let path = path.canonicalize().map_err(failed)?;
        let whole = |dir: PathBuf| dir.canonicalize().map_err(|error| LibError::file(&error, &dir));
        let dir = self.dir.map(whole).transpose()?;
        let job = Job {
            name: self.name.unwrap_or_else(|| "test".to_owned()),
            description: String::new(),
            manifest: path.clone(),
            dir: dir.clone().unwrap_or_else(|| context.cwd.clone()),
            seed: self.seed.unwrap_or(context.seed.get()),
            params: plain_map(lua, self.params, "params")?,
            meta: plain_map(lua, meta, "meta")?,
            env: self.env.map_or(Ok(Vec::new()), |env| env.pairs::<String, String>().collect())?,
            lua_path: require::roots(lua).and_then(|roots| roots.lua_path),
        };
        let script = Script {
            name: context.shown(&path),
            dir: path.parent().unwrap_or(&context.cwd).to_path_buf(),
            text: Arc::from(bytes),
        };
        let limit = self.timeout.unwrap_or(Duration::from_nanos(context.limit_ns));
        Ok(Ready { script, job, limit, dir })
    }
}

impl Ready {
    /// `[meta]`, encoded.
    pub fn meta(&self) -> Vec<u8> {
        let mut meta = Vec::new();
        value::encode(&mut meta, &self.job.meta);
        meta
    }

    /// The order, and the folder to go to.
    pub fn order(self, part: Part) -> (Order, Option<PathBuf>) {
        let limit_ns = u64::try_from(self.limit.as_nanos()).unwrap_or(u64::MAX);
        (Order { script: self.script, job: self.job, part, limit_ns }, self.dir)
    }
}

fn plain_map(lua: &Lua, table: Option<Table>, what: &str) -> Result<Plain, LibError> {
    let Some(table) = table else { return Ok(Plain::Map(Vec::new())) };
    let bytes = encoded(lua, Value::Table(table), what)?;
    let read = value::decode(&bytes, &mut 0).map_err(|error| LibError::invalid(error.to_string()))?;
    match read {
        Plain::Array(list) if list.is_empty() => Ok(Plain::Map(Vec::new())),
        map @ Plain::Map(_) => Ok(map),
        _ => Err(LibError::invalid(format!("{what} must be a table with names as keys"))),
    }
}

/// What both roles of a task know of it, apart from its arguments.
///
/// # Errors
/// On wrong values.
pub fn task_of(options: &mut Options) -> Result<Task, LibError> {
    let attempt = number(options, "attempt")?.unwrap_or(1);
    Ok(Task {
        id: TaskId::at(options.count("id")?.unwrap_or(1) as u64),
        key: options.bytes("key")?.map(|key| key.as_bytes().to_vec()),
        args: Vec::new(),
        own_args: Vec::new(),
        attempt,
        max_attempts: attempt.max(1),
        worker: 1,
        elapsed_ns: 0,
        cancelled: false,
        state: None,
    })
}

/// A count that fits.
///
/// # Errors
/// On wrong values.
pub fn number(options: &mut Options, key: &'static str) -> Result<Option<u32>, LibError> {
    Ok(options.count(key)?.map(|number| u32::try_from(number).unwrap_or(u32::MAX)))
}

/// The values `1..=n` of a list, `n` too.
///
/// # Errors
/// When Lua has no memory left.
pub fn values(list: &Table) -> Result<MultiValue, LibError> {
    let count = match list.raw_get::<Value>("n")? {
        Value::Integer(n @ 0..=250) => n as usize,
        _ => list.raw_len(),
    };
    Ok((1..=count).map(|index| list.raw_get::<Value>(index)).collect::<mlua::Result<_>>()?)
}
