//! Argument lists and texts for a shell.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};

use mlua::{Lua, LuaString, Table, Value};
use shlex::bytes::{Quoter, Shlex};

use super::order;
use crate::lua::error::LibError;
use crate::lua::std::path;
use crate::os::command::find_program;
use crate::os::secrets;

/// Characters of a command that an error shows.
const SHOWN: usize = 200;

/// A string or a number, as an argument.
pub(super) fn word(value: &Value) -> Option<OsString> {
    let bytes = match value {
        Value::String(text) => text.as_bytes().to_vec(),
        Value::Integer(_) | Value::Number(_) => value.to_string().ok()?.into_bytes(),
        _ => return None,
    };
    (!bytes.contains(&0)).then(|| OsString::from_vec(bytes))
}

/// A list of strings and numbers.
pub(super) fn argv(value: &Value, what: &str) -> Result<Vec<OsString>, LibError> {
    let Value::Table(list) = value else {
        let hint = match value {
            Value::String(_) => ": a text is run by a shell only with `shell = true`",
            _ => "",
        };
        let got = value.type_name();
        return Err(LibError::invalid(format!(
            "{what} must be a list as {{ \"ls\", \"-l\" }}, got {got}{hint}"
        )));
    };
    let mut words = Vec::with_capacity(list.raw_len());
    for (at, value) in list.sequence_values::<Value>().enumerate() {
        let value = value?;
        let word = word(&value).ok_or_else(|| {
            let got = value.type_name();
            let number = at + 1;
            LibError::invalid(format!(
                "{what}: word {number} must be a string without zero bytes, or a number, got {got}"
            ))
        })?;
        words.push(word);
    }
    if words.first().is_none_or(|program| program.is_empty()) {
        return Err(LibError::invalid(format!("{what} must begin with the name of a program")));
    }
    if words.len() < pairs(list)? {
        return Err(LibError::invalid(format!("{what} must be a list without holes and names")));
    }
    Ok(words)
}

fn pairs(list: &Table) -> Result<usize, LibError> {
    let mut count = 0;
    list.for_each(|_: Value, _: Value| {
        count += 1;
        Ok(())
    })?;
    Ok(count)
}

/// A text that a shell runs.
pub(super) fn of_shell(value: &Value) -> Result<Vec<OsString>, LibError> {
    match (value, word(value)) {
        (Value::String(_), Some(text)) => Ok(vec!["/bin/sh".into(), "-c".into(), text]),
        (Value::String(_), None) => Err(LibError::invalid("argument 1 (argv) must not have a zero byte")),
        (other, _) => {
            let got = other.type_name();
            Err(LibError::invalid(format!(
                "argument 1 (argv) must be a text for the shell, as `shell = true` was asked for, got {got}"
            )))
        }
    }
}

/// A command as errors show it: what a shell would take, cut to a line's length.
pub(super) fn shown(argv: &[OsString]) -> String {
    let text = match argv {
        [sh, c, text] if sh == "/bin/sh" && c == "-c" => text.as_bytes().to_vec(),
        words => joined(words.iter().map(|word| word.as_bytes())).unwrap_or_default(),
    };
    let text = String::from_utf8_lossy(&text);
    match text.char_indices().nth(SHOWN) {
        None => text.into_owned(),
        Some((at, _)) => {
            format!("{}…", &text[..text.floor_char_boundary(at - secrets::begun(&text.as_bytes()[..at]))])
        }
    }
}

fn joined<'a>(words: impl Iterator<Item = &'a [u8]>) -> Result<Vec<u8>, LibError> {
    Quoter::new().join(words).map_err(|_| LibError::invalid("a zero byte cannot be quoted"))
}

pub(super) fn quote(lua: &Lua, value: &Value) -> Result<LuaString, LibError> {
    let words = match value {
        Value::String(text) => vec![text.as_bytes().to_vec()],
        Value::Table(list) => {
            let words = list.sequence_values::<Value>().map(|one| {
                let one = one?;
                match &one {
                    Value::String(text) => Ok(text.as_bytes().to_vec()),
                    Value::Integer(_) | Value::Number(_) => Ok(one.to_string()?.into_bytes()),
                    other => Err(LibError::invalid(format!(
                        "argument 1 (argv) must be of strings and numbers, got {}",
                        other.type_name()
                    ))),
                }
            });
            words.collect::<Result<Vec<_>, _>>()?
        }
        other => {
            let got = other.type_name();
            return Err(LibError::invalid(format!(
                "argument 1 (argv) must be a list or a string, got {got}"
            )));
        }
    };
    Ok(lua.create_string(joined(words.iter().map(Vec::as_slice))?)?)
}

pub(super) fn split(lua: &Lua, text: &LuaString) -> Result<Table, LibError> {
    let bytes = text.as_bytes();
    let mut words = Shlex::new(&bytes);
    let list = lua.create_table()?;
    for word in words.by_ref() {
        list.raw_push(lua.create_string(word)?)?;
    }
    match words.had_error {
        false => Ok(list),
        true => Err(LibError::parse("the text ends inside of a quote, or after a backslash")),
    }
}

pub(super) fn which(lua: &Lua, name: &LuaString) -> Result<Option<LuaString>, LibError> {
    let of_job = order::of_job(lua).into_iter().rev().find(|(name, _)| name == "PATH");
    let search = match of_job {
        Some((_, value)) => value,
        None => std::env::var_os("PATH"),
    };
    let name = name.as_bytes();
    let name: Cow<'_, OsStr> = Cow::Borrowed(OsStr::from_bytes(&name));
    find_program(&name, &search.unwrap_or_default()).map(|found| path::text(lua, &found)).transpose()
}
