-- The script of jobs/spider.toml: results become tasks.

local http = require "mpms.http"

-- Page n links to 2n and 2n+1, which reaches every page, and back to others.
local function demo_site()
  local pages = job.params.pages
  local server = http.serve(function(request)
    local n = tonumber(request.path:match("^/(%d+)$"))
    if not n or n > pages then return nil end   -- 404
    local html = { ("<h1>Page %d</h1>"):format(n) }
    for _, to in ipairs { 2 * n, 2 * n + 1, n // 3 + 1, n * 7 % pages + 1 } do
      if to <= pages then html[#html + 1] = ('<a href="/%d">%d</a>'):format(to, to) end
    end
    return { body = table.concat(html, "\n"), delay = 0.01 }
  end)
  return server.url .. "/1"
end

-- The address that `link` means on the page `url`; nil when it leads to another site.
local function absolute(url, link)
  local site = url:match("^%a+://[^/]+")
  link = link:gsub("#.*", "")
  if link:find("^%a+:") then return link:sub(1, #site) == site and link or nil end
  if link:find("^/[^/]") or link == "/" then return site .. link end
end

return {
  -- One task begins it all. Its key is the address: a second task with the same key is dropped.
  tasks = function()
    local start = job.params.start
    if start == "" then start = demo_site() end
    put_with({ key = start }, start, 0)
  end,

  worker = function(url, depth)
    local links = {}
    for link in http.get(url).body:gmatch('<a[^>]-href="([^"]*)"') do
      links[#links + 1] = absolute(url, link)
    end
    return url, depth, links
  end,

  -- Puts every link as a new task; the keys keep each page from being fetched twice.
  -- The run ends by itself when no task is waiting or running and the handler put no more.
  handler = function(meta, url, depth, links)
    meta.pages = meta.pages + 1
    meta.links = meta.links + #links
    emit { url = url, depth = depth, links = #links }
    if depth < job.params.depth then
      for _, link in ipairs(links) do
        meta.self:put_with({ key = link }, link, depth + 1)
      end
    end
  end,

  finish = function(meta)
    return ("%d pages, %d links"):format(meta.pages, meta.links)
  end,
}
