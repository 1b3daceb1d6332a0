//! Everything that knows Lua: states, scripts, the value code on the stack, the library.

pub mod away;
mod border;
pub mod call;
mod compat;
pub mod coroutine;
pub mod coverage;
mod debug;
#[cfg(test)]
mod declared;
pub mod error;
pub mod frozen;
pub mod hand;
pub mod module;
pub mod options;
mod outside;
pub mod pool;
pub mod port;
pub mod prelude;
pub mod put;
pub mod random;
pub mod require;
pub mod role;
pub mod scheduler;
pub mod script;
pub mod shell;
pub mod spec;
pub mod stack;
pub mod started;
pub mod state;
pub mod std;
mod tape;
pub mod types;
pub mod verb;
pub mod watchdog;
