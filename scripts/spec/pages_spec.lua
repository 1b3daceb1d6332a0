-- Of scripts/pages.lua: pages are read by selectors, links become tasks, robots.txt is kept.

local script = "scripts/pages.lua"
local site = "https://shop.example"
local book = site .. "/book/3"

local book_page = [[<!DOCTYPE html><title>Shop</title>
<article class=book><h1>Book &lt;3&gt;</h1><p class=price>£4.50</p><ul><li>Ann<li>Bob</ul>
<table class=facts><tr><th>Pages<td>30<tr><th>Stock<td>3</table></article>
<a href="../list/1?utm_source=book#top">all books</a> <a href="/cart?add=3">buy</a>
<a href="https://elsewhere.example/">elsewhere</a>]]

local function html(body) return { body = body, headers = { ["Content-Type"] = "text/html" } } end

local function read(address, rules)
  rules[site .. "/robots.txt"] = rules[site .. "/robots.txt"] or "User-agent: *\nDisallow: /cart\n"
  test.http(rules)
  return test.worker(script, { { url = address } }, {}, { params = { start = address, books = 60 } })
end

describe("pages", function()
  it("begin with the address that is given, which is the key", function()
    assert.same({ { { url = site }, key = site } }, test.tasks(script, { start = site, books = 60 }))
  end)

  it("of a book give a row", function()
    local _, effects = read(book, { ["GET " .. book] = html(book_page) })
    assert.is_nil(effects.error)
    assert.same({
      { title = "Book <3>", price = 4.5, stock = 3, authors = "Ann, Bob", url = book },
    }, effects.emits)
    assert.is_true(effects.results[2])
  end)

  it("give the links to the same site, each in one spelling", function()
    local links = read(book, { ["GET " .. book] = html(book_page) })
    assert.same({ site .. "/list/1", site .. "/cart?add=3" }, links)
  end)

  it("without a book give links alone", function()
    local list = site .. "/list/1"
    local links, effects = read(list, { ["GET " .. list] = html '<ul><li><a href="../book/1">1</a></ul>' })
    assert.same({ site .. "/book/1" }, links)
    assert.same({}, effects.emits)
    assert.is_false(effects.results[2])
  end)

  it("that robots.txt forbids are not asked for", function()
    local links, effects = read(site .. "/cart?add=3", {})
    assert.is_nil(links)
    assert.is_nil(effects.error)
    assert.equal(1, #test.requests())
    assert.equal(site .. "/robots.txt", test.requests()[1].url)
  end)

  it("that are missing fail", function()
    local _, effects = read(book, { ["GET " .. book] = 404 })
    assert.equal("http_status", effects.error.code)
  end)

  it("wait while nobody answers for robots.txt", function()
    local _, effects = read(book, { [site .. "/robots.txt"] = 503, ["GET " .. book] = html(book_page) })
    assert.equal("robots", effects.error.code)
    assert.is_true(effects.error.retryable)
  end)

  describe("handler", function()
    local meta = { pages = 1, books = 1, forbidden = 1 }

    it("puts each link under its own key", function()
      local after, puts = test.handler(script, meta, { "a", "b" }, true)
      assert.same({ pages = 2, books = 2, forbidden = 1 }, after)
      assert.same({ { { url = "a" }, key = "a" }, { { url = "b" }, key = "b" } }, puts)
    end)

    it("counts what is forbidden", function()
      local after, puts = test.handler(script, meta, nil)
      assert.same({ pages = 1, books = 1, forbidden = 2 }, after)
      assert.same({}, puts)
    end)

    it("sums up", function()
      local _, _, _, said = test.handler({ script, role = "finish" }, meta, {})
      assert.equal("1 pages, 1 books; 1 pages are not for robots", said)
    end)
  end)

  it("of its own shop are found by the links of the first", function()
    test.http "loopback"
    local params = { start = "", books = 12 }
    local first = test.tasks(script, params)[1]
    local links = test.worker(script, { first[1] }, {}, { params = params })
    assert.equal(11, #links)   -- ten books and the next list
  end)
end)
