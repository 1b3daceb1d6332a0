//! Leaving at once.
#![expect(unsafe_code, reason = "nix has no _exit")]

use nix::libc;

/// Ends the process now: no destructors, no `atexit`, no flush of standard output. The only way out for a forked child
/// and for a process with Lua states.
pub fn exit_now(code: i32) -> ! {
    // SAFETY: `_exit` touches no memory of the process and does not return.
    unsafe { libc::_exit(code) }
}
