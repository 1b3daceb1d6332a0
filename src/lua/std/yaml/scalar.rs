//! What a scalar means: the core schema of YAML 1.2.2 (section 10.3), and what YAML 1.1 would read into it.

use crate::lua::tape::Tape;

/// The meaning of a text without quotes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Plain {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text,
}

impl Plain {
    pub fn of(text: &str) -> Self {
        match text {
            "" | "~" | "null" | "Null" | "NULL" => return Self::Null,
            "true" | "True" | "TRUE" => return Self::Bool(true),
            "false" | "False" | "FALSE" => return Self::Bool(false),
            _ => {}
        }
        // nearly every text ends here
        if !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.')) {
            return Self::Text;
        }
        integer(text).or_else(|| float(text)).unwrap_or(Self::Text)
    }

    pub fn put(self, text: &str, tape: &mut Tape) {
        match self {
            Self::Null => tape.null(),
            Self::Bool(flag) => tape.bool(flag),
            Self::Int(number) => tape.int(number),
            Self::Float(number) => tape.float(number),
            Self::Text => tape.text(text.as_bytes()),
        }
    }
}

/// Beyond 64 bits it becomes a float, as in Lua's own numerals.
fn integer(text: &str) -> Option<Plain> {
    let radix = |digits: &str, radix: u32| {
        let wrong = digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix));
        let float = || {
            digits
                .chars()
                .fold(0.0, |sum, c| sum * f64::from(radix) + f64::from(c.to_digit(radix).unwrap_or(0)))
        };
        (!wrong)
            .then(|| i64::from_str_radix(digits, radix).map_or_else(|_| Plain::Float(float()), Plain::Int))
    };
    if let Some(digits) = text.strip_prefix("0x") {
        return radix(digits, 16);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return radix(digits, 8);
    }
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().map(Plain::Int).or_else(|_| text.parse().map(Plain::Float)).ok()
}

fn float(text: &str) -> Option<Plain> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    match digits {
        ".inf" | ".Inf" | ".INF" => {
            let sign = if text.starts_with('-') { -1.0 } else { 1.0 };
            return Some(Plain::Float(sign * f64::INFINITY));
        }
        ".nan" | ".NaN" | ".NAN" if digits.len() == text.len() => return Some(Plain::Float(f64::NAN)),
        _ => {}
    }
    let (number, exponent) = match digits.split_once(['e', 'E']) {
        Some((number, exponent)) => (number, Some(exponent.strip_prefix(['-', '+']).unwrap_or(exponent))),
        None => (digits, None),
    };
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let fits = all_digits(whole)
        && all_digits(part)
        && !(whole.is_empty() && part.is_empty())
        && exponent.is_none_or(|digits| !digits.is_empty() && all_digits(digits));
    fits.then(|| text.parse().ok().map(Plain::Float)).flatten()
}

/// Whether some reader of YAML 1.1 or 1.2 takes the text for anything but a text: numbers with underscores and colons,
/// dates, `yes`.
pub(super) fn is_doubtful(text: &str) -> bool {
    const WORDS: &[&str] = &["y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"];
    let numeric = |c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.');
    text.starts_with(numeric)
        || matches!(text, "" | "~" | "=" | "<<")
        || WORDS.iter().any(|word| word.eq_ignore_ascii_case(text))
}
