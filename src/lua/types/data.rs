//! A described module, as data.

use serde::Serialize;

/// What is no module: globals of all scripts, and those of specs.
pub const GLOBALS: [&str; 2] = ["globals", "spec"];

/// A module, or globals.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub struct Module {
    /// `http`; or a name of `GLOBALS`, for what needs no `require`.
    pub name: String,
    /// What it is for: the first line is one sentence.
    pub doc: String,
    /// Constants of the module, or global tables.
    pub fields: Vec<Field>,
    /// In the order of the file.
    pub functions: Vec<Function>,
    /// Objects, tables of options and results, in the order of the file.
    pub classes: Vec<Class>,
    /// Names for types.
    pub aliases: Vec<Alias>,
}

/// A function or a method.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub struct Function {
    /// As it is called: `http.get`, `net.Socket:send`, `sleep`.
    pub name: String,
    /// The first line is one sentence.
    pub doc: String,
    /// The lines of its example.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub example: String,
    /// In their order; the last may be `...`.
    pub params: Vec<Param>,
    /// In their order.
    pub returns: Vec<Return>,
    /// Whether it waits.
    pub waits: bool,
    /// Whether a call without its result is a mistake.
    pub nodiscard: bool,
    /// Other ways to call it, as types.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub overloads: Vec<String>,
}

/// A parameter.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub struct Param {
    /// Its name.
    pub name: String,
    /// Whether it may be left out.
    pub optional: bool,
    /// As it is written.
    #[serde(rename = "type")]
    pub kind: String,
    /// What the name does not say.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub doc: String,
}

/// A result.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub struct Return {
    /// Its name, where it has one.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// As it is written.
    #[serde(rename = "type")]
    pub kind: String,
    /// What the type does not say.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub doc: String,
}

/// A kind of table or object.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub struct Class {
    /// `net.Socket`.
    pub name: String,
    /// What else it is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parents: Vec<String>,
    /// The first line is one sentence.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub doc: String,
    /// In the order of the file.
    pub fields: Vec<Field>,
    /// In the order of the file.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub methods: Vec<Function>,
}

/// A field of a table.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub struct Field {
    /// Its name; `[string]` or `[1]` for a key that is none.
    pub name: String,
    /// Whether it may be absent.
    pub optional: bool,
    /// As it is written.
    #[serde(rename = "type")]
    pub kind: String,
    /// What name and type do not say.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub doc: String,
}

/// A name for a type.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub struct Alias {
    /// `duration`.
    pub name: String,
    /// What it stands for.
    #[serde(rename = "type")]
    pub kind: String,
    /// The first line is one sentence.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub doc: String,
}

impl Module {
    /// What `require` takes; nothing for globals.
    pub fn full_name(&self) -> Option<String> {
        (!GLOBALS.contains(&&*self.name)).then(|| format!("mpms.{}", self.name))
    }

    /// The class of that name.
    pub fn class(&self, name: &str) -> Option<&Class> {
        self.classes.iter().find(|class| class.name == name)
    }
}

impl Function {
    /// The name alone: `get`.
    pub fn short(&self) -> &str {
        self.name.rsplit(['.', ':']).next().unwrap_or(&self.name)
    }

    /// `http.get(url, options)`.
    pub fn call(&self) -> String {
        let params: Vec<&str> = self.params.iter().map(|param| param.name.as_str()).collect();
        format!("{}({})", self.name, params.join(", "))
    }
}

/// The first sentence of a description, on one line.
pub fn first_sentence(doc: &str) -> String {
    let lines = doc.lines().take_while(|line| !line.is_empty());
    let paragraph = lines.collect::<Vec<_>>().join(" ");
    match paragraph.find(". ") {
        Some(end) => paragraph[..=end].to_owned(),
        None => paragraph,
    }
}
