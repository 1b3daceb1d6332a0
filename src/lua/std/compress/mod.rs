//! `mpms.compress`: strings and files, packed and unpacked.
//!
//! Each format is a `Format` with one reader and one writer (`format`); strings go through them in memory (`memory`),
//! files from one to another (`file`), logs line by line (`lines`).

use mlua::{Lua, LuaString, Table};

use super::path;
use crate::lua::error::LibError;
use crate::lua::module::Module;
use crate::lua::options::Options;

pub(super) mod file;
pub(super) mod format;
mod lines;
mod member;
mod memory;
mod small;

use format::Format;

type TextAndOptions = (LuaString, Option<Table>);
type TwoPathsAndOptions = (LuaString, LuaString, Option<Table>);

pub(super) fn module(lua: &Lua) -> mlua::Result<Table> {
    let module = Module::new(lua, "mpms.compress");
    let module = both(module, "gzip(data, options)", "gunzip(data, options)", Format::Gzip);
    let module = both(module, "zstd(data, options)", "unzstd(data, options)", Format::Zstd);
    let module = both(module, "brotli(data, options)", "unbrotli(data, options)", Format::Brotli);
    let module = both(module, "deflate(data, options)", "inflate(data, options)", Format::Zlib);
    module
        .waiting("file(src, dst, options)", |lua, (from, to, options): TwoPathsAndOptions| {
            file::compress(lua, path::of(&from), path::of(&to), options)
        })
        .waiting("decompress_file(src, dst, options)", |lua, (from, to, options): TwoPathsAndOptions| {
            file::decompress(lua, path::of(&from), path::of(&to), options)
        })
        .waiting("lines(path, options)", |lua, (name, options): TextAndOptions| {
            lines::lines(lua, path::of(&name), options)
        })
        .build()
}

fn both<'lua>(
    module: Module<'lua>,
    pack: &'static str,
    unpack: &'static str,
    format: Format,
) -> Module<'lua> {
    module
        .waiting(pack, move |lua, (data, options): TextAndOptions| memory::pack(lua, &data, options, format))
        .waiting(unpack, move |lua, (data, options): TextAndOptions| {
            memory::unpack(lua, &data, options, format)
        })
}

/// Option `raw` of the two functions that have it.
fn raw(options: &mut Options, format: Format) -> Result<Format, LibError> {
    match format {
        Format::Zlib if options.bool("raw")?.unwrap_or(false) => Ok(Format::Deflate),
        other => Ok(other),
    }
}

#[cfg(test)]
mod tests;
