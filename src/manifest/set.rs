//! `--set table.key=value`: the same as if it stood in the manifest.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::diagnostic::{Diagnostic, SourceText, Spot};
use super::value::{dismantle, is_too_deep};

/// What stands before the setting in the text that errors show.
const FLAG: &str = "--set ";

/// A setting whose places are those of the flag's text.
pub(super) struct Setting<'a> {
    keys: Vec<(String, Range<usize>)>,
    value: Spanned<DeValue<'a>>,
}

/// A flag as people typed it.
pub(super) fn flag_text(setting: &str) -> Arc<SourceText> {
    SourceText::new("command line", format!("{FLAG}{setting}"))
}

/// Takes a flag's text apart; `base` is added to every place.
pub(super) fn parse(source: &Arc<SourceText>, base: usize) -> Result<Setting<'_>, Box<Diagnostic>> {
    let form = "write it as --set worker.processes=4";
    let setting = &source.text[FLAG.len()..];
    let Some((key, text)) = setting.split_once('=') else {
        let spot = Spot::new(source, FLAG.len()..source.text.len());
        let found = Diagnostic::at("manifest::set", "`--set` needs a key and a value", spot, "no `=` here");
        return Err(Box::new(found.help(form)));
    };
    let keys = parse_keys(key, base + FLAG.len());
    let Some(keys) = keys else {
        let spot = Spot::new(source, FLAG.len()..FLAG.len() + key.len());
        let found = Diagnostic::at("manifest::set", "`--set` needs a key of the manifest", spot, "not a key");
        return Err(Box::new(found.help(form)));
    };
    let before = FLAG.len() + key.len() + 1;
    match parse_value(text, base + before) {
        Some(value) => Ok(Setting { keys, value }),
        None => {
            let spot = Spot::new(source, before..source.text.len());
            let found = Diagnostic::at("manifest::set", "values are nested too deep", spot, "too deep");
            Err(Box::new(found.help("put it in the manifest, flatter")))
        }
    }
}

/// `a.b` by TOML's rules: the chain of tables that the parser makes of it.
fn parse_keys(key: &str, base: usize) -> Option<Vec<(String, Range<usize>)>> {
    if key.contains(['\n', '\r', '#']) {
        return None;
    }
    let text = format!("{key}=0");
    let parsed = DeTable::parse(&text).ok()?;
    let mut table = parsed.get_ref();
    let mut keys = Vec::new();
    loop {
        let (key, value) = table.iter().next()?;
        keys.push((key.get_ref().to_string(), key.span().start + base..key.span().end + base));
        match value.get_ref() {
            DeValue::Table(inner) => table = inner,
            _ => return Some(keys),
        }
    }
}

/// A TOML value, or else the text as a string: a shell takes quotes away. None for what is too deep.
fn parse_value(text: &str, base: usize) -> Option<Spanned<DeValue<'_>>> {
    let start = base + (text.len() - text.trim_start().len());
    match DeValue::parse(text.trim()) {
        Ok(parsed) if is_too_deep(parsed.get_ref()) => {
            dismantle(parsed.into_inner());
            None
        }
        Ok(parsed) => Some(moved(parsed, start)),
        Err(_) => Some(Spanned::new(base..base + text.len(), DeValue::String(Cow::Borrowed(text)))),
    }
}

fn moved(value: Spanned<DeValue<'_>>, by: usize) -> Spanned<DeValue<'_>> {
    let span = moved_span(&value.span(), by);
    let value = match value.into_inner() {
        DeValue::Array(mut items) => {
            for item in items.iter_mut() {
                let empty = Spanned::new(0..0, DeValue::Boolean(false));
                *item = moved(std::mem::replace(item, empty), by);
            }
            DeValue::Array(items)
        }
        DeValue::Table(table) => {
            let mut copy = DeTable::new();
            for (key, value) in table {
                copy.insert(Spanned::new(moved_span(&key.span(), by), key.into_inner()), moved(value, by));
            }
            DeValue::Table(copy)
        }
        plain => plain,
    };
    Spanned::new(span, value)
}

fn moved_span(span: &Range<usize>, by: usize) -> Range<usize> {
    span.start + by..span.end + by
}

/// Puts the setting in its place; what stood there goes away.
pub(super) fn apply<'a>(setting: Setting<'a>, top: &mut DeTable<'a>) {
    let Setting { mut keys, value } = setting;
    let Some((last, last_span)) = keys.pop() else { return };
    let mut table = top;
    for (name, span) in keys {
        if !table.get(name.as_str()).is_some_and(|value| value.get_ref().is_table()) {
            table.remove(name.as_str());
        }
        let key = Spanned::new(span.clone(), DeString::from(name));
        let inner = table.entry(key).or_insert_with(|| Spanned::new(span, DeValue::Table(DeTable::new())));
        let DeValue::Table(inner) = inner.get_mut() else { return };
        table = inner;
    }
    // The parser's map keeps an old key when a value is replaced, and with it the old place.
    table.remove(last.as_str());
    table.insert(Spanned::new(last_span, DeString::from(last)), value);
}
