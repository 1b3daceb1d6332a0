-- Of scripts/gevent.lua: tasks that only wait. The clock is set, so no second passes.

local script = "scripts/gevent.lua"
local params = { seconds = 60 }

describe("gevent", function()
  before_each(function() test.clock(1e9) end)

  it("waits for as long as it is told", function()
    local no, effects = test.worker(script, { 5 }, {}, { params = params })
    assert.equal(5, no)
    assert.near(60, effects.results[2], 0.001)
  end)

  it("waits twice at the same time in every thousandth task", function()
    local _, effects = test.worker(script, { 2000 }, {}, { params = params })
    assert.near(60, effects.results[2], 0.001)
    assert.near(1e9 + 60, mpms.time.now(), 0.001)
  end)

  it("fails without the seconds", function()
    local result, effects = test.worker(script, { 1 })
    assert.is_nil(result)
    assert.equal("invalid", effects.error.code)
  end)

  it("counts tasks and what they waited", function()
    local meta = test.handler({ script, params = params }, { tasks = 1, waited = 2.5 }, 7, 60.5)
    assert.equal(2, meta.tasks)
    assert.near(63, meta.waited, 1e-9)
    assert.is_number(meta.begun)
  end)

  it("says how many waited at the same time", function()
    -- `start` remembers the time: by `finish` none would have passed
    local start = { script, role = "start" }
    local meta = test.handler(start, { tasks = 30, waited = 1800 })
    assert.near(mpms.time.mono(), meta.begun, 0.001)
  end)
end)
