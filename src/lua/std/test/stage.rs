//! What stands in for the attempt of a worker, the desk of the handler and the source.

use std::cell::{Cell, OnceCell, RefCell};
use std::io;
use std::path::PathBuf;

use tempfile::TempDir;

use super::play::{Order, Part, Progress};
use crate::lua::role::worker::{Attempts, check_state};
use crate::lua::role::{AtHand, Facts, Outlet};
use crate::lua::watchdog;
use crate::model::TaskId;
use crate::model::task::TaskOptions;

/// Keeps what a role puts, emits and says.
pub struct Stage {
    id: TaskId,
    key: Option<Vec<u8>>,
    args: Vec<u8>,
    attempt: u32,
    max_attempts: u32,
    worker: u32,
    elapsed_ns: u64,
    cancelled: bool,
    state: Option<Vec<u8>>,
    pub saved: RefCell<Option<Vec<u8>>>,
    pub cancels: RefCell<Vec<String>>,
    /// `task.dir`
    folder: OnceCell<TempDir>,
    /// For how many puts there is room.
    room: usize,
    emits: bool,
    puts_outside: bool,
    pub full: Cell<bool>,
    pub running: Cell<bool>,
    pub closed: Cell<bool>,
    pub deferring: Cell<bool>,
    pub puts: RefCell<Vec<(Vec<u8>, Option<TaskOptions>)>>,
    pub rows: RefCell<Vec<Vec<u8>>>,
    pub progress: RefCell<Vec<Progress>>,
    pub died: RefCell<Option<String>>,
}

/// Puts of one call that are kept; beyond, something runs away.
const MOST_PUTS: usize = 1_000_000;

impl Stage {
    /// For the task of the order.
    pub fn new(order: &Order) -> Self {
        let (task, room) = match &order.part {
            Part::Worker(task) | Part::Handler { task, .. } => (Some(task), MOST_PUTS),
            Part::Tasks { limit } => (None, *limit),
        };
        Stage {
            id: task.map_or(TaskId::ROOT, |task| task.id),
            key: task.and_then(|task| task.key.clone()),
            args: task.map(|task| task.own_args.clone()).unwrap_or_default(),
            attempt: task.map_or(1, |task| task.attempt),
            max_attempts: task.map_or(1, |task| task.max_attempts),
            worker: task.map_or(1, |task| task.worker),
            elapsed_ns: task.map_or(0, |task| task.elapsed_ns),
            cancelled: task.is_some_and(|task| task.cancelled),
            state: task.and_then(|task| task.state.clone()),
            saved: RefCell::default(),
            cancels: RefCell::default(),
            folder: OnceCell::new(),
            room,
            emits: task.is_some(),
            puts_outside: !matches!(order.part, Part::Worker(_)),
            full: Cell::default(),
            running: Cell::default(),
            closed: Cell::default(),
            deferring: Cell::default(),
            puts: RefCell::default(),
            rows: RefCell::default(),
            progress: RefCell::default(),
            died: RefCell::default(),
        }
    }

    fn may(&self, what: &str) -> Result<(), String> {
        if self.closed.get() {
            return Err(format!("{what}: the run is complete, `finish` cannot add to it"));
        }
        match self.puts_outside || self.running.get() {
            true => Ok(()),
            false => Err(format!("{what}: no task is running here; call it in the worker role")),
        }
    }
}

impl Outlet for Stage {
    fn put(&self, args: &[u8], options: Option<TaskOptions>) -> Result<(), String> {
        self.may("put")?;
        let mut puts = self.puts.borrow_mut();
        if puts.len() >= self.room {
            self.full.set(true);
            return Err(format!("put: there is room for {} tasks", self.room));
        }
        puts.push((args.to_vec(), options));
        Ok(())
    }

    fn emit(&self, row: &[u8]) -> Result<(), String> {
        if !self.emits {
            return Err("emit: rows come from the worker and the handler, not from `tasks`".into());
        }
        self.may("emit")?;
        self.rows.borrow_mut().push(row.to_vec());
        Ok(())
    }
}

impl AtHand for Stage {
    fn read(&self, read: &mut dyn FnMut(&Facts<'_>)) {
        if self.running.get() {
            read(&Facts {
                id: self.id,
                key: self.key.as_deref(),
                args: &self.args,
                attempt: self.attempt,
                worker: self.worker,
                elapsed_ns: self.elapsed_ns,
            });
        }
    }
}

impl Attempts for Stage {
    fn progress(&self, done: f64, total: Option<f64>, message: Option<String>) {
        self.progress.borrow_mut().push((done, total, message));
    }

    fn max_attempts(&self) -> u32 {
        self.max_attempts
    }

    fn deadline(&self) -> Option<f64> {
        None
    }

    fn is_cancelled(&self) -> bool {
        self.cancelled || watchdog::is_over()
    }

    fn die(&self, reason: &str) {
        self.died.replace(Some(reason.to_owned()));
    }

    fn save(&self, state: &[u8]) -> Result<(), String> {
        self.may("task.save")?;
        check_state(state)?;
        self.saved.replace(Some(state.to_vec()));
        Ok(())
    }

    fn state(&self, read: &mut dyn FnMut(&[u8])) {
        if let Some(state) = self.saved.borrow().as_ref().or(self.state.as_ref()) {
            read(state);
        }
    }

    fn dir(&self) -> Result<PathBuf, (PathBuf, io::Error)> {
        if let Some(folder) = self.folder.get() {
            return Ok(folder.path().to_path_buf());
        }
        let made = tempfile::tempdir().map_err(|error| (std::env::temp_dir(), error))?;
        Ok(self.folder.get_or_init(|| made).path().to_path_buf())
    }

    fn cancel(&self, key: &str, _: &[u128]) -> Result<(), String> {
        self.may("task.cancel")?;
        self.cancels.borrow_mut().push(key.to_owned());
        Ok(())
    }

    fn set_deferring(&self) -> u32 {
        self.deferring.set(true);
        0
    }
}
