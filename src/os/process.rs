//! The children of this process: its own, and the orphans that it adopted as a subreaper.
//!
//! A process that adopts orphans must tell them from the commands that it runs itself, which somebody waits for. So
//! every start of a child goes through [`begin_spawn`], and [`kill_orphans`] ends the others only.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use super::pidfd::PidFd;
use super::usage::try_reap;

/// How long a killed process may take to die: long enough to give back much memory, shorter than a broken disk takes.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a stopped process may take to stand still.
const STOP_PATIENCE: Duration = Duration::from_millis(200);

/// Held for reading while a child is started and entered, for writing while orphans are killed.
static SPAWNING: RwLock<()> = RwLock::new(());
static OWN: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());

/// A child is about to be started; as long as this lives, [`kill_orphans`] waits.
#[derive(Debug)]
#[must_use = "the child must be entered with `born`"]
pub struct Spawning(#[expect(dead_code, reason = "held, not read")] RwLockReadGuard<'static, ()>);

/// Announces the start of a child that this process waits for itself.
pub fn begin_spawn() -> Spawning {
    Spawning(SPAWNING.read().unwrap_or_else(PoisonError::into_inner))
}

impl Spawning {
    /// The child is there. Drop the result after it was reaped.
    pub fn born(self, pid: i32) -> OwnChild {
        own().insert(pid);
        OwnChild { pid }
    }
}

/// An entry for a child that is no orphan.
#[derive(Debug)]
pub struct OwnChild {
    pid: i32,
}

impl OwnChild {
    /// Its pid.
    pub fn pid(&self) -> i32 {
        self.pid
    }
}

impl Drop for OwnChild {
    fn drop(&mut self) {
        own().remove(&self.pid);
    }
}

fn own() -> MutexGuard<'static, BTreeSet<i32>> {
    OWN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From now on orphans among the descendants of this process become its children.
pub fn adopt_orphans() -> io::Result<()> {
    Ok(prctl::set_child_subreaper(true)?)
}

/// Kills and reaps every child of this process that it did not start itself, and their children as they are adopted,
/// until none is left. To be called when the keeper has died: its workers and what they started are orphans then.
///
/// Errors with `TimedOut` when some do not die within 10 s (in the kernel, or owned by another user).
pub fn kill_orphans() -> io::Result<()> {
    let _no_births = SPAWNING.write().unwrap_or_else(PoisonError::into_inner);
    end_children(|pid| own().contains(&pid))
}

/// Processes that stand still as long as this lives.
#[derive(Debug, Default)]
pub struct Stopped(Vec<(i32, PidFd)>);

impl Drop for Stopped {
    fn drop(&mut self) {
        for (_, process) in &self.0 {
            // one that was killed meanwhile needs nothing
            let _ = process.go_on();
        }
    }
}

/// Stops every descendant of this process, but the child `spare`, whose descendants are stopped too. Comes back when all
/// stand still, or after a fifth of a second: one may be in the kernel. What was stopped before stays so later.
pub fn stop_descendants(spare: Option<i32>) -> io::Result<Stopped> {
    let until = Instant::now() + STOP_PATIENCE;
    let mut stopped = Stopped::default();
    loop {
        let mut moving = false;
        for (pid, state) in descendants()? {
            if Some(pid) == spare || matches!(state, 'T' | 't' | 'Z' | 'X') {
                continue;
            }
            moving = true;
            if stopped.0.iter().all(|(known, _)| *known != pid)
                && let Ok(process) = PidFd::open(pid)
                && process.stop().is_ok()
            {
                stopped.0.push((pid, process));
            }
        }
        // what a process started in its last moment is found by the next look
        if !moving || Instant::now() >= until {
            return Ok(stopped);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Those of this process with their states, parents before children.
fn descendants() -> io::Result<Vec<(i32, char)>> {
    let all = processes()?;
    let mut parents = vec![i32::try_from(std::process::id()).map_err(io::Error::other)?];
    let mut found = Vec::new();
    while !parents.is_empty() {
        let children = all.iter().filter(|process| parents.contains(&process.parent));
        let children: Vec<(i32, char)> = children.map(|process| (process.pid, process.state)).collect();
        parents = children.iter().map(|(pid, _)| *pid).collect();
        found.extend(children);
    }
    Ok(found)
}

/// As [`kill_orphans`], for the children that are not spared.
pub(super) fn end_children(spare: impl Fn(i32) -> bool) -> io::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let left: Vec<i32> = children()?.iter().map(|child| child.pid).filter(|pid| !spare(*pid)).collect();
        if left.is_empty() {
            return Ok(());
        }
        let killed = left.iter().filter(|pid| kill_child(**pid)).count();
        if killed == 0 || Instant::now() >= deadline {
            let text = format!("{} processes do not end: {left:?}", left.len());
            return Err(io::Error::new(io::ErrorKind::TimedOut, text));
        }
        for pid in left {
            // Not reaped yet, so the pid is still this child's.
            PidFd::open(pid)?.wait(Some(deadline.saturating_duration_since(Instant::now())))?;
            try_reap(pid)?;
        }
    }
}

/// Kills a child that is not reaped yet, dead or not; `false` when that is not allowed.
pub(super) fn kill_child(pid: i32) -> bool {
    kill(Pid::from_raw(pid), Signal::SIGKILL) != Err(Errno::EPERM)
}

/// Sends `signal` to every member of the process group that a child leads. The child is not reaped yet, so that the
/// number is still its own.
pub(super) fn signal_group(leader: i32, signal: Signal) {
    // 0 and 1 would mean this process's own group, and everybody.
    debug_assert!(leader > 1);
    let _ = killpg(Pid::from_raw(leader), signal);
}

/// A child of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Child {
    pub pid: i32,
    /// Dead, not reaped.
    pub zombie: bool,
}

/// All children, by a walk over `/proc` (`/proc/PID/task/TID/children` is not in every kernel).
pub(super) fn children() -> io::Result<Vec<Child>> {
    let parent = i32::try_from(std::process::id()).map_err(io::Error::other)?;
    let children = processes()?.into_iter().filter(|process| process.parent == parent);
    Ok(children.map(|one| Child { pid: one.pid, zombie: matches!(one.state, 'Z' | 'X') }).collect())
}

struct Process {
    pid: i32,
    parent: i32,
    state: char,
}

/// All of the machine that can be seen.
fn processes() -> io::Result<Vec<Process>> {
    let mut processes = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        // A process that ends during the walk is no longer of interest.
        let Ok(stat) = fs::read(format!("/proc/{pid}/stat")) else {
            continue;
        };
        if let Some((state, parent)) = state_and_parent(&String::from_utf8_lossy(&stat)) {
            processes.push(Process { pid, parent, state });
        }
    }
    Ok(processes)
}

