//! The library as the page `docs/library.md`.

use super::sentence;
use crate::lua::types::{Class, Field, Function, Module};

/// The whole page.
pub fn reference(library: &[Module]) -> String {
    let mut page = String::from(
        "# The library\n\n\
         Everything that scripts have besides Lua's own. Made by `mpms doc --markdown` from `src/lua/types`; `mpms doc NAME` shows a part of\n\
         it, and `mpms types` gives it to editors. `require \"mpms.http\"` and the global `mpms.http` are the same. What *waits* lets the other\n\
         coroutines of its thread run meanwhile.\n\n",
    );
    page.push_str("| module | |\n|---|---|\n");
    for module in library {
        page.push_str(&format!(
            "| [{}](#{}) | {} |\n",
            title(module),
            anchor(module),
            cell(&sentence(module))
        ));
    }
    for module in library {
        self::module(&mut page, module);
    }
    page
}

fn title(module: &Module) -> String {
    module.full_name().unwrap_or_else(|| module.name.clone())
}

/// As the sites that show Markdown make it of the title.
fn anchor(module: &Module) -> String {
    title(module).replace('.', "")
}

fn module(page: &mut String, module: &Module) {
    page.push_str(&format!("\n## {}\n\n{}\n", title(module), module.doc));
    if !module.fields.is_empty() {
        page.push('\n');
        fields(page, &module.fields);
    }
    module.functions.iter().for_each(|function| self::function(page, function));
    if !module.aliases.is_empty() {
        page.push('\n');
        for alias in &module.aliases {
            page.push_str(&format!("* `{}` is `{}`. {}\n", alias.name, alias.kind, alias.doc));
        }
    }
    module.classes.iter().for_each(|class| self::class(page, class));
}

fn function(page: &mut String, function: &Function) {
    let waits = if function.waits { " *(waits)*" } else { "" };
    page.push_str(&format!("\n### `{}`{waits}\n\n{}\n", function.call(), function.doc));
    let told = function.params.iter().map(|param| {
        let optional = if param.optional { "?" } else { "" };
        (format!("`{}{optional}`", param.name), &param.kind, param.doc.clone())
    });
    let returned = function.returns.iter().map(|result| {
        let doc = if result.name.is_empty() || result.doc.is_empty() {
            format!("{}{}", result.name, result.doc)
        } else {
            format!("{}: {}", result.name, result.doc)
        };
        ("→".to_owned(), &result.kind, doc)
    });
    let rows: Vec<_> = told.chain(returned).collect();
    if !rows.is_empty() {
        page.push_str("\n| | | |\n|---|---|---|\n");
        for (name, kind, doc) in rows {
            page.push_str(&row(&name, kind, &doc));
        }
    }
    if !function.example.is_empty() {
        page.push_str(&format!("\n```lua\n{}\n```\n", function.example));
    }
}

fn class(page: &mut String, class: &Class) {
    page.push_str(&format!("\n### `{}`\n", class.name));
    if !class.doc.is_empty() {
        page.push_str(&format!("\n{}\n", class.doc));
    }
    let parents: Vec<String> = class
        .parents
        .iter()
        .filter(|parent| !parent.starts_with('{'))
        .map(|parent| format!("`{parent}`"))
        .collect();
    if !parents.is_empty() {
        page.push_str(&format!("\nWith all of {}.\n", parents.join(", ")));
    }
    if !class.fields.is_empty() {
        page.push('\n');
        fields(page, &class.fields);
    }
    class.methods.iter().for_each(|method| function(page, method));
}

fn fields(page: &mut String, fields: &[Field]) {
    page.push_str("| | | |\n|---|---|---|\n");
    for field in fields {
        let optional = if field.optional { "?" } else { "" };
        page.push_str(&row(&format!("`{}{optional}`", field.name), &field.kind, &field.doc));
    }
}

fn row(name: &str, kind: &str, doc: &str) -> String {
    format!("| {name} | `{}` | {} |\n", cell(kind), cell(doc))
}

/// A bar would end the cell.
fn cell(text: &str) -> String {
    text.replace('\n', " ").replace('|', "\\|")
}
