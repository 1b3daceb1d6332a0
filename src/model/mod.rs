//! Plain data that every other folder may use: no I/O, no clock, no Lua.

pub mod event;
pub mod failure;
pub mod handling;
pub mod job;
pub mod lua_path;
pub mod metrics;
pub mod outcome;
pub mod payload;
pub mod policy;
pub mod stop;
pub mod task;
pub mod value;

pub use failure::Failure;
pub use outcome::{Delivery, Outcome, Verdict};
pub use payload::Payload;
pub use stop::StopCause;
pub use task::{Handle, Seq, Task, TaskId, Tried};
pub use value::Value;
