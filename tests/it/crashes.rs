//! Workers that die in the middle of their tasks.

use nix::sys::signal::Signal;

use crate::job::Job;
use crate::processes::{kill, kill_9};

/// `die(signal)` ends the worker from inside.
const DIE: &str = r#"
local function die(signal)
  local pid = io.open("/proc/self/stat"):read("n")
  os.execute("kill -" .. signal .. " " .. pid)
  while true do end
end
"#;

/// Adds up what workers return, and the failures by code.
const SUM: &str = r#"
  handler = function(meta, n) meta.sum = meta.sum + n meta.seen = meta.seen + 1 end,
  failed = function(meta, err)
    meta.failed = meta.failed .. meta.task[1] .. ":" .. err.code .. " "
    meta.last = err.message
  end,
  finish = function(meta)
    return ("sum %d seen %d failed %s%s"):format(meta.sum, meta.seen, meta.failed, meta.last)
  end,
"#;

fn summing(worker: &str) -> Job {
    let script = format!("{DIE} return {{ worker = function(n) {worker} end, {SUM} }}");
    Job::new().meta("sum = 0\nseen = 0\nfailed = ''\nlast = ''").script(&script)
}

#[test]
fn a_worker_killed_in_the_middle_of_a_task_costs_nothing_but_a_new_start() {
    let job = summing(r#"io.open("started", "a"):write(n, "\n"):close() sleep(0.3) return n"#);
    let mut run = job.range(1, 8).processes(2).threads(4).start();
    run.until_lines("started", 8);
    kill_9(run.workers()[0]);
    let done = run.wait();
    done.exit(0).finished_with("sum 36 seen 8 failed");
    assert_eq!(done.lines("started").len(), 12, "the four that ran in the dead worker, again");
    done.says("4 ok, 4 ok after retry").says("killed by signal 9 (SIGKILL); 4 tasks start again");
}

#[test]
fn of_many_tasks_on_one_thread_only_the_one_that_kills_it_fails() {
    let job = summing("sleep(0.01) if n == 33 then die('SEGV') end sleep(0.03) return n");
    let done = job.range(1, 120).processes(2).threads(1).coroutines(30).start().wait();
    // sum of 1 to 120 without 33
    done.exit(1).finished_with(
        "sum 7227 seen 119 failed 33:crashed its worker was killed by signal 11 (SIGSEGV), 3 times",
    );
}

#[test]
fn workers_with_many_tasks_each_are_killed_at_random_and_nothing_is_lost_or_doubled() {
    let job = summing("sleep(0.02) return n").set("worker", "crash_limit = 1000");
    let mut run = job.range(1, 2000).processes(2).threads(1).coroutines(50).start();
    let mut killed = 0;
    while !run.is_over() {
        std::thread::sleep(std::time::Duration::from_millis(200));
        let workers = run.workers();
        if !workers.is_empty() && killed < 4 {
            kill_9(workers[killed % workers.len()]);
            killed += 1;
        }
    }
    run.wait().exit(0).finished_with("sum 2001000 seen 2000 failed");
}

#[test]
fn a_worker_killed_at_random_again_and_again_loses_and_doubles_nothing() {
    let job = summing("sleep(0.01) return n").set("worker", "crash_limit = 1000");
    let mut run = job.range(1, 1000).processes(2).threads(4).start();
    let mut random = 88172645463325252_u64;
    let mut killed = 0;
    while !run.is_over() {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        std::thread::sleep(std::time::Duration::from_millis(50 + random % 50));
        let workers = run.workers();
        if !workers.is_empty() && killed < 30 {
            kill_9(workers[usize::try_from(random % workers.len() as u64).expect("small")]);
            killed += 1;
        }
    }
    let done = run.wait();
    assert!(killed > 5, "only {killed} kills");
    done.exit(0).finished_with("sum 500500 seen 1000 failed");
}

#[test]
fn every_kind_of_death_fails_its_task_only() {
    for (signal, name) in [("SEGV", "SIGSEGV"), ("BUS", "SIGBUS"), ("ABRT", "SIGABRT"), ("TERM", "SIGTERM")] {
        let done = summing(&format!("if n == 7 then die '{signal}' end return n"))
            .range(1, 50)
            .processes(2)
            .threads(2)
            .run();
        done.exit(1).says(name);
        assert!(done.finish().starts_with("sum 1268 seen 49 failed 7:crashed "), "{}", done.finish());
    }
}

#[test]
fn three_poison_tasks_among_two_thousand_are_the_three_that_fail() {
    let job = summing("if n == 500 or n == 501 or n == 1500 then die 'KILL' end return n");
    let done = job.range(1, 2000).processes(1).threads(4).run();
    done.exit(1);
    let finish = done.finish();
    assert!(finish.starts_with("sum 1998499 seen 1997 failed "), "{finish}");
    for poison in ["500:crashed ", "501:crashed ", "1500:crashed "] {
        assert!(finish.contains(poison), "{finish}");
    }
}

#[test]
fn a_task_may_kill_as_many_workers_alone_as_crash_limit_says() {
    let job =
        summing(r#"if n == 3 then io.open("starts", "a"):write("x\n"):close() die 'KILL' end return n"#);
    let done = job.range(1, 20).processes(2).threads(2).set("worker", "crash_limit = 2").run();
    done.exit(1);
    assert_eq!(
        done.finish(),
        "sum 207 seen 19 failed 3:crashed its worker was killed by signal 9 (SIGKILL), 2 times"
    );
    assert_eq!(done.lines("starts").len(), 3, "once in company, twice alone");
}

#[test]
fn a_job_of_nothing_but_poison_fails_every_task_and_ends() {
    let done =
        summing("die 'KILL'").range(1, 6).processes(2).threads(2).set("worker", "crash_limit = 1").run();
    done.exit(1).says("6 failed");
}

#[test]
fn the_last_words_of_a_crashed_worker_are_shown_from_their_end() {
    let words = r#"if n == 2 then
      os.execute("i=0; while [ $i -lt 2000 ]; do echo line $i of many >&2; i=$((i+1)); done; printf 'the very last' >&2")
      die 'KILL' end return n"#;
    let done = summing(words).range(1, 3).processes(1).set("worker", "crash_limit = 1").run();
    done.exit(1).says("the very last").never_says("line 1 of many");
}

#[test]
fn what_a_task_left_running_dies_with_its_worker() {
    let job = summing(
        r#"if n == 1 then
      os.execute("setsid sleep 1000 >/dev/null 2>&1 & sleep 1000 >/dev/null 2>&1 &")
      io.open("left", "a"):write("x\n"):close() sleep(0.5) end return n"#,
    );
    let mut run = job.range(1, 2).processes(1).threads(1).start();
    run.until_lines("left", 1);
    let sleeps = |run: &crate::job::Running| -> Vec<i32> {
        run.processes().iter().filter(|one| one.title == "sleep 1000").map(|one| one.pid).collect()
    };
    run.until("both sleeps", |run| sleeps(run).len() == 2);
    let first = sleeps(&run);
    kill_9(run.workers()[0]);
    // a task that runs again does not meet its own leftovers
    run.until_lines("left", 2);
    let left = sleeps(&run);
    assert!(first.iter().all(|pid| !left.contains(pid)), "{first:?} of {left:?}");
    run.wait().exit(0);
}

#[test]
fn a_daemon_without_an_environment_stays_as_long_as_its_worker() {
    // one starts it, the other dies; when that one is there again, its leftovers were cleared away
    let script = r#"local fs = mpms.fs
      local function wait_for(name) repeat sleep(0.005) until fs.exists(name) end
      return { worker = function(n)
        if n == 1 then
          local daemon = "echo $(setsid sh -c 'echo $$; exec sleep 1000 >/dev/null 2>&1' &)"
          local pid = mpms.proc.run({ "/bin/sh", "-c", daemon }, { clear_env = true }).stdout
          fs.write("daemon", pid)
          wait_for "again"
          return os.execute("kill -0 " .. pid) == true
        end
        wait_for "daemon"
        if not fs.exists "died" then fs.write("died", "") os.execute "kill -9 $PPID" end
        fs.write("again", "")
      end,
      handler = function(meta, lives) if lives ~= nil then meta.lives = lives end end,
      finish = function(meta) return meta.lives and "it lives" or "it is gone" end }"#;
    let job = Job::new().range(1, 2).processes(2).threads(1).script(script);
    job.run().exit(0).finished_with("it lives");
}

#[test]
fn a_stopped_worker_is_only_a_delay() {
    let job = summing(r#"io.open("started", "a"):write("x\n"):close() sleep(0.02) return n"#);
    let mut run = job.range(1, 40).processes(2).threads(1).start();
    run.until_lines("started", 10);
    let stopped = run.workers()[0];
    kill(stopped, Signal::SIGSTOP);
    run.until_lines("started", 38);
    kill(stopped, Signal::SIGCONT);
    run.wait().exit(0).finished_with("sum 820 seen 40 failed");
}
