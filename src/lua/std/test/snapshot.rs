//! `test.snapshot`: a value as it was when somebody looked at it and found it right.

use std::path::PathBuf;

use mlua::{Function, Lua, LuaString, Table, Value};

use super::context::Context;
use super::diff::diff;
use crate::lua::error::LibError;
use crate::lua::module::Shim;

/// Larger ones help nobody.
const MOST: usize = 4 << 20;

/// Compares the value with its file, or writes it with `--update`.
///
/// # Errors
/// `assertion` when it differs or is not there.
pub fn check(lua: &Lua, name: &LuaString, value: &Value) -> Result<(), LibError> {
    let context = Context::of(lua)?;
    let name = name.to_string_lossy();
    let file = place(&context, &name)?;
    if !context.snapshots.borrow_mut().insert(name.clone()) {
        return Err(LibError::invalid(format!("this test has a snapshot `{name}` already")));
    }
    let text = text_of(lua, value)?;
    if text.len() > MOST {
        return Err(LibError::new("too_large", format!("the snapshot `{name}` is larger than 4 MiB")));
    }
    let failed = |error: std::io::Error| LibError::file(&error, &file);
    let old = match std::fs::read(&file) {
        Ok(old) => Some(old),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(failed(error)),
    };
    if old.as_deref() == Some(&text[..]) {
        return Ok(());
    }
    if context.update {
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        std::fs::write(&file, &text).map_err(failed)?;
        context.written.set(context.written.get() + 1);
        return Ok(());
    }
    let spec = context.shown(&context.file);
    let message = match old {
        None => {
            format!(
                "test.snapshot: `{name}` is not written yet; look at the value and write it: mpms test {spec} --update"
            )
        }
        Some(old) => {
            let lines = diff(&String::from_utf8_lossy(&old), &String::from_utf8_lossy(&text));
            format!(
                "test.snapshot: `{name}` has changed; if that is right: mpms test {spec} --update\n{lines}"
            )
        }
    };
    let table = lua.create_table()?;
    table.raw_set("code", "assertion")?;
    table.raw_set("message", message)?;
    table.raw_set("retryable", false)?;
    table.set_metatable(Some(Shim::of(lua)?.error_metatable))?;
    Err(LibError::raised(Value::Table(table)))
}

/// `__snapshots__/crawl_spec/NAME.snap` beside the spec.
fn place(context: &Context, name: &str) -> Result<PathBuf, LibError> {
    let plain: String =
        name.chars().map(|c| if c.is_alphanumeric() || "._-".contains(c) { c } else { '_' }).collect();
    if plain.trim_matches(['.', '_']).is_empty() || plain.len() > 200 {
        return Err(LibError::invalid("argument 1 (name) must be a name of 1 to 200 letters"));
    }
    let stem = context.file.file_stem().unwrap_or_default();
    let folder = context.file.parent().unwrap_or(&context.cwd).join("__snapshots__").join(stem);
    Ok(folder.join(format!("{plain}.snap")))
}

/// A string as it is, everything else as assertions show it, with a line's end.
fn text_of(lua: &Lua, value: &Value) -> Result<Vec<u8>, LibError> {
    if let Value::String(text) = value {
        return Ok(text.as_bytes().to_vec());
    }
    let show: Option<Show> = lua.app_data_ref::<Show>().map(|show| show.clone());
    let show = show.ok_or_else(|| LibError::invalid("there are no snapshots here"))?;
    let text: LuaString = show.0.call((value, true))?;
    Ok([&text.as_bytes()[..], b"\n"].concat())
}

/// The function of `assert.lua` that shows values.
#[derive(Clone)]
pub struct Show(Function);

/// Keeps it.
///
/// # Errors
/// When there is none.
pub fn set_show(lua: &Lua, functions: &Table) -> mlua::Result<()> {
    let show = Show(functions.raw_get("show")?);
    lua.set_app_data(show);
    Ok(())
}
