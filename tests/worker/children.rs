//! `mpms.co`: coroutines within a task, with and without coroutines around it.

use std::time::{Duration, Instant};

use mpms::model::event::Level;
use mpms::model::{Value, Verdict};
use mpms::wire::to_worker::Bounds;

use crate::bench::{Bench, MS, timeout};

pub const ALL: &[crate::Case] = &[
    ("children_do_what_each_function_says", functions),
    ("wrong_arguments_of_co_are_named", wrong_arguments),
    ("children_end_with_their_task_however_it_ends", they_end),
    ("children_that_do_not_end_are_ended", they_are_ended),
    ("what_nobody_waited_for_is_told", unheard),
    ("a_thousand_children_wait_at_the_same_time", a_thousand),
    ("children_draw_their_own_numbers_which_are_the_same_in_each_run", random),
    ("init_and_exit_have_children_too", in_roles),
];

const KINDS: &str = r#"
local co = mpms.co
local function wait(v, s) sleep(s or 0.002) return v end
local function fails(message, s) return function() sleep(s or 0.001) error(message, 0) end end
local function slow(log) return function()
  local ok, e = pcall(sleep, 60)
  log[#log + 1] = e.code
  error(e, 0)
end end
local kinds = {
  spawn = function()
    local h = co.spawn(function(a, b) sleep(0.002) return a + b, "more" end, 1, 2)
    local before = h:status()
    local n, more = h:await()
    return before, n, more, h:status(), (h:await())
  end,
  await_error = function()
    local e = { code = "mine" }
    local h = co.spawn(function() sleep(0.001) error(e) end)
    local ok, raised = pcall(h.await, h)
    return ok, raised == e, h:status()
  end,
  cancel = function()
    local log = {}
    local h = co.spawn(slow(log))
    sleep(0.005)
    h:cancel()
    local ok, e = pcall(h.await, h)
    return ok, e.code, h:status(), log[1]
  end,
  cancel_before_it_begins = function()
    local began = false
    local h = co.spawn(function() began = true end)
    h:cancel()
    local ok, e = pcall(h.await, h)
    return began, ok, e.code, h:status()
  end,
  cancelled_for_good = function()
    local codes = {}
    local h = co.spawn(function() for i = 1, 3 do codes[i] = select(2, pcall(sleep, 60)).code end return "went on" end)
    sleep(0.002)
    h:cancel()
    return h:await(), table.concat(codes, " "), h:status()
  end,
  cancel_done = function() local h = co.spawn(wait, 1) h:await() h:cancel() return h:status() end,
  itself = function()
    local h
    h = co.spawn(function() return h:await() end)
    local ok, e = pcall(h.await, h)
    return ok, e.code, e.message
  end,
  all = function()
    local r = co.all { function() return wait("a", 0.01) end, function() return wait("b") end }
    return r[1], r[2], #co.all {}
  end,
  all_error = function()
    local log = {}
    local ok, e = pcall(co.all, { slow(log), fails("first", 0.005), fails("second", 10), slow(log) })
    return ok, e, table.concat(log, " ")
  end,
  map = function()
    local now, most = 0, 0
    local r = co.map({ 5, 4, 3, 2, 1 }, function(v, i)
      now = now + 1
      most = math.max(most, now)
      sleep(v / 1000)
      now = now - 1
      return v * 10 + i
    end, { concurrency = 2 })
    return table.concat(r, " "), most
  end,
  map_error = function()
    local count = 0
    local ok, e = pcall(co.map, { 1, 2, 3, 4, 5, 6 }, function(v)
      count = count + 1
      sleep(0.001)
      if v == 3 then error("three", 0) end
    end, { concurrency = 1 })
    return ok, e, count
  end,
  race = function()
    local log = {}
    local a, b = co.race { slow(log), function() return wait("fast"), 2 end }
    return a, b, log[1]
  end,
  race_error = function() return select(2, pcall(co.race, { function() return wait(1, 1) end, fails("lost") })) end,
  timeout = function()
    local log = {}
    local ok, e = pcall(co.timeout, "20ms", slow(log))
    local a, b = co.timeout(5, function(...) sleep(0.001) return ... end, 1, 2)
    return ok, e.code, e.message, e.op, log[1], a, b
  end,
  timeout_error = function() return select(2, pcall(co.timeout, 5, fails("inside"))) end,
  nested = function()
    return co.timeout(5, function()
      return co.all { function() return co.map({ 1, 2 }, wait)[2] end, function() return co.race { wait } end }[1]
    end)
  end,
  scope = function()
    local order = {}
    local result = co.scope(function(s)
      for i = 1, 3 do
        -- each behind the one that was started after it
        s:spawn(function() repeat sleep(0.001) until #order == 4 - i order[#order + 1] = i end)
      end
      order[#order + 1] = "body"
      return "result"
    end)
    return result, table.concat(order, " ")
  end,
  scope_error = function()
    local log = {}
    local ok, e = pcall(co.scope, function(s)
      s:spawn(slow(log))
      s:spawn(fails("in scope"))
      sleep(60)
    end)
    return ok, e, #log
  end,
  channel = function()
    local ch, got, sent = co.channel(2), {}, 0
    local producer = co.spawn(function()
      for i = 1, 5 do ch:put(i) sent = i end
      ch:close()
    end)
    sleep(0.002)
    local ahead = sent
    for v in ch:values() do got[#got + 1] = v end
    producer:await()
    return ahead, table.concat(got, " "), ch:get(), ch:size()
  end,
  channel_timeout = function()
    local v, why = co.channel():get(0.002)
    return v, why
  end,
  channel_closed = function()
    local ch = co.channel(1)
    ch:put(1)
    ch:close()
    local e = select(2, pcall(ch.put, ch, 2))
    return e.code, ch:get(), ch:get()
  end,
  many_readers = function()
    local ch, sum = co.channel(1), 0
    return co.scope(function(s)
      for _ = 1, 10 do s:spawn(function() for v in ch:values() do sleep(0.0001) sum = sum + v end end) end
      s:spawn(function() for i = 1, 100 do ch:put(i) end ch:close() end)
      sleep(0.001)
      for _ = 1, 1000 do if sum == 5050 then break end sleep(0.005) end
      return sum
    end)
  end,
  task_in_child = function()
    return co.all { function() sleep(0.001) task.put(1) emit { a = 1 } return task.args[1] end }[1]
  end,
  skip_in_child = function() co.all { function() sleep(0.001) task.skip("from a child") end } end,
  coroutines_in_children = function()
    local r = co.all {
      function()
        local t = {}
        for v in coroutine.wrap(function() for i = 1, 3 do sleep(0.001) coroutine.yield(i) end end) do t[#t + 1] = v end
        return table.concat(t)
      end,
      function() return (string.gsub("ab", "%w", function(c) sleep(0.001) return c .. c end)) end,
    }
    return r[1], r[2]
  end,
  same_time = function()
    local t = mpms.time.mono()
    co.map({ 1, 2, 3, 4, 5, 6, 7, 8 }, function() sleep(0.4) end)
    return mpms.time.mono() - t < 3
  end,
  -- woken and cancelled in one go; its number comes to the next one
  cancelled_while_woken = function()
    local ch = co.channel(1)
    local h = co.spawn(function() ch:get() end)
    sleep(0.002)
    ch:put(1)
    h:cancel()
    sleep(0.002)
    return h:status(), co.spawn(wait, "next"):await()
  end,
  sleep = function()
    local h = co.spawn(wait, "meanwhile")
    for _ = 1, 1000 do if h:status() == "running" then co.sleep(0.005) end end
    return h:status()
  end,
  no_child_without_a_wait = function()
    local began = false
    co.spawn(function() began = true end)
    return began
  end,
}
return { worker = function(kind) return kinds[kind]() end }
"#;

fn text(text: &str) -> Value {
    Value::text(text)
}

fn functions() {
    let (no, yes) = (Value::Bool(false), Value::Bool(true));
    let expected = [
        ("spawn", vec![text("running"), Value::Int(3), text("more"), text("done"), Value::Int(3)]),
        ("await_error", vec![no.clone(), yes.clone(), text("failed")]),
        ("cancel", vec![no.clone(), text("cancelled"), text("cancelled"), text("cancelled")]),
        ("cancel_before_it_begins", vec![no.clone(), no.clone(), text("cancelled"), text("cancelled")]),
        ("cancelled_for_good", vec![text("went on"), text("cancelled cancelled cancelled"), text("done")]),
        ("cancel_done", vec![text("done")]),
        ("itself", vec![no.clone(), text("busy"), text("a coroutine cannot wait for itself")]),
        ("all", vec![text("a"), text("b"), Value::Int(0)]),
        ("all_error", vec![no.clone(), text("first"), text("cancelled cancelled")]),
        ("map", vec![text("51 42 33 24 15"), Value::Int(2)]),
        ("map_error", vec![no.clone(), text("three"), Value::Int(3)]),
        ("race", vec![text("fast"), Value::Int(2), text("cancelled")]),
        ("race_error", vec![text("lost")]),
        (
            "timeout",
            vec![
                no.clone(),
                text("timeout"),
                text("timeout after 20ms"),
                text("co.timeout"),
                text("cancelled"),
                Value::Int(1),
                Value::Int(2),
            ],
        ),
        ("timeout_error", vec![text("inside")]),
        ("nested", vec![Value::Int(2)]),
        ("scope", vec![text("result"), text("body 3 2 1")]),
        ("scope_error", vec![no.clone(), text("in scope"), Value::Int(1)]),
        ("channel", vec![Value::Int(2), text("1 2 3 4 5"), Value::Nil, Value::Int(0)]),
        ("channel_timeout", vec![Value::Nil, text("timeout")]),
        ("channel_closed", vec![text("closed"), Value::Int(1), Value::Nil]),
        ("many_readers", vec![Value::Int(5050)]),
        ("task_in_child", vec![text("task_in_child")]),
        ("coroutines_in_children", vec![text("123"), text("aabb")]),
        ("same_time", vec![yes]),
        ("cancelled_while_woken", vec![text("cancelled"), text("next")]),
        ("sleep", vec![text("done")]),
        ("no_child_without_a_wait", vec![no]),
    ];
    for coroutines in [1, 40] {
        let mut bench = Bench::start_with(KINDS, 1, coroutines, Bounds::default());
        for (kind, values) in &expected {
            assert_eq!(bench.values(kind), *values, "{kind}, {coroutines} coroutines");
        }
        assert_eq!(bench.run(&[text("skip_in_child")]), Verdict::Skipped("from a child".into()));
    }
}

fn wrong_arguments() {
    let script = r#"
      local co = mpms.co
      local calls = {
        { co.all, 5 }, { co.all, { 1 } }, { co.map, 1, print }, { co.map, {}, 1 }, { co.map, {}, print, { concurency = 1 } },
        { co.map, {}, print, { concurrency = 0 } }, { co.race, {} }, { co.timeout, "soon", print }, { co.timeout, 1 },
        { co.scope }, { co.spawn }, { co.spawn, "x" }, { co.channel, 0 }, { co.channel, "x" }, { co.sleep, -1 },
      }
      return { worker = function()
        local texts = {}
        for _, call in ipairs(calls) do
          local ok, e = pcall(table.unpack(call))
          texts[#texts + 1] = (ok and "passed" or e.code) .. " " .. tostring(e)
        end
        local ok, e = pcall(function() return co.spwan end)
        texts[#texts + 1] = e.code .. " " .. tostring(e)
        local ok, e = pcall(function() return co.channel():put(nil) end)
        texts[#texts + 1] = e.code .. " " .. tostring(e)
        return table.unpack(texts)
      end }
    "#;
    let expected = [
        "invalid co.all: argument 1 (functions) must be a list of functions, got number",
        "invalid co.all: argument 1 (functions) must be a list of functions, its item 1 is a number",
        "invalid co.map: argument 1 (list) must be a table, got number",
        "invalid co.map: argument 2 must be a function, got number",
        "invalid co.map: unknown option `concurency`; it knows concurrency",
        "invalid co.map: option `concurrency` must be an integer from 1",
        "invalid co.race: argument 1 (functions) must have a function at least",
        "invalid co.timeout: argument 1 must be",
        "invalid co.timeout: argument 2 must be a function, got nil",
        "invalid co.scope: argument 1 must be a function, got nil",
        "invalid co.spawn: argument 1 (f) must be a function, got nil",
        "invalid co.spawn: argument 1 (f) must be a function, got string",
        "invalid co.channel: argument 1 (size) must be an integer from 1 to 1000000",
        "invalid co.channel: argument 1 (size) must be an integer from 1 to 1000000",
        "invalid co.sleep: argument 1 must be",
        "invalid mpms.co: `mpms.co` has no function `spwan`; did you mean `spawn`?",
        "invalid co.Channel:put: argument 1 (value) must not be nil: that is the end",
    ];
    for coroutines in [1, 4] {
        let mut bench = Bench::start_with(script, 1, coroutines, Bounds::default());
        let found = bench.values("x");
        assert_eq!(found.len(), expected.len(), "{found:#?}");
        for (found, expected) in found.iter().zip(expected) {
            let Value::Bytes(found) = found else { panic!("{found:?}") };
            let found = String::from_utf8_lossy(found);
            assert!(found.starts_with(expected), "{found}\nexpected {expected}");
        }
    }
}

fn they_end() {
    let script = r#"
      local co, log = mpms.co, {}
      local function child(name)
        local x <close> = setmetatable({}, { __close = function() log[#log + 1] = name .. " closed" end })
        local ok, e = pcall(sleep, 60)
        log[#log + 1] = name .. " " .. e.code
      end
      local ends = {
        returns = function() co.spawn(child, "a") co.spawn(child, "b") sleep(0.002) return 1 end,
        raises = function() co.spawn(child, "a") sleep(0.002) error("e") end,
        skips = function() co.spawn(child, "a") sleep(0.002) task.skip("s") end,
        grandchild = function() co.spawn(function() co.spawn(child, "a") sleep(60) end) sleep(0.002) end,
        spawns_late = function() co.spawn(function() pcall(sleep, 60) co.spawn(child, "late") end) sleep(0.002) end,
        deferred = function() task.defer(function() co.spawn(child, "deferred") sleep(0.002) end) end,
        not_begun = function() co.spawn(child, "never") end,
        log = function()
          local text = table.concat(log, ", ")
          log = {}
          return text
        end,
      }
      return { worker = function(kind) return ends[kind]() end }
    "#;
    let expected = [
        ("returns", "a cancelled, a closed, b cancelled, b closed"),
        ("raises", "a cancelled, a closed"),
        ("skips", "a cancelled, a closed"),
        ("grandchild", "a cancelled, a closed"),
        ("spawns_late", ""),
        ("deferred", "deferred cancelled, deferred closed"),
        ("not_begun", ""),
    ];
    for coroutines in [1, 4] {
        let mut bench = Bench::start_with(script, 1, coroutines, timeout(10_000 * MS));
        for (kind, log) in expected {
            let verdict = bench.run(&[text(kind)]);
            let fits = match kind {
                "raises" => matches!(verdict, Verdict::Failed(_)),
                "skips" => matches!(verdict, Verdict::Skipped(_)),
                _ => matches!(verdict, Verdict::Done(_)),
            };
            assert!(fits, "{kind}: {verdict:?}");
            assert_eq!(bench.values("log"), [text(log)], "{kind}, {coroutines} coroutines");
        }
    }
}

fn they_are_ended() {
    let script = r#"
      local co = mpms.co
      local ends = {
        stubborn = function() co.spawn(function() while true do pcall(sleep, 60) end end) sleep(0.002) return 1 end,
        loop = function() co.spawn(function() pcall(sleep, 60) while true do end end) sleep(0.002) return 1 end,
        both = function() co.spawn(function() pcall(sleep, 60) while true do pcall(error) end end) sleep(60) end,
        blocked = function()
          co.spawn(function() string.gsub("a", "a", function() while true do pcall(sleep, 60) end end) end)
          sleep(0.002)
          return 1
        end,
        fine = function() return 7 end,
      }
      return { worker = function(kind) return ends[kind]() end }
    "#;
    for coroutines in [1, 4] {
        // 250 ms for what is left when a task has ended
        let mut bench = Bench::start_with(script, 1, coroutines, timeout(600 * MS));
        for kind in ["stubborn", "loop", "both", "blocked"] {
            let start = Instant::now();
            let verdict = bench.run(&[text(kind)]);
            let elapsed = start.elapsed();
            assert!(elapsed < Duration::from_secs(20), "{kind}: {elapsed:?}");
            match kind {
                "both" => assert!(
                    matches!(&verdict, Verdict::Failed(failure) if failure.code == "timeout"),
                    "{verdict:?}"
                ),
                "blocked" => {}
                _ => assert!(matches!(verdict, Verdict::Done(_)), "{kind}: {verdict:?}"),
            }
            assert_eq!(bench.values("fine"), [Value::Int(7)], "after {kind}, {coroutines} coroutines");
        }
    }
}

fn unheard() {
    let script = r#"
      local co = mpms.co
      return { worker = function(kind)
        local h = co.spawn(function() error("nobody hears", 0) end)
        sleep(0.002)
        if kind == "heard" then pcall(h.await, h) end
        co.spawn(function() sleep(60) end)
      end }
    "#;
    for coroutines in [1, 4] {
        let mut bench = Bench::start_with(script, 1, coroutines, Bounds::default());
        bench.values("heard");
        assert!(bench.lines.is_empty(), "{:?}", bench.lines);
        bench.values("unheard");
        bench.values("heard");
        let told: Vec<_> = bench.lines.iter().map(|line| (line.level, line.text.as_str())).collect();
        let expected = "a coroutine for which nobody waited raised: nobody hears";
        assert_eq!(told, [(Level::Error, expected)], "{coroutines} coroutines");
        assert!(bench.lines[0].task.is_some());
    }
}

fn a_thousand() {
    let script = r#"
      return { worker = function()
        local list = {}
        for i = 1, 1000 do list[i] = i end
        local r = mpms.co.map(list, function(v) sleep(0.2) return v end, { concurrency = 1000 })
        for i = 1, 1000 do assert(r[i] == i) end
        return #r
      end }
    "#;
    for coroutines in [1, 4] {
        let mut bench = Bench::start_with(script, 1, coroutines, Bounds::default());
        let start = Instant::now();
        assert_eq!(bench.values("x"), [Value::Int(1000)]);
        assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
    }
}

fn random() {
    let script = r#"
      return { worker = function()
        local r = mpms.co.map({ 3, 1, 2 }, function(ms)
          local a = math.random(1 << 40)
          sleep(ms / 1000)
          return a .. " " .. math.random(1 << 40)
        end)
        return r[1], r[2], r[3], math.random(1 << 40)
      end }
    "#;
    let mut found = Vec::new();
    for coroutines in [1, 1, 50] {
        let mut bench = Bench::start_with(script, 1, coroutines, Bounds::default());
        found.push(bench.values("x"));
    }
    assert_eq!(found[0], found[1]);
    assert_eq!(found[0], found[2]);
    assert_ne!(found[0][0], found[0][1]);
}

fn in_roles() {
    let script = r#"
      local co, sum = mpms.co, 0
      local function add(v) sleep(0.001) sum = sum + v end
      return {
        init = function() co.map({ 1, 2, 3 }, add) co.spawn(add, 100) end,
        worker = function() return sum end,
        exit = function()
          co.map({ 1 }, add)
          co.spawn(function() pcall(sleep, 60) mpms.log.info("sum " .. sum) end)
          sleep(0.002)
        end,
      }
    "#;
    for coroutines in [1, 4] {
        let mut bench = Bench::start_with(script, 1, coroutines, Bounds::default());
        assert_eq!(bench.values("x"), [Value::Int(6)], "what `init` left behind ended with it");
        bench.stop();
        bench.end();
        let told: Vec<_> = bench.lines.iter().map(|line| line.text.as_str()).collect();
        assert_eq!(told, ["sum 7"]);
    }
}
