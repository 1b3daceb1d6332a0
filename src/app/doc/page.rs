//! The library for a person at a terminal.

use super::find::Found;
use super::sentence;
use crate::lua::types::{Class, Field, Function, Module, first_sentence};

/// Whether there are colours.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    colored: bool,
}

impl Look {
    pub fn new(colored: bool) -> Self {
        Look { colored }
    }

    fn bold(self, text: &str) -> String {
        self.with("1", text)
    }

    fn name(self, text: &str) -> String {
        self.with("1;36", text)
    }

    fn dim(self, text: &str) -> String {
        self.with("2", text)
    }

    fn with(self, code: &str, text: &str) -> String {
        if self.colored && !text.is_empty() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// The first page.
pub fn modules(look: Look, library: &[Module]) -> String {
    let mut text = String::new();
    let rows = library.iter().filter(|module| module.full_name().is_some());
    let rows: Vec<_> =
        rows.map(|module| (module.name.clone(), String::new(), sentence(module).to_owned())).collect();
    table(&mut text, look, "", &rows);
    for globals in library.iter().filter(|module| module.full_name().is_none()) {
        let title = if globals.name == "spec" { "Globals of specs" } else { "Globals" };
        text.push_str(&format!("\n{}\n", look.bold(title)));
        let functions =
            globals.functions.iter().map(|one| (one.call(), String::new(), first_sentence(&one.doc)));
        let fields =
            globals.fields.iter().map(|one| (one.name.clone(), String::new(), first_sentence(&one.doc)));
        table(&mut text, look, "  ", &fields.chain(functions).collect::<Vec<_>>());
    }
    text.push_str("\nmpms doc http, mpms doc http.get: more about one of them\n");
    text
}

/// What was asked for; a list when it may be several things.
pub fn found(look: Look, library: &[Module], found: &[Found<'_>]) -> String {
    match found {
        [one] => page(look, library, one),
        several => {
            let rows: Vec<_> = several
                .iter()
                .map(|one| match one {
                    Found::Module(module) => {
                        (module.name.clone(), String::new(), sentence(module).to_owned())
                    }
                    Found::Function(_, function) => {
                        (function.call(), String::new(), first_sentence(&function.doc))
                    }
                    Found::Class(_, class) => (one.name(), String::new(), first_sentence(&class.doc)),
                    Found::Field(_, _, field) => (one.name(), field.kind.clone(), first_sentence(&field.doc)),
                    Found::Alias(_, alias) => (one.name(), alias.kind.clone(), first_sentence(&alias.doc)),
                })
                .collect();
            let mut text = String::new();
            table(&mut text, look, "", &rows);
            text
        }
    }
}

fn page(look: Look, library: &[Module], found: &Found<'_>) -> String {
    let mut text = String::new();
    match found {
        Found::Module(module) => self::module(&mut text, look, module),
        Found::Function(_, function) => self::function(&mut text, look, library, function),
        Found::Class(_, class) => self::class(&mut text, look, library, class),
        Found::Field(_, _, field) => {
            text.push_str(&format!("{}  {}\n", look.name(&found.name()), look.dim(&kind(field))));
            paragraph(&mut text, &field.doc);
        }
        Found::Alias(_, alias) => {
            text.push_str(&format!("{}  {}\n", look.name(&alias.name), look.dim(&alias.kind)));
            paragraph(&mut text, &alias.doc);
        }
    }
    text
}

fn module(text: &mut String, look: Look, module: &Module) {
    match module.full_name() {
        Some(name) => text.push_str(&format!("{}\n", look.name(&name))),
        None => text.push_str(&format!("{}\n", look.name(&module.name))),
    }
    without_fence(text, &module.doc);
    if !module.fields.is_empty() {
        text.push('\n');
        fields(text, look, "  ", &module.fields);
    }
    if !module.functions.is_empty() {
        text.push_str(&format!("\n{}\n", look.bold("Functions")));
        table(text, look, "  ", &calls(&module.functions));
    }
    for class in module.classes.iter().filter(|class| !class.methods.is_empty()) {
        text.push_str(&format!("\n{}\n", look.bold(&class.name)));
        let mut rows: Vec<_> = class.fields.iter().map(row).collect();
        rows.extend(calls(&class.methods));
        table(text, look, "  ", &rows);
    }
    let tables: Vec<_> = module
        .classes
        .iter()
        .filter(|class| class.methods.is_empty())
        .map(|class| (class.name.clone(), String::new(), first_sentence(&class.doc)))
        .collect();
    if !tables.is_empty() {
        text.push_str(&format!("\n{}\n", look.bold("Tables")));
        table(text, look, "  ", &tables);
    }
}

fn calls(functions: &[Function]) -> Vec<Row> {
    functions
        .iter()
        .map(|function| {
            let call = function.call();
            // of an object the name alone, with its colon
            let short = match call.find(':') {
                Some(at) => call[at..].to_owned(),
                None => call,
            };
            (short, String::new(), first_sentence(&function.doc))
        })
        .collect()
}

fn function(text: &mut String, look: Look, library: &[Module], function: &Function) {
    let waits = if function.waits { "  waits" } else { "" };
    text.push_str(&format!("{}{}\n", look.name(&function.call()), look.dim(waits)));
    paragraph(text, &function.doc);
    let mut rows: Vec<_> = function
        .params
        .iter()
        .map(|param| (param.name.clone(), optional(&param.kind, param.optional), param.doc.clone()))
        .collect();
    for (index, result) in function.returns.iter().enumerate() {
        let word = if index == 0 { "→" } else { "" };
        let told = [result.name.as_str(), &result.doc].join("  ");
        rows.push((word.to_owned(), result.kind.clone(), told.trim().to_owned()));
    }
    if !rows.is_empty() {
        text.push('\n');
        table(text, look, "  ", &rows);
    }
    for param in &function.params {
        for class in named(library, &param.kind).filter(|class| class.methods.is_empty()) {
            text.push_str(&format!("\n{}\n", look.bold(&class.name)));
            all_fields(text, look, library, class);
        }
    }
    if !function.example.is_empty() {
        text.push_str(&format!("\n{}\n", look.bold("Example")));
        indented(text, &function.example);
    }
}

fn class(text: &mut String, look: Look, library: &[Module], class: &Class) {
    text.push_str(&format!("{}\n", look.name(&class.name)));
    without_fence(text, &class.doc);
    text.push('\n');
    all_fields(text, look, library, class);
    if !class.methods.is_empty() {
        table(text, look, "  ", &calls(&class.methods));
    }
}

/// With those of its parents.
fn all_fields(text: &mut String, look: Look, library: &[Module], class: &Class) {
    let mut rows = Vec::new();
    gather(&mut rows, library, class);
    table(text, look, "  ", &rows);
}

fn gather(rows: &mut Vec<Row>, library: &[Module], class: &Class) {
    rows.extend(class.fields.iter().map(row));
    for parent in class.parents.iter().flat_map(|parent| named(library, parent)) {
        gather(rows, library, parent);
    }
}

/// The classes that a type names.
fn named<'a>(library: &'a [Module], kind: &'a str) -> impl Iterator<Item = &'a Class> {
    let words = kind.split(|c: char| !(c.is_alphanumeric() || c == '.' || c == '_'));
    words.filter_map(|word| library.iter().find_map(|module| module.class(word)))
}

fn fields(text: &mut String, look: Look, indent: &str, fields: &[Field]) {
    let rows: Vec<_> = fields.iter().map(row).collect();
    table(text, look, indent, &rows);
}

fn row(field: &Field) -> Row {
    (field.name.clone(), kind(field), field.doc.replace('\n', " "))
}

fn kind(field: &Field) -> String {
    optional(&field.kind, field.optional)
}

fn optional(kind: &str, is_optional: bool) -> String {
    if is_optional && !kind.ends_with('?') { format!("{kind}?") } else { kind.to_owned() }
}

/// Wider first columns do not push the others to the right.
const WIDE: usize = 34;
const WIDE_KIND: usize = 30;

/// Name, type, sentence.
type Row = (String, String, String);

fn table(text: &mut String, look: Look, indent: &str, rows: &[Row]) {
    let width = |column: fn(&Row) -> &String, most: usize| {
        rows.iter().map(|row| column(row).chars().count()).filter(|width| *width <= most).max().unwrap_or(0)
    };
    let (first, second) = (width(|row| &row.0, WIDE), width(|row| &row.1, WIDE_KIND));
    for (name, kind, doc) in rows {
        let pad = |text: &str, width: usize| " ".repeat(width.saturating_sub(text.chars().count()));
        let mut line = format!("{indent}{}{}", look.name(name), pad(name, first));
        if second > 0 {
            line.push_str(&format!("  {}{}", look.dim(kind), pad(kind, second)));
        }
        if !doc.is_empty() {
            line.push_str("  ");
            line.push_str(doc);
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
}

fn paragraph(text: &mut String, doc: &str) {
    if !doc.is_empty() {
        text.push('\n');
        indented(text, doc);
    }
}

/// A description with an example in it.
fn without_fence(text: &mut String, doc: &str) {
    let lines: Vec<&str> = doc.lines().filter(|line| !line.starts_with("```")).collect();
    paragraph(text, &lines.join("\n"));
}

fn indented(text: &mut String, lines: &str) {
    for line in lines.lines() {
        text.push_str(format!("  {line}").trim_end());
        text.push('\n');
    }
}
