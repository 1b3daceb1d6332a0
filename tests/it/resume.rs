//! Runs that were stopped or killed, and go on.

use std::collections::BTreeSet;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::job::{Done, Job, Running};

/// Tells when a task begins and ends, adds up, and writes a row for each. A task fails while the file `bad` is there and
/// its number ends with 0.
const SCRIPT: &str = r#"
local function note(file, n) io.open(file, "a"):write(n, "\n"):close() end
local function exists(name) local file = io.open(name) if file then file:close() end return file ~= nil end
return {
  worker = function(n)
    note("begun", n)
    sleep(0.01)
    if tonumber(n) % 10 == 0 and exists("bad") then error("it is bad") end
    note("ended", n)
    return n
  end,
  handler = function(meta, n) meta.sum = meta.sum + tonumber(n) emit { n = tonumber(n) } end,
  finish = function(meta) note("finished", "x") return "sum " .. meta.sum end,
}
"#;

fn job() -> Job {
    Job::new().processes(2).meta("sum = 0").set("output", "path = 'rows.jsonl'").script(SCRIPT)
}

fn hundred() -> Job {
    job().range(1, 100)
}

/// Stops after some tasks, and is told that it can go on.
fn stopped(mut run: Running) -> Done {
    run.until_lines("ended", 20);
    run.signal(Signal::SIGINT);
    let done = run.wait();
    done.exit(130).says("· state saved (run ").says("Next mpms resume ");
    done
}

fn killed(mut run: Running) -> Done {
    run.until_lines("ended", 30);
    run.signal(Signal::SIGKILL);
    run.wait()
}

/// The id that the run shows.
fn id(done: &Done) -> String {
    let at = done.stderr.find("· run ").unwrap_or_else(|| panic!("no run in\n{}", done.stderr));
    done.stderr[at..].split_whitespace().nth(2).expect("an id").to_owned()
}

fn numbers(lines: &[String]) -> BTreeSet<i64> {
    lines.iter().map(|line| line.parse().expect("a number")).collect()
}

/// The rows of the output, sorted.
fn rows(done: &Done) -> Vec<i64> {
    let row =
        |line: &String| serde_json::from_str::<Value>(line).expect("a row")["n"].as_i64().expect("a number");
    let mut rows: Vec<_> = done.lines("rows.jsonl").iter().map(row).collect();
    rows.sort_unstable();
    rows
}

#[track_caller]
fn complete(done: &Done) {
    done.exit(0).finished_with("sum 5050");
    assert_eq!(rows(done), (1..=100).collect::<Vec<_>>());
}

#[test]
fn after_a_stop_exactly_the_rest_runs() {
    let first = stopped(hundred().start());
    let (name, before) = (id(&first), first.lines("ended").len());
    let done = first.then("resume").wait();
    complete(&done);
    done.says(&format!("Resuming job run {name}: "))
        .says(" to run\n")
        .says(&format!("· run {name} · seed 0"));
    assert!(before < 100);
    assert_eq!(done.lines("begun").len(), 100, "no task ran twice");
    assert_eq!(done.lines("finished").len(), 1);
    let again = done.then("resume").wait();
    again.exit(0).says(&format!("Complete job run {name}: 100 ok"));
    assert_eq!((again.lines("begun").len(), again.lines("finished").len()), (100, 1));
}

#[test]
fn after_a_kill_every_task_counts_once() {
    let first = killed(hundred().start());
    let list = first.look("runs list --format json").exit(0).json();
    assert_eq!(list[0]["state"], "interrupted");
    let done = first.then("resume latest").wait();
    complete(&done);
    assert_eq!(numbers(&done.lines("begun")).len(), 100);
    let shown = done.look("runs show --format json").exit(0).json();
    assert_eq!((&shown[0]["state"], &shown[0]["sessions"]), (&"complete".into(), &2.into()));
    assert_eq!((&shown[0]["meta"]["sum"], &shown[0]["output"]["rows"]), (&5050.into(), &100.into()));
}

#[test]
fn failed_tasks_run_again_when_they_are_asked_to() {
    let first = hundred().file("bad", "").run();
    first.exit(1).says("10 failed").says("Next mpms runs show ").says(" --retry-failed\n");
    let failed = first.look("runs show latest --failed --format json").exit(0).json();
    assert_eq!(failed.len(), 10);
    assert!(
        failed
            .iter()
            .all(|task| task["error"]["message"].as_str().is_some_and(|why| why.contains("it is bad")))
    );
    let groups = first.look("runs show --format json").json();
    assert_eq!(
        (&groups[0]["failures"][0]["count"], groups[0]["failures"].as_array().map(Vec::len)),
        (&10.into(), Some(1))
    );
    // without the flag there is nothing to do
    let same = first.then("resume").wait();
    same.exit(0).says("Complete job run ").says("90 ok, 10 failed").says("--retry-failed\n");
    std::fs::remove_file(same.path("bad")).expect("the file is there");
    let done = same.then("run job.toml --retry-failed").wait();
    complete(&done);
    done.says("90 done, 10 failed to run again, 10 to run");
    assert_eq!(done.lines("begun").len(), 110);
    done.then("resume latest --retry-failed").wait().exit(0).says("Complete job run ");
}

