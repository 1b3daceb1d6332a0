-- Of scripts/crawl.lua: pages are fetched and saved, and a handler adds up their times.

local fs, path = require "mpms.fs", require "mpms.path"

local script = "scripts/crawl.lua"

describe("crawl", function()
  local dir   ---@type string
  before_each(function()
    dir = test.tmp()
    fs.mkdir(path.join(dir, "out/crawl"))
  end)

  it("makes a task for each page", function()
    local tasks = test.tasks(script, { count = 3, base = "https://site.example", delay = 0 })
    assert.same({
      { 1, "https://site.example/?q=1" },
      { 2, "https://site.example/?q=2" },
      { 3, "https://site.example/?q=3" },
    }, tasks)
  end)

  it("serves a site by itself when it is given none", function()
    local tasks = test.tasks(script, { count = 2, base = "", delay = 0 })
    assert.equal(2, #tasks)
    assert.matches("^http://127%.0%.0%.1:%d+/%?q=2$", tasks[2][2])
  end)

  it("saves a page and says what it was", function()
    test.http { ["GET https://site.example/?q=7"] = "<h1>Page 7</h1>\n" }
    local no, effects = test.worker(script, { 7, "https://site.example/?q=7" }, {}, { dir = dir })
    assert.equal(7, no)
    assert.equal("<h1>Page 7</h1>\n", fs.read(path.join(dir, "out/crawl/7.html")))
    local _, url, status, length, seconds = table.unpack(effects.results)
    assert.same({ "https://site.example/?q=7", 200, 16 }, { url, status, length })
    assert.is_true(seconds >= 0)
    assert.is_nil(effects.error)
  end)

  it("fails for a page that is not there, and saves nothing", function()
    test.http { ["GET https://site.example/?q=8"] = 404 }
    local result, effects = test.worker(script, { 8, "https://site.example/?q=8" }, {}, { dir = dir })
    assert.is_nil(result)
    assert.equal("http_status", effects.error.code)
    assert.is_false(effects.error.retryable)
    assert.is_false(fs.exists(path.join(dir, "out/crawl/8.html")))
  end)

  it("says of a busy site that it may be tried again", function()
    test.http { ["*"] = { status = 503, headers = { ["Retry-After"] = "2" } } }
    local _, effects = test.worker(script, { 1, "https://site.example/?q=1" }, {}, { dir = dir })
    assert.is_true(effects.error.retryable)
    assert.equal(2, effects.error.retry_after)
  end)

  it("adds up the times, and keeps a log", function()
    local here = { script, dir = dir }
    local meta = test.handler(here, { total_req_time = 1.5 }, 3, "https://site.example/?q=3", 200, 16, 0.25)
    assert.near(1.75, meta.total_req_time, 1e-9)
    local finish = { script, dir = dir, role = "finish" }
    local _, _, _, said = test.handler(finish, { total_req_time = 10 }, { elapsed = 2 })
    assert.equal("You are faster about: 5.0x", said)
    assert.is_true(fs.exists(path.join(dir, "out/crawl/log.txt")))
  end)
end)
