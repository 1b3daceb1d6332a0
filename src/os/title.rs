//! The name under which a process shows up in `ps` and `top`.
#![expect(unsafe_code, reason = "writes over the arguments that the kernel put on the stack")]

use std::ffi::CString;
use std::fs;
use std::io;

use nix::sys::prctl;

/// An argument for a program that will want a long title: its room is that of its arguments.
pub fn padding() -> String {
    " ".repeat(100)
}

/// Sets the title of this process: what `ps` shows as its command line, cut where the original arguments ended, and the
/// name of the calling thread (15 bytes).
///
/// Afterwards `std::env::args()` gives the title: read the arguments first. Call it while the process has one thread.
pub fn set(title: &str) -> io::Result<()> {
    let clean: String = title.chars().filter(|c| *c != '\0').collect();
    prctl::set_name(&CString::new(clean.as_str()).expect("without NUL"))?;
    let (start, end) = argument_area(&fs::read_to_string("/proc/self/stat")?)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "/proc/self/stat has no argument area"))?;
    let room = end - start;
    // The last byte stays NUL: without it the kernel takes the environment for a part of the title.
    let mut text = vec![0; room];
    let length = clean.floor_char_boundary(room.saturating_sub(1));
    text[..length].copy_from_slice(&clean.as_bytes()[..length]);
    // SAFETY: the kernel says that the arguments of this process lie in start..end, on its stack, writable. The pointers to
    // them that libc keeps stay inside, and each still finds a NUL at or before `end`.
    unsafe {
        std::ptr::copy_nonoverlapping(text.as_ptr(), std::ptr::with_exposed_provenance_mut(start), room)
    };
    Ok(())
}

/// Fields 48 and 49 of `/proc/PID/stat` (proc_pid_stat(5)); the name before them may contain anything.
fn argument_area(stat: &str) -> Option<(usize, usize)> {
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(48 - 3);
    let start: usize = fields.next()?.parse().ok()?;
    let end: usize = fields.next()?.parse().ok()?;
    (start != 0 && end > start).then_some((start, end))
}

#[cfg(test)]
mod tests {
    use super::argument_area;

    #[test]
    fn the_area_is_found_after_any_name() {
        let stat = "10265 (a) R 1 (b) R 10242 10242 9584 0 -1 4194304 99 0 0 0 0 0 0 0 20 0 1 0 77328 3133440 380 \
                    18446744073709551615 94168303509504 94168303529385 140722903772672 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 \
                    94168303545392 94168303547008 94168915156992 140722903780064 140722903780084 140722903780084 1 0";
        assert_eq!(argument_area(stat), Some((140_722_903_780_064, 140_722_903_780_084)));
        assert_eq!(argument_area("1 (x) R 1"), None);
    }
}
