//! What outlives a crash: the journal of a run, a SQLite database of its own under `.mpms/runs/<id>/`.
//!
//! * [`home`]: the folder of all runs; [`create`], [`reopen`] and [`scratch`] give the journal of one
//! * [`writer`]: one [`record::Group`] a transaction; [`reader`]: keys and waiting tasks, on a connection of its own
//! * [`past`] and [`known`]: what a resume needs to know
//! * [`view`]: for those who look from outside, also while the run goes on
//!
//! The format has a version, [`schema::VERSION`]; `tests/journal/samples` holds a journal of each one.

pub mod begin;
pub mod disk;
pub mod error;
pub mod home;
pub mod known;
pub mod past;
pub mod reader;
pub mod record;
pub mod schema;
pub mod view;
pub mod writer;

mod database;
mod first_sync;
mod group;
mod lock;
mod open;
mod packed;
mod retry;
mod rows;
mod temporary;

pub use begin::{Begin, Text};
pub use disk::Disk;
pub use error::JournalError;
pub use home::{Home, RunDir};
pub use known::{Known, Seen};
pub use open::{Journal, create, reopen, scratch};
pub use past::Past;
pub use reader::Reader;
pub use view::{FailureGroup, RunInfo, RunState, View};
pub use writer::Writer;
