//! A script: text in, roles out.

use mlua::chunk::ChunkMode;
use mlua::{Function, Value};

use super::call::{Held, failure_of};
use super::state::State;
use super::watchdog;
use crate::model::Failure;
use crate::model::job::Script;

/// Every role that a script can play.
pub const ROLES: [&str; 9] =
    ["tasks", "process_init", "init", "worker", "exit", "process_exit", "start", "handler", "failed"];
/// The last one; apart, since arrays of more than ten names are hard to read.
pub const FINISH: &str = "finish";

/// The roles that a script defines, kept in the state that loaded it.
#[derive(Clone, Debug, Default)]
pub struct Roles(Vec<(&'static str, Held)>);

impl Roles {
    /// The role's function.
    pub fn get(&self, role: &str) -> Option<Held> {
        self.0.iter().find(|(name, _)| *name == role).map(|(_, held)| *held)
    }

    /// The names of all that it defines.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().map(|(name, _)| *name)
    }
}

/// The top-level code of `script`, ready to be called.
///
/// # Errors
/// A syntax error (code `syntax`).
pub fn load_text(state: &State, script: &Script) -> Result<Held, Failure> {
    let chunk =
        state.lua().load(&script.text[..]).set_name(format!("@{}", script.name)).set_mode(ChunkMode::Text);
    let function = chunk.into_function().map_err(|error| match error {
        mlua::Error::SyntaxError { message, .. } => Failure::new("syntax", message),
        other => failure_of(&Value::Error(Box::new(other))),
    })?;
    state.hold(function).map_err(|error| failure_of(&Value::Error(Box::new(error))))
}

/// Runs the top-level code of `script` and takes its roles. A script that returns one function plays `lone`.
///
/// # Errors
/// A syntax error (code `syntax`), what the top-level code raised, or a return value that is no table of roles
/// (code `role`).
pub fn load(state: &State, script: &Script, lone: &'static str) -> Result<Roles, Failure> {
    let function = load_text(state, script)?;
    let unavailable = |error: mlua::Error| failure_of(&Value::Error(Box::new(error)));
    let returned = state.bridge.call_and_hold(function, None, &[])?;
    match state.bridge.value(returned).map_err(unavailable)? {
        Value::Function(function) => Ok(Roles(vec![(lone, state.hold(function).map_err(unavailable)?)])),
        Value::Table(table) => {
            let mut roles = Vec::new();
            for pair in table.pairs::<Value, Value>() {
                let (key, value) = pair.map_err(unavailable)?;
                let (role, function) = role_of(&script.name, &key, value)?;
                roles.push((role, state.hold(function).map_err(unavailable)?));
            }
            Ok(Roles(roles))
        }
        other => Err(Failure::new(
            "role",
            format!("{} returns {} instead of a table of roles", script.name, article(other.type_name())),
        )),
    }
}

/// The same, for `limit_ns` at most: top-level code may hold a loop too.
///
/// # Errors
/// As [`load`].
pub fn load_within(
    limit_ns: u64,
    state: &State,
    script: &Script,
    lone: &'static str,
) -> Result<Roles, Failure> {
    watchdog::during(&state.bridge, limit_ns, || load(state, script, lone)).map_err(|failure| {
        match failure.code == watchdog::TIMEOUT {
            true => Failure {
                message: format!("{} while {} was loaded", failure.message, script.name),
                ..failure
            },
            false => failure,
        }
    })
}

fn role_of(script: &str, key: &Value, value: Value) -> Result<(&'static str, Function), Failure> {
    let Value::String(name) = key else {
        return Err(Failure::new(
            "role",
            format!("{script} returns a table with the key {key:?}, which names no role"),
        ));
    };
    let name = name.to_string_lossy();
    let all = || ROLES.into_iter().chain([FINISH]);
    let Some(role) = all().find(|role| *role == name) else {
        let near = all()
            .map(|role| (strsim::damerau_levenshtein(role, &name), role))
            .min()
            .filter(|(distance, _)| *distance <= 2)
            .map(|(_, role)| format!("; did you mean `{role}`?"));
        let known =
            near.unwrap_or_else(|| format!("; the roles are {}", all().collect::<Vec<_>>().join(", ")));
        return Err(Failure::new("role", format!("{script} returns an unknown role `{name}`{known}")));
    };
    match value {
        Value::Function(function) => Ok((role, function)),
        other => Err(Failure::new(
            "role",
            format!("role `{role}` of {script} is {} instead of a function", article(other.type_name())),
        )),
    }
}

fn article(type_name: &str) -> String {
    match type_name {
        "nil" => "nothing".into(),
        "integer" => "an integer".into(),
        name => format!("a {name}"),
    }
}
