//! `mpms` runs batch jobs that live in a repository.
//!
//! The modules below are the stops of a task's path, from the manifest to the exit code:
//!
//! * [`manifest`]: TOML text in, checked manifest out, every error with its place
//! * [`plan`]: manifest and flags settled into one plan; the only place of defaults
//! * [`source`]: where tasks come from
//! * [`engine`]: which task runs where and when (a pure state machine), and the loop that carries it out
//! * [`wire`]: what coordinator and workers say to each other
//! * [`worker`]: the forked child, its threads, the Lua worker
//! * [`handler`]: the Lua handler in the coordinator, and what it commits
//! * [`journal`]: what outlives a crash, and the tasks that memory does not hold
//! * [`output`]: rows to files
//! * [`report`]: what a person or a program sees of a run
//! * [`cli`] and [`app`]: the command line, and the commands that put the stops together
//!
//! Below all of them: [`model`] (plain data), [`os`] (every system call) and [`lua`] (everything that knows Lua).

pub mod app;
pub mod cli;
pub mod engine;
pub mod handler;
pub mod journal;
pub mod lua;
pub mod manifest;
pub mod model;
pub mod os;
pub mod output;
pub mod plan;
pub mod report;
pub mod source;
pub mod wire;
pub mod worker;
