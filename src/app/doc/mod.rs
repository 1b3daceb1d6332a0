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
    if arguments.markdown {
        return say(&markdown::reference(library));
    }
    let Some(name) = &arguments.name else {
        return say(&match arguments.json {
            true => pretty(&json!({ "version": env!("CARGO_PKG_VERSION"), "modules": library })),
            false => page::modules(look(arguments.color), library),
        });
    };
    let found = find::find(library, name);
    if found.is_empty() {
        let near = find::near(library, name);
        let help = match near.is_empty() {
            true => "mpms doc lists the modules".to_owned(),
            false => format!("did you mean {}?", near.join(" or ")),
        };
        complain(arguments.color, &format!("the library has nothing of the name `{name}`"), Some(&help));
        return Code::Usage;
    }
    if arguments.json {
        return say(&match found.as_slice() {
            [one] => pretty(&value(one)),
            several => pretty(&Value::Array(several.iter().map(value).collect())),
        });
    }
    say(&page::found(look(arguments.color), library, &found))
}

/// The page `docs/library.md`.
pub fn reference() -> String {
    markdown::reference(types::library())
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
fn sentence(module: &Module) -> &str {
    types::first_line(&module.doc)
}
