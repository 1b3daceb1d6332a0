//! On which disks a journal is kept.

use std::path::Path;

use super::error::JournalError;
use crate::os::disk::{FileSystem, file_system};

/// What the user allows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Disk {
    /// Use a network disk all the same: `--allow-network-disk`.
    pub network_allowed: bool,
}

/// By `f_type` of statfs(2) (linux/magic.h, and the sources of those that are not in it): between machines, or between
/// a machine and its guest, where the lock of one is not seen by the other or a sync is not the disk's.
const NETWORK: &[(u32, &str)] = &[
    (0x6969, "NFS"),
    (0x517b, "SMB"),
    (0xff53_4d42, "CIFS"),
    (0xfe53_4d42, "SMB"),
    (0x0102_1997, "9p"),
    (0x00c3_6400, "Ceph"),
    (0x0bd0_0bd0, "Lustre"),
    (0x5346_414f, "AFS"),
    (0x6b41_4653, "AFS"),
    (0x7375_7245, "Coda"),
    (0x564c, "NCP"),
    (0x1983_0326, "BeeGFS"),
    (0x4750_4653, "GPFS"),
    (0xaad7_aaea, "PanFS"),
    (0x2003_0528, "OrangeFS"),
    (0x786f_4256, "vboxsf"),
    (0xbacb_acbc, "vmhgfs"),
    (0x7c7c_6673, "prl_fs"),
];

const FUSE: u32 = 0x6573_5546;

/// File systems in user space that keep their files on a disk of this machine. Any other one is taken for a network's.
const LOCAL_FUSE: &[&str] = &[
    "fuseblk",
    "virtiofs",
    "fuse.bindfs",
    "fuse.cryfs",
    "fuse.encfs",
    "fuse.ext4",
    "fuse.fuse-overlayfs",
    "fuse.fuse2fs",
    "fuse.fuseext2",
    "fuse.gocryptfs",
    "fuse.mergerfs",
    "fuse.unionfs",
    "fuse.zfs",
];

impl Disk {
    /// Refuses a folder on a network disk. What the system cannot tell is taken for a local one.
    pub(super) fn check(self, folder: &Path) -> Result<(), JournalError> {
        if self.network_allowed {
            return Ok(());
        }
        match file_system(folder).ok().and_then(|found| network(&found)) {
            None => Ok(()),
            Some(kind) => Err(JournalError::NetworkDisk { path: folder.to_owned(), kind }),
        }
    }
}

/// What to call it, if it is one.
fn network(found: &FileSystem) -> Option<String> {
    if found.magic == FUSE {
        let name = found.name.as_deref().unwrap_or("fuse");
        return (!LOCAL_FUSE.contains(&name)).then(|| name.to_owned());
    }
    NETWORK.iter().find(|(magic, _)| *magic == found.magic).map(|(_, name)| (*name).to_owned())
}

#[cfg(test)]
mod tests {
    use super::{Disk, FUSE, network};
    use crate::os::disk::FileSystem;

    fn kind(magic: u32, name: &str) -> Option<String> {
        network(&FileSystem { magic, name: Some(name.to_owned()) })
    }

    #[test]
    fn network_disks_are_known_by_their_number_or_their_name() {
        assert_eq!(kind(0x6969, "nfs4").as_deref(), Some("NFS"));
        assert_eq!(kind(0xff53_4d42, "cifs").as_deref(), Some("CIFS"));
        assert_eq!(kind(0x0102_1997, "9p").as_deref(), Some("9p"));
        assert_eq!(kind(FUSE, "fuse.sshfs").as_deref(), Some("fuse.sshfs"));
        assert_eq!(kind(FUSE, "fuse.what-comes-next").as_deref(), Some("fuse.what-comes-next"));
        assert_eq!(kind(FUSE, "fuseblk"), None);
        assert_eq!(kind(FUSE, "fuse.fuse-overlayfs"), None);
        assert_eq!(kind(0xef53, "ext4"), None);
        assert_eq!(kind(0x0102_1994, "tmpfs"), None);
    }

    #[test]
    fn a_folder_of_this_machine_is_taken() {
        let folder = tempfile::tempdir().expect("folder");
        Disk { network_allowed: true }.check(folder.path()).expect("anything goes");
    }
}
