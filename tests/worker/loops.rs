//! Endless loops, wherever a script can have one.

use std::time::Instant;

use mpms::model::{Value, Verdict};
use mpms::wire::to_worker::{Body, Bounds};

use crate::bench::{Bench, MS, timeout};

pub const ALL: &[crate::Case] = &[
    ("every_loop_ends_at_the_timeout_and_the_next_task_is_well", every_loop_ends),
    ("the_failure_says_where_the_loop_was", the_failure_says_where),
    ("a_task_within_its_time_is_not_touched", a_task_within_its_time),
    ("a_waiting_call_is_ended_as_a_timeout", a_waiting_call),
    ("loops_outside_of_tasks_are_named", loops_outside_of_tasks),
    ("a_loop_in_an_exit_role_is_told_and_the_process_ends", a_loop_in_an_exit_role),
    ("a_command_is_stopped_at_the_timeout", a_command_is_stopped),
    ("no_forced_timeout_hits_another_task", no_timeout_hits_another_task),
];

const LOOPS: &str = r#"
local function forever() while true do end end
local function loops(f) return function() while true do f() end end end
local kinds = {
  plain = forever,
  jump = function() ::again:: goto again end,
  calls = loops(function() end),
  pcall = loops(function() pcall(forever) end),
  pcall_error = loops(function() pcall(error, "x") end),
  xpcall = loops(function() xpcall(forever, forever) end),
  xpcall_handler = function() xpcall(error, forever) end,
  closed_by_death = loops(function()
    pcall(coroutine.wrap(function() local x <close> = setmetatable({ }, { __close = forever }) forever() end))
  end),
  pcall_recursion = function()
    local function f() pcall(f) end
    while true do f() end
  end,
  coroutine = loops(function() coroutine.resume(coroutine.create(forever)) end),
  one_coroutine = function() coroutine.resume(coroutine.create(forever)) return "survived" end,
  wrapped = function()
    for _ in coroutine.wrap(function() while true do coroutine.yield(1) end end) do end
  end,
  wrapped_pcall = loops(function() pcall(coroutine.wrap(forever)) end),
  nested_coroutines = function()
    local function dive(n)
      if n == 0 then forever() end
      return coroutine.wrap(dive)(n - 1)
    end
    dive(50)
  end,
  ping_pong = function()
    local co = coroutine.wrap(function() while true do pcall(coroutine.yield) end end)
    while true do pcall(co) end
  end,
  closing_coroutine = function()
    local co = coroutine.create(function()
      local x <close> = setmetatable({ }, { __close = forever })
      coroutine.yield()
    end)
    coroutine.resume(co)
    coroutine.close(co)
  end,
  index = function() return setmetatable({ }, { __index = forever }).x end,
  newindex = function() setmetatable({ }, { __newindex = forever }).x = 1 end,
  compare = function() local m = { __lt = forever } return setmetatable({ }, m) < setmetatable({ }, m) end,
  concat_metamethod = function() return setmetatable({ }, { __concat = forever }) .. "x" end,
  to_string = function() return tostring(setmetatable({ }, { __tostring = forever })) end,
  close = function() local x <close> = setmetatable({ }, { __close = forever }) end,
  iterator = function() for _ in function() return 1 end do end end,
  sort = function() table.sort({ 3, 1, 2 }, forever) end,
  sorts = loops(function() table.sort({ 3, 1, 2 }, function(a, b) return a < b end) end),
  gsub = function() return (("x"):rep(100):gsub(".", forever)) end,
  gsubs = loops(function() return (("x"):rep(100):gsub(".", function() end)) end),
  rep = loops(function() return ("x"):rep(1 << 20) end),
  concat = loops(function() return table.concat({ ("x"):rep(1 << 19), ("y"):rep(1 << 19) }) end),
  library = loops(function() return mpms.json.encode({ 1, 2, 3 }) end),
  library_error = loops(function() pcall(mpms.json.decode, "{") end),
  callback = function() return try(forever) end,
  sleeps = loops(function() pcall(sleep, 10) end),
  execute = function() os.execute("sleep 100") end,
  executes = loops(function() pcall(os.execute, "sleep 100") end),
  popen = function() return io.popen("sleep 100"):read("a") end,
  load = loops(function() load("return 1")() end),
  loaded = function() load("while true do end")() end,
  strings_without_methods = function()
    debug.setmetatable("", nil)
    while true do end
  end,
  fine = function() return ("well"):rep(1) end,
}
return { worker = function(kind) return kinds[kind]() end }
"#;

fn kinds() -> impl Iterator<Item = &'static str> {
    let names = LOOPS.lines().filter_map(|line| line.strip_prefix("  ")?.split_once(" = "));
    names.map(|(name, _)| name).filter(|name| !name.contains([' ', '.']) && *name != "fine")
}

fn every_loop_ends() {
    let mut bench = Bench::start(LOOPS, 1, timeout(50 * MS));
    assert!(kinds().count() > 30);
    for kind in kinds() {
        let start = Instant::now();
        let failure = bench.failure(kind);
        let took = start.elapsed();
        assert_eq!(
            (failure.code.as_str(), failure.message.as_str()),
            ("timeout", "timeout after 50ms"),
            "{kind}"
        );
        assert_eq!(failure.retryable, Some(true), "{kind}");
        assert!(took.as_millis() >= 50, "{kind} was stopped after {took:?}");
        assert!(took.as_millis() < 2000, "{kind} was stopped only after {took:?}");
        for _ in 0..3 {
            assert_eq!(bench.values("fine"), [Value::text("well")], "after {kind}");
        }
    }
}

