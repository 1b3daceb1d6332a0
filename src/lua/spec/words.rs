//! The globals of a spec.

use std::rc::Rc;

use mlua::{Function, Lua, LuaString, Table, Value};

use super::tree::{Hooks, Tree};
use crate::lua::error::LibError;
use crate::lua::module::{Shim, call, global_function};
use crate::lua::std::test;

/// The code of `pending` inside of a test.
pub(super) const PENDING: &str = "pending";

/// Sets them; gives the functions of `assert.lua` that the runner needs.
///
/// # Errors
/// When Lua has no memory left.
pub(super) fn install(lua: &Lua, tree: &Rc<Tree>) -> mlua::Result<Table> {
    let diff = lua.create_function(|_, (expected, actual): (LuaString, LuaString)| {
        Ok(test::diff(&expected.to_string_lossy(), &actual.to_string_lossy()))
    })?;
    let metatable = Shim::of(lua)?.error_metatable;
    let load = |text: &'static str| lua.load(text).set_name("=mpms");
    let values: Table = load(include_str!("values.lua")).call((diff, metatable))?;
    let spies: Table = load(include_str!("spies.lua")).call(&values)?;
    let functions: Table = load(include_str!("assert.lua")).call((values, spies))?;
    blocks(lua, tree)?;
    tests(lua, tree)?;
    hooks(lua, tree)?;
    let globals = lua.globals();
    let package: Table = globals.raw_get("package")?;
    let loaded: Table = package.raw_get("loaded")?;
    let nothing = lua.create_function(|_, _: mlua::MultiValue| Ok(()))?;
    globals.raw_set("randomize", &nothing)?;
    loaded.raw_set("busted.runner", &nothing)?;
    let busted = lua.create_table()?;
    for name in [
        "describe",
        "it",
        "pending",
        "before_each",
        "after_each",
        "setup",
        "teardown",
        "assert",
        "spy",
        "stub",
        "mock",
        "match",
    ] {
        busted.raw_set(name, globals.raw_get::<Value>(name)?)?;
    }
    loaded.raw_set("busted", busted)?;
    Ok(functions)
}

/// `file:line` of the script's line that called.
fn caller(lua: &Lua) -> String {
    for level in 1..16 {
        let place = lua.inspect_stack(level, |frame| {
            let source = frame.source();
            let own = source.what == "C" || source.source.as_deref() == Some("=mpms");
            let line = frame.current_line()?;
            let name = source.source.as_deref().and_then(|name| name.strip_prefix('@').map(str::to_owned));
            (!own).then(|| format!("{}:{line}", name.unwrap_or_else(|| "?".to_owned())))
        });
        match place {
            Some(Some(place)) => return place,
            Some(None) => {}
            None => break,
        }
    }
    "?".to_owned()
}

fn late() -> LibError {
    LibError::invalid("tests are named while the file is loaded, not while they run")
}

fn name_of(name: &Value) -> Result<String, LibError> {
    match name {
        Value::String(name) => Ok(name.to_string_lossy()),
        Value::Integer(_) | Value::Number(_) => Ok(name.to_string()?),
        other => {
            Err(LibError::invalid(format!("argument 1 (name) must be a string, got {}", other.type_name())))
        }
    }
}

fn blocks(lua: &Lua, tree: &Rc<Tree>) -> mlua::Result<()> {
    let words = [
        ("describe", "describe(name, body)", false),
        ("context", "context(name, body)", false),
        ("insulate", "insulate(name, body)", true),
        ("expose", "expose(name, body)", false),
    ];
    for (word, signature, insulated) in words {
        let tree = Rc::clone(tree);
        let block = global_function(lua, signature, move |lua, (name, body): (Value, Option<Function>)| {
            // `insulate` and `expose` need no name
            let (name, body) = match (name, body) {
                (Value::Function(body), None) if word == "insulate" || word == "expose" => {
                    (String::new(), body)
                }
                (name, Some(body)) => (name_of(&name)?, body),
                (name, None) => {
                    name_of(&name)?;
                    return Err(LibError::invalid("argument 2 (body) must be a function, got nil"));
                }
            };
            let around = tree.open(name, insulated).ok_or_else(late)?;
            let ended = call::<()>(lua, &body, ());
            tree.reopen(around);
            ended
        })?;
        lua.globals().raw_set(word, block)?;
    }
    Ok(())
}

fn tests(lua: &Lua, tree: &Rc<Tree>) -> mlua::Result<()> {
    let globals = lua.globals();
    let mut it = None;
    for (word, signature) in [("it", "it(name, body)"), ("spec", "spec(name, body)")] {
        let tree = Rc::clone(tree);
        let function =
            global_function(lua, signature, move |lua, (name, body): (Value, Option<Function>)| match tree
                .add_test(name_of(&name)?, caller(lua), body)
            {
                true => Ok(()),
                false => Err(late()),
            })?;
        globals.raw_set(word, &function)?;
        it.get_or_insert(function);
    }
    let here = Rc::clone(tree);
    let pending =
        global_function(lua, "pending(name, body)", move |lua, (name, _): (Option<Value>, Value)| {
            let name = name.map_or_else(|| Ok(String::new()), |name| name_of(&name))?;
            if here.add_test(name.clone(), caller(lua), None) {
                return Ok(());
            }
            let table = lua.create_table()?;
            table.raw_set("code", PENDING)?;
            table.raw_set("message", name)?;
            table.raw_set("retryable", false)?;
            Err(LibError::raised(Value::Table(table)))
        })?;
    globals.raw_set("pending", pending)?;
    let here = Rc::clone(tree);
    let finally =
        global_function(lua, "finally(body)", move |_, body: Function| match here.add_finally(body) {
            true => Ok(()),
            false => Err(LibError::invalid("it is for the inside of a test")),
        })?;
    globals.raw_set("finally", finally)?;
    // `test.worker(…)` is the library's, and `test("name", f)` is busted's
    let library: Table = globals.raw_get::<Table>("mpms")?.get("test")?;
    if let (Some(meta), Some(it)) = (library.metatable(), it) {
        let call = lua.load("local it = ... return function(_, ...) return it(...) end").set_name("=mpms");
        meta.raw_set("__call", call.call::<Function>(it)?)?;
    }
    globals.raw_set("test", library)
}

