//! `mpms.re`: regular expressions.
//!
//! The module's functions and the methods of an object are the same work on a pattern, which the one looks up.

use std::rc::Rc;

use mlua::{Function, Lua, LuaString, MultiValue, Table, UserDataRef, Value};

use self::cursor::Cursor;
use self::pattern::{Flags, Pattern};
use crate::lua::error::LibError;
use crate::lua::module::{Methods, Module, iterator, object};
use crate::lua::options::Options;

mod cache;
mod cursor;
mod gsub;
mod pattern;
mod replace;

/// What `re.new` gives.
struct Regex(Rc<Pattern>);

type Compiled = UserDataRef<Regex>;

pub(super) fn module(lua: &Lua) -> mlua::Result<Table> {
    type Call<'a> = (LuaString, LuaString, Option<LuaString>);
    let replacing = gsub::functions(lua)?;
    methods(lua, &replacing)?;
    Module::new(lua, "mpms.re")
        .function("new(pattern, flags)", |lua, (pattern, flags): (LuaString, Option<LuaString>)| {
            Ok(object(lua, Regex(compiled(lua, &pattern, flags.as_ref())?))?)
        })
        .function("test(subject, pattern, flags)", |lua, (subject, pattern, flags): Call| {
            compiled(lua, &pattern, flags.as_ref())?.is_in(&subject.as_bytes())
        })
        .function(
            "match(subject, pattern, flags, init)",
            |lua, (subject, pattern, flags, init): (LuaString, LuaString, Option<LuaString>, Option<i64>)| {
                first(lua, &*compiled(lua, &pattern, flags.as_ref())?, &subject, init)
            },
        )
        .function(
            "find(subject, pattern, flags, init)",
            |lua, (subject, pattern, flags, init): (LuaString, LuaString, Option<LuaString>, Option<i64>)| {
                find(lua, &*compiled(lua, &pattern, flags.as_ref())?, &subject, init)
            },
        )
        .function("gmatch(subject, pattern, flags)", |lua, (subject, pattern, flags): Call| {
            all(lua, compiled(lua, &pattern, flags.as_ref())?, subject)
        })
        .value("gsub", replacing.gsub)
        .value("sub", replacing.sub)
        .function(
            "split(subject, pattern, options)",
            |lua, (subject, pattern, options): (LuaString, LuaString, Option<Value>)| {
                let how = How::read(options, None)?;
                pieces(lua, &*cache::pattern(lua, &pattern, how.flags)?, &subject.as_bytes(), how.most)
            },
        )
        .function("escape(text)", |_, text: LuaString| Ok(escape(&text.as_bytes())))
        .build()
}

fn methods(lua: &Lua, replacing: &gsub::Functions) -> mlua::Result<()> {
    Methods::new(lua, "re.Regex")
        .method("test(subject)", |_, (regex, subject): (Compiled, LuaString)| {
            regex.0.is_in(&subject.as_bytes())
        })
        .method("match(subject, init)", |lua, (regex, subject, init): (Compiled, LuaString, Option<i64>)| {
            first(lua, &regex.0, &subject, init)
        })
        .method("find(subject, init)", |lua, (regex, subject, init): (Compiled, LuaString, Option<i64>)| {
            find(lua, &regex.0, &subject, init)
        })
        .method("gmatch(subject)", |lua, (regex, subject): (Compiled, LuaString)| {
            all(lua, Rc::clone(&regex.0), subject)
        })
        .value("gsub", &replacing.object_gsub)
        .value("sub", &replacing.object_sub)
        .method(
            "split(subject, options)",
            |lua, (regex, subject, options): (Compiled, LuaString, Option<Table>)| {
                pieces(lua, &regex.0, &subject.as_bytes(), How::of_method(options, None)?)
            },
        )
        .userdata::<Regex>()
}

fn compiled(lua: &Lua, pattern: &LuaString, flags: Option<&LuaString>) -> Result<Rc<Pattern>, LibError> {
    let flags = match flags {
        Some(letters) => Flags::read(&letters.as_bytes())?,
        None => Flags::default(),
    };
    cache::pattern(lua, pattern, flags)
}

/// As in Lua's own functions: from 1, or from the end; `None` where nothing can be any more.
fn start(length: usize, init: Option<i64>) -> Option<usize> {
    let from = match init.unwrap_or(1) {
        from @ 1.. => usize::try_from(from - 1).unwrap_or(usize::MAX),
        0 => 0,
        back => length.saturating_sub(usize::try_from(back.unsigned_abs()).unwrap_or(usize::MAX)),
    };
    (from <= length).then_some(from)
}

