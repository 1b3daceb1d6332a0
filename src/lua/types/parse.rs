//! Reads the part of LuaLS's annotations that the library uses. What is not of it is a complaint, which a test makes an
//! error; the rest is read all the same.

use super::data::{Alias, Class, Field, Function, Module, Param, Return};

/// What is wrong with a file: the number of a line, and a sentence.
pub type Complaint = (usize, String);

/// Reads a file.
pub fn module(name: &str, text: &str) -> (Module, Vec<Complaint>) {
    let mut reader =
        Reader { module: Module { name: name.to_owned(), ..Module::default() }, ..Reader::default() };
    for (index, line) in text.lines().enumerate() {
        reader.number = index + 1;
        reader.line(line);
    }
    reader.end_block();
    (reader.module, reader.complaints)
}

/// A block of `---` lines.
#[derive(Debug, Default)]
struct Block {
    doc: Vec<String>,
    class: Option<Class>,
    alias: Option<Alias>,
    function: Function,
    /// Whether there is anything that only a function can have.
    of_function: bool,
    is_meta: bool,
    /// Of a value that is no class of its own.
    kind: Option<String>,
}

#[derive(Default)]
struct Reader {
    module: Module,
    block: Option<Block>,
    /// Local names of classes.
    locals: Vec<(String, String)>,
    number: usize,
    complaints: Vec<Complaint>,
}

impl Reader {
    fn complain(&mut self, text: impl Into<String>) {
        self.complaints.push((self.number, text.into()));
    }

    fn line(&mut self, line: &str) {
        if let Some(rest) = line.strip_prefix("---") {
            match rest.strip_prefix('@') {
                Some(tag) => self.tag(tag.trim_end()),
                None => self.block().doc.push(rest.trim_end().to_owned()),
            }
            return;
        }
        match line.trim() {
            "" => self.end_block(),
            code if code.starts_with("function ") => self.function(code),
            code if code.starts_with("return ") => self.end_block(),
            code => self.value(code),
        }
    }

    fn block(&mut self) -> &mut Block {
        self.block.get_or_insert_default()
    }

    fn tag(&mut self, tag: &str) {
        let (word, rest) = tag.split_once(char::is_whitespace).unwrap_or((tag, ""));
        let rest = rest.trim();
        match word {
            "meta" => self.block().is_meta = true,
            "class" => {
                let class = class(rest);
                self.block().class = Some(class);
            }
            "field" => match (field(rest), &mut self.block().class) {
                (Some(field), Some(class)) => class.fields.push(field),
                _ => self.complain("a field outside of a class, or without a type"),
            },
            "alias" => {
                let (name, kind) = rest.split_once(' ').unwrap_or((rest, ""));
                let alias = Alias { name: name.to_owned(), kind: kind.trim().to_owned(), doc: String::new() };
                self.block().alias = Some(alias);
            }
            "param" => match param(rest) {
                Some(param) => self.of_function().params.push(param),
                None => self.complain("a parameter without a type"),
            },
            "return" => {
                let result = returned(rest);
                self.of_function().returns.push(result);
            }
            "async" => self.of_function().waits = true,
            "nodiscard" => self.of_function().nodiscard = true,
            // of a table that can be called: for editors
            "overload" if self.block().class.is_some() => {}
            "overload" => self.of_function().overloads.push(rest.to_owned()),
            "generic" => self.block().of_function = true,
            "type" => self.block().kind = Some(rest.to_owned()),
            "operator" | "see" | "deprecated" => {
                self.block();
            }
            other => self.complain(format!("unknown tag `@{other}`")),
        }
    }

    fn of_function(&mut self) -> &mut Function {
        let block = self.block();
        block.of_function = true;
        &mut block.function
    }

