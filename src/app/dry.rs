//! `-n`: what would run. No worker starts, and nothing is written.

use std::cell::RefCell;
use std::collections::HashSet;
use std::io::{self, Write as _};
use std::rc::Rc;

use serde_json::json;

use super::exit::Code;
use super::known::Left;
use super::order::Order;
use super::prepare::{compare, is_piped, texts};
use super::roles::Found;
use super::{complain, complain_of_journal};
use crate::cli::Format;
use crate::journal::{self, Home, Past};
use crate::lua::state::Around;
use crate::lua::std::log::Sinks;
use crate::model::task::key_hash;
use crate::model::{StopCause, Task};
use crate::plan::{self, Backoff, Input, MaxFail, OutputMode, OutputTarget, Plan, Source, Surroundings};
use crate::report::human::clean;
use crate::report::units;
use crate::source::{self, script};
use crate::wire::value::{self, ARRAY};

/// Tasks that are shown.
const SHOWN: usize = 5;
/// Characters of the arguments of each.
const WIDTH: usize = 100;

/// Runs the source to its end and tells what was found.
pub fn show(order: &Order, plan: &Plan, found: &Found, around: &Surroundings) -> Code {
    let color = order.display.color;
    let earlier = match order.earlier() {
        None => None,
        Some(earlier) => {
            let past = match journal::reopen(&earlier.dir, &order.disk) {
                Ok((_, past)) => past,
                Err(error) => return complain_of_journal(color, &error),
            };
            let texts = texts(plan, found, &Home::of(&earlier.dir.path));
            match compare(order, plan, earlier, &past, &texts) {
                Ok(changes) => Some((earlier.dir.id.clone(), past, changes)),
                Err(code) => return code,
            }
        }
    };
    let mut resume = None;
    let mut left = Left::all();
    let mut ended = None;
    if let Some((run, past, changes)) = earlier {
        let put = past.pending.iter().map(|puts| puts.count).sum();
        let Past { done, failed, given, known, .. } = past;
        ended = given.filter(|given| known.is_complete(*given));
        left = Left::of(known, &run, is_piped(plan));
        resume = Some(Resume { run, done, failed, put, changes });
    }
    let counted = match ended {
        Some(given) => Ok(Counted { given, ..Counted::default() }),
        None => count(plan, found, left),
    };
    let counted = match counted {
        Ok(counted) => counted,
        Err(Fault { message, help }) => {
            complain(color, &message, help);
            return Code::Usage;
        }
    };
    let shown = Shown { order, plan, around, counted, resume };
    let text = match order.display.format {
        Format::Human => shown.human(),
        Format::Json => shown.json(),
    };
    // whoever reads it may have left
    let _ = io::stdout().lock().write_all(text.as_bytes());
    Code::Success
}

/// What the source gave.
#[derive(Default)]
struct Counted {
    given: u64,
    new: u64,
    duplicates: u64,
    first: Vec<Task>,
    keys: HashSet<u128>,
}

/// Why there is no plan.
struct Fault {
    message: String,
    help: Option<&'static str>,
}

impl From<StopCause> for Fault {
    fn from(cause: StopCause) -> Self {
        Fault { message: cause.to_string(), help: None }
    }
}

impl Counted {
    fn take(&mut self, task: Task, left: &mut Left) -> Result<(), StopCause> {
        self.given += 1;
        if task.key().is_some_and(|key| !self.keys.insert(key_hash(key))) {
            self.duplicates += 1;
            return Ok(());
        }
        if !left.has_ended(&task)? {
            self.new += 1;
            if self.first.len() < SHOWN {
                self.first.push(task);
            }
        }
        Ok(())
    }
}

fn count(plan: &Plan, found: &Found, mut left: Left) -> Result<Counted, Fault> {
    let counted = match &plan.tasks.source {
        Source::Script(script) => {
            let shared = Rc::new(RefCell::new((Counted::default(), left, None)));
            let take = {
                let shared = Rc::clone(&shared);
                Box::new(move |task| {
                    let (counted, left, fault) = &mut *shared.borrow_mut();
                    *fault = counted.take(task, left).err();
                    fault.is_none()
                })
            };
            let around = Around { logs: Sinks::none(), frozen: found.frozen.clone() };
            let ended = script::generate(&plan.tasks, script, &plan.job, &around, take);
            let (counted, given_back, fault) = shared.replace((Counted::default(), Left::all(), None));
            left = given_back;
            if let Some(cause) = fault {
                return Err(cause.into());
            }
            ended.map_err(|failure| Fault {
                message: format!("role `tasks` raised: {}", failure.message),
                help: None,
            })?;
            counted
        }
        _ => count_built_in(plan, &mut left)?,
    };
    left.end(counted.given)?;
    Ok(counted)
}

