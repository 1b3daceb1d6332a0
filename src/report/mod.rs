//! What a person or a program sees of a run.

pub mod diagnostic;
