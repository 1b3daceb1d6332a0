//! `mpms.str`: what Lua's `string` has not.
//!
//! Bytes that are not UTF-8 are kept as they are, and count one column each.

use mlua::{Lua, LuaString, Table};

use crate::lua::error::LibError;
use crate::lua::module::Module;
use crate::lua::options::Options;

mod charset;
mod edges;
mod layout;
mod split;
mod template;
mod words;

pub(super) fn module(lua: &Lua) -> mlua::Result<Table> {
    let module = Module::new(lua, "mpms.str");
    let module = parts(module);
    let module = lines(module);
    letters(module).build()
}

fn parts(module: Module) -> Module {
    type Trim = (LuaString, Option<LuaString>);
    module
        .function(
            "split(text, separator, options)",
            |lua, (text, separator, options): (LuaString, Option<LuaString>, Option<Table>)| {
                split::split(lua, &text, separator.as_ref(), options)
            },
        )
        .function("lines(text)", |lua, text: LuaString| split::lines(lua, text))
        .function("trim(text, characters)", |lua, (text, set): Trim| {
            edges::trim(lua, text, set, (true, true))
        })
        .function("ltrim(text, characters)", |lua, (text, set): Trim| {
            edges::trim(lua, text, set, (true, false))
        })
        .function("rtrim(text, characters)", |lua, (text, set): Trim| {
            edges::trim(lua, text, set, (false, true))
        })
        .function("starts(text, prefix)", |_, (text, prefix): (LuaString, LuaString)| {
            Ok(text.as_bytes().starts_with(&prefix.as_bytes()))
        })
        .function("ends(text, suffix)", |_, (text, suffix): (LuaString, LuaString)| {
            Ok(text.as_bytes().ends_with(&suffix.as_bytes()))
        })
        .function("contains(text, part)", |_, (text, part): (LuaString, LuaString)| {
            Ok(memchr::memmem::find(&text.as_bytes(), &part.as_bytes()).is_some())
        })
}

fn lines(module: Module) -> Module {
    module
        .function("width(text)", |_, text: LuaString| Ok(layout::width(&text.as_bytes())))
        .function(
            "pad(text, width, side, options)",
            |lua, (text, width, side, options): (LuaString, usize, Option<LuaString>, Option<Table>)| {
                layout::pad(lua, text, width, side.as_ref(), options)
            },
        )
        .function(
            "wrap(text, width, options)",
            |lua, (text, width, options): (LuaString, usize, Option<Table>)| {
                let mut options = Options::new(options);
                let indent = options.string("indent")?.unwrap_or_default();
                let hanging = options.string("hanging")?.unwrap_or_else(|| indent.clone());
                options.finish()?;
                if width == 0 {
                    return Err(LibError::invalid("argument 2 (width) must be 1 or more"));
                }
                let wrapped = layout::wrap(lua, &text.as_bytes(), width, &indent, &hanging)?;
                Ok(lua.create_string(wrapped)?)
            },
        )
        .function("dedent(text)", |lua, text: LuaString| {
            Ok(lua.create_string(layout::dedent(&text.as_bytes()))?)
        })
        .function("template(text, values)", |lua, (text, values): (LuaString, Table)| {
            Ok(lua.create_string(template::fill(lua, &text.as_bytes(), &values)?)?)
        })
}

fn letters(module: Module) -> Module {
    module
        .function(
            "title(text)",
            |lua, text: LuaString| Ok(lua.create_string(words::title(&text.as_bytes()))?),
        )
        .function("slug(text)", |_, text: LuaString| Ok(words::slug(&text.as_bytes())))
        .function("nfc(text)", |lua, text: LuaString| Ok(lua.create_string(words::nfc(&text.as_bytes()))?))
        .function("distance(a, b)", |_, (a, b): (LuaString, LuaString)| {
            words::distance(&a.as_bytes(), &b.as_bytes())
        })
        .function(
            "decode(bytes, encoding, options)",
            |lua, (bytes, encoding, options): (LuaString, String, Option<Table>)| {
                let replace = replaces(options)?;
                Ok(lua.create_string(charset::decode(&bytes.as_bytes(), &encoding, replace)?)?)
            },
        )
        .function(
            "encode(text, encoding, options)",
            |lua, (text, encoding, options): (LuaString, String, Option<Table>)| {
                let replace = replaces(options)?;
                Ok(lua.create_string(charset::encode(&text.as_bytes(), &encoding, replace)?)?)
            },
        )
}

fn replaces(options: Option<Table>) -> Result<bool, LibError> {
    let mut options = Options::new(options);
    let replace = options.bool("replace")?.unwrap_or(false);
    options.finish()?;
    Ok(replace)
}

#[cfg(test)]
mod tests;
