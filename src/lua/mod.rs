//! Everything that knows Lua.

pub mod error;
pub mod module;
pub mod options;
pub mod require;
pub mod std;
