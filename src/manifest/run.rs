//! `[run]`

use toml::de::DeValue;

use super::section::{Entry, Expected, Reader, Section, shorten};

/// `[run]`
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// `max_fail`
    pub max_fail: Option<MaxFail>,
    /// `deadline`, in nanoseconds
    pub deadline_ns: Option<u64>,
    /// `queue`, 1 to 1 000 000
    pub queue: Option<usize>,
    /// `journal`
    pub journal: Option<bool>,
    /// `keep`, 1 to 1 000 000
    pub keep: Option<usize>,
}

/// `max_fail`
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum MaxFail {
    /// So many failures stop the run.
    Count(u64),
    /// This percentage of the finished tasks, looked at once 100 have finished.
    Percent(f64),
}

const MAX_FAIL: Expected =
    Expected { title: "an integer or a percentage", label: "integer ≥ 0, or \"5%\"" };
/// A larger queue would be a list of all tasks in memory; sources are lazy so that there is none.
const MAX_QUEUE: i64 = 1_000_000;
const QUEUE: Expected = Expected { title: "an integer", label: "integer from 1 to 1000000" };
/// More runs than anybody looks at; a number with too many digits is a mistake.
const MAX_KEEP: i64 = 1_000_000;

impl Run {
    pub(super) fn read(reader: &mut Reader, section: Section<'_>) -> Self {
        let queue = section.entry("queue").and_then(|entry| reader.integer(&entry, 1..=MAX_QUEUE, QUEUE));
        let keep = section.entry("keep").and_then(|entry| reader.integer(&entry, 1..=MAX_KEEP, QUEUE));
        Self {
            max_fail: section.entry("max_fail").and_then(|entry| reader.max_fail(&entry)),
            deadline_ns: section
                .entry("deadline")
                .and_then(|entry| reader.duration(&entry, Some("leave it out: then a run takes its time"))),
            queue: queue.map(|queue| queue.value as usize),
            journal: section.entry("journal").and_then(|entry| reader.boolean(&entry)).map(|on| on.value),
            keep: keep.map(|keep| keep.value as usize),
        }
    }
}

impl Reader {
    fn max_fail(&mut self, entry: &Entry<'_>) -> Option<MaxFail> {
        if let DeValue::String(text) = entry.value.get_ref()
            && let Some(number) = text.trim().strip_suffix('%')
        {
            let percent = number.trim().parse().ok().filter(|percent| (0.0..=100.0).contains(percent));
            if percent.is_none() {
                self.wrong_value(
                    entry,
                    &format!("cannot be `{}`", shorten(text)),
                    "no number from 0 to 100",
                    "write it as in \"5%\" or \"0.5%\"",
                );
            }
            return percent.map(MaxFail::Percent);
        }
        self.integer(entry, 0..=i64::MAX, MAX_FAIL).map(|count| MaxFail::Count(count.value as u64))
    }
}
