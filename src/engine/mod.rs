//! Which task runs where and when: a pure state machine. No I/O, no clock, no Lua; time arrives as an input.
//!
//! One call of [`Engine::step`] takes one [`Input`] (a batch, as it came in) and appends [`Action`]s, which the loop
//! carries out in their order. What a fault is to the caller is data here: nothing returns a `Result`.

mod action;
mod config;
mod input;
mod state;

pub use action::{Action, Kill};
pub use config::Config;
pub use input::{Input, StartFailure};
pub use state::{Engine, TaskView};

/// A seat of the pool, from 1: the number stays when the process in it is replaced.
pub type WorkerId = u32;
