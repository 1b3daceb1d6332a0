//! Resource limits of the process.

use std::io;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Enough for 20,000 workers; more would slow down commands that close every possible descriptor one by one.
const MOST_FILES: u64 = 65_536;

/// Raises the soft limit of open files to the hard one, up to 65,536. Returns the limit that now holds.
pub fn raise_open_files() -> io::Result<u64> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let wanted = hard.min(MOST_FILES);
    if wanted <= soft {
        return Ok(soft);
    }
    setrlimit(Resource::RLIMIT_NOFILE, wanted, hard)?;
    Ok(wanted)
}

/// No core files from this process and its children: a crashing task must not fill the disk.
pub fn no_core_files() -> io::Result<()> {
    let (_, hard) = getrlimit(Resource::RLIMIT_CORE)?;
    Ok(setrlimit(Resource::RLIMIT_CORE, 0, hard)?)
}

/// Bounds the private writable memory of this process (`RLIMIT_DATA`, heap and anonymous mappings).
pub fn limit_data(bytes: u64) -> io::Result<()> {
    let (_, hard) = getrlimit(Resource::RLIMIT_DATA)?;
    let limit = bytes.min(hard);
    Ok(setrlimit(Resource::RLIMIT_DATA, limit, hard)?)
}

#[cfg(test)]
mod tests {
    use super::raise_open_files;

    #[test]
    fn raising_twice_changes_nothing() {
        let first = raise_open_files().expect("limit");
        assert_eq!(raise_open_files().expect("limit"), first);
    }
}
