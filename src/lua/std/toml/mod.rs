//! `mpms.toml`.

use mlua::{Lua, LuaString, Table, Value};

use super::{document, fs, path};
use crate::lua::error::LibError;
use crate::lua::module::Module;
use crate::lua::options::Options;
use crate::lua::tape::{self, Shape, Tape};

mod date;
mod decode;
mod depth;
mod encode;

type PathValueOptions = (LuaString, Value, Option<Table>);

pub(super) fn module(lua: &Lua) -> mlua::Result<Table> {
    date::register(lua)?;
    Module::new(lua, "mpms.toml")
        .function("decode(text)", |lua, text: LuaString| {
            tape::push(lua, &decode::decode(&text.as_bytes())?, &Value::NULL)
        })
        .function("encode(value)", |lua, value: Value| {
            Ok(lua.create_string(encode::encode(&take(lua, &value)?)?)?)
        })
        .waiting("read(path, options)", |lua, (name, options): (LuaString, Option<Table>)| {
            let (lua, path, how) = (lua.clone(), path::of(&name), document::Reading::without_null(options));
            async move { document::read(lua, path, how?, decode::decode).await }
        })
        .waiting("write(path, value, options)", |lua, (name, value, options): PathValueOptions| {
            let (lua, path) = (lua.clone(), path::of(&name));
            let asked = write_options(options).and_then(|how| Ok((take(&lua, &value)?, how)));
            async move {
                let (tape, how) = asked.map_err(|error| error.path(&path))?;
                document::write(lua, path, how, move || encode::encode(&tape)).await
            }
        })
        .function("date(text)", |lua, text: LuaString| date::make(lua, &text))
        .build()
}

fn write_options(options: Option<Table>) -> Result<fs::WriteOptions, LibError> {
    let mut options = Options::new(options);
    let how = fs::WriteOptions::read(&mut options)?;
    options.finish()?;
    Ok(how)
}

fn take(lua: &Lua, value: &Value) -> Result<Tape, LibError> {
    tape::take(lua, value, Shape { format: "TOML", sorted: true })
}

#[cfg(test)]
mod tests;
