//! `mpms runs show`

use serde_json::{Value, json};

use super::{Trouble, ago, is_json, list, named, progress, say, state_words};
use crate::cli::ShowArgs;
use crate::journal::record::FailedTask;
use crate::journal::{FailureGroup, Home, RunDir, RunInfo, RunState, View};
use crate::model::Failure;
use crate::report::human::clean;
use crate::report::units;
use crate::wire::value::{self, ARRAY};

/// Kinds of failures that are shown.
const KINDS: usize = 20;
/// Bytes of the meta that people are shown.
const META: usize = 4096;
/// Characters of a task's arguments.
const ARGS: usize = 200;
/// Text that may gather before it is written.
const PIECE: usize = 64 << 10;

/// What there is to know of a run.
pub fn show(home: &Home, arguments: &ShowArgs) -> Result<(), Trouble> {
    let run = named(home, arguments.run.as_ref())?;
    let view = View::open(&run)?;
    if arguments.failed {
        return failed(&view, is_json(arguments.format));
    }
    let info = view.info()?;
    let groups = view.failures_grouped(KINDS)?;
    let meta = view.meta()?;
    let text = if is_json(arguments.format) {
        format!("{}\n", object(&run, &info, &groups, meta.as_deref()))
    } else {
        human(&run, &info, &groups, meta.as_deref())
    };
    Ok(say(&text)?)
}

fn line(word: &str, rest: &str) -> String {
    format!("{word:>12} {rest}\n")
}

fn human(run: &RunDir, info: &RunInfo, groups: &[FailureGroup], meta: Option<&[u8]>) -> String {
    let begin = &info.begin;
    let mut text = line(
        "Run",
        format!("{} {}  {}", run.id, clean::line(&begin.job), clean::line(&begin.description)).trim_end(),
    );
    text.push_str(&line("State", &clean::line(&state_words(&info.state))));
    if let RunState::Stopped { why } = &info.state {
        why.lines().skip(1).for_each(|more| text.push_str(&line("", &clean::line(more))));
    }
    let ended = info.done + info.failed;
    let more = info.more && info.state != RunState::Complete;
    let mut tasks =
        format!("{} ended: {} ok", progress(ended, info.known, more), units::count(info.done - info.skipped));
    for (count, what) in
        [(info.skipped, "skipped"), (info.failed, "failed"), (info.pending, "put and waiting")]
    {
        if count > 0 {
            tasks.push_str(&format!(", {} {what}", units::count(count)));
        }
    }
    text.push_str(&line("Tasks", &tasks));
    let sessions = units::counted(info.sessions, "session");
    let began = ago(info.created_ms);
    text.push_str(&line(
        "Time",
        &format!("{} in {sessions}, begun {began}", units::duration(info.elapsed_ns)),
    ));
    text.push_str(&line("Manifest", &clean::line(&begin.manifest.display().to_string())));
    text.push_str(&line("Command", &clean::line(&begin.command)));
    if let Ok(Some(params)) = json_of(&begin.params).map(nonempty) {
        text.push_str(&line("Params", &clean::shortened(&params.to_string(), META)));
    }
    if let Some((output, mark)) = &info.output {
        text.push_str(&line(
            "Output",
            &format!("{}  {}", clean::line(output), units::counted(mark.rows, "row")),
        ));
    }
    if let Some(Ok(Some(meta))) = meta.map(|meta| json_of(meta).map(nonempty)) {
        text.push_str(&line("Meta", &clean::shortened(&meta.to_string(), META)));
    }
    if let Some(finish) = &info.finish {
        let mut word = "Finish";
        for part in clean::lines(finish) {
            text.push_str(&line(std::mem::take(&mut word), &part));
        }
    }
    for group in groups {
        let example = value::describe_list(&group.first.args, 60);
        let name = group.first.key.as_ref().map_or(example, |key| String::from_utf8_lossy(key).into_owned());
        let what = format!("{}   {} {}   x{}", name, group.code, group.message, units::count(group.count));
        text.push_str(&line("FAIL", &clean::shortened(&what, 500)));
    }
    let id = &run.id;
    let next = match &info.state {
        RunState::Running { .. } => Some(format!("mpms runs logs {id} -f")),
        RunState::Complete if info.failed == 0 => None,
        RunState::Complete => {
            Some(format!("mpms runs show {id} --failed  ·  mpms resume {id} --retry-failed"))
        }
        RunState::Stopped { .. } | RunState::Interrupted => Some(format!("mpms resume {id}")),
    };
    text.extend(next.map(|next| line("Next", &next)));
    text
}

