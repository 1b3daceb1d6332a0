//! Our own `require`: built-in modules first, files of the job next, text only, each file once in a state.

mod roots;

use std::path::{Path, PathBuf};
use std::rc::Rc;

use mlua::chunk::ChunkMode;
use mlua::{Function, Lua, Table, Value};
use xxhash_rust::xxh3::xxh3_128;

use super::compat;
use super::error::LibError;
use super::module::global_function;
use super::scheduler::Scheduler;
use super::std as library;
use roots::tidy;
pub use roots::{Roots, project_root};

/// Sees every file before it runs: path, hash, bytes. What it answers is why the file must not run.
pub type OnLoad = Rc<dyn Fn(&LoadedFile) -> Result<(), String>>;

/// A file that `require` ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadedFile {
    /// The name that was asked for.
    pub name: String,
    /// Its canonical path.
    pub path: PathBuf,
    /// XXH3-128 of its bytes.
    pub hash: u128,
}

#[derive(Default)]
struct Loaded(Vec<LoadedFile>);

/// The files that `require` has run in this state, in order.
pub fn loaded_files(lua: &Lua) -> Vec<LoadedFile> {
    lua.app_data_ref::<Loaded>().map_or_else(Vec::new, |loaded| loaded.0.clone())
}

/// Where this state looks for files, for another state that shall do the same.
pub(super) fn roots(lua: &Lua) -> Option<Roots> {
    lua.app_data_ref::<Roots>().map(|roots| roots.clone())
}

/// Sets the global `require` and trims `package`. `on_load` is the place for the rule that scripts are frozen for a run.
///
/// # Errors
/// When Lua has no memory left.
pub fn install_require(lua: &Lua, roots: &Roots, on_load: Option<OnLoad>) -> mlua::Result<()> {
    let globals = lua.globals();
    let package = match globals.raw_get::<Option<Table>>("package")? {
        Some(package) => package,
        None => lua.create_table()?,
    };
    if package.raw_get::<Value>("loaded")?.is_nil() {
        package.raw_set("loaded", lua.create_table()?)?;
    }
    package.raw_set("path", roots.search_path())?;
    package.raw_set("cpath", "")?;
    for gone in ["loadlib", "searchers"] {
        package.raw_set(gone, Value::Nil)?;
    }
    globals.raw_set("package", &package)?;
    lua.set_app_data(Loaded::default());
    lua.set_app_data(roots.clone());

    let search = Search { roots: roots.clone(), on_load, package: package.clone() };
    let find = global_function(lua, "require(name)", move |lua, asked: (String, bool, Table, Table)| {
        let (name, relative, loading, done) = asked;
        search.find(lua, &name, relative, &loading, &done)
    })?;
    let loads = lua.create_function(|lua, begins: bool| {
        Scheduler::of(lua).load(begins);
        Ok(())
    })?;
    let base = |name: &str| globals.raw_get::<Value>(name);
    let sub: Value = base("string")?.as_table().map_or(Ok(Value::Nil), |string| string.raw_get("sub"))?;
    let require: Function = lua.load(include_str!("require.lua")).set_name("=mpms").call((
        find,
        loads,
        package,
        base("setmetatable")?,
        base("type")?,
        sub,
    ))?;
    globals.raw_set("require", require)
}

struct Search {
    roots: Roots,
    on_load: Option<OnLoad>,
    package: Table,
}

/// The chunk (or the value of a module that is there already), the path, and the key of the file.
type Found = (Value, Option<String>, Option<String>);

