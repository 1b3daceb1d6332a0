//! `gsub` and `sub`: a text as the replacement is put in at once, anything else by `re.lua`.

use std::cell::RefCell;
use std::rc::Rc;

use mlua::{Function, Lua, LuaString, Table, Value};

use super::cursor::{self, Cursor};
use super::pattern::{Pattern, Span};
use super::replace::replace;
use super::{Compiled, How, cache};
use crate::lua::error::LibError;
use crate::lua::module::{Methods, Module, complainer, global_function};

/// What `re.lua` gives.
pub(super) struct Functions {
    pub gsub: Function,
    pub sub: Function,
    pub object_gsub: Function,
    pub object_sub: Function,
}

type Call = (LuaString, LuaString, Value, Option<Value>);
type MethodCall = (Compiled, LuaString, Value, Option<Table>);

pub(super) fn functions(lua: &Lua) -> mlua::Result<Functions> {
    let functions = Module::new(lua, "mpms.re")
        .function("gsub(subject, pattern, replacement, options)", |lua, call: Call| {
            let (pattern, most) = asked(lua, &call, None)?;
            replaced(lua, &pattern, &call.0, &call.2, most)
        })
        .function("sub(subject, pattern, replacement, options)", |lua, call: Call| {
            let (pattern, most) = asked(lua, &call, Some(1))?;
            replaced(lua, &pattern, &call.0, &call.2, most)
        })
        .build()?;
    let scans = Module::new(lua, "mpms.re")
        .function("gsub(subject, pattern, replacement, options)", |lua, call: Call| {
            let (pattern, most) = asked(lua, &call, None)?;
            scan(lua, "re.gsub", pattern, call.0, most)
        })
        .function("sub(subject, pattern, replacement, options)", |lua, call: Call| {
            let (pattern, most) = asked(lua, &call, Some(1))?;
            scan(lua, "re.sub", pattern, call.0, most)
        })
        .build()?;
    let methods = Methods::new(lua, "re.Regex")
        .method("gsub(subject, replacement, options)", |lua, (regex, subject, text, options): MethodCall| {
            let most = How::of_method(options, None)?;
            replaced(lua, &regex.0, &subject, &text, most)
        })
        .method("sub(subject, replacement, options)", |lua, (regex, subject, text, options): MethodCall| {
            let most = How::of_method(options, Some(1))?;
            replaced(lua, &regex.0, &subject, &text, most)
        })
        .metatable()?;
    let method_scans = Methods::new(lua, "re.Regex")
        .method("gsub(subject, replacement, options)", |lua, (regex, subject, _, options): MethodCall| {
            let most = How::of_method(options, None)?;
            scan(lua, "re.Regex:gsub", Rc::clone(&regex.0), subject, most)
        })
        .method("sub(subject, replacement, options)", |lua, (regex, subject, _, options): MethodCall| {
            let most = How::of_method(options, Some(1))?;
            scan(lua, "re.Regex:sub", Rc::clone(&regex.0), subject, most)
        })
        .metatable()?;
    let behind = |meta: Table| meta.raw_get::<Table>("__index");
    let (gsub, sub, object_gsub, object_sub) = lua.load(include_str!("re.lua")).set_name("=mpms").call((
        functions,
        scans,
        behind(methods)?,
        behind(method_scans)?,
        complainer(lua)?,
    ))?;
    Ok(Functions { gsub, sub, object_gsub, object_sub })
}

/// The pattern of a call of the module, and how many matches it is for.
fn asked(lua: &Lua, call: &Call, most: Option<usize>) -> Result<(Rc<Pattern>, usize), LibError> {
    let (_, pattern, _, options) = call;
    let how = How::read(options.clone(), most)?;
    Ok((cache::pattern(lua, pattern, how.flags)?, how.most))
}

/// With a text as the replacement.
fn replaced(
    lua: &Lua,
    pattern: &Pattern,
    subject: &LuaString,
    replacement: &Value,
    most: usize,
) -> Result<(LuaString, usize), LibError> {
    let text = match replacement {
        Value::String(text) => text.clone(),
        Value::Integer(_) | Value::Number(_) => lua.create_string(replacement.to_string()?)?,
        other => {
            let got = other.type_name();
            return Err(LibError::invalid(format!(
                "the replacement must be a string, a function or a table, got {got}"
            )));
        }
    };
    let (text, count) = replace(lua, pattern, &subject.as_bytes(), &text.as_bytes(), most)?;
    Ok((lua.create_string(text)?, count))
}

/// The function gives the matches one by one; called with a list of what comes in their places, it gives the text.
fn scan(
    lua: &Lua,
    op: &'static str,
    pattern: Rc<Pattern>,
    subject: LuaString,
    most: usize,
) -> Result<Function, LibError> {
    let scanned = RefCell::new((Cursor::default(), Vec::<Span>::new()));
    let step = move |lua: &Lua, values: Option<Table>| {
        let (found, matches) = &mut *scanned.borrow_mut();
        let subject = subject.as_bytes();
        if let Some(values) = values {
            return Ok(Value::String(cursor::join(lua, &subject, matches, &values)?));
        }
        if matches.len() == most {
            return Ok(Value::Nil);
        }
        match found.step(&pattern, &subject)? {
            Some(span) => {
                matches.push(span);
                Ok(Value::Table(found.table(lua, &pattern, &subject)?))
            }
            None => Ok(Value::Nil),
        }
    };
    Ok(global_function(lua, op, step)?)
}
