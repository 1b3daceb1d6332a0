//! What the coordinator says to a worker.

use std::path::PathBuf;

use super::bytes::{
    put_file, put_slice, take_byte, take_file, take_path, take_sized, take_text, take_u64, take_u128,
};
use super::value::{self, Malformed, take_count};
use super::{frame, varint};
use crate::model::job::{Job, Script};
use crate::model::{Handle, TaskId, Value};

/// Kind of the frame that comes first, once.
pub const SETUP: u8 = 1;
/// Kind of a frame of tasks.
pub const TASKS: u8 = 2;
/// Kind of an empty frame: give back what has not started.
pub const RECALL: u8 = 3;
/// Kind of an empty frame: finish what you hold, run the exit roles, and end.
pub const STOP: u8 = 4;

/// What a worker needs to begin.
#[derive(Clone, Debug, PartialEq)]
pub struct Setup {
    /// The job.
    pub job: Job,
    /// What an attempt runs.
    pub body: Body,
    /// The process's number, from 1.
    pub worker: u32,
    /// Threads that run attempts.
    pub threads: u32,
    /// Attempts that each of them drives at once.
    pub coroutines: u32,
    /// Whether the script has `process_init` or `process_exit`, which need a state of their own.
    pub process_roles: bool,
    /// Variables whose values nobody gets to see.
    pub secrets: Vec<String>,
    /// Where tasks have their folders; made at first use.
    pub dirs: PathBuf,
    /// Files that were loaded by `require` so far, with the hash of their text.
    pub frozen: Vec<(PathBuf, u128)>,
    /// What it holds its tasks to.
    pub bounds: Bounds,
}

/// What a worker holds its tasks to. Times are in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// From the start of an attempt to its soft stop.
    pub timeout_ns: Option<u64>,
    /// From the soft stop to the kill by the coordinator.
    pub grace_ns: u64,
    /// For loading the script and for each of `process_init`, `init`, `exit` and `process_exit`.
    pub role_ns: u64,
    /// Bytes of the process; `u64::MAX`: no limit.
    pub memory: u64,
    /// Attempts that a task has, with the first.
    pub max_attempts: u32,
}

impl Default for Bounds {
    /// None, and ten minutes for a role.
    fn default() -> Self {
        Bounds {
            timeout_ns: None,
            grace_ns: 5_000_000_000,
            role_ns: ROLE_NS,
            memory: u64::MAX,
            max_attempts: 1,
        }
    }
}

/// For a role of a worker that is not the task itself, unless a task has longer: ten minutes, as for the handler.
pub const ROLE_NS: u64 = 600_000_000_000;

impl Bounds {
    /// The limit of memory as people write it: `256 MiB`.
    pub fn memory_words(&self) -> String {
        let units = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
        match units.into_iter().find(|(shift, _)| self.memory >> shift > 0) {
            Some((shift, unit)) => {
                let size = self.memory as f64 / f64::from(1u32 << shift);
                format!("{} {unit}", (size * 10.0).round() / 10.0)
            }
            None => format!("{} bytes", self.memory),
        }
    }
}

/// What an attempt runs.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// The `worker` role of a script.
    Lua(Script),
    /// An argument vector with `{field}` placeholders.
    Command(Vec<String>),
}

/// Appends the frame of a setup.
pub fn put_setup(out: &mut Vec<u8>, setup: &Setup) {
    let at = frame::begin(out, SETUP);
    let job = &setup.job;
    for text in [&job.name, &job.description] {
        put_slice(out, text.as_bytes());
    }
    for path in [&job.manifest, &job.dir] {
        put_slice(out, path.as_os_str().as_encoded_bytes());
    }
    varint::put(out, varint::zigzag(job.seed));
    value::encode(out, &job.params);
    value::encode(out, &job.meta);
    varint::put(out, job.env.len() as u64);
    for (name, text) in &job.env {
        put_slice(out, name.as_bytes());
        put_slice(out, text.as_bytes());
    }
    put_slice(out, job.lua_path.as_ref().map(ToString::to_string).unwrap_or_default().as_bytes());
    match &setup.body {
        Body::Lua(script) => {
            out.push(0);
            put_slice(out, script.name.as_bytes());
            put_slice(out, script.dir.as_os_str().as_encoded_bytes());
            put_slice(out, &script.text);
        }
        Body::Command(argv) => {
            out.push(1);
            varint::put(out, argv.len() as u64);
            for word in argv {
                put_slice(out, word.as_bytes());
            }
        }
    }
    varint::put(out, u64::from(setup.worker));
    varint::put(out, u64::from(setup.threads));
    varint::put(out, u64::from(setup.coroutines));
    out.push(u8::from(setup.process_roles));
    varint::put(out, setup.secrets.len() as u64);
    setup.secrets.iter().for_each(|name| put_slice(out, name.as_bytes()));
    put_slice(out, setup.dirs.as_os_str().as_encoded_bytes());
    varint::put(out, setup.frozen.len() as u64);
    for (path, hash) in &setup.frozen {
        put_file(out, path, *hash);
    }
    let Bounds { timeout_ns, grace_ns, role_ns, memory, max_attempts } = setup.bounds;
    out.push(u8::from(timeout_ns.is_some()));
    for number in [timeout_ns.unwrap_or(0), grace_ns, role_ns, memory, u64::from(max_attempts)] {
        varint::put(out, number);
    }
    frame::end(out, at);
}

