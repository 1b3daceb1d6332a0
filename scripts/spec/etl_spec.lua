-- Of scripts/etl.lua: rows as people typed them are cleaned, loaded, or refused with the reason.

local fs, path = require "mpms.fs", require "mpms.path"

local script = "scripts/etl.lua"

local function row(changes)
  local made = {
    order = "17", customer = " Ann   Lee ", email = " Ann@Example.com ", country = "Germany", amount = "1.049,90 €",
    date = "24.12.2025", line = 2,
  }
  for key, value in pairs(changes or {}) do made[key] = value end
  return made
end

local function clean(changes)
  local orders, effects = test.worker(script, { { row(changes) } }, {}, { params = { batch = 10 } })
  assert.is_nil(effects.error)
  return orders[1], effects.results[2][1]
end

describe("etl", function()
  local dir, params   ---@type string, table
  before_each(function()
    dir = test.tmp()
    params = {
      orders = path.join(dir, "orders.csv"), database = path.join(dir, "db/orders.sqlite"),
      report = path.join(dir, "report.md"), batch = 2,
    }
  end)

  it("puts rows in batches, each row with the number of its line", function()
    fs.write(params.orders, "order,customer\n1,Ann\n2,Bob\n3,Cy\n")
    local tasks = test.tasks(script, params)
    assert.equal(2, #tasks)
    local function lines(task)
      local list = {}
      for _, one in ipairs(task[1]) do list[#list + 1] = one.line .. " " .. one.customer end
      return list
    end
    assert.same({ "2 Ann", "3 Bob" }, lines(tasks[1]))
    assert.same({ "4 Cy" }, lines(tasks[2]))
  end)

  it("fails without the file", function()
    assert.has_error(function() test.tasks(script, params) end, { code = "not_found" })
  end)

  it("cleans a row", function()
    local order, refused = clean()
    assert.is_nil(refused)
    assert.same({
      id = 17, customer = "Ann Lee", email = "ann@example.com", country = "DE", amount = 1049.9, date = "2025-12-24",
    }, order)
  end)

  it("reads amounts and dates as they are written in different countries", function()
    for text, amount in pairs { ["$ 1,049.90"] = 1049.9, ["12"] = 12, ["1.200"] = 1200, ["3,5"] = 3.5 } do
      assert.near(amount, clean({ amount = text }).amount, 1e-9, text)
    end
    for _, text in ipairs { "2025-12-24", "24.12.2025", "12/24/2025" } do
      assert.equal("2025-12-24", clean({ date = text }).date, text)
    end
    assert.equal("GB", clean({ country = "uk" }).country)
    assert.equal("AT", clean({ country = " at " }).country)
  end)

  it("refuses what it does not understand, and says why", function()
    for reason, changes in pairs {
      ["no number of an order"] = { order = "x" },
      ["no customer"] = { customer = "  " },
      ["no address"] = { email = "ann(at)example" },
      ["unknown country"] = { country = "Atlantis" },
      ["no amount"] = { amount = "free" },
      ["no date"] = { date = "soon" },
    } do
      local order, refused = clean(changes)
      assert.is_nil(order, reason)
      assert.equal(reason, refused.reason)
      assert.equal(2, refused.line)
    end
  end)

  it("loads both tables, and a row that comes again once", function()
    local order = clean()
    local refused = { { line = 5, reason = "no date", order = "9", customer = "Bob" } }
    local meta = test.handler({ script, params = params }, { loaded = 1, refused = 0 }, { order }, refused)
    assert.same({ loaded = 2, refused = 1 }, meta)
    test.handler({ script, params = params }, { loaded = 0, refused = 0 }, { order }, {})
    local db = mpms.sqlite.open(params.database)
    assert.equal(1, db:scalar "SELECT count(*) FROM orders")
    assert.equal("no date", db:scalar "SELECT reason FROM refused")
    db:close()
  end)

  it("reports", function()
    test.handler({ script, params = params }, { loaded = 0, refused = 0 }, { (clean()) },
      { { line = 5, reason = "no date", order = "9", customer = "Bob" } })
    local _, _, _, said = test.handler({ script, role = "finish", params = params }, { loaded = 1, refused = 1 }, {})
    assert.equal("1 rows loaded, 1 refused; see " .. params.report, said)
    local report = fs.read(params.report)
    assert.matches("| DE | 1 | 1049.90 |", report, 1, true)
    assert.matches("* line 5, Bob: no date", report, 1, true)
  end)
end)
