//! Figures of all workers and of the handler, in the summary.

use serde_json::Value;

use crate::job::{Done, Job};

const SCRIPT: &str = r#"
local m = mpms.metrics
return {
  tasks = function(put) for n = 1, 40 do put(n) end m.counter("given", 40) end,
  init = function() m.counter "states" end,
  worker = function(n)
    m.counter("calls", 1, { odd = n % 2 == 1 })
    m.rate("third", n % 3 == 0)
    m.trend("size", n)
    if n % 10 == 0 and task.attempt == 1 then error "once" end
    return m.time("work", function() return n end)
  end,
  exit = function() m.counter "ended" end,
  handler = function(meta, n) m.counter "handled" m.gauge("last", n) end,
  finish = function() m.counter("finished") end,
}"#;

fn metric<'a>(all: &'a [Value], name: &str, odd: Option<&str>) -> &'a Value {
    let found =
        all.iter().find(|one| one["name"] == name && one["labels"].get("odd").and_then(Value::as_str) == odd);
    found.unwrap_or_else(|| panic!("no {name} in {all:?}"))
}

fn of_json(done: &Done) -> Vec<Value> {
    let last = done.stdout.lines().last().expect("events");
    let last: Value = serde_json::from_str(last).expect("JSON");
    assert_eq!(last["event"], "run_finished");
    last["metrics"].as_array().expect("a list").clone()
}

fn job() -> Job {
    Job::new().set("worker", "retries = { count = 1, delay = '1ms' }").script(SCRIPT)
}

#[test]
fn every_call_counts_once_whoever_makes_it() {
    let done = job().processes(2).threads(2).arg("--format=json").run();
    done.exit(0);
    let all = of_json(&done);
    for (name, odd, value) in [
        ("given", None, 40.0),
        // 40 tasks, four of them twice
        ("calls", Some("true"), 20.0),
        ("calls", Some("false"), 24.0),
        ("states", None, 4.0),
        ("ended", None, 4.0),
        ("handled", None, 40.0),
        ("finished", None, 1.0),
    ] {
        assert_eq!(metric(&all, name, odd)["value"], value, "{name}");
    }
    let third = metric(&all, "third", None);
    assert_eq!((&third["true"], &third["count"]), (&14.into(), &44.into()));
    let size = metric(&all, "size", None);
    assert_eq!((&size["count"], &size["min"], &size["max"]), (&44.into(), &1.0.into(), &40.0.into()));
    assert_eq!(size["mean"], (820.0 + 100.0) / 44.0);
    assert_eq!(metric(&all, "work", None)["count"], 40);
    assert_eq!(metric(&all, "last", None)["min"], 1.0);
}

#[test]
fn people_see_them_below_the_summary() {
    let done = job().processes(1).coroutines(4).run();
    done.exit(0)
        .says("Metrics calls{odd=false}  24 (")
        .says("third  31.8% (14 of 44)")
        .says("size  mean 20.9 min 1 ");
    let none = Job::new().range(1, 2).script("return { worker = function() end }").run();
    none.exit(0).never_says("Metrics");
}

#[test]
fn series_that_all_workers_make_together_are_limited() {
    let script = "return { worker = function(n) \
        for i = 1, 400 do mpms.metrics.counter('c', 1, { n = n, i = i }) end end }";
    let done = Job::new()
        .range(1, 4)
        .processes(4)
        .script(script)
        .set("worker", "recycle = { tasks = 1 }")
        .arg("--format=json")
        .run();
    assert!(of_json(&done).len() <= 1000);
    assert!(done.stdout.contains("1000 series"), "{}", done.stdout);
}
