#![expect(
    unsafe_code,
    reason = "a line hook on raw states: mlua's own would take the place of the watchdog's"
)]
//! Which lines of the scripts ran: a line hook in every state of a process that asked for it.
//!
//! Hooks belong to a coroutine, and a new one has that of the coroutine which made it. So the hook is set before a state
//! has any. The watchdog takes its place where a script is over its time, and gives it back.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::slice;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use mlua::Lua;
use mlua::ffi::{self, lua_Debug, lua_State};
use serde::{Deserialize, Serialize};

mod code;

pub use code::executable;

/// How often the lines of a file ran.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ran {
    /// Canonical.
    pub file: PathBuf,
    /// Line, from 1, and count; only those that ran.
    pub lines: Vec<(u32, u64)>,
}

/// Of this process.
struct Coverage {
    /// Where names of scripts begin.
    cwd: PathBuf,
    files: Mutex<Vec<&'static File>>,
}

struct File {
    path: PathBuf,
    /// By line, from 1.
    counts: Box<[AtomicU64]>,
}

static COVERAGE: OnceLock<Coverage> = OnceLock::new();

thread_local! {
    static SEEN: RefCell<Seen> = RefCell::default();
}

/// What this thread knows of names of chunks.
#[derive(Default)]
struct Seen {
    names: Vec<(Box<[u8]>, Option<&'static File>)>,
    places: HashMap<Box<[u8]>, usize>,
    /// The one whose lines run now.
    last: usize,
}

/// From now on the states that this process makes count their lines; relative names of scripts begin at `cwd`.
pub fn begin(cwd: &Path) {
    let _ = COVERAGE.set(Coverage { cwd: cwd.to_path_buf(), files: Mutex::default() });
}

/// What has run so far in all states, and is counted from 0 again.
pub fn take() -> Vec<Ran> {
    let Some(coverage) = COVERAGE.get() else { return Vec::new() };
    let files = coverage.files.lock().unwrap_or_else(PoisonError::into_inner);
    let ran = |file: &&'static File| {
        let counts = file.counts.iter().map(|count| count.swap(0, Ordering::Relaxed));
        let lines = (0..).zip(counts).filter(|(_, count)| *count > 0).collect();
        Ran { file: file.path.clone(), lines }
    };
    files.iter().map(ran).filter(|ran| !ran.lines.is_empty()).collect()
}

/// Lets a new state count, if this process does.
///
/// # Errors
/// When Lua has no memory left.
pub(super) fn watch(lua: &Lua) -> mlua::Result<()> {
    if COVERAGE.get().is_none() {
        return Ok(());
    }
    // SAFETY: no coroutine exists yet, so this is the main one; `rest` keeps nothing on its stack
    unsafe { lua.exec_raw((), |state| rest(state)) }
}

/// Sets the hook that a coroutine has as long as nothing else wants one: that of the lines, or none.
///
/// # Safety
/// `state` is a live state of this thread.
pub(super) unsafe fn rest(state: *mut lua_State) {
    // SAFETY: the caller's promise
    unsafe {
        match COVERAGE.get() {
            Some(_) => ffi::lua_sethook(state, Some(on_line), ffi::LUA_MASKLINE, 0),
            None => ffi::lua_sethook(state, None, 0, 0),
        }
    }
}

/// # Safety
/// Called by Lua.
unsafe extern "C-unwind" fn on_line(state: *mut lua_State, debug: *mut lua_Debug) {
    // SAFETY: the caller's promise; the name lives as long as its function, which runs
    unsafe {
        let line = (*debug).currentline;
        if ffi::lua_getinfo(state, c"S".as_ptr(), debug) != 0 {
            let name = slice::from_raw_parts((*debug).source.cast::<u8>(), (*debug).srclen);
            // others are from no file
            if name.first() == Some(&b'@') {
                count(name, line);
            }
        }
    }
}

fn count(name: &[u8], line: i32) {
    let counted = SEEN.try_with(|seen| {
        let file = seen.borrow_mut().find(name);
        let line = usize::try_from(line).ok();
        if let Some(count) = file.zip(line).and_then(|(file, line)| file.counts.get(line)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    });
    // a thread that ends has no Lua to run
    let _ = counted;
}

impl Seen {
    fn find(&mut self, name: &[u8]) -> Option<&'static File> {
        if let Some((last, file)) = self.names.get(self.last)
            && **last == *name
        {
            return *file;
        }
        self.last = self.places.get(name).copied().unwrap_or_else(|| {
            self.names.push((name.into(), file_of(name)));
            self.places.insert(name.into(), self.names.len() - 1);
            self.names.len() - 1
        });
        self.names[self.last].1
    }
}

/// The file that a chunk is from; code that is in no file has none.
fn file_of(name: &[u8]) -> Option<&'static File> {
    let coverage = COVERAGE.get()?;
    let name = std::str::from_utf8(name.strip_prefix(b"@")?).ok()?;
    let path = coverage.cwd.join(name).canonicalize().ok()?;
    let mut files = coverage.files.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(file) = files.iter().find(|file| file.path == path) {
        return Some(file);
    }
    let text = std::fs::read(&path).ok()?;
    let lines = text.iter().filter(|byte| **byte == b'\n').count() + 2;
    let counts = (0..lines).map(|_| AtomicU64::new(0)).collect();
    // states keep it as long as the process lives
    let file: &'static File = Box::leak(Box::new(File { path, counts }));
    files.push(file);
    Some(file)
}
