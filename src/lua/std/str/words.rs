//! Letters: their case, their accents, how far words are apart.

use std::borrow::Cow;

use unicode_normalization::{UnicodeNormalization as _, is_nfc_quick};

use crate::lua::error::LibError;

/// Steps of one comparison; more would keep a thread for seconds.
const MOST_STEPS: usize = 1 << 29;

/// `change` applied to what is UTF-8, the other bytes as they are.
fn map_text(bytes: &[u8], mut change: impl FnMut(&str, &mut String)) -> Vec<u8> {
    let (mut out, mut changed) = (Vec::with_capacity(bytes.len()), String::new());
    for chunk in bytes.utf8_chunks() {
        changed.clear();
        change(chunk.valid(), &mut changed);
        out.extend_from_slice(changed.as_bytes());
        out.extend_from_slice(chunk.invalid());
    }
    out
}

/// Words with a large first letter and small others; a word begins behind whitespace.
pub(super) fn title(bytes: &[u8]) -> Vec<u8> {
    let mut within = false;
    map_text(bytes, |text, out| {
        for one in text.chars() {
            match within {
                true => out.extend(one.to_lowercase()),
                false => out.extend(one.to_uppercase()),
            }
            within = !one.is_whitespace();
        }
    })
}

/// Small letters and digits with `-` between the words, accents dropped: for names of files and addresses.
pub(super) fn slug(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let bare = text.nfkd().filter(|one| !is_accent(*one));
    let small = bare.flat_map(char::to_lowercase).collect::<String>();
    let mut slug = String::new();
    for one in small.nfc().filter(|one| !is_accent(*one)) {
        match one {
            'ß' => slug.push_str("ss"),
            'æ' => slug.push_str("ae"),
            'œ' => slug.push_str("oe"),
            'ø' => slug.push('o'),
            'đ' | 'ð' => slug.push('d'),
            'ł' => slug.push('l'),
            'ı' => slug.push('i'),
            'þ' => slug.push_str("th"),
            '\'' | '’' => {}
            one if one.is_alphanumeric() || is_mark(one) => slug.push(one),
            _ if !slug.ends_with('-') && !slug.is_empty() => slug.push('-'),
            _ => {}
        }
    }
    slug.truncate(slug.trim_end_matches('-').len());
    slug
}

/// The combining marks of Latin, Greek and Cyrillic letters: those of other scripts are vowels.
fn is_accent(one: char) -> bool {
    ('\u{300}'..='\u{36F}').contains(&one)
}

fn is_mark(one: char) -> bool {
    unicode_normalization::char::is_combining_mark(one)
}

pub(super) fn nfc(bytes: &[u8]) -> Cow<'_, [u8]> {
    match std::str::from_utf8(bytes) {
        Ok(text) if is_nfc_quick(text.chars()) == unicode_normalization::IsNormalized::Yes => {
            Cow::Borrowed(bytes)
        }
        _ => Cow::Owned(map_text(bytes, |text, out| out.extend(text.nfc()))),
    }
}

/// Levenshtein's, in characters.
pub(super) fn distance(a: &[u8], b: &[u8]) -> Result<usize, LibError> {
    let (a, b) = (String::from_utf8_lossy(a), String::from_utf8_lossy(b));
    let (long, wide) = (a.chars().count(), b.chars().count());
    if long.saturating_mul(wide) > MOST_STEPS {
        return Err(LibError::new(
            "too_large",
            format!(
                "texts of {long} and {wide} characters are too long to compare, their product must be below 2^29"
            ),
        ));
    }
    Ok(strsim::levenshtein(&a, &b))
}
