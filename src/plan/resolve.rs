//! From a manifest's file and the flags to the plan: the only place of defaults.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use super::output::{output, refuse_own_input};
use super::params::params;
use super::paths::{absolute, shown};
use super::scripts::{Scripts, unreadable};
use super::{HandlerPlan, Input, Job, Plan, RunPlan, Script, Source, TasksPlan, WorkerBody, WorkerPlan};
use crate::manifest::{
    Body, Diagnostic, Located, Manifest, Overrides, Processes, Source as Written, Spot, check, read,
};
use crate::model::Value;

/// Worker deaths that one task may cause: HyperQueue's default is 5; 3 tells a bad task from bad luck sooner.
const CRASH_LIMIT: u32 = 3;

/// Generated tasks kept ready: at ten thousand small tasks a second the generator may pause for 0.4 s
/// and no worker notices; with tasks of 1 KiB it is 4 MiB. More threads than half of it get two tasks each.
const QUEUE: usize = 4096;

/// What the process knows of where it runs.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// The shell's folder, absolute.
    pub cwd: PathBuf,
    /// CPUs that affinity and cgroup allow; what `processes = "auto"` means.
    pub cpus: usize,
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
    found.append(&mut settling.found);
    match plan {
        Some(plan) if found.is_empty() => Ok(plan),
        _ => Err(found),
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
        Some(Plan { job, tasks: self.tasks(source?), worker, handler, output, run })
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
            env: self.manifest.env.clone(),
        }
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
            self.found.push(*unreadable("input", &name, &error, &path.spot));
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
        }
    }

    fn body(&mut self) -> Option<WorkerBody> {
        match &self.manifest.worker.body {
            Some(Body::Command(words)) => Some(WorkerBody::Command(words.clone())),
            Some(Body::Lua(lua)) => self.scripts.take(lua, &mut self.found).map(WorkerBody::Lua),
            None => self.top().map(WorkerBody::Lua),
        }
    }

    fn worker(&self, body: WorkerBody) -> WorkerPlan {
        let written = &self.manifest.worker;
        let processes = match self.overrides.processes.or(written.processes).unwrap_or(Processes::Auto) {
            _ if self.overrides.serial => 1,
            Processes::Auto => self.around.cpus.clamp(1, 4096),
            Processes::Count(count) => count,
        };
        let threads = match self.overrides.threads.or(written.threads) {
            _ if self.overrides.serial => 1,
            threads => threads.unwrap_or(1),
        };
        WorkerPlan { body, processes, threads, crash_limit: written.crash_limit.unwrap_or(CRASH_LIMIT) }
    }

    fn handler(&mut self) -> HandlerPlan {
        let script = match &self.manifest.handler.lua {
            Some(lua) => self.scripts.take(lua, &mut self.found),
            None => self.top(),
        };
        HandlerPlan {
            script,
            ordered: self.overrides.ordered || self.manifest.handler.ordered.unwrap_or(false),
        }
    }

    fn run(&self, worker: &WorkerPlan) -> RunPlan {
        let enough = QUEUE.max(2 * worker.processes * worker.threads);
        RunPlan { max_fail: self.manifest.run.max_fail, queue: self.manifest.run.queue.unwrap_or(enough) }
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
