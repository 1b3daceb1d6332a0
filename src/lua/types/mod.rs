//! What the library is, told once: the `---@meta` files that editors read. `mpms types` writes them out, `mpms doc` and
//! the reference page are made from them, and a test holds them against the live tables.

use std::sync::OnceLock;

#[cfg(test)]
mod agree;
mod data;
mod parse;

pub use data::{Alias, Class, Field, Function, Module, Param, Return, first_line};

/// The files, by their names without `.lua`: the globals first, then the modules.
pub const FILES: &[(&str, &str)] = &[
    ("globals", include_str!("globals.lua")),
    ("co", include_str!("co.lua")),
    ("codec", include_str!("codec.lua")),
    ("feed", include_str!("feed.lua")),
    ("fs", include_str!("fs.lua")),
    ("hash", include_str!("hash.lua")),
    ("html", include_str!("html.lua")),
    ("http", include_str!("http.lua")),
    ("net", include_str!("net.lua")),
    ("path", include_str!("path.lua")),
    ("proc", include_str!("proc.lua")),
    ("re", include_str!("re.lua")),
    ("robots", include_str!("robots.lua")),
    ("str", include_str!("str.lua")),
    ("tbl", include_str!("tbl.lua")),
    ("url", include_str!("url.lua")),
    ("uuid", include_str!("uuid.lua")),
];

/// The library as it is described: the globals first, then the modules.
pub fn library() -> &'static [Module] {
    static LIBRARY: OnceLock<Vec<Module>> = OnceLock::new();
    LIBRARY.get_or_init(|| FILES.iter().map(|(name, text)| parse::module(name, text).0).collect())
}
