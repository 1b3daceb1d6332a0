//! What the library is, told once: the `---@meta` files that editors read. `mpms types` writes them out, `mpms doc` and
//! the reference page are made from them, and a test holds them against the live tables.

use std::sync::OnceLock;

#[cfg(test)]
mod agree;
mod data;
mod parse;

pub use data::{Alias, Class, Field, Function, Module, Param, Return};

/// The files, by their names without `.lua`: the globals first, then the modules.
pub const FILES: &[(&str, &str)] = &[
    ("globals", include_str!("globals.lua")),
    ("co", include_str!("co.lua")),
    ("env", include_str!("env.lua")),
    ("feed", include_str!("feed.lua")),
    ("html", include_str!("html.lua")),
    ("http", include_str!("http.lua")),
    ("log", include_str!("log.lua")),
    ("metrics", include_str!("metrics.lua")),
    ("net", include_str!("net.lua")),
    ("random", include_str!("random.lua")),
    ("robots", include_str!("robots.lua")),
    ("secret", include_str!("secret.lua")),
    ("time", include_str!("time.lua")),
    ("url", include_str!("url.lua")),
];

/// The library as it is described: the globals first, then the modules.
pub fn library() -> &'static [Module] {
    static LIBRARY: OnceLock<Vec<Module>> = OnceLock::new();
    LIBRARY.get_or_init(|| FILES.iter().map(|(name, text)| parse::module(name, text).0).collect())
}