#[test]
fn what_has_changed_is_named_and_refused_with_strict() {
    let first = stopped(hundred().set("params", "count = 10").start());
    let name = id(&first);
    first.write("job.lua", &SCRIPT.replace("sleep(0.01)", "sleep(0.001)"));
    let begun = first.lines("begun").len();
    let changed = format!("job.lua changed since run {name} (1 line)");
    first.look("resume --strict").exit(2).says(&changed).says("--restart");
    first.look("run job.toml --resume --strict -p count=20").exit(2).says("parameter count was 10, is 20");
    first.look("run job.toml --resume --set tasks.key=args").exit(2).says("the key of tasks was none");
    let elsewhere = first.look("run job.toml --resume --set output.path=other.jsonl");
    elsewhere.exit(2).says("has written its rows to");
    assert_eq!(first.lines("begun").len(), begun, "nothing ran");
    let done = first.then("resume").wait();
    complete(&done);
    done.says(&format!("Changed {changed}")).says("--strict refuses what has changed, --restart begins anew");
}

#[test]
fn the_new_texts_are_kept_with_the_run() {
    let first = stopped(hundred().start());
    first.write("job.lua", &SCRIPT.replace("sleep(0.01)", "sleep(0.02)"));
    let mut second = first.then("resume");
    second.until_lines("ended", 40);
    second.signal(Signal::SIGINT);
    let second = second.wait();
    second.exit(130).says("Changed job.lua");
    let done = second.then("resume --strict").wait();
    complete(&done);
    done.never_says("Changed");
}

#[test]
fn restart_throws_the_run_and_its_rows_away() {
    for how in ["resume --restart", "run job.toml --restart"] {
        let first = stopped(hundred().start());
        let name = id(&first);
        let done = first.then(how).wait();
        complete(&done);
        assert_eq!(done.lines("ended").iter().filter(|line| *line == "1").count(), 2, "begun anew");
        let list = done.look("runs --format json").json();
        assert_eq!(list.len(), 1);
        assert_ne!(list[0]["run"], Value::from(name));
    }
}

#[test]
fn a_run_beside_an_unfinished_one_says_so_and_resume_takes_the_unfinished() {
    let first = stopped(hundred().start());
    let name = id(&first);
    std::fs::remove_file(first.path("rows.jsonl")).expect("rows");
    let second = first.then("run job.toml --limit 3").wait();
    second.exit(0).says(&format!("Earlier run {name} of this job is not complete ("));
    second.says(&format!("`mpms resume {name}` goes on with it"));
    assert_ne!(id(&second), name);
    let quiet = second.then("run job.toml --limit 3 --no-journal -O").wait();
    quiet.exit(0).never_says("Earlier").never_says("· run ");
    // the rows of the first run are gone, and it says so instead of going on with half of them
    quiet.look("run job.toml --resume").exit(4).says("rows.jsonl");
}

#[test]
fn a_list_that_has_changed_or_got_shorter_stops_before_any_worker() {
    let list: Vec<String> = (1..=100).map(|n| n.to_string()).collect();
    let first = stopped(job().file("list.txt", list.join("\n")).set("tasks", "lines = 'list.txt'").start());
    let begun = first.lines("begun").len();
    first.write("list.txt", &format!("7\n{}", list[1..].join("\n")));
    first.look("resume").exit(2).says("task 1 is another one now").says("--restart").says("`key` in [tasks]");
    first.write("list.txt", "1\n2\n3\n");
    first.look("resume").exit(2).says("the list of tasks got shorter").says("did not come again");
    first.write("list.txt", "");
    first.look("resume -n").exit(2).says("got shorter");
    assert_eq!(first.lines("begun").len(), begun, "nothing ran");
    first.write("list.txt", &list.join("\n"));
    complete(&first.then("resume").wait());
}

