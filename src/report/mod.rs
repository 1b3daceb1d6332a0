//! What a person or a program sees of a run.
//!
//! [`spawn`] starts one thread that receives [`Event`]s and passes each to its [`Listener`]s: the
//! [`human`] one writes lines and a bar to standard error, the [`json`] one an event a line to standard
//! output; a durable run keeps its events in a file, and `--joblog` asks for another. A listener that fails is dropped and named at the end; the run does not notice.

use std::io;

use crate::model::event::Event;

mod allowance;
mod bar;
pub mod diagnostic;
pub mod events;
pub mod human;
pub mod joblog;
pub mod json;
mod metrics;
mod options;
mod plain;
mod pump;
mod reports;
mod speed;
mod task_progress;
mod thread;
pub mod units;

pub use options::{ColorChoice, Format, Kept, ProgressStyle, ReportOptions, Verbosity};
pub use reports::{Dropped, Reports};
pub use thread::{Reporter, spawn};

/// Someone who is told what happens. The first error ends the listener, not the run.
pub trait Listener {
    /// One thing that happened.
    fn event(&mut self, event: &Event) -> io::Result<()>;

    /// Called about ten times a second, for what moves with the clock.
    fn tick(&mut self) -> io::Result<()>;

    /// Nothing follows: leave the terminal as it was found, wait for what is not written yet.
    fn end(&mut self) -> io::Result<()> {
        Ok(())
    }
}
