//! The keeper: a small process with one thread that forks the workers, reaps them, and leaves nobody behind.
//!
//! The coordinator starts its own program again ([`KeeperLink::start`]), and that one calls [`serve()`]. Between them is one
//! socket of records (`protocol`), which the keeper gets as its standard input, so that no other child can inherit it.
//!
//! Who ends whom:
//!
//! | dies | what happens |
//! |---|---|
//! | a worker | the keeper kills its process group and the orphans it left, then reports |
//! | the coordinator | the keeper sees the end of the socket, or of the process, kills every descendant, and ends |
//! | the keeper | its workers get SIGKILL (`PR_SET_PDEATHSIG`); the orphans come to the coordinator, see [`kill_orphans`] |
//! | keeper and coordinator | workers and their commands end by their death signals; a daemon (`setsid`, double fork) stays |
//!
//! [`kill_orphans`]: super::process::kill_orphans

mod death;
mod link;
mod protocol;
mod seat;
mod serve;

pub use death::Death;
pub use link::{KeeperLink, KeeperOptions, KeeperReport, WorkerProcess};
pub use seat::{WORKER_MARK, WorkerSeat};
pub use serve::serve;

/// The hidden first argument with which the program starts as the keeper.
pub const KEEPER_ARGUMENT: &str = "__keeper";
