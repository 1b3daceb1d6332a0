//! Text of scripts made harmless: it cannot drive a terminal, nor fill it with one line.

use std::fmt::Write;

/// The longest line that is shown, in bytes.
pub(crate) const LINE: usize = 8 * 1024;

/// One line, with everything escaped that a terminal would obey.
pub fn line(text: &str) -> String {
    shortened(text, LINE)
}

/// As [`line()`], and of `limit` bytes about.
pub fn shortened(text: &str, limit: usize) -> String {
    let shown = &text[..text.floor_char_boundary(limit)];
    let mut clean = String::with_capacity(shown.len());
    for c in shown.chars() {
        if drives(c) { escape(&mut clean, c) } else { clean.push(c) }
    }
    if shown.len() < text.len() {
        clean.push('…');
    }
    clean
}

/// Lines of a text of several, each clean.
pub fn lines(text: &str) -> impl Iterator<Item = String> + '_ {
    text.trim_end_matches(['\n', '\r']).lines().map(line)
}

/// Control characters, and those that turn the order of what is read.
pub(crate) fn drives(c: char) -> bool {
    (c.is_control() && c != '\t')
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn escape(into: &mut String, c: char) {
    match c {
        '\n' => into.push_str("\\n"),
        '\r' => into.push_str("\\r"),
        // Cannot fail: a `String` takes all.
        c if c.is_ascii() => drop(write!(into, "\\x{:02x}", c as u32)),
        c => drop(write!(into, "\\u{{{:x}}}", c as u32)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, proptest};

    #[test]
    fn escapes_are_shown_and_words_stay() {
        assert_eq!(line("\u{1b}[2Jhi\tyou\r\n\u{9b}31m ü 漢"), "\\x1b[2Jhi\tyou\\r\\n\\u{9b}31m ü 漢");
        assert_eq!(line("a\u{202e}b"), "a\\u{202e}b");
    }

    #[test]
    fn long_lines_are_cut_between_characters() {
        let cut = line(&"ä".repeat(LINE));
        assert!(cut.len() <= LINE + '…'.len_utf8());
        assert!(cut.ends_with("ä…"));
    }

    proptest! {
        #[test]
        fn nothing_that_drives_a_terminal_survives(text in any::<String>()) {
            for clean in lines(&text).chain([line(&text)]) {
                assert!(!clean.chars().any(drives), "{clean:?}");
            }
        }
    }
}
