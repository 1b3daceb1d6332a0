//! What is in an archive.

/// One thing in it.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// As it is written there, which may be anything.
    pub name: Vec<u8>,
    pub kind: Kind,
    /// Of a file; 0 for others.
    pub size: u64,
    /// The nine bits of permissions.
    pub mode: u32,
    /// Seconds since 1970.
    pub mtime: Option<i64>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    File,
    Dir,
    /// Where it leads.
    Symlink(Vec<u8>),
    /// Of which file in the archive it is another name.
    Hardlink(Vec<u8>),
    /// A device and the like.
    Other(&'static str),
}

impl Kind {
    /// As scripts see it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Dir => "dir",
            Self::Symlink(_) => "symlink",
            Self::Hardlink(_) => "hardlink",
            Self::Other(what) => what,
        }
    }
}
