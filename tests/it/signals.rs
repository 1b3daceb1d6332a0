//! The ladder of stops.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::job::{Job, Running};

/// Two seconds are promised; a machine may have others to serve. Whoever waited for the grace period took five.
const BEFORE_GRACE: Duration = Duration::from_secs(4);

/// Tasks that tell when they begin and end.
fn tasks_of(seconds: f64) -> Running {
    let script = format!(
        r#"return {{ worker = function(n)
            io.open("begun", "a"):write(n, "\n"):close() sleep({seconds})
            io.open("ended", "a"):write(n, "\n"):close() return n end }}"#
    );
    let mut run = Job::new().range(1, 1000).processes(2).threads(2).script(&script).start();
    run.until_lines("begun", 4);
    run
}

fn looping(role: &str) -> Running {
    let script = format!(
        r#"local function forever() io.open("begun", "a"):write("x\n"):close() while true do end end
           local roles = {{ worker = function(n) return n end, tasks = function(put) put(1) end }}
           local plain = roles["{role}"]
           roles["{role}"] = function(...) if plain then plain(...) end forever() end
           return roles"#
    );
    let job = Job::new().processes(1).script(&script).set("tasks", "script = 'job.lua'");
    let mut run = job.start();
    run.until_lines("begun", 1);
    run
}

/// How long the run lives on.
fn ends(run: Running, code: i32) -> Duration {
    let since = Instant::now();
    run.wait().exit(code);
    since.elapsed()
}

#[test]
fn after_the_first_signal_running_tasks_end_and_nothing_new_starts() {
    for (signal, code) in [(Signal::SIGINT, 130), (Signal::SIGTERM, 143), (Signal::SIGHUP, 129)] {
        let run = tasks_of(0.3);
        run.signal(signal);
        let done = run.wait();
        done.exit(code).says("Stopped");
        let (begun, ended) = (done.lines("begun").len(), done.lines("ended").len());
        assert_eq!(begun, ended, "every task that began has ended");
        assert!(begun < 20, "{begun} tasks began");
        assert_eq!(done.stdout.lines().count(), ended, "what ended was written");
        done.says(&format!("{ended} ok")).says(&format!("{} not started", done_known(&done.stderr) - ended));
    }
}

/// `1,000 tasks` of the summary.
fn done_known(stderr: &str) -> usize {
    let line = stderr.lines().find(|line| line.contains("Stopped")).expect("a summary");
    let known = line.split(']').nth(1).and_then(|rest| rest.split_whitespace().next()).expect("a number");
    known.replace(',', "").parse().expect("a number")
}

#[test]
fn after_the_second_signal_everything_is_dead_within_two_seconds() {
    let mut run = tasks_of(20.0);
    run.signal(Signal::SIGINT);
    run.until("the first word", |run| {
        std::fs::read_to_string(run.path("stderr")).is_ok_and(|text| text.contains("Stopping"))
    });
    run.signal(Signal::SIGINT);
    let took = ends(run, 130);
    assert!(took < BEFORE_GRACE, "{took:?}");
}

#[test]
fn tasks_that_do_not_end_are_killed_after_the_grace_period() {
    let run = looping("worker");
    run.signal(Signal::SIGINT);
    let took = ends(run, 130);
    assert!((4..8).contains(&took.as_secs()), "{took:?}");
}

#[test]
fn a_stopped_worker_is_killed_after_the_grace_period() {
    let run = tasks_of(0.2);
    let worker = run.workers()[0];
    crate::processes::kill(worker, Signal::SIGSTOP);
    run.signal(Signal::SIGTERM);
    let took = ends(run, 143);
    assert!(took < Duration::from_secs(8), "{took:?}");
}

#[test]
fn an_endless_generator_does_not_hold_up_a_stop() {
    let run = looping("tasks");
    run.signal(Signal::SIGINT);
    let took = ends(run, 130);
    assert!(took < BEFORE_GRACE, "{took:?}");
}

