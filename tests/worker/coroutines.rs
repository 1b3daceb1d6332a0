//! Many attempts at once on one thread, each in a coroutine.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use mpms::model::event::Level;
use mpms::model::{Outcome, Value, Verdict};
use mpms::wire::to_worker::Bounds;
use mpms::wire::value;

use crate::bench::{Bench, MS, timeout};

pub const ALL: &[crate::Case] = &[
    ("waits_of_all_tasks_pass_at_the_same_time", waits_pass_together),
    ("every_context_gives_what_it_gives_without_coroutines", contexts),
    ("what_belongs_to_a_task_is_never_another_tasks", nothing_is_mixed_up),
    ("endings_and_tracebacks_are_each_tasks_own", endings),
    ("a_wait_ends_at_the_timeout_of_its_task_alone", timeouts_of_waits),
    ("a_loop_ends_at_its_timeout_and_the_others_go_on", timeouts_of_loops),
    ("thousands_of_timeouts_hit_whom_they_are_meant_for", many_timeouts),
    ("a_full_state_fails_tasks_and_the_others_go_on", memory),
    ("coroutines_of_other_tasks_cannot_be_resumed_or_closed", foreign_coroutines),
    ("a_task_is_no_coroutine_to_its_script", no_coroutine),
    ("a_blocked_call_is_told_once_for_each_place", blocked_calls),
    ("a_file_is_loaded_once_by_many_tasks", loading),
    ("commands_of_many_tasks_run_at_the_same_time", commands),
    ("commands_of_the_library_wait_beside_each_other", commands_of_the_library),
    ("files_of_commands_are_read_beside_each_other", files_of_commands),
    ("ten_thousand_waits_on_one_thread_cost_little", ten_thousand),
    ("a_task_that_computes_is_seen_to_hold_up_its_thread", holds_up),
    ("what_was_queued_still_runs_after_a_stop", stop),
];

fn all(bench: &mut Bench, tasks: &[Vec<Value>]) -> BTreeMap<u64, Outcome> {
    let first = bench.send(tasks);
    let outcomes =
        tasks.iter().map(|_| bench.outcome().unwrap_or_else(|| panic!("it ended: {:?}", bench.broken)));
    outcomes.map(|outcome| (outcome.handle.bits() - first, outcome)).collect()
}

fn values(outcome: &Outcome) -> Vec<Value> {
    match &outcome.verdict {
        Verdict::Done(done) => value::decode_list(&done.values).expect("a list"),
        other => panic!("{other:?}"),
    }
}

fn code(outcome: &Outcome) -> &str {
    match &outcome.verdict {
        Verdict::Failed(failure) => &failure.code,
        _ => "none",
    }
}

fn numbers(count: i64) -> Vec<Vec<Value>> {
    (0..count).map(|n| vec![Value::Int(n)]).collect()
}

fn waits_pass_together() {
    let code = "return { worker = function(n) sleep(0.2) return n end }";
    let mut bench = Bench::start_with(code, 1, 200, Bounds::default());
    let start = Instant::now();
    for (n, outcome) in all(&mut bench, &numbers(400)) {
        assert_eq!(values(&outcome), [Value::Int(n as i64)]);
    }
    let elapsed = start.elapsed();
    assert!(elapsed >= Duration::from_millis(400), "200 at once, and not more: {elapsed:?}");
    assert!(elapsed < Duration::from_secs(40), "one after the other it would be 80 s: {elapsed:?}");
}

