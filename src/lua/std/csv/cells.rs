//! What cells become: texts, or values of a type.

use mlua::{Table, Value};

use crate::lua::error::LibError;
use crate::lua::tape::Tape;

/// Of one column.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Kind {
    Text,
    /// A number or a boolean when it is written as one, and nothing is lost; else a text.
    Any,
    Integer,
    Number,
    Boolean,
}

/// The option `types`.
#[derive(Debug)]
pub(super) enum Types {
    All(Kind),
    /// By the name of the column, or its number.
    Of(Vec<(Vec<u8>, Kind)>),
}

const WORDS: &str = "`string`, `integer`, `number` or `boolean`";

impl Types {
    /// # Errors
    /// On any other value.
    pub fn read(value: Option<Value>) -> Result<Self, LibError> {
        let table: Table = match value {
            None | Some(Value::Boolean(false)) => return Ok(Self::All(Kind::Text)),
            Some(Value::Boolean(true)) => return Ok(Self::All(Kind::Any)),
            Some(Value::Table(table)) => table,
            Some(other) => {
                let got = other.type_name();
                return Err(LibError::invalid(format!(
                    "option `types` must be a boolean or a table, got {got}"
                )));
            }
        };
        let mut kinds = Vec::new();
        table.for_each(|column: Value, kind: Value| {
            kinds.push((column.to_string()?.into_bytes(), kind.to_string()?));
            Ok(())
        })?;
        let kind_of = |(column, word): (Vec<u8>, String)| {
            let kind = match word.as_str() {
                "string" => Kind::Text,
                "integer" => Kind::Integer,
                "number" => Kind::Number,
                "boolean" => Kind::Boolean,
                _ => {
                    let column = String::from_utf8_lossy(&column).into_owned();
                    return Err(LibError::invalid(format!(
                        "option `types`: `{column}` must be {WORDS}, got `{word}`"
                    )));
                }
            };
            Ok((column, kind))
        };
        Ok(Self::Of(kinds.into_iter().map(kind_of).collect::<Result<_, _>>()?))
    }

    /// For columns with these names, or with none.
    ///
    /// # Errors
    /// When it names a column that is not there.
    pub fn kinds(&self, names: Option<&[Vec<u8>]>) -> Result<Vec<Kind>, LibError> {
        let given = match self {
            Self::All(kind) => return Ok(vec![*kind; names.map_or(0, <[_]>::len)]),
            Self::Of(given) => given,
        };
        let mut kinds = vec![Kind::Text; names.map_or(0, <[_]>::len)];
        for (column, kind) in given {
            let named = names.and_then(|names| names.iter().position(|name| name == column));
            let numbered = || std::str::from_utf8(column).ok()?.parse::<usize>().ok()?.checked_sub(1);
            let Some(at) = named.or_else(|| if names.is_none() { numbered() } else { None }) else {
                let column = String::from_utf8_lossy(column).into_owned();
                return Err(LibError::invalid(format!("option `types`: there is no column `{column}`")));
            };
            if at >= 1 << 16 {
                return Err(LibError::invalid("option `types`: there are not so many columns"));
            }
            if at >= kinds.len() {
                kinds.resize(at + 1, Kind::Text);
            }
            kinds[at] = *kind;
        }
        Ok(kinds)
    }

    /// Of the columns behind those.
    pub fn rest(&self) -> Kind {
        match self {
            Self::All(kind) => *kind,
            Self::Of(_) => Kind::Text,
        }
    }
}

impl Kind {
    /// Writes the cell.
    ///
    /// # Errors
    /// What it is instead.
    pub fn put(self, cell: &[u8], tape: &mut Tape) -> Result<(), &'static str> {
        match self {
            Self::Text => tape.text(cell),
            Self::Any => any(cell, tape),
            _ if cell.trim_ascii().is_empty() => tape.null(),
            Self::Integer => tape.int(parsed(cell).ok_or("no integer")?),
            Self::Number => match parsed(cell) {
                Some(number) => tape.int(number),
                None => tape
                    .float(parsed(cell).filter(|_| is_number(cell.trim_ascii(), true)).ok_or("no number")?),
            },
            Self::Boolean => tape.bool(boolean(cell.trim_ascii()).ok_or("neither true nor false")?),
        }
        Ok(())
    }
}

fn parsed<T: std::str::FromStr>(cell: &[u8]) -> Option<T> {
    std::str::from_utf8(cell.trim_ascii()).ok()?.parse().ok()
}

fn boolean(cell: &[u8]) -> Option<bool> {
    let is = |word: &[u8]| cell.eq_ignore_ascii_case(word);
    if is(b"true") {
        Some(true)
    } else if is(b"false") {
        Some(false)
    } else {
        None
    }
}

fn any(cell: &[u8], tape: &mut Tape) {
    match cell.first() {
        Some(b'-' | b'0'..=b'9') if is_number(cell, false) => {
            let fraction = cell.iter().any(|byte| matches!(byte, b'.' | b'e' | b'E'));
            match (fraction, parsed::<i64>(cell), parsed::<f64>(cell)) {
                (false, Some(number), _) => tape.int(number),
                (true, _, Some(number)) if number.is_finite() => tape.float(number),
                // more digits than fit
                _ => tape.text(cell),
            }
        }
        Some(b't' | b'f' | b'T' | b'F') => match boolean(cell) {
            Some(flag) => tape.bool(flag),
            None => tape.text(cell),
        },
        _ => tape.text(cell),
    }
}

/// As JSON writes it: `007` is a text. With `lax` zeros and a plus before it, and no digit on one side of the point.
fn is_number(cell: &[u8], lax: bool) -> bool {
    let digits = |bytes: &[u8]| bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let rest = match cell {
        [b'-', rest @ ..] => rest,
        [b'+', rest @ ..] if lax => rest,
        _ => cell,
    };
    let whole = digits(rest);
    if !lax && (whole == 0 || (whole > 1 && rest[0] == b'0')) {
        return false;
    }
    let mut rest = &rest[whole..];
    let mut part = 0;
    if let [b'.', after @ ..] = rest {
        part = digits(after);
        rest = &after[part..];
        if part == 0 && !lax {
            return false;
        }
    }
    if whole + part == 0 {
        return false;
    }
    if let [b'e' | b'E', after @ ..] = rest {
        let after = after.strip_prefix(b"-").or_else(|| after.strip_prefix(b"+")).unwrap_or(after);
        let count = digits(after);
        return count > 0 && count == after.len();
    }
    rest.is_empty()
}
