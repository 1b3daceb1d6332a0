//! Every system call of the program, and every `unsafe`.
//!
//! Linux only, kernel 5.9 or later (`pidfd_open`, `waitid(P_PIDFD)`, `close_range`).
//!
//! * [`keeper`]: the process that forks workers, and its handle in the coordinator
//! * [`slots`]: which task runs on which thread, in memory that outlives the worker
//! * [`socket`], [`poll`], [`wake`]: talk, wait, wake up
//! * [`signals`], [`exit`]: how the program is asked to end, and how it does
//! * [`poke`]: waking one thread out of whatever it does
//! * [`command`]: external commands, ended with all that they started
//! * [`disk`]: file systems and syncs
//! * [`secrets`]: values of the environment that nobody gets to see
//! * [`clock`], [`started`], [`cpus`], [`memory`], [`usage`], [`limits`], [`title`]: measures and settings of a process

pub mod allocator;
pub mod clock;
pub mod command;
pub mod cpus;
pub mod disk;
pub mod exit;
pub mod handoff;
pub mod keeper;
pub mod limits;
pub mod memory;
pub mod pidfd;
pub mod poke;
pub mod poll;
pub mod process;
pub mod secrets;
pub mod signals;
pub mod slots;
pub mod socket;
pub mod started;
pub mod title;
pub mod usage;
pub mod wake;

mod cgroup;
pub mod fork;
