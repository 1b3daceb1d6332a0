//! How deep a text may nest, before it is parsed: the parser bounds brackets and the parts of one key, each on its own,
//! but together they make trees that overflow the stack when they are dropped.

use crate::lua::tape::DEEPEST;

/// Where the text nests deeper than that. It is counted a little too high, never too low.
pub(super) fn too_deep(text: &[u8]) -> Option<usize> {
    let (mut at, mut header, mut fresh) = (0, 0, true);
    // depth of each open bracket, and the dots of the key that is read there
    let mut open: Vec<(usize, usize)> = vec![(0, 0)];
    while let Some(&byte) = text.get(at) {
        let top = open.len() - 1;
        match byte {
            b'"' | b'\'' => {
                at = behind_string(text, at);
                fresh = false;
                continue;
            }
            b'#' => {
                at += text[at..].iter().position(|byte| *byte == b'\n').unwrap_or(text.len() - at);
                continue;
            }
            b'.' => open[top].1 += 1,
            b',' => open[top].1 = 0,
            b'\n' if top == 0 => {
                (open[0].1, fresh) = (0, true);
                at += 1;
                continue;
            }
            b'[' if top == 0 && fresh => {
                let end = header_end(text, at);
                // each part may be a list of tables
                header = 2 * (1 + text[at..end].iter().filter(|byte| **byte == b'.').count());
                at = end;
                continue;
            }
            b'[' | b'{' => {
                let (depth, dots) = open[top];
                open.push((depth + dots + 1, 0));
            }
            b']' | b'}' if top > 0 => drop(open.pop()),
            _ => {}
        }
        let (depth, dots) = open[open.len() - 1];
        if header + depth + dots > DEEPEST {
            return Some(at);
        }
        fresh = fresh && byte.is_ascii_whitespace();
        at += 1;
    }
    None
}

fn header_end(text: &[u8], from: usize) -> usize {
    from + text[from..].iter().position(|byte| *byte == b'\n').unwrap_or(text.len() - from)
}

fn behind_string(text: &[u8], from: usize) -> usize {
    let quote = text[from];
    let three = text[from..].starts_with(&[quote; 3]);
    let mut at = from + if three { 3 } else { 1 };
    while let Some(&byte) = text.get(at) {
        match byte {
            b'\\' if quote == b'"' => at += 2,
            b'\n' if !three => return at,
            byte if byte == quote && !three => return at + 1,
            byte if byte == quote && text[at..].starts_with(&[quote; 3]) => {
                // one or two quotes may stand right before the end
                at += 3;
                return at + text[at..].iter().take(2).take_while(|byte| **byte == quote).count();
            }
            _ => at += 1,
        }
    }
    text.len()
}