/// Reads the body of a setup frame.
///
/// # Errors
/// When the bytes are none.
pub fn take_setup(bytes: &[u8]) -> Result<Setup, Malformed> {
    let at = &mut 0;
    let (name, description) = (take_text(bytes, at)?, take_text(bytes, at)?);
    let (manifest, dir) = (take_path(bytes, at)?, take_path(bytes, at)?);
    let seed = varint::unzigzag(varint::take(bytes, at)?);
    let (params, meta): (Value, Value) = (value::decode(bytes, at)?, value::decode(bytes, at)?);
    let count = take_count(bytes, at, 2)?;
    let env = (0..count)
        .map(|_| Ok((take_text(bytes, at)?, take_text(bytes, at)?)))
        .collect::<Result<_, Malformed>>()?;
    // no path is an empty text, which is none
    let lua_path = take_text(bytes, at)?.parse().ok();
    let body = match take_byte(bytes, at)? {
        0 => Body::Lua(Script {
            name: take_text(bytes, at)?,
            dir: take_path(bytes, at)?,
            text: take_sized(bytes, at)?.into(),
        }),
        1 => {
            let count = take_count(bytes, at, 1)?;
            Body::Command((0..count).map(|_| take_text(bytes, at)).collect::<Result<_, _>>()?)
        }
        tag => return Err(Malformed::Tag(tag)),
    };
    let number = |at: &mut usize| u32::try_from(varint::take(bytes, at)?).map_err(|_| Malformed::Number);
    let (worker, threads, coroutines) = (number(at)?, number(at)?, number(at)?);
    let process_roles = take_byte(bytes, at)? != 0;
    let count = take_count(bytes, at, 1)?;
    let secrets = (0..count).map(|_| take_text(bytes, at)).collect::<Result<_, _>>()?;
    let dirs = take_path(bytes, at)?;
    let count = take_count(bytes, at, 17)?;
    let frozen = (0..count).map(|_| take_file(bytes, at)).collect::<Result<_, _>>()?;
    let has_timeout = take_byte(bytes, at)? != 0;
    let timeout_ns = Some(varint::take(bytes, at)?).filter(|_| has_timeout);
    let (grace_ns, role_ns) = (varint::take(bytes, at)?, varint::take(bytes, at)?);
    let (memory, max_attempts) = (varint::take(bytes, at)?, number(at)?);
    let bounds = Bounds { timeout_ns, grace_ns, role_ns, memory, max_attempts };
    let job = Job { name, description, manifest, dir, seed, params, meta, env, lua_path };
    Ok(Setup { job, body, worker, threads, coroutines, process_roles, secrets, dirs, frozen, bounds })
}

const WIDE_ID: u8 = 1;
const HAS_KEY: u8 = 2;
const HAS_STATE: u8 = 4;

/// One task in a frame of kind [`TASKS`], as its worker sees it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TaskRecord<'a> {
    /// Names it in slots and outcomes.
    pub handle: Handle,
    /// From 1.
    pub attempt: u32,
    /// Its identity.
    pub id: TaskId,
    /// Its key, when it has one.
    pub key: Option<&'a [u8]>,
    /// The encoded argument list.
    pub args: &'a [u8],
    /// The code of what an earlier attempt saved, if one did.
    pub state: Option<&'a [u8]>,
}

/// Appends a task to an open frame.
#[inline]
pub fn put_task(out: &mut Vec<u8>, task: &TaskRecord<'_>) {
    out.extend_from_slice(&task.handle.bits().to_le_bytes());
    let position = task.id.position();
    let key = if task.key.is_some() { HAS_KEY } else { 0 };
    let state = if task.state.is_some() { HAS_STATE } else { 0 };
    out.push(key | state | if position.is_none() { WIDE_ID } else { 0 });
    varint::put(out, u64::from(task.attempt));
    match position {
        Some(position) => varint::put(out, position),
        None => out.extend_from_slice(&task.id.bits().to_le_bytes()),
    }
    if let Some(key) = task.key {
        put_slice(out, key);
    }
    put_slice(out, task.args);
    if let Some(state) = task.state {
        put_slice(out, state);
    }
}

/// Reads the task at `*at` and moves `*at` behind it.
///
/// # Errors
/// When the bytes are none.
#[inline]
pub fn take_task<'a>(bytes: &'a [u8], at: &mut usize) -> Result<TaskRecord<'a>, Malformed> {
    let handle = Handle::new(take_u64(bytes, at)?).ok_or(Malformed::Number)?;
    let flags = take_byte(bytes, at)?;
    let attempt = u32::try_from(varint::take(bytes, at)?).map_err(|_| Malformed::Number)?;
    let id = if flags & WIDE_ID == 0 {
        TaskId::at(varint::take(bytes, at)?)
    } else {
        TaskId::from_bits(take_u128(bytes, at)?)
    };
    let key = if flags & HAS_KEY == 0 { None } else { Some(take_sized(bytes, at)?) };
    let args = take_sized(bytes, at)?;
    let state = if flags & HAS_STATE == 0 { None } else { Some(take_sized(bytes, at)?) };
    Ok(TaskRecord { handle, attempt, id, key, args, state })
}
