-- Of mpms.test itself: every function, with what it takes and what it refuses. The Rust test of the repository's specs runs
-- this file too.

local fs, path, http = require "mpms.fs", require "mpms.path", require "mpms.http"

-- A script in a folder of its own.
local function script(text)
  local file = path.join(test.tmp(), "job.lua")
  fs.write(file, text)
  return file
end

local function refused(code, pattern, f, ...)
  local ok, e = pcall(f, ...)
  assert.is_false(ok, "it was not refused")
  assert.equal(code, e.code, tostring(e))
  assert.matches(pattern, tostring(e))
end

describe("test.worker", function()
  it("gives results and what the task did", function()
    local job = script [[
      return {
        init = function(meta) first = meta.first end,
        worker = function(a, b)
          print("printed", a)
          mpms.log.warn("logged", { b = b })
          task.progress(1, 4) task.progress(4, 4, "done")
          task.put("x", 1)
          task.put_with({ key = "k", priority = 5, delay = "2s" }, { deep = true })
          emit { row = a }
          task.defer(function() print "deferred" end)
          return first, job.params.p, task.args, task.attempt, task.max_attempts, task.key, task.id, b
        end,
        exit = function() print "exit" end,
      }]]
    local result, effects = test.worker(job, { "a", 2 }, { first = "of init" },
      { params = { p = 7 }, attempt = 2, max_attempts = 3, key = "key", id = 9 })
    assert.equal("of init", result)
    assert.same({ "of init", 7, { "a", 2 }, 2, 3, "key", effects.results[7], 2 }, effects.results)
    assert.is_string(effects.results[7])
    assert.same({ { "x", 1 }, { { deep = true }, key = "k", priority = 5, delay = 2 } }, effects.puts)
    assert.same({ { row = "a" } }, effects.emits)
    assert.same({ { done = 1, total = 4 }, { done = 4, total = 4, message = "done" } }, effects.progress)
    assert.same({
      { level = "print", text = "printed\ta", fields = {} },
      { level = "warn", text = "logged", fields = { b = "2" } },
      { level = "print", text = "deferred", fields = {} },
      { level = "print", text = "exit", fields = {} },
    }, effects.logs)
    assert.same({}, effects.retries)
    assert.is_nil(effects.verb)
    assert.is_nil(effects.error)
  end)

  it("says how a task ended itself", function()
    local job = script [[
      return function(what, ...) task.put("dropped") emit "dropped" if what == "die" then task.die(...) return end task[what](...) end]]
    local function play(...) return select(2, test.worker(job, { ... })) end
    local effects = play("retry", { after = "5s", reason = "later" })
    assert.same({ "retry", "later", 5 }, { effects.verb, effects.reason, effects.after })
    assert.same({ { after = 5, reason = "later" } }, effects.retries)
    assert.same({}, effects.puts)
    assert.same({}, effects.emits)
    effects = play("skip", "nothing to do")
    assert.same({ "skip", "nothing to do" }, { effects.verb, effects.reason })
    assert.is_nil(effects.error)
    effects = play("fail", "bad", { retry = true })
    assert.same({ "fail", "bad", "failed", true },
      { effects.verb, effects.reason, effects.error.code, effects.error.retryable })
    effects = play("abort", "stop it all")
    assert.same({ "abort", "stop it all" }, { effects.verb, effects.reason })
    effects = play("die", "tired")
    assert.equal("tired", effects.died)
    assert.same({ { "dropped" } }, effects.puts)
  end)

  it("knows what attempts before have saved", function()
    local job = script [[
      return function()
        local before = task.state
        task.save({ page = (before and before.page or 0) + 1 })
        mpms.fs.write(mpms.path.join(task.dir, "x"), "x")
        task.cancel("other")
        if not before then error "no" end
      end]]
    local _, effects = test.worker(job, {})
    assert.same({ page = 1 }, effects.saved)
    assert.same({}, effects.cancels)
    _, effects = test.worker(job, {}, {}, { state = effects.saved, attempt = 2 })
    assert.same({ page = 2 }, effects.saved)
    assert.same({ "other" }, effects.cancels)
    _, effects = test.worker(script "return function() return task.cancelled() end", {}, {}, { cancelled = true })
    assert.same({ true }, effects.results)
    assert.is_nil(effects.saved)
  end)

  it("gives errors as they reach the engine", function()
    local function code(text, ...)
      local result, effects = test.worker(script(text), { ... })
      assert.is_nil(result)
      return effects.error.code, effects.error.message, effects.error.traceback
    end
    local found, message, traceback = code "return function() error 'boom' end"
    assert.equal("lua_error", found)
    assert.matches("job.lua:1: boom$", message)
    assert.matches("job.lua:1: in function", traceback)
    assert.equal("x", (code "return function() error { code = 'x', message = 'm' } end"))
    assert.equal("syntax", (code "return function( end"))
    assert.equal("lua_error", (code "error 'at the top'"))
    assert.equal("role", (code "return { tasks = function() end }"))
    assert.equal("role", (code "return { wroker = function() end }"))
    assert.equal("value", (code "return function() return print end"))
    assert.equal("lua_error", (code "return { init = function() error 'no' end, worker = function() end }"))
    _, message = code "return { init = function() error 'no' end, worker = print }"
    assert.matches("role `init` raised", message)
  end)

  it("keeps one call apart from the next, and all from the spec", function()
    local job = script "count = (count or 0) + 1 return function() return count, leak end"
    rawset(_G, "leak", "of the spec")
    for _ = 1, 3 do
      local _, effects = test.worker(job, {})
      assert.same({ 1 }, effects.results)
    end
    rawset(_G, "leak", nil)
  end)

  it("runs beside others in coroutines", function()
    local job = script "return function(n) sleep(0.01) return n end"
    local results = mpms.co.map({ 1, 2, 3, 4 }, function(n) return (test.worker(job, { n })) end)
    assert.same({ 1, 2, 3, 4 }, results)
  end)

  it("runs in another folder, alone", function()
    local dir = test.tmp()
    local job = script [[
      return function()
        pcall(sleep, 0.02)
        local file <close> = io.open("here", "w")
        file:write("x")
        return job.dir
      end]]
    assert.equal(fs.stat(dir) and dir, (test.worker(job, {}, {}, { dir = dir })))
    assert.equal("x", fs.read(path.join(dir, "here")))
    for _ = 1, 10 do
      refused("busy", "one role runs at a time", mpms.co.all, {
        function() test.worker(job, {}, {}, { dir = dir }) end,
        function() test.worker(job, {}, {}, { dir = dir }) end,
      })
    end
    assert.is_true(fs.exists "Cargo.toml" or fs.exists "tests")
    -- one that is given up writes nothing into the folder of the tests
    sleep(0.1)
    assert.is_false(fs.exists "here")
  end)

  it("ends when nobody waits for it any more", function()
    local file = path.join(test.tmp(), "late")
    local job = script "return function(file) sleep(0.2) mpms.fs.write(file, 'x') end"
    for _ = 1, 10 do
      assert.error_matches(function()
        mpms.co.all { function() test.worker(job, { file }) end, function() error "no more" end }
      end, "no more")
    end
    sleep(0.4)
    assert.is_false(fs.exists(file))
  end)

  it("draws the same numbers from the same seed and task", function()
    local job = script "return function() return math.random(1, 1e9) end"
    local function draw(options) return (test.worker(job, {}, {}, options)) end
    assert.equal(draw(), draw())
    assert.not_equal(draw(), draw { seed = 1 })
    assert.not_equal(draw(), draw { id = 2 })
    local first = draw()
    test.seed(1)
    assert.not_equal(first, draw())
    assert.equal(draw { seed = 1 }, draw())
  end)

  it("refuses what it does not know", function()
    local job = script "return print"
    refused("invalid", "unknown option `atempt`; did you mean `attempt`", test.worker, job, {}, {}, { atempt = 1 })
    refused("invalid", "argument 2 %(args%) must be a table", test.worker, job, 5)
    refused("invalid", "argument 1 %(script%) must be a string", test.worker, {}, {})
    refused("not_found", "nonexistent.lua", test.worker, "nonexistent.lua", {})
    refused("not_found", "nowhere", test.worker, job, {}, {}, { dir = "/nowhere" })
    refused("invalid", "args: argument", test.worker, job, { print })
    refused("invalid", "params", test.worker, job, {}, {}, { params = { 1, 2 } })
  end)
end)