#[test]
fn with_keys_a_list_may_change() {
    let list: Vec<String> = (1..=100).map(|n| n.to_string()).collect();
    let keyed =
        job().file("list.txt", list[..90].join("\n")).set("tasks", "lines = 'list.txt'\nkey = 'args'");
    let first = stopped(keyed.start());
    let turned: Vec<String> = list.iter().rev().cloned().collect();
    first.write("list.txt", &turned.join("\n"));
    let done = first.then("resume").wait();
    complete(&done);
    assert_eq!(done.lines("begun").len(), 100);
}

#[test]
fn a_list_from_standard_input_is_piped_in_again() {
    let list: String = (1..=100).map(|n| format!("{n}\n")).collect();
    let first =
        stopped(job().set("tasks", "lines = '-'").file("numbers", list).shell("exec MPMS < numbers").start());
    let begun = first.lines("begun").len();
    first.look("resume").exit(2).says("pipe the same list in again");
    assert_eq!(first.lines("begun").len(), begun);
    let done = first.then_shell("seq 100 | MPMS resume").wait();
    complete(&done);
    assert_eq!(done.lines("begun").len(), 100);
}

#[test]
fn a_generator_runs_again_and_its_known_tasks_are_dropped() {
    let script = SCRIPT.replace(
        "return {",
        "return { tasks = function(put) note('called', 'x') for n = 1, 100 do put(n) end end,",
    );
    let first = stopped(job().script(&script).start());
    first.write("bad", "");
    let second = first.then("resume").wait();
    second.exit(1);
    assert_eq!((second.lines("called").len(), second.lines("begun").len()), (2, 100));
    std::fs::remove_file(second.path("bad")).expect("the file is there");
    // all that it gave has ended: it is not asked again
    let done = second.then("resume --retry-failed").wait();
    complete(&done);
    assert_eq!(done.lines("called").len(), 2);
}

#[test]
fn a_generator_that_gives_other_tasks_stops_before_any_worker() {
    let script =
        SCRIPT.replace("return {", "return { tasks = function(put) for n = 1, 100 do put(n) end end,");
    let first = stopped(job().script(&script).start());
    let begun = first.lines("begun").len();
    first.write("job.lua", &script.replace("n = 1, 100", "n = 2, 101"));
    first.look("resume").exit(2).says("task 1 is another one now");
    first.write("job.lua", &script.replace("n = 1, 100", "n = 1, 5"));
    first.look("resume").exit(2).says("got shorter");
    assert_eq!(first.lines("begun").len(), begun);
}

#[test]
fn what_remains_but_finish_is_finish() {
    let script =
        SCRIPT.replace("note(\"finished\"", "if exists('no') then error('not yet') end note(\"finished\"");
    let first = job().range(1, 100).script(&script).file("no", "").run();
    first.exit(5).says("not yet").says("Next mpms resume ");
    std::fs::remove_file(first.path("no")).expect("the file is there");
    let done = first.then("resume").wait();
    complete(&done);
    assert_eq!((done.lines("begun").len(), done.lines("finished").len()), (100, 1));
}

#[test]
fn a_resume_needs_no_flag_twice() {
    let script = SCRIPT.replace("emit {", "emit { p = job.params.p,");
    let first = job()
        .script(&script)
        .set("params", "p = 1")
        .range(1, 200)
        .arg("-p")
        .arg("p=7")
        .arg("--limit")
        .arg("100");
    let mut run = first.arg("-o").arg("other.jsonl").arg("--threads").arg("3").start();
    run.until_lines("ended", 20);
    run.signal(Signal::SIGINT);
    let first = run.wait();
    first.exit(130);
    let done = first.then("resume").wait();
    done.exit(0).finished_with("sum 5050").says("× 3 threads");
    let rows = done.lines("other.jsonl");
    assert_eq!(rows.len(), 100);
    assert!(rows.iter().all(|row| row.contains("\"p\":7")), "{rows:?}");
    assert!(!done.path("rows.jsonl").exists());
}

#[test]
fn a_dry_run_says_what_is_left_and_touches_nothing() {
    let first = stopped(hundred().file("bad", "").start());
    let before = first.lines("rows.jsonl");
    let plan = &first.look("resume -n --format json").exit(0).json()[0];
    let number = |name: &str| plan["resume"][name].as_u64().expect("a number");
    assert_eq!(number("done") + number("failed") + plan["new"].as_u64().expect("a number"), 100);
    assert_eq!((plan["tasks"].as_u64(), plan["to_run"].as_u64()), (Some(100), plan["new"].as_u64()));
    assert_eq!(number("done"), before.len() as u64);
    let again = &first.look("resume -n --retry-failed --format json").exit(0).json()[0];
    assert_eq!(again["to_run"].as_u64(), Some(100 - number("done")));
    first.look("resume -n").says("no worker was started, nothing was written");
    assert_eq!((first.lines("rows.jsonl"), first.lines("begun").len()), (before, first.lines("begun").len()));
    complete_but_failed(&first.then("resume").wait());
}

