//! Library modules of the scripts.
//!
//! One file or folder a module, each with one function `module(&Lua) -> Table`. A module is made when a script first
//! names it, by `require "mpms.http"` or as `mpms.http`.

use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use mlua::{LightUserData, Lua, Table, Value};

use super::error::LibError;
use super::module::{self, Make, Shim, waiting_function};

pub mod archive;
mod batches;
#[cfg(test)]
mod bench;
pub mod clock;
pub mod co;
pub mod codec;
pub mod compress;
pub mod csv;
mod document;
pub mod env;
pub mod feed;
pub mod fs;
pub mod hash;
pub mod html;
pub mod http;
pub mod json;
mod lent;
pub mod log;
pub mod metrics;
pub mod net;
pub mod path;
pub mod proc;
pub mod random;
pub mod re;
pub mod reach;
pub mod robots;
pub mod runtime;
pub mod secret;
pub mod sqlite;
pub mod str;
pub mod task;
pub mod tbl;
pub mod test;
#[cfg(test)]
pub(super) mod testing;
pub mod time;
pub mod toml;
mod transcode;
pub mod url;
pub mod uuid;
pub mod xml;
pub mod yaml;

/// What modules need from the place that they run in.
#[derive(Clone)]
pub struct StdEnv {
    /// The role of the script: `worker`, `handler`, `tasks`, `test`.
    pub role: String,
    /// Where `mpms.log` writes, and `mpms.metrics`.
    pub log: log::Sinks,
    /// Variables of the job, which go before those of the process.
    pub env: Arc<[(String, String)]>,
    /// Where temporary files go; the system's folder when there is none.
    pub temp_dir: Option<PathBuf>,
}

impl StdEnv {
    /// For tools and tests: log lines are dropped.
    pub fn quiet(role: &str) -> Self {
        Self { role: role.to_owned(), log: log::Sinks::none(), env: Arc::default(), temp_dir: None }
    }

    /// What another thread needs to make one.
    fn shared(&self) -> Shared {
        let (sinks, env) = (self.log.shared(), Arc::clone(&self.env));
        Shared { sinks, env }
    }
}

/// What states on other threads have in common with this one.
pub struct Shared {
    sinks: log::SharedSinks,
    env: Arc<[(String, String)]>,
}

impl Shared {
    /// For a state of the library's own.
    fn into_env(self, role: &str) -> StdEnv {
        StdEnv { log: self.sinks.into(), env: self.env, ..StdEnv::quiet(role) }
    }
}

const MODULES: &[(&str, Make)] = &[
    ("archive", archive::module),
    ("co", co::module),
    ("codec", codec::module),
    ("compress", compress::module),
    ("csv", csv::module),
    ("env", env::module),
    ("feed", feed::module),
    ("fs", fs::module),
    ("hash", hash::module),
    ("html", html::module),
    ("http", http::module),
    ("json", json::module),
    ("log", log::module),
    ("metrics", metrics::module),
    ("net", net::module),
    ("path", path::module),
    ("proc", proc::module),
    ("random", random::module),
    ("re", re::module),
    ("robots", robots::module),
    ("secret", secret::module),
    ("sqlite", sqlite::module),
    ("str", str::module),
    ("task", task::module),
    ("tbl", tbl::module),
    ("test", test::module),
    ("time", time::module),
    ("toml", toml::module),
    ("url", url::module),
    ("uuid", uuid::module),
    ("xml", xml::module),
    ("yaml", yaml::module),
];

/// The global `mpms`, kept for `require`: the table that scripts see, and the one behind it.
#[derive(Clone)]
struct Library {
    front: Table,
    fields: Table,
}

/// Sets the globals `mpms`, `try` and `sleep`.
///
/// # Errors
/// When Lua has no memory left.
pub fn install(lua: &Lua, env: &StdEnv) -> mlua::Result<()> {
    lua.set_app_data(Rc::new(env.clone()));
    let null = lua.create_table()?;
    null.raw_set("__name", "mpms.null")?;
    null.raw_set("__tostring", lua.create_function(|_, _: Value| Ok("null"))?)?;
    lua.set_type_metatable::<LightUserData>(Some(null));

    let fields = lua.create_table()?;
    fields.raw_set("null", Value::NULL)?;
    let library = module::strict(lua, "mpms", &fields, MODULES)?;
    let globals = lua.globals();
    globals.raw_set("mpms", &library)?;
    globals.raw_set("try", Shim::of(lua)?.try_)?;
    globals.raw_set("sleep", waiting_function(lua, "sleep(duration)", time::sleep)?)?;
    lua.set_app_data(Library { front: library, fields });
    Ok(())
}

/// The module of that full name (`mpms.http`), or the whole library (`mpms`).
pub(super) fn builtin(lua: &Lua, name: &str) -> Result<Option<Table>, LibError> {
    let Some(library) = lua.app_data_ref::<Library>().map(|library| library.clone()) else {
        return Ok(None);
    };
    if name == "mpms" {
        return Ok(Some(library.front));
    }
    let Some(short) = name.strip_prefix("mpms.") else {
        return Ok(None);
    };
    let Some((found, make)) = MODULES.iter().find(|(one, _)| *one == short) else { return Ok(None) };
    if let Some(made) = library.fields.raw_get::<Option<Table>>(*found)? {
        return Ok(Some(made));
    }
    // not through the table in front: what making it raises stays what it is
    let made = make(lua)?;
    library.fields.raw_set(*found, &made)?;
    Ok(Some(made))
}

/// Whether there is a module of that full name.
pub(super) fn is_builtin(name: &str) -> bool {
    name.strip_prefix("mpms.").is_some_and(|short| MODULES.iter().any(|(one, _)| *one == short))
}

