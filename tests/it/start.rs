//! Roles that raise or die outside of any task.

use crate::job::Job;

fn job(script: &str) -> Job {
    Job::new().range(1, 10).processes(2).threads(2).script(script)
}

#[test]
fn workers_that_always_die_at_the_start_end_the_run_with_their_last_words() {
    let done = job(r#"return { worker = function() end, init = function()
        os.execute("echo the library is broken >&2")
        os.execute("kill -9 " .. io.open("/proc/self/stat"):read("n"))
        while true do end
      end }"#)
    .run();
    done.exit(5).says("workers do not start: 5 in a row").says("the library is broken");
}

#[test]
fn a_role_that_raises_in_every_worker_ends_the_run_with_its_traceback() {
    for role in ["init", "process_init"] {
        let done = job(&format!(
            "local function deep() error('no licence') end
             return {{ worker = function() end, {role} = function() deep() end }}"
        ))
        .run();
        done.exit(5).says(&format!("role `{role}` raised: job.lua:1: no licence")).says("in upvalue 'deep'");
    }
}

#[test]
fn top_level_code_that_raises_in_workers_only_ends_the_run() {
    let done = job(r#"if os.getenv("MPMS_WORKER") then error("not in a worker") end
      return { worker = function() end }"#)
    .run();
    done.exit(5).says("job.lua:1: not in a worker");
}

#[test]
fn roles_of_the_coordinator_that_raise_end_the_run_with_their_traceback() {
    for role in ["start", "handler", "failed", "finish"] {
        let done = job(&format!(
            "local function deep() error('no way') end
             return {{ worker = function(n) if n == 5 then error('x') end return n end, {role} = function() deep() end }}"
        ))
        .run();
        done.exit(5)
            .says(&format!("role `{role}` raised"))
            .says("job.lua:1: no way")
            .says("in upvalue 'deep'");
    }
}

#[test]
fn a_generator_that_raises_half_way_ends_the_run_and_its_tasks_were_good() {
    let done = Job::new()
        .processes(2)
        .script(
            r#"return {
              tasks = function(put) for i = 1, 50 do put(i) end sleep(0.4) error("the list is over") end,
              worker = function(n) io.open("ran", "a"):write(n, "\n"):close() end }"#,
        )
        .set("tasks", "script = 'job.lua'")
        .run();
    done.exit(5).says("role `tasks` raised: job.lua:2: the list is over");
    assert_eq!(done.lines("ran").len(), 50);
}

#[test]
fn a_generator_that_raises_before_its_first_task_is_no_success() {
    let script = r#"return { tasks = function() error("no list") end, worker = print, handler = print }"#;
    let done = Job::new().processes(1).script(script).set("tasks", "script = 'job.lua'").run();
    done.exit(5).says("role `tasks` raised: job.lua:1: no list");
}

#[test]
fn a_script_with_a_mistake_runs_nothing_and_its_line_is_named() {
    job("return {\n worker = function( end }").run().exit(2).says("job.lua:2");
    job("local x = nil\nx.y = 1").run().exit(2).says("job.lua:2");
    job("return { wroker = function() end }").run().exit(2).says("did you mean `worker`?");
}

#[test]
fn an_empty_generator_is_a_mistake_unless_start_has_put_something() {
    let script = |start: &str| {
        format!(
            "return {{ tasks = function() end, worker = function(n) return n end, {start}
                 handler = function(meta, n) meta.sum = meta.sum + n end,
                 finish = function(meta) return tostring(meta.sum) end }}"
        )
    };
    let generated = |start: &str| {
        Job::new()
            .processes(1)
            .meta("sum = 0")
            .set("tasks", "script = 'job.lua'")
            .script(&script(start))
            .run()
    };
    generated("").exit(2).says("put no task");
    for _ in 0..5 {
        generated("start = function(meta) meta.self:put(7) end,").exit(0).finished_with("7");
    }
}

#[test]
fn an_empty_list_of_tasks_is_a_mistake() {
    Job::new().set("tasks", "items = []").script("return { worker = print }").run().exit(2);
    job("return { worker = print }").arg("--limit 0").shell("MPMS").run().exit(2);
    job("return { worker = print }").set("tasks", "skip = 10").run().exit(2);
}

#[test]
fn jobs_run_one_after_the_other_with_a_clean_table() {
    let done = job(r#"return { worker = function(n) return n end,
        handler = function(meta) meta.seen = meta.seen + 1 end,
        finish = function(meta) return "seen " .. meta.seen end }"#)
    .meta("seen = 0")
    .shell("MPMS job.toml job.toml")
    .run();
    done.exit(0);
    assert_eq!(done.stderr.matches("seen 10").count(), 3, "{}", done.stderr);
}

#[test]
fn many_threads_and_many_processes_start_and_end() {
    let wide = || Job::new().range(1, 2000).script("return { worker = function(n) return n end }");
    let done = wide().processes(1).threads(200).run();
    done.exit(0);
    assert_eq!(done.stdout.lines().count(), 2000);
    let done = wide().processes(50).threads(2).run();
    done.exit(0);
    assert_eq!(done.stdout.lines().count(), 2000);
}