#[track_caller]
fn complete_but_failed(done: &Done) {
    done.exit(1).says("10 failed");
    assert_eq!(rows(done).len(), 90);
}

#[test]
fn a_dry_run_of_a_new_job_leaves_no_trace() {
    let script =
        SCRIPT.replace("return {", "return { tasks = function(put) for n = 1, 7 do put(n % 5) end end,");
    let done = job().script(&script).set("tasks", "key = 'args'").arg("-n").run();
    done.exit(0);
    assert!(
        done.stdout.contains("7 from role `tasks` of job.lua · 2 with a key that came before"),
        "{}",
        done.stdout
    );
    assert!(!done.path(".mpms").exists() && !done.path("rows.jsonl").exists());
    assert!(done.lines("begun").is_empty());
}

#[test]
fn runs_can_be_looked_at_while_they_go_on_and_nobody_else_works_on_them() {
    let mut run = hundred().script(&SCRIPT.replace("sleep(0.01)", "sleep(0.1)")).start();
    run.until_lines("ended", 3);
    let list = run.look("runs list --format json").exit(0).json();
    assert_eq!((&list[0]["state"], &list[0]["pid"]), (&"running".into(), &run.pid().into()));
    let name = list[0]["run"].as_str().expect("an id").to_owned();
    let pid = format!("process {}", run.pid());
    run.look("resume").exit(4).says(&pid);
    run.look(&format!("runs rm {name}")).exit(4).says(&pid);
    run.look("runs rm --all").exit(0).says("Removed 0 runs; 1 is still running");
    run.look(&format!("runs show {}", &name[..3]))
        .exit(0)
        .says("running (pid ")
        .says(&format!("mpms runs logs {name} -f"));
    run.look("runs show zz").exit(2).says("there is no run `zz`");
    run.signal(Signal::SIGINT);
    let done = run.wait();
    done.exit(130);
    done.look("runs").exit(0).says("stopped: interrupted");
    done.look("runs logs").exit(0).says("Running job").says("Stopping… interrupted").says("Stopped [");
    assert!(done.look("runs logs --format json").json().iter().any(|event| event["event"] == "run_finished"));
    done.look("runs rm --complete").exit(0).says("Removed 0 runs");
    done.look(&format!("runs rm {name}")).exit(0).says("Removed 1 run");
    done.look("runs").exit(0).says("there are no runs in");
    done.look("resume").exit(2).says("there is no run `latest`");
}

#[test]
fn the_joblog_has_a_line_for_each_ended_task() {
    let first = stopped(hundred().arg("--joblog").arg("log").start());
    let done = first.then("resume --joblog log").wait();
    complete(&done);
    let lines = done.lines("log");
    assert_eq!(lines[0], "Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand");
    let tasks: BTreeSet<_> =
        lines[1..].iter().map(|line| line.split('\t').next().expect("a number")).collect();
    assert_eq!((lines.len(), tasks.len()), (101, 100));
    assert!(lines[1..].iter().all(|line| line.split('\t').count() == 9));
}

#[test]
fn without_a_journal_nothing_is_left() {
    for flag in ["--no-journal", "--set=run.journal=false"] {
        let done = hundred().arg(flag).run();
        complete(&done);
        done.never_says("· run ");
        assert!(!done.path(".mpms").exists(), "{flag}");
    }
    let mut run = hundred().arg("--no-journal").start();
    run.until_lines("ended", 5);
    run.signal(Signal::SIGINT);
    run.wait().exit(130).never_says("resume").never_says("saved");
}

#[test]
fn old_runs_that_are_complete_go_away() {
    let mut done = job().range(1, 2).set("run", "keep = 2").arg("-O").run();
    let first = id(&done);
    for _ in 0..3 {
        done = done.then("run job.toml -O").wait();
    }
    let list = done.look("runs list --format json").json();
    assert_eq!(list.len(), 2);
    assert_eq!(list[0]["run"], Value::from(id(&done)), "the newest first");
    assert!(list.iter().all(|run| run["run"] != first.as_str()));
}

#[test]
fn tasks_that_were_put_and_not_run_come_back() {
    let script = SCRIPT.replace(
        "meta.sum = meta.sum + tonumber(n)",
        "meta.sum = meta.sum + n if n <= 50 then meta.self:put(n + 50) end",
    );
    let first = stopped(job().range(1, 50).script(&script).set("worker", "threads = 2").start());
    let done = first.then("resume").wait();
    complete(&done);
}
