//! What tasks leave with the run: states, folders, and keys that are cancelled.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use nix::sys::signal::Signal;

use crate::job::{Done, Job, Running};

/// Counts to `job.params.steps` in steps that are saved and noted, and fails, dies or waits on the way.
const COUNTS: &str = r#"
local function note(file, text) io.open(file, "a"):write(text, "\n"):close() end
return {
  worker = function(kind)
    local n = task.state and task.state.n or 0
    note("attempts", kind .. " " .. n)
    while n < job.params.steps do
      n = n + 1
      task.save { n = n, kind = kind }
      note("steps", kind .. " " .. n)
      if kind == "raises" and n % 4 == 0 then error("at " .. n) end
      if kind == "retries" and n % 4 == 0 then task.retry { after = "1ms" } end
      if kind == "dies" and n % 4 == 0 then
        os.execute("kill -9 " .. io.open("/proc/self/stat"):read("n"))
        sleep(10)
      end
      if kind == "waits" then sleep("5ms") end
    end
    assert(task.state.kind == kind)
    return kind, n
  end,
  handler = function(meta, kind, n) meta.ended = meta.ended + 1 emit { kind = kind, n = n } end,
  finish = function(meta) return "ended " .. meta.ended end,
}
"#;

fn counts(kinds: &str, steps: u32) -> Job {
    let retries = "retries = { count = 20, delay = '1ms', jitter = false }";
    Job::new()
        .set("tasks", format!("items = [{kinds}]"))
        .set("params", format!("steps = {steps}"))
        .set("worker", retries)
        .set("worker", "crash_limit = 20")
        .meta("ended = 0")
        .processes(2)
        .threads(2)
        .script(COUNTS)
}

/// The folder of the only run.
fn run_folder(dir: PathBuf) -> PathBuf {
    let mut runs = fs::read_dir(dir.join(".mpms/runs")).expect("runs").map(|run| run.expect("a run").path());
    runs.next().expect("one")
}

/// Tasks whose states the journal has.
fn kept(run: PathBuf) -> i64 {
    let database = rusqlite::Connection::open(run_folder(run).join("journal.db")).expect("a journal");
    database.query_row("SELECT count(*) FROM saved", [], |row| row.get(0)).expect("a number")
}

fn attempts(done: &Done, kind: &str) -> Vec<u32> {
    let of = |line: String| Some(line.strip_prefix(kind)?.trim().parse().expect("a number"));
    done.lines("attempts").into_iter().filter_map(of).collect()
}

#[test]
fn a_state_comes_with_the_next_attempt_whatever_ended_the_last() {
    for journal in [&[][..], &["--no-journal"]] {
        // apart: what dies takes its neighbours with it, wherever they are
        for kinds in [&["raises", "retries", "plain"][..], &["dies"]] {
            let names: Vec<String> = kinds.iter().map(|kind| format!("'{kind}'")).collect();
            let job = counts(&names.join(", "), 18);
            let done = journal.iter().fold(job, |job, flag| job.arg(flag)).run();
            done.exit(0).finished_with(&format!("ended {}", kinds.len()));
            for kind in kinds {
                let expected: &[u32] = if *kind == "plain" { &[0] } else { &[0, 4, 8, 12, 16] };
                assert_eq!(attempts(&done, kind), expected, "{kind} {journal:?}");
            }
            assert_eq!(done.lines("steps").len(), kinds.len() * 18, "no step twice");
            if journal.is_empty() {
                assert_eq!(kept(done.path("")), 0, "gone with its task");
            }
        }
    }
}

#[test]
fn coroutines_have_states_of_their_own() {
    let kinds: Vec<String> = (0..40).map(|n| format!("'k{n}'")).collect();
    let script = r#"return { worker = function(kind)
        local n = task.state and task.state.n or 0
        assert(not task.state or task.state.kind == kind, "another task's")
        task.save { n = n + 1, kind = kind }
        sleep("3ms")
        assert(task.state.kind == kind and task.state.n == n + 1)
        if n < 3 then error("again") end
        return n
      end }"#;
    let job = counts(&kinds.join(", "), 0).coroutines(16).script(script);
    let done = job.run();
    done.exit(0);
    assert_eq!(done.stdout.lines().filter(|line| *line == "3").count(), 40, "{}", done.stdout);
}

