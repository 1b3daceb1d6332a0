//! Deaths of the coordinator and of the keeper.

use crate::job::{Job, Running};
use crate::processes::kill_9;

const SUM: &str = r#"return {
  worker = function(n) io.open("started", "a"):write(n, "\n"):close() sleep(0.05) return n end,
  handler = function(meta, n) meta.sum = meta.sum + n end,
  finish = function(meta) return tostring(meta.sum) end,
}"#;

/// Daemons out of their session, by `os.execute` and by `io.popen`, and a task that goes on.
const DAEMONS: &str = r#"return {
  worker = function(n)
    os.execute("setsid sleep 1000 >/dev/null 2>&1 &")
    io.popen("setsid sh -c 'sleep 1000; true' >/dev/null 2>&1 &")
    io.open("started", "a"):write(n, "\n"):close()
    sleep(20)
  end,
}"#;

fn daemons() -> Running {
    let mut run = Job::new().range(1, 4).processes(2).threads(2).script(DAEMONS).start();
    run.until_lines("started", 4);
    run.until("all daemons", |run| {
        run.processes().iter().filter(|one| one.title == "sleep 1000").count() == 8
    });
    run
}

#[test]
fn a_killed_keeper_is_replaced_and_the_run_completes() {
    let mut run = Job::new().range(1, 100).processes(2).threads(2).meta("sum = 0").script(SUM).start();
    for started in [10, 50] {
        run.until_lines("started", started);
        kill_9(run.keeper().expect("a keeper"));
    }
    run.wait().exit(0).finished_with("5050");
}

#[test]
fn a_keeper_killed_before_its_first_worker_is_replaced() {
    let mut run = Job::new().range(1, 20).processes(2).meta("sum = 0").script(SUM).start();
    run.until("a keeper", |run| run.keeper().is_some());
    kill_9(run.keeper().expect("a keeper"));
    run.wait().exit(0).finished_with("210");
}

#[test]
fn a_keeper_that_is_killed_while_finish_runs_harms_nobody() {
    let script = r#"return { worker = function(n) return n end,
      finish = function() io.open("finishing", "a"):write("x\n"):close() sleep(0.6) return "well" end }"#;
    let mut run = Job::new().range(1, 4).processes(1).script(script).start();
    run.until_lines("finishing", 1);
    kill_9(run.keeper().expect("a keeper"));
    run.wait().exit(0).finished_with("well");
}

#[test]
fn a_killed_keeper_takes_the_daemons_of_tasks_along() {
    let run = daemons();
    kill_9(run.keeper().expect("a keeper"));
    run.signal(nix::sys::signal::Signal::SIGINT);
    run.signal(nix::sys::signal::Signal::SIGTERM);
    let done = run.wait();
    assert!(matches!(done.status.code(), Some(130 | 143)), "{:?}", done.status);
}

#[test]
fn a_killed_coordinator_leaves_nobody_behind() {
    let run = daemons();
    kill_9(run.pid());
    // `wait` sees to it that nobody is left after a second
    assert_eq!(run.wait().status.code(), None);
}

#[test]
fn a_killed_coordinator_ends_running_commands_too() {
    let job = Job::new()
        .range(1, 4)
        .processes(2)
        .threads(2)
        .set("worker", "command = ['sh', '-c', 'setsid sleep 1000']");
    let mut run = job.start();
    run.until("the commands", |run| {
        run.processes().iter().filter(|one| one.title == "sleep 1000").count() == 4
    });
    kill_9(run.pid());
    assert_eq!(run.wait().status.code(), None);
}

#[test]
fn keeper_and_coordinator_killed_together_leave_no_worker_and_no_child_of_one() {
    let script =
        r#"return { worker = function(n) io.open("started", "a"):write(n, "\n"):close() sleep(20) end }"#;
    let mut run = Job::new().range(1, 4).processes(2).threads(2).script(script).start();
    run.until_lines("started", 4);
    let keeper = run.keeper().expect("a keeper");
    kill_9(run.pid());
    kill_9(keeper);
    assert_eq!(run.wait().status.code(), None);
}
