//! The files against the live tables: every module, function, method, constant and option is there and no other.

use std::collections::{BTreeMap, BTreeSet};

use mlua::{Function as LuaFunction, Lua, MultiValue, Table, Value};

use super::data::GLOBALS;
use super::{Class, Function, Module, library};
use crate::lua::std::testing::state;
use crate::lua::{declared, std as live};

/// An object of each kind whose methods take options or which has fields.
const SAMPLES: &[(&str, &str)] = &[
    ("html.Node", "return mpms.html.parse('<p>x</p>')"),
    ("http.Response", "local s = mpms.http.serve { ['/'] = 'x' } return mpms.http.get(s.url)"),
    ("http.Stream", "local s = mpms.http.serve { ['/'] = 'x' } return mpms.http.stream(s.url)"),
    ("http.Client", "return mpms.http.client()"),
    ("http.Server", "return mpms.http.serve { ['/'] = 'x' }"),
    ("re.Regex", "return mpms.re.new('x')"),
    ("net.Listener", "return mpms.net.listen('127.0.0.1', 0)"),
    ("net.Udp", "return mpms.net.udp()"),
    ("sqlite.Database", "return mpms.sqlite.open(':memory:')"),
    ("time.Time", "return mpms.time.at(0)"),
    ("proc.Process", "return mpms.proc.spawn { 'true' }"),
];

/// Arguments of functions that refuse what [`argument`] makes up before they look at their options. `{o}` is the table
/// of options.
const CALLS: &[(&str, &str)] = &[
    ("codec.base32.decode", "'', {o}"),
    ("codec.base64.decode", "'', {o}"),
    ("codec.base64url.decode", "'', {o}"),
    ("codec.hex.decode", "'', {o}"),
    ("hash.file", "'md5', '/', {o}"),
    ("hash.hmac", "'md5', '', '', {o}"),
    ("proc.lines", "{ 'true' }, {o}"),
    ("proc.pipe", "{ { 'true' } }, {o}"),
    ("proc.run", "{ 'true' }, {o}"),
    ("proc.spawn", "{ 'true' }, {o}"),
    ("str.decode", "'', 'gbk', {o}"),
    ("str.encode", "'', 'gbk', {o}"),
    ("str.pad", "'', 1, 'left', {o}"),
    ("time.parse", "'2024', nil, {o}"),
];

/// Kinds of objects that scripts never hold: the library's own.
const HIDDEN: &[&str] = &[
    "Loop",
    "co.Group",
    "http.ServerHandle",
    "http.StreamHandle",
    "log.Span",
    "metrics.Stopwatch",
    "sqlite.Cursor",
    "sqlite.Transaction",
];

/// Kinds of objects that are made of Lua alone.
const OF_LUA: &[&str] = &["co.Scope", "http.Headers"];

/// Those of specs have a test of their own, beside `assert.lua`.
fn is_of_lua(class: &str) -> bool {
    OF_LUA.contains(&class) || class.starts_with("spec.")
}

/// Globals that only a role has.
const OF_ROLES: &[&str] = &["emit", "put_with", "task"];

/// A module that is only in a worker, and has a test of its own.
const OF_WORKERS: &str = "task";

/// The modules that any state has.
fn modules() -> impl Iterator<Item = &'static str> {
    live::names().filter(|name| *name != OF_WORKERS)
}

/// Modules of which there are types; that none lacks them is one test.
fn described() -> impl Iterator<Item = (&'static Module, &'static str)> {
    library().iter().filter_map(|told| modules().find(|name| *name == told.name).map(|name| (told, name)))
}

/// The table behind the strict one that scripts see.
fn fields(table: &Table) -> BTreeMap<String, Value> {
    let behind = table.metatable().and_then(|meta| meta.raw_get::<Option<Table>>("__index").ok().flatten());
    let behind = behind.unwrap_or_else(|| table.clone());
    behind.pairs::<String, Value>().collect::<mlua::Result<_>>().expect("names are strings")
}

fn module(lua: &Lua, name: &str) -> Table {
    live::builtin(lua, &format!("mpms.{name}")).expect("made").expect("a module")
}

fn names(functions: &[Function]) -> BTreeSet<&str> {
    functions.iter().map(Function::short).collect()
}

