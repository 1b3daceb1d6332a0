-- Of scripts/flaky.lua: an API that is busy now and then, and the engine that tries again.

local script = "scripts/flaky.lua"
local call = "https://api.example/?no=40"

describe("flaky", function()
  it("makes a task for each call", function()
    local tasks = test.tasks(script, { calls = 2, base = "https://api.example" })
    assert.same({ { "https://api.example/?no=1" }, { "https://api.example/?no=2" } }, tasks)
  end)

  it("takes its own API when none is named, which is busy once at each 40th call", function()
    local tasks = test.tasks(script, { calls = 40, base = "" })
    assert.equal(40, #tasks)
    test.http "loopback"
    local _, effects = test.worker(script, tasks[40])
    assert.equal("http_status", effects.error.code)
    assert.equal(1, effects.error.retry_after)
    local body = test.worker(script, tasks[40], {}, { attempt = 2 })
    assert.equal("40", body)
    assert.equal("39", (test.worker(script, tasks[39])))
  end)

  it("gives what the API says", function()
    test.http { ["GET " .. call] = "fine" }
    assert.equal("fine", (test.worker(script, { call })))
    assert.equal("GET", test.requests()[1].method)
    assert.same({ no = "40" }, test.requests()[1].query)
  end)

  it("raises an error that says whether and when to try again", function()
    for status, retryable in pairs { [503] = true, [429] = true, [404] = false, [401] = false } do
      test.http { ["GET " .. call] = { status = status, headers = { ["Retry-After"] = "3" } } }
      local result, effects = test.worker(script, { call })
      assert.is_nil(result)
      assert.equal(retryable, effects.error.retryable, "status " .. status)
      assert.equal(3, effects.error.retry_after)
      assert.is_nil(effects.verb)
    end
  end)

  it("counts calls, and those that needed more than one attempt", function()
    local meta = test.handler(script, { calls = 4, again = 1 }, "x")
    assert.same({ calls = 5, again = 1 }, meta)
    meta = test.handler({ script, attempt = 2 }, { calls = 4, again = 1 }, "x")
    assert.same({ calls = 5, again = 2 }, meta)
    local _, _, _, said = test.handler({ script, role = "finish" }, { calls = 100, again = 2 }, {})
    assert.equal("100 calls answered, 2 of them not at the first try", said)
  end)
end)
