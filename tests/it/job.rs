//! A job that reads like a spec, and the run of it.
//!
//! ```ignore
//! Job::new().range(1, 1000).threads(4).script("return { worker = function(n) return n end }").run().exit(0);
//! ```

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::processes::{Found, kill, of_run, tree};

/// A run that takes longer hangs.
const HANG: Duration = Duration::from_secs(40);
/// What may outlive the run, which promises a second.
const GONE: Duration = Duration::from_secs(1);

const PROGRAM: &str = env!("CARGO_BIN_EXE_mpms");

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A manifest, its script, and how it is run.
pub struct Job {
    dir: TempDir,
    script: String,
    tables: BTreeMap<&'static str, Vec<String>>,
    arguments: Vec<String>,
    shell: Option<String>,
    hang: Duration,
    own_group: bool,
}

impl Job {
    pub fn new() -> Self {
        Job {
            dir: tempfile::tempdir().expect("a folder"),
            script: String::new(),
            tables: BTreeMap::new(),
            arguments: Vec::new(),
            shell: None,
            hang: HANG,
            own_group: false,
        }
    }

    /// A line of the manifest, below a table's heading; the table `""` is the top level.
    pub fn set(mut self, table: &'static str, line: impl Into<String>) -> Self {
        self.tables.entry(table).or_default().push(line.into());
        self
    }

    pub fn range(self, first: i64, last: i64) -> Self {
        self.set("tasks", format!("range = [{first}, {last}]"))
    }

    pub fn processes(self, count: usize) -> Self {
        self.set("worker", format!("processes = {count}"))
    }

    pub fn threads(self, count: usize) -> Self {
        self.set("worker", format!("threads = {count}"))
    }

    pub fn coroutines(self, count: usize) -> Self {
        self.set("worker", format!("coroutines = {count}"))
    }

    pub fn meta(self, line: &str) -> Self {
        self.set("meta", line)
    }

    pub fn script(mut self, text: &str) -> Self {
        self.script = text.into();
        self
    }

    pub fn arg(mut self, argument: &str) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// A line for `sh`, in which `MPMS` stands for the program with all its arguments.
    pub fn shell(mut self, line: &str) -> Self {
        self.shell = Some(line.into());
        self
    }

    pub fn within(mut self, limit: Duration) -> Self {
        self.hang = limit;
        self
    }

    /// In a process group of its own, as a shell with job control starts it.
    pub fn own_group(mut self) -> Self {
        self.own_group = true;
        self
    }

