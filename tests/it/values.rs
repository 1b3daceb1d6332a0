//! What crosses exactly, and what cannot cross.

use crate::job::Job;

/// A task whose result cannot cross fails, with the place in the message; the other succeeds.
fn refused(expression: &str, message: &str) {
    let script =
        format!("return {{ worker = function(n) if n == 2 then return 1 end return {expression} end }}");
    let done = Job::new().range(1, 2).processes(1).script(&script).run();
    done.exit(1).says("1 ok, 1 failed").says(message);
}

#[test]
fn what_cannot_cross_fails_its_task_with_the_place() {
    refused("{ a = { print } }", "result.a[1] is a function");
    refused("1, { x = coroutine.create(print) }", "result[2].x is a coroutine");
    refused("io.open('/dev/null')", "result is a userdata");
    refused(
        "(function() local t = {} t.next = { t } return t end)()",
        "result.next[1] is a table that contains itself",
    );
    refused(
        "(function() local t = {} for _ = 1, 300 do t = { t } end return t end)()",
        "nested deeper than 200",
    );
    refused("('x'):rep(64 * 1024 * 1024)", "larger than 64 MiB");
    refused("('x'):rep(1024 * 1024 * 1024)", "larger than 64 MiB");
    refused("('x'):rep(1 << 62)", "resulting string too large");
}

#[test]
fn what_cannot_be_put_raises_where_it_was_put() {
    let script = r#"return {
      tasks = function(put)
        for _, bad in ipairs { { a = print }, { function() end }, { ("x"):rep(65 << 20) } } do
          local ok, problem = pcall(put, 1, bad)
          assert(not ok and problem.code == "value", "a bad put was taken")
          mpms.log.warn(problem.message)
        end
        put(1)
      end,
      worker = function(n)
        local ok, problem = pcall(task.put, { f = print })
        assert(not ok and problem.message:find("put: argument.f is a function", 1, true), problem)
        ok, problem = pcall(emit, { g = print })
        assert(not ok and problem.message:find("emit: row.g is a function", 1, true), problem)
      end,
    }"#;
    let done = Job::new().processes(1).script(script).set("tasks", "script = 'job.lua'").run();
    done.exit(0).says("put: argument[2].a is a function").says("put: argument[2][1] is a function");
    done.says("larger than 64 MiB");
}

#[test]
fn every_value_crosses_exactly_and_twice() {
    // a description that tells apart whatever Lua can tell apart
    let script = r#"
      local function describe(value)
        local kind = math.type(value) or type(value)
        if kind == "integer" then return "i" .. string.pack("<i8", value):gsub(".", function(c) return ("%02x"):format(c:byte()) end) end
        if kind == "float" then return "f" .. string.pack("<d", value):gsub(".", function(c) return ("%02x"):format(c:byte()) end) end
        if kind == "string" then return "s" .. value:gsub(".", function(c) return ("%02x"):format(c:byte()) end) end
        if kind ~= "table" then return kind .. tostring(value) end
        local parts = { }
        for key, item in next, value do parts[#parts + 1] = describe(key) .. "=" .. describe(item) end
        table.sort(parts)
        return "{" .. table.concat(parts, ",") .. "}"
      end
      local function values()
        local all = { }
        for byte = 0, 255 do all[byte + 1] = string.char(byte) end
        return 0/0, -(0/0), 1/0, -1/0, -0.0, 0.0, 0, 1.0, 1, math.maxinteger, math.mininteger, 2^53, 2^63, 5e-324,
          true, false, "", "\0", "a\0b\r\n", table.concat(all), ("z"):rep(70000), { }, { { } }, { 1, 2, 3 },
          { nil, 2, nil, 4 }, { [1] = 1, [3] = 3, [100] = 100 }, { 1, 2, x = 3, [-1] = 4, [2.5] = 5, [true] = 6 },
          { [0] = 0, [1] = 1 }, { [math.mininteger] = 1, [math.maxinteger] = 2 }, { ["1"] = 1, [1] = 2 },
          { a = { b = { c = { 0/0, -0.0 } } } }, nil, false, nil
      end
      local function all(...)
        local parts = { }
        for i = 1, select('#', ...) do parts[i] = describe((select(i, ...))) end
        return table.concat(parts, ";")
      end
      return {
        tasks = function(put) put(values()) end,
        worker = function(...)
          assert(all(...) == all(values()), "changed on the way to the worker")
          assert(select('#', ...) == select('#', values()), "trailing nils were lost")
          return ...
        end,
        handler = function(meta, ...)
          assert(all(...) == all(values()), "changed on the way to the handler")
          assert(all(table.unpack(meta.task, 1, select('#', values()))) == all(values()), "meta.task has changed")
          meta.same = true
        end,
        finish = function(meta) return tostring(meta.same) end,
      }"#;
    let done =
        Job::new().processes(1).script(script).set("tasks", "script = 'job.lua'").meta("same = false").run();
    done.exit(0).finished_with("true");
}

#[test]
fn shared_tables_cross_as_copies() {
    let script = r#"return {
      worker = function() local shared = { 1 } return { shared, shared } end,
      handler = function(meta, pair) assert(pair[1] ~= pair[2] and pair[1][1] == pair[2][1]) end }"#;
    Job::new().range(1, 3).processes(1).script(script).run().exit(0);
}

