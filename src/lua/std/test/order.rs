//! What a spec says of a role that it wants to be played.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use mlua::{Lua, MultiValue, Table, Value};

use super::context::Context;
use super::play::{Order, Part, Task};
use crate::lua::error::LibError;
use crate::lua::options::Options;
use crate::lua::state::encoded;
use crate::lua::std::path;
use crate::model::job::{Job, Script};
use crate::model::{TaskId, Value as Plain};
use crate::wire::value;

/// What every role takes.
pub struct Common {
    script: Script,
    pub job: Job,
    limit: Duration,
    /// Where the role runs, if elsewhere.
    dir: Option<PathBuf>,
}

/// The script, and its options when it is written as `{ "scripts/crawl.lua", params = … }`.
pub fn script_and_options(script: &Value) -> Result<(PathBuf, Option<Table>), LibError> {
    let wrong = || {
        LibError::invalid(
            "argument 1 (script) must be a file, or a table as {\"scripts/crawl.lua\", params = {}}",
        )
    };
    match script {
        Value::String(file) => Ok((path::of(file), None)),
        Value::Table(table) => {
            let Value::String(file) = table.raw_get::<Value>(1)? else { return Err(wrong()) };
            Ok((path::of(&file), Some(table.clone())))
        }
        _ => Err(wrong()),
    }
}

/// The options of the table, without its first item.
pub fn named(lua: &Lua, table: Option<Table>) -> Result<Option<Table>, LibError> {
    let Some(table) = table else { return Ok(None) };
    let named = lua.create_table()?;
    table.for_each(|key: Value, value: Value| {
        if key != Value::Integer(1) {
            named.raw_set(key, value)?;
        }
        Ok(())
    })?;
    Ok(Some(named))
}

impl Common {
    pub fn read(
        lua: &Lua,
        context: &Context,
        file: PathBuf,
        meta: Option<Table>,
        params: Option<Table>,
        options: &mut Options,
    ) -> Result<Self, LibError> {
        let path = context.find(&file);
        let bytes = std::fs::read(&path).map_err(|error| LibError::file(&error, &path))?;
        let path = path.canonicalize().map_err(|error| LibError::file(&error, &path))?;
        let dir = options.bytes("dir")?.map(|dir| path::of(&dir));
        let dir =
            dir.map(|dir| dir.canonicalize().map_err(|error| LibError::file(&error, &dir))).transpose()?;
        let params = match params {
            Some(params) => Some(params),
            None => options.table("params")?,
        };
        let name = options.string("name")?.unwrap_or_else(|| "test".to_owned());
        let seed = options.int("seed")?.unwrap_or(context.seed.get());
        let env = options.table("env")?;
        let limit = options.duration("timeout")?.unwrap_or(Duration::from_nanos(context.limit_ns));
        let job = Job {
            name,
            description: String::new(),
            manifest: path.clone(),
            dir: dir.clone().unwrap_or_else(|| context.cwd.clone()),
            seed,
            params: plain_map(lua, params, "params")?,
            meta: plain_map(lua, meta, "meta")?,
            env: env.map_or(Ok(Vec::new()), |env| env.pairs::<String, String>().collect())?,
        };
        let script = Script {
            name: context.shown(&path),
            dir: path.parent().unwrap_or(&context.cwd).to_path_buf(),
            text: Arc::from(bytes),
        };
        Ok(Self { script, job, limit, dir })
    }

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

/// What the task at hand is, apart from its arguments.
pub fn task_of(options: &mut Options) -> Result<Task, LibError> {
    let number =
        |found: Option<usize>, usual: u32| found.map_or(usual, |n| u32::try_from(n).unwrap_or(u32::MAX));
    let attempt = number(options.count("attempt")?, 1);
    let elapsed = options.duration("duration")?.unwrap_or_default();
    Ok(Task {
        id: TaskId::at(options.count("id")?.unwrap_or(1) as u64),
        key: options.bytes("key")?.map(|key| key.as_bytes().to_vec()),
        args: Vec::new(),
        own_args: Vec::new(),
        attempt,
        max_attempts: number(options.count("max_attempts")?, attempt.max(1)),
        worker: number(options.count("worker")?, 1),
        elapsed_ns: u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX),
        cancelled: options.bool("cancelled")?.unwrap_or(false),
    })
}

/// The values `1..=n` of a list, `n` too.
pub fn values(list: &Table) -> Result<MultiValue, LibError> {
    let count = match list.raw_get::<Value>("n")? {
        Value::Integer(n @ 0..=250) => n as usize,
        _ => list.raw_len(),
    };
    Ok((1..=count).map(|index| list.raw_get::<Value>(index)).collect::<mlua::Result<_>>()?)
}