/// Whether a process with this number exists and has not died; a zombie has.
pub fn is_alive(pid: i32) -> bool {
    let stat = fs::read(format!("/proc/{pid}/stat")).unwrap_or_default();
    state_and_parent(&String::from_utf8_lossy(&stat)).is_some_and(|(state, _)| !matches!(state, 'Z' | 'X'))
}

/// A variable of the environment with which a process started its program.
pub(super) fn environment_of(pid: i32, name: &str) -> Option<String> {
    let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
    let mut entries = environment.split(|byte| *byte == 0);
    entries.find_map(|entry| {
        std::str::from_utf8(entry).ok()?.strip_prefix(name)?.strip_prefix('=').map(str::to_owned)
    })
}

/// Fields 3 and 4 of `/proc/PID/stat` (proc_pid_stat(5)); the name before them may contain anything.
fn state_and_parent(stat: &str) -> Option<(char, i32)> {
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::{is_alive, state_and_parent};

    #[test]
    fn state_and_parent_are_found_after_any_name() {
        assert_eq!(state_and_parent("7 (a) Z 3 (b) S 42 7 7"), Some(('S', 42)));
        assert_eq!(state_and_parent(""), None);
    }

    #[test]
    fn this_process_is_alive_and_an_impossible_one_is_not() {
        assert!(is_alive(i32::try_from(std::process::id()).expect("pid")));
        assert!(!is_alive(i32::MAX));
    }
}