/// The modules that this state has made so far, each with the names that lead to it from the globals.
fn loaded(lua: &Lua) -> Result<Vec<(Table, Vec<String>)>, LibError> {
    let Some(library) = lua.app_data_ref::<Library>().map(|library| library.clone()) else {
        return Ok(Vec::new());
    };
    let mut found = vec![(library.front, vec!["mpms".to_owned()])];
    for (name, _) in MODULES {
        let Some(module) = library.fields.raw_get::<Option<Table>>(*name)? else {
            continue;
        };
        let steps = vec!["mpms".to_owned(), (*name).to_owned()];
        for (inner, value) in pairs(&module)? {
            if let Value::Table(part) = value {
                found.push((part, [&steps[..], &[inner]].concat()));
            }
        }
        found.push((module, steps));
    }
    Ok(found)
}

/// The functions of a module.
fn fields(module: &Table) -> Result<Vec<(String, Value)>, LibError> {
    let mut found = pairs(module)?;
    found.retain(|(_, value)| value.is_function());
    Ok(found)
}

/// All that a module has.
fn pairs(module: &Table) -> Result<Vec<(String, Value)>, LibError> {
    let behind = module.metatable().and_then(|meta| meta.raw_get::<Option<Table>>("__index").ok().flatten());
    let mut found = Vec::new();
    if let Some(behind) = behind {
        behind.for_each(|name: String, value: Value| {
            found.push((name, value));
            Ok(())
        })?;
    }
    Ok(found)
}

/// The names of all modules.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    MODULES.iter().map(|(name, _)| *name)
}

/// For the error about a module that is not there.
pub(super) fn did_you_mean(name: &str) -> String {
    let names: Vec<String> = MODULES.iter().map(|(one, _)| format!("mpms.{one}")).collect();
    module::did_you_mean(name, &names)
}

/// The place that this state runs in.
pub(in crate::lua) fn env(lua: &Lua) -> Result<Rc<StdEnv>, LibError> {
    let env = lua.app_data_ref::<Rc<StdEnv>>().map(|env| Rc::clone(&env));
    env.ok_or_else(|| LibError::new("lua_error", "the library is not installed in this state"))
}

#[cfg(test)]
mod tests {
    use super::testing::{fails, run, state};

    #[test]
    fn the_global_and_require_give_the_same_module() {
        let lua = state();
        assert!(run::<bool>(&lua, "return require 'mpms.time' == mpms.time and require 'mpms' == mpms"));
        assert!(run::<bool>(&lua, "return mpms.null ~= nil and tostring(mpms.null) == 'null'"));
    }

    #[test]
    fn unknown_modules_and_functions_are_named_with_a_suggestion() {
        let lua = state();
        let e = fails(&lua, "return mpms.tmie");
        assert_eq!(e.message, "mpms: `mpms` has no module `tmie`; did you mean `time`?");
        assert_eq!((e.code.as_str(), e.retryable), ("invalid", false));
        assert_eq!(e.at.as_deref(), Some("test:1"));
        let e = fails(&lua, "mpms.time.nwo()");
        assert_eq!(e.message, "mpms.time: `mpms.time` has no function `nwo`; did you mean `now`?");
    }

    #[test]
    fn modules_are_read_only() {
        let lua = state();
        let e = fails(&lua, "mpms.time.now = nil");
        assert_eq!(e.message, "mpms.time: `mpms.time` is read-only: cannot set `now`");
        assert_eq!(fails(&lua, "mpms.http2 = {}").code, "invalid");
        assert!(run::<bool>(&lua, "local n = 0 for k, v in pairs(mpms.path) do n = n + 1 end return n > 5"));
    }

    #[test]
    fn a_wrong_argument_is_named() {
        let lua = state();
        let e = fails(&lua, "mpms.path.dirname({})");
        assert_eq!(e.message, "path.dirname: argument 1 (path) must be a string, got table");
        let e = fails(&lua, "mpms.path.with_ext('a')");
        assert_eq!(e.message, "path.with_ext: argument 2 (ext) must be a string, got nil");
        assert_eq!((e.code.as_str(), e.op.as_deref()), ("invalid", Some("path.with_ext")));
    }

    #[test]
    fn try_gives_results_or_the_very_error() {
        let lua = state();
        let same: bool = run(
            &lua,
            "local raised = setmetatable({}, {}) local v, e = try(function() error(raised) end) \
             return v == nil and e == raised and select('#', try(function() return 1, nil, 3 end)) == 3",
        );
        assert!(same);
        let text: String = run(&lua, "local _, e = try(mpms.path.dirname) return 'got: ' .. e");
        assert_eq!(text, "got: path.dirname: argument 1 (path) must be a string, got nil");
    }

    #[test]
    fn clocks_durations_and_sleep() {
        let lua = state();
        assert!(run::<bool>(
            &lua,
            "local t = mpms.time.mono() sleep('20ms') return mpms.time.mono() - t >= 0.02"
        ));
        let seconds: Vec<f64> = run(
            &lua,
            "local d = mpms.time.duration return { d '1h30m', d '250ms', d(2), d '1d', d '1m30s' }",
        );
        assert_eq!(seconds, [5400.0, 0.25, 2.0, 86_400.0, 90.0]);
        assert_eq!(run::<String>(&lua, "return mpms.time.human(7505)"), "2h 5m");
        for bad in ["'soon'", "-1", "0/0", "'5'", "'1mo'", "{}", "'-5s'"] {
            let e = fails(&lua, &format!("sleep({bad})"));
            assert_eq!(e.code, "invalid", "{bad}");
            assert!(e.message.starts_with("sleep: argument 1 must be"), "{}", e.message);
        }
    }
}
