//! `mpms.uuid`: names that are unique without asking anybody (RFC 9562).

use mlua::{Lua, LuaString, Table};
use uuid::Uuid;

use crate::lua::error::LibError;
use crate::lua::module::Module;

pub(super) fn module(lua: &Lua) -> mlua::Result<Table> {
    Module::new(lua, "mpms.uuid")
        .function("v4()", |_, (): ()| Ok(Uuid::new_v4().to_string()))
        // rising within the process: the crate's shared clock counts on where the milliseconds do not
        .function("v7()", |_, (): ()| Ok(Uuid::now_v7().to_string()))
        .function("parse(text)", |lua, text: LuaString| {
            let uuid = read(&text)?;
            let parts = lua.create_table()?;
            parts.raw_set("text", uuid.to_string())?;
            parts.raw_set("bytes", lua.create_string(uuid.as_bytes())?)?;
            parts.raw_set("version", uuid.get_version_num())?;
            if let Some(time) = uuid.get_timestamp() {
                let (seconds, nanos) = time.to_unix();
                parts.raw_set("time", seconds as f64 + f64::from(nanos) / 1e9)?;
            }
            Ok(parts)
        })
        .function("is_valid(text)", |_, text: LuaString| Ok(read(&text).is_ok()))
        .build()
}

/// The usual form, in either case, and no other.
fn read(text: &LuaString) -> Result<Uuid, LibError> {
    let bytes = text.as_bytes();
    match Uuid::try_parse_ascii(&bytes) {
        Ok(uuid) if bytes.len() == 36 => Ok(uuid),
        _ => {
            let shown: String = text.to_string_lossy().chars().take(60).collect();
            Err(LibError::parse(format!("a UUID is 32 hexadecimal digits as in 8-4-4-4-12, got `{shown}`")))
        }
    }
}

#[cfg(test)]
mod tests;