impl Search {
    fn find(
        &self,
        lua: &Lua,
        name: &str,
        relative: bool,
        loading: &Table,
        done: &Table,
    ) -> Result<Found, LibError> {
        if let Some(module) = library::builtin(lua, name)? {
            return Ok((Value::Table(module), Some(":mpms:".to_owned()), None));
        }
        if let Some(preload) = self.preload(name)? {
            return Ok((
                Value::Function(preload),
                Some(":preload:".to_owned()),
                Some(format!(":preload:{name}")),
            ));
        }
        let places = if relative { self.beside(lua, name, loading)? } else { self.on_path(name)? };
        let Some(path) = places.iter().find(|place| place.is_file()) else {
            return match compat::chunk(lua, name)? {
                Some(chunk) => {
                    Ok((Value::Function(chunk), Some(format!(":mpms:{name}")), Some(format!(":mpms:{name}"))))
                }
                None => Err(self.not_found(name, &places)),
            };
        };
        let shown = path.to_string_lossy().into_owned();
        refuse_cycle(&shown, loading)?;
        let canonical = path.canonicalize().map_err(|error| LibError::file(&error, path))?;
        self.roots.refuse_outside(path, &canonical)?;
        let key = canonical.to_string_lossy().into_owned();
        if !done.raw_get::<Value>(key.as_str())?.is_nil() {
            return Ok((Value::Nil, Some(shown), Some(key)));
        }
        let chunk = self.load(lua, name, path, canonical)?;
        Ok((Value::Function(chunk), Some(shown), Some(key)))
    }

    fn not_found(&self, name: &str, places: &[PathBuf]) -> LibError {
        let part = name.replace('.', "/");
        let native = self.roots.root.join("lua_modules/lib/lua/5.4").join(format!("{part}.so"));
        not_found(name, places, native.is_file().then_some(&native), self.roots.leaves_out_the_usual())
    }

    fn preload(&self, name: &str) -> Result<Option<Function>, LibError> {
        match self.package.raw_get::<Value>("preload")? {
            Value::Table(preload) => Ok(preload.raw_get(name)?),
            _ => Ok(None),
        }
    }

    /// `./x` and `../x`: beside the file that asks.
    fn beside(&self, lua: &Lua, name: &str, loading: &Table) -> Result<Vec<PathBuf>, LibError> {
        let folder = match asking_file(lua) {
            Asking::File(file) => file.parent().map_or_else(PathBuf::new, Path::to_path_buf),
            Asking::Lost => match loading.raw_get::<Option<String>>(loading.raw_len())? {
                Some(file) => Path::new(&file).parent().map_or_else(PathBuf::new, Path::to_path_buf),
                None => self.roots.script_dir.clone(),
            },
            Asking::Text => self.roots.script_dir.clone(),
        };
        let target = tidy(&folder.join(name));
        let mut file = target.clone().into_os_string();
        file.push(".lua");
        Ok(vec![PathBuf::from(file), target.join("init.lua")])
    }

    fn on_path(&self, name: &str) -> Result<Vec<PathBuf>, LibError> {
        let Value::String(path) = self.package.raw_get::<Value>("path")? else {
            return Err(LibError::invalid("`package.path` must be a string"));
        };
        let part = name.replace('.', "/");
        Ok(path
            .to_string_lossy()
            .split(';')
            .filter(|template| !template.is_empty())
            .map(|template| PathBuf::from(template.replace('?', &part)))
            .collect())
    }

    fn load(&self, lua: &Lua, name: &str, path: &Path, canonical: PathBuf) -> Result<Function, LibError> {
        let bytes = std::fs::read(path).map_err(|error| LibError::file(&error, path))?;
        let file = LoadedFile { name: name.to_owned(), path: canonical, hash: xxh3_128(&bytes) };
        if let Some(on_load) = &self.on_load {
            on_load(&file).map_err(|why| LibError::new("changed", why).path(path))?;
        }
        let chunk = lua
            .load(without_shebang(&bytes))
            .set_name(format!("@{}", path.display()))
            .set_mode(ChunkMode::Text)
            .into_function()
            .map_err(|error| match error {
                mlua::Error::SyntaxError { message, .. } => LibError::parse(message).path(path),
                other => LibError::from(other).path(path),
            })?;
        if let Some(mut loaded) = lua.app_data_mut::<Loaded>() {
            loaded.0.push(file);
        }
        Ok(chunk)
    }
}

