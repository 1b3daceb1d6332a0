//! `mpms.codec`: bytes as text and back, and MessagePack.

use data_encoding::HEXLOWER;
use mlua::{Lua, LuaString, Table, Value};

use self::letters::{Alphabet, Form};
use crate::lua::error::LibError;
use crate::lua::module::Module;
use crate::lua::options::Options;

mod letters;
mod msgpack;

pub(super) fn module(lua: &Lua) -> mlua::Result<Table> {
    Module::new(lua, "mpms.codec")
        .value("base64", text_codec(lua, "mpms.codec.base64", Alphabet::Base64)?)
        .value("base64url", text_codec(lua, "mpms.codec.base64url", Alphabet::Base64Url)?)
        .value("base32", text_codec(lua, "mpms.codec.base32", Alphabet::Base32)?)
        .value("hex", hex_codec(lua)?)
        .value("msgpack", msgpack_codec(lua)?)
        .build()
}

fn text_codec(lua: &Lua, name: &'static str, alphabet: Alphabet) -> mlua::Result<Table> {
    decoder(Module::new(lua, name), alphabet)
        .function("encode(bytes, options)", move |lua, (bytes, options): (LuaString, Option<Table>)| {
            let mut options = Options::new(options);
            let form = Form::read(&mut options, alphabet)?;
            options.finish()?;
            Ok(lua.create_string(form.encoding().encode(&bytes.as_bytes()))?)
        })
        .build()
}

fn hex_codec(lua: &Lua) -> mlua::Result<Table> {
    decoder(Module::new(lua, "mpms.codec.hex"), Alphabet::Hex)
        .function("encode(bytes)", |_, bytes: LuaString| Ok(HEXLOWER.encode(&bytes.as_bytes())))
        .build()
}

fn decoder(module: Module, alphabet: Alphabet) -> Module {
    module.function("decode(text, options)", move |lua, (text, options): (LuaString, Option<Table>)| {
        let mut options = Options::new(options);
        let form = Form::read(&mut options, alphabet)?.that_skips(&mut options)?;
        options.finish()?;
        Ok(lua.create_string(form.decode(&text.as_bytes())?)?)
    })
}

fn msgpack_codec(lua: &Lua) -> mlua::Result<Table> {
    Module::new(lua, "mpms.codec.msgpack")
        .function("encode(value)", |lua, value: Value| Ok(lua.create_string(msgpack::encode(lua, &value)?)?))
        .function("decode(bytes)", |lua, bytes: LuaString| -> Result<Value, LibError> {
            msgpack::decode(lua, &bytes.as_bytes())
        })
        .build()
}

#[cfg(test)]
mod tests;
