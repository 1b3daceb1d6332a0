//! The processes of the specs: started, listened to, and ended when they do not end.

use std::path::PathBuf;
use std::sync::Barrier;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;

use super::spec::{FromSpec, Go, Start};
use super::{File, Outcome};
use crate::lua::coverage::Ran;
use crate::lua::spec::{Event, Planned, Problem, Status, Totals};
use crate::model::lua_path::LuaPath;
use crate::os::command::{End, Said, Spawned};
use crate::os::signals;

/// Files that are loaded before the first test runs, so that the number of all tests is known; processes that wait.
const AHEAD: usize = 64;
/// What a process may take beyond the limit of a test, which it keeps itself, before it is killed.
const GRACE: Duration = Duration::from_secs(3);

/// How specs are run.
pub(super) struct Crew {
    pub jobs: usize,
    pub limit: Duration,
    pub update: bool,
    pub coverage: bool,
    pub list: bool,
    pub cwd: PathBuf,
    pub lua_path: Option<LuaPath>,
}

/// What happens.
pub(super) enum News {
    /// The first files are loaded.
    Loaded,
    /// A file cannot be loaded.
    Broken { file: usize, problem: Problem },
    /// A test, or what stands for one, has ended.
    Result(Outcome),
    /// Lines that ran in a file that has ended.
    Ran(Vec<Ran>),
    /// Of a file that has ended.
    Totals(Totals),
}

enum Message {
    Plan(usize, Vec<Planned>),
    AllAhead,
    News(News),
}

/// A process that waits for its [`Go`].
struct Loaded {
    process: Spawned,
    plan: Vec<Planned>,
}

type Chooses<'a> = &'a (dyn Fn(&Planned) -> bool + Sync);

impl Crew {
    /// Loads and runs all files; `tell` hears of it on this thread.
    pub fn run(&self, files: &mut [File], chooses: Chooses<'_>, tell: &mut dyn FnMut(&[File], News)) {
        let jobs = self.jobs.min(files.len()).max(1);
        let ahead = if self.list { files.len() } else { files.len().min(AHEAD) };
        let paths: Vec<(PathBuf, String)> =
            files.iter().map(|file| (file.path.clone(), file.name.clone())).collect();
        let waiting: Vec<Mutex<Option<Loaded>>> = paths.iter().map(|_| Mutex::new(None)).collect();
        let (first, second) = (AtomicUsize::new(0), AtomicUsize::new(0));
        // a process dies with the thread that has started it, so all threads stay until all files have ended
        let (loaded, ended) = (Barrier::new(jobs), Barrier::new(jobs));
        let (send, receive) = crossbeam_channel::unbounded();
        std::thread::scope(|scope| {
            for _ in 0..jobs {
                let send = send.clone();
                scope.spawn(|| {
                    let send = send;
                    while let Some(index) = next(&first, ahead) {
                        // whoever only lists needs the processes no more
                        let one = self.load(index, &paths[index], &send).filter(|_| !self.list);
                        *waiting[index].lock().unwrap_or_else(PoisonError::into_inner) = one;
                    }
                    if loaded.wait().is_leader() {
                        let _ = send.send(Message::AllAhead);
                    }
                    while let Some(index) = next(&second, paths.len()) {
                        let one = match index < ahead {
                            true => waiting[index].lock().unwrap_or_else(PoisonError::into_inner).take(),
                            false => self.load(index, &paths[index], &send),
                        };
                        if let Some(one) = one {
                            self.run_one(index, &paths[index].1, one, chooses, &send);
                        }
                    }
                    drop(send);
                    ended.wait();
                });
            }
            drop(send);
            for message in receive {
                match message {
                    Message::Plan(index, plan) => {
                        files[index].chosen = (0..plan.len()).filter(|test| chooses(&plan[*test])).collect();
                        files[index].plan = plan;
                    }
                    Message::AllAhead => tell(files, News::Loaded),
                    Message::News(news) => tell(files, news),
                }
            }
        });
    }

    fn load(&self, index: usize, (path, name): &(PathBuf, String), send: &Sender<Message>) -> Option<Loaded> {
        match self.try_load(path, name) {
            Ok(one) => {
                let _ = send.send(Message::Plan(index, one.plan.clone()));
                Some(one)
            }
            Err(problem) => {
                let _ = send.send(Message::News(News::Broken { file: index, problem }));
                None
            }
        }
    }

    fn try_load(&self, path: &std::path::Path, name: &str) -> Result<Loaded, Problem> {
        let failed = |message: String| Problem {
            message,
            place: Some(name.to_owned()),
            code: "crashed".into(),
            traceback: Vec::new(),
        };
        let start = Start {
            file: path.to_path_buf(),
            cwd: self.cwd.clone(),
            limit: self.limit,
            update: self.update,
            coverage: self.coverage,
            lua_path: self.lua_path.as_ref().map(ToString::to_string),
        };
        let process = Spawned::start(&start.arguments())
            .map_err(|error| failed(format!("its process cannot be started: {error}")))?;
        match process.next(self.limit + GRACE) {
            Said::Line(line) => match serde_json::from_slice(&line) {
                Ok(FromSpec::Loaded(plan)) => Ok(Loaded { process, plan }),
                Ok(FromSpec::Broken(problem)) => Err(problem),
                _ => Err(failed("its process says what nobody understands".into())),
            },
            Said::Nothing => {
                Err(failed(format!("it is not loaded within {:?}; its process was killed", self.limit)))
            }
            Said::Ended => {
                let end = process.end(GRACE).unwrap_or_default();
                let mut problem = failed(format!("while it was loaded its process {}", how(&end)));
                problem.traceback = said(&end);
                Err(problem)
            }
        }
    }