fn count_built_in(plan: &Plan, left: &mut Left) -> Result<Counted, Fault> {
    let mut counted = Counted::default();
    let wrong = |error: source::SourceError| Fault { message: error.to_string(), help: Some(error.help()) };
    let again = left.is_resumed();
    let opened = source::open(&plan.tasks, &plan.job);
    let mut source = match opened {
        Err(error) if again && error.is_of_nothing() => return Ok(counted),
        opened => opened.map_err(wrong)?,
    };
    // a list of which all is known is not worth walking
    let total = source.total().filter(|_| !again && plan.tasks.key.is_none());
    let mut batch = Vec::new();
    loop {
        let more = match source.next_batch(&mut batch, if total.is_some() { SHOWN } else { usize::MAX }) {
            Err(error) if again && error.is_of_nothing() => false,
            more => more.map_err(wrong)?,
        };
        for task in batch.drain(..) {
            counted.take(task, left)?;
        }
        if let Some(total) = total {
            (counted.given, counted.new) = (total, total);
            return Ok(counted);
        }
        if !more {
            return Ok(counted);
        }
    }
}

/// What earlier sessions have done.
struct Resume {
    run: String,
    done: u64,
    failed: u64,
    /// Tasks that were put and have not ended.
    put: u64,
    changes: Vec<String>,
}

struct Shown<'a> {
    order: &'a Order,
    plan: &'a Plan,
    around: &'a Surroundings,
    counted: Counted,
    resume: Option<Resume>,
}

