//! The check of scripts before anything is forked: they load, and have the roles that the manifest asks for.

use std::sync::Arc;

use crate::lua::frozen::Frozen;
use crate::lua::script::{self, FINISH, Roles};
use crate::lua::state::{Around, State};
use crate::lua::std::log::Sinks;
use crate::manifest::{Diagnostic, Place, SourceText};
use crate::model::Failure;
use crate::model::job::Script;
use crate::plan::{Plan, Source, WorkerBody};

/// Roles of the handler's script, any of which makes a script worth loading there.
const HANDLER_ROLES: [&str; 4] = ["start", "handler", "failed", FINISH];

/// What the scripts turned out to have.
#[derive(Default)]
pub struct Found {
    /// `process_init` or `process_exit`.
    pub process_roles: bool,
    /// A role of the handler's thread.
    pub handler_roles: bool,
    /// `handler` itself.
    pub handler: bool,
    /// Files that the scripts loaded.
    pub frozen: Frozen,
}

/// Loads every script once and looks for its roles.
///
/// # Errors
/// Everything that is wrong with them.
pub fn check(plan: &Plan) -> Result<Found, Vec<Diagnostic>> {
    let mut found = Found::default();
    let mut scripts = Scripts { plan, frozen: found.frozen.clone(), loaded: Vec::new(), wrong: Vec::new() };
    if let WorkerBody::Lua(script) = &plan.worker.body
        && let Some(roles) = scripts.roles(script, "worker")
    {
        scripts.require(script, &roles, "worker", "[worker]");
        found.process_roles = roles.get("process_init").or(roles.get("process_exit")).is_some();
    }
    if let Source::Script(script) = &plan.tasks.source
        && let Some(roles) = scripts.roles(script, "tasks")
    {
        scripts.require(script, &roles, "tasks", "[tasks]");
        if plan.tasks.shuffle {
            let title = "`tasks.shuffle` needs a source whose tasks are all known at the beginning";
            let place = Place::File(script.name.clone());
            let help =
                "shuffle in the `tasks` role itself, or use items, range, product, glob, lines, csv or jsonl";
            scripts.wrong.push(Diagnostic::error("manifest::value", title, place).help(help));
        }
    }
    if let Some(script) = &plan.handler.script
        && let Some(roles) = scripts.roles(script, "handler")
    {
        found.handler_roles = HANDLER_ROLES.iter().any(|role| roles.get(role).is_some());
        found.handler = roles.get("handler").is_some();
    }
    if scripts.wrong.is_empty() { Ok(found) } else { Err(scripts.wrong) }
}

struct Scripts<'a> {
    plan: &'a Plan,
    frozen: Frozen,
    /// `None`: it is wrong, and that was said.
    loaded: Vec<(Script, Option<Roles>)>,
    wrong: Vec<Diagnostic>,
}

impl Scripts<'_> {
    fn roles(&mut self, script: &Script, lone: &'static str) -> Option<Roles> {
        if let Some((_, roles)) = self.loaded.iter().find(|(known, _)| known == script) {
            return roles.clone();
        }
        let around = Around { logs: Sinks::none(), frozen: self.frozen.clone() };
        let loaded = State::new(&self.plan.job, script, "check", &around)
            .map_err(|error| Failure::new("memory", error.to_string()))
            .and_then(|state| script::load(&state, script, lone));
        let roles = match loaded {
            Ok(roles) => Some(roles),
            Err(failure) => {
                self.wrong.push(diagnose(script, &failure));
                None
            }
        };
        self.loaded.push((script.clone(), roles.clone()));
        roles
    }

    fn require(&mut self, script: &Script, roles: &Roles, role: &'static str, section: &str) {
        if roles.get(role).is_some() {
            return;
        }
        let has = roles.names().collect::<Vec<_>>().join(", ");
        let has = if has.is_empty() { "it defines no role".into() } else { format!("it defines {has}") };
        let title = format!("the script of `{section}` has no role `{role}`");
        let help = format!("return it from the script: return {{ {role} = function(...) … end }}");
        let place = Place::File(script.name.clone());
        self.wrong.push(Diagnostic::error("lua::role", title, place).note(has).help(help));
    }
}

/// A failure of loading, at its line when Lua names one.
pub fn diagnose(script: &Script, failure: &Failure) -> Diagnostic {
    let code = match failure.code.as_str() {
        "syntax" => "lua::syntax",
        "role" => "lua::role",
        _ => "lua::error",
    };
    let text = failure.message.strip_prefix(script.name.as_str()).and_then(|rest| rest.strip_prefix(':'));
    let (line, message) = match text.and_then(line_and_rest) {
        Some((line, message)) => (Some(line), message.trim()),
        None => (in_traceback(script, failure), failure.message.as_str()),
    };
    let diagnostic = match line {
        Some(line) => {
            let source =
                SourceText::new(script.name.as_str(), String::from_utf8_lossy(&script.text).as_ref());
            Diagnostic::on_line(code, message, &Arc::clone(&source), line)
        }
        None => Diagnostic::error(code, failure.message.as_str(), Place::File(script.name.clone())),
    };
    match &failure.traceback {
        Some(traceback) => traceback.lines().fold(diagnostic, |diagnostic, line| diagnostic.note(line)),
        None => diagnostic,
    }
}

/// `3: message`
fn line_and_rest(text: &str) -> Option<(usize, &str)> {
    let (line, rest) = text.split_once(':')?;
    Some((line.parse().ok()?, rest))
}

/// The line of the script that led to an error of the library.
fn in_traceback(script: &Script, failure: &Failure) -> Option<usize> {
    let before = format!("{}:", script.name);
    let mut lines = failure.traceback.as_deref()?.lines();
    lines.find_map(|line| line_and_rest(line.trim_start().strip_prefix(&before)?)).map(|(line, _)| line)
}