#[test]
fn an_endless_handler_is_left_behind_after_the_second_signal() {
    for role in ["handler", "finish"] {
        let mut run = looping(role);
        run.signal(Signal::SIGINT);
        std::thread::sleep(Duration::from_millis(100));
        assert!(!run.is_over());
        run.signal(Signal::SIGINT);
        let took = ends(run, 130);
        assert!(took < BEFORE_GRACE, "{role}: {took:?}");
    }
}

#[test]
fn an_endless_start_ends_with_the_first_signal() {
    let run = looping("start");
    run.signal(Signal::SIGTERM);
    let took = ends(run, 143);
    assert!(took < BEFORE_GRACE, "{took:?}");
}

#[test]
fn an_endless_load_ends_with_the_first_signal() {
    let job = Job::new().range(1, 4).processes(1);
    let mut run = job.script(r#"io.open("begun", "a"):write("x\n"):close() while true do end"#).start();
    run.until_lines("begun", 1);
    run.signal(Signal::SIGINT);
    let took = ends(run, 130);
    assert!(took < BEFORE_GRACE, "{took:?}");
}

#[test]
fn waiting_for_tasks_from_a_silent_standard_input_ends_with_the_first_signal() {
    let job = Job::new().set("tasks", "lines = '-'").script("return { worker = print }").processes(1);
    // an open pipe that never says anything; the shell becomes the program
    let mut run = job.shell("sleep 30 | { exec MPMS; }").start();
    let program = |run: &Running| {
        run.processes()
            .into_iter()
            .find(|one| one.title.contains("run job.toml") && !one.title.starts_with("sh "))
    };
    run.until("the program", |run| program(run).is_some());
    std::thread::sleep(Duration::from_millis(200));
    let pid = program(&run).expect("the program").pid;
    crate::processes::kill(pid, Signal::SIGINT);
    run.until("its end", |run| program(run).is_none());
    run.processes().iter().for_each(|one| crate::processes::kill_9(one.pid));
}

#[test]
fn a_handler_that_raises_after_a_signal_is_told_too() {
    let script = r#"return { worker = function(n) io.open("begun", "a"):write("x\n"):close() sleep(0.5) return n end,
        handler = function() error("the disk of the handler") end }"#;
    let mut run = Job::new().range(1, 10).processes(1).threads(2).script(script).start();
    run.until_lines("begun", 2);
    run.signal(Signal::SIGINT);
    run.wait().exit(130).says("the disk of the handler");
}

#[test]
fn rows_that_cannot_be_written_weigh_more_than_a_signal() {
    let script = r#"return { worker = function(n) io.open("begun", "a"):write("x\n"):close() sleep(0.5) return n end }"#;
    let mut run =
        Job::new().range(1, 10).processes(1).threads(2).script(script).shell("exec MPMS >/dev/full").start();
    run.until_lines("begun", 2);
    run.signal(Signal::SIGINT);
    run.wait().exit(4).says("No space left on device");
}

#[test]
fn a_stop_while_workers_are_starting_ends_well() {
    for wait in [0, 5, 10, 20, 40] {
        let script = "return { worker = function(n) sleep(0.05) return n end }";
        let mut run = Job::new().range(1, 1000).processes(4).threads(2).script(script).start();
        run.until("a keeper", |run| run.keeper().is_some());
        std::thread::sleep(Duration::from_millis(wait));
        run.signal(Signal::SIGINT).signal(Signal::SIGTERM);
        let done = run.wait();
        assert!(matches!(done.status.code(), Some(130 | 143)), "{:?} {}", done.status, done.stderr);
    }
}