fn hooks(lua: &Lua, tree: &Rc<Tree>) -> mlua::Result<()> {
    let words = [
        ("setup", "setup(body)", Hooks::Setup),
        ("lazy_setup", "lazy_setup(body)", Hooks::Setup),
        ("strict_setup", "strict_setup(body)", Hooks::Setup),
        ("teardown", "teardown(body)", Hooks::Teardown),
        ("lazy_teardown", "lazy_teardown(body)", Hooks::Teardown),
        ("strict_teardown", "strict_teardown(body)", Hooks::Teardown),
        ("before_each", "before_each(body)", Hooks::Before),
        ("after_each", "after_each(body)", Hooks::After),
    ];
    for (word, signature, kind) in words {
        let tree = Rc::clone(tree);
        let function =
            global_function(lua, signature, move |_, body: Function| match tree.add_hook(kind, body) {
                true => Ok(()),
                false => Err(late()),
            })?;
        lua.globals().raw_set(word, function)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::rc::Rc;

    use mlua::{Lua, Table, Value};

    use super::super::tree::Tree;
    use super::install;
    use crate::lua::std::testing::state;
    use crate::lua::types::{Function, Module, library};

    fn told() -> &'static Module {
        library().iter().find(|module| module.name == "spec").expect("the types of specs")
    }

    fn fields(class: &str) -> BTreeSet<&'static str> {
        let class = told().class(class).expect("a class");
        class.fields.iter().map(|field| field.name.as_str()).filter(|name| *name != "[string]").collect()
    }

    fn globals(lua: &Lua) -> Vec<(String, Value)> {
        lua.globals().pairs().collect::<mlua::Result<_>>().expect("names")
    }

    fn installed() -> (Lua, Table) {
        let lua = state();
        let functions = install(&lua, &Rc::new(Tree::default())).expect("installs");
        (lua, functions)
    }

    #[test]
    fn the_words_are_those_of_the_types() {
        let lua = state();
        let before = globals(&lua);
        install(&lua, &Rc::new(Tree::default())).expect("installs");
        let there: BTreeSet<String> =
            globals(&lua).into_iter().filter(|one| !before.contains(one)).map(|(name, _)| name).collect();
        let functions =
            told().functions.iter().map(|one| one.name.clone()).filter(|name| !name.contains('.'));
        let told: BTreeSet<String> =
            told().fields.iter().map(|field| field.name.clone()).chain(functions).collect();
        assert_eq!(told, there);
    }

    #[test]
    fn assertions_are_those_of_the_types() {
        let (lua, functions) = installed();
        let checks: Table = functions.raw_get("checks").expect("the checks");
        let checks: Vec<String> =
            checks.pairs::<String, Value>().map(|pair| pair.expect("a name").0).collect();
        let (plain, of_spy) = (fields("spec.Assert"), fields("spec.AssertSpy"));
        for name in &checks {
            let is_told = match name.strip_prefix("spy_") {
                Some(name) => of_spy.contains(name),
                None => plain.contains(name.as_str()) || plain.contains(format!("is_{name}").as_str()),
            };
            assert!(is_told, "`assert.{name}` has no type");
        }
        for name in plain {
            let known = lua.load(format!("return assert[{name:?}] ~= nil")).eval::<bool>();
            assert!(known.as_ref().is_ok_and(|known| *known), "assert.{name}: {known:?}");
        }
        for name in of_spy {
            let known = lua.load(format!("return assert.spy(spy.new())[{name:?}] ~= nil")).eval::<bool>();
            assert!(known.as_ref().is_ok_and(|known| *known), "assert.spy(…).{name}: {known:?}");
        }
    }

    #[test]
    fn spies_are_those_of_the_types() {
        let (lua, _) = installed();
        let are = |owner: &str, code: &str, functions: &[Function]| {
            for function in functions {
                let known: Value =
                    lua.load(format!("return ({code})[{:?}]", function.short())).eval().expect("Lua");
                assert!(known.is_function(), "{owner} has no {}", function.short());
            }
        };
        let class = |name: &str| &told().class(name).expect("a class").methods;
        are("a spy", "spy.new()", class("spec.Spy"));
        are("spy", "spy", class("spec.Spies"));
        are("stub", "stub", class("spec.Stubs"));
        are("mock", "mock", class("spec.Mocks"));
        for name in fields("spec.Stub") {
            let known: Value = lua.load(format!("return stub()[{name:?}]")).eval().expect("Lua");
            assert!(!known.is_nil(), "a stub has no {name}");
        }
    }
}
