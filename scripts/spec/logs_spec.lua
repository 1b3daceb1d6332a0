-- Of scripts/logs.lua: lines of access logs are read by a regular expression and added up.

local fs, path, json = require "mpms.fs", require "mpms.path", require "mpms.json"

local script = "scripts/logs.lua"

local lines = {
  '10.0.0.1 - - [01/Nov/2026:00:00:01 +0000] "GET /books?page=2 HTTP/1.1" 200 100 "-" "demo" 0.100',
  '10.0.0.2 - ann [01/Nov/2026:00:00:02 +0000] "GET /books HTTP/1.1" 200 50 "-" "demo" 0.900',
  '10.0.0.1 - - [01/Nov/2026:00:00:03 +0000] "POST /cart HTTP/1.1" 500 - "-" "demo" 0.010',
  "what another program wrote",
}

describe("logs", function()
  local dir, params   ---@type string, table
  before_each(function()
    dir = test.tmp()
    params = { logs = path.join(dir, "*.log*"), slow = 0.5, top = 1, report = path.join(dir, "out/report.json") }
    fs.write(path.join(dir, "b.log"), table.concat(lines, "\n") .. "\n")
    fs.write(path.join(dir, "a.log"), "")
    fs.write(path.join(dir, "other.txt"), "")
  end)

  it("makes a task for each log", function()
    assert.same({ { path.join(dir, "a.log") }, { path.join(dir, "b.log") } }, test.tasks(script, params))
  end)

  it("adds up what a log says", function()
    local found, effects = test.worker(script, { path.join(dir, "b.log") }, {}, { params = params })
    assert.is_nil(effects.error)
    assert.same({
      lines = 4, unread = 1, bytes = 150, status = { ["200"] = 2, ["500"] = 1 },
      pages = { ["/books"] = 2, ["/cart"] = 1 }, slow = { ["/books"] = 1 },
    }, found)
  end)

  it("reads packed ones too", function()
    local packed = path.join(dir, "c.log.gz")
    fs.write(packed, mpms.compress.gzip(table.concat(lines, "\n") .. "\n"))
    assert.equal(4, (test.worker(script, { packed }, {}, { params = params })).lines)
  end)

  it("finds nothing in an empty one, and fails for none", function()
    assert.equal(0, (test.worker(script, { path.join(dir, "a.log") }, {}, { params = params })).lines)
    local found, effects = test.worker(script, { path.join(dir, "none.log") }, {}, { params = params })
    assert.is_nil(found)
    assert.is_not_nil(effects.error)
  end)

  it("sums up all logs, and writes a report", function()
    local meta = { files = 1, lines = 10, unread = 0, bytes = 5, status = { ["200"] = 9 },
      pages = { ["/cart"] = 9 }, slow = {} }
    local found = { lines = 4, unread = 1, bytes = 150, status = { ["200"] = 2, ["500"] = 1 },
      pages = { ["/books"] = 2, ["/cart"] = 1 }, slow = { ["/books"] = 1 } }
    meta = test.handler({ script, params = params }, meta, found)
    assert.same({
      files = 2, lines = 14, unread = 1, bytes = 155, status = { ["200"] = 11, ["500"] = 1 },
      pages = { ["/books"] = 2, ["/cart"] = 10 }, slow = { ["/books"] = 1 },
    }, meta)
    local _, _, _, said = test.handler({ script, role = "finish", params = params }, meta, {})
    assert.equal("14 lines of 2 files, 1 errors of the server, 1 lines not understood; see " .. params.report, said)
    assert.same({ { page = "/cart", requests = 10 } }, json.read(params.report).most)
  end)
end)