fn killed_at(mut run: Running, steps: usize) -> Done {
    run.until_lines("steps", steps);
    run.signal(Signal::SIGKILL);
    run.wait()
}

#[test]
fn a_state_outlives_a_kill_of_the_run() {
    let mut first = counts("'waits'", 300).start();
    // some commits after the first steps
    first.until_lines("steps", 60);
    let before = first.look("runs show --format json").exit(0).json();
    assert_eq!(before[0]["done"], 0, "{before:?}");
    let done = killed_at(first, 100);
    assert_eq!(kept(done.path("")), 1);
    let done = killed_at(done.then("resume"), 200);
    let done = done.then("resume").wait();
    done.exit(0).finished_with("ended 1");
    let begun = attempts(&done, "waits");
    assert!(begun.len() == 3 && begun[0] == 0 && begun[1] > 50 && begun[2] > begun[1] + 30, "{begun:?}");
    assert_eq!(kept(done.path("")), 0);
}

#[test]
fn after_a_stop_the_very_last_state_is_there() {
    for round in 0..3 {
        let mut run = counts("'waits'", 1_000_000).set("worker", "grace_period = '100ms'").start();
        run.until_lines("steps", 20 + 7 * round);
        run.signal(Signal::SIGINT);
        let done = run.wait();
        done.exit(130);
        let last: u32 = done.lines("steps").len().try_into().expect("few");
        let mut run = done.then("resume");
        run.until_lines("attempts", 2).signal(Signal::SIGKILL);
        let begun = attempts(&run.wait(), "waits");
        // the kill may come between a save and its note
        assert!(begun[1] == last || begun[1] == last + 1, "{begun:?} {last}");
    }
}

#[test]
fn a_failed_task_begins_anew() {
    let script = r#"return { worker = function()
        local n = task.state or 0
        task.save(n + 1)
        io.open("attempts", "a"):write(n, "\n"):close()
        if not mpms.fs.exists("good") then error("bad") end
        return n
      end }"#;
    let first =
        Job::new().range(1, 1).set("worker", "retries = { count = 1, delay = '1ms' }").script(script).run();
    first.exit(1);
    assert_eq!((first.lines("attempts"), kept(first.path(""))), (vec!["0".to_owned(), "1".to_owned()], 0));
    first.write("good", "");
    let done = first.then("resume --retry-failed").wait();
    done.exit(0);
    assert_eq!(done.lines("attempts"), ["0", "1", "0"]);
}

const FOLDERS: &str = r#"
local fs = require "mpms.fs"
local function note(text) io.open("seen", "a"):write(text, "\n"):close() end
return {
  worker = function(n)
    if n % 2 == 1 then return n end
    local dir = task.dir
    local parts = fs.is_dir(dir .. "/deep") and #fs.list(dir .. "/deep") or 0
    note(("%d %d"):format(n, parts))
    fs.write(("%s/deep/part%d"):format(dir, parts), "x", { mkdir = true })
    fs.write(("%s/part%d"):format(dir, parts), "x")
    if parts < 2 then error("again") end
    if job.params.waits and n == 8 then sleep(job.params.waits) end
    return n
  end,
}
"#;

fn folders() -> Job {
    let retries = "retries = { count = 5, delay = '1ms' }";
    Job::new().range(1, 8).set("worker", retries).processes(2).threads(2).script(FOLDERS)
}