    /// What stood alone.
    fn end_block(&mut self) {
        let Some(block) = self.block.take() else { return };
        if block.of_function {
            self.complain("annotations of a function without one");
        }
        let is_alone = block.class.is_none() && block.alias.is_none();
        if let Some(class) = block.class {
            self.add_class(class, &block.doc);
        }
        if let Some(alias) = block.alias {
            self.module.aliases.push(Alias { doc: joined(&block.doc), ..alias });
        }
        // the text below `@meta _` is about all globals
        if is_alone && !block.is_meta && self.module.doc.is_empty() {
            self.module.doc = joined(&block.doc);
        }
    }

    fn add_class(&mut self, class: Class, doc: &[String]) {
        if class.name == format!("mpms.{}", self.module.name) {
            self.module.doc = joined(doc);
            self.module.fields.extend(class.fields);
        } else {
            self.module.classes.push(Class { doc: joined(doc), ..class });
        }
    }

    /// `local json = {}`, `job = {}`.
    fn value(&mut self, code: &str) {
        let Some((name, _)) = code.split_once('=') else {
            self.complain(format!("`{code}` is neither a function nor a value"));
            return;
        };
        let (is_local, name) = match name.trim().strip_prefix("local ") {
            Some(name) => (true, name.trim().to_owned()),
            None => (false, name.trim().to_owned()),
        };
        let block = self.block.take().unwrap_or_default();
        let class = block.class.as_ref().map(|class| class.name.clone()).or_else(|| block.kind.clone());
        if !is_local {
            let kind = class.clone().unwrap_or_else(|| "table".to_owned());
            let doc = joined(&block.doc);
            self.module.fields.push(Field { name: name.clone(), optional: false, kind, doc });
        }
        match class {
            Some(class) => self.locals.push((name, class)),
            None => self.complain(format!("`{name}` has no class")),
        }
        self.block = Some(block);
        self.end_block();
    }

    /// `function a.b(c, d) end`
    fn function(&mut self, code: &str) {
        let block = self.block.take().unwrap_or_default();
        let head = code.strip_prefix("function ").unwrap_or(code).trim_end().strip_suffix("end");
        let parts = head.and_then(|head| head.trim().strip_suffix(')')).and_then(|head| head.split_once('('));
        let Some((name, params)) = parts else {
            self.complain(format!("`{code}` is no function on one line"));
            return;
        };
        let named: Vec<&str> = params.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
        let told: Vec<&str> = block.function.params.iter().map(|param| param.name.as_str()).collect();
        if named != told {
            self.complain(format!("`{name}` has the parameters {named:?}, and {told:?} are described"));
        }
        let (text, example) = without_example(&block.doc);
        let function = Function { doc: text, example, ..block.function };
        if function.doc.is_empty() {
            self.complain(format!("`{name}` has no sentence"));
        }
        self.add_function(name, function);
    }

    fn add_function(&mut self, name: &str, function: Function) {
        let Some(at) = name.find(['.', ':']) else {
            self.module.functions.push(Function { name: name.to_owned(), ..function });
            return;
        };
        let (owner, short) = (&name[..at], &name[at + 1..]);
        let joint = &name[at..=at];
        let Some((_, class)) = self.locals.iter().rev().find(|(local, _)| local == owner).cloned() else {
            self.complain(format!("`{owner}` has no class"));
            return;
        };
        if class == format!("mpms.{}", self.module.name) {
            let name = format!("{}{joint}{short}", self.module.name);
            self.module.functions.push(Function { name, ..function });
        } else if let Some(class) = self.module.classes.iter_mut().find(|one| one.name == class) {
            let name = format!("{}{joint}{short}", class.name);
            class.methods.push(Function { name, ..function });
        }
    }
}

/// `name`, `name: parent, parent`, `name: { [string]: string }`
fn class(text: &str) -> Class {
    let (name, parents) = text.split_once(':').unwrap_or((text, ""));
    let parents = if parents.trim_start().starts_with('{') {
        vec![parents.trim().to_owned()]
    } else {
        parents.split(',').map(str::trim).filter(|one| !one.is_empty()).map(str::to_owned).collect()
    };
    Class { name: name.trim().to_owned(), parents, ..Class::default() }
}

