//! `mpms doc`: the library, as it is described for editors.

mod find;
mod markdown;
mod page;

use std::io::{self, Write as _};

use serde_json::{Value, json};

use super::complain;
use super::exit::Code;
use crate::cli::{Color, DocArgs};
use crate::lua::types::{self, Module};
use find::Found;
use page::Look;

/// Carries the command out.
pub fn doc(arguments: &DocArgs) -> Code {
    let library = types::library();
    match &arguments.name {
        None if arguments.markdown => say(&markdown::reference(library)),
        None if arguments.json => {
            say(&pretty(&json!({ "version": env!("CARGO_PKG_VERSION"), "modules": library })))
        }
        Some(name) if arguments.json => match find::find(library, name).as_slice() {
            [] => unknown(name, arguments.color),
            [one] => say(&pretty(&value(one))),
            several => say(&pretty(&Value::Array(several.iter().map(value).collect()))),
        },
        name => show(name.as_deref(), arguments.color),
    }
}

/// Shows what has that name, or the modules.
pub fn show(name: Option<&str>, color: Color) -> Code {
    let (library, look) = (types::library(), look(color));
    let Some(name) = name else { return say(&page::modules(look, library)) };
    match find::find(library, name).as_slice() {
        [] => unknown(name, color),
        found => say(&page::found(look, library, found)),
    }
}

fn unknown(name: &str, color: Color) -> Code {
    let near = find::near(types::library(), name);
    let help = match near.is_empty() {
        true => "mpms doc lists the modules".to_owned(),
        false => format!("did you mean {}?", near.join(" or ")),
    };
    complain(color, &format!("the library has nothing of the name `{name}`"), Some(&help));
    Code::Usage
}

fn value(found: &Found<'_>) -> Value {
    let (kind, of, value) = match found {
        Found::Module(module) => ("module", &module.name, json!(module)),
        Found::Function(module, function) => ("function", &module.name, json!(function)),
        Found::Class(module, class) => ("class", &module.name, json!(class)),
        Found::Field(module, class, field) => {
            return json!({ "kind": "field", "module": module.name, "class": class.map(|class| &class.name), "field": field });
        }
        Found::Alias(module, alias) => ("alias", &module.name, json!(alias)),
    };
    json!({ "kind": kind, "module": of, kind: value })
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default() + "\n"
}

fn look(color: Color) -> Look {
    Look::new(match color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never,
    })
}

fn say(text: &str) -> Code {
    // a reader that has seen enough is no failure
    let _ = io::stdout().lock().write_all(text.as_bytes());
    Code::Success
}

/// All modules with their first sentence.
fn sentence(module: &Module) -> String {
    types::first_sentence(&module.doc)
}
