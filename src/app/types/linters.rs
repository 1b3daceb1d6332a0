//! What linters must be told that do not read types: the globals of scripts and specs, for luacheck and selene.

use std::fmt::Write as _;

use crate::lua::types::{Class, Field, Function, GLOBALS, Module, library};

/// Settings of luacheck.
pub(super) const LUACHECK: &str = ".luacheckrc";
/// Settings of selene.
pub(super) const SELENE: &str = "selene.toml";
/// The standard library that they name.
pub(super) const SELENE_STD: &str = "mpms.yml";

/// What selene's newest list, that of Lua 5.3, lacks of what scripts have.
const NOT_IN_LUA53: &[&str] = &[
    "_ENV",
    "coroutine.close",
    "coroutine.isyieldable",
    "debug.upvaluejoin",
    "math.maxinteger",
    "math.mininteger",
    "math.type",
    "math.ult",
    "package.searchpath",
    "utf8.offset",
    "warn",
];

/// What stands behind a name.
enum Known<'a> {
    Function(&'a Function),
    /// Whatever it holds.
    Any,
    Table(Vec<Named<'a>>),
}

type Named<'a> = (&'a str, Known<'a>);

/// The globals of all scripts, and those of specs.
fn globals() -> [Vec<Named<'static>>; 2] {
    GLOBALS.map(|name| library().iter().find(|module| module.name == name).map_or_else(Vec::new, members))
}

/// What a module has.
fn members(module: &'static Module) -> Vec<Named<'static>> {
    sorted(module, &module.fields, &module.functions)
}

/// Fields and functions of a module, or of a class in it.
fn sorted(
    module: &'static Module,
    fields: &'static [Field],
    functions: &'static [Function],
) -> Vec<Named<'static>> {
    let fields = fields.iter().map(|field| (field.name.as_str(), value(module, field)));
    let functions = functions.iter().map(|function| (function.short(), Known::Function(function)));
    let mut all: Vec<_> = fields.chain(functions).collect();
    all.sort_by_key(|(name, _)| *name);
    all
}

fn value(module: &'static Module, field: &Field) -> Known<'static> {
    let of_library = |name: &&str| library().iter().find(|module| module.name == **name);
    if let Some(named) = field.kind.strip_prefix("mpms.").as_ref().and_then(of_library) {
        return Known::Table(members(named));
    }
    match module.class(&field.kind) {
        Some(class) if class.parents.is_empty() => of_class(module, class),
        _ => Known::Any,
    }
}

fn of_class(module: &'static Module, class: &'static Class) -> Known<'static> {
    let has_names = |field: &Field| !field.name.starts_with('[');
    // whoever takes any key, or can be called, is not known by its fields
    let is_whole =
        class.fields.iter().all(has_names) && class.methods.iter().all(|one| !one.name.contains(':'));
    if !is_whole || class.name.starts_with("spec.") {
        return Known::Any;
    }
    Known::Table(sorted(module, &class.fields, &class.methods))
}

/// The text of `.luacheckrc`.
pub(super) fn luacheck() -> String {
    let [scripts, specs] = globals();
    let mut text = String::from("std = \"lua54\"\nread_globals = {\n");
    for_luacheck(&mut text, &scripts, 1);
    text.push_str("}\nfiles[\"**/*_spec.lua\"] = {\n  read_globals = {\n");
    for_luacheck(&mut text, &specs, 2);
    text.push_str("  },\n}\n");
    text
}

fn for_luacheck(text: &mut String, all: &[Named<'_>], depth: usize) {
    let indent = "  ".repeat(depth);
    for (name, known) in all {
        let done = match known {
            Known::Function(_) => writeln!(text, "{indent}{name} = {{}},"),
            Known::Any => writeln!(text, "{indent}{name} = {{ other_fields = true }},"),
            Known::Table(inner) => {
                let _ = writeln!(text, "{indent}{name} = {{ fields = {{");
                for_luacheck(text, inner, depth + 1);
                writeln!(text, "{indent}}} }},")
            }
        };
        done.expect("a string takes all");
    }
}

/// The text of `selene.toml`.
pub(super) fn selene() -> String {
    let std = SELENE_STD.trim_end_matches(".yml");
    // Beside that of Lua 5.3 and not on top of it: as its base that one would decide about operators, too. Mixed tables are
    // how options are given with a list: `http.all { url, url, concurrency = 4 }`.
    format!("std = \"lua53+{std}\"\n\n[lints]\nmixed_table = \"allow\"\nmultiple_statements = \"allow\"\n")
}

/// The text of `mpms.yml`. It has one list for all files, so scripts may name what only specs have.
pub(super) fn selene_std() -> String {
    let mut text = String::from("---\nname: mpms\nlua_versions:\n  - lua54\nglobals:\n");
    let of_lua: Vec<_> = NOT_IN_LUA53.iter().map(|name| (*name, Known::Any)).collect();
    for_selene(&mut text, &of_lua, "");
    for all in globals() {
        for_selene(&mut text, &all, "");
    }
    text
}

fn for_selene(text: &mut String, all: &[Named<'_>], before: &str) {
    for (name, known) in all {
        let done = match known {
            Known::Table(inner) => {
                for_selene(text, inner, &format!("{before}{name}."));
                Ok(())
            }
            // the function itself is in the list of Lua, which is not overruled
            Known::Any if *name == "assert" => writeln!(text, "  {name}.*:\n    any: true"),
            Known::Any => writeln!(text, "  {before}{name}:\n    any: true"),
            Known::Function(function) => {
                let args = arguments(function);
                writeln!(text, "  {before}{name}:{args}")
            }
        };
        done.expect("a string takes all");
    }
}

fn arguments(function: &Function) -> String {
    if !function.overloads.is_empty() {
        return "\n    any: true".to_owned();
    }
    let mut text = if function.params.is_empty() { "\n    args: []" } else { "\n    args:" }.to_owned();
    let last_needed = function.params.iter().rposition(|param| !param.optional && param.name != "...");
    for (at, param) in function.params.iter().enumerate() {
        let kind = if param.name == "..." { "\"...\"" } else { "any" };
        let required = last_needed.is_some_and(|last| at <= last);
        let _ = write!(text, "\n      - type: {kind}\n        required: {required}");
    }
    if function.nodiscard {
        text.push_str("\n    must_use: true");
    }
    text
}
