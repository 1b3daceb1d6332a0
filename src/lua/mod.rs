//! Everything that knows Lua.

pub mod std;
