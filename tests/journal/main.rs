//! The journal, with real files and real processes.

#![expect(clippy::unwrap_used, reason = "tests")]

mod basics;
mod build;
mod damage;
mod figures;
mod homes;
mod laws;
mod processes;
mod samples;
mod views;
