//! How two texts differ, line by line: `-` was expected, `+` is there.

use std::convert::Infallible;

use similar::algorithms::{Capture, Compact, Replace, myers};
use similar::{ChangeTag, DiffOp, group_diff_ops};

/// Lines around a change that are shown.
const AROUND: usize = 3;
/// Lines that are shown at most.
const MOST: usize = 200;

/// Lines with `-`, `+` or a blank in front, and `...` for those that are the same.
pub fn diff(expected: &str, actual: &str) -> String {
    if !expected.contains('\n') && !actual.contains('\n') {
        return format!("- {expected}\n+ {actual}");
    }
    let old: Vec<&str> = expected.split_inclusive('\n').collect();
    let new: Vec<&str> = actual.split_inclusive('\n').collect();
    let mut lines: Vec<String> = Vec::new();
    for (index, group) in group_diff_ops(steps(&old, &new), AROUND).iter().enumerate() {
        let starts = group.first().is_none_or(|op| op.old_range().start == 0);
        if index > 0 || !starts {
            lines.push("  ...".to_owned());
        }
        for change in group.iter().flat_map(|op| op.iter_changes(&*old, &*new)) {
            let sign = match change.tag() {
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
                ChangeTag::Equal => ' ',
            };
            lines.push(format!("{sign} {}", change.value().trim_end_matches('\n')));
        }
    }
    if lines.is_empty() {
        // only the end of the last line
        lines.push("  (they differ only in the line's end at their end)".to_owned());
    }
    let more = lines.len().saturating_sub(MOST);
    if more > 0 {
        lines.truncate(MOST);
        lines.push(format!("  ... {more} more lines"));
    }
    lines.join("\n")
}

/// By one algorithm: the crate's door for all of them brings half a megabyte of code along.
fn steps(old: &[&str], new: &[&str]) -> Vec<DiffOp> {
    let mut steps = Compact::new(Replace::new(Capture::new()), old, new);
    let done: Result<(), Infallible> = myers::diff(&mut steps, old, 0..old.len(), new, 0..new.len());
    let Ok(()) = done;
    steps.into_inner().into_inner().into_ops()
}

#[cfg(test)]
mod tests {
    use super::diff;

    #[test]
    fn a_line_and_its_other_form_stand_below_each_other() {
        assert_eq!(diff("{ a = 1 }", "{ a = 2 }"), "- { a = 1 }\n+ { a = 2 }");
    }

    #[test]
    fn what_is_the_same_is_left_out_but_for_the_lines_around() {
        let text = |n: i32| (0..40).map(|i| format!("{}\n", if i == 20 { n } else { i })).collect::<String>();
        assert_eq!(diff(&text(1), &text(2)), "  ...\n  17\n  18\n  19\n- 1\n+ 2\n  21\n  22\n  23");
        assert_eq!(diff("a\n", "a"), "- a\n+ a");
    }
}