describe("test.handler", function()
  local job
  before_each(function()
    job = script [[
      local begun
      return {
        start = function(meta) begun = true meta.started = true end,
        handler = function(meta, a, b)
          meta.seen = { a, b, meta.task and meta.task[1], meta.attempt, meta.worker, meta.duration, begun }
          meta.self:put(a)
          emit(b)
        end,
        failed = function(meta, e) meta.failed = e.code end,
        finish = function(meta, summary) return "in " .. summary.elapsed .. "s" end,
      }]]
  end)

  it("gives meta, puts and rows", function()
    local meta, puts, emits, result = test.handler({ job, args = { "arg" }, attempt = 2, worker = 3, duration = 1.5 },
      { old = 1 }, "a", "b")
    assert.same({ old = 1, started = true, seen = { "a", "b", "arg", 2, 3, 1.5, true } }, meta)
    assert.same({ { "a" } }, puts)
    assert.same({ "b" }, emits)
    assert.is_nil(result)
  end)

  it("plays the other roles of its thread", function()
    assert.equal("timeout", (test.handler({ job, role = "failed" }, {}, { code = "timeout", message = "late" })).failed)
    assert.same({ started = true }, (test.handler({ job, role = "start" })))
    assert.equal("in 2s", (select(4, test.handler({ job, role = "finish" }, {}, { elapsed = 2 }))))
  end)

  it("raises what the role raised", function()
    local bad = script "return { handler = function(meta) meta.task = 1 end, finish = function(meta) meta.self:put(1) end }"
    refused("lua_error", "meta.task is reserved", test.handler, bad, {})
    refused("value", "the run is complete", test.handler, { bad, role = "finish" }, {})
    refused("role", "has no role `failed`", test.handler, { bad, role = "failed" }, {})
    refused("invalid", "must be one of", test.handler, { bad, role = "worker" }, {})
    refused("invalid", "argument 1 %(script%) must be a file", test.handler, {}, {})
    refused("invalid", "unknown option `cancelled`", test.handler, { bad, cancelled = true }, {})
    refused("value", "cannot keep", test.handler, script "return function(meta) meta.f = print end", {})
  end)
end)

