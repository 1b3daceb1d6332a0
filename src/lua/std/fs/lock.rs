//! Advisory locks on files (`flock`): between processes, threads and states alike.

use std::cell::RefCell;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use mlua::{AnyUserData, Lua, LuaString, Table};

use crate::lua::error::LibError;
use crate::lua::module::object;
use crate::lua::options::Options;
use crate::lua::std::path;

/// A lock that is held until it is released, collected, or its process ends.
pub(super) struct Lock(RefCell<Option<File>>);

impl Lock {
    /// Closing the file gives the lock back; twice does no harm.
    pub fn release(&self) {
        self.0.borrow_mut().take();
    }
}

pub(super) struct Asked {
    path: PathBuf,
    shared: bool,
    timeout: Option<Duration>,
}

impl Asked {
    pub fn read(name: &LuaString, options: Option<Table>) -> Result<Self, LibError> {
        let mut options = Options::new(options);
        let shared = options.bool("shared")?.unwrap_or(false);
        let timeout = options.duration("timeout")?;
        options.finish()?;
        Ok(Self { path: path::of(name), shared, timeout })
    }
}

/// The lock, or nil and `"timeout"`. Asks again and again: a blocking `flock` could not be interrupted.
pub(super) async fn take(
    lua: &Lua,
    asked: Asked,
) -> Result<(Option<AnyUserData>, Option<&'static str>), LibError> {
    let wrong = |error: std::io::Error| LibError::file(&error, &asked.path);
    let mut open = OpenOptions::new();
    let file = open.read(true).write(true).create(true).truncate(false).open(&asked.path).map_err(wrong)?;
    let start = Instant::now();
    let mut pause = Duration::from_millis(1);
    loop {
        match if asked.shared { file.try_lock_shared() } else { file.try_lock() } {
            Ok(()) => return Ok((Some(object(lua, Lock(RefCell::new(Some(file))))?), None)),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(wrong(error)),
        }
        let left = asked.timeout.map(|timeout| timeout.saturating_sub(start.elapsed()));
        if left == Some(Duration::ZERO) {
            return Ok((None, Some("timeout")));
        }
        tokio::time::sleep(left.map_or(pause, |left| pause.min(left))).await;
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}
