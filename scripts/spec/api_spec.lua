-- Of scripts/api.lua: rows are completed with what an API says; retries in place, and by the engine.

local script = "scripts/api.lua"
local base = "https://rates.example"
local usd = "GET " .. base .. "/rate/USD"

local function complete(row) return test.worker(script, { row }, {}, { params = { base = base } }) end

describe("api", function()
  it("adds the price in euros", function()
    test.http { [usd] = { json = { currency = "USD", rate = 0.92 } } }
    local row, effects = complete { item = "book", price = "10", currency = "USD" }
    assert.same({ item = "book", price = "10", currency = "USD", euros = "9.20" }, row)
    assert.is_nil(effects.error)
  end)

  it("takes an unknown currency for an answer", function()
    test.http { ["GET " .. base .. "/rate/*"] = 404 }
    local row = complete { item = "shell", price = "1", currency = "XXX" }
    assert.equal("unknown currency", row.note)
    assert.is_nil(row.euros)
  end)

  it("asks again at once for what passes", function()
    test.clock(0)   -- the waits between the tries cost no time
    test.http { [usd] = { 503, { error = "connect" }, { json = { rate = 2 } } } }
    local row = complete { price = "1.5", currency = "USD" }
    assert.equal("3.00", row.euros)
    assert.equal(3, #test.requests())
  end)

  it("leaves an API alone that asks for longer than it waits, and the engine tries again then", function()
    test.http { [usd] = { status = 429, headers = { ["Retry-After"] = "1" } } }
    local row, effects = complete { price = "1", currency = "USD" }
    assert.is_nil(row)
    assert.same({ "http_status", true, 1 },
      { effects.error.code, effects.error.retryable, effects.error.retry_after })
    assert.equal(1, #test.requests())
  end)

  it("gives up after five tries", function()
    test.clock(0)
    test.http { [usd] = 500 }
    local _, effects = complete { price = "1", currency = "USD" }
    assert.equal("http_status", effects.error.code)
    assert.equal(5, #test.requests())
  end)

  it("does not know what to do with a reply that is no JSON", function()
    test.http { [usd] = "<html>" }
    local _, effects = complete { price = "1", currency = "USD" }
    assert.equal("parse", effects.error.code)
  end)

  it("has an API of its own", function()
    test.http "loopback"
    local row = test.worker(script, { { price = "100", currency = "GBP" } }, {}, { params = { base = "" } })
    assert.equal("117.00", row.euros)
  end)
end)
