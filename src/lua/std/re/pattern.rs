//! A compiled pattern: in linear time where it can be, with bounded steps where it looks around or back.

use std::cell::RefCell;

use fancy_regex::{CompileError, RuntimeError};
use mlua::Lua;
use regex::bytes::{CaptureLocations, Regex, RegexBuilder};
use regex_syntax::ast::{ErrorKind, Span as Place};

use crate::lua::error::LibError;
use crate::lua::outside::{Charge, charge};

/// Where something is: from, and up to.
pub(super) type Span = (usize, usize);

/// What a pattern may compile to, in steps: each is tried in turn, and the one that holds it is what it counts for.
const SIZES: [usize; 4] = [16 << 10, 128 << 10, 1 << 20, 10 << 20];
/// What a pattern that looks around counts for: it has parts of its own that are compiled.
const FANCY_SIZE: usize = 1 << 20;
/// Steps back before a search gives up.
const MOST_STEPS: usize = 1_000_000;
/// Instructions of a pattern that looks around: calls of groups are copies.
const MOST_INSTRUCTIONS: usize = 100_000;

/// What letters behind the pattern say.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(super) struct Flags {
    any_case: bool,
    extended: bool,
    dot_is_all: bool,
    lines: bool,
}

impl Flags {
    pub fn read(letters: &[u8]) -> Result<Self, LibError> {
        let mut flags = Self::default();
        for letter in letters {
            match letter {
                b'i' => flags.any_case = true,
                b'x' => flags.extended = true,
                b's' => flags.dot_is_all = true,
                b'm' => flags.lines = true,
                other => {
                    let shown = other.escape_ascii();
                    return Err(LibError::invalid(format!(
                        "there is no flag `{shown}`; the flags are i, x, s, m"
                    )));
                }
            }
        }
        Ok(flags)
    }
}

enum Engine {
    Linear(Regex, RefCell<CaptureLocations>),
    Fancy(fancy_regex::Regex),
}

/// See the module.
pub(super) struct Pattern {
    engine: Engine,
    groups: usize,
    /// The groups that have names.
    names: Vec<(usize, Box<str>)>,
    /// It matches whole characters only, so that an empty match is not within one.
    is_text: bool,
    /// What it counts for.
    pub size: usize,
    /// Room for the places of a match.
    spare: RefCell<Vec<Option<Span>>>,
    _charge: Charge,
}

impl Pattern {
    pub fn compile(lua: &Lua, pattern: &[u8], flags: Flags) -> Result<Self, LibError> {
        let Ok(pattern) = std::str::from_utf8(pattern) else {
            return Err(LibError::parse(
                "the pattern must be UTF-8; a byte is written as (?-u:\\xFF)".to_owned(),
            ));
        };
        let parsed = regex_syntax::ParserBuilder::new()
            .utf8(false)
            .case_insensitive(flags.any_case)
            .ignore_whitespace(flags.extended)
            .dot_matches_new_line(flags.dot_is_all)
            .multi_line(flags.lines)
            .build()
            .parse(pattern);
        match parsed {
            Ok(parsed) => linear(lua, pattern, flags, parsed.properties().is_utf8()),
            Err(error) if looks_around(pattern, &error) => fancy(lua, pattern, flags),
            Err(error) => Err(refused(pattern, &error)),
        }
    }

    /// How many groups there are besides the whole.
    pub fn groups(&self) -> usize {
        self.groups
    }

    /// The groups that have names, by their numbers.
    pub fn names(&self) -> &[(usize, Box<str>)] {
        &self.names
    }

    /// Room for the places of a match, to be given back with [`keep`](Self::keep).
    pub fn spans(&self) -> Vec<Option<Span>> {
        self.spare.take()
    }

    pub fn keep(&self, spans: Vec<Option<Span>>) {
        self.spare.replace(spans);
    }

    /// Whether it can be searched for in `subject`.
    pub fn check(&self, subject: &[u8]) -> Result<(), LibError> {
        // the other engine steps by the first bytes of characters, and over what is none it steps too far
        if let Engine::Fancy(_) = self.engine
            && let Err(error) = std::str::from_utf8(subject)
        {
            return Err(LibError::parse(format!(
                "look-around and back-references need a subject of UTF-8, and this one is not from byte {} on",
                error.valid_up_to() + 1
            )));
        }
        Ok(())
    }