fn field(text: &str) -> Option<Field> {
    // a key in brackets may hold blanks
    let at = match text.strip_prefix('[') {
        Some(rest) => rest.find(']')? + 2,
        None => text.find(char::is_whitespace)?,
    };
    let (name, rest) = (text.get(..at)?, text.get(at..)?);
    let (optional, rest) = match rest.strip_prefix('?') {
        Some(rest) => (true, rest),
        None => (name.ends_with('?'), rest),
    };
    let (kind, doc) = split_type(rest.trim_start());
    let name = name.trim_end_matches('?').to_owned();
    (!kind.is_empty()).then_some(Field { name, optional, kind, doc })
}

fn param(text: &str) -> Option<Param> {
    let (name, rest) = text.split_once(char::is_whitespace)?;
    let (kind, doc) = split_type(rest.trim_start());
    let optional = name.ends_with('?');
    (!kind.is_empty()).then(|| Param { name: name.trim_end_matches('?').to_owned(), optional, kind, doc })
}

/// `type`, `type name`, `type name   what it is`, `type   what it is`: a name follows one blank.
fn returned(text: &str) -> Return {
    let at = type_end(text);
    let (kind, rest) = text.split_at(at);
    let named = rest.strip_prefix(' ').filter(|rest| !rest.starts_with(' '));
    let (name, doc) = match named {
        Some(rest) => rest.split_once(' ').map_or((rest, ""), |(name, doc)| (name, doc)),
        None => ("", rest),
    };
    Return { name: name.to_owned(), kind: kind.to_owned(), doc: plain(doc) }
}

fn split_type(text: &str) -> (String, String) {
    let (kind, doc) = text.split_at(type_end(text));
    (kind.to_owned(), plain(doc))
}

/// Without the sign by which LuaLS tells a description from a name.
fn plain(doc: &str) -> String {
    doc.trim().trim_start_matches(['#', '@']).trim_start().to_owned()
}

/// Where a type ends: at a blank outside of brackets and quotes, unless the type goes on behind it.
fn type_end(text: &str) -> usize {
    let mut depth = 0_u32;
    let mut quote = None;
    let bytes = text.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        match (quote, byte) {
            (Some(open), byte) if open == byte => quote = None,
            (Some(_), _) => {}
            (None, b'"' | b'\'' | b'`') => quote = Some(byte),
            (None, b'(' | b'[' | b'{' | b'<') => depth += 1,
            (None, b')' | b']' | b'}' | b'>') => depth = depth.saturating_sub(1),
            (None, b' ' | b'\t') if depth == 0 => {
                let before = text[..at].trim_end();
                let after = text[at..].trim_start();
                let goes_on = before.ends_with(['|', ':', ',']) && !before.ends_with("...:,")
                    || after.starts_with('|')
                    || before == "async" && after.starts_with("fun");
                if !goes_on {
                    return at;
                }
            }
            _ => {}
        }
    }
    text.len()
}

fn joined(lines: &[String]) -> String {
    lines.join("\n").trim().to_owned()
}