/// As `lua` does it: a byte order mark and a first line that starts with `#` are no Lua. The line end stays, so that
/// the numbers of the lines are right.
pub(super) fn without_shebang(bytes: &[u8]) -> &[u8] {
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if !text.starts_with(b"#") {
        return text;
    }
    let end = text.iter().position(|byte| *byte == b'\n').unwrap_or(text.len());
    &text[end..]
}

enum Asking {
    File(PathBuf),
    /// Code that is in no file.
    Text,
    /// `return require "./x"` has left its frame.
    Lost,
}

fn asking_file(lua: &Lua) -> Asking {
    for level in 1..32 {
        let asking = lua.inspect_stack(level, |frame| {
            let source = frame.source();
            match source.source.as_deref() {
                Some("=mpms") => frame.is_tail_call().then_some(Asking::Lost),
                Some(name) if name.starts_with('@') => Some(Asking::File(PathBuf::from(&name[1..]))),
                _ if source.what == "C" => None,
                _ => Some(Asking::Text),
            }
        });
        match asking {
            Some(Some(asking)) => return asking,
            Some(None) => {}
            None => break,
        }
    }
    Asking::Text
}

fn refuse_cycle(path: &str, loading: &Table) -> Result<(), LibError> {
    let chain: Vec<String> = loading.sequence_values::<String>().collect::<mlua::Result<_>>()?;
    let Some(start) = chain.iter().position(|one| one == path) else {
        return Ok(());
    };
    let cycle = chain[start..].iter().map(String::as_str).chain([path]).collect::<Vec<_>>().join(" → ");
    Err(LibError::invalid(format!("the modules require each other: {cycle}")))
}

/// Rocks with C parts that scripts often ask for, and what does their work here.
const REPLACED: &[(&str, &str)] = &[
    ("cjson", "mpms.json"),
    ("rapidjson", "mpms.json"),
    ("socket", "mpms.http"),
    ("ssl", "mpms.http"),
    ("cURL", "mpms.http"),
    ("lcurl", "mpms.http"),
    ("lfs", "mpms.fs"),
    ("posix", "mpms.fs"),
    ("lpeg", "mpms.re"),
    ("rex_pcre", "mpms.re"),
    ("luasql", "mpms.sqlite"),
    ("lsqlite3", "mpms.sqlite"),
    ("lyaml", "mpms.yaml"),
    ("zlib", "mpms.compress"),
    ("brotli", "mpms.compress"),
    ("openssl", "mpms.hash"),
    ("md5", "mpms.hash"),
    ("system", "mpms.time"),
    ("bit32", "the operators of Lua 5.4 (&, |, ~, <<, >>)"),
];

fn not_found(name: &str, places: &[PathBuf], native: Option<&PathBuf>, left_out: bool) -> LibError {
    let rock = name.split('.').next().unwrap_or(name);
    let instead = REPLACED.iter().find(|(one, _)| *one == rock).map_or_else(String::new, |(_, instead)| {
        match instead.starts_with("mpms.") && !library::is_builtin(instead) {
            true => "; its C part does not load here".to_owned(),
            false => format!("; its C part does not load here, use {instead} instead"),
        }
    });
    let instead = match native {
        Some(file) if instead.is_empty() => {
            format!("; {} is a C module, and only Lua is loaded here", file.display())
        }
        _ => instead,
    };
    if name.starts_with("mpms.") {
        // no file could replace it
        let hint = library::did_you_mean(name);
        return LibError::new("not_found", format!("module '{name}' not found{hint}"));
    }
    let tried: String = places.iter().map(|place| format!("\n\tno file '{}'", place.display())).collect();
    let left_out = match left_out {
        true => "\n\tand nowhere else: --lua-path has no `;;`, which stands for the usual places",
        false => "",
    };
    LibError::new("not_found", format!("module '{name}' not found{instead}{tried}{left_out}"))
}

#[cfg(test)]
mod tests;
