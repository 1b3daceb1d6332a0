//! Lines that a person types: their values as text, and what a name may become.

use std::collections::BTreeSet;

use mlua::{AnyUserData, Function, Table, Value};

use super::{Hand, Raised};
use crate::lua::call::failure_of;
use crate::lua::{compat, std as library, types};
use crate::model::Failure;

/// What a line has come to.
pub enum Answer {
    /// Its values, as text.
    Values(Vec<String>),
    /// What it raised, or why it is no Lua.
    Raised(Box<Raised>),
}

/// Makes functions that give their values as text.
pub(super) struct Shower(Function);

impl Shower {
    pub fn new(hand: &Hand) -> mlua::Result<Self> {
        let lua = hand.state.lua();
        let inspect: Value = match compat::chunk(lua, "inspect")? {
            Some(chunk) => chunk.call(())?,
            None => Value::Nil,
        };
        let globals = lua.globals();
        let base = |name: &str| globals.raw_get::<Value>(name);
        let shower = lua.load(include_str!("repl.lua")).set_name("=mpms").call((
            inspect,
            base("tostring")?,
            base("type")?,
            base("getmetatable")?,
            base("select")?,
            base("rawget")?,
        ))?;
        Ok(Self(shower))
    }
}

impl Hand {
    /// Whether the text may be run, or more of it is to come.
    pub fn is_whole(&self, text: &str) -> bool {
        let text = text.strip_prefix('=').unwrap_or(text);
        let ends_early = |text: &str| {
            self.load("=line", text.as_bytes()).is_err_and(|failure| failure.message.ends_with("<eof>"))
        };
        self.compiled(text).is_ok() || !(ends_early(text) || ends_early(&format!("return {text}")))
    }

    /// Runs lines: an expression, whose values are the answer, or statements.
    pub fn answer(&self, text: &str) -> Answer {
        let plain = |failure| Answer::Raised(Box::new(Raised { failure, ..Raised::default() }));
        let broken = |error: mlua::Error| plain(failure_of(&Value::Error(Box::new(error))));
        let f = match self.compiled(text) {
            Ok(f) => f,
            Err(failure) => return plain(failure),
        };
        let made = match self.shower.get() {
            Some(_) => Ok(()),
            None => Shower::new(self).map(|shower| drop(self.shower.set(shower))),
        };
        let shown = made.and_then(|()| match self.shower.get() {
            Some(Shower(shower)) => shower.call::<Function>(f),
            None => Err(mlua::Error::runtime("nothing can be shown")),
        });
        match shown.map_err(broken) {
            Err(answer) => answer,
            Ok(f) => match self.call(f, &[]) {
                Ok(values) => Answer::Values(
                    values
                        .iter()
                        .map(|value| value.as_string().map(|text| text.to_string_lossy()).unwrap_or_default())
                        .collect(),
                ),
                Err(raised) => Answer::Raised(Box::new(raised)),
            },
        }
    }

    fn compiled(&self, text: &str) -> Result<Function, Failure> {
        let text = text.strip_prefix('=').unwrap_or(text);
        match self.load("=line", format!("return {text}").as_bytes()) {
            Ok(f) => Ok(f),
            Err(_) => self.load("=line", text.as_bytes()),
        }
    }

    /// What the name before the cursor may become: where it begins, and its spellings, sorted.
    pub fn complete(&self, before: &str) -> (usize, Vec<String>) {
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let path_from = before.rfind(|c| !is_name(c) && c != '.' && c != ':').map_or(0, |at| at + 1);
        let path = &before[path_from..];
        let at = path.rfind(['.', ':']).map_or(0, |at| at + 1);
        let (owners, word) = path.split_at(at);
        let names = match owners.strip_suffix(['.', ':']) {
            None => {
                let globals = self.state.lua().globals();
                let mut names = self.names(&Value::Table(globals), false);
                names.extend(KEYWORDS.iter().map(|word| (*word).to_owned()));
                names
            }
            Some(owners) => match self.value_of(owners) {
                Some(owner) => self.names(&owner, path.as_bytes()[at - 1] == b':'),
                None => BTreeSet::new(),
            },
        };
        let fits = names.into_iter().filter(|name| name.starts_with(word) && name.chars().all(is_name));
        (path_from + at, fits.collect())
    }

    /// The value of `a.b.c`, without calling anything of a script.
    fn value_of(&self, path: &str) -> Option<Value> {
        let globals = self.state.lua().globals();
        path.split(['.', ':']).try_fold(Value::Table(globals), |owner, name| self.field(&owner, name))
    }

    fn field(&self, owner: &Value, name: &str) -> Option<Value> {
        if self.is_library(owner)
            && let Ok(Some(module)) = library::builtin(self.state.lua(), &format!("mpms.{name}"))
        {
            return Some(Value::Table(module));
        }
        let found =
            self.tables(owner).into_iter().find_map(|table| table.raw_get::<Option<Value>>(name).ok()?);
        found.filter(|value| !value.is_nil())
    }

