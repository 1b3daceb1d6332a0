//! When a process began: with its pid a name that is not used twice.

use std::fs;

/// Ticks from the start of the machine to that of the process (proc_pid_stat(5), field 22); none when there is no
/// such process.
pub fn started(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // the name of the program may hold spaces and parentheses
    let (_, fields) = stat.rsplit_once(')')?;
    // the field after the name is the third
    fields.split_ascii_whitespace().nth(22 - 3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::started;

    #[test]
    fn this_process_has_begun_and_no_other_has_its_pid() {
        let begun = started(std::process::id()).expect("its own");
        assert!(begun > 0);
        assert_eq!(started(std::process::id()), Some(begun));
        assert_eq!(started(u32::MAX), None);
    }
}
