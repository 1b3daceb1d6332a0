//! A function on its way to another Lua state: its code, and copies of the variables that it uses.

use ::std::ffi::c_void;

use mlua::chunk::ChunkMode;
use mlua::{Function, Lua, Table, Value};

use super::upvalues;
use crate::lua::error::LibError;
use crate::lua::require::{self, Roots};
use crate::lua::std;

/// A function without its state.
pub(super) struct Carried {
    code: Vec<u8>,
    upvalues: Vec<Cargo>,
    /// For `require`.
    roots: Roots,
}

/// A value without its state: a variable that the function uses.
pub(super) enum Cargo {
    Nil,
    Boolean(bool),
    Integer(i64),
    Number(f64),
    Text(Vec<u8>),
    Null,
    Table(Vec<(Cargo, Cargo)>),
    /// `_ENV`.
    Globals,
    /// Something that every state has: `mpms.json`, `string.format`, as steps from the globals.
    Standard(Vec<String>),
}

/// Tables nested more than this are refused; so are tables that contain themselves.
const DEEPEST: usize = 100;

/// # Errors
/// `invalid`, when the function uses something that cannot be copied; the error names the variable.
pub(super) fn pack(lua: &Lua, function: &Function) -> Result<Carried, LibError> {
    if function.info().what == "C" {
        return Err(LibError::invalid("the function must be written in Lua"));
    }
    let standard = standard(lua)?;
    let mut packed = Vec::new();
    for (name, value) in upvalues::of(lua, function)? {
        if name == "_ENV" {
            packed.push(Cargo::Globals);
            continue;
        }
        let cargo = copy(&value, &standard, 0).map_err(|what| {
            LibError::invalid(format!(
                "the function runs in a Lua state of its own and cannot take its variable `{name}` along: {what}"
            ))
        })?;
        packed.push(cargo);
    }
    Ok(Carried {
        code: function.dump(false),
        upvalues: packed,
        roots: require::roots(lua).unwrap_or_else(|| Roots {
            script_dir: ".".into(),
            root: ".".into(),
            lua_path: None,
        }),
    })
}

impl Carried {
    /// The function in another state.
    ///
    /// # Errors
    /// When Lua has no memory left.
    pub fn unpack(self, lua: &Lua) -> Result<Function, LibError> {
        require::install_require(lua, &self.roots, None)?;
        // Our own dump of a moment ago, never a file: the only binary chunk that is loaded.
        let function = lua.load(self.code).set_mode(ChunkMode::Binary).into_function()?;
        for (index, cargo) in self.upvalues.into_iter().enumerate() {
            upvalues::set(lua, &function, index + 1, cargo.unpack(lua)?)?;
        }
        Ok(function)
    }
}

impl Cargo {
    /// A value that a server answers with.
    ///
    /// # Errors
    /// `invalid`, when it cannot be copied; `what` is how the error calls it.
    pub fn pack(lua: &Lua, value: &Value, what: &str) -> Result<Self, LibError> {
        let copied = copy(value, &standard(lua)?, 0);
        copied.map_err(|why| LibError::invalid(format!("{what} cannot be taken along to the server: {why}")))
    }

    /// The value in another state.
    ///
    /// # Errors
    /// When Lua has no memory left.
    pub fn unpack(self, lua: &Lua) -> Result<Value, LibError> {
        Ok(match self {
            Self::Nil => Value::Nil,
            Self::Boolean(yes) => Value::Boolean(yes),
            Self::Integer(number) => Value::Integer(number),
            Self::Number(number) => Value::Number(number),
            Self::Text(text) => Value::String(lua.create_string(text)?),
            Self::Null => Value::NULL,
            Self::Globals => Value::Table(lua.globals()),
            Self::Table(entries) => {
                let table = lua.create_table()?;
                for (key, value) in entries {
                    table.raw_set(key.unpack(lua)?, value.unpack(lua)?)?;
                }
                Value::Table(table)
            }
            Self::Standard(steps) => {
                let mut value = Value::Table(lua.globals());
                for step in steps {
                    let Value::Table(table) = value else {
                        return Ok(Value::Nil);
                    };
                    value = table.get(step)?;
                }
                value
            }
        })
    }
}