#[test]
fn large_values_of_many_threads_pass_one_frame_each() {
    let script = r#"return {
      worker = function(n) return n, (string.char(64 + n)):rep(30 << 20) end,
      handler = function(meta, n, text)
        assert(#text == 30 << 20 and text:byte(1) == 64 + n and text:byte(-1) == 64 + n)
        meta.sum = meta.sum + n
      end,
      finish = function(meta) return tostring(meta.sum) end }"#;
    let done = Job::new().range(1, 16).processes(1).threads(8).meta("sum = 0").script(script).run();
    done.exit(0).finished_with("136").never_says("CRASH");
}

#[test]
fn large_tasks_pass_too() {
    let script = r#"return {
      tasks = function(put) for n = 1, 8 do put(n, ("x"):rep((60 << 20) + n)) end end,
      worker = function(n, text) assert(#text == (60 << 20) + n) return n end,
      handler = function(meta, n) meta.sum = meta.sum + n end,
      finish = function(meta) return tostring(meta.sum) end }"#;
    let job =
        Job::new().processes(1).threads(2).meta("sum = 0").script(script).set("tasks", "script = 'job.lua'");
    job.run().exit(0).finished_with("36");
}

#[test]
fn what_a_task_leaves_besides_its_result_is_bounded_with_it() {
    for worker in [
        "for _ = 1, 3 do emit(('x'):rep(30 << 20)) end",
        "for _ = 1, 3 do task.put(('x'):rep(30 << 20)) end",
        "emit(('x'):rep(40 << 20)) return ('x'):rep(40 << 20)",
    ] {
        let script = format!("return {{ worker = function(n) if n == 1 then {worker} end end }}");
        let done = Job::new().range(1, 3).processes(1).threads(1).script(&script).run();
        done.exit(1).says("2 ok, 1 failed").says("64 MiB").never_says("CRASH");
    }
}

#[test]
fn long_words_of_a_task_are_cut_not_deadly() {
    for worker in [
        "error(('x'):rep(80 << 20))",
        "print(('x'):rep(80 << 20)) error('here')",
        "mpms.log.info(('x'):rep(80 << 20)) error('here')",
        "mpms.log.info('m', { field = ('x'):rep(80 << 20) }) error('here')",
        "task.progress(1, 2, ('x'):rep(80 << 20)) error('here')",
    ] {
        let script = format!("return {{ worker = function(n) if n == 1 then {worker} end end }}");
        let done = Job::new().range(1, 3).processes(1).threads(1).script(&script).run();
        done.exit(1).says("2 ok, 1 failed").says("lua_error").never_says("CRASH");
        assert!(done.stderr.len() < 1 << 20, "{} bytes on standard error", done.stderr.len());
    }
}