describe("test.tasks", function()
  it("gives what the generator puts", function()
    local job = script [[
      return function(put, meta)
        for i = 1, job.params.count do put(i, meta.m) end
        put_with({ key = "k" }, "last")
      end]]
    assert.same({ { 1, "m" }, { 2, "m" }, { "last", key = "k" } }, test.tasks(job, { count = 2 }, { meta = { m = "m" } }))
  end)

  it("stops one that does not end", function()
    local job = script "return function(put) local i = 0 while true do i = i + 1 put(i) end end"
    local tasks = test.tasks(job, {}, { limit = 3 })
    assert.same({ { 1 }, { 2 }, { 3 }, more = true }, tasks)
    assert.equal(1000, #test.tasks(job))
    local silent = script "return function(put) while true do end end"
    refused("timeout", "timeout after 50ms", test.tasks, silent, {}, { timeout = "50ms" })
  end)

  it("has no more when there are as many as it takes", function()
    local tasks = test.tasks(script "return function(put) put(1) put(2) end", {}, { limit = 2 })
    assert.is_nil(tasks.more)
  end)

  it("raises what the generator raised", function()
    refused("lua_error", "no tasks today", test.tasks, script "return function() error 'no tasks today' end")
    refused("lua_error", "global 'emit'", test.tasks, script "return function() emit(1) end")
    refused("invalid", "unknown option", test.tasks, script "return print", {}, { limits = 1 })
  end)
end)

describe("test.http", function()
  it("takes the most exact key", function()
    test.http {
      ["GET https://a.example/x"] = "exact",
      ["https://a.example/x"] = "any method",
      ["GET https://a.example/*"] = "pattern",
      ["GET https://a.example/x*"] = "longer pattern",
      ["*"] = { status = 418 },
    }
    assert.equal("exact", http.get("https://a.example/x").body)
    assert.equal("any method", http.put("https://a.example/x").body)
    assert.equal("longer pattern", http.get("https://a.example/xy").body)
    assert.equal("pattern", http.get("https://a.example/y").body)
    assert.equal(418, http.get("https://b.example/", { allow = { 418 } }).status)
    assert.equal("exact", http.get("https://a.example:443/x#fragment").body)
  end)

  it("answers in every form", function()
    test.http {
      ["GET https://a.example/nothing"] = function() end,
      ["GET https://a.example/function*"] = function(request) return { json = { q = request.query.q, m = request.method } } end,
      ["GET https://a.example/status"] = 204,
      ["GET https://a.example/table"] = { status = 201, body = "b", headers = { ["X-Many"] = { "1", "2" }, ["X-One"] = 3 } },
      ["GET https://a.example/file"] = { file = "test_spec.lua" },
    }
    assert.equal(404, http.get("https://a.example/nothing", { raise = false }).status)
    local reply = http.get "https://a.example/function?q=1"
    assert.same({ q = "1", m = "GET" }, reply:json())
    assert.equal("application/json", reply.headers["Content-Type"])
    assert.same({ 204, "" }, { http.get("https://a.example/status").status, http.get("https://a.example/status").body })
    reply = http.get "https://a.example/table"
    assert.same({ 201, "b", "1, 2", "3" }, { reply.status, reply.body, reply.headers["x-many"], reply.headers["x-one"] })
    assert.matches("^%-%- Of mpms.test", http.get("https://a.example/file").body)
    -- the query belongs to the address
    refused("denied", "mocked is `GET https://a.example/status`", http.get, "https://a.example/status?")
  end)

  it("answers one after the other, and the last again", function()
    test.http { ["GET https://a.example/list"] = { "1", { body = "2" }, 503 } }
    local function get() return http.get("https://a.example/list", { raise = false }) end
    assert.equal("1", get().body)
    assert.equal("2", get().body)
    assert.equal(503, get().status)
    assert.equal(503, get().status)
  end)

  it("fails as it is told", function()
    test.http {
      ["GET https://a.example/raises"] = function() error("in the mock") end,
      ["GET https://a.example/dns"] = { error = "dns" },
      ["GET https://a.example/tls"] = { error = "tls" },
      ["GET https://a.example/denied"] = "deny",
      ["GET https://a.example/no_file"] = { file = "none.html" },
      ["GET https://a.example/unknown"] = { bdoy = "x" },
      ["GET https://a.example/both"] = { body = "x", json = 1 },
    }
    local function code(name)
      local _, e = pcall(http.get, "https://a.example/" .. name)
      return type(e) == "table" and e.code or "lua_error", type(e) == "table" and e.retryable, tostring(e)
    end
    local function text(name) return (select(3, code(name))) end
    assert.matches("in the mock", text "raises")
    assert.same({ "dns", true }, { (select(1, code "dns")), (select(2, code "dns")) })
    assert.is_false((select(2, code "tls")))
    assert.equal("denied", (code "denied"))
    assert.equal("not_found", (code "no_file"))
    assert.matches("the mock `GET https://a.example/unknown`: unknown option `bdoy`", text "unknown")
    assert.matches("only one of", text "both")
    refused("denied", "test.http { %[\"GET https://b.example/\"%] = ", http.get, "https://b.example/")
  end)

  it("refuses keys and replies that are none", function()
    refused("invalid", "has no address", test.http, { ["GET nowhere"] = 200 })
    refused("invalid", "must be a method and an address", test.http, { ["G-T https://a.example/"] = 200 })
    refused("invalid", "must have a reply", test.http, { ["GET https://a.example/"] = true })
    refused("invalid", "must have a reply", test.http, { ["GET https://a.example/"] = 99 })
    refused("invalid", "a key must be", test.http, { 200 })
    refused("invalid", "argument 1 %(rules%) must be", test.http, "alow")
    refused("invalid", "argument 1 %(rules%) must be", test.http)
  end)

  it("answers played scripts too, by functions of the spec", function()
    local seen = {}
    test.http { ["*"] = function(request) seen[#seen + 1] = request.url return "x" end }
    local job = script "return function(url) return require('mpms.http').get(url).body end"
    assert.equal("x", (test.worker(job, { "https://a.example/1" })))
    assert.same({ "https://a.example/1" }, seen)
  end)
end)

describe("test.requests", function()
  it("lists what was asked, the denied too", function()
    test.http { ["POST https://a.example/*"] = 201 }
    http.post("https://a.example/x?q=1", { json = { a = 1 }, headers = { ["X-Own"] = "y" } })
    pcall(http.get, "https://b.example/")
    local first, second = table.unpack(test.requests())
    assert.same({ "POST", "https://a.example/x?q=1", "/x", { q = "1" }, '{"a":1}', 201, "y" }, {
      first.method, first.url, first.path, first.query, first.body, first.status, first.headers["x-own"],
    })
    assert.equal("https://b.example/", second.url)
    assert.is_nil(second.status)
  end)
  it("begins anew in each test", function() assert.same({}, test.requests()) end)
end)

describe("test.clock", function()
  local time = require "mpms.time"

  it("stands still until somebody waits", function()
    test.clock(1000)
    assert.equal(1000, time.now())
    local mono = time.mono()
    sleep "90m"
    time.sleep(10)
    assert.near(1000 + 5410, time.now(), 1e-6)
    assert.near(5410, time.mono() - mono, 1e-6)
    test.clock(5)
    assert.equal(5, time.now())
    assert.is_true(time.mono() >= mono)
    test.clock(false)
    assert.is_true(time.now() > 1e9)
  end)

  it("lets those that wait at the same time wait together", function()
    test.clock(0)
    local order = {}
    mpms.co.all {
      function() sleep(3) order[#order + 1] = 3 end,
      function() sleep(1) order[#order + 1] = 1 sleep(1) order[#order + 1] = 2 end,
    }
    assert.same({ 1, 2, 3 }, order)
    assert.near(3, time.now(), 1e-6)
  end)

  it("refuses what is no time", function()
    refused("invalid", "argument 1 %(time%) must be", test.clock, "soon")
    refused("invalid", "argument 1 %(time%) must be", test.clock, {})
  end)
end)

describe("test.seed", function()
  it("makes the numbers of the spec come again", function()
    test.seed(3)
    local a = math.random(1, 1e9)
    test.seed(4)
    assert.not_equal(a, math.random(1, 1e9))
    test.seed(3)
    assert.equal(a, math.random(1, 1e9))
  end)
  it("takes an integer", function() refused("invalid", "argument 1 %(seed%)", test.seed, "x") end)
end)

describe("test.tmp", function()
  local kept
  it("gives a new folder", function()
    kept = test.tmp()
    assert.is_true(fs.is_dir(kept))
    assert.not_equal(kept, test.tmp())
  end)
  it("that is gone after the test", function() assert.is_false(fs.exists(kept)) end)
end)

describe("test.diff", function()
  it("shows lines that differ", function()
    assert.equal("- a\n+ b", test.diff("a", "b"))
    assert.equal("  1\n- 2\n+ 3", test.diff("1\n2\n", "1\n3\n"))
  end)
end)

describe("test.snapshot", function()
  it("compares with what was written", function()
    test.snapshot("values", { list = { 1, 2.5, "three" }, ["odd key"] = true, empty = {}, null = mpms.null })
    test.snapshot("text", "two\nlines\n")
  end)
end)

describe("what assertions say", function()
  local function said(f, ...)
    local ok, e = pcall(f, ...)
    assert.is_false(ok)
    assert.equal("assertion", e.code)
    return e.message
  end

  it("shows values of every kind", function()
    assert.equal('assert.equal\n- "a\\nb\\"\\0"\n+ 1.0', said(assert.equal, 'a\nb"\0', 1.0))
    assert.equal('assert.equal\n- 1\n+ "1"', said(assert.equal, 1, "1"))
    assert.equal("assert.equal\n- {}  (table)\n+ {}  (table, another one)", said(assert.equal, {}, {}))
    assert.equal("assert.same: of course\n- { 1, { a = true } }\n+ {}", said(assert.same, { 1, { a = true } }, {}, "of course"))
    local cycle = {}
    cycle.self = cycle
    assert.equal("assert.same\n- { self = <cycle> }\n+ {}", said(assert.same, cycle, {}))
    assert.equal("assert.is_nil: got nan", said(assert.is_nil, 0 / 0))
    assert.equal('assert.is_true: got "\\xFF"', said(assert.is_true, "\xff"))
    assert.equal('assert.is_true: got "ü"', said(assert.is_true, "ü"))
    assert.equal("assert.truthy: why: got false", (said(assert.truthy, false, "why")):gsub("\n", ": "))
    assert.equal("assert.has_error: no error was raised", said(assert.has_error, function() end))
    assert.equal('assert.matches: "z" is not in "abc"', said(assert.matches, "z", "abc"))
    assert.equal("assert.is_not.equal: both are 1", said(assert.is_not.equal, 1, 1))
    assert.equal("assert.near: 3 is not within 0.5 of 1", said(assert.near, 1, 3, 0.5))
    assert.equal("assert.fail: no", said(assert.fail, "no"))
    assert.equal('assert.has.property: no "y" in { x = 1 }', said(assert.has.property, "y", { x = 1 }))
    assert.equal('assert.has_no.property: "x" is in { x = 1 }', said(assert.has_no.property, "x", { x = 1 }))
    said(assert.has_error, function() fs.read "/none" end, { code = "not_found", path = "/other" })
    assert.has_error(function() fs.read "/none" end, { code = "not_found", path = "/none" })
    local lines = {}
    for n = 1, 300 do lines[n] = "line " .. n end
    assert.matches("\n  %.%.%. %d+ more lines$", said(assert.equal, table.concat(lines, "\n"), table.concat(lines, "!\n")))
  end)
end)
