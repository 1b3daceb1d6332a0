//! Reading the limits of the control groups that this process is in.

use std::fs;
use std::path::{Path, PathBuf};

/// Every value of a file in the groups of this process, from its own up to the root: the smallest of a limit holds.
/// `v1` is the controller's name and file in the old hierarchy, `v2` the file in the new one.
pub(super) fn values(v1: (&str, &str), v2: &str) -> Vec<String> {
    let membership = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    values_at(Path::new("/sys/fs/cgroup"), &membership, v1, v2)
}

fn values_at(root: &Path, membership: &str, v1: (&str, &str), v2: &str) -> Vec<String> {
    membership
        .lines()
        .flat_map(|line| group_files(root, line, v1, v2))
        .filter_map(|f| fs::read_to_string(f).ok())
        .collect()
}

/// The files of one line of `/proc/self/cgroup`, `ID:CONTROLLERS:PATH` (cgroups(7)).
fn group_files(root: &Path, line: &str, (controller, v1): (&str, &str), v2: &str) -> Vec<PathBuf> {
    let mut fields = line.splitn(3, ':').skip(1);
    let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else {
        return Vec::new();
    };
    let (mount, file) = if controllers.is_empty() {
        (root.to_path_buf(), v2)
    } else if controllers.split(',').any(|name| name == controller) {
        (root.join(controller), v1)
    } else {
        return Vec::new();
    };
    // In a container the path may be the host's; then only the root of the mount exists, and it is the container's own.
    Path::new(path.trim_start_matches('/')).ancestors().map(|group| mount.join(group).join(file)).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::values_at;

    #[test]
    fn limits_of_all_parents_are_found_in_both_hierarchies() {
        let root = tempfile::tempdir().expect("folder");
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().expect("parent")).expect("folder");
            fs::write(path, text).expect("file");
        };
        write("a/b/memory.max", "max\n");
        write("a/memory.max", "100\n");
        write("memory/x/memory.limit_in_bytes", "200\n");
        write("cpu/x/memory.limit_in_bytes", "1\n");
        let read = |membership| {
            values_at(root.path(), membership, ("memory", "memory.limit_in_bytes"), "memory.max")
        };

        assert_eq!(read("0::/a/b\n"), ["max\n", "100\n"]);
        assert_eq!(read("5:cpu:/x\n4:memory:/x/gone\n0::/\n"), ["200\n"]);
        assert_eq!(read("nonsense\n"), [""; 0]);
    }
}
