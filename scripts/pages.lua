-- The script of jobs/pages.toml: pages are read by selectors, links become tasks.

local http, robots, url = require "mpms.http", require "mpms.robots", require "mpms.url"

-- Ten books on a list page, a page for each book, and a corner where crawlers are not wanted.
local function demo_shop()
  local books = job.params.books
  local server = http.serve(function(request)
    local html = require "mpms.html"
    local function page(body)
      return { body = "<!DOCTYPE html><title>Shop</title>" .. body, headers = { ["content-type"] = "text/html" } }
    end
    if request.path == "/robots.txt" then
      return "User-agent: *\nDisallow: /cart\n"
    end
    local book = tonumber(request.path:match "^/book/(%d+)$")
    if book and book <= books then
      return page(([[<article class=book><h1>%s</h1><p class=price>£%.2f</p><ul><li>Ann<li>Bob</ul>
        <table class=facts><tr><th>Pages<td>%d<tr><th>Stock<td>%d</table></article>
        <a href="../list/1?utm_source=book#top">all books</a> <a href="/cart?add=%d">buy</a>]]):format(
        html.escape("Book <" .. book .. ">"), book * 1.5, book * 10, book % 7, book))
    end
    local list = tonumber(request.path:match "^/list/(%d+)$")
    if list and (list - 1) * 10 < books then
      local links = {}
      for n = list * 10 - 9, math.min(list * 10, books) do
        links[#links + 1] = ('<li><a class=title href="../book/%d">Book %d</a>'):format(n, n)
      end
      if list * 10 < books then links[#links + 1] = ('<li><a rel=next href="%d">next</a>'):format(list + 1) end
      return page("<ul>" .. table.concat(links) .. "</ul><a href='https://elsewhere.example/'>elsewhere</a>")
    end
    -- nothing returned: 404
  end)
  return server.url .. "/list/1"
end

-- What a book's page says; nil for every other page.
local function book_of(page, address)
  local article = page:css("article.book"):first()
  if not article then return nil end
  local facts = {}
  for _, row in ipairs(article:table "table.facts") do facts[row[1]] = row[2] end
  return {
    title = article:css("h1::text"):get(),
    price = tonumber(article:css(".price::text"):get("0"):match "[%d.]+"),
    stock = tonumber(facts.Stock),
    authors = table.concat(article:css("li::text"):getall(), ", "),
    url = address,
  }
end

return {
  -- The key is the address: a page that is put twice is read once.
  tasks = function()
    local start = job.params.start
    if start == "" then start = demo_shop() end
    put_with({ key = start }, { url = start })
  end,

  worker = function(task)
    if not robots.allowed(task.url) then return nil end   -- robots.txt is read once for all pages of a host
    local page = http.get(task.url):html()
    local book = book_of(page, task.url)
    if book then emit(book) end
    -- Links to the same site, whole, each in one spelling.
    local links = {}
    for _, link in ipairs(page:links { same_site = true }) do
      links[#links + 1] = url.normalize(link, { strip = { "utm_*" } })
    end
    return links, book ~= nil
  end,

  handler = function(meta, links, is_book)
    if not links then
      meta.forbidden = meta.forbidden + 1
      return
    end
    meta.pages = meta.pages + 1
    if is_book then meta.books = meta.books + 1 end
    for _, link in ipairs(links) do
      meta.self:put_with({ key = link }, { url = link })
    end
  end,

  finish = function(meta)
    return ("%d pages, %d books; %d pages are not for robots"):format(meta.pages, meta.books, meta.forbidden)
  end,
}
