//! TOML text in, checked manifest out, every error with its place.
//!
//! [`read`] takes a file's text, [`check`] makes a [`Manifest`] of it and of the `--set` flags, with
//! everything that is wrong at once. A setting that nobody wrote stays `None`: defaults are `plan`'s.

mod amount;
mod check;
mod diagnostic;
mod job;
mod keys;
mod limits;
mod output;
mod overrides;
mod read;
mod retries;
mod run;
mod section;
mod set;
mod suggest;
mod syntax;
mod tasks;
mod texts;
mod value;
mod worker;

pub use amount::literal_duration;
pub use check::{check, sort};
pub use diagnostic::{Diagnostic, Label, Patch, Place, Severity, SourceText, Spot};
pub use job::{Located, Lua, Manifest};
pub use limits::LimitTable;
pub use output::{Output, OutputFormat, OutputMode};
pub use overrides::{Overrides, OwnOutput, Processes};
pub use read::{MAX_FILE_BYTES, read, read_limited};
pub use retries::Retries;
pub use run::{MaxFail, Run};
pub use section::shorten;
pub use suggest::closest;
pub use tasks::{KeyField, Source, Tasks};
pub use value::literal;
pub use worker::{
    Body, Handler, MAX_AT_ONCE, MAX_COROUTINES, MAX_PROCESSES, MAX_THREADS, MIN_MEMORY, Worker,
};
