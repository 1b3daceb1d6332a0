//! What differs between a run and its resume: texts and parameters, each in a sentence.

use std::path::Path;

use crate::lua::frozen::Frozen;
use crate::model::Value;
use crate::plan::{JobText, Plan};
use crate::wire::value;

/// Lines are compared one by one up to so many pairs of them; beyond, the larger side counts.
const PAIRS: usize = 4_000_000;

/// Everything that the job consists of, with the files that its scripts have loaded.
pub fn texts(plan: &Plan, loaded: &Frozen) -> Vec<JobText> {
    let mut all = plan.texts.clone();
    let mut files = loaded.known();
    files.sort_unstable();
    for (path, _) in files {
        // one that went away has been read, and says so when it is loaded again
        if let Ok(text) = std::fs::read(&path)
            && !all.iter().any(|known| known.path == path)
        {
            all.push(JobText { path, text: text.into() });
        }
    }
    all
}

/// How a text is named in a journal: from the folder that holds `.mpms`, where it lies below that.
pub fn name(path: &Path, root: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).display().to_string()
}

/// `jobs/crawl.lua changed since run 7f3a (2 lines)`; none for an equal text.
pub fn of_text(name: &str, run: &str, before: &[u8], now: &[u8]) -> Option<String> {
    if before == now {
        return None;
    }
    let lines = match changed_lines(before, now) {
        0 => "line ends".to_owned(),
        1 => "1 line".to_owned(),
        lines => format!("{lines} lines"),
    };
    Some(format!("{name} changed since run {run} ({lines})"))
}

/// Of two encoded maps: `parameter count was 10, is 20`.
pub fn of_params(before: &[u8], now: &Value) -> Vec<String> {
    let Ok(Value::Map(before)) = value::decode(before, &mut 0) else { return Vec::new() };
    let before = Value::Map(before);
    let shown = |value: Option<&Value>| value.map_or_else(|| "not there".to_owned(), value::describe);
    let mut names: Vec<&str> = Vec::new();
    for map in [&before, now] {
        if let Value::Map(pairs) = map {
            names.extend(pairs.iter().filter_map(|(name, _)| name.as_text()));
        }
    }
    let mut changes = Vec::new();
    for (at, name) in names.iter().enumerate() {
        let (was, is) = (before.get(name), now.get(name));
        if was != is && !names[..at].contains(name) {
            changes.push(format!("parameter {name} was {}, is {}", shown(was), shown(is)));
        }
    }
    changes
}

/// How many lines were changed, added or removed, at least.
fn changed_lines(before: &[u8], now: &[u8]) -> usize {
    let split = |text: &[u8]| -> Vec<Vec<u8>> {
        text.split(|byte| *byte == b'\n')
            .map(|line| line.strip_suffix(b"\r").unwrap_or(line).to_vec())
            .collect()
    };
    let (before, now) = (split(before), split(now));
    let head = before.iter().zip(&now).take_while(|(a, b)| a == b).count();
    let (before, now) = (&before[head..], &now[head..]);
    let tail = before.iter().rev().zip(now.iter().rev()).take_while(|(a, b)| a == b).count();
    let (before, now) = (&before[..before.len() - tail], &now[..now.len() - tail]);
    let most = before.len().max(now.len());
    if before.len().saturating_mul(now.len()) > PAIRS { most } else { most - common(before, now) }
}

/// The length of the longest common subsequence.
fn common(before: &[Vec<u8>], now: &[Vec<u8>]) -> usize {
    let mut row = vec![0; now.len() + 1];
    for line in before {
        let mut diagonal = 0;
        for (at, other) in now.iter().enumerate() {
            let above = row[at + 1];
            row[at + 1] = if line == other { diagonal + 1 } else { above.max(row[at]) };
            diagonal = above;
        }
    }
    row[now.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(before: &str, now: &str) -> Option<String> {
        of_text("a.lua", "7f3a", before.as_bytes(), now.as_bytes())
    }

    #[test]
    fn changed_lines_are_counted() {
        assert_eq!(told("a\nb\n", "a\nb\n"), None);
        let lines = |before, now| {
            let told = told(before, now).expect("a change");
            told.split_once('(').expect("a count").1.trim_end_matches(')').to_owned()
        };
        assert_eq!(lines("a\nb\nc\n", "a\nx\nc\n"), "1 line");
        assert_eq!(lines("a\nb\nc\n", "a\nc\n"), "1 line");
        assert_eq!(lines("a\nb\nc\nd\n", "x\na\nb\nd\ne\n"), "2 lines");
        assert_eq!(lines("a\nb\n", "a\r\nb\r\n"), "line ends");
        assert_eq!(lines(&"a\n".repeat(3_000), &"b\n".repeat(2_500)), "3000 lines");
    }

    #[test]
    fn parameters_are_named_with_both_values() {
        let map = |pairs: &[(&str, Value)]| {
            Value::Map(pairs.iter().map(|(name, value)| (Value::text(*name), value.clone())).collect())
        };
        let before =
            map(&[("count", Value::Int(10)), ("base", Value::text("x")), ("gone", Value::Bool(true))]);
        let now = map(&[("base", Value::text("x")), ("count", Value::Int(20)), ("new", Value::Nil)]);
        let mut code = Vec::new();
        value::encode(&mut code, &before);
        let expected = [
            "parameter count was 10, is 20",
            "parameter gone was true, is not there",
            "parameter new was not there, is nil",
        ];
        assert_eq!(of_params(&code, &now), expected);
        assert!(of_params(&code, &before).is_empty());
    }

    #[test]
    fn a_text_is_named_from_the_folder_of_the_runs() {
        let root = Path::new("/home/ada/crawl");
        assert_eq!(name(Path::new("/home/ada/crawl/jobs/a.lua"), root), "jobs/a.lua");
        assert_eq!(name(Path::new("/opt/lib/a.lua"), root), "/opt/lib/a.lua");
    }
}
