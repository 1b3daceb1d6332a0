//! How often each role is called, and the random numbers of tasks.

use std::collections::BTreeMap;

use crate::job::Job;

#[test]
fn every_role_is_called_as_often_as_it_should() {
    let script = r#"
      local function note(what) io.open("calls", "a"):write(what, "\n"):close() end
      return {
        process_init = function() note "process_init" end,
        process_exit = function() note "process_exit" end,
        init = function(meta) assert(meta.base == 7) note "init" end,
        exit = function(meta) assert(meta.base == 7) note "exit" end,
        start = function(meta) note "start" end,
        tasks = function(put, meta) assert(meta.base == 7) note "tasks" for i = 1, 200 do put(i) end end,
        worker = function(n) sleep(0.005) note "worker" return n end,
        handler = function(meta, n) note "handler" end,
        finish = function(meta) note "finish" end,
      }"#;
    let job =
        Job::new().processes(2).threads(3).meta("base = 7").script(script).set("tasks", "script = 'job.lua'");
    let done = job.run();
    done.exit(0);
    let mut calls = BTreeMap::new();
    for line in done.lines("calls") {
        *calls.entry(line).or_insert(0) += 1;
    }
    let expected = [
        ("process_init", 2),
        ("process_exit", 2),
        ("init", 6),
        ("exit", 6),
        ("start", 1),
        ("tasks", 1),
        ("worker", 200),
        ("handler", 200),
        ("finish", 1),
    ];
    assert_eq!(calls, expected.into_iter().map(|(name, count)| (name.to_owned(), count)).collect());
}

#[test]
fn an_exit_role_that_raises_is_told_and_fails_nothing() {
    for role in ["exit", "process_exit"] {
        let script =
            format!("return {{ worker = function(n) return n end, {role} = function() error('late') end }}");
        let done = Job::new().range(1, 5).processes(1).script(&script).run();
        done.exit(0).says(&format!("role `{role}` raised: job.lua:1: late"));
    }
}

#[test]
fn a_task_has_the_same_random_numbers_wherever_it_runs() {
    let script = r#"return { worker = function(n)
      return { n, math.random(1 << 40), math.random(), math.random(10, 20) } end }"#;
    let rows = |processes, threads, seed| {
        let job = Job::new().range(1, 200).processes(processes).threads(threads).script(script).arg("-k");
        let done = job.set("", format!("seed = {seed}")).run();
        done.exit(0);
        done.stdout
    };
    let first = rows(1, 1, 5);
    assert_eq!(first, rows(2, 3, 5));
    assert_ne!(first, rows(1, 1, 6));
}