    /// Whether it is anywhere in `subject`.
    pub fn is_in(&self, subject: &[u8]) -> Result<bool, LibError> {
        self.check(subject)?;
        match &self.engine {
            Engine::Linear(regex, _) => Ok(regex.is_match(subject)),
            Engine::Fancy(regex) => regex.is_match(subject).map_err(gave_up),
        }
    }

    /// The first match that begins at `from` or later, in `spans` with all its groups.
    pub fn search(
        &self,
        subject: &[u8],
        mut from: usize,
        spans: &mut Vec<Option<Span>>,
    ) -> Result<Option<Span>, LibError> {
        while from <= subject.len() {
            let Some(found) = self.search_bytes(subject, from, spans)? else {
                return Ok(None);
            };
            if found.0 < found.1 || !self.is_text || !is_inside_character(subject, found.0) {
                return Ok(Some(found));
            }
            from = self.after(subject, found.0);
        }
        Ok(None)
    }

    /// Where the search goes on behind an empty match.
    pub fn after(&self, subject: &[u8], place: usize) -> usize {
        let mut next = place + 1;
        while self.is_text && is_inside_character(subject, next) {
            next += 1;
        }
        next
    }

    fn search_bytes(
        &self,
        subject: &[u8],
        from: usize,
        spans: &mut Vec<Option<Span>>,
    ) -> Result<Option<Span>, LibError> {
        spans.clear();
        match &self.engine {
            Engine::Linear(regex, _) if self.groups == 0 => {
                spans.extend(regex.find_at(subject, from).map(|found| Some((found.start(), found.end()))));
            }
            Engine::Linear(regex, places) => {
                let mut places = places.borrow_mut();
                if regex.captures_read_at(&mut places, subject, from).is_some() {
                    spans.extend((0..places.len()).map(|number| places.get(number)));
                }
            }
            Engine::Fancy(regex) => {
                if let Some(found) = regex.captures_from_pos(subject, from).map_err(gave_up)? {
                    let span = |number| found.get(number).map(|group| (group.start(), group.end()));
                    spans.extend((0..=self.groups).map(span));
                }
            }
        }
        Ok(spans.first().copied().flatten())
    }
}

fn linear(lua: &Lua, pattern: &str, flags: Flags, is_text: bool) -> Result<Pattern, LibError> {
    let mut builder = RegexBuilder::new(pattern);
    builder
        .case_insensitive(flags.any_case)
        .ignore_whitespace(flags.extended)
        .dot_matches_new_line(flags.dot_is_all)
        .multi_line(flags.lines);
    for size in SIZES {
        match builder.size_limit(size).build() {
            Ok(regex) => {
                let (groups, names) = named(regex.capture_names());
                let places = RefCell::new(regex.capture_locations());
                let engine = Engine::Linear(regex, places);
                return Ok(Pattern {
                    engine,
                    groups,
                    names,
                    is_text,
                    size,
                    spare: RefCell::default(),
                    _charge: charge(lua, size)?,
                });
            }
            Err(regex::Error::CompiledTooBig(_)) => {}
            Err(error) => return Err(LibError::parse(error.to_string())),
        }
    }
    Err(too_big())
}