fn first(
    lua: &Lua,
    pattern: &Pattern,
    subject: &LuaString,
    init: Option<i64>,
) -> Result<Option<Table>, LibError> {
    let subject = subject.as_bytes();
    let Some(from) = start(subject.len(), init) else {
        return Ok(None);
    };
    let mut found = Cursor::at(from, pattern.spans());
    let table = match found.step(pattern, &subject)? {
        Some(_) => Some(found.table(lua, pattern, &subject)?),
        None => None,
    };
    pattern.keep(found.into_spans());
    Ok(table)
}

/// First and last byte, and the groups.
fn find(
    lua: &Lua,
    pattern: &Pattern,
    subject: &LuaString,
    init: Option<i64>,
) -> Result<MultiValue, LibError> {
    let subject = subject.as_bytes();
    let mut results = MultiValue::new();
    let Some(from) = start(subject.len(), init) else {
        results.push_back(Value::Nil);
        return Ok(results);
    };
    let mut found = Cursor::at(from, pattern.spans());
    let Some((from, to)) = found.step(pattern, &subject)? else {
        results.push_back(Value::Nil);
        return Ok(results);
    };
    results.push_back(Value::Integer(from as i64 + 1));
    results.push_back(Value::Integer(to as i64));
    for number in 1..=pattern.groups() {
        results.push_back(match found.group(&subject, number) {
            Some(bytes) => Value::String(lua.create_string(bytes)?),
            None => Value::Boolean(false),
        });
    }
    pattern.keep(found.into_spans());
    Ok(results)
}

fn all(lua: &Lua, pattern: Rc<Pattern>, subject: LuaString) -> Result<Function, LibError> {
    let mut found = Cursor::default();
    let next = move |lua: &Lua| {
        let subject = subject.as_bytes();
        match found.step(&pattern, &subject)? {
            Some(_) => Ok(Some(found.table(lua, &pattern, &subject)?)),
            None => Ok(None),
        }
    };
    Ok(iterator(lua, "re.gmatch", next)?)
}

/// For other modules: the pieces between the matches of a pattern without flags.
pub(super) fn split(lua: &Lua, pattern: &LuaString, subject: &[u8], most: usize) -> Result<Table, LibError> {
    pieces(lua, &*cache::pattern(lua, pattern, Flags::default())?, subject, most)
}

/// The pieces between the matches, `most` at most.
fn pieces(lua: &Lua, pattern: &Pattern, subject: &[u8], most: usize) -> Result<Table, LibError> {
    let list = lua.create_table()?;
    let (mut found, mut begin) = (Cursor::default(), 0);
    while list.raw_len() + 1 < most
        && let Some((from, to)) = found.step(pattern, subject)?
    {
        list.raw_push(lua.create_string(&subject[begin..from])?)?;
        begin = to;
    }
    list.raw_push(lua.create_string(&subject[begin..])?)?;
    Ok(list)
}

/// Flags, and how many matches or pieces at most.
struct How {
    flags: Flags,
    most: usize,
}

impl How {
    /// A table, or just the flags. The option `n` is there when the function does not say how many.
    fn read(options: Option<Value>, most: Option<usize>) -> Result<Self, LibError> {
        match options {
            None | Some(Value::Nil) => Ok(Self { flags: Flags::default(), most: most.unwrap_or(usize::MAX) }),
            Some(Value::String(letters)) => {
                Ok(Self { flags: Flags::read(&letters.as_bytes())?, most: most.unwrap_or(usize::MAX) })
            }
            Some(Value::Table(table)) => {
                let mut options = Options::new(Some(table));
                let letters = options.bytes("flags")?;
                let flags =
                    letters.map_or(Ok(Flags::default()), |letters| Flags::read(&letters.as_bytes()))?;
                Ok(Self { flags, most: count(options, most)? })
            }
            Some(other) => {
                let got = other.type_name();
                Err(LibError::invalid(format!("the options must be a table or a string of flags, got {got}")))
            }
        }
    }

    /// An object has its flags.
    fn of_method(options: Option<Table>, most: Option<usize>) -> Result<usize, LibError> {
        count(Options::new(options), most)
    }
}

/// The option `n`, the last one.
fn count(mut options: Options, most: Option<usize>) -> Result<usize, LibError> {
    let asked = match most {
        Some(most) => most,
        None => options.count("n")?.unwrap_or(usize::MAX),
    };
    options.finish()?;
    match asked {
        0 => Err(LibError::invalid("option `n` must be 1 or more")),
        asked => Ok(asked),
    }
}

fn escape(text: &[u8]) -> String {
    let mut escaped = String::new();
    for chunk in text.utf8_chunks() {
        escaped += &regex_syntax::escape(chunk.valid());
        for byte in chunk.invalid() {
            escaped += &format!("(?-u:\\x{byte:02X})");
        }
    }
    escaped
}

#[cfg(test)]
mod tests;
