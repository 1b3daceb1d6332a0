//! `mpms.yaml`: YAML 1.2 (core schema), with the binary strings and merge keys of 1.1.

use mlua::{Lua, LuaString, Table, Value};

use super::{document, fs, path};
use crate::lua::error::LibError;
use crate::lua::module::Module;
use crate::lua::options::Options;
use crate::lua::tape::{self, Shape, Tape};

mod decode;
mod emit;
mod scalar;

type TextAndOptions = (LuaString, Option<Table>);
type PathValueOptions = (LuaString, Value, Option<Table>);

pub(super) fn module(lua: &Lua) -> mlua::Result<Table> {
    Module::new(lua, "mpms.yaml")
        .function("decode(text, options)", |lua, (text, options): TextAndOptions| {
            let null = only_null(options)?;
            tape::push(lua, &decode::one(&text.as_bytes())?, &null)
        })
        .function("decode_all(text, options)", |lua, (text, options): TextAndOptions| {
            let null = only_null(options)?;
            tape::push(lua, &decode::all(&text.as_bytes())?, &null)
        })
        .function("encode(value, options)", |lua, (value, options): (Value, Option<Table>)| {
            let mut options = Options::new(options);
            let sort_keys = options.bool("sort_keys")?.unwrap_or(true);
            options.finish()?;
            Ok(lua.create_string(emit::emit(&take(lua, &value, sort_keys)?)?)?)
        })
        .waiting("read(path, options)", |lua, (name, options): TextAndOptions| {
            let (lua, path, how) = (lua.clone(), path::of(&name), document::Reading::read(options));
            async move { document::read(lua, path, how?, decode::one).await }
        })
        .waiting("write(path, value, options)", |lua, (name, value, options): PathValueOptions| {
            let (lua, path) = (lua.clone(), path::of(&name));
            let asked = Write::read(&lua, &value, options).map_err(|error| error.path(&path));
            async move {
                let Write { tape, how } = asked?;
                document::write(lua, path, how, move || emit::emit(&tape)).await
            }
        })
        .build()
}

struct Write {
    tape: Tape,
    how: fs::WriteOptions,
}

impl Write {
    fn read(lua: &Lua, value: &Value, options: Option<Table>) -> Result<Self, LibError> {
        let mut options = Options::new(options);
        let sort_keys = options.bool("sort_keys")?.unwrap_or(true);
        let how = fs::WriteOptions::read(&mut options)?;
        options.finish()?;
        Ok(Self { tape: take(lua, value, sort_keys)?, how })
    }
}

fn only_null(options: Option<Table>) -> Result<Value, LibError> {
    let mut options = Options::new(options);
    let null = document::null(&mut options)?;
    options.finish()?;
    Ok(null)
}

fn take(lua: &Lua, value: &Value, sorted: bool) -> Result<Tape, LibError> {
    tape::take(lua, value, Shape { format: "YAML", sorted })
}

#[cfg(test)]
mod tests;
