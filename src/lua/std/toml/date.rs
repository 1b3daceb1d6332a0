//! The dates of TOML: a text with its own type, so that it is written as a date again.

use mlua::{Lua, LuaString, Table, Value};
use toml::value::Datetime;

use crate::lua::error::LibError;
use crate::lua::module::Methods;
use crate::lua::tape;

/// The metatable of dates.
struct DateMeta(Table);

pub(super) fn register(lua: &Lua) -> mlua::Result<()> {
    let meta = Methods::new(lua, "toml.Date")
        .method("text()", |_, date: Table| text(&date))
        .method("kind()", |_, date: Table| {
            let date = parsed(&text(&date)?.as_bytes())?;
            Ok(match (date.date, date.time, date.offset) {
                (Some(_), Some(_), Some(_)) => "datetime",
                (Some(_), Some(_), None) => "local_datetime",
                (Some(_), None, _) => "date",
                (None, ..) => "time",
            })
        })
        .metatable()?;
    let shown = lua.create_function(|_, date: Table| date.raw_get::<LuaString>(1))?;
    meta.raw_set("__tostring", shown)?;
    let code = "local meta, rawget, getmetatable, tostring = ...
        meta.__eq = function(a, b) return getmetatable(a) == getmetatable(b) and rawget(a, 1) == rawget(b, 1) end
        meta.__concat = function(a, b) return tostring(a) .. tostring(b) end";
    let base = |name: &str| lua.globals().raw_get::<Value>(name);
    let given = (&meta, base("rawget")?, base("getmetatable")?, base("tostring")?);
    lua.load(code).set_name("=mpms").call::<()>(given)?;
    tape::set_date_mark(lua, meta.clone());
    lua.set_app_data(DateMeta(meta));
    Ok(())
}

/// The date of a text.
///
/// # Errors
/// `parse` when it is none.
pub(super) fn make(lua: &Lua, text: &LuaString) -> Result<Table, LibError> {
    let date = parsed(&text.as_bytes())?;
    let table = lua.create_table_with_capacity(1, 0)?;
    table.raw_set(1, date.to_string())?;
    table.set_metatable(lua.app_data_ref::<DateMeta>().map(|meta| meta.0.clone()))?;
    Ok(table)
}

fn text(date: &Table) -> Result<LuaString, LibError> {
    date.raw_get(1).map_err(|_| LibError::invalid("the date has lost its text"))
}

/// With seconds, as RFC 3339 wants them and TOML 1.1 does not.
pub(super) fn whole(mut date: Datetime) -> Datetime {
    if let Some(time) = &mut date.time {
        time.second.get_or_insert(0);
    }
    date
}

/// # Errors
/// `parse` when it is no date.
pub(super) fn parsed(text: &[u8]) -> Result<Datetime, LibError> {
    let text = String::from_utf8_lossy(text);
    text.trim().parse().map(whole).map_err(|_| {
        let shown: String = text.chars().take(60).collect();
        LibError::parse(format!(
            "`{shown}` is no date of TOML: write 2026-11-22T13:30:00Z, without offset, or a part"
        ))
    })
}