    fn names(&self, owner: &Value, methods: bool) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        if self.is_library(owner) {
            names.extend(library::names().map(str::to_owned));
        }
        if let Value::UserData(object) = owner {
            names.extend(of_kind(object, methods));
        }
        for table in self.tables(owner) {
            // whatever stands in it, as long as its name is one
            let _ = table.for_each(|key: Value, value: Value| {
                if let Value::String(key) = key
                    && (!methods || value.is_function())
                {
                    names.insert(key.to_string_lossy());
                }
                Ok(())
            });
        }
        names
    }

    fn is_library(&self, owner: &Value) -> bool {
        let Value::Table(table) = owner else { return false };
        matches!(library::builtin(self.state.lua(), "mpms"), Ok(Some(library)) if library == *table)
    }

    /// The tables in which the names of a value are looked up: its own, and those behind `__index`.
    fn tables(&self, value: &Value) -> Vec<Table> {
        const DEEP: usize = 8;
        let mut tables = Vec::new();
        let mut next = match value {
            Value::Table(table) => Some(table.clone()),
            Value::String(_) => self.state.lua().globals().raw_get("string").ok(),
            _ => None,
        };
        while let Some(table) = next.take().filter(|_| tables.len() < DEEP) {
            next = table.metatable().and_then(|meta| meta.raw_get::<Option<Table>>("__index").ok().flatten());
            tables.push(table);
        }
        tables
    }
}

/// Methods and fields of an object of the library, as its types tell them: one with fields does not show its tables.
fn of_kind(object: &AnyUserData, methods: bool) -> Vec<String> {
    let name: Option<String> = object.metatable().ok().and_then(|meta| meta.get("__name").ok());
    let Some(class) = name.and_then(|name| types::library().iter().find_map(|module| module.class(&name)))
    else {
        return Vec::new();
    };
    let fields = class.fields.iter().filter(|_| !methods).map(|field| field.name.clone());
    class.methods.iter().map(|method| method.short().to_owned()).chain(fields).collect()
}

const KEYWORDS: [&str; 22] = [
    "and", "break", "do", "else", "elseif", "end", "false", "for", "function", "goto", "if", "in", "local",
    "nil", "not", "or", "repeat", "return", "then", "true", "until", "while",
];

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Answer, Hand};
    use crate::lua::std::log::Sinks;

    fn hand() -> Hand {
        Hand::new("lua", Path::new("/nonexistent"), None, Sinks::none()).expect("a state")
    }

    fn answer(hand: &Hand, text: &str) -> String {
        match hand.answer(text) {
            Answer::Values(values) => values.join(" "),
            Answer::Raised(raised) => format!("{}: {}", raised.failure.code, raised.failure.message),
        }
    }

    #[test]
    fn expressions_are_answered_and_statements_run() {
        let hand = hand();
        assert_eq!(answer(&hand, "1 + 1"), "2");
        assert_eq!(answer(&hand, "= 1, nil, 'x'"), "1 nil \"x\"");
        assert_eq!(answer(&hand, "x = 5"), "");
        assert_eq!(answer(&hand, "x, x"), "5 5");
        assert_eq!(answer(&hand, "{ 1, a = { 2 } }"), "{ 1,\n  a = { 2 }\n}");
        assert_eq!(answer(&hand, "mpms.null"), "null");
        assert_eq!(answer(&hand, "select(2, try(mpms.url.parse, 'x'))").lines().count(), 1);
        assert_eq!(answer(&hand, "error('no', 0)"), "lua_error: no");
        assert!(answer(&hand, "x = = 1").starts_with("syntax: line:1:"));
        assert_eq!(answer(&hand, "x"), "5", "an error ends nothing");
        assert_eq!(answer(&hand, "mpms.co.all { function() sleep(0.01) return 7 end }"), "{ 7 }");
    }

    #[test]
    fn what_is_not_whole_waits_for_more() {
        let hand = hand();
        for (text, whole) in [
            ("x = 1", true),
            ("for i = 1, 2 do", false),
            ("f(", false),
            ("{ 1,", false),
            ("[[ab", false),
            ("x = = 1", true),
            ("function f() return 1 end", true),
        ] {
            assert_eq!(hand.is_whole(text), whole, "{text}");
        }
    }

    #[test]
    fn names_are_completed_from_the_live_tables() {
        let hand = hand();
        let complete = |text: &str| hand.complete(text);
        assert_eq!(complete("mpms.ht"), (5, vec!["html".to_owned(), "http".to_owned()]));
        assert_eq!(complete("x = mpms.url.pa"), (13, vec!["parse".to_owned(), "parse_query".to_owned()]));
        assert_eq!(complete("sle"), (0, vec!["sleep".to_owned()]));
        assert_eq!(complete("print(math.ab"), (11, vec!["abs".to_owned()]));
        assert_eq!(answer(&hand, "name, page = 'abc', mpms.html.parse('<p>')"), "");
        assert_eq!(complete("name:up"), (5, vec!["upper".to_owned()]));
        assert_eq!(complete("page:chi"), (5, vec!["children".to_owned()]));
        assert_eq!(answer(&hand, "t = setmetatable({}, { __index = function() error 'asked' end })"), "");
        assert_eq!(complete("t.x.y"), (4, vec![]));
        assert_eq!(complete("nothing.x"), (8, vec![]));
        assert!(complete("").1.len() > 30);
    }
}