impl Shown<'_> {
    /// How many tasks would start.
    fn to_run(&self) -> u64 {
        let again = |resume: &Resume| if self.order.retry_failed { resume.failed } else { 0 };
        self.counted.new + self.resume.as_ref().map_or(0, |resume| resume.put + again(resume))
    }

    fn human(&self) -> String {
        let Plan { job, worker, .. } = self.plan;
        let line = |word: &str, rest: &str| format!("{word:>12} {rest}\n");
        let processes = match worker.processes {
            1 => "1 process".to_owned(),
            many => format!("{many} processes"),
        };
        let threads = units::counted(worker.threads as u64, "thread");
        let head = format!("{}  {processes} × {threads} · seed {}", clean::line(&job.name), job.seed);
        let mut text = line("Dry run", &head);
        text.push_str(&line("Tasks", &self.tasks()));
        for task in &self.counted.first {
            let args = clean::line(&value::describe_list(&task.args, WIDTH));
            let key = task
                .key()
                .map(|key| format!("   key {}", clean::shortened(&String::from_utf8_lossy(key), 40)));
            text.push_str(&line("", &format!("{}  {args}{}", task.id, key.unwrap_or_default())));
        }
        let more = self.counted.new - self.counted.first.len() as u64;
        if more > 0 {
            text.push_str(&line("", &format!("… {} more", units::count(more))));
        }
        text.push_str(&line("Effects", &self.effects().join(" · ")));
        for limit in &self.plan.limits {
            let mut parts = Vec::new();
            parts
                .extend(limit.rate.map(|rate| format!("{} in {}", rate.count, units::duration(rate.per_ns))));
            parts.extend(limit.concurrency.map(|most| format!("{most} at once")));
            parts.extend(limit.per.as_ref().map(|field| format!("per {field}")));
            text.push_str(&line("Limit", &format!("{}: {}", limit.name, parts.join(", "))));
        }
        if let Some(resume) = &self.resume {
            text.push_str(&line("Resume", &self.resumes(resume)));
            for change in &resume.changes {
                text.push_str(&line("Changed", &clean::line(change)));
            }
        }
        text.push_str(&line("", "no worker was started, nothing was written"));
        text
    }

    fn tasks(&self) -> String {
        let Counted { given, duplicates, .. } = self.counted;
        let mut text = format!("{} from {}", units::count(given), from(&self.plan.tasks.source, self.around));
        if duplicates > 0 {
            text.push_str(&format!(" · {} with a key that came before", units::count(duplicates)));
        }
        text
    }

    /// `run 7f3a: 812 done, 2 failed (--retry-failed runs them again), 5 put and 383 of the list to run`.
    fn resumes(&self, resume: &Resume) -> String {
        let mut parts = vec![format!("{} done", units::count(resume.done))];
        if resume.failed > 0 {
            let how = if self.order.retry_failed { "run again" } else { "--retry-failed runs them again" };
            parts.push(format!("{} failed ({how})", units::count(resume.failed)));
        }
        if resume.put > 0 {
            parts.push(format!("{} were put and have not ended", units::count(resume.put)));
        }
        let new = units::count(self.counted.new);
        parts.push(format!("{new} of the list have not ended"));
        format!("run {}: {} → {} to run", resume.run, parts.join(", "), units::count(self.to_run()))
    }

    fn effects(&self) -> Vec<String> {
        let Plan { worker, run, output, .. } = self.plan;
        let mut parts = Vec::new();
        if worker.retries.count > 0 {
            let retries = &worker.retries;
            let how = match retries.backoff {
                Backoff::Exponential => format!(
                    "exponential {} to {}",
                    units::duration(retries.delay_ns),
                    units::duration(retries.max_delay_ns)
                ),
                Backoff::Fixed => format!("each after {}", units::duration(retries.delay_ns)),
            };
            parts.push(format!("retries {} ({how})", retries.count));
        }
        parts.extend(worker.times.timeout_ns.map(|timeout| format!("timeout {}", units::duration(timeout))));
        parts.extend(run.max_fail.map(|most| match most {
            MaxFail::Count(count) => format!("max_fail {count}"),
            MaxFail::Percent(percent) => format!("max_fail {percent}%"),
        }));
        parts.extend(run.deadline_ns.map(|deadline| format!("deadline {}", units::duration(deadline))));
        parts.push(match output {
            None => "no output".to_owned(),
            Some(output) => format!("output {}{}", clean::line(&output.name), self.what_happens_to_output()),
        });
        let is_kept = run.journal && !self.order.no_journal;
        parts.push(if is_kept { "can be resumed" } else { "cannot be resumed" }.to_owned());
        parts
    }

    fn what_happens_to_output(&self) -> &'static str {
        let Some(output) = &self.plan.output else { return "" };
        let OutputTarget::File(path) = &output.target else { return "" };
        let exists = path.is_file();
        match output.mode {
            _ if exists && self.resume.is_some() => " (goes on)",
            OutputMode::Append if exists => " (exists, would be appended to)",
            OutputMode::Overwrite if exists => " (exists, would be overwritten)",
            _ => "",
        }
    }

    fn json(&self) -> String {
        let Plan { job, worker, run, output, tasks, .. } = self.plan;
        let first = self.counted.first.iter().map(|task| {
            let key = task.key().map(|key| String::from_utf8_lossy(key).into_owned());
            json!({ "id": task.id.to_string(), "args": args_json(task), "key": key })
        });
        let first: Vec<_> = first.collect();
        let resume = self.resume.as_ref().map(|resume| {
            json!({
                "run": resume.run, "done": resume.done, "failed": resume.failed, "put": resume.put,
                "changes": resume.changes,
            })
        });
        let seconds = |ns: Option<u64>| ns.map(|ns| ns as f64 / 1e9);
        let whole = json!({
            "job": job.name,
            "manifest": job.manifest,
            "seed": job.seed,
            "processes": worker.processes,
            "threads": worker.threads,
            "source": from(&tasks.source, self.around),
            "tasks": self.counted.given,
            "new": self.counted.new,
            "duplicates": self.counted.duplicates,
            "to_run": self.to_run(),
            "first": first,
            "resume": resume,
            "retries": worker.retries.count,
            "timeout": seconds(worker.times.timeout_ns),
            "deadline": seconds(run.deadline_ns),
            "output": output.as_ref().map(|output| output.name.clone()),
            "journal": run.journal && !self.order.no_journal,
        });
        format!("{whole}\n")
    }
}

fn args_json(task: &Task) -> serde_json::Value {
    let list = [&[ARRAY], &task.args[..]].concat();
    let mut text = Vec::new();
    match crate::wire::json::append(&mut text, &list, &mut 0) {
        Ok(()) => serde_json::from_slice(&text).unwrap_or_default(),
        Err(_) => serde_json::Value::Null,
    }
}

/// `lines list.txt`, `role tasks of crawl.lua`.
fn from(source: &Source, around: &Surroundings) -> String {
    let input = |what: &str, input: &Input| match input {
        Input::File(path) => format!("{what} {}", clean::line(&plan::shown(path, &around.cwd))),
        Input::Stdin => format!("{what} of standard input"),
    };
    match source {
        Source::Script(script) => format!("role `tasks` of {}", clean::line(&script.name)),
        Source::Items(_) => "items".to_owned(),
        Source::Range { first, last, step: 1 } => format!("range {first} to {last}"),
        Source::Range { first, last, step } => format!("range {first} to {last} by {step}"),
        Source::Product(axes) => {
            let names: Vec<_> = axes.iter().map(|(name, _)| name.as_str()).collect();
            format!("product of {}", clean::line(&names.join(" × ")))
        }
        Source::Glob(patterns) => format!("glob {}", clean::line(&patterns.join(", "))),
        Source::Lines(file) => input("lines", file),
        Source::Csv(file) => input("csv", file),
        Source::Jsonl(file) => input("jsonl", file),
    }
}
