//! Names in archives, which come from strangers.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};

/// Links within links.
const MOST_LINKS: usize = 40;

/// Why a name or link is refused.
pub(super) type Refused = &'static str;

/// The path that a name stands for, below the folder of the extraction; none for that folder itself.
pub(super) fn plain(name: &[u8]) -> Result<Option<PathBuf>, Refused> {
    if name.first() == Some(&b'/') {
        return Err("an absolute name");
    }
    if name.contains(&0) {
        return Err("a name with a zero byte");
    }
    let mut path = PathBuf::new();
    for part in name.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => return Err("a name that leads out of the folder"),
            part => path.push(OsStr::from_bytes(part)),
        }
    }
    Ok(Some(path).filter(|path| !path.as_os_str().is_empty()))
}

/// Whether the link at `place` stays within the folder, by way of all the other links.
pub(super) fn stays_within(place: &Path, links: &BTreeMap<PathBuf, PathBuf>) -> Result<(), Refused> {
    let out = Err("a link that leads out of the folder");
    let Some(target) = links.get(place) else { return Ok(()) };
    let mut here: PathBuf = place.parent().unwrap_or(Path::new("")).to_path_buf();
    let mut ahead: Vec<OsString> = Vec::new();
    if !push(target, &mut ahead) {
        return out;
    }
    let mut followed = 0;
    while let Some(part) = ahead.pop() {
        if part == ".." {
            if !here.pop() {
                return out;
            }
            continue;
        }
        here.push(part);
        if let Some(target) = links.get(&here) {
            followed += 1;
            here.pop();
            if followed > MOST_LINKS {
                return Err("a link that leads to itself");
            }
            if !push(target, &mut ahead) {
                return out;
            }
        }
    }
    Ok(())
}

/// Puts the parts of a target before those that are ahead, the first one last; false for an absolute one.
fn push(target: &Path, ahead: &mut Vec<OsString>) -> bool {
    for part in target.components().rev() {
        match part {
            Component::Normal(part) => ahead.push(part.to_owned()),
            Component::ParentDir => ahead.push("..".into()),
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::{Path, PathBuf};

    use super::{plain, stays_within};

    #[test]
    fn names_are_below_the_folder_or_refused() {
        let path =
            |name: &str| plain(name.as_bytes()).map(|path| path.map(|path| path.display().to_string()));
        assert_eq!(path("./a//b/"), Ok(Some("a/b".into())));
        assert_eq!(path("./"), Ok(None));
        assert_eq!(path("a\\..\\b"), Ok(Some("a\\..\\b".into())));
        for bad in ["/a", "../a", "a/../b", "a/..", "..", "a\0b"] {
            assert!(plain(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn links_stay_within_by_way_of_other_links() {
        let links = |list: &[(&str, &str)]| -> BTreeMap<PathBuf, PathBuf> {
            list.iter().map(|(from, to)| (PathBuf::from(from), PathBuf::from(to))).collect()
        };
        let stay = |list: &[(&str, &str)]| {
            let links = links(list);
            links.keys().all(|place| stays_within(Path::new(place), &links).is_ok())
        };
        assert!(stay(&[("a/l", "../b"), ("m", "a/l/c"), ("n", "."), ("o", "nowhere/at/all")]));
        for bad in [
            &[("l", "..")][..],
            &[("l", "/etc")],
            &[("a/l", "../../x")],
            &[("d/l", ".."), ("m", "d/l/..")],
            &[("a", "b"), ("b", "a")],
            &[("a", "a/x")],
        ] {
            assert!(!stay(bad), "{bad:?}");
        }
    }
}