#[test]
fn a_folder_stays_between_attempts_and_goes_with_its_task() {
    let mut run = folders().set("params", "waits = '1h'").start();
    let tasks = |run: &Running| run_folder(run.path("")).join("tasks");
    let there = |run: &Running| {
        let found = fs::read_dir(tasks(run)).into_iter().flatten().flatten();
        found.map(|entry| entry.file_name().into_string().expect("text")).collect::<Vec<_>>()
    };
    run.until_lines("seen", 4 * 2);
    // that of a task goes soon after its end is kept, while others run
    run.until("only that of the last task is left", |run| there(run) == ["8"]);
    run.signal(Signal::SIGKILL);
    let done = run.wait();
    let mut run = done.then("resume");
    let last = |run: &Running| crate::job::lines_of(&run.path("seen")).last().cloned();
    run.until("it goes on where it was", |run| {
        last(run).is_some_and(|line| line.starts_with("8 ") && line > "8 2".into())
    });
    assert_eq!(there(&run), ["8"]);
    run.signal(Signal::SIGINT).signal(Signal::SIGINT);
    let done = run.wait();
    done.write("job.lua", &FOLDERS.replace("job.params.waits and", "false and"));
    let done = done.then("resume").wait();
    done.exit(0);
    assert!(!run_folder(done.path("")).join("tasks").exists());
}

#[test]
fn without_a_journal_folders_are_temporary() {
    let place = tempfile::tempdir().expect("a folder");
    let line = format!("TMPDIR={} MPMS", place.path().display());
    let done = folders().arg("--no-journal").shell(&line).run();
    done.exit(0);
    assert_eq!(done.lines("seen").len(), 4 * 3);
    assert_eq!(fs::read_dir(place.path()).expect("there").count(), 0);
}

#[test]
fn the_module_is_for_workers_and_says_so() {
    let script = |role: &str| {
        let worker = "worker = function() return require 'mpms.task'.id, mpms.task == task end";
        format!("return {{ {worker}, {role} = function() local t = require 'mpms.task' end }}")
    };
    let job = |role: &str| Job::new().set("tasks", "script = 'job.lua'").script(&script(role));
    job("tasks").run().says("mpms.task is for the role `worker`; here the role gets `put`");
    for role in ["handler", "start", "finish"] {
        let job = Job::new().range(1, 2).script(&script(role));
        job.run().exit(5).says("mpms.task is for the role `worker`; here the task at hand is in `meta`");
    }
}

/// Each task notes that it ran. Task 1 does what `first` says.
fn cancelling(first: &str) -> String {
    format!(
        r#"
local function note(text) io.open("ran", "a"):write(text, "\n"):close() end
return {{
  worker = function(n)
    note(n)
    {first}
    sleep(job.params.each)
    return n
  end,
  handler = function(meta, n) meta.ended = meta.ended + 1 end,
  finish = function(meta, s) return ("ended %d done %d duplicates %d"):format(meta.ended, s.done, s.duplicates) end,
}}"#
    )
}

fn cancels(first: &str, each: &str) -> Job {
    let each = format!("each = '{each}'");
    Job::new().processes(1).threads(1).meta("ended = 0").set("params", each).script(&cancelling(first))
}

fn ran(done: &Done) -> BTreeSet<String> {
    let lines = done.lines("ran");
    let ran: BTreeSet<String> = lines.iter().cloned().collect();
    assert_eq!(ran.len(), lines.len(), "nothing ran twice");
    ran
}

fn all_but(numbers: impl Iterator<Item = u32>, without: &[u32]) -> BTreeSet<String> {
    numbers.filter(|n| !without.contains(n)).map(|n| n.to_string()).collect()
}

#[test]
fn a_queued_task_is_dropped_and_counts_as_skipped() {
    for flag in [None, Some("--no-journal"), Some("-k")] {
        let first = "if n == 1 then task.cancel(5) task.cancel(9) task.cancel(5) task.cancel(77) task.cancel('5') end";
        let job = cancels(first, "20ms").range(1, 10).set("tasks", "key = 'n'");
        let done = flag.into_iter().fold(job, Job::arg).run();
        done.exit(0).finished_with("ended 8 done 10 duplicates 0").says("2 skipped");
        assert_eq!(ran(&done), all_but(1..=10, &[5, 9]), "{flag:?}");
    }
}

