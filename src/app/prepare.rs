//! Everything that is settled before the first fork: the plan, the scripts, what is kept of the run, its source.

use std::error::Error as _;
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use super::exit::Code;
use super::order::{Begins, Earlier, Order};
use super::roles::{self, Found};
use super::settings::{self, Settings};
use super::source::{self, Opened};
use super::{changes, complain, complain_of_journal, dry, note, show};
use crate::cli::Format;
use crate::journal::{self, Begin, Home, Journal, Past, RunDir, Text};
use crate::manifest::Diagnostic;
use crate::model::event::Resumed;
use crate::os::secrets::{self, Unfit};
use crate::output::{OutputError, Sink};
use crate::plan::{
    self, Input, OutputFormat, OutputMode, OutputPlan, OutputTarget, Plan, Source, Surroundings,
};
use crate::report::joblog::Joblog;
use crate::report::{self, units};
use crate::wire::value;

/// What a run needs to begin.
pub struct Ready {
    /// What runs.
    pub plan: Plan,
    /// What the scripts have.
    pub found: Found,
    /// Where tasks come from.
    pub source: Opened,
    /// Where rows go.
    pub sink: Option<Sink>,
    /// Where it is kept.
    pub journal: Journal,
    /// Its folder; none when nothing is kept.
    pub kept: Option<Folder>,
    /// What earlier sessions have done.
    pub past: Option<Box<Past>>,
    /// The same for the report.
    pub resumed: Option<Resumed>,
    /// A line for each task.
    pub joblog: Option<Joblog<BufWriter<File>>>,
}

/// Where a durable run lies.
pub struct Folder {
    /// Beside the runs of the same repository.
    pub home: Home,
    /// Itself.
    pub dir: RunDir,
}

impl Folder {
    /// Of a run that exists.
    pub fn of(dir: &RunDir) -> Self {
        Folder { home: Home::of(&dir.path), dir: dir.clone() }
    }

    /// Runs are found from the folder of the shell upwards; one that lies elsewhere needs a `cd`.
    pub fn what_to_type(&self, cwd: &Path) -> report::Kept {
        let id = &self.dir.id;
        let first = if Home::of(cwd) == self.home {
            String::new()
        } else {
            let root = plan::shown(self.home.path().parent().unwrap_or(cwd), cwd);
            let root = shlex::try_quote(&root).map_or(root.clone(), |quoted| quoted.into_owned());
            format!("cd {root} && ")
        };
        report::Kept {
            resume: format!("{first}mpms resume {id}"),
            show: format!("{first}mpms runs show {id}"),
        }
    }
}

/// Settles all; none of it is interruptible.
///
/// # Errors
/// How the command ends instead; that has been told.
pub fn prepare(order: &Order, around: &Surroundings) -> Result<Ready, Code> {
    let display = &order.display;
    let color = display.color;
    if let Some(earlier) = order.earlier() {
        refuse_complete(order, earlier, &around.cwd)?;
    }
    let wrong = |found: Vec<Diagnostic>| {
        show(&found, color);
        Code::Usage
    };
    let mut plan = plan::load(&order.manifest, &order.overrides(), around).map_err(wrong)?;
    if !display.quiet && display.format == Format::Human {
        show(&plan.warnings, color);
    }
    hide_secrets(&plan).map_err(wrong)?;
    // relative paths in scripts and patterns are the job's
    if let Err(error) = std::env::set_current_dir(&plan.job.dir) {
        complain(color, &format!("cannot work in the folder {}: {error}", plan.job.dir.display()), None);
        return Err(Code::Usage);
    }
    let found = roles::check(&plan).map_err(wrong)?;
    if !found.handler_roles {
        plan.handler.script = None;
    }
    settle_output(&mut plan, &found, order)?;
    if order.dry_run {
        return Err(dry::show(order, &plan, &found, around));
    }
    let joblog = order.joblog.as_deref().map(|path| open_joblog(order, path)).transpose()?;
    let Kept { journal, folder, mut past, changes } = keep(order, &plan, &found, &around.cwd)?;
    let mut ready = Ready {
        source: open_source(order, &plan, past.as_deref())?,
        sink: None,
        resumed: None,
        joblog,
        journal,
        past: None,
        kept: folder,
        plan,
        found,
    };
    if let Some(past) = &mut past {
        let again = if order.retry_failed { ready.journal.retry_failed(past) } else { Ok(0) };
        let again = again.map_err(|error| complain_of_journal(color, &error))?;
        ready.resumed = Some(resumed(&ready, past, again, changes));
    }
    ready.past = past;
    if let Err(error) = open_sink(&mut ready) {
        let why = error.source().map_or_else(String::new, |source| format!(": {source}"));
        complain(color, &format!("{error}{why}"), Some(error.help()));
        // nothing of a new run is worth keeping yet
        if let (Some(Folder { home, dir }), None) = (&ready.kept, &ready.past) {
            drop(ready.journal);
            let _ = home.remove(dir);
        }
        return Err(Code::State);
    }
    Ok(ready)
}