type Standard = Vec<(*const c_void, Vec<String>)>;

/// Addresses of what each state has, and the way there.
fn standard(lua: &Lua) -> Result<Standard, LibError> {
    let globals = lua.globals();
    let mut found = Vec::new();
    for name in ["string", "table", "math", "utf8", "os", "io", "coroutine"] {
        let Value::Table(library) = globals.raw_get::<Value>(name)? else {
            continue;
        };
        found.push((library.to_pointer(), vec![name.to_owned()]));
        library.for_each(|key: String, value: Value| {
            if value.is_function() {
                found.push((value.to_pointer(), vec![name.to_owned(), key]));
            }
            Ok(())
        })?;
    }
    for name in BASE {
        let value = globals.raw_get::<Value>(*name)?;
        if value.is_function() {
            found.push((value.to_pointer(), vec![(*name).to_owned()]));
        }
    }
    for (module, steps) in std::loaded(lua)? {
        let functions: Vec<(String, Value)> = std::fields(&module)?;
        for (name, function) in functions {
            let mut steps = steps.clone();
            steps.push(name);
            found.push((function.to_pointer(), steps));
        }
        found.push((module.to_pointer(), steps));
    }
    Ok(found)
}

const BASE: &[&str] = &[
    "assert",
    "error",
    "getmetatable",
    "ipairs",
    "next",
    "pairs",
    "pcall",
    "print",
    "rawequal",
    "rawget",
    "rawlen",
    "rawset",
    "require",
    "select",
    "setmetatable",
    "sleep",
    "tonumber",
    "tostring",
    "try",
    "type",
    "xpcall",
];

fn copy(value: &Value, standard: &Standard, depth: usize) -> Result<Cargo, String> {
    let known = |address: *const c_void| {
        standard.iter().find(|(one, _)| *one == address).map(|(_, steps)| steps.clone())
    };
    match value {
        Value::Nil => Ok(Cargo::Nil),
        value if value.is_null() => Ok(Cargo::Null),
        Value::Boolean(yes) => Ok(Cargo::Boolean(*yes)),
        Value::Integer(number) => Ok(Cargo::Integer(*number)),
        Value::Number(number) => Ok(Cargo::Number(*number)),
        Value::String(text) => Ok(Cargo::Text(text.as_bytes().to_vec())),
        Value::Table(table) => match known(table.to_pointer()) {
            Some(steps) => Ok(Cargo::Standard(steps)),
            None => copy_table(table, standard, depth),
        },
        Value::Function(function) => known(function.to_pointer())
            .map(Cargo::Standard)
            .ok_or_else(|| "it is a function (write it inside of this one)".to_owned()),
        other => Err(format!("it is a {}", other.type_name())),
    }
}

fn copy_table(table: &Table, standard: &Standard, depth: usize) -> Result<Cargo, String> {
    if depth == DEEPEST {
        return Err(format!("it is nested more than {DEEPEST} deep, or contains itself"));
    }
    if table.metatable().is_some() {
        return Err("it is a table with a metatable".to_owned());
    }
    let mut entries = Vec::new();
    let mut trouble = None;
    let walked = table.for_each(|key: Value, value: Value| {
        let copied =
            copy(&key, standard, depth + 1).and_then(|key| Ok((key, copy(&value, standard, depth + 1)?)));
        match copied {
            Ok(entry) => entries.push(entry),
            Err(what) => {
                trouble.get_or_insert_with(|| {
                    format!("in its field `{}`, {what}", key.to_string().unwrap_or_default())
                });
            }
        }
        Ok(())
    });
    match (walked, trouble) {
        (Err(error), _) => Err(error.to_string()),
        (_, Some(what)) => Err(what),
        _ => Ok(Cargo::Table(entries)),
    }
}