/// The text, and the lines between the first pair of fences.
fn without_example(lines: &[String]) -> (String, String) {
    let is_fence = |line: &String| line.starts_with("```");
    let Some(open) = lines.iter().position(is_fence) else { return (joined(lines), String::new()) };
    let close = lines[open + 1..].iter().position(is_fence).map_or(lines.len(), |at| open + 1 + at);
    let rest = lines.get(close + 1..).unwrap_or_default();
    let text: Vec<String> = lines[..open].iter().chain(rest).cloned().collect();
    (joined(&text), lines[open + 1..close].join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lua::types::FILES;

    const TEXT: &str = r#"---@meta mpms.x

---What it is for.
---
---More of it.
---@class mpms.x
---@field null lightuserdata   the null
local x = {}

---@class x.Options: x.Base
---@field pretty? boolean|integer   two blanks a level
---@field on? fun(done: integer, total?: integer): boolean   asked now and then
---@field word "a b"|"c" # the word
---@field [string] any

---What it gives.
---
---More.
---
---```lua
---x.get(1)
---```
---@async
---@nodiscard
---@param value any
---@param options? x.Options   how
---@param ... table<string, integer>
---@return string? text   the text
---@return integer   its length
function x.get(value, options, ...) end

---An object.
---@class x.Thing
local Thing = {}

---Closes it.
function Thing:close() end

return x
"#;

    #[test]
    fn a_file_is_read_whole() {
        let (module, complaints) = module("x", TEXT);
        assert_eq!(complaints, []);
        assert_eq!((module.doc.as_str(), module.fields.len()), ("What it is for.\n\nMore of it.", 1));
        let [get] = module.functions.as_slice() else { panic!("{:?}", module.functions) };
        assert_eq!((get.call().as_str(), get.short()), ("x.get(value, options, ...)", "get"));
        assert_eq!((get.doc.as_str(), get.example.as_str()), ("What it gives.\n\nMore.", "x.get(1)"));
        assert!(get.waits && get.nodiscard && get.params[1].optional && !get.params[0].optional);
        assert_eq!((get.params[1].kind.as_str(), get.params[1].doc.as_str()), ("x.Options", "how"));
        assert_eq!(get.params[2].kind, "table<string, integer>");
        let returns: Vec<_> = get.returns.iter().map(|one| [&one.kind[..], &one.name, &one.doc]).collect();
        assert_eq!(returns, [["string?", "text", "the text"], ["integer", "", "its length"]]);
        let options = module.class("x.Options").expect("a class");
        assert_eq!(options.parents, ["x.Base"]);
        let fields: Vec<_> = options.fields.iter().map(|one| [&one.name[..], &one.kind, &one.doc]).collect();
        assert_eq!(
            fields,
            [
                ["pretty", "boolean|integer", "two blanks a level"],
                ["on", "fun(done: integer, total?: integer): boolean", "asked now and then"],
                ["word", "\"a b\"|\"c\"", "the word"],
                ["[string]", "any", ""],
            ]
        );
        assert!(options.fields[0].optional && !options.fields[2].optional);
        let thing = module.class("x.Thing").expect("a class");
        assert_eq!(thing.methods[0].name, "x.Thing:close");
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let wrong = |text: &str| module("x", text).1;
        assert_eq!(wrong("---@param a\nfunction x.f(a) end")[0], (1, "a parameter without a type".into()));
        assert_eq!(wrong("---@class mpms.x\nlocal x = {}\n---D.\nfunction x.f(a) end")[0].0, 4);
        assert!(
            wrong("---@class mpms.x\nlocal x = {}\n---D.\nfunction x.f(a) end")[0].1.contains("described")
        );
        assert!(wrong("---@class mpms.x\nlocal x = {}\nfunction x.f() end")[0].1.contains("no sentence"));
        assert!(wrong("---@nothing")[0].1.contains("@nothing"));
        assert!(wrong("---@async\n\n")[0].1.contains("without one"));
        assert!(wrong("---D.\nfunction y.f() end")[0].1.contains("`y` has no class"));
        assert!(wrong("x.y.z")[0].1.contains("neither"));
    }

    #[test]
    fn the_files_of_the_library_are_read_whole() {
        for (name, text) in FILES {
            let (module, complaints) = module(name, text);
            assert_eq!(complaints, [], "types/{name}.lua");
            assert!(!module.doc.is_empty(), "types/{name}.lua says nothing of the module");
            let wide = text.lines().position(|line| line.chars().count() > 140);
            assert_eq!(wide, None, "types/{name}.lua has a line over 140");
        }
    }
}