fn the_failure_says_where() {
    let code =
        "local function inner()\n  while true do end\nend\nreturn { worker = function() pcall(inner) end }";
    let failure = Bench::start(code, 1, timeout(20 * MS)).failure("any");
    let traceback = failure.traceback.expect("a traceback");
    assert!(traceback.lines().next().is_some_and(|line| line.starts_with("test.lua:2:")), "{traceback}");
}

fn a_task_within_its_time() {
    let code =
        "return { worker = function() local n = 0 for i = 1, 1e6 do n = n + i end sleep(0.05) return n end }";
    let mut bench = Bench::start(code, 1, timeout(10_000 * MS));
    for _ in 0..3 {
        assert_eq!(bench.values("any").len(), 1);
    }
}

fn a_waiting_call() {
    let code = "return { worker = function() sleep(100) end }";
    let start = Instant::now();
    let failure = Bench::start(code, 1, timeout(50 * MS)).failure("any");
    assert_eq!((failure.code.as_str(), failure.message.as_str()), ("timeout", "timeout after 50ms"));
    assert!(start.elapsed().as_secs() < 5);
}

fn loops_outside_of_tasks() {
    let bounds = Bounds { role_ns: 50 * MS, ..Bounds::default() };
    let cases = [
        ("while true do end", "timeout after 50ms while test.lua was loaded"),
        (
            "return { worker = print, init = function() while true do pcall(error) end end }",
            "role `init` raised: timeout after 50ms",
        ),
        (
            "return { worker = print, process_init = function() while true do end end }",
            "role `process_init` raised: timeout after 50ms",
        ),
    ];
    for (code, message) in cases {
        let mut bench = Bench::start(code, 1, bounds);
        assert_eq!(bench.end(), "exited with status 1");
        let failure = bench.broken.expect("it said why");
        assert_eq!((failure.code.as_str(), failure.message.as_str()), ("timeout", message));
    }
}

fn a_loop_in_an_exit_role() {
    let bounds = Bounds { role_ns: 50 * MS, ..Bounds::default() };
    let code = "local function forever() while true do end end \
                return { worker = print, exit = forever, process_exit = forever }";
    let mut bench = Bench::start(code, 1, bounds);
    bench.stop();
    assert_eq!(bench.end(), "exited with status 0");
    let texts: Vec<&str> = bench.lines.iter().map(|line| line.text.as_str()).collect();
    assert_eq!(
        texts,
        ["role `exit` raised: timeout after 50ms", "role `process_exit` raised: timeout after 50ms"]
    );
}

fn a_command_is_stopped() {
    let argv = ["sh", "-c", "trap 'exit 0' TERM; sleep 100 & wait"].map(str::to_owned).to_vec();
    let mut bench = Bench::with_body(Body::Command(argv), (1, 1), timeout(100 * MS), false);
    let start = Instant::now();
    let failure = bench.failure("any");
    assert_eq!((failure.code.as_str(), failure.message.as_str()), ("timeout", "timeout after 100ms"));
    assert!(start.elapsed().as_secs() < 5);
}

/// Ten thousand loops among as many short tasks on eight threads: an outcome that says timeout took as long, and one
/// that took as long is a loop's.
fn no_timeout_hits_another_task() {
    let (loops, limit_ns) = (forced(), 2 * MS);
    let mut bench = Bench::start(LOOPS, 8, timeout(limit_ns));
    // those that wait for processes or make much garbage take long by themselves
    let slow = ["execute", "executes", "popen", "rep", "concat", "nested_coroutines", "pcall_recursion"];
    let kinds: Vec<&str> = kinds().filter(|kind| !slow.contains(kind)).collect();
    let mut words = Vec::new();
    for n in 0..loops {
        words.push(kinds[n % kinds.len()]);
        words.push("fine");
    }
    let (mut timeouts, mut late) = (0, 0);
    for batch in words.chunks(256) {
        let tasks: Vec<Vec<Value>> = batch.iter().map(|word| vec![Value::text(*word)]).collect();
        let first = bench.send(&tasks);
        for _ in batch {
            let outcome = bench.outcome().expect("the worker lives");
            let word = batch[(outcome.handle.bits() - first) as usize];
            match outcome.verdict {
                Verdict::Done(_) => assert_eq!(word, "fine", "returned"),
                Verdict::Failed(failure) => {
                    assert_eq!(failure.code, "timeout", "{word}: {}", failure.message);
                    assert!(
                        outcome.elapsed_ns >= limit_ns,
                        "{word} was stopped after {} ns",
                        outcome.elapsed_ns
                    );
                    timeouts += 1;
                    // the machine may stop a thread for as long as that
                    late += usize::from(word == "fine");
                }
                Verdict::Skipped(reason) => panic!("{word}: {reason}"),
            }
        }
    }
    assert!(timeouts >= loops, "{timeouts} of {loops}");
    assert!(late * 50 < loops, "{late} short tasks took {limit_ns} ns");
}

/// As many as asked for in the environment; fewer in a debug build.
fn forced() -> usize {
    let asked = std::env::var("MPMS_FORCED_TIMEOUTS").ok().and_then(|text| text.parse().ok());
    asked.unwrap_or(if cfg!(debug_assertions) { 500 } else { 10_000 })
}
