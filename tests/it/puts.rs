//! Tasks from handlers and workers, and how many of all tasks run.

use crate::job::Job;

#[test]
fn a_handler_that_puts_one_task_after_the_other_comes_to_an_end() {
    chain(20_000);
}

/// `cargo test --release --test it -- --ignored a_million`
#[test]
#[ignore = "a minute in release"]
fn a_million_puts_one_after_the_other_leave_memory_flat() {
    chain(1_000_000);
}

fn chain(length: u32) {
    let script = r#"return {
      worker = function(n) return n end,
      handler = function(meta, n)
        meta.seen = meta.seen + 1
        if n < job.params.length then meta.self:put(n + 1) end
      end,
      finish = function(meta) return tostring(meta.seen) end }"#;
    let job = Job::new().range(1, 1).processes(1).meta("seen = 0").script(script);
    let job = job.set("params", format!("length = {length}")).within(std::time::Duration::from_secs(300));
    let done = job.run();
    done.exit(0).finished_with(&length.to_string());
    assert!(done.peak_memory() < 60 << 20, "{} bytes", done.peak_memory());
}

#[test]
fn a_slow_handler_slows_the_workers_and_takes_no_memory() {
    let script = r#"return {
      worker = function(n) return n, ("x"):rep(40000) end,
      handler = function(meta, n)
        meta.seen = meta.seen + 1
        if n % 100 == 0 then sleep(0.02) end
      end,
      finish = function(meta)
        local peak = io.open("/proc/self/status"):read("a"):match("VmHWM:%s*(%d+)")
        return meta.seen .. " " .. (tonumber(peak) < 200 * 1024 and "flat" or peak)
      end }"#;
    let done = Job::new().range(1, 20_000).processes(2).meta("seen = 0").script(script).run();
    done.exit(0).finished_with("20000 flat");
}

#[test]
fn priorities_and_delays_of_puts_are_kept() {
    let script = r#"return {
      tasks = function(put)
        put("blocker")
        sleep(0.3)
        put_with({ priority = -1 }, "low") put("middle") put_with({ priority = 5 }, "high")
        put_with({ delay = "600ms" }, "late")
      end,
      worker = function(name)
        io.open("order", "a"):write(name, "\n"):close()
        if name == "blocker" then sleep(0.6) end
      end }"#;
    let job = Job::new().processes(1).threads(1).script(script).set("tasks", "script = 'job.lua'");
    let done = job.run();
    done.exit(0);
    assert_eq!(done.lines("order"), ["blocker", "high", "middle", "low", "late"]);
    assert!(done.elapsed.as_secs_f64() > 0.9, "{:?}", done.elapsed);
}

#[test]
fn a_key_that_is_known_drops_the_task_whoever_puts_it() {
    let script = r#"return {
      tasks = function(put) for i = 1, 100 do put_with({ key = i % 10 }, i) end end,
      worker = function(n) task.put_with({ key = n % 10 }, 1000) task.put_with({ key = "new" }, 1001) return n end,
      handler = function(meta, n)
        meta.seen = meta.seen + 1
        meta.self:put_with({ key = "new" }, 1002)
      end,
      finish = function(meta, s) return meta.seen .. " " .. s.duplicates end }"#;
    let job =
        Job::new().processes(2).threads(2).meta("seen = 0").script(script).set("tasks", "script = 'job.lua'");
    // 11 tasks run; each puts a known key twice and a new one twice, of which one is new
    job.run().exit(0).finished_with(&format!("11 {}", 90 + 11 + 22 - 1));
}

#[test]
fn what_a_worker_puts_and_emits_counts_only_when_it_succeeds() {
    let script = r#"return {
      worker = function(n)
        if n <= 10 then
          task.put(n + 100) emit { n = n }
          if n % 2 == 0 then error("after the put") end
        end
        return n
      end,
      handler = function(meta, n) meta.seen = meta.seen + 1 end,
      finish = function(meta) return tostring(meta.seen) end }"#;
    let job = Job::new().range(1, 10).processes(2).threads(2).meta("seen = 0").script(script);
    let done = job.arg("-o").arg("rows.jsonl").run();
    done.exit(1).finished_with("10").says("10 ok, 5 failed");
    assert_eq!(done.lines("rows.jsonl").len(), 5);
}

#[test]
fn a_put_of_an_attempt_that_died_counts_once() {
    let script = r#"return {
      worker = function(n)
        if n > 100 then return n end
        task.put(n + 100)
        local mark = io.open("died" .. n)
        if not mark and n % 5 == 0 then
          io.open("died" .. n, "w"):close()
          os.execute("kill -9 " .. io.open("/proc/self/stat"):read("n"))
          while true do end
        end
        return n
      end,
      handler = function(meta, n) meta.sum = meta.sum + n end,
      finish = function(meta) return tostring(meta.sum) end }"#;
    let done = Job::new().range(1, 20).processes(2).threads(2).meta("sum = 0").script(script).run();
    done.exit(0).finished_with(&(210 + 210 + 2000).to_string());
}

#[test]
fn max_fail_stops_early_and_limit_and_skip_cut_the_list() {
    let script =
        r#"return { worker = function(n) sleep(0.005) if n % 2 == 0 then error("even") end return n end }"#;
    let job = || Job::new().range(1, 1000).processes(1).threads(2).script(script);
    let done = job().set("run", "max_fail = 5").run();
    done.exit(5).says("tasks failed (max_fail)").says("not started");
    assert!(done.stdout.lines().count() < 20);
    let done = job().set("tasks", "skip = 10").arg("--limit").arg("4").run();
    done.exit(1).says("4 tasks: 2 ok, 2 failed");
    let mut rows: Vec<&str> = done.stdout.lines().collect();
    rows.sort_unstable();
    assert_eq!(rows, ["11", "13"]);
}
