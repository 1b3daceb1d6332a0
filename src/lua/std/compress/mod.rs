//! x
pub(super) fn module(lua: &mlua::Lua) -> mlua::Result<mlua::Table> { crate::lua::module::Module::new(lua, "mpms.compress").build() }
