//! The journal, with real files.

#![expect(clippy::unwrap_used, reason = "tests")]

mod basics;
mod build;
