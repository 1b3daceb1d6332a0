//! Which task runs where and when: a pure state machine. No I/O, no clock, no Lua; time arrives as an input.
//!
//! One call of [`Engine::step`] takes one [`Input`] (a batch, as it came in) and appends [`Action`]s, which the loop
//! carries out in their order. What is a fault elsewhere is data here: nothing returns a `Result`.
//!
//! A task's way: `accept` (`keys`, `stored`, delay) → `ready`, or `limits` when there are any → `dispatch` (seats, windows) →
//! `outcomes` → `order` → the handler and its commit (`backlog`). Off that way: `retry` tries again what failed, `recall` takes back
//! what a worker has not started, `quarantine` sorts out what a dead worker held, `timeout` ends what does not end, `cancel`
//! what is not wanted any more, `belongings` has what attempts save for later ones, `recycle` replaces workers, `breaker`
//! gives up on those that never start, `stop` and `quiescence` end the run.

mod accept;
mod action;
mod backlog;
mod belongings;
mod blame;
mod breaker;
mod cancel;
#[cfg(test)]
mod cases;
mod config;
mod delay;
mod dispatch;
pub mod drive;
mod entry;
mod input;
mod keys;
#[cfg(test)]
mod laws;
mod limited;
mod limits;
mod order;
mod outcomes;
mod quarantine;
mod quiescence;
mod ready;
mod recall;
mod recycle;
mod retry;
mod seats;
#[cfg(test)]
mod simulator;
mod slab;
#[cfg(test)]
mod speed;
mod start;
mod state;
mod stop;
mod stored;
mod timeout;
mod times;
mod window;
mod words;

pub use action::{Action, Kill, Retry};
pub use backlog::Ends;
pub use blame::Death;
pub use config::Config;
pub use input::{Input, StartFailure};
pub use state::{Engine, TaskView};
pub use stored::Fetch;

/// A seat of the pool, from 1: the number stays when the process in it dies and another one takes its place. One that is
/// replaced though it is well keeps its seat until it has ended; its successor has the lowest number that is free.
pub type WorkerId = u32;