#[test]
fn a_cancel_counts_only_when_the_attempt_succeeds_and_stops_nothing_that_runs() {
    let first = "if n == 1 then task.cancel(3) task.fail('no') end if n == 2 then task.cancel(2) end";
    let done = cancels(first, "20ms").range(1, 4).set("tasks", "key = 'n'").run();
    done.exit(1).finished_with("ended 3 done 3 duplicates 0");
    assert_eq!(ran(&done), all_but(1..=4, &[]));
    let first = "if n == 1 then sleep(0.3) end if n == 2 then sleep(0.05) task.cancel(1) end";
    let done =
        cancels(first, "20ms").range(1, 3).set("tasks", "key = 'n'").set("worker", "coroutines = 4").run();
    done.exit(0).finished_with("ended 3 done 3 duplicates 0");
}

#[test]
fn a_task_that_waits_for_another_attempt_is_dropped_too() {
    let first = "if n == 1 then error('later') end if n == 2 then task.cancel(1) end";
    let retries = "retries = { count = 3, delay = '1h' }";
    let done = cancels(first, "20ms").range(1, 3).set("tasks", "key = 'n'").set("worker", retries).run();
    done.exit(0).finished_with("ended 2 done 3 duplicates 0").says("1 skipped");
}

/// Task 1 puts many more than memory holds; task 2 cancels some of them.
const BEYOND: &str = r#"
    if n == 1 then for i = 101, 400 do task.put_with({ key = "k" .. i }, i) end end
    if n == 2 then for i = 300, 310 do task.cancel("k" .. i) end end
    if n == 2 then task.put_with({ key = "k305" }, 305) end
"#;

#[test]
fn a_task_that_lies_in_the_journal_is_dropped_too() {
    for flag in [None, Some("--no-journal")] {
        let job = cancels(BEYOND, "0s").range(1, 2).set("run", "queue = 4");
        let done = flag.into_iter().fold(job, Job::arg).run();
        done.exit(0);
        let without: Vec<u32> = (300..=310).collect();
        assert_eq!(ran(&done), all_but((1..=2).chain(101..=400), &without), "{flag:?}");
        done.finished_with("ended 291 done 302 duplicates 1");
    }
}

#[test]
fn a_cancel_outlives_a_kill_of_the_run() {
    for lines in [3, 60, 230] {
        let mut run = cancels(BEYOND, "1ms").range(1, 2).set("run", "queue = 4").start();
        run.until_lines("ran", lines);
        run.signal(Signal::SIGKILL);
        let done = run.wait().then("resume").wait();
        done.exit(0);
        let (without, ran): (Vec<u32>, BTreeSet<String>) =
            ((300..=310).collect(), done.lines("ran").into_iter().collect());
        assert_eq!(ran, all_but((1..=2).chain(101..=400), &without));
        done.says("302 tasks: 291 ok, 11 skipped");
    }
}

#[test]
fn a_key_that_nobody_has_yet_is_known_from_then_on() {
    let script = r#"return {
      tasks = function(put)
        put("cancels")
        put("plain")
        sleep(0.3)
        put_with({ key = "late" }, "late")
        put_with({ key = 7 }, "seven")
        put_with({ key = "other" }, "other")
      end,
      worker = function(kind)
        io.open("ran", "a"):write(kind, "\n"):close()
        if kind == "cancels" then task.cancel("late") task.cancel(7) end
        if kind == "other" then task.put_with({ key = "late" }, "late again") end
        return kind
      end,
      handler = function() end,
      finish = function(meta, s) return ("done %d duplicates %d"):format(s.done, s.duplicates) end }"#;
    let job = || Job::new().set("tasks", "script = 'job.lua'").script(script);
    for done in [job().run(), job().arg("--no-journal").run()] {
        done.exit(0).finished_with("done 3 duplicates 3");
        assert_eq!(done.lines("ran").len(), 3, "{:?}", done.lines("ran"));
    }
}
