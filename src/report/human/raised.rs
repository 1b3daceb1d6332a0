//! Calls of the handler that raised, in a run that goes on (`on_error = "log"`).

use crate::model::Failure;
use crate::model::event::TaskLabel;
use crate::report::human::groups::{Groups, SHOWN};
use crate::report::human::look::{Look, Tone};
use crate::report::human::{clean, failures};
use crate::report::units;

/// Kinds that the end repeats.
const REPEATED: usize = 20;

/// All errors so far, grouped as failures are.
#[derive(Debug)]
pub(super) struct Raised {
    groups: Groups<String>,
    count: u64,
}

impl Raised {
    pub(super) fn new() -> Self {
        Raised { groups: Groups::new(), count: 0 }
    }

    /// How often a role raised.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Counts one; the lines to show now, if any. They are errors of the job, so that `-q` shows them too.
    pub(super) fn add(&mut self, look: Look, role: &str, task: &TaskLabel, failure: &Failure) -> String {
        self.count += 1;
        let what = failures::what(failure);
        let kind = format!("{role}\0{}", failures::kind(failure));
        let nth = self.groups.add(kind, || format!("role `{role}` raised   {what}"));
        if nth > SHOWN {
            return String::new();
        }
        let name = clean::shortened(&task.name, 100);
        let mut lines = look.line(Tone::Bad, "ERROR", &format!("role `{role}` raised at {name}   {what}"));
        if nth == 1 {
            lines.push_str(&failures::traced(look, failure));
        }
        if nth == SHOWN {
            lines.push_str(&look.dim("(more like this are counted, not shown)"));
        }
        lines
    }

    /// The kinds of which not all were shown, the most frequent first.
    pub(super) fn repeated(&self, look: Look) -> String {
        let groups = self.groups.by_count();
        let counted = groups.iter().filter(|group| group.count > SHOWN).take(REPEATED);
        let lines = counted.map(|group| {
            look.line(Tone::Bad, "ERROR", &format!("{}   x{}", group.example, units::count(group.count)))
        });
        lines.collect()
    }
}
