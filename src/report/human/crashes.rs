//! Workers that died: the first few that died alike are shown, the others counted.

use crate::report::human::clean;
use crate::report::human::groups::{Groups, SHOWN, without_numbers};
use crate::report::human::look::{Look, Tone};
use crate::report::units;

/// All deaths so far, grouped by how.
#[derive(Debug)]
pub(super) struct Crashes {
    groups: Groups<String>,
}

impl Crashes {
    pub(super) fn new() -> Self {
        Crashes { groups: Groups::new() }
    }

    /// Counts a death; the line to show now, if any.
    pub(super) fn add(&mut self, how: &str, line: impl FnOnce() -> String, look: Look) -> String {
        let nth = self.groups.add(without_numbers(how), || clean::line(how));
        let mut text = if nth <= SHOWN { line() } else { String::new() };
        if nth == SHOWN {
            text.push_str(&look.dim("(more like this are counted, not shown)"));
        }
        text
    }

    /// The kinds of which not all were shown.
    pub(super) fn repeated(&self, look: Look) -> String {
        let groups = self.groups.by_count();
        let counted = groups.iter().filter(|group| group.count > SHOWN);
        let lines = counted.map(|group| {
            look.line(Tone::Bad, "CRASH", &format!("{}   x{}", group.example, units::count(group.count)))
        });
        lines.collect()
    }
}
