//! Where `require` looks for names, when the command line says it.

use std::fmt;
use std::path::{Component, Path, PathBuf};
use std::str::FromStr;

/// Places for `require` in their order, written as `LUA_PATH` is (the manual of Lua 5.4, §6.3): `vendor/?.lua;;`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LuaPath(Vec<LuaPlace>);

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LuaPlace {
    /// All where it looks unless told.
    Usual,
    /// A path with `?` in the place of the name.
    Template(String),
}

/// Why a text is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LuaPathError {
    /// It has no place.
    Empty,
    /// A place without `?`.
    NoName(String),
}

impl std::error::Error for LuaPathError {}

impl fmt::Display for LuaPathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => {
                f.write_str("it names no place; write a path with `?` for the name, as vendor/?.lua")
            }
            Self::NoName(place) => {
                let folder = place.trim_end_matches('/');
                write!(f, "`{place}` has no `?`, which stands for the name; write {folder}/?.lua")
            }
        }
    }
}

/// As Lua has it, the first `;;` stands for the usual places, and other empty ones for nothing.
impl FromStr for LuaPath {
    type Err = LuaPathError;

    fn from_str(text: &str) -> Result<Self, LuaPathError> {
        let (before, after) = text.split_once(";;").map_or((text, None), |(a, b)| (a, Some(b)));
        let mut places = Vec::new();
        for (part, text) in [Some(before), after].into_iter().flatten().enumerate() {
            if part == 1 {
                places.push(LuaPlace::Usual);
            }
            for template in text.split(';').filter(|template| !template.is_empty()) {
                if !template.contains('?') {
                    return Err(LuaPathError::NoName(template.to_owned()));
                }
                places.push(LuaPlace::Template(template.to_owned()));
            }
        }
        if places.is_empty() { Err(LuaPathError::Empty) } else { Ok(Self(places)) }
    }
}

impl fmt::Display for LuaPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut ends_a_template = false;
        for place in &self.0 {
            match place {
                LuaPlace::Usual => f.write_str(";;")?,
                LuaPlace::Template(template) if ends_a_template => write!(f, ";{template}")?,
                LuaPlace::Template(template) => f.write_str(template)?,
            }
            ends_a_template = matches!(place, LuaPlace::Template(_));
        }
        Ok(())
    }
}

impl LuaPath {
    /// In their order.
    pub fn places(&self) -> &[LuaPlace] {
        &self.0
    }

    /// Whether the usual places are among them.
    pub fn has_usual(&self) -> bool {
        self.0.contains(&LuaPlace::Usual)
    }

    /// With another path in the place of each.
    #[must_use]
    pub fn map(&self, path: impl Fn(&Path) -> PathBuf) -> Self {
        Self(
            self.0
                .iter()
                .map(|place| match place {
                    LuaPlace::Usual => LuaPlace::Usual,
                    LuaPlace::Template(template) => {
                        LuaPlace::Template(path(Path::new(template)).to_string_lossy().into_owned())
                    }
                })
                .collect(),
        )
    }

    /// The folder of each template: all files that it leads to are below.
    pub fn folders(&self) -> impl Iterator<Item = PathBuf> {
        let templates = self.0.iter().filter_map(|place| match place {
            LuaPlace::Usual => None,
            LuaPlace::Template(template) => Some(Path::new(template)),
        });
        templates.map(|template| {
            let fixed = |part: &Component<'_>| !part.as_os_str().to_string_lossy().contains('?');
            template.components().take_while(fixed).collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> LuaPath {
        text.parse().expect("a path")
    }

    #[test]
    fn it_is_written_as_it_is_read() {
        for text in ["a/?.lua", "a/?.lua;b/?/init.lua", ";;", ";;a/?", "a/?;;", "a/?;b/?;;c/?;d/?"] {
            assert_eq!(read(text).to_string(), text);
        }
        assert_eq!(read(";a/?;;;b/?;").to_string(), "a/?;;b/?");
        assert_eq!(read("a/?;;b/?;;").to_string(), "a/?;;b/?");
        assert!(read("a/?;;").has_usual() && !read("a/?").has_usual());
    }

    #[test]
    fn what_is_none_says_what_to_write() {
        for text in ["", ";"] {
            assert_eq!(text.parse::<LuaPath>(), Err(LuaPathError::Empty));
        }
        let error = "a/?.lua;vendor/;;".parse::<LuaPath>().expect_err("a place without a name");
        assert_eq!(error.to_string(), "`vendor/` has no `?`, which stands for the name; write vendor/?.lua");
    }

    #[test]
    fn templates_become_other_paths_and_their_folders_are_known() {
        let path = read("a/?.lua;;/b/x?/c.lua").map(|path| Path::new("/home").join(path));
        assert_eq!(path.to_string(), "/home/a/?.lua;;/b/x?/c.lua");
        assert_eq!(path.folders().collect::<Vec<_>>(), [Path::new("/home/a"), Path::new("/b")]);
    }
}
