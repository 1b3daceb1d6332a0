//! Plain values: parameters, `meta`, literal tasks.

use toml::Spanned;
use toml::de::{DeFloat, DeInteger, DeString, DeTable, DeValue};

use super::diagnostic::Diagnostic;
use super::section::Reader;
use crate::model::Value;

/// Tables may lie this deep in each other. What crosses to a worker may be 200 deep (`wire::value`); the
/// rest is room for what a script wraps around it.
const MAX_DEPTH: usize = 100;

/// A table's entries in the order in which they were written; the parser sorts them by name.
pub(super) fn entries<'a, 'i>(
    table: &'a DeTable<'i>,
) -> Vec<(&'a Spanned<DeString<'i>>, &'a Spanned<DeValue<'i>>)> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries
}

/// The value of an integer, when it has at most 64 bits.
pub(super) fn integer(written: &DeInteger<'_>) -> Option<i64> {
    i64::from_str_radix(written.as_str(), written.radix()).ok()
}

/// The value of a float, when it is not larger than every float.
pub(super) fn float(written: &DeFloat<'_>) -> Option<f64> {
    let number: f64 = written.as_str().parse().ok()?;
    (number.is_finite() || written.as_str().contains(['n', 'N'])).then_some(number)
}

/// Drops what the parser made without recursion: it bounds brackets and dots each, but not their product, and
/// a few thousand tables in each other are too many for the stack of a thread.
pub(super) fn dismantle(value: DeValue<'_>) {
    let mut open = vec![value];
    while let Some(value) = open.pop() {
        match value {
            DeValue::Array(mut items) => {
                let taken =
                    items.iter_mut().map(|item| std::mem::replace(item.get_mut(), DeValue::Boolean(false)));
                open.extend(taken);
            }
            DeValue::Table(table) => open.extend(table.into_iter().map(|(_, value)| value.into_inner())),
            _ => {}
        }
    }
}

/// Whether tables lie deeper in each other than a manifest may have them.
pub(super) fn is_too_deep(value: &DeValue<'_>) -> bool {
    let mut open = vec![(value, 0)];
    while let Some((value, depth)) = open.pop() {
        if depth > MAX_DEPTH {
            return true;
        }
        match value {
            DeValue::Array(items) => open.extend(items.iter().map(|item| (item.get_ref(), depth + 1))),
            DeValue::Table(table) => open.extend(table.iter().map(|(_, item)| (item.get_ref(), depth + 1))),
            _ => {}
        }
    }
    false
}

impl Reader {
    /// Any value as Lua will see it; none after an error, which is kept.
    pub(super) fn plain(&mut self, written: &Spanned<DeValue<'_>>) -> Option<Value> {
        self.plain_at(written, 0)
    }

    /// A table's entries as Lua will see them.
    pub(super) fn plain_entries(&mut self, table: &DeTable<'_>) -> Vec<(String, Value)> {
        let read = |(key, written): (&Spanned<DeString<'_>>, _)| {
            Some((key.get_ref().to_string(), self.plain_at(written, 1)?))
        };
        entries(table).into_iter().filter_map(read).collect()
    }

    fn plain_at(&mut self, written: &Spanned<DeValue<'_>>, depth: usize) -> Option<Value> {
        if depth > MAX_DEPTH {
            let spot = self.spot(written.span());
            let title = format!("values are nested deeper than {MAX_DEPTH}");
            self.push(
                Diagnostic::at("manifest::value", title, spot, "too deep")
                    .help("flatten it, or put it in a file"),
            );
            return None;
        }
        let read = match written.get_ref() {
            DeValue::String(text) => Some(Value::text(text.as_ref())),
            DeValue::Integer(number) => integer(number).map(Value::Int),
            DeValue::Float(number) => float(number).map(Value::Float),
            DeValue::Boolean(flag) => Some(Value::Bool(*flag)),
            DeValue::Datetime(time) => Some(Value::text(time.to_string())),
            DeValue::Array(items) => {
                let items = items.iter().map(|item| self.plain_at(item, depth + 1)).collect::<Option<_>>()?;
                return Some(Value::Array(items));
            }
            DeValue::Table(table) => {
                let pairs = entries(table).into_iter().map(|(key, item)| {
                    Some((Value::text(key.get_ref().as_ref()), self.plain_at(item, depth + 1)?))
                });
                return Some(Value::Map(pairs.collect::<Option<_>>()?));
            }
        };
        if read.is_none() {
            self.out_of_range(written);
        }
        read
    }

    /// A number that 64 bits do not hold.
    pub(super) fn out_of_range(&mut self, written: &Spanned<DeValue<'_>>) {
        let spot = self.spot(written.span());
        let kind = written.get_ref().type_str();
        let label = match written.get_ref() {
            DeValue::Integer(_) => format!("not between {} and {}", i64::MIN, i64::MAX),
            _ => "larger than every float".into(),
        };
        let title = format!("{kind} does not fit into 64 bits");
        self.push(
            Diagnostic::at("manifest::value", title, spot, label).help("put it in quotes to keep it as text"),
        );
    }
}

/// A value as TOML writes it (`5`, `true`, `"x"`, `[1, 2]`); none when the text is no TOML value.
pub fn literal(text: &str) -> Option<Value> {
    let parsed = DeValue::parse(text).ok()?;
    let mut reader = Reader::new(&super::SourceText::new("", text));
    let value = reader.plain(&parsed);
    dismantle(parsed.into_inner());
    if reader.is_clean() { value } else { None }
}