/// Nothing begins without the secrets that the manifest names, and none of them is shown from here on.
///
/// # Errors
/// Those that are missing or cannot be hidden.
fn hide_secrets(plan: &Plan) -> Result<(), Vec<Diagnostic>> {
    let mut wrong = Vec::new();
    for name in &plan.secrets {
        let Err(unfit) = secrets::fetch(&plan.job.env, name.value.as_bytes()) else { continue };
        let title = format!("the secret `{}` {unfit}", name.value);
        let found = Diagnostic::at("run::secret", title, name.spot.clone(), "a variable of the environment");
        wrong.push(match unfit {
            Unfit::Missing => found.help(format!(
                "set it in the shell before the run (export {}=...), or in a file that `env_file` names",
                name.value
            )),
            _ => found.help("remove the name here if it is no secret"),
        });
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

/// A run of which nothing is left says so, and what could be done with it.
fn refuse_complete(order: &Order, earlier: &Earlier, cwd: &Path) -> Result<(), Code> {
    let info = &earlier.info;
    if !earlier.is_complete() || order.retry_failed && info.failed > 0 {
        return Ok(());
    }
    let id = &earlier.dir.id;
    let mut line = format!("{} run {id}: {} ok", info.begin.job, units::count(info.done));
    if info.failed > 0 {
        line.push_str(&format!(", {} failed", units::count(info.failed)));
    }
    note(&order.display, "Complete", &line);
    if info.failed > 0 {
        let resume = Folder::of(&earlier.dir).what_to_type(cwd).resume;
        note(&order.display, "Next", &format!("{resume} --retry-failed"));
    }
    Err(Code::Success)
}

fn settle_output(plan: &mut Plan, found: &Found, order: &Order) -> Result<(), Code> {
    let to_stdout = |output: &OutputPlan| output.target == OutputTarget::Stdout;
    let is_json = order.display.format == Format::Json;
    if is_json && plan.output.as_ref().is_some_and(to_stdout) {
        let help = "write results to a file with -o FILE, or leave out --format json";
        complain(order.display.color, "results and events cannot both go to standard output", Some(help));
        return Err(Code::Usage);
    }
    if plan.output.is_none() && !found.handler && !is_json {
        // results that nobody asked for elsewhere go where a person looks
        let (target, name, format) = (OutputTarget::Stdout, plan::STDOUT.to_owned(), OutputFormat::Jsonl);
        plan.output = Some(OutputPlan { target, name, format, fields: None, mode: OutputMode::Append });
    }
    Ok(())
}

fn open_joblog(order: &Order, path: &Path) -> Result<Joblog<BufWriter<File>>, Code> {
    Joblog::open(path).map_err(|error| {
        complain(order.display.color, &format!("cannot open the joblog {}: {error}", path.display()), None);
        Code::State
    })
}

/// What is kept of a run, and what was.
struct Kept {
    journal: Journal,
    folder: Option<Folder>,
    past: Option<Box<Past>>,
    changes: Vec<String>,
}

fn keep(order: &Order, plan: &Plan, found: &Found, cwd: &Path) -> Result<Kept, Code> {
    let of_journal = |error| complain_of_journal(order.display.color, &error);
    if let Some(earlier) = order.earlier() {
        let folder = Folder::of(&earlier.dir);
        let (mut journal, past) = journal::reopen(&earlier.dir, &order.disk).map_err(of_journal)?;
        let texts = texts(plan, found, &folder.home);
        let changes = compare(order, plan, earlier, &past, &texts)?;
        if !changes.is_empty() {
            journal.add_texts(&texts).map_err(of_journal)?;
        }
        return Ok(Kept { journal, folder: Some(folder), past: Some(Box::new(past)), changes });
    }
    if order.no_journal || !plan.run.journal {
        return Ok(Kept { journal: journal::scratch(), folder: None, past: None, changes: Vec::new() });
    }
    let home = Home::of(&plan.job.dir);
    if let Begins::New { beside: Some(earlier) } = &order.begins {
        let resume = Folder::of(&earlier.dir).what_to_type(cwd).resume;
        note(&order.display, "Earlier", &format!("{}; `{resume}` goes on with it", earlier.words()));
    }
    let journal =
        journal::create(&home, &begin(order, plan, found, &home), &order.disk).map_err(of_journal)?;
    let dir = home.find(journal.id().unwrap_or_default()).map_err(of_journal)?;
    if let Begins::Anew(earlier) = &order.begins
        && let Err(error) = Home::of(&earlier.dir.path).remove(&earlier.dir)
    {
        drop(journal);
        let _ = home.remove(&dir);
        return Err(of_journal(error));
    }
    Ok(Kept { journal, folder: Some(Folder { home, dir }), past: None, changes: Vec::new() })
}

fn begin(order: &Order, plan: &Plan, found: &Found, home: &Home) -> Begin {
    let encoded = |map| {
        let mut code = Vec::new();
        value::encode(&mut code, map);
        code
    };
    let words = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned());
    let words: Vec<_> = std::iter::once("mpms".to_owned()).chain(words).collect();
    let words = words.iter().map(String::as_str);
    Begin {
        job: plan.job.name.clone(),
        description: plan.job.description.clone(),
        manifest: plan.job.manifest.clone(),
        seed: plan.job.seed,
        params: encoded(&plan.job.params),
        meta: encoded(&plan.job.meta),
        settings: order.settings.clone().settled(plan).to_json(),
        texts: texts(plan, found, home),
        output: plan.output.as_ref().map(|output| output.name.clone()),
        keyed: plan.tasks.key.is_some(),
        command: shlex::try_join(words).unwrap_or_default(),
    }
}

/// Whether the list is piped in.
pub fn is_piped(plan: &Plan) -> bool {
    matches!(
        &plan.tasks.source,
        Source::Lines(Input::Stdin) | Source::Csv(Input::Stdin) | Source::Jsonl(Input::Stdin)
    )
}

/// What the job consists of, as a journal keeps it.
pub fn texts(plan: &Plan, found: &Found, home: &Home) -> Vec<Text> {
    let root = home.path().parent().unwrap_or(home.path());
    let texts = changes::texts(plan, &found.frozen);
    texts
        .into_iter()
        .map(|one| Text { name: changes::name(&one.path, root), text: one.text.to_vec() })
        .collect()
}

/// What differs from the earlier sessions.
///
/// # Errors
/// When too much does; that has been told.
pub fn compare(
    order: &Order,
    plan: &Plan,
    earlier: &Earlier,
    past: &Past,
    texts: &[Text],
) -> Result<Vec<String>, Code> {
    let run = &earlier.dir.id;
    let before = Settings::read(&past.begin.settings);
    let color = order.display.color;
    let refused = |what: &str| {
        complain(color, what, Some("set it back as it was, or begin anew with --restart"));
        Code::Usage
    };
    let key = |key: &Option<String>| key.as_ref().map_or_else(|| "none".to_owned(), |key| format!("`{key}`"));
    let now = settings::key(plan);
    if before.key != now {
        let (before, now) = (key(&before.key), key(&now));
        return Err(refused(&format!(
            "the key of tasks was {before} when run {run} began, and is {now}: the tasks that have ended would not be known"
        )));
    }
    let file = |file: &Option<std::path::PathBuf>| {
        file.as_ref().map_or_else(|| plan::STDOUT.to_owned(), |path| path.display().to_string())
    };
    let now = settings::output_file(plan);
    if before.output_file != now {
        let (before, now) = (file(&before.output_file), file(&now));
        return Err(refused(&format!(
            "run {run} has written its rows to {before}, and would go on in {now}"
        )));
    }
    let mut changes = Vec::new();
    for text in texts {
        if let Some(old) = past.begin.texts.iter().find(|old| old.name == text.name) {
            changes.extend(changes::of_text(&text.name, run, &old.text, &text.text));
        }
    }
    changes.extend(changes::of_params(&past.begin.params, &plan.job.params));
    if past.begin.seed != plan.job.seed {
        changes.push(format!("seed was {}, is {}", past.begin.seed, plan.job.seed));
    }
    changes.extend(before.differences(&order.settings));
    if order.strict && !changes.is_empty() {
        let mut message = format!("run {run} is not what it was, and --strict was given");
        changes.iter().for_each(|change| message.push_str(&format!("\n  {change}")));
        complain(color, &message, Some("set it back, go on without --strict, or begin anew with --restart"));
        return Err(Code::Usage);
    }
    Ok(changes)
}

fn open_source(order: &Order, plan: &Plan, past: Option<&Past>) -> Result<Opened, Code> {
    let opened = match past {
        None => source::open(&plan.tasks, &plan.job),
        Some(past) => match past.given.filter(|given| past.known.is_complete(*given)) {
            // what it gave has ended, and asking again might have effects
            Some(given) => return Ok(Opened::Ended { given }),
            None => source::open_again(&plan.tasks, &plan.job),
        },
    };
    opened.map_err(|error| {
        complain(order.display.color, &error.to_string(), None);
        Code::Usage
    })
}

fn resumed(ready: &Ready, past: &Past, again: u64, changes: Vec<String>) -> Resumed {
    let Past { done, failed, given, .. } = past;
    let total = match &ready.source {
        Opened::BuiltIn { source, .. } => given.or(source.total()),
        Opened::Script | Opened::Empty | Opened::Ended { .. } => *given,
    };
    // duplicates are given and never end
    let total = total.filter(|_| !past.begin.keyed);
    let put: u64 = past.pending.iter().map(|puts| puts.count).sum();
    let left = total.map(|total| total.saturating_sub(past.known.ended()) + put);
    Resumed { done: *done, failed: *failed, again, left, changes }
}

fn open_sink(ready: &mut Ready) -> Result<(), OutputError> {
    let output = ready.plan.output.as_ref();
    ready.sink = match &ready.past {
        None => output.map(Sink::open),
        Some(past) => output.map(|output| Sink::open_resumed(output, past.output)),
    }
    .transpose()?;
    Ok(())
}
