-- Of scripts/spider.lua: the links of a page become tasks, each page once.

local script = "scripts/spider.lua"
local page = "https://site.example/1"

describe("spider", function()
  describe("tasks", function()
    it("begin with the first page, whose address is the key", function()
      assert.same({ { page, 0, key = page } }, test.tasks(script, { start = page, pages = 5, depth = 2 }))
    end)

    it("begin with a site of its own when none is named", function()
      local tasks = test.tasks(script, { start = "", pages = 5, depth = 2 })
      assert.equal(1, #tasks)
      assert.matches("^http://127%.0%.0%.1:%d+/1$", tasks[1][1])
      assert.equal(tasks[1][1], tasks[1].key)
    end)
  end)

  describe("worker", function()
    local function links(body)
      test.http { ["GET " .. page] = { body = body, headers = { ["Content-Type"] = "text/html" } } }
      local url, effects = test.worker(script, { page, 3 })
      assert.equal(page, url)
      assert.equal(3, effects.results[2])
      return effects.results[3]
    end

    it("gives the links of a page to its own site", function()
      assert.same({ "https://site.example/2", "https://site.example/deep/3" },
        links [[<a href="/2">2</a> <p> <a class=x href="https://site.example/deep/3">3</a>]])
    end)

    it("leaves out other sites, and what follows the #", function()
      assert.same({ "https://site.example/2" },
        links [[<a href="https://elsewhere.example/">x</a><a href="mailto:a@b">m</a><a href="/2#top">2</a>]])
    end)

    it("gives none for a page without links", function() assert.same({}, links "<h1>nothing</h1>") end)

    it("fails when the site is not reached", function()
      test.http { ["*"] = { error = "connect" } }
      local result, effects = test.worker(script, { page, 0 })
      assert.is_nil(result)
      assert.equal("connect", effects.error.code)
      assert.is_true(effects.error.retryable)
    end)
  end)

  describe("handler", function()
    local deep = { script, params = { depth = 2, start = "", pages = 5 } }

    it("puts each link one deeper, with its address as the key, and a row for the page", function()
      local meta, puts, emits = test.handler(deep, { pages = 1, links = 4 }, page, 1, { "a", "b" })
      assert.same({ pages = 2, links = 6 }, meta)
      assert.same({ { "a", 2, key = "a" }, { "b", 2, key = "b" } }, puts)
      assert.same({ { url = page, depth = 1, links = 2 } }, emits)
    end)

    it("does not go deeper than it is allowed", function()
      local meta, puts = test.handler(deep, { pages = 0, links = 0 }, page, 2, { "a" })
      assert.equal(1, meta.pages)
      assert.same({}, puts)
    end)

    it("sums up", function()
      local _, _, _, said = test.handler({ script, role = "finish" }, { pages = 3, links = 9 }, {})
      assert.equal("3 pages, 9 links", said)
    end)
  end)

  it("reaches every page of its own site", function()
    test.http "loopback"
    local params = { start = "", pages = 6, depth = 5 }
    local todo, seen, count = test.tasks(script, params), {}, 0
    while #todo > 0 do
      local task = table.remove(todo)
      if not seen[task.key] then
        seen[task.key], count = true, count + 1
        local _, effects = test.worker(script, task, {}, { params = params })
        assert.is_nil(effects.error)
        local meta = { pages = 0, links = 0 }
        local _, puts = test.handler({ script, params = params }, meta, table.unpack(effects.results))
        for _, put in ipairs(puts) do todo[#todo + 1] = put end
      end
    end
    assert.equal(6, count)
  end)
end)
