//! Whole runs of the program: real processes, real signals, real deaths.
//!
//! Every run has an outer time limit, and leaves no process behind: both are checked for each one, see [`job`].

mod chaos;
mod coordinator;
mod crashes;
mod job;
mod kept;
mod library;
mod limits;
mod metrics;
mod outputs;
mod places;
mod policies;
mod processes;
mod puts;
mod random;
mod resume;
mod roles;
mod sandbox;
mod secrets;
mod signals;
mod specs;
mod start;
mod types;
mod values;
