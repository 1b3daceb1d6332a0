//! From a manifest's file and the flags to the plan: the only place of defaults.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::env_file;
use super::output::{output, refuse_own_input};
use super::params::params;
use super::paths::{absolute, absolute_lua_path, shown};
use super::scripts::{Scripts, flag_spot, unreadable};
use super::{
    HandlerPlan, Input, Job, JobText, Limit, OnError, Plan, Retries, RunPlan, Script, Source, TasksPlan,
    Times, WorkerBody, WorkerPlan,
};
use crate::manifest::{
    Body, Diagnostic, LimitTable, Located, MAX_AT_ONCE, MAX_PROCESSES, MIN_MEMORY, Manifest, Overrides,
    Processes, Retries as WrittenRetries, Source as Written, SourceText, Spot, check, read, sort,
};
use crate::model::Value;

/// Worker deaths that one task may cause: HyperQueue's default is 5; 3 tells a bad task from bad luck sooner.
const CRASH_LIMIT: u32 = 3;

/// Generated tasks kept ready: at ten thousand small tasks a second the generator may pause for 0.4 s
/// and no worker notices; with tasks of 1 KiB it is 4 MiB. More threads than half of it get two tasks each.
const QUEUE: usize = 4096;

/// Share of the memory that workers get together: the rest is for the coordinator and the system.
const MEMORY_PERCENT: u64 = 80;

/// Runs kept beside a job; what nextest keeps of its own is of this size too.
const KEEP: usize = 20;

/// `grace_period`, as Kubernetes and nextest have it in seconds: 5.
const GRACE_NS: u64 = 5_000_000_000;
/// `slow_timeout`, as in nextest: a minute.
const SLOW_NS: u64 = 60_000_000_000;
/// `timeout` of `[handler]` and `[tasks]`: ten minutes.
const ROLE_TIMEOUT_NS: u64 = 600_000_000_000;

/// What the process knows of where it runs.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// The shell's folder, absolute.
    pub cwd: PathBuf,
    /// CPUs that affinity and cgroup allow; what `processes = "auto"` means.
    pub cpus: usize,
    /// Bytes that the machine or the control group has.
    pub memory: u64,
}

/// Reads a manifest (a path relative to the shell's folder) and settles everything about the run.
///
/// # Errors
/// Everything that is wrong with the manifest, the flags and the files that they name, in the order of the text.
pub fn load(path: &Path, overrides: &Overrides, around: &Surroundings) -> Result<Plan, Vec<Diagnostic>> {
    let file = absolute(&around.cwd, path);
    let name = shown(&file, &around.cwd);
    let source = read(&file, &name).map_err(|found| vec![*found])?;
    let (manifest, mut found) = check(&source, &overrides.set);
    let dir = file.parent().unwrap_or(&around.cwd).to_path_buf();
    let scripts = Scripts { dir: &dir, cwd: &around.cwd, read: HashMap::new() };
    let mut settling =
        Settling { manifest: &manifest, overrides, around, scripts, inputs: Vec::new(), found: Vec::new() };
    let plan = settling.plan(&file);
    let texts = settling.texts(&file, &source);
    // A file of a broken line may be none that somebody meant.
    let doubtful = |new: &Diagnostic| found.iter().any(|known| known.is_error() && same_line(known, new));
    let news = settling.found.into_iter().filter(|new| !doubtful(new));
    let news: Vec<_> = news.collect();
    found.extend(news);
    sort(&mut found, &source);
    match plan {
        Some(plan) if !found.iter().any(Diagnostic::is_error) => Ok(Plan { texts, warnings: found, ..plan }),
        _ => Err(found),
    }
}

fn same_line(known: &Diagnostic, new: &Diagnostic) -> bool {
    match (known.spot(), new.spot()) {
        (Some(known), Some(new)) if Arc::ptr_eq(&known.source, &new.source) => {
            known.line_and_column().0 == new.line_and_column().0
        }
        _ => false,
    }
}