/// The contexts in which a function that waits may be called, each with what it gives.
const CONTEXTS: &str = r#"
local dir = ...
local co = mpms.co
local function wait(v) sleep(0.002) return v end
local kinds = {
  plain = function() return wait(1) end,
  pcall = function() return select(2, pcall(wait, 1)) end,
  pcall_error = function() return select(2, pcall(function() wait() error("e", 0) end)) end,
  xpcall = function() return select(2, xpcall(wait, print, 1)) end,
  handler = function() return select(2, xpcall(error, function(e) return wait(e .. "!") end, "e")) end,
  iterator = function()
    local t = {}
    for v in function(_, v) v = (v or 0) + 1 if wait(v) < 4 then return v end end do t[#t + 1] = v end
    return table.concat(t)
  end,
  index = function() return setmetatable({}, { __index = function(_, k) return wait(k .. "!") end }).key end,
  add = function() return setmetatable({}, { __add = function(_, b) return wait(b + 1) end }) + 1 end,
  close = function()
    local log = {}
    do local x <close> = setmetatable({}, { __close = function() log[#log + 1] = wait("closed") end }) end
    return log[1]
  end,
  close_error = function()
    local log = {}
    pcall(function()
      local x <close> = setmetatable({}, { __close = function(_, e) log[#log + 1] = wait(e) end })
      error("e", 0)
    end)
    return log[1]
  end,
  load = function() return load("return ...")(wait(1)) end,
  load_reader = function()
    local n = 0
    return load(function() n = n + 1 return wait(({ "return ", "7" })[n]) end)()
  end,
  gsub = function() return (string.gsub("abc", "%w", function(c) return wait(c .. c) end)) end,
  sort = function()
    local t = { 3, 1, 2 }
    table.sort(t, function(a, b) return wait(a < b) end)
    return table.concat(t)
  end,
  tostring = function() return tostring(setmetatable({}, { __tostring = function() return wait("text") end })) end,
  try = function() return (try(wait, 5)) end,
  wrap = function() return coroutine.wrap(wait)(1) end,
  wrap_error = function()
    return select(2, pcall(coroutine.wrap(function() wait() error("e", 0) end)))
  end,
  resume = function()
    local inner = coroutine.create(function(a)
      local b = coroutine.yield(wait(a) + 1)
      local c = coroutine.yield(wait(b) + 1)
      error(wait(c) + 1, 0)
    end)
    local _, a = coroutine.resume(inner, 1)
    local _, b = coroutine.resume(inner, a)
    local ok, c = coroutine.resume(inner, b)
    return table.concat({ a, b, c, tostring(ok), coroutine.status(inner) }, " ")
  end,
  for_wrap = function()
    local t = {}
    for v in coroutine.wrap(function() for i = 1, 3 do wait() coroutine.yield(i) wait() end end) do
      t[#t + 1] = v
    end
    return table.concat(t)
  end,
  nested_wrap = function()
    local function deeper(n)
      if n == 0 then return wait("bottom") end
      return coroutine.wrap(deeper)(n - 1)
    end
    return deeper(20)
  end,
  wrap_in_gsub = function()
    return (string.gsub("ab", "%w", function(c)
      local t = ""
      for v in coroutine.wrap(function() for i = 1, 2 do wait() coroutine.yield(c .. i) end end) do t = t .. v end
      return t
    end))
  end,
  gsub_in_wrap = function()
    return coroutine.wrap(function() return (string.gsub("ab", "%w", function(c) return wait(c .. c) end)) end)()
  end,
  status = function()
    local outer
    outer = coroutine.create(function()
      return coroutine.wrap(function() wait() return coroutine.status(outer) end)()
    end)
    return select(2, coroutine.resume(outer)) .. " " .. coroutine.status(outer)
  end,
  close_suspended = function()
    local closed
    local inner = coroutine.create(function()
      local x <close> = setmetatable({}, { __close = function() closed = wait("closed") end })
      wait()
      coroutine.yield()
    end)
    coroutine.resume(inner)
    return tostring(coroutine.close(inner)) .. " " .. tostring(closed) .. " " .. coroutine.status(inner)
  end,
  goes_through_a_library = function()
    return mpms.fs.exists("/") and #co.map({ 1, 2, 3 }, wait) + #co.all { function() return wait(1) end, function() return wait(2) end }
  end,
  children_in_gsub = function()
    return (string.gsub("ab", "%w", function(c) return co.all({ function() return wait(c .. c) end })[1] end))
  end,
  children_in_wrap = function()
    return coroutine.wrap(function() return co.timeout(5, function() return wait("in time") end) end)()
  end,
  random = function() return math.random(1 << 40) + wait(0) + math.random(1 << 40) end,
}
return { worker = function(kind) return (kinds[kind]()) end }
"#;

fn contexts() {
    let expected: [(&str, Value); 29] = [
        ("plain", Value::Int(1)),
        ("pcall", Value::Int(1)),
        ("pcall_error", Value::text("e")),
        ("xpcall", Value::Int(1)),
        ("handler", Value::text("e!")),
        ("iterator", Value::text("123")),
        ("index", Value::text("key!")),
        ("add", Value::Int(2)),
        ("close", Value::text("closed")),
        ("close_error", Value::text("e")),
        ("load", Value::Int(1)),
        ("load_reader", Value::Int(7)),
        ("gsub", Value::text("aabbcc")),
        ("sort", Value::text("123")),
        ("tostring", Value::text("text")),
        ("try", Value::Int(5)),
        ("wrap", Value::Int(1)),
        ("wrap_error", Value::text("e")),
        ("resume", Value::text("2 3 4 false dead")),
        ("for_wrap", Value::text("123")),
        ("nested_wrap", Value::text("bottom")),
        ("wrap_in_gsub", Value::text("a1a2b1b2")),
        ("gsub_in_wrap", Value::text("aabb")),
        ("status", Value::text("normal dead")),
        ("close_suspended", Value::text("true closed dead")),
        ("goes_through_a_library", Value::Int(5)),
        ("children_in_gsub", Value::text("aabb")),
        ("children_in_wrap", Value::text("in time")),
        ("random", Value::Nil),
    ];
    let mut seen = Vec::new();
    for coroutines in [1, 2, 300] {
        let mut bench = Bench::start_with(CONTEXTS, 1, coroutines, Bounds::default());
        // all at once, ten times each: whatever one leaves behind meets the others
        let tasks: Vec<Vec<Value>> =
            (0..290).map(|n| vec![Value::text(expected[n % expected.len()].0)]).collect();
        for (n, outcome) in all(&mut bench, &tasks) {
            let (kind, expected) = &expected[n as usize % expected.len()];
            let found = values(&outcome);
            match *kind {
                "random" => seen.push((n, found)),
                _ => assert_eq!(found, std::slice::from_ref(expected), "{kind}, {coroutines} coroutines"),
            }
        }
    }
    // the same numbers for the same task, however many run beside it
    let (one, more) = seen.split_at(10);
    assert_eq!((one, one), more.split_at(10));
}

fn nothing_is_mixed_up() {
    let code = r#"
      local function exists(path) return mpms.fs.exists(path) end
      return { worker = function(n)
        local id, args = task.id, task.args[1]
        local first = math.random(1 << 40)
        io.write("n", n)
        local file = n % 3 == 0 and mpms.fs.temp_file() or nil
        local pipe = n % 5 == 0 and io.popen("cat >/dev/null; exit " .. n % 7, "w") or nil
        local deferred
        if n % 2 == 0 then
          task.defer(function()
            sleep(0.001)
            mpms.log.info("deferred", { n = n, id = task.id, file = file and exists(file) })
          end)
        end
        for i = 1, 5 do
          sleep((n * 7 + i * 3) % 5 / 1000)
          assert(task.id == id and task.args[1] == args and args == n, "another task's")
          task.put(n, i)
          emit { n = n, i = i }
          mpms.log.debug("step", { n = n })
          if file then assert(exists(file), "the file of " .. n) end
        end
        io.write(" ", n, "\n")
        if pipe then
          local ok, how, status = pipe:close()
          assert(status == n % 7, "the command of " .. n)
        end
        return n, first, math.random(1 << 40), file
      end }
    "#;
    let mut alone = Bench::start_with(code, 1, 1, Bounds::default());
    let mut bench = Bench::start_with(code, 2, 150, Bounds::default());
    let tasks = numbers(600);
    let (one, many) = (all(&mut alone, &tasks), all(&mut bench, &tasks));
    for (n, outcome) in &many {
        let (found, single) = (values(outcome), values(&one[n]));
        assert_eq!(found[..3], single[..3], "the same numbers wherever it runs");
        let Verdict::Done(done) = &outcome.verdict else { panic!("not done") };
        let effects = done.effects.as_ref().expect("effects");
        for (i, put) in effects.puts.iter().enumerate() {
            let args = value::decode_list(&put.args).expect("a list");
            assert_eq!(args, [Value::Int(*n as i64), Value::Int(i as i64 + 1)]);
        }
        assert_eq!((effects.puts.len(), effects.rows.len()), (5, 5));
        if let Some(Value::Bytes(path)) = found.get(3) {
            let path = String::from_utf8_lossy(path).into_owned();
            assert!(!std::path::Path::new(&path).exists(), "{path} is left");
        }
    }
    let of = |line: &mpms::wire::from_worker::Line| line.task.map(|task| task.bits() as i64 - 1);
    let field = |line: &mpms::wire::from_worker::Line, name: &str| {
        line.fields.iter().find(|(key, _)| key == name).map(|(_, text)| text.clone())
    };
    let (mut prints, mut steps, mut deferred) = (0, 0, 0);
    for line in &bench.lines {
        let n = of(line).expect("a task's line");
        match line.text.as_str() {
            "step" | "deferred" => {
                assert_eq!(field(line, "n"), Some(n.to_string()));
                steps += usize::from(line.text == "step");
                deferred += usize::from(line.text == "deferred");
                assert_ne!(field(line, "file").as_deref(), Some("false"), "gone before what was deferred");
            }
            text => {
                assert_eq!(text, format!("n{n} {n}"), "pieces of several tasks in one line");
                prints += 1;
            }
        }
    }
    assert_eq!((prints, steps, deferred), (600, 3000, 300));
}

fn endings() {
    let script = r#"
      local function skip(n) sleep(0.001) task.skip("skip " .. n) end
      local ends = {
        function(n) skip(n) end,
        function(n) sleep(0.001) error("plain " .. n) end,
        function(n) sleep(0.001) task.fail("fail " .. n) end,
        function(n) sleep(0.001) task.retry { after = n * 2, reason = "retry " .. n } end,
        function(n) coroutine.wrap(function() sleep(0.001) skip(n) end)() end,
        function(n) local x <close> = setmetatable({}, { __close = function() sleep(0.002) end }) error("close " .. n) end,
        function(n) sleep(0.001) return print end,
      }
      return { worker = function(n) return ends[n % #ends + 1](n) end }
    "#;
    let mut bench = Bench::start_with(script, 1, 100, Bounds { max_attempts: 9, ..Bounds::default() });
    for (n, outcome) in all(&mut bench, &numbers(350)) {
        let verdict = match outcome.verdict {
            Verdict::Failed(failure) => {
                let at = failure.traceback.unwrap_or_default();
                let line = 4 + n % 7;
                let has_place = n % 7 == 6 || at.contains(&format!("test.lua:{line}:"));
                assert!(has_place, "{n}: {at}");
                (failure.code, failure.message, failure.after_ns)
            }
            Verdict::Skipped(reason) => ("skipped".to_owned(), reason.into(), None),
            Verdict::Done(_) => ("done".to_owned(), String::new(), None),
        };
        let expected = match n % 7 {
            0 | 4 => ("skipped".to_owned(), format!("skip {n}"), None),
            1 => ("lua_error".to_owned(), format!("test.lua:5: plain {n}"), None),
            2 => ("failed".to_owned(), format!("fail {n}"), None),
            3 => ("retry".to_owned(), format!("retry {n}"), Some(n * 2000 * MS)),
            5 => ("lua_error".to_owned(), format!("test.lua:9: close {n}"), None),
            _ => ("value".to_owned(), verdict.1.clone(), None),
        };
        assert_eq!(verdict, expected);
    }
}

fn timeouts_of_waits() {
    let script = r#"
      local co = mpms.co
      local kinds = {
        sleep = function() sleep(60) end,
        pcall = function() while true do pcall(sleep, 60) end end,
        coroutine = function() for v in coroutine.wrap(function() while true do sleep(60) end end) do end end,
        caught = function() local ok, e = coroutine.resume(coroutine.create(function() sleep(60) end)) return e.code end,
        gsub = function() string.gsub("a", "a", function() sleep(60) end) end,
        children = function() co.all { function() sleep(60) end, function() while true do pcall(sleep, 60) end end } end,
        channel = function() co.channel():get() end,
        short = function() sleep(0.05) return 1 end,
      }
      return { worker = function(kind) return kinds[kind]() end }
    "#;
    let kinds = ["sleep", "pcall", "coroutine", "caught", "children", "channel", "short"];
    let mut bench = Bench::start_with(script, 1, 100, timeout(1_500 * MS));
    let start = Instant::now();
    let tasks: Vec<Vec<Value>> = kinds.iter().map(|kind| vec![Value::text(*kind)]).collect();
    for (n, outcome) in all(&mut bench, &tasks) {
        let expected = if kinds[n as usize] == "short" { "none" } else { "timeout" };
        assert_eq!(code(&outcome), expected, "{}: {outcome:?}", kinds[n as usize]);
    }
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    assert_eq!(bench.failure("gsub").code, "timeout", "a blocked call ends, too");
    assert_eq!(bench.values("short"), [Value::Int(1)], "the thread goes on");
}

fn timeouts_of_loops() {
    let script = r#"
      local kinds = {
        loop = function() while true do end end,
        pcall = function() while true do pcall(function() while true do end end) end end,
        coroutine = function() coroutine.wrap(function() while true do end end)() end,
        child = function() mpms.co.all { function() while true do end end } end,
        slow = function(n) for i = 1, 20 do sleep(0.02) end return n end,
      }
      return { worker = function(kind, n) sleep(0.01) return kinds[kind](n) end }
    "#;
    for kind in ["loop", "pcall", "coroutine", "child"] {
        let mut bench = Bench::start_with(script, 1, 100, timeout(3_000 * MS));
        let mut tasks: Vec<Vec<Value>> = (0..30).map(|n| vec![Value::text("slow"), Value::Int(n)]).collect();
        tasks.insert(15, vec![Value::text(kind)]);
        for (n, outcome) in all(&mut bench, &tasks) {
            match n {
                15 => {
                    assert_eq!(code(&outcome), "timeout", "{kind}");
                    let Verdict::Failed(failure) = outcome.verdict else { panic!("not failed") };
                    let at = failure.traceback.unwrap_or_default();
                    assert!(at.contains("test.lua:"), "{kind}: {at}");
                }
                // a slow one that began with the loop had no time left; it is told as that, and never as done
                _ => assert!(matches!(code(&outcome), "none" | "timeout"), "{kind}: {outcome:?}"),
            }
        }
        assert!(matches!(bench.run(&[Value::text("slow"), Value::Int(7)]), Verdict::Done(_)), "after {kind}");
    }
}

fn many_timeouts() {
    let script = r#"
      return { worker = function(n)
        if n % 2 == 0 then sleep(60) end
        sleep(n % 10 / 1000)
        return n
      end }
    "#;
    let mut bench = Bench::start_with(script, 1, 1000, timeout(300 * MS));
    for (n, outcome) in all(&mut bench, &numbers(3000)) {
        assert_eq!(code(&outcome), if n % 2 == 0 { "timeout" } else { "none" }, "{n}");
    }
}

fn memory() {
    let script = r#"
      return { worker = function(n)
        sleep(0.001)
        if n % 50 == 0 then local t = {} while true do t[#t + 1] = {} end end
        sleep(0.001)
        return n
      end }
    "#;
    let bounds = Bounds { memory: 32 << 20, ..Bounds::default() };
    let mut bench = Bench::start_with(script, 1, 50, bounds);
    let outcomes = all(&mut bench, &numbers(500));
    for (n, outcome) in &outcomes {
        match n % 50 {
            0 => assert_eq!(code(outcome), "memory"),
            _ => assert_eq!(code(outcome), "none", "{n}: {outcome:?}"),
        }
    }
}

fn foreign_coroutines() {
    let script = r#"
      local waiting, main, go
      local function try_all(co)
        local ok, e = coroutine.resume(co)
        local closed, why = pcall(coroutine.close, co)
        return tostring(ok) .. " " .. e .. "; " .. tostring(closed) .. " " .. why .. "; " .. coroutine.status(co)
      end
      local kinds = {
        wait = function()
          main = coroutine.running()
          waiting = coroutine.create(function() go = true sleep(0.1) return "mine" end)
          return select(2, coroutine.resume(waiting))
        end,
        meddle = function()
          while not go do sleep(0.001) end
          local wrapped = select(2, pcall(coroutine.wrap(function() coroutine.resume(waiting) return "in" end)))
          return try_all(waiting), try_all(main), wrapped
        end,
      }
      return { worker = function(kind) return kinds[kind]() end }
    "#;
    let mut bench = Bench::start_with(script, 1, 10, Bounds::default());
    let outcomes = all(&mut bench, &[vec![Value::text("wait")], vec![Value::text("meddle")]]);
    assert_eq!(values(&outcomes[&0]), [Value::text("mine")]);
    let refused =
        "false cannot resume non-suspended coroutine; false cannot close a normal coroutine; normal";
    assert_eq!(values(&outcomes[&1]), [Value::text(refused), Value::text(refused), Value::text("in")]);
}

fn no_coroutine() {
    let script = r#"
      return { worker = function()
        local co, is_main = coroutine.running()
        local ok, e = pcall(coroutine.yield, 1)
        local inner = coroutine.wrap(function()
          local _, main = coroutine.running()
          return main, coroutine.isyieldable(), coroutine.isyieldable(co)
        end)
        return is_main, coroutine.isyieldable(), ok, e, inner()
      end }
    "#;
    let mut found = Vec::new();
    for coroutines in [1, 5] {
        let mut bench = Bench::start_with(script, 1, coroutines, Bounds::default());
        found.push(values(&all(&mut bench, &numbers(1))[&0]));
    }
    assert_eq!(found[0][..2], [Value::Bool(true), Value::Bool(false)]);
    assert_eq!(found[0][..6], found[1][..6]);
}

fn blocked_calls() {
    let script = r#"
      return { worker = function(n)
        string.gsub("aa", "a", function() sleep(0) end)
        pcall(function() table.sort({ 2, 1 }, function(a, b) mpms.time.sleep(0) return a < b end) end)
        xpcall(error, function() sleep(0) end)
        string.gsub("a", "a", function() coroutine.wrap(function() sleep(0) end)() end)
      end }
    "#;
    let mut bench = Bench::start_with(script, 1, 10, Bounds::default());
    all(&mut bench, &numbers(50));
    let mut told: Vec<&str> = bench.lines.iter().map(|line| line.text.as_str()).collect();
    told.sort_unstable();
    let expected = [
        "sleep blocked thread 1 (called at test.lua:5)",
        "sleep blocked thread 1 (called at test.lua:6, where it cannot yield)",
        "sleep blocked thread 1 (called inside string.gsub at test.lua:3)",
        "time.sleep blocked thread 1 (called inside table.sort at test.lua:4)",
    ];
    assert_eq!(told.len(), expected.len(), "{told:#?}");
    assert_eq!(told[2..], expected[2..]);
    assert!(bench.lines.iter().all(|line| line.level == Level::Warn && line.task.is_some()));
}

fn loading() {
    let folder = tempfile::tempdir().expect("a folder");
    let name = format!("loading{}", std::process::id());
    let path = std::env::temp_dir().join(format!("{name}.lua"));
    std::fs::write(&path, "count = (count or 0) + 1 sleep(0.01) return { count }").expect("written");
    drop(folder);
    let script = format!(
        "return {{ worker = function() sleep(0.001) local m = require '{name}' sleep(0.001) return m[1], count end }}"
    );
    let mut bench = Bench::start_with(&script, 1, 50, Bounds::default());
    for outcome in all(&mut bench, &numbers(100)).values() {
        assert_eq!(values(outcome), [Value::Int(1), Value::Int(1)]);
    }
    std::fs::remove_file(path).expect("removed");
    let told: Vec<&str> = bench.lines.iter().map(|line| line.text.as_str()).collect();
    assert_eq!(told, ["sleep blocked thread 1 (while a file was loaded)"]);
}

fn commands() {
    let script = r#"
      return { worker = function(n)
        if n == 1000 then os.execute("sleep 60") end
        local ok, how, status = os.execute("sleep 0.3; exit " .. n % 3)
        return ok, how, status, (os.execute())
      end }
    "#;
    let mut bench = Bench::start_with(script, 1, 30, timeout(2_500 * MS));
    let start = Instant::now();
    for (n, outcome) in all(&mut bench, &numbers(30)) {
        let ok = if n % 3 == 0 { Value::Bool(true) } else { Value::Nil };
        assert_eq!(values(&outcome), [ok, Value::text("exit"), Value::Int(n as i64 % 3), Value::Bool(true)]);
    }
    assert!(
        start.elapsed() < Duration::from_secs(8),
        "one after the other it would be 9 s: {:?}",
        start.elapsed()
    );
    let outcomes = all(&mut bench, &[vec![Value::Int(1000)], vec![Value::Int(0)]]);
    assert_eq!((code(&outcomes[&0]), code(&outcomes[&1])), ("timeout", "none"));
}

/// Each in its own attempt: what one has started ends with it, while the others go on.
fn commands_of_the_library() {
    let script = r#"
      local proc = mpms.proc
      return { worker = function(n)
        local left = proc.spawn { "sleep", 100 }
        local p = proc.spawn { "sh", "-c", "read x; sleep 0.$x; echo got $x" }
        p.stdin:write(n % 4 .. "\n")
        local said = p.stdout:read()
        assert(p:wait().ok)
        local lines = 0
        for line in proc.lines { "sh", "-c", "echo 1; sleep 0.1; echo 2" } do lines = lines + tonumber(line) end
        local r = proc.run({ "sh", "-c", "sleep 0.2; cat; exit " .. n % 3 }, { stdin = "in " .. n, check = false })
        assert(left:signal() == nil, "ended by another task")
        return said, lines, r.stdout, r.code, left.pid
      end }
    "#;
    let mut bench = Bench::start_with(script, 1, 200, Bounds::default());
    let start = Instant::now();
    for (n, outcome) in all(&mut bench, &numbers(200)) {
        let found = values(&outcome);
        let said = (Value::text(format!("got {}", n % 4)), Value::text(format!("in {n}")));
        assert_eq!(found[..4], [said.0, Value::Int(3), said.1, Value::Int(n as i64 % 3)]);
        let Value::Int(pid) = found[4] else { panic!("no pid") };
        let pid = i32::try_from(pid).expect("a pid");
        crate::bench::wait_until("end of what a task left", || !mpms::os::process::is_alive(pid));
    }
    assert!(
        start.elapsed() < Duration::from_secs(40),
        "one after the other it would be 90 s: {:?}",
        start.elapsed()
    );
    assert!(bench.lines.is_empty(), "{:?}", bench.lines);
}

/// Two tasks each: the command of one says nothing before it has a word of the other's, which a read that blocked the
/// thread would keep from being started.
fn files_of_commands() {
    let script = r#"
      return { worker = function(n, dir)
        local talk = "cd %s && timeout 30 sh -c 'echo %d > %d & read x < %d; echo of $x; echo more; echo; exit %d'"
        -- the first one reads already
        if n == 1 then sleep(0.2) end
        local f = io.popen(talk:format(dir, n, n, n ~ 1, n % 3))
        local said, count = f:read(), 0
        for line in f:lines() do count = count + #line end
        local _, _, status = f:close()
        return said, count, status
      end }
    "#;
    // on one thread, or on two that hold nothing that the other one needs
    for (threads, coroutines) in [(1, 60), (2, 1)] {
        files_between(script, threads, coroutines);
    }
}

fn files_between(script: &str, threads: u32, coroutines: u32) {
    let count = u64::from(threads * coroutines);
    let folder = tempfile::tempdir().expect("a folder");
    let fifos = (0..count).map(|n| folder.path().join(n.to_string()));
    assert!(std::process::Command::new("mkfifo").args(fifos).status().expect("mkfifo").success());
    let dir = folder.path().to_string_lossy().into_owned();
    let task = |n: u64| vec![Value::Int(n as i64), Value::text(dir.as_str())];
    let tasks: Vec<_> = (0..count).map(task).collect();
    let mut bench = Bench::start_with(script, threads, coroutines, Bounds::default());
    for (n, outcome) in all(&mut bench, &tasks) {
        let said = Value::text(format!("of {}", n ^ 1));
        assert_eq!(values(&outcome), [said, Value::Int(4), Value::Int(n as i64 % 3)]);
    }
    assert!(bench.lines.is_empty(), "{:?}", bench.lines);
}

fn ten_thousand() {
    let script = "return { worker = function(n) sleep(0.5) return n end }";
    let mut bench = Bench::start_with(script, 1, 10_000, Bounds::default());
    let before = mpms::os::memory::rss(bench.process.pid).unwrap_or(0);
    let first = bench.send(&numbers(10_000));
    crate::bench::wait_until("all run", || bench.running().len() == 10_000);
    let during = mpms::os::memory::rss(bench.process.pid).expect("it lives");
    for _ in 0..10_000 {
        let outcome = bench.outcome().expect("it lives");
        assert_eq!(values(&outcome), [Value::Int((outcome.handle.bits() - first) as i64)]);
    }
    let each = during.saturating_sub(before) / 10_000;
    // of which Lua's own is a coroutine of 1 KiB and its stack
    assert!(each < 5_000, "{each} bytes each");
}

fn holds_up() {
    let script = r#"return { worker = function(n)
      if n == 0 then sleep(0.05) local t = os.clock() while os.clock() - t < 0.3 do end else sleep(0.5) end
    end }"#;
    let mut bench = Bench::start_with(script, 1, 10, Bounds::default());
    bench.send(&numbers(3));
    let computing =
        |bench: &Bench| bench.process.slots.iter().filter(|slot| slot.computes_since().is_some()).count();
    crate::bench::wait_until("one computes and all run", || {
        computing(&bench) == 1 && bench.running().len() == 3
    });
    for _ in 0..3 {
        bench.outcome().expect("it lives");
    }
    assert_eq!(computing(&bench), 0);
}

fn stop() {
    let script = "return { worker = function(n) sleep(0.02) return n end, exit = function() mpms.log.info('exit') end }";
    let mut bench = Bench::start_with(script, 2, 20, Bounds::default());
    bench.send(&numbers(300));
    bench.stop();
    let mut count = 0;
    while let Some(outcome) = bench.outcome() {
        assert_eq!(code(&outcome), "none");
        count += 1;
    }
    assert_eq!(count, 300);
    assert_eq!(bench.lines.iter().filter(|line| line.text == "exit").count(), 2);
    assert!(bench.end().contains("status 0"), "{}", count);
}
