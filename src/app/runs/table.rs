//! Columns under their names, as wide as what is in them.

use std::io::{self, IsTerminal as _};

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// Where a cell's text stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Text.
    Left,
    /// Numbers.
    Right,
}

/// Between two columns.
const GAP: usize = 2;
/// Narrower than this no column gets.
const LEAST: usize = 8;

/// The lines of a table. When they are wider than `most` columns of a terminal, the widest column of text is cut.
pub fn lines<const N: usize>(names: [(&str, Align); N], rows: &[[String; N]], most: Option<usize>) -> String {
    let mut widths = names.map(|(name, _)| name.width());
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.width());
        }
    }
    if let Some(most) = most {
        shrink(&mut widths, &names.map(|(_, align)| align), most);
    }
    let mut text = String::new();
    let heads = names.map(|(name, _)| name.to_owned());
    for row in std::iter::once(&heads).chain(rows) {
        let mut line = String::new();
        for (at, cell) in row.iter().enumerate() {
            let cell = cut(cell, widths[at]);
            let space = " ".repeat(widths[at] - cell.width());
            match names[at].1 {
                Align::Left => line.extend([cell.as_str(), &space]),
                Align::Right => line.extend([space.as_str(), &cell]),
            }
            line.push_str(&" ".repeat(GAP));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn shrink(widths: &mut [usize], aligns: &[Align], most: usize) {
    loop {
        let whole = widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1);
        let widest = (0..widths.len()).filter(|at| aligns[*at] == Align::Left).max_by_key(|at| widths[*at]);
        match widest {
            Some(at) if whole > most && widths[at] > LEAST => {
                widths[at] = widths[at].saturating_sub(whole - most).max(LEAST);
            }
            _ => return,
        }
    }
}

/// The text in so many columns, with `…` where it was longer.
fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut short = String::new();
    let mut used = 1;
    for c in text.chars() {
        used += c.width().unwrap_or(0);
        if used > width {
            break;
        }
        short.push(c);
    }
    short.push('…');
    short
}

/// Columns of the terminal that standard output is; none when it is something else.
pub fn width() -> Option<usize> {
    if !io::stdout().is_terminal() {
        return None;
    }
    terminal_size::terminal_size().map(|(width, _)| usize::from(width.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(most: Option<usize>) -> String {
        let rows = [
            ["7f3a", "爬虫", "812/1,200"].map(str::to_owned),
            ["5c21", "a very long name", "9/9"].map(str::to_owned),
        ];
        lines([("ID", Align::Left), ("JOB", Align::Left), ("DONE", Align::Right)], &rows, most)
    }

    #[test]
    fn wide_characters_take_two_columns() {
        let expected = "ID    JOB                    DONE\n7f3a  爬虫              812/1,200\n5c21  a very long name        9/9\n";
        assert_eq!(table(None), expected);
        assert_eq!(table(Some(200)), expected);
    }

    #[test]
    fn a_narrow_terminal_cuts_the_longest_text() {
        let expected = "ID    JOB             DONE\n7f3a  爬虫       812/1,200\n5c21  a very…          9/9\n"
            .replace("a very…  ", "a very l…");
        let text = table(Some(26));
        assert!(text.lines().all(|line| line.width() <= 26), "{text}");
        assert!(text.contains("a very"), "{text}{expected}");
        assert_eq!(cut("爬虫爬虫", 4), "爬…");
    }
}