    pub fn file(self, name: &str, text: impl AsRef<[u8]>) -> Self {
        fs::write(self.dir.path().join(name), text).expect("a file");
        self
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn manifest(&self) -> String {
        let mut text = String::new();
        for line in self.tables.get("").into_iter().flatten() {
            let _ = writeln!(text, "{line}");
        }
        if !self.script.is_empty() {
            text.push_str("script = 'job.lua'\n");
        }
        for (table, lines) in self.tables.iter().filter(|(table, _)| !table.is_empty()) {
            let _ = writeln!(text, "[{table}]\n{}", lines.join("\n"));
        }
        text
    }

    pub fn run(self) -> Done {
        self.start().wait()
    }

    pub fn start(self) -> Running {
        fs::write(self.path("job.toml"), self.manifest()).expect("the manifest");
        if !self.script.is_empty() && !self.path("job.lua").exists() {
            fs::write(self.path("job.lua"), &self.script).expect("the script");
        }
        let mut command = match &self.shell {
            None => {
                let mut command = Command::new(PROGRAM);
                command.args(["run", "job.toml"]).args(&self.arguments);
                command
            }
            Some(line) => {
                let call = format!("{PROGRAM} run job.toml {}", self.arguments.join(" "));
                let mut command = Command::new("sh");
                command.arg("-c").arg(line.replace("MPMS", &call));
                command
            }
        };
        if self.own_group {
            command.process_group(0);
        }
        launch(command, self.dir, self.hang)
    }
}

/// Starts a command in the folder of a job.
fn launch(mut command: Command, dir: TempDir, hang: Duration) -> Running {
    let mark = format!("{}.{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let file = |name: &str| File::create(dir.path().join(name)).expect("a file");
    command.current_dir(dir.path()).env(crate::processes::MARK, &mark).env("NO_COLOR", "1");
    command.stdin(Stdio::null()).stdout(file("stdout")).stderr(file("stderr"));
    let child = command.spawn().expect("the program starts");
    Running { child, mark, dir, started: Instant::now(), hang, ended: None }
}

/// Runs the program in a folder and waits for it: for commands that only look.
fn look(dir: &Path, line: &str) -> Looked {
    let mut command = Command::new(PROGRAM);
    command.args(line.split_whitespace()).current_dir(dir).env("NO_COLOR", "1").stdin(Stdio::null());
    let output = command.output().expect("the program starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Looked { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
}

/// What a command said that only looked.
pub struct Looked {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Looked {
    #[track_caller]
    pub fn exit(&self, code: i32) -> &Self {
        assert_eq!(self.code, Some(code), "--- stdout\n{}\n--- stderr\n{}", self.stdout, self.stderr);
        self
    }

    #[track_caller]
    pub fn says(&self, text: &str) -> &Self {
        assert!(
            self.stdout.contains(text) || self.stderr.contains(text),
            "no {text:?} in\n{}{}",
            self.stdout,
            self.stderr
        );
        self
    }

    /// Standard output, a JSON value a line.
    #[track_caller]
    pub fn json(&self) -> Vec<serde_json::Value> {
        self.stdout.lines().map(|line| serde_json::from_str(line).expect("a JSON value")).collect()
    }
}

/// A run that goes on.
pub struct Running {
    child: Child,
    mark: String,
    dir: TempDir,
    started: Instant,
    hang: Duration,
    ended: Option<ExitStatus>,
}

impl Running {
    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).expect("a pid")
    }

    pub fn processes(&self) -> Vec<Found> {
        of_run(&self.mark)
    }

    pub fn workers(&self) -> Vec<i32> {
        let found = self.processes().into_iter();
        found
            .filter(|one| one.title.starts_with("mpms: ") && one.title.contains(" worker "))
            .map(|one| one.pid)
            .collect()
    }

    pub fn keeper(&self) -> Option<i32> {
        self.processes().iter().find(|one| one.title == "mpms: keeper").map(|one| one.pid)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Another command of the program in the same folder, while this one goes on.
    pub fn look(&self, line: &str) -> Looked {
        look(self.dir.path(), line)
    }

    pub fn signal(&self, signal: Signal) -> &Self {
        kill(self.pid(), signal);
        self
    }

    /// Waits until the condition holds.
    pub fn until(&mut self, what: &str, mut condition: impl FnMut(&Self) -> bool) -> &mut Self {
        while !condition(self) {
            if self.is_over() {
                panic!("the run ended before: {what}\n{}", self.shown());
            }
            if self.started.elapsed() > self.hang {
                self.give_up(&format!("not yet after {:?}: {what}", self.hang));
            }
            std::thread::sleep(Duration::from_millis(3));
        }
        self
    }

    /// Waits until a file of the job's folder has so many lines.
    pub fn until_lines(&mut self, name: &str, count: usize) -> &mut Self {
        self.until(&format!("{count} lines in {name}"), |run| lines_of(&run.path(name)).len() >= count)
    }

    pub fn is_over(&mut self) -> bool {
        if self.ended.is_none() {
            self.ended = self.child.try_wait().expect("a child");
        }
        self.ended.is_some()
    }

    /// Waits for the end, and that nobody is left.
    pub fn wait(mut self) -> Done {
        while !self.is_over() {
            if self.started.elapsed() > self.hang {
                self.give_up(&format!("the run does not end within {:?}", self.hang));
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        let elapsed = self.started.elapsed();
        self.expect_nobody();
        let read = |name| String::from_utf8_lossy(&fs::read(self.path(name)).expect("a file")).into_owned();
        Done {
            status: self.ended.expect("it is over"),
            stdout: read("stdout"),
            stderr: read("stderr"),
            elapsed,
            dir: std::mem::replace(&mut self.dir, tempfile::tempdir().expect("a folder")),
        }
    }

    fn expect_nobody(&self) {
        let end = Instant::now() + GONE;
        loop {
            let left = self.processes();
            if left.is_empty() {
                return;
            }
            if Instant::now() > end {
                let shown = tree(&left);
                left.iter().for_each(|one| kill(one.pid, Signal::SIGKILL));
                panic!("processes are left a second after the end of the run:\n{shown}\n{}", self.shown());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn give_up(&mut self, why: &str) -> ! {
        let left = self.processes();
        let shown = tree(&left);
        left.iter().for_each(|one| kill(one.pid, Signal::SIGKILL));
        let _ = self.child.wait();
        panic!("{why}\n{shown}\n{}", self.shown());
    }

    fn shown(&self) -> String {
        let read =
            |name| String::from_utf8_lossy(&fs::read(self.path(name)).unwrap_or_default()).into_owned();
        format!("--- stdout\n{}\n--- stderr\n{}", cut(&read("stdout")), cut(&read("stderr")))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // after a failed assertion: nobody stays
        if self.ended.is_none() {
            self.processes().iter().for_each(|one| kill(one.pid, Signal::SIGKILL));
            let _ = self.child.wait();
        }
    }
}

/// A run that has ended.
pub struct Done {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
    pub elapsed: Duration,
    pub dir: TempDir,
}

impl Done {
    /// The next command of the program in the same folder.
    pub fn then(self, line: &str) -> Running {
        let mut command = Command::new(PROGRAM);
        command.args(line.split_whitespace());
        launch(command, self.dir, HANG)
    }

    /// The same from `sh`, in which `MPMS` stands for the program.
    pub fn then_shell(self, line: &str) -> Running {
        let mut command = Command::new("sh");
        command.arg("-c").arg(line.replace("MPMS", PROGRAM));
        launch(command, self.dir, HANG)
    }

    /// A command that only looks.
    pub fn look(&self, line: &str) -> Looked {
        look(self.dir.path(), line)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("a file");
    }

    #[track_caller]
    pub fn exit(&self, code: i32) -> &Self {
        let shown = format!("--- stdout\n{}\n--- stderr\n{}", cut(&self.stdout), cut(&self.stderr));
        assert_eq!(self.status.code(), Some(code), "{}\n{shown}", self.status);
        self
    }

    /// Standard error contains the text.
    #[track_caller]
    pub fn says(&self, text: &str) -> &Self {
        assert!(self.stderr.contains(text), "no {text:?} in\n{}", cut(&self.stderr));
        self
    }

    #[track_caller]
    pub fn never_says(&self, text: &str) -> &Self {
        assert!(!self.stderr.contains(text), "{text:?} in\n{}", cut(&self.stderr));
        self
    }

    /// What `finish` returned.
    #[track_caller]
    pub fn finish(&self) -> String {
        let line = self.stderr.lines().find_map(|line| line.trim_start().strip_prefix("Finish "));
        line.unwrap_or_else(|| panic!("no Finish in\n{}", cut(&self.stderr))).trim().to_owned()
    }

    #[track_caller]
    pub fn finished_with(&self, text: &str) -> &Self {
        assert_eq!(self.finish(), text, "{}", cut(&self.stderr));
        self
    }

    /// Lines of a file in the job's folder.
    pub fn lines(&self, name: &str) -> Vec<String> {
        lines_of(&self.dir.path().join(name))
    }

    /// Bytes of the largest process, as the summary says it.
    pub fn peak_memory(&self) -> u64 {
        let text = self.stderr.split("peak memory ").nth(1).expect("a peak in the summary");
        let mut words = text.split_whitespace();
        let number: f64 = words.next().and_then(|word| word.parse().ok()).expect("a number");
        let unit = match words.next().expect("a unit").trim_end_matches('\n') {
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            other => panic!("a unit: {other}"),
        };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a size in bytes")]
        let bytes = (number * f64::from(unit)) as u64;
        bytes
    }
}

pub fn lines_of(path: &Path) -> Vec<String> {
    let bytes = fs::read(path).unwrap_or_default();
    String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect()
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(4000) {
        Some((at, _)) => format!("{} … ({} bytes)", &text[..at], text.len()),
        None => text.to_owned(),
    }
}
