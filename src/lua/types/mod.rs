//! What the library is, told once: the `---@meta` files that editors read. `mpms types` writes them out, `mpms doc` and
//! the reference page are made from them, and a test holds them against the live tables.

use std::sync::OnceLock;

#[cfg(test)]
mod agree;
mod data;
mod parse;

pub use data::{Alias, Class, Field, Function, GLOBALS, Module, Param, Return, first_sentence};

/// The files, by their names without `.lua`: the globals first, then the modules.
pub const FILES: &[(&str, &str)] = &[
    ("globals", include_str!("globals.lua")),
    ("spec", include_str!("spec.lua")),
    ("archive", include_str!("archive.lua")),
    ("co", include_str!("co.lua")),
    ("codec", include_str!("codec.lua")),
    ("compress", include_str!("compress.lua")),
    ("csv", include_str!("csv.lua")),
    ("env", include_str!("env.lua")),
    ("feed", include_str!("feed.lua")),
    ("fs", include_str!("fs.lua")),
    ("hash", include_str!("hash.lua")),
    ("html", include_str!("html.lua")),
    ("http", include_str!("http.lua")),
    ("json", include_str!("json.lua")),
    ("log", include_str!("log.lua")),
    ("metrics", include_str!("metrics.lua")),
    ("net", include_str!("net.lua")),
    ("path", include_str!("path.lua")),
    ("proc", include_str!("proc.lua")),
    ("random", include_str!("random.lua")),
    ("re", include_str!("re.lua")),
    ("robots", include_str!("robots.lua")),
    ("secret", include_str!("secret.lua")),
    ("sqlite", include_str!("sqlite.lua")),
    ("str", include_str!("str.lua")),
    ("task", include_str!("task.lua")),
    ("tbl", include_str!("tbl.lua")),
    ("test", include_str!("test.lua")),
    ("time", include_str!("time.lua")),
    ("toml", include_str!("toml.lua")),
    ("url", include_str!("url.lua")),
    ("uuid", include_str!("uuid.lua")),
    ("xml", include_str!("xml.lua")),
    ("yaml", include_str!("yaml.lua")),
];

/// The library as it is described: the globals first, then the modules.
pub fn library() -> &'static [Module] {
    static LIBRARY: OnceLock<Vec<Module>> = OnceLock::new();
    LIBRARY.get_or_init(|| FILES.iter().map(|(name, text)| parse::module(name, text).0).collect())
}