struct Settling<'a> {
    manifest: &'a Manifest,
    overrides: &'a Overrides,
    around: &'a Surroundings,
    scripts: Scripts<'a>,
    /// Files that tasks come from.
    inputs: Vec<(PathBuf, Spot)>,
    found: Vec<Diagnostic>,
}

impl Settling<'_> {
    /// Every part is settled before the first `?`, so that each error shows.
    fn plan(&mut self, file: &Path) -> Option<Plan> {
        let job = self.job(file);
        let source = self.source();
        let body = self.body();
        let handler = self.handler();
        let output = output(
            self.manifest.output.as_ref(),
            self.overrides,
            self.scripts.dir,
            self.scripts.cwd,
            &mut self.found,
        );
        refuse_own_input(output.as_ref(), &self.inputs, &mut self.found);
        let worker = self.worker(body?);
        let run = self.run(&worker);
        let (tasks, limits) = (self.tasks(source?), self.limits());
        Some(Plan {
            job,
            secrets: self.manifest.secrets.clone(),
            tasks,
            worker,
            handler,
            output,
            run,
            limits,
            texts: Vec::new(),
            warnings: Vec::new(),
        })
    }

    /// Scripts in the order of their paths.
    fn texts(&self, manifest: &Path, source: &SourceText) -> Vec<JobText> {
        let mut scripts: Vec<_> = self.scripts.read.iter().collect();
        scripts.sort_unstable_by_key(|(path, _)| *path);
        let manifest = JobText { path: manifest.to_path_buf(), text: source.text.as_bytes().into() };
        let scripts = scripts.into_iter().filter_map(|(path, script)| {
            Some(JobText { path: path.clone(), text: Arc::clone(&script.as_ref()?.text) })
        });
        [manifest].into_iter().chain(scripts).collect()
    }

    fn job(&mut self, file: &Path) -> Job {
        let stem = || file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let meta = self.manifest.meta.iter().map(|(name, value)| (Value::text(name), value.clone()));
        Job {
            name: self.manifest.name.clone().unwrap_or_else(stem),
            description: self.manifest.description.clone().unwrap_or_default(),
            manifest: file.to_path_buf(),
            dir: self.scripts.dir.to_path_buf(),
            seed: self.manifest.seed.unwrap_or(0),
            params: params(&self.manifest.params, &self.overrides.params, &mut self.found),
            meta: Value::Map(meta.collect()),
            env: self.env(),
            lua_path: self.overrides.lua_path.as_ref().map(|path| absolute_lua_path(self.scripts.cwd, path)),
        }
    }

    /// A later file goes before an earlier one, and what the manifest says itself before all of them.
    fn env(&mut self) -> Vec<(String, String)> {
        let mut env: Vec<(String, String)> = Vec::new();
        for written in &self.manifest.env_files {
            let file = absolute(self.scripts.dir, Path::new(&written.value));
            let name = shown(&file, self.scripts.cwd);
            match env_file::read(&file, &name, &written.spot) {
                Ok(of_file) => env.extend(of_file),
                Err(problem) => self.found.push(*problem),
            }
        }
        env.extend(self.manifest.env.iter().cloned());
        let last: HashMap<String, usize> =
            env.iter().enumerate().map(|(at, (name, _))| (name.clone(), at)).collect();
        let mut at = 0..;
        env.retain(|(name, _)| at.next() == last.get(name).copied());
        env
    }

    /// The script at the top, for roles without their own.
    fn top(&mut self) -> Option<Script> {
        self.scripts.take(self.manifest.lua.as_ref()?, &mut self.found)
    }

    fn source(&mut self) -> Option<Source> {
        let Some(written) = &self.manifest.tasks.source else { return self.top().map(Source::Script) };
        Some(match written {
            Written::Lua(lua) => Source::Script(self.scripts.take(lua, &mut self.found)?),
            Written::Items(items) => Source::Items(items.clone()),
            Written::Range { first, last, step } => Source::Range { first: *first, last: *last, step: *step },
            Written::Product(axes) => Source::Product(axes.clone()),
            Written::Glob(patterns) => Source::Glob(patterns.clone()),
            Written::Lines(path) => Source::Lines(self.input(path)?),
            Written::Csv(path) => Source::Csv(self.input(path)?),
            Written::Jsonl(path) => Source::Jsonl(self.input(path)?),
        })
    }

    fn input(&mut self, path: &Located<String>) -> Option<Input> {
        if path.value == "-" {
            return Some(Input::Stdin);
        }
        let file = absolute(self.scripts.dir, Path::new(&path.value));
        let name = shown(&file, self.scripts.cwd);
        if let Err(error) = readable(&file) {
            self.found.push(*unreadable("input", &file, &name, &error, &path.spot));
            return None;
        }
        self.inputs.push((file.clone(), path.spot.clone()));
        Some(Input::File(file))
    }

    fn tasks(&self, source: Source) -> TasksPlan {
        let tasks = &self.manifest.tasks;
        TasksPlan {
            source,
            key: tasks.key.clone(),
            shuffle: tasks.shuffle.unwrap_or(false),
            skip: tasks.skip.unwrap_or(0),
            limit: self.overrides.limit.or(tasks.limit),
            timeout_ns: tasks.timeout_ns.unwrap_or(ROLE_TIMEOUT_NS),
        }
    }

    fn body(&mut self) -> Option<WorkerBody> {
        match &self.manifest.worker.body {
            Some(Body::Command(words)) => Some(WorkerBody::Command(words.clone())),
            Some(Body::Lua(lua)) => self.scripts.take(lua, &mut self.found).map(WorkerBody::Lua),
            None => self.top().map(WorkerBody::Lua),
        }
    }

    fn worker(&mut self, body: WorkerBody) -> WorkerPlan {
        let written = &self.manifest.worker;
        let processes = match self.overrides.processes.or(written.processes).unwrap_or(Processes::Auto) {
            _ if self.overrides.serial => 1,
            Processes::Auto => self.around.cpus.clamp(1, MAX_PROCESSES),
            Processes::Count(count) => count,
        };
        let threads = match self.overrides.threads.or(written.threads) {
            _ if self.overrides.serial => 1,
            threads => threads.unwrap_or(1),
        };
        let flag = self.overrides.coroutines.map(|value| {
            let spot = flag_spot("--coroutines", &value.to_string());
            Located { value, spot }
        });
        let coroutines = match flag.as_ref().or(written.coroutines.as_ref()) {
            Some(count) if !self.overrides.serial => {
                self.found.extend(too_many(count, threads, &body));
                count.value
            }
            _ => 1,
        };
        WorkerPlan {
            body,
            processes,
            threads,
            coroutines,
            crash_limit: written.crash_limit.unwrap_or(CRASH_LIMIT),
            retries: retries(written.retries.as_ref()),
            times: Times {
                timeout_ns: written.timeout_ns,
                grace_ns: written.grace_ns.unwrap_or(GRACE_NS),
                slow_ns: written.slow_ns.unwrap_or(SLOW_NS),
            },
            recycle: written.recycle.unwrap_or_default(),
            memory: written.memory.unwrap_or_else(|| self.share_of_memory(processes)),
        }
    }

    fn share_of_memory(&self, processes: usize) -> u64 {
        (self.around.memory / 100 * MEMORY_PERCENT / processes as u64).max(MIN_MEMORY)
    }

    /// Those that the worker takes, in its order.
    fn limits(&self) -> Vec<Limit> {
        let names = self.manifest.worker.limits.iter();
        names
            .filter_map(|name| self.manifest.limits.iter().find(|limit| limit.name == *name))
            .map(limit)
            .collect()
    }

    fn handler(&mut self) -> HandlerPlan {
        let script = match &self.manifest.handler.lua {
            Some(lua) => self.scripts.take(lua, &mut self.found),
            None => self.top(),
        };
        HandlerPlan {
            script,
            ordered: self.overrides.ordered || self.manifest.handler.ordered.unwrap_or(false),
            on_error: self.manifest.handler.on_error.unwrap_or(OnError::Abort),
            timeout_ns: self.manifest.handler.timeout_ns.unwrap_or(ROLE_TIMEOUT_NS),
        }
    }

    fn run(&self, worker: &WorkerPlan) -> RunPlan {
        let enough = QUEUE.max(2 * worker.processes * worker.at_once());
        RunPlan {
            max_fail: self.manifest.run.max_fail,
            queue: self.manifest.run.queue.unwrap_or(enough),
            deadline_ns: self.manifest.run.deadline_ns,
            journal: self.manifest.run.journal.unwrap_or(true),
            keep: self.manifest.run.keep.unwrap_or(KEEP),
        }
    }
}

