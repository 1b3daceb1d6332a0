//! What tasks printed, kept for the case that they fail.

use std::collections::{HashMap, VecDeque};

use crate::model::event::TaskLabel;

/// Lines kept of one task, its last ones.
const LINES: usize = 20;
/// Tasks whose lines are kept; the one that began to print first is forgotten first.
const TASKS: usize = 1_000;

/// The last lines of the last tasks that printed.
#[derive(Debug, Default)]
pub(super) struct Prints {
    by_task: HashMap<String, VecDeque<String>>,
    order: VecDeque<String>,
}

impl Prints {
    /// Keeps a clean line of a task, named as in [`LogLine::from`](crate::model::event::LogLine::from).
    pub(super) fn keep(&mut self, from: &str, line: String) {
        if !self.by_task.contains_key(from) {
            self.order.push_back(from.to_owned());
            if self.order.len() > TASKS
                && let Some(oldest) = self.order.pop_front()
            {
                self.by_task.remove(&oldest);
            }
        }
        let lines = self.by_task.entry(from.to_owned()).or_default();
        if lines.len() == LINES {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    /// Takes what a task printed; it ended.
    pub(super) fn take(&mut self, task: &TaskLabel) -> Vec<String> {
        if self.by_task.is_empty() {
            return Vec::new();
        }
        let name = [&task.id, &task.name].into_iter().find(|name| self.by_task.contains_key(*name));
        let Some(name) = name else { return Vec::new() };
        self.order.retain(|other| other != name);
        self.by_task.remove(name).map(Vec::from).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_of_the_last_tasks_are_kept() {
        let mut prints = Prints::default();
        for task in 0..2_000 {
            for line in 0..30 {
                prints.keep(&task.to_string(), line.to_string());
            }
        }
        let label = |id: &str| TaskLabel { id: id.into(), name: "n".into(), attempt: 1, worker: 1 };
        assert!(prints.take(&label("999")).is_empty());
        let kept = prints.take(&label("1000"));
        assert_eq!((kept.len(), kept[0].as_str()), (LINES, "10"));
        assert!(prints.take(&label("1000")).is_empty());
        assert_eq!(prints.order.len(), TASKS - 1);
    }
}
