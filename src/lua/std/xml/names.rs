//! Letters and names of XML 1.0 (fifth edition, sections 2.2 and 2.3).

/// Whether a document may have it.
pub(super) fn is_letter(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}')
}

/// Whether it may be the name of an element or an attribute.
pub(super) fn is_name(name: &str) -> bool {
    let mut letters = name.chars();
    letters.next().is_some_and(begins) && letters.all(|c| begins(c) || continues(c))
}

fn begins(c: char) -> bool {
    c.is_ascii_alphabetic()
        || matches!(c, ':' | '_' | '\u{c0}'..='\u{d6}' | '\u{d8}'..='\u{f6}' | '\u{f8}'..='\u{2ff}'
            | '\u{370}'..='\u{37d}' | '\u{37f}'..='\u{1fff}' | '\u{200c}'..='\u{200d}' | '\u{2070}'..='\u{218f}'
            | '\u{2c00}'..='\u{2fef}' | '\u{3001}'..='\u{d7ff}' | '\u{f900}'..='\u{fdcf}' | '\u{fdf0}'..='\u{fffd}'
            | '\u{10000}'..='\u{effff}')
}

fn continues(c: char) -> bool {
    c.is_ascii_digit() || matches!(c, '-' | '.' | '\u{b7}' | '\u{300}'..='\u{36f}' | '\u{203f}'..='\u{2040}')
}

/// What is between `&` and `;`.
///
/// # Errors
/// When it is none of the five that every document has, and no number of a letter.
pub(super) fn entity(name: &str) -> Result<char, String> {
    let number = match name.strip_prefix('#') {
        Some(digits) => match digits.strip_prefix('x') {
            Some(digits) => Some((digits, 16)),
            None => Some((digits, 10)),
        },
        None => None,
    };
    if let Some((digits, radix)) = number {
        let code = digits.chars().all(|c| c.is_digit(radix)).then(|| u32::from_str_radix(digits, radix).ok());
        return code
            .flatten()
            .and_then(char::from_u32)
            .filter(|c| is_letter(*c))
            .ok_or_else(|| format!("`&{name};` is no letter of XML"));
    }
    match name {
        "lt" => Ok('<'),
        "gt" => Ok('>'),
        "amp" => Ok('&'),
        "quot" => Ok('"'),
        "apos" => Ok('\''),
        _ => Err(format!("the entity `&{name};` is not known: entities of a document type are not expanded")),
    }
}