/// Compares what is described with what is there; complaints go to `wrong`.
fn compare(owner: &str, told: &BTreeSet<&str>, there: &BTreeSet<&str>, wrong: &mut Vec<String>) {
    for name in there.difference(told) {
        wrong.push(format!("{owner} has `{name}`, and its types do not"));
    }
    for name in told.difference(there) {
        wrong.push(format!("the types of {owner} have `{name}`, and it does not"));
    }
}

#[test]
fn every_module_has_its_file_and_every_file_its_module() {
    let told: BTreeSet<&str> = library().iter().map(|module| module.name.as_str()).collect();
    let there: BTreeSet<&str> = live::names().chain(GLOBALS).collect();
    let mut wrong = Vec::new();
    compare("the library", &told, &there, &mut wrong);
    wrong.iter_mut().for_each(|line| line.push_str(": src/lua/types/NAME.lua, and a line of FILES"));
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/lua/types");
    for entry in std::fs::read_dir(folder).expect("the folder of the types") {
        let path = entry.expect("an entry").path();
        let is_lua = path.extension().is_some_and(|extension| extension == "lua");
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if is_lua && !told.contains(name.as_str()) {
            wrong.push(format!("types/{name}.lua has no line in FILES"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn modules_have_what_their_types_say() {
    let lua = state();
    let mut wrong = Vec::new();
    for (told, name) in described() {
        let table = module(&lua, name);
        let there = fields(&table);
        let is_function = |value: &Value| value.is_function();
        let functions = there.iter().filter(|(_, value)| is_function(value)).map(|(name, _)| name.as_str());
        compare(&format!("mpms.{name}"), &names(&told.functions), &functions.collect(), &mut wrong);
        let values = there.iter().filter(|(_, value)| !is_function(value)).map(|(name, _)| name.as_str());
        let fields = told.fields.iter().map(|field| field.name.as_str()).collect();
        compare(&format!("mpms.{name}"), &fields, &values.collect(), &mut wrong);
        for function in &told.functions {
            if let Some(Value::Function(live)) = there.get(function.short()) {
                same_call(&lua, function, live, &mut wrong);
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn objects_have_what_their_types_say() {
    let lua = state();
    modules().for_each(|name| drop(module(&lua, name)));
    let classes = || library().iter().flat_map(|module| &module.classes);
    let with_methods = classes().filter(|class| !class.methods.is_empty()).map(|class| class.name.as_str());
    let with_methods: BTreeSet<&str> =
        with_methods.filter(|name| !is_of_lua(name) && !name.starts_with("mpms.")).collect();
    let objects: BTreeMap<String, Table> = declared::methods(&lua).into_iter().collect();
    let there = objects.keys().map(String::as_str).filter(|name| !HIDDEN.contains(name)).collect();
    let mut wrong = Vec::new();
    compare("the library", &with_methods, &there, &mut wrong);
    for class in classes() {
        let Some(table) = objects.get(&class.name) else { continue };
        let live: BTreeMap<String, LuaFunction> =
            table.pairs().collect::<mlua::Result<_>>().expect("methods");
        compare(&class.name, &names(&class.methods), &live.keys().map(String::as_str).collect(), &mut wrong);
        for method in &class.methods {
            if let Some(live) = live.get(method.short()) {
                same_call(&lua, method, live, &mut wrong);
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Parameters and waiting of a function of Rust; of one of Lua, the number of its parameters.
fn same_call(lua: &Lua, told: &Function, live: &LuaFunction, wrong: &mut Vec<String>) {
    let params: Vec<&str> = told.params.iter().map(|param| param.name.as_str()).collect();
    let Some(declared) = declared::function(lua, live) else {
        if live.info().what == "C" {
            wrong.push(format!("{} is made by a bare function of mlua", told.name));
        }
        return;
    };
    let there: Vec<&str> =
        declared.arguments.split(',').map(str::trim).filter(|one| !one.is_empty()).collect();
    if params != there {
        wrong.push(format!("{} has the parameters {there:?}, and its types say {params:?}", told.name));
    }
    if told.waits != declared.waits {
        let (is, says) = if declared.waits { ("waits", "lack") } else { ("does not wait", "have") };
        wrong.push(format!("{} {is}, and its types {says} `---@async`", told.name));
    }
}

#[test]
fn fields_of_objects_are_there() {
    let lua = state();
    let mut wrong = Vec::new();
    for class in library().iter().flat_map(|module| &module.classes) {
        let is_object =
            !class.methods.is_empty() && !class.name.starts_with("mpms.") && !is_of_lua(&class.name);
        if !is_object || class.fields.is_empty() {
            continue;
        }
        let Some(sample) = sample(&lua, &class.name) else {
            wrong.push(format!("{} has fields: give it a sample", class.name));
            continue;
        };
        lua.globals().raw_set("sample", sample).expect("set");
        for field in class.fields.iter().filter(|field| !field.name.starts_with('[')) {
            let read: mlua::Result<Value> = lua.load(format!("return sample[{:?}]", field.name)).eval();
            match read {
                Ok(value) if value.is_nil() && !field.optional => {
                    wrong.push(format!("{}.{} is nil", class.name, field.name));
                }
                Ok(_) => {}
                Err(error) => wrong.push(format!("{}.{}: {error}", class.name, field.name)),
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

fn sample(lua: &Lua, class: &str) -> Option<Value> {
    let (_, code) = SAMPLES.iter().find(|(name, _)| *name == class)?;
    Some(
        lua.load(*code)
            .set_name("=sample")
            .eval()
            .unwrap_or_else(|error| panic!("the sample of {class}: {error}")),
    )
}

#[test]
fn options_are_those_that_the_functions_know() {
    let lua = state();
    let mut wrong = Vec::new();
    let mut asked = 0;
    for (told, name) in described() {
        let table = module(&lua, name);
        for function in &told.functions {
            if let Ok(Value::Function(live)) = table.get(function.short()) {
                asked += usize::from(same_options(&lua, function, &live, None, &mut wrong));
            }
        }
    }
    let objects: BTreeMap<String, Table> = declared::methods(&lua).into_iter().collect();
    for class in library().iter().flat_map(|module| &module.classes) {
        let Some(table) = objects.get(&class.name) else { continue };
        for method in &class.methods {
            if let Ok(live) = table.raw_get::<LuaFunction>(method.short())
                && options_of(method).is_some()
            {
                // a part of a module is no object
                if !method.name.contains(':') {
                    asked += usize::from(same_options(&lua, method, &live, None, &mut wrong));
                    continue;
                }
                match sample(&lua, &class.name) {
                    Some(object) => {
                        asked += usize::from(same_options(&lua, method, &live, Some(object), &mut wrong));
                    }
                    None => {
                        wrong.push(format!("{} takes options: give {} a sample", method.name, class.name))
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert!(asked > 30, "only {asked} functions were asked");
}

/// The place of the table of options among the parameters, and its class.
fn options_of(function: &Function) -> Option<(usize, &'static Class)> {
    let at = function.params.iter().position(|param| param.name == "options")?;
    let classes = || library().iter().flat_map(|module| &module.classes);
    let mut kinds = function.params[at].kind.split('|').map(|kind| kind.trim_end_matches('?'));
    kinds.find_map(|kind| classes().find(|class| class.name == kind)).map(|class| (at, class))
}

/// All fields of a class that have names, with those of its parents.
fn all_fields(class: &Class) -> BTreeSet<&str> {
    let classes = || library().iter().flat_map(|module| &module.classes);
    let own = class.fields.iter().map(|field| field.name.as_str()).filter(|name| !name.starts_with('['));
    let parents = class.parents.iter().filter_map(|parent| classes().find(|class| class.name == *parent));
    own.chain(parents.flat_map(all_fields)).collect()
}

/// Calls it with an option that nothing knows. Whether it could be asked.
fn same_options(
    lua: &Lua,
    told: &Function,
    live: &LuaFunction,
    object: Option<Value>,
    wrong: &mut Vec<String>,
) -> bool {
    let Some((at, class)) = options_of(told) else {
        if told.params.iter().any(|param| param.name == "options") {
            wrong.push(format!("the options of {} have no class", told.name));
        }
        return false;
    };
    let given = match CALLS.iter().find(|(name, _)| *name == told.name) {
        Some((_, text)) => (*text).to_owned(),
        None => {
            let params = told.params[..at].iter().map(|param| argument(&param.name, &param.kind));
            params.chain(["{o}".to_owned()]).collect::<Vec<_>>().join(", ")
        }
    };
    let table = "{ no_such_option = true, url = 'http://127.0.0.1:9/' }";
    let table = if all_fields(class).contains("url") { table } else { "{ no_such_option = true }" };
    let given: MultiValue =
        lua.load(format!("return {}", given.replace("{o}", table))).eval().expect("arguments are Lua");
    let given: Vec<Value> = object.into_iter().chain(given).collect();
    declared::take_options();
    let (_, error) = lua
        .globals()
        .get::<LuaFunction>("try")
        .and_then(|try_| try_.call::<(Value, Value)>((live, MultiValue::from_iter(given))))
        .expect("try does not raise");
    if declared::function(lua, live).is_none() {
        // of Lua: it reads its own options
        return false;
    }
    let Some(known) = declared::take_options() else {
        let said = error.to_string().unwrap_or_default();
        wrong.push(format!(
            "{} could not be asked for its options (give it arguments in CALLS): {said}",
            told.name
        ));
        return false;
    };
    compare(&format!("{} (its options)", told.name), &all_fields(class), &known.into_iter().collect(), wrong);
    true
}

/// Something of that kind, which nothing is done with.
fn argument(name: &str, kind: &str) -> String {
    let kind = kind.split('|').next().unwrap_or(kind).trim_end_matches('?');
    match (name, kind) {
        ("url" | "base", _) => "'http://127.0.0.1:9/'".to_owned(),
        ("host", _) => "'127.0.0.1'".to_owned(),
        (_, "integer" | "number" | "duration" | "size") => "1".to_owned(),
        (_, "boolean") => "true".to_owned(),
        (_, "table") => "{}".to_owned(),
        (_, kind) if kind.ends_with("[]") || kind.starts_with("table<") => "{}".to_owned(),
        (_, kind) if kind.starts_with("fun(") || kind.starts_with("async fun(") => "print".to_owned(),
        _ => "'/nonexistent/x'".to_owned(),
    }
}

#[test]
fn globals_are_those_of_the_types() {
    let lua = state();
    let stock = Lua::new();
    let there: BTreeSet<String> = lua
        .globals()
        .pairs::<String, Value>()
        .map(|pair| pair.expect("names").0)
        .filter(|name| stock.globals().raw_get::<Value>(name.as_str()).is_ok_and(|value| value.is_nil()))
        .collect();
    let globals = library().iter().find(|module| module.name == "globals").expect("the globals");
    let told: BTreeSet<&str> = globals
        .functions
        .iter()
        .map(|function| function.name.as_str())
        .chain(globals.fields.iter().map(|field| field.name.as_str()))
        .filter(|name| !name.contains('.') && !OF_ROLES.contains(name) && *name != "job" && *name != "null")
        .collect();
    let mut wrong = Vec::new();
    compare("the globals", &told, &there.iter().map(String::as_str).collect(), &mut wrong);
    for function in globals.functions.iter().filter(|one| !OF_ROLES.contains(&one.name.as_str())) {
        if let Ok(live) = lua.globals().raw_get::<LuaFunction>(function.name.as_str()) {
            same_call(&lua, function, &live, &mut wrong);
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn the_global_of_the_library_has_every_module() {
    let globals = library().iter().find(|module| module.name == "globals").expect("the globals");
    let told = globals.class("mpms").expect("the class of the global");
    let kinds: BTreeMap<&str, &str> =
        told.fields.iter().map(|field| (field.name.as_str(), field.kind.as_str())).collect();
    let mut wrong = Vec::new();
    let names = kinds.keys().copied().filter(|name| *name != "null").collect();
    compare("`mpms`", &names, &live::names().collect(), &mut wrong);
    for (name, kind) in kinds.iter().filter(|(name, _)| **name != "null") {
        if *kind != format!("mpms.{name}") {
            wrong.push(format!("mpms.{name} is a `{kind}`"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// The code between fences, with the line that it begins at.
fn examples(text: &str) -> Vec<(usize, String)> {
    let mut found: Vec<(usize, String)> = Vec::new();
    let mut is_open = false;
    for (index, line) in text.lines().enumerate() {
        match line.strip_prefix("---") {
            Some("```lua") => {
                is_open = true;
                found.push((index + 2, String::new()));
            }
            Some(code) if is_open && !code.starts_with("```") => {
                if let Some((_, example)) = found.last_mut() {
                    example.push_str(code);
                    example.push('\n');
                }
            }
            _ => is_open = false,
        }
    }
    found
}

#[test]
fn every_example_is_lua() {
    let lua = Lua::new();
    let mut wrong = Vec::new();
    let mut count = 0;
    for (name, text) in super::FILES {
        for (line, example) in examples(text) {
            count += 1;
            if let Err(error) = lua.load(example.as_str()).set_name("=example").into_function() {
                wrong.push(format!("types/{name}.lua:{line}: {error}"));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert!(count > 90, "only {count} examples");
}
