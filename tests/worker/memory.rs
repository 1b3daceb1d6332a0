//! The limit of memory: a task that goes over it fails and the process goes on, or the death says why.

use mpms::model::Value;
use mpms::os::slots::Slot;
use mpms::wire::to_worker::Bounds;

use crate::bench::{Bench, MS};

pub const ALL: &[crate::Case] = &[
    ("a_task_over_the_limit_fails_a_thousand_times_and_the_process_stays", a_thousand_times),
    ("an_allocation_that_the_system_refuses_is_noted", a_refused_allocation),
    ("the_limit_holds_for_what_libraries_make_too", what_libraries_make),
];

const GROW: &str = r#"
local kinds = {
  string = function() return #("x"):rep(1 << 30) end,
  doubling = function() local s = "x" while true do s = s .. s end end,
  table = function() local t = {} while true do t[#t + 1] = {} end end,
  pcall = function()
    local t = {}
    while true do
      local ok, e = pcall(function() while true do t[#t + 1] = {} end end)
      if not ok then error(e, 0) end
    end
  end,
  coroutines = function() local t = {} while true do t[#t + 1] = coroutine.create(print) end end,
  recursion = function() local function f(...) return f(1, ...) end f() end,
  concat = function() local t = {} for i = 1, 1e9 do t[i] = "some words" end return #table.concat(t) end,
  buffer = function() return #(("x"):rep(1 << 20):gsub("x", ("y"):rep(100))) end,
  handler = function()
    local t = {}
    local ok, e = xpcall(function() while true do t[#t + 1] = {} end end, function(e) return e end)
    error(e, 0)
  end,
  fine = function() local t = {} for i = 1, 1000 do t[i] = { i } end return #t end,
  library = function() return #mpms.json.decode("[" .. ("[1],"):rep(1 << 20) .. "1]") end,
  rust = function()
    local s = ("x"):rep(1 << 20)
    for i = 1, 1000 do task.put(s) end
  end,
}
return { worker = function(kind) return kinds[kind]() end }
"#;

fn limited(mib: u64) -> Bounds {
    Bounds { memory: mib << 20, timeout_ns: Some(60_000 * MS), ..Bounds::default() }
}

fn a_thousand_times() {
    let kinds = ["string", "doubling", "table", "pcall", "coroutines", "concat", "buffer", "handler"];
    let mut bench = Bench::start(GROW, 1, limited(16));
    let rounds = if cfg!(debug_assertions) { 100 } else { 1000 };
    for n in 0..rounds {
        let kind = kinds[n % kinds.len()];
        let failure = bench.failure(kind);
        let (code, message) = (failure.code.as_str(), failure.message.as_str());
        assert_eq!((code, message), ("memory", "memory limit 16 MiB"), "{kind}, time {n}");
        assert_eq!(bench.values("fine"), [Value::Int(1000)], "after {kind}");
    }
    let rss = mpms::os::memory::rss(bench.process.pid).expect("it lives");
    assert!(rss < 100 << 20, "{rss} bytes");
    assert!(!bench.process.slots.iter().any(Slot::allocation_failed));
}

fn a_refused_allocation() {
    let mut bench = Bench::start(GROW, 1, limited(16));
    bench.send(&[vec![Value::text("rust")]]);
    assert!(bench.outcome().is_none(), "it died");
    assert_eq!(bench.end(), "killed by signal 6 (SIGABRT)");
    assert_eq!(bench.running(), [1]);
    assert!(bench.process.slots.iter().any(Slot::allocation_failed));
}

fn what_libraries_make() {
    let mut bench = Bench::start(GROW, 1, limited(32));
    for _ in 0..20 {
        let failure = bench.failure("library");
        assert_eq!((failure.code.as_str(), failure.message.as_str()), ("memory", "memory limit 32 MiB"));
        assert_eq!(bench.values("fine"), [Value::Int(1000)]);
    }
}
