//! Retries, timeouts, limits, recycling, memory, and what stops a run, in whole runs.

use std::time::Duration;

use crate::job::Job;

/// A worker that does `body` with the task `n`; the summary of the handler is `done N failed n:code …`.
fn counting(body: &str) -> Job {
    let script = format!(
        r#"local fs = require "mpms.fs"
        return {{
          worker = function(n) {body} end,
          handler = function(meta) meta.done = meta.done + 1 end,
          failed = function(meta, err) meta.codes = meta.codes .. " " .. meta.task[1] .. ":" .. err.code end,
          finish = function(meta) return "done " .. meta.done .. " failed" .. meta.codes end }}"#
    );
    Job::new().meta("done = 0\ncodes = ''").set("handler", "ordered = true").script(&script)
}

#[test]
fn a_task_is_tried_again_as_often_as_asked_and_not_more() {
    let body =
        r#"fs.append("tries", n .. "\n") if n == 2 or (n == 3 and task.attempt < 3) then error("no") end"#;
    let job = counting(body).range(1, 4).processes(2);
    let done = job.set("worker", "retries = { count = 2, delay = '1ms', backoff = 'fixed' }").run();
    done.exit(1).finished_with("done 3 failed 2:lua_error").says("1 ok after retry");
    let tries = done.lines("tries");
    let of = |n: &str| tries.iter().filter(|line| *line == n).count();
    assert_eq!((of("1"), of("2"), of("3"), of("4")), (1, 3, 3, 1));
}

#[test]
fn a_task_says_itself_whether_it_is_tried_again() {
    let body = r#"
      if n == 1 and task.attempt == 1 then task.retry { after = "5ms", reason = "later" } end
      if n == 2 then task.fail("for good", { retry = false }) end
      if n == 3 then task.skip("nothing to do") end"#;
    let done = counting(body).range(1, 4).processes(1).set("worker", "retries = 2").run();
    done.exit(1)
        .finished_with("done 2 failed 2:failed")
        .says("1 skipped")
        .never_says("2   failed for good, attempt");
}

#[test]
fn a_task_that_cannot_be_stopped_softly_dies_with_its_process_and_its_neighbours_start_again() {
    // the pattern takes time out of mind, inside of one call of C
    let body = r#"
      if n == 1 then return (("a"):rep(40)):find(("a-"):rep(40) .. "b") end
      fs.append("starts", n .. "\n") sleep(0.5)"#;
    let job = counting(body).range(1, 4).processes(1).threads(4);
    let done = job.set("worker", "timeout = '700ms'\ngrace_period = '300ms'").run();
    done.exit(1).finished_with("done 3 failed 1:timeout");
}

#[test]
fn a_limit_of_concurrency_holds_across_processes() {
    let body = r#"
      fs.mkdir("now")
      fs.write("now/" .. n, "", { atomic = false })
      fs.append("seen", #fs.list("now") .. "\n")
      sleep(0.02)
      fs.remove("now/" .. n)"#;
    let job = counting(body).range(1, 40).processes(4).threads(4);
    let done = job.set("worker", "limits = ['two']").set("limits.two", "concurrency = 2").run();
    done.exit(0).finished_with("done 40 failed");
    let most = done.lines("seen").iter().filter_map(|line| line.parse::<u32>().ok()).max();
    assert_eq!(most, Some(2));
}

#[test]
fn a_limit_of_rate_holds_for_each_value_of_a_field() {
    let body = r#"fs.append("starts" .. n.site, mpms.time.mono() .. "\n")"#;
    let job = counting(body).processes(2).threads(2).set("worker", "limits = ['site']");
    let job = job.set("limits.site", "rate = '50/s'\nper = 'site'");
    let job = job.set("tasks", "product = { site = ['a', 'b'], n = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10] }");
    let done = job.run();
    done.exit(0).finished_with("done 20 failed");
    for site in ["startsa", "startsb"] {
        let mut starts: Vec<f64> = done.lines(site).iter().filter_map(|line| line.parse().ok()).collect();
        starts.sort_by(f64::total_cmp);
        assert_eq!(starts.len(), 10);
        // nine gaps of 20 ms, and no more than both sites need one after the other
        assert!(starts[9] - starts[0] >= 0.17, "{starts:?}");
    }
}

#[test]
fn recycled_processes_run_their_exit_roles_and_no_task_is_lost() {
    let script = r#"local fs = require "mpms.fs"
    return {
      process_exit = function() fs.append("exits", "x\n") end,
      worker = function(n) return n end,
      handler = function(meta, n) meta.done = meta.done + n end,
      finish = function(meta) return tostring(meta.done) end }"#;
    let job = Job::new().range(1, 100).processes(2).meta("done = 0").script(script);
    let done = job.set("worker", "recycle = { tasks = 10 }").run();
    done.exit(0).finished_with("5050");
    assert!(done.lines("exits").len() >= 10, "{:?}", done.lines("exits"));
}

#[test]
fn a_task_may_ask_for_another_process() {
    let body = r#"fs.append("pids", io.open("/proc/self/stat"):read("n") .. "\n") if n == 5 then task.die("worn out") end"#;
    let done = counting(body).range(1, 10).processes(1).shell("MPMS -v").run();
    done.exit(0).finished_with("done 10 failed").says("worn out");
    let mut pids = done.lines("pids");
    pids.sort();
    pids.dedup();
    assert_eq!(pids.len(), 2);
}

#[test]
fn a_task_over_its_memory_fails_alone_and_its_process_goes_on() {
    let body = r#"if n % 2 == 0 then return #("x"):rep(200 * 1024 * 1024) end"#;
    let done = counting(body).range(1, 5).processes(1).set("worker", "memory = '64MiB'").run();
    done.exit(1)
        .finished_with("done 3 failed 2:memory 4:memory")
        .says("memory limit 64 MiB")
        .never_says("CRASH");
}

#[test]
fn policies_stop_a_run_with_their_code_and_say_how_many_tasks_never_started() {
    let slow = || counting("sleep(0.05) if n <= 10 then error('no') end").range(1, 2_000).processes(1);
    slow().set("run", "max_fail = 3").run().exit(5).says("not started");
    slow()
        .set("run", "deadline = '300ms'")
        .set("worker", "grace_period = '1s'")
        .run()
        .exit(5)
        .says("not started");
    let abort = counting("if n == 3 then task.abort('enough') end sleep(0.01)").range(1, 2_000).processes(1);
    abort.run().exit(5).says("enough").says("not started");
}

#[test]
fn a_slow_task_is_named_while_it_runs() {
    let job = counting("sleep(2.5)").range(1, 1).processes(1).set("worker", "slow_timeout = '1s'");
    job.within(Duration::from_secs(30)).run().exit(0).says("SLOW");
}

#[test]
fn a_task_that_computes_is_said_to_hold_up_the_others_of_its_thread() {
    let body = "if n == 1 then local t = os.time() while os.time() - t < 4 do end else sleep(4) end";
    let job = counting(body).range(1, 20).processes(1).coroutines(20).set("worker", "slow_timeout = '1s'");
    let done = job.within(Duration::from_secs(30)).run();
    done.exit(0).says("1   still running: attempt 1 in worker 1; it computes and holds up its thread");
}
