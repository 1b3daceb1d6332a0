//! Random numbers of a task, wherever and however often it runs.

use crate::job::Job;

const SCRIPT: &str = r#"
return {
  worker = function(n)
    local one = mpms.random.int(1000000) .. " " .. math.random(1000000)
    local both = mpms.co.all {
      function() sleep(mpms.random.float() / 200) return mpms.random.int(1000000) end,
      function() sleep(math.random() / 200) return mpms.random.int(1000000) end,
    }
    local drawn = one .. " " .. both[1] .. " " .. both[2] .. " " .. mpms.random.int(1000000)
    if task.attempt == 1 and n % 4 == 0 then error(drawn) end
    return { n = n, drawn = drawn }
  end,
  handler = function(meta, row) emit(row) end,
}"#;

fn rows(change: impl FnOnce(Job) -> Job) -> Vec<String> {
    let job = Job::new().range(1, 24).set("worker", "retries = { count = 1, delay = '1ms' }").script(SCRIPT);
    let done = change(job).arg("-o out.jsonl").shell("MPMS").run();
    done.exit(0);
    let mut rows = done.lines("out.jsonl");
    rows.sort();
    rows
}

#[test]
fn a_task_draws_the_same_in_any_process_thread_attempt_and_order() {
    let one = rows(|job| job.processes(1));
    assert_eq!(one.len(), 24);
    assert_eq!(rows(|job| job.processes(3).threads(2)), one);
    assert_eq!(rows(|job| job.processes(1).coroutines(8)), one);
    assert_ne!(rows(|job| job.processes(1).set("", "seed = 5")), one);
}

#[test]
fn seeding_over_the_seed_of_the_task_is_told() {
    let script = "return { worker = function(n) math.randomseed(7) return math.random(1000) end }";
    let done = Job::new().range(1, 3).processes(1).script(script).run();
    done.exit(0).says("math.randomseed replaces the task's own random numbers");
}
