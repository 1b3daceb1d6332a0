-- The script of jobs/flaky.toml.

local http = require "mpms.http"

-- An API on this machine that is busy at the first try of every 40th call, and asks to wait for a second.
local function flaky_api()
  local tries = { }   -- the server has a copy of its own, and keeps it
  local server = http.serve(function(request)
    local no = tonumber(request.query.no) or 0
    tries[no] = (tries[no] or 0) + 1
    if no % 40 == 0 and tries[no] == 1 then
      return { status = 503, headers = { ["Retry-After"] = "1" }, body = "busy" }
    end
    return { body = tostring(no) }
  end)
  return server.url
end

return {
  tasks = function(put)
    local base = job.params.base
    if base == "" then base = flaky_api() end
    for no = 1, job.params.calls do put(base .. "/?no=" .. no) end
  end,

  -- A status of 400 and above raises. The error says whether another try may help, and how long the API asks to wait.
  worker = function(url)
    return http.get(url).body
  end,

  handler = function(meta)
    meta.calls = meta.calls + 1
    if meta.attempt > 1 then meta.again = meta.again + 1 end
  end,

  finish = function(meta)
    return ("%d calls answered, %d of them not at the first try"):format(meta.calls, meta.again)
  end,
}
