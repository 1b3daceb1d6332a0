//! Replacements that are texts: `$1`, `${name}`, `$$`.

use std::ops::Range;

use mlua::Lua;

use super::cursor::Cursor;
use super::pattern::Pattern;
use crate::lua::error::LibError;
use crate::lua::outside::Growth;

enum Part {
    /// Of the replacement itself.
    Text(Range<usize>),
    Group(usize),
}

/// A replacement that is understood.
pub(super) struct Replacement<'a> {
    text: &'a [u8],
    parts: Vec<Part>,
}

impl<'a> Replacement<'a> {
    pub fn read(text: &'a [u8], pattern: &Pattern) -> Result<Self, LibError> {
        let (mut parts, mut begin) = (Vec::new(), 0);
        while let Some(dollar) = memchr::memchr(b'$', &text[begin..]).map(|at| begin + at) {
            parts.push(Part::Text(begin..dollar));
            let rest = &text[dollar + 1..];
            let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            let (part, length) = match rest.first() {
                Some(b'$') => (Part::Text(dollar..dollar + 1), 1),
                Some(b'{') => {
                    let end = memchr::memchr(b'}', rest).ok_or_else(|| wrong(dollar, "`${` has no `}`"))?;
                    (Part::Group(group(&rest[1..end], pattern, dollar)?), end + 1)
                }
                _ if digits > 0 => (Part::Group(group(&rest[..digits], pattern, dollar)?), digits),
                _ => {
                    return Err(wrong(
                        dollar,
                        "`$` stands before a number, {name} or another `$`; `$$` is a dollar",
                    ));
                }
            };
            parts.push(part);
            begin = dollar + 1 + length;
        }
        parts.push(Part::Text(begin..text.len()));
        Ok(Self { text, parts })
    }

    fn write(&self, found: &Cursor, subject: &[u8], out: &mut Vec<u8>) {
        for part in &self.parts {
            match part {
                Part::Text(range) => out.extend_from_slice(&self.text[range.clone()]),
                Part::Group(number) => {
                    out.extend_from_slice(found.group(subject, *number).unwrap_or_default())
                }
            }
        }
    }
}

fn group(name: &[u8], pattern: &Pattern, dollar: usize) -> Result<usize, LibError> {
    let shown = String::from_utf8_lossy(name);
    if !name.is_empty() && name.iter().all(u8::is_ascii_digit) {
        let groups = pattern.groups();
        let number = shown.parse().ok().filter(|number| *number <= groups);
        return number
            .ok_or_else(|| wrong(dollar, &format!("there is no group {shown}, the pattern has {groups}")));
    }
    let number = pattern.names().find(|(_, one)| one.as_bytes() == name).map(|(number, _)| number);
    number.ok_or_else(|| wrong(dollar, &format!("the pattern has no group with the name `{shown}`")))
}

fn wrong(dollar: usize, why: &str) -> LibError {
    LibError::invalid(format!("the replacement is wrong at byte {}: {why}", dollar + 1))
}

/// The text with at most `most` matches replaced, and how many they were.
pub(super) fn replace(
    lua: &Lua,
    pattern: &Pattern,
    subject: &[u8],
    replacement: &[u8],
    most: usize,
) -> Result<(Vec<u8>, usize), LibError> {
    let replacement = Replacement::read(replacement, pattern)?;
    let (mut out, mut growth) = (Vec::with_capacity(subject.len()), Growth::default());
    let (mut found, mut done, mut count) = (Cursor::default(), 0, 0);
    while count < most
        && let Some((from, to)) = found.step(pattern, subject)?
    {
        out.extend_from_slice(&subject[done..from]);
        replacement.write(&found, subject, &mut out);
        growth.reached(lua, out.len())?;
        done = to;
        count += 1;
    }
    out.extend_from_slice(&subject[done..]);
    Ok((out, count))
}