fn fancy(lua: &Lua, pattern: &str, flags: Flags) -> Result<Pattern, LibError> {
    let built = fancy_regex::RegexBuilder::new(pattern)
        .case_insensitive(flags.any_case)
        .ignore_whitespace(flags.extended)
        .dot_matches_new_line(flags.dot_is_all)
        .multi_line(flags.lines)
        .backtrack_limit(MOST_STEPS)
        .max_prog_size(MOST_INSTRUCTIONS)
        .delegate_size_limit(FANCY_SIZE)
        .delegate_dfa_size_limit(FANCY_SIZE)
        .build();
    match built {
        Ok(regex) => {
            let (groups, names) = named(regex.capture_names());
            let (engine, size) = (Engine::Fancy(regex), FANCY_SIZE);
            Ok(Pattern {
                engine,
                groups,
                names,
                is_text: true,
                size,
                spare: RefCell::default(),
                _charge: charge(lua, size)?,
            })
        }
        Err(fancy_regex::Error::ParseError(at, why)) => Err(at_place(pattern, at, &why.to_string())),
        Err(fancy_regex::Error::CompileError(why)) => Err(match *why {
            CompileError::PatternTooComplex => too_big(),
            CompileError::InnerError(inner) if inner.size_limit().is_some() => too_big(),
            why => LibError::parse(lower(&why.to_string())),
        }),
        Err(error) => Err(LibError::parse(lower(&error.to_string()))),
    }
}

/// How many groups there are besides the whole, and those with names.
fn named<'r>(all: impl Iterator<Item = Option<&'r str>>) -> (usize, Vec<(usize, Box<str>)>) {
    let (mut count, mut names) = (0, Vec::new());
    for (number, name) in all.enumerate() {
        count = number;
        names.extend(name.map(|name| (number, name.into())));
    }
    (count, names)
}

fn too_big() -> LibError {
    LibError::new(
        "too_large",
        "the pattern compiles to more than 10 MiB; smaller counts in {} make it smaller",
    )
}

fn gave_up(error: fancy_regex::Error) -> LibError {
    match error {
        fancy_regex::Error::RuntimeError(
            RuntimeError::BacktrackLimitExceeded | RuntimeError::StackOverflow,
        ) => LibError::new(
            "too_large",
            format!(
                "gave up after {MOST_STEPS} steps; without look-around and back-references there is no limit"
            ),
        ),
        other => LibError::parse(lower(&other.to_string())),
    }
}

/// Whether it is for the other engine that the linear one refuses a pattern.
fn looks_around(pattern: &str, error: &regex_syntax::Error) -> bool {
    let regex_syntax::Error::Parse(error) = error else {
        return false;
    };
    let rest = pattern.get(error.span().start.offset..).unwrap_or_default();
    match error.kind() {
        ErrorKind::UnsupportedLookAround | ErrorKind::UnsupportedBackreference => true,
        ErrorKind::EscapeUnrecognized => ["\\k", "\\K", "\\G"].iter().any(|escape| rest.starts_with(escape)),
        // `(?>`, of which it only sees an unknown flag
        ErrorKind::FlagUnrecognized => rest.starts_with('>'),
        _ => false,
    }
}

fn refused(pattern: &str, error: &regex_syntax::Error) -> LibError {
    let (place, why): (&Place, String) = match error {
        regex_syntax::Error::Parse(error) => (error.span(), error.kind().to_string()),
        regex_syntax::Error::Translate(error) => (error.span(), error.kind().to_string()),
        other => return LibError::parse(lower(&other.to_string())),
    };
    at_place(pattern, place.start.offset, &why)
}

fn at_place(pattern: &str, at: usize, why: &str) -> LibError {
    let rest: String = pattern.get(at..).unwrap_or_default().chars().take(20).collect();
    let near = if rest.is_empty() { "the end".to_owned() } else { format!("`{rest}`") };
    LibError::parse(format!("bad pattern at byte {}, near {near}: {}", at + 1, lower(why)))
}

fn lower(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|first| first.to_lowercase().to_string());
    first.unwrap_or_default() + chars.as_str()
}

/// Whether `at` is between the bytes of one character.
fn is_inside_character(subject: &[u8], at: usize) -> bool {
    let is_later = |byte: &u8| byte & 0xC0 == 0x80;
    if !subject.get(at).is_some_and(is_later) {
        return false;
    }
    let Some(begin) = (at.saturating_sub(3)..at).rev().find(|place| !is_later(&subject[*place])) else {
        return false;
    };
    let length = match subject[begin] {
        0xC2..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xF4 => 4,
        _ => return false,
    };
    begin + length > at
        && subject.get(begin..begin + length).is_some_and(|bytes| std::str::from_utf8(bytes).is_ok())
}