/// What speaks against so many coroutines on each of the threads.
fn too_many(coroutines: &Located<usize>, threads: usize, body: &WorkerBody) -> Option<Diagnostic> {
    let spot = coroutines.spot.clone();
    if coroutines.value > 1 && matches!(body, WorkerBody::Command(_)) {
        let title = "`coroutines` runs Lua, and this worker is a command";
        let found = Diagnostic::at("plan::conflict", title, spot, "a command waits in a thread of its own");
        return Some(found.help("remove it, and give the worker more `threads`"));
    }
    let at_once = coroutines.value * threads;
    (at_once > MAX_AT_ONCE).then(|| {
        let title = format!("{at_once} attempts at once are too many for a process");
        let label = format!("times {threads} threads; at most {MAX_AT_ONCE} together");
        Diagnostic::at("plan::at_once", title, spot, label)
            .help("take fewer of one of them, or more `processes`")
    })
}

fn retries(written: Option<&WrittenRetries>) -> Retries {
    let default = Retries::default();
    let Some(written) = written else { return default };
    let delay_ns = written.delay_ns.unwrap_or(default.delay_ns.min(written.max_delay_ns.unwrap_or(u64::MAX)));
    Retries {
        count: written.count,
        backoff: written.backoff.unwrap_or(default.backoff),
        delay_ns,
        // A long first delay is meant.
        max_delay_ns: written.max_delay_ns.unwrap_or(default.max_delay_ns.max(delay_ns)),
        jitter: written.jitter.unwrap_or(default.jitter),
        on: written.on.clone(),
    }
}