fn object(run: &RunDir, info: &RunInfo, groups: &[FailureGroup], meta: Option<&[u8]>) -> Value {
    let mut whole = list::object(&run.id, info);
    let failures: Vec<_> = groups
        .iter()
        .map(|group| json!({ "code": group.code, "message": group.message, "count": group.count, "first": task(&group.first) }))
        .collect();
    let rest = json!({
        "description": info.begin.description,
        "command": info.begin.command,
        "seed": info.begin.seed,
        "params": json_of(&info.begin.params).unwrap_or_default(),
        "meta": meta.and_then(|meta| json_of(meta).ok()),
        "output": info.output.as_ref().map(|(path, mark)| json!({ "path": path, "rows": mark.rows })),
        "finish": info.finish,
        "failures": failures,
    });
    if let (Value::Object(whole), Value::Object(rest)) = (&mut whole, rest) {
        whole.extend(rest);
    }
    whole
}

/// Every failed task, written as they are read: there may be many.
fn failed(view: &View, is_json: bool) -> Result<(), Trouble> {
    let mut text = String::new();
    let mut broken = None;
    view.failed(&mut |failed| {
        if broken.is_some() {
            return;
        }
        text.push_str(&if is_json { format!("{}\n", task(&failed)) } else { told(&failed) });
        if text.len() >= PIECE {
            broken = say(&text).err();
            text.clear();
        }
    })?;
    match broken {
        Some(error) => Err(error.into()),
        None => Ok(say(&text)?),
    }
}

fn told(failed: &FailedTask) -> String {
    let FailedTask { id, key, args, attempt, elapsed_ns, failure, .. } = failed;
    let args = value::describe_list(args, ARGS);
    let key = key.as_ref().map(|key| format!("  key {}", String::from_utf8_lossy(key))).unwrap_or_default();
    let attempt = if *attempt > 1 { format!("  attempt {attempt}") } else { String::new() };
    let Failure { code, message, traceback, .. } = failure;
    let mut text = line(
        "FAIL",
        &clean::line(&format!("{id}  {args}{key}{attempt}  [{}]", units::duration(*elapsed_ns))),
    );
    text.push_str(&line("", &clean::line(&format!("{code} {message}"))));
    for part in clean::lines(traceback.as_deref().unwrap_or_default()) {
        text.push_str(&line("", &part.replace('\t', "  ")));
    }
    text
}

fn task(failed: &FailedTask) -> Value {
    let FailedTask { id, key, args, attempt, worker, elapsed_ns, failure } = failed;
    let Failure { code, message, traceback, retryable, .. } = failure;
    json!({
        "id": id.to_string(),
        "key": key.as_ref().map(|key| String::from_utf8_lossy(key).into_owned()),
        "args": json_of(&[&[ARRAY], &args[..]].concat()).unwrap_or_default(),
        "attempt": attempt,
        "worker": worker,
        "elapsed": *elapsed_ns as f64 / 1e9,
        "error": { "code": code, "message": message, "traceback": traceback, "retryable": retryable },
    })
}

/// A value in JSON; what JSON cannot spell is null.
fn json_of(code: &[u8]) -> Result<Value, String> {
    let mut text = Vec::new();
    crate::wire::json::append(&mut text, code, &mut 0).map_err(|error| error.to_string())?;
    serde_json::from_slice(&text).map_err(|error| error.to_string())
}

fn nonempty(value: Value) -> Option<Value> {
    let is_empty = match &value {
        Value::Object(pairs) => pairs.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    };
    (!is_empty).then_some(value)
}
