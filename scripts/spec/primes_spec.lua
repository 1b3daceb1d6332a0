-- Of scripts/primes.lua: a worker that computes, and a handler that adds up.

local script = "scripts/primes.lua"

local function primes(first, chunk)
  return (test.worker(script, { first }, {}, { params = { chunk = chunk } }))
end

describe("primes", function()
  it("are counted from the first number of a chunk to its last", function()
    assert.equal(4, primes(1, 10))
    assert.equal(25, primes(1, 100))
    assert.equal(1, primes(2, 1))
    assert.equal(21, primes(101, 100))
  end)

  it("do not include what only looks like one", function()
    for _, n in ipairs { 0, 1, 4, 9, 25, 49, 121, 561, 7917 } do
      assert.equal(0, primes(n, 1), n .. " is no prime")
    end
  end)

  it("are the same whether they are counted in one chunk or in several", function()
    local sum = 0
    for first = 1, 1000, 100 do sum = sum + primes(first, 100) end
    assert.equal(primes(1, 1000), sum)
    assert.equal(168, sum)
  end)

  it("need a number", function()
    local _, effects = test.worker(script, { "many" }, {}, { params = { chunk = 1 } })
    assert.equal("lua_error", effects.error.code)
    assert.matches("scripts/primes.lua:%d+: ", effects.error.message)
  end)

  it("are added to those before, and told at the end", function()
    local meta, puts, emits = test.handler(script, { primes = 10 }, 5)
    assert.same({ primes = 15 }, meta)
    assert.same({}, puts)
    assert.same({}, emits)
    local _, _, _, said = test.handler({ script, role = "finish" }, { primes = 283146 }, { elapsed = 1 })
    assert.equal("283146 primes", said)
  end)
end)