    fn run_one(&self, index: usize, name: &str, one: Loaded, chooses: Chooses<'_>, send: &Sender<Message>) {
        let Loaded { mut process, plan } = one;
        let chosen: Vec<usize> = (0..plan.len()).filter(|test| chooses(&plan[*test])).collect();
        if chosen.is_empty() {
            return;
        }
        process.tell(&serde_json::to_vec(&Go(chosen.clone())).unwrap_or_default());
        let mut desk = Desk { file: index, name, plan: &plan, left: chosen, running: None, send };
        loop {
            // each sign of life is the beginning of something that has the limit for itself
            match process.next(self.limit + GRACE) {
                Said::Line(line) => match serde_json::from_slice(&line) {
                    Ok(FromSpec::Event(event)) => desk.hear(event),
                    Ok(FromSpec::Ran(ran)) => {
                        let _ = send.send(Message::News(News::Ran(ran)));
                    }
                    Ok(FromSpec::Done(totals)) => {
                        let _ = send.send(Message::News(News::Totals(totals)));
                        break;
                    }
                    _ => {
                        desk.died("its process says what nobody understands".into(), Vec::new());
                        break;
                    }
                },
                Said::Nothing => {
                    let limit = self.limit;
                    desk.died(format!("it did not end within {limit:?}, and could not be stopped; its process was killed"), Vec::new());
                    drop(process);
                    return;
                }
                Said::Ended => {
                    let end = process.end(GRACE).unwrap_or_default();
                    desk.died(format!("its process {}", how(&end)), said(&end));
                    return;
                }
            }
        }
        // it may have left commands behind; they end with its group
        let _ = process.end(GRACE);
    }
}

fn next(counter: &AtomicUsize, count: usize) -> Option<usize> {
    Some(counter.fetch_add(1, Ordering::Relaxed)).filter(|index| *index < count)
}

/// `was killed by signal 9 (SIGKILL)`
fn how(end: &End) -> String {
    match (end.signal, end.code) {
        (Some(signal), _) => format!("was killed by signal {signal} ({})", signals::name(signal)),
        (None, Some(code)) => format!("ended with exit code {code}"),
        (None, None) => "ended".to_owned(),
    }
}

fn said(end: &End) -> Vec<String> {
    String::from_utf8_lossy(&end.stderr).lines().map(str::to_owned).collect()
}

/// What is known of a file that runs.
struct Desk<'a> {
    file: usize,
    name: &'a str,
    plan: &'a [Planned],
    /// Tests that have not ended.
    left: Vec<usize>,
    running: Option<(usize, Instant)>,
    send: &'a Sender<Message>,
}

impl Desk<'_> {
    fn hear(&mut self, event: Event) {
        match event {
            Event::Step => {}
            Event::Begun(index) => self.running = Some((index, Instant::now())),
            Event::Ended { index, status, elapsed_ns, output } => {
                self.running = None;
                self.left.retain(|test| *test != index);
                self.result(index, status, Duration::from_nanos(elapsed_ns), output, false);
            }
            Event::Trouble { block, problem, output } => {
                let place = problem.place.clone().unwrap_or_else(|| self.name.to_owned());
                let name = format!("{block}: teardown");
                self.say(Outcome {
                    file: self.file,
                    name,
                    place,
                    status: Status::Failed(problem),
                    not_run: false,
                    elapsed: Duration::ZERO,
                    output,
                });
            }
        }
    }

    fn result(&self, index: usize, status: Status, elapsed: Duration, output: Vec<String>, not_run: bool) {
        let Some(test) = self.plan.get(index) else { return };
        let (name, place) = (test.names.join(": "), test.place.clone());
        self.say(Outcome { file: self.file, name, place, status, not_run, elapsed, output });
    }

    fn say(&self, outcome: Outcome) {
        let _ = self.send.send(Message::News(News::Result(outcome)));
    }

    /// The process is gone, and with it the test that ran and those after it.
    fn died(&mut self, message: String, output: Vec<String>) {
        let problem = |message: String, place: &str| Problem {
            message,
            place: Some(place.to_owned()),
            code: "crashed".into(),
            traceback: Vec::new(),
        };
        match self.running.take() {
            Some((index, since)) => {
                self.left.retain(|test| *test != index);
                let place = self.plan.get(index).map_or(self.name, |test| test.place.as_str());
                let status = Status::Failed(problem(message, place));
                self.result(index, status, since.elapsed(), output, false);
            }
            None => self.say(Outcome {
                file: self.file,
                name: self.name.to_owned(),
                place: self.name.to_owned(),
                status: Status::Failed(problem(message, self.name)),
                not_run: false,
                elapsed: Duration::ZERO,
                output,
            }),
        }
        for index in std::mem::take(&mut self.left) {
            let place = self.plan.get(index).map_or(self.name, |test| test.place.as_str());
            let status = Status::Failed(problem("not run: the process of its file has ended".into(), place));
            self.result(index, status, Duration::ZERO, Vec::new(), true);
        }
    }
}
