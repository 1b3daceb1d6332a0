-- The script of jobs/crawl.toml: one function for each role.

local http, fs = require "mpms.http", require "mpms.fs"

---@type any   an open file
local log   -- belongs to the handler: every role runs in a Lua state of its own

-- A site on this machine. The function answers in a thread of its own; it gets a copy of `delay`.
local function demo_site()
  local delay = job.params.delay
  local server = http.serve(function(request)
    local body = "<h1>Page " .. request.query.q .. "</h1>\n"
    return { body = body, delay = delay }
  end)
  return server.url
end

return {
  -- Makes the tasks. Each `put` is one task; its values are the arguments of `worker`.
  tasks = function(put)
    local base = job.params.base
    if base == "" then base = demo_site() end
    for no = 1, job.params.count do
      put(no, base .. "/?q=" .. no)
    end
  end,

  -- Runs in 50 threads. A request that fails raises, and its task has failed.
  worker = function(no, url)
    local reply = http.get(url)
    fs.write(("out/crawl/%d.html"):format(no), reply.body)
    return no, url, reply.status, #reply.body, reply.elapsed
  end,

  -- Once, before the first result.
  start = function()
    fs.mkdir("out/crawl")
    log = assert(io.open("out/crawl/log.txt", "w"))
  end,

  -- For each result, one at a time: no locks needed for `log` and `meta`.
  handler = function(meta, no, url, status, length, seconds)
    log:write(("%d %s %d %d %.3f\n"):format(no, url, status, length, seconds))
    meta.total_req_time = meta.total_req_time + seconds
  end,

  -- Once, when nothing is left. What it returns is shown below the summary.
  finish = function(meta, summary)
    log:close()
    return ("You are faster about: %.1fx"):format(meta.total_req_time / summary.elapsed)
  end,
}