/// Ctrl-Z, and `fg` after a while. Meanwhile all but the keeper stand still.
fn paused(run: &mut Running, pause: Duration) {
    // D: its child was stopped between vfork and exec
    let stands = |state| matches!(state, 'T' | 'D');
    run.signal(Signal::SIGTSTP);
    run.until("all stand still", |run| {
        let keeper = run.keeper();
        let mut others = run.processes().into_iter().filter(|one| Some(one.pid) != keeper);
        others.all(|one| stands(one.state))
    });
    let since = Instant::now();
    while since.elapsed() < pause {
        let (keeper, all) = (run.keeper(), run.processes());
        assert!(all.iter().all(|one| stands(one.state) || Some(one.pid) == keeper), "{all:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
    run.signal(Signal::SIGCONT);
}

#[test]
fn a_paused_run_goes_on_as_if_no_time_had_passed() {
    let script = r#"return { worker = function(n)
        io.open("begun", "a"):write(n, "\n"):close()
        for _ = 1, 30 do sleep(0.01) end return n end }"#;
    let job = Job::new().range(1, 8).processes(2).threads(2).script(script).own_group();
    let job = job.set("worker", "timeout = '1s'").set("worker", "grace_period = '100ms'");
    let mut run = job.set("run", "deadline = '1500ms'").start();
    run.until_lines("begun", 4);
    paused(&mut run, Duration::from_millis(1500));
    let done = run.wait();
    done.exit(0).says("8 ok").never_says("retr").never_says("failed").never_says("imeout");
    assert_eq!(done.lines("begun").len(), 8, "no task began twice");
}

#[test]
fn commands_of_tasks_are_paused_with_the_run() {
    let mut run = Job::new().range(1, 2).processes(2).own_group();
    run = run.set("worker", "command = ['sh', '-c', 'echo x >>begun; i=0; while [ $i -lt 300 ]; do sleep 0.001; i=$((i+1)); done']");
    let mut run = run.set("worker", "timeout = '20s'").start();
    run.until_lines("begun", 2);
    paused(&mut run, Duration::from_millis(200));
    let done = run.wait();
    done.exit(0).says("2 ok");
}

#[test]
fn a_worker_that_dies_in_a_pause_is_missed_after_it() {
    let mut run = Job::new().range(1, 4).processes(2).own_group()
        .script(r#"return { worker = function(n) io.open("begun", "a"):write(n, "\n"):close() sleep(0.3) return n end }"#)
        .start();
    run.until_lines("begun", 2);
    let worker = run.workers()[0];
    run.signal(Signal::SIGTSTP);
    run.until("all stand still", |run| {
        let keeper = run.keeper();
        run.processes().iter().all(|one| one.state == 'T' || Some(one.pid) == keeper)
    });
    crate::processes::kill_9(worker);
    run.until("its death", |run| !run.workers().contains(&worker));
    run.signal(Signal::SIGCONT);
    run.wait().exit(0).says("3 ok, 1 ok after retry");
}

#[test]
fn a_run_that_is_paused_before_its_first_worker_goes_on() {
    let script = r#"io.open("begun", "a"):write("x\n"):close() local t = 0 while t < 2e7 do t = t + 1 end
        return { worker = function(n) return n end }"#;
    let mut run = Job::new().range(1, 4).processes(1).script(script).own_group().start();
    run.until_lines("begun", 1);
    run.signal(Signal::SIGTSTP);
    let pid = run.pid();
    let stands = |run: &Running| run.processes().iter().any(|one| one.pid == pid && one.state == 'T');
    run.until("the program stands still", stands);
    run.signal(Signal::SIGCONT);
    run.wait().exit(0).says("4 ok");
}

#[test]
fn a_stop_that_is_ignored_from_outside_stays_ignored() {
    let script = "return { worker = function(n) sleep(0.2) return n end }";
    let job = Job::new().range(1, 4).processes(2).script(script).own_group();
    let mut run = job.shell("trap '' TSTP; exec MPMS").start();
    run.until("workers", |run| run.workers().len() == 2);
    run.signal(Signal::SIGTSTP);
    run.wait().exit(0).says("4 ok");
}