fn limit(written: &LimitTable) -> Limit {
    Limit {
        name: written.name.clone(),
        rate: written.rate,
        burst: written.burst.unwrap_or(1),
        concurrency: written.concurrency,
        per: written.per.clone(),
        retry_after: written.retry_after.unwrap_or(true),
    }
}

/// Whether a file can be opened and is no folder, without reading: a pipe gives its bytes only once.
fn readable(file: &Path) -> std::io::Result<()> {
    let meta = file.metadata()?;
    if meta.is_dir() {
        return Err(std::io::ErrorKind::IsADirectory.into());
    }
    if meta.is_file() { File::open(file).map(drop) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::manifest::{MaxFail, OutputFormat, OutputMode};
    use crate::plan::{OutputPlan, OutputTarget, Rate, Recycle};

    /// A folder with `jobs/job.toml` and `scripts/job.lua`; the shell stands in it.
    struct Repository(tempfile::TempDir);

    impl Repository {
        fn new(manifest: &str) -> Self {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let repository = Self(folder);
            repository.write("jobs/job.toml", manifest);
            repository.write("scripts/job.lua", "return {}");
            repository
        }

        fn write(&self, path: &str, text: &str) {
            let path = self.root().join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("folders can be made");
            fs::write(path, text).expect("a file can be written");
        }

        fn root(&self) -> PathBuf {
            self.0.path().canonicalize().expect("it exists")
        }

        fn load(&self, overrides: &Overrides) -> Result<Plan, Vec<String>> {
            let around = Surroundings { cwd: self.root(), cpus: 6, memory: 10 << 30 };
            let told = |found: Vec<Diagnostic>| found.iter().map(ToString::to_string).collect();
            load(Path::new("jobs/job.toml"), overrides, &around).map_err(told)
        }

        fn plan(&self, overrides: &Overrides) -> Plan {
            self.load(overrides).unwrap_or_else(|told| panic!("{told:?}"))
        }
    }

    const SCRIPT: &str = "script = '../scripts/job.lua'\n";

    #[test]
    fn what_nobody_wrote_has_its_default() {
        let repository = Repository::new(SCRIPT);
        let plan = repository.plan(&Overrides::default());
        assert_eq!((plan.job.name.as_str(), plan.job.seed), ("job", 0));
        assert_eq!(plan.job.manifest, repository.root().join("jobs/job.toml"));
        assert_eq!(plan.job.dir, repository.root().join("jobs"));
        assert_eq!((plan.worker.processes, plan.worker.threads, plan.worker.crash_limit), (6, 1, 3));
        assert_eq!((plan.run.max_fail, plan.run.queue), (None, 4096));
        assert_eq!((plan.tasks.skip, plan.tasks.limit, plan.tasks.shuffle), (0, None, false));
        assert!(plan.output.is_none() && !plan.handler.ordered);
    }

    #[test]
    fn policies_have_the_defaults_of_the_contract() {
        let plan = Repository::new(SCRIPT).plan(&Overrides::default());
        let (worker, second) = (plan.worker, 1_000_000_000);
        assert_eq!(worker.times, Times { timeout_ns: None, grace_ns: 5 * second, slow_ns: 60 * second });
        assert_eq!((worker.retries, worker.recycle), (Retries::default(), Recycle::default()));
        assert_eq!(worker.memory, (10 << 30) / 100 * 80 / 6, "80 % of 10 GiB for six processes");
        assert_eq!((plan.handler.on_error, plan.handler.timeout_ns), (OnError::Abort, 600 * second));
        assert_eq!((plan.tasks.timeout_ns, plan.run.deadline_ns), (600 * second, None));
        assert!(plan.limits.is_empty() && plan.warnings.is_empty());
        let crowd = Repository::new(&format!("{SCRIPT}worker.processes = 4096")).plan(&Overrides::default());
        assert_eq!(crowd.worker.memory, MIN_MEMORY);
    }

    #[test]
    fn policies_are_settled_as_they_were_written() {
        let text = format!(
            "{SCRIPT}[worker]\nretries = 2\nlimits = ['b', 'a']\n[limits.a]\nconcurrency = 4\n\
             [limits.unused]\nconcurrency = 1\n[limits.b]\nrate = '10/s'\nper = 'host'\n"
        );
        let plan = Repository::new(&text).plan(&Overrides::default());
        assert_eq!(plan.worker.retries, Retries { count: 2, ..Retries::default() });
        let names: Vec<_> = plan.limits.iter().map(|limit| limit.name.as_str()).collect();
        assert_eq!(names, ["b", "a"], "in the order of the worker");
        let expected = Limit {
            name: "b".into(),
            rate: Some(Rate { count: 10, per_ns: 1_000_000_000 }),
            burst: 1,
            concurrency: None,
            per: Some("host".into()),
            retry_after: true,
        };
        assert_eq!(plan.limits[0], expected);
        let warned: Vec<_> = plan.warnings.iter().map(ToString::to_string).collect();
        assert_eq!(warned, ["jobs/job.toml:7:2: the limit `unused` is used by nobody"]);
    }

    #[test]
    fn a_first_delay_may_be_longer_than_the_usual_longest() {
        for (table, delay, longest) in [
            ("{ count = 1, delay = '5m' }", 300, 300),
            ("{ count = 1, max_delay = '500ms' }", 0, 0),
            ("{ count = 1, delay = '2s' }", 2, 60),
        ] {
            let text = format!("{SCRIPT}worker.retries = {table}");
            let Retries { delay_ns, max_delay_ns, .. } =
                Repository::new(&text).plan(&Overrides::default()).worker.retries;
            assert_eq!((delay_ns / 1_000_000_000, max_delay_ns / 1_000_000_000), (delay, longest), "{table}");
        }
    }

    #[test]
    fn a_script_of_all_roles_is_read_once_and_named_as_people_type_it() {
        let plan = Repository::new(SCRIPT).plan(&Overrides::default());
        let (Source::Script(tasks), WorkerBody::Lua(worker), Some(handler)) =
            (&plan.tasks.source, &plan.worker.body, &plan.handler.script)
        else {
            panic!("not a script everywhere")
        };
        assert_eq!(tasks.name, "scripts/job.lua");
        assert!(tasks.dir.ends_with("scripts"));
        assert!(Arc::ptr_eq(&tasks.text, &worker.text) && Arc::ptr_eq(&tasks.text, &handler.text));
    }

    #[test]
    fn code_keeps_the_line_numbers_of_the_manifest() {
        for (manifest, before) in [
            ("seed = 1\ncode = '''\nreturn {}\n'''", 2),
            ("seed = 1\r\ncode = '''\r\nreturn {}\n'''", 2),
            ("seed = 1\ncode = '''return {}\n'''", 1),
            ("code = 'return {}\\n'", 0),
        ] {
            let plan = Repository::new(manifest).plan(&Overrides::default());
            let WorkerBody::Lua(script) = plan.worker.body else { panic!("no script") };
            assert_eq!(script.name, "jobs/job.toml");
            assert!(
                script.text.starts_with(format!("{}return", "\n".repeat(before)).as_bytes()),
                "{manifest}"
            );
        }
    }

    #[test]
    fn flags_go_before_the_manifest() {
        let text = format!(
            "{SCRIPT}[params]\nn = 1\n[worker]\nprocesses = 2\nthreads = 3\ncoroutines = 4\n[tasks]\nlimit = 5\n[run]\nmax_fail = 4"
        );
        let repository = Repository::new(&text);
        let flags = Overrides {
            params: vec!["n=2".into()],
            processes: Some(Processes::Count(9)),
            coroutines: Some(50),
            limit: Some(7),
            ordered: true,
            ..Overrides::default()
        };
        let plan = repository.plan(&flags);
        assert_eq!((plan.worker.processes, plan.worker.threads, plan.tasks.limit), (9, 3, Some(7)));
        assert_eq!(plan.job.params.get("n"), Some(&Value::Int(2)));
        assert_eq!((plan.worker.coroutines, plan.worker.at_once()), (50, 150));
        assert_eq!(plan.run.max_fail, Some(MaxFail::Count(4)));
        assert!(plan.handler.ordered);
        let serial = repository.plan(&Overrides { serial: true, ..Overrides::default() });
        assert_eq!((serial.worker.processes, serial.worker.threads, serial.worker.coroutines), (1, 1, 1));
    }

    #[test]
    fn coroutines_are_for_lua_and_not_without_bound() {
        let command =
            Repository::new("worker = { command = ['echo'], coroutines = 2 }\ntasks.range = [1, 2]");
        let told = command.load(&Overrides::default()).map(drop).expect_err("a command has no coroutines");
        assert_eq!(told, ["jobs/job.toml:1:45: `coroutines` runs Lua, and this worker is a command"]);
        let serial = Overrides { serial: true, ..Overrides::default() };
        assert_eq!(command.plan(&serial).worker.coroutines, 1);
        let many = Repository::new(&format!("{SCRIPT}worker = {{ threads = 20 }}"));
        let flags = Overrides { coroutines: Some(10_000), ..Overrides::default() };
        let told = many.load(&flags).map(drop).expect_err("too many");
        assert_eq!(told, ["command line:1:14: 200000 attempts at once are too many for a process"]);
        let fits = Overrides { coroutines: Some(5_000), ..Overrides::default() };
        assert_eq!(many.plan(&fits).worker.at_once(), 100_000);
    }

    #[test]
    fn many_threads_get_a_longer_queue() {
        let text = format!("{SCRIPT}worker = {{ processes = 100, threads = 100 }}");
        assert_eq!(Repository::new(&text).plan(&Overrides::default()).run.queue, 20_000);
    }

    #[test]
    fn an_output_flag_starts_at_the_shells_folder_and_tells_the_format() {
        let text = format!("{SCRIPT}[output]\npath = 'rows.jsonl'\nformat = 'jsonl'\nfields = ['a']");
        let repository = Repository::new(&text);
        let flags = Overrides { output: Some("rows.csv".into()), overwrite: true, ..Overrides::default() };
        let expected = OutputPlan {
            target: OutputTarget::File(repository.root().join("rows.csv")),
            name: "rows.csv".into(),
            format: OutputFormat::Csv,
            fields: Some(vec!["a".into()]),
            mode: OutputMode::Overwrite,
        };
        assert_eq!(repository.plan(&flags).output, Some(expected));
        let written = repository.plan(&Overrides::default()).output.map(|output| output.target);
        assert_eq!(written, Some(OutputTarget::File(repository.root().join("jobs/rows.jsonl"))));
        let stdout = Overrides { output: Some("-".into()), ..Overrides::default() };
        let stdout = repository.plan(&stdout).output.map(|output| (output.target, output.format));
        assert_eq!(stdout, Some((OutputTarget::Stdout, OutputFormat::Jsonl)));
    }

    #[test]
    fn a_device_may_be_the_output() {
        let text = format!("{SCRIPT}output = {{ path = '/dev/null', format = 'csv' }}");
        assert!(Repository::new(&text).load(&Overrides::default()).is_ok());
    }

    #[test]
    fn inputs_are_found_beside_the_manifest() {
        let repository = Repository::new("worker.command = ['echo']\ntasks.lines = 'list.txt'");
        repository.write("jobs/list.txt", "a\n");
        let Source::Lines(input) = repository.plan(&Overrides::default()).tasks.source else {
            panic!("no lines")
        };
        assert_eq!(input, Input::File(repository.root().join("jobs/list.txt")));
    }

    #[test]
    fn what_is_wrong_in_text_flags_and_files_is_told_at_once() {
        let repository = Repository::new("script = 'no.lua'\nworker.proceses = 1\ntasks.csv = 'no.csv'");
        let flags = Overrides {
            params: vec!["x=1".into()],
            set: vec!["run.queue=0".into()],
            output: Some("no/rows.csv".into()),
            ..Overrides::default()
        };
        let told = repository.load(&flags).map(drop).expect_err("it is wrong");
        let expected = [
            "jobs/job.toml:1:10: the script `jobs/no.lua` does not exist",
            "jobs/job.toml:2:8: unknown key `proceses` in `[worker]`",
            "jobs/job.toml:3:13: the input `jobs/no.csv` does not exist",
            "command line:1:17: `run.queue` cannot be 0",
            "command line:1:4: the job has no parameter `x`",
            "command line:1:4: the output's folder `no` does not exist",
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn a_manifest_that_cannot_be_read_is_told() {
        let repository = Repository::new(SCRIPT);
        let around = Surroundings { cwd: repository.root(), cpus: 1, memory: 1 << 30 };
        for (path, title) in [
            ("none.toml", "cannot read the manifest `none.toml`: there is no such file"),
            ("jobs", "cannot read the manifest `jobs`: it is a folder"),
            ("/dev/zero", "cannot read the manifest `/dev/zero`: it is larger than 64 MiB"),
        ] {
            let told =
                load(Path::new(path), &Overrides::default(), &around).map(drop).expect_err("it is wrong");
            assert_eq!(told[0].title, title);
        }
    }
}
